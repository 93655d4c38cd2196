"""The commands `train --repeats` and `compare`, from the first run to the sentence."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.cli import compare, main, train
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.runs import repeats, runs

TINY = (
    "--set=scheme=fraction --set=crop_size=32 --set=widths=4,8 --set=epochs=1 "
    "--set=steps_per_epoch=3 --set=batch_size=2 --set=device=cpu --set=precision=float32"
).split()
ON_TEST = ("--data", "dsb2018", "--split", "test")


def call(*words: object) -> tuple[int, str, str]:
    """A command in a process of its own, for it follows others."""
    command = [sys.executable, "-m", "unet_core", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("tiny_data")
def test_a_repeat_trains_every_seed_and_is_compared_with_a_model(
    save_cutter: Callable[..., str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = call("train", "--preset", "quick", *TINY, "--repeats", 2)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    name = lines[0].split()[1].rstrip(":")
    assert lines[0] == f"Repeat {name}: 2 seeds."
    assert [line for line in lines if "epoch 1 of 1" in line][1].startswith("seed 1: ")
    assert "2 of 2 seeds finished." in lines
    assert "(mean and deviation of 2 seeds)" in lines[-2]
    assert "differences below" in lines[-1]
    assert "0.45 to 31.9" in lines[-1]
    repeat = repeats.find(name)
    assert [run.config.images.seed for run in repeat.runs] == [0, 1]
    code, _, err = call("train", "--repeat", name, "--resume", "--json")
    assert (code, err) == (0, "")  # nothing is left to do

    cutter = save_cutter("dsb2018")
    words = ("compare", cutter, name, *ON_TEST)
    assert main.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["second"]["models"] == [run.id for run in repeat.runs]
    assert (found["first"]["n"], found["second"]["n"], found["images"]) == (1, 2, 2)
    assert (found["measure"], found["split"]) == ("f1", "test")
    assert found["low"] <= found["difference"] <= found["high"]
    assert main.main(list(words)) == 0
    text = capsys.readouterr().out
    assert f"A  {found['first']['mean']:.4f}  (1 run) {cutter}" in text
    assert "B - A" in text
    assert "95 % interval" in text
    _stored_evaluations_give_the_same(cutter, name, found, capsys, tmp_path)
    longer = repeat.runs[1].config.replace(epochs=2)
    (repeat.runs[1].path / "config.json").write_text(json.dumps(longer.to_dict()))
    assert compare.find(name).note == "Its seeds have different settings: epochs."


def _stored_evaluations_give_the_same(
    cutter: str, name: str, found: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main.main(["evaluate", "--model", cutter, *ON_TEST, "--json"]) == 0
    stored = tmp_path / "cutter.json"
    stored.write_text(capsys.readouterr().out)
    assert main.main(["compare", str(stored), name, "--json"]) == 0  # data and split are the file's
    again = json.loads(capsys.readouterr().out)
    for key in ("difference", "low", "high", "noise", "split"):
        assert again[key] == found[key]
    old = json.loads(stored.read_text())
    for row in old["per_image"]:
        del row["confusion"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    words = ["compare", str(tmp_path / "old.json"), str(stored), "--measure", "mean_iou"]
    assert main.main(words) == 2
    error = capsys.readouterr().err
    assert "the evaluation of old is of an older version" in error
    assert len(error.splitlines()) == 1
    (tmp_path / "old.json").write_text('{"f1": 0.9}')
    assert main.main(words) == 2
    assert "old.json is no evaluation" in capsys.readouterr().err


@pytest.mark.usefixtures("tiny_data")
def test_a_repeat_with_a_failed_seed_is_exit_2_and_is_compared_without_it(
    capsys: pytest.CaptureFixture[str], save_cutter: Callable[..., str]
) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    words = ["train", "--preset", "quick", *TINY]
    settings, _ = train.configure(main.build_parser().parse_args(words))
    repeat = repeats.create(settings, 2, preset="quick")
    (repeat.runs[1].path / "steps.jsonl").symlink_to("/dev/full")
    code, out, err = call("train", "--repeat", repeat.name, "--resume", "--json")
    told = "1 of 2 seeds finished: seed 1 failed: the disk is full: make room, then start again."
    assert (code, err) == (2, f"error: {told}\n")
    assert json.loads(out)["summary"] == told
    assert main.main(["compare", save_cutter("dsb2018"), repeat.name, *ON_TEST, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["second"]["note"] == told
    assert found["second"]["models"] == [repeat.runs[0].id]


@pytest.mark.usefixtures("tiny_data")
def test_ctrl_c_stops_every_seed_and_keeps_the_weights() -> None:
    words = ["train", "--preset", "quick", *TINY, "--set=steps_per_epoch=100000", "--repeats=2"]
    command = [sys.executable, "-m", "unet_core", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 120
        while time.monotonic() < end and not any(run.steps().rows for run in runs.list_runs()):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    first, second = repeats.of("", runs.list_runs()).runs
    assert [run.status().state for run in (first, second)] == ["stopped", "stopped"]
    assert first.has_weights()
    assert second.status().reason == "Stopped before it began."


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "name the images with --split"),
        (("--split", "val"), "have no common val images of dsb2018"),
        (("--split", "dev"), "split of dsb2018 must be one of train, val, test, got 'dev'"),
        (("--split", "test", "--measure", "dice"), "measure must be one of f1, ap, mean_iou"),
        (("--split", "test", "--data", "mice"), "data set must be one of"),
    ],
)
@pytest.mark.usefixtures("tiny_data")
def test_two_models_without_common_images_are_refused_in_one_line(
    more: tuple[str, ...],
    words: str,
    save_cutter: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = save_cutter("dsb2018"), save_cutter("dsb2018")
    _change_scheme(second, "fraction")
    assert main.main(["compare", first, second, *more]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


@pytest.mark.usefixtures("tiny_data")
def test_models_of_different_sets_need_a_named_one(
    save_cutter: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = save_cutter("dsb2018"), save_cutter("synthetic-nuclei")
    assert main.main(["compare", first, second, "--split", "test"]) == 2
    assert f"{second} to synthetic-nuclei: name the set" in capsys.readouterr().err
    assert main.main(["compare", first, second, *ON_TEST]) == 0


def _change_scheme(model: str, scheme: str) -> None:
    trained = checkpoint.load(model)
    train = trained.config.train.replace(scheme=scheme)
    path = folders.runs() / model / "best.safetensors"
    checkpoint.save(path, Trained(trained.config.replace(train=train), trained.network))


@pytest.mark.usefixtures("tiny_data")
def test_a_repeat_without_a_finished_seed_cannot_be_compared(
    capsys: pytest.CaptureFixture[str], save_cutter: Callable[..., str]
) -> None:
    repeat = repeats.create(TrainConfig.of(), 2)
    assert main.main(["compare", repeat.name, save_cutter("dsb2018"), "--split", "test"]) == 2
    error = capsys.readouterr().err
    assert "has no finished seed to compare: 0 of 2 seeds finished: 2 seeds wait" in error
