import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from filelock import FileLock

from unet_core.base import folders
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.cli import main, output
from unet_core.data import datasets, pairs
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.runs import recipes, runs, slots
from unet_core.scoring import evaluation

TINY = [
    "--set=scheme=fraction",
    "--set=val_images=0",
    "--set=crop_size=32",
    "--set=channels=4,8",
    "--set=epochs=1",
    "--set=steps_per_epoch=3",
    "--set=batch_size=2",
    "--set=device=cpu",
    "--set=precision=float32",
]


class Call:
    """What a command said in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: object) -> None:
        self.code = main.main([str(word) for word in words])
        self.out, self.err = capsys.readouterr()

    @property
    def document(self) -> Any:
        """Standard output as exactly one JSON document."""
        return json.loads(self.out)

    def is_refused(self, *words: str, code: int = 2) -> bool:
        """Whether it ended with one line on stderr that holds these words."""
        assert self.code == code
        assert self.out == ""
        assert len(self.err.splitlines()) == 1
        assert self.err.startswith("error: ")
        assert all(word in self.err for word in words), self.err
        return True


@pytest.fixture
def model(tmp_path: Path) -> str:
    """An untrained network on disk, with thresholds at which it finds something."""
    import torch

    from unet_core.base.config import Segmentation

    torch.manual_seed(0)
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8), device="cpu"),
        outputs=("foreground", "boundary"),
        segmentation=Segmentation(threshold=0.4, marker_threshold=0.0),
        tuned_on="nothing real",
    )
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, Trained(config, checkpoint.build(config)))
    return str(path)


@pytest.fixture
def picture(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "cells one.tif"
    tifffile.imwrite(path, rng.integers(0, 255, (40, 50)).astype(np.uint8))
    return path


# Mistakes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "COMMAND"),
        ("fly", "invalid choice: 'fly'"),
        ("data", "list|fetch|stats"),
        ("data stats nothing", "data set must be one of"),
        ("data stats synthetic-nuclei --scheme odd", "scheme of synthetic-nuclei must be one of"),
        ("data fetch nothing", "data set must be one of"),
        ("data fetch synthetic-nuclei", "needs no download"),
        ("data list --what", "unrecognized arguments: --what"),
        ("train", "choose a recipe with --preset: quick"),
        ("train --preset best", "unknown preset 'best'"),
        ("train --preset quick --data mice", "data set must be one of"),
        ("train --preset quick --set", "expected one argument"),
        ("train --preset quick --set epochs", "a setting is written key=value, got 'epochs'"),
        ("train --preset quick --set colour=red", "unknown setting 'colour'"),
        ("train --preset quick --set epochs=0", "epochs must be at least 1, got 0"),
        ("train --preset quick --set epochs=few", "epochs must be a whole number"),
        ("train --preset quick --set scheme=odd", "scheme of synthetic-nuclei must be one of"),
        ("train --preset quick --set loss=cross-entropy", "independent channels"),
        ("train --preset dsb-binary", "dsb2018 is not downloaded"),
        ("train --resume", "name it with --run"),
        ("train --preset quick --init-from nobody", "there is no model 'nobody'"),
        (
            "train --preset quick --init-from nuclei",
            "its widths is 32,64,128,256, and here it is 16,32,64,128",
        ),
        ("train --run nowhere --resume", "nowhere holds no run"),
        ("train --preset quick --repeats 1", "repeats must be 2 to 20 seeds, got 1"),
        ("train --preset quick --repeats 3 --run here", "leave out --run and --resume"),
        ("train --repeats 3", "choose a recipe with --preset: quick"),
        ("train --repeat none --resume", "there is no repeat 'none'"),
        ("train --repeat none", "add --resume"),
        ("train --repeat none --resume --preset quick", "leave out --preset"),
        ("compare a", "B"),
        ("compare a a", "A and B are both a: name two different ones"),
        ("compare none other --split val", "there is no model 'none'"),
        ("compare none.json other.json", "none.json cannot be read"),
        ("segment", "FILE"),
        ("segment a.png", "--model"),
        ("relabel", "DIR"),
        ("segment a.png --model none", "there is no model 'none'"),
        ("evaluate --model none --data dsb2018 --split test", "there is no model 'none'"),
        ("score --true a --pred b", "a is not a folder"),
        ("score --true a", "--pred"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    words: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "no data"))
    assert Call(capsys, *words.split()).is_refused(told)
    assert Call(capsys, *words.split(), "--json").code == 2
    assert runs.list_runs() == []


def test_a_bug_keeps_its_trace_and_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets, "folder", lambda name: 1 / 0)
    call = Call(capsys, "data", "list")
    assert call.code == 1
    assert "Traceback" in call.err
    assert "ZeroDivisionError" in call.err


def test_help_names_every_command_and_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(capsys, "--help")
    assert call.code == 0
    assert all(name in call.out for name in ("data", "train", "segment", "evaluate", "score"))
    assert all(name in Call(capsys, "train", "--help").out for name in TrainConfig().to_dict())
    text = Call(capsys, "segment", "--help").out
    options = "--model --out --formats --plane --channel --scale --invert --flips --threshold"
    assert all(name in text for name in [*options.split(), "--fill-holes"])


def test_a_pipe_that_closes_early_is_no_trace() -> None:
    words = [sys.executable, "-m", "unet_core", "train", "--help"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()


# Data -----------------------------------------------------------------------------


def test_the_list_says_what_is_here_and_how_to_get_the_rest(
    tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {one["name"]: one for one in Call(capsys, "data", "list", "--json").document["data"]}
    assert set(found) == set(datasets.names())
    assert found["dsb2018"]["available"]
    assert found["dsb2018"]["samples"]["test"] == 2
    assert found["isbi2012"]["folder"] is None
    assert "data fetch isbi2012" in found["isbi2012"]["problem"]
    text = Call(capsys, "data", "list").out
    assert "data fetch isbi2012" in text
    assert "2 test" in text


def test_a_broken_data_folder_is_listed_with_its_problem(
    tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_data / "dsb2018" / "train" / "masks" / "3.tif").unlink()
    found = {one["name"]: one for one in Call(capsys, "data", "list", "--json").document["data"]}
    assert not found["dsb2018"]["available"]
    assert "3.tif" in found["dsb2018"]["problem"]


def test_the_licence_is_shown_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    call = Call(capsys, "data", "fetch", "isbi2012")
    assert call.is_refused("non-commercial", "--accept-licence")


def test_statistics_describe_every_split(
    tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("data", "stats", "dsb2018", "--scheme", "fraction")
    document = Call(capsys, *words, "--json").document
    assert [document["splits"][split]["images"] for split in ("train", "val", "test")] == [6, 1, 2]
    assert document["splits"]["test"]["shapes"] == [{"height": 48, "width": 48, "images": 2}]
    assert "train: 6 images" in Call(capsys, *words).out


# Training -------------------------------------------------------------------------


def test_training_with_json_prints_one_document(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = Call(capsys, "train", "--preset", "quick", *TINY, "--json")
    assert (call.code, call.err) == (0, "")
    assert call.document["status"]["state"] == "finished"
    assert [row["epoch"] for row in call.document["metrics"]] == [1]
    run = runs.find(call.document["run"])
    assert run.config.images.data == "dsb2018"
    assert run.config.network.widths == (4, 8)
    assert Call(capsys, "train", "--run", run.path, "--resume").is_refused("finished already")
    assert Call(capsys, "train", "--run", run.path, "--preset", "quick").is_refused("own settings")
    evaluated = Call(
        capsys, "evaluate", "--model", run.id, "--data", "dsb2018", "--split", "test", "--json"
    ).document
    assert evaluated["model"] == run.id
    assert evaluated["images"] == 2
    assert "validation images of dsb2018" in evaluated["tuned_on"]


def test_a_finished_run_gets_more_epochs_and_another_starts_from_its_weights(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, once = tmp_path / "run", ("--set", "epochs=1")
    assert Call(capsys, "train", "--preset", "quick", *TINY, *once, "--run", folder).code == 0
    words = ("train", "--run", folder, "--resume", "--set")
    assert Call(capsys, *words, "epochs=1").is_refused("epochs must be more than the run has (1)")
    assert Call(capsys, *words, "lr=1").is_refused("holds a run with its own settings")
    assert Call(capsys, *words, "epochs=2").code == 0
    run = runs.Run(folder)
    assert [row["epoch"] for row in run.metrics().rows] == [1, 2]
    assert (run.status().state, run.config.optimisation.epochs) == ("finished", 2)

    more = tmp_path / "more"
    begin = ("--init-from", folder, "--run", more)
    assert Call(capsys, "train", "--preset", "quick", *TINY, *once, *begin).code == 0
    weights = (folder / "best.safetensors").read_bytes()
    origin = f"run, sha256 {hashlib.sha256(weights).hexdigest()}"
    assert runs.Run(more).status().note == f"Started from the weights of {origin}."
    assert checkpoint.read_config(more).started_from == origin


def test_a_model_is_trained_on_with_its_own_settings_at_a_tenth_of_the_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, on = tmp_path / "run", tmp_path / "on"
    settings = (*TINY, "--set", "epochs=1", "--set", "lr=2e-3")
    assert Call(capsys, "train", "--preset", "quick", *settings, "--run", folder).code == 0
    other = ("--set", "target=foreground", "--set", "epochs=1")
    call = Call(capsys, "train", "--init-from", folder, *other, "--run", on)
    assert call.code == 0
    assert "The last layer begins anew" in call.out
    config, first = (runs.Run(one).config for one in (on, folder))
    assert config.optimisation.lr == 2e-4
    assert config.optimisation.steps_per_epoch == recipes.SHORT["steps_per_epoch"]
    own = {name: getattr(first.optimisation, name) for name in recipes.SHORT}
    target = first.objective.target
    assert config.replace(init_from="", lr=2e-3, target=target, **own) == first
    assert "The last layer begins anew" in runs.Run(on).status().note


def test_evaluate_tells_the_errors_and_writes_them_into_a_file(
    tiny_data: Path, save_cutter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--model", save_cutter("dsb2018"), "--data", "dsb2018", "--split", "test"]
    path = tmp_path / "errors.csv"
    call = Call(capsys, *words, "--errors", path, "--json")
    assert call.code == 0
    rows = call.document["errors"]["rows"]
    assert rows
    read = pd.read_csv(path, dtype={"image": str, "true_labels": str, "pred_labels": str})
    assert read["kind"].tolist() == [row["kind"] for row in rows]
    assert read[["bbox-0", "bbox-1", "bbox-2", "bbox-3"]].to_numpy().tolist() == [
        row["box"] for row in rows
    ]
    grown, shrunk = call.document["one_pixel"]
    said = Call(capsys, *words).out
    for row in call.document["errors"]["kinds"]:
        f1 = "-" if row["f1_if_mended"] is None else f"{row['f1_if_mended']:.4f}"
        assert re.search(rf"{row['kind']} +{row['errors']} .* {f1}", said)
    assert f"boundary F1 {call.document['shape']['boundary_f1']:.4f} (within 1 px)" in said
    assert f"the truth grown by 1 px: pooled F1 {grown['pooled'][0]['f1']:.4f}" in said
    assert f"Dice {shrunk['pixels']['dice']:.4f}" in said
    nowhere = tmp_path / "none" / "errors.csv"
    assert Call(capsys, *words, "--errors", nowhere).is_refused("a folder that exists")


def test_errors_of_classes_are_refused(save_cutter, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--model", save_cutter(), "--data", "synthetic-shapes", "--split", "test"]
    assert Call(capsys, *words, "--errors", "a.csv").is_refused("has classes: leave it out")


def test_training_tells_a_line_per_epoch_into_a_given_folder(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my run"
    call = Call(capsys, "train", "--preset", "quick", *TINY, "--set", "epochs=2", "--run", folder)
    assert (call.code, call.err) == (0, "")
    lines = [line for line in call.out.splitlines() if line.startswith("Epoch")]
    assert len(lines) == 2
    assert runs.Run(folder).status().state == "finished"
    assert runs.list_runs() == []


def test_the_quick_preset_falls_back_to_synthetic_nuclei_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    call = Call(capsys, "train", "--preset", "quick", *TINY)
    assert call.code == 0
    assert "training on synthetic nuclei instead" in call.out
    [run] = runs.list_runs()
    assert run.config.images.data == "synthetic-nuclei"


def test_a_folder_with_other_things_is_not_taken_for_a_run(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").touch()
    call = Call(capsys, "train", "--preset", "quick", *TINY, "--run", tmp_path / "thesis")
    assert call.is_refused("choose a new folder")


def test_a_broken_run_directory_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"epochs": 3, "co')
    call = Call(capsys, "train", "--run", tmp_path / "run", "--resume")
    assert call.is_refused("config.json cannot be used")


def test_ctrl_c_in_the_queue_is_exit_130(tiny_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = [sys.executable, "-m", "unet_core", "train", "--preset", "quick", *TINY]
    with FileLock(slots.folder(folders.runs()) / "cpu.lock"):
        process = subprocess.Popen(
            [*words, "--run", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        end = time.monotonic() + 60
        while runs.Run(folder).status().pid is None and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b""
    assert runs.Run(folder).status().state == "stopped"


def test_a_full_disk_is_exit_3(tiny_data: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))

    words = [sys.executable, "-m", "unet_core", "train", "--preset", "quick", *TINY, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, preexec_fn=limit)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "size limit" in done.stderr
    assert json.loads(done.stdout)["status"]["state"] == "failed"


# Segmenting and scoring -----------------------------------------------------------


def test_the_command_in_the_recipe_makes_equal_labels(
    picture: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--min-size 4 --marker-threshold -1e-05 --fill-holes --scale 1.5".split()
    first = Call(
        capsys, "segment", picture, "--model", model, "--out", tmp_path / "a", *words, "--json"
    )
    assert (first.code, first.err) == (0, "")
    assert first.document["segmentation"]["marker_threshold"] == -1e-05
    assert first.document["segmentation"]["threshold"] == 0.4  # the model's own
    command = shlex.split(first.document["command"])
    assert command[:3] == ["python", "-m", "unet_core"]
    second = Call(capsys, *command[3:], "--out", tmp_path / "b")
    assert second.code == 0
    for ending in ("_labels.tif", "_overlay.png", "_measurements.csv"):
        name = f"{picture.stem}{ending}"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    labels_HW = tifffile.imread(tmp_path / "a" / f"{picture.stem}_labels.tif")
    assert labels_HW.max() == first.document["files"][0]["objects"] > 0


def test_good_files_are_finished_and_all_bad_ones_named_in_one_line(
    picture: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.png").touch()
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((6, 30, 30), np.uint8))
    paths = [tmp_path / "empty.png", picture, tmp_path / "stack.tif", tmp_path / "none.png"]
    call = Call(capsys, "segment", *paths, "--model", model, "--out", tmp_path / "out", "--json")
    assert call.code == 2
    assert len(call.err.splitlines()) == 1
    for words in ("empty.png: ", "stack of 6 planes: choose one of 0 to 5", "none.png: "):
        assert words in call.err
    assert [one["file"] for one in call.document["files"]] == [str(picture)]
    assert len(call.document["failed"]) == 3
    assert (tmp_path / "out" / f"{picture.stem}_labels.tif").is_file()


def test_a_plane_of_a_stack_is_chosen(
    model: str, tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = rng.integers(0, 255, (3, 40, 50)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "plane.tif", stack[2])
    for name, more in (("stack", ["--plane", "2"]), ("plane", [])):
        path = tmp_path / f"{name}.tif"
        assert Call(capsys, "segment", path, "--model", model, "--out", tmp_path, *more).code == 0
    found = [tifffile.imread(tmp_path / f"{name}_labels.tif") for name in ("stack", "plane")]
    np.testing.assert_array_equal(*found)
    words = ("segment", tmp_path / "stack.tif", "--model", model, "--plane", "3")
    assert Call(capsys, *words).is_refused("no plane 3", "0 to 2")


def test_a_folder_becomes_tables_and_its_thresholds_are_moved_without_the_network(
    picture: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    (tmp_path / "in" / "bad.png").write_text("hello")
    picture.rename(tmp_path / "in" / "more" / picture.name)
    out = tmp_path / "out"
    words = ("segment", tmp_path / "in", "--model", model, "--out", out)
    first = Call(capsys, *words, "--recursive", "--json")
    assert (first.code, len(first.err.splitlines())) == (2, 1)
    assert "bad.png: The file is not a PNG" in first.err
    assert (first.document["images"], first.document["added"]) == (1, 1)
    assert first.document["objects"] == len(pd.read_csv(out / "objects.csv")) > 0
    assert Call(capsys, *words).is_refused("holds these results already: add --resume")
    (tmp_path / "in" / "bad.png").unlink()
    again = Call(capsys, *words, "--recursive", "--resume")
    assert (again.code, again.err) == (0, "")
    assert "images: 1 (1 of them before) -> " in again.out
    assert f"objects: {first.document['objects']} -> " in again.out
    moved = Call(capsys, "relabel", out, "--min-size", "100000", "--json")
    assert (moved.code, moved.document["objects"]) == (0, 0)
    assert moved.document["segmentation"]["threshold"] == 0.4  # as it was
    assert Call(capsys, *words, "--resume", "--recursive").is_refused("min_size 100000 there")


def test_whoever_watches_reads_how_far_it_is_and_how_long_it_still_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    now = iter([0.0, 10.0, 700.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    tell = output.progress(argparse.Namespace(job="", json=False))
    for done in (4, 5, 6):
        tell(f"image {done + 1} of 8", done, 8)
    err = capsys.readouterr().err
    assert "image 5 of 8\r" in err
    assert "image 6 of 8, about 30 s left\r" in err
    assert err.endswith("image 7 of 8, about 12 min left")


def test_a_batch_needs_pictures_and_a_folder_of_its_own(
    picture: Path,
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    words = ("segment", "--model", model, "--out", tmp_path / "out")
    assert Call(capsys, *words, tmp_path / "empty").is_refused("no PNG, JPEG or TIFF file in")
    assert Call(capsys, *words, tmp_path / "*.gif").is_refused("no PNG, JPEG or TIFF file in")
    assert not (tmp_path / "out").exists()
    monkeypatch.chdir(tmp_path)
    assert Call(capsys, "segment", "*.tif", "--model", model).is_refused("holds other files")
    assert Call(capsys, "relabel", tmp_path).is_refused("holds no results of many images")
    assert Call(capsys, *words, picture, "--resume").code == 0
    assert (tmp_path / "out" / "images.csv").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--threshold 1.7", "threshold must be at most 1, got 1.7"),
        ("--connectivity 6", "connectivity must be one of 4, 8, got 6"),
        ("--min-size many", "min_size must be a whole number, got 'many'"),
        ("--scale 0", "scale must be at least 0.05"),
        ("--plane -1", "plane must be at least 0, got -1"),
        ("--channel red", "channel must be a number from 0, or grey, got 'red'"),
        ("--channel 4", "channel"),
        ("--channel ²", "channel must be a number from 0, or grey, got '²'"),
        (
            "--formats rois,svg",
            "formats must be among tiff, ome-tiff, rois, geojson, coco, got 'svg'",
        ),
        ("--device abacus", "device must be auto, cuda, mps or cpu"),
    ],
)
def test_impossible_options_are_refused(
    words: str, told: str, picture: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Call(capsys, "segment", picture, "--model", model, *words.split()).is_refused(told)


def test_a_folder_that_cannot_be_written_is_exit_3(
    picture: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    call = Call(capsys, "segment", picture, "--model", model, "--out", tmp_path / "file")
    assert call.is_refused("cannot be", code=3)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 a pickle", b"\x80\x04]."])
def test_a_wrong_model_file_is_one_line(
    content: bytes, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(content)
    assert Call(capsys, "segment", picture, "--model", wrong).is_refused("wrong.safetensors")


def test_scores_are_those_of_the_functions(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("true", "pred"):
        (tmp_path / name).mkdir()
        for index in range(2):
            labels_HW = rng.integers(0, 5, (8, 8)).repeat(6, 0).repeat(6, 1).astype(np.uint16)
            ending = "_labels" if name == "pred" else ""
            tifffile.imwrite(tmp_path / name / f"{index}{ending}.tif", labels_HW)
    (tmp_path / "pred" / "0_measurements.csv").write_text("label\n1\n")
    words = ("score", "--true", tmp_path / "true", "--pred", tmp_path / "pred")
    document = Call(capsys, *words, "--json").document
    expected = evaluation.score(pairs.read_pairs(tmp_path / "true", tmp_path / "pred"))
    assert document == json.loads(json.dumps(expected)) | {"notes": []}
    assert [row["iou"] for row in document["pooled"]] == [i / 100 for i in range(50, 100, 5)]
    text = Call(capsys, *words).out
    assert f"{document['pooled'][0]['f1']:.4f}" in text
    (tmp_path / "pred" / "1_labels.tif").unlink()
    assert Call(capsys, *words).is_refused("1.tif", "no prediction")


def test_outlines_that_segment_writes_score_as_its_labels_do(
    picture: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", model, "--out", tmp_path / "all", "--formats", "rois,geojson,coco,ome-tiff")
    assert Call(capsys, "segment", picture, *words).code == 0
    written = {path.suffix: path for path in (tmp_path / "all").glob("*_labels.*")}
    (tmp_path / "true").mkdir()
    shutil.copy(tmp_path / "all" / f"{picture.stem}_labels.tif", tmp_path / "true")
    documents = []
    for ending in (".zip", ".geojson", ".json"):
        folder = tmp_path / ending[1:]
        folder.mkdir()
        shutil.copy(written[ending], folder)
        score = ("score", "--true", tmp_path / "true", "--pred", folder, "--json")
        documents.append(Call(capsys, *score).document)
    everything = ("score", "--true", tmp_path / "true", "--pred", tmp_path / "all", "--json")
    documents.append(Call(capsys, *everything).document)
    assert documents[0]["pooled"][9] | {"iou": 0} == documents[0]["pooled"][0] | {"iou": 0}
    assert documents[0]["pooled"][9]["f1"] == 1
    assert all(one == documents[0] for one in documents)


def test_formats_are_for_files_that_are_named_one_by_one(
    picture: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("segment", picture.parent, "--model", model, "--out", tmp_path / "out")
    assert Call(capsys, *words, "--formats", "rois").is_refused("--formats is for files")
    assert not (tmp_path / "out").exists()


def test_what_became_of_overlapping_outlines_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("true", "pred"):
        (tmp_path / name).mkdir()
    tifffile.imwrite(tmp_path / "true" / "a.tif", np.eye(9, dtype=np.uint8) * 3)
    square = {"type": "Polygon", "coordinates": [[[0, 0], [0, 2], [2, 2], [2, 0]]]}
    feature = {"type": "Feature", "geometry": square, "properties": {}}
    (tmp_path / "pred" / "a.geojson").write_text(json.dumps([feature, feature]))
    words = ("score", "--true", tmp_path / "true", "--pred", tmp_path / "pred")
    told = "a: Objects overlap, in 4 pixels: there the smaller one lies on top"
    assert told in Call(capsys, *words).out
    assert Call(capsys, *words, "--json").document["notes"][0].startswith(told)


def test_mistakes_are_told_without_waiting_for_torch(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    code = (
        "import sys; from unet_core.cli.main import main\n"
        "codes = [main(words) for words in ("
        "['train', '--preset', 'quick', '--set', 'epochs=0'], ['data', 'fetch', 'x'],"
        "['train', '--run', 'none', '--resume'], ['segment', 'x.png', '--model', 'none'])]\n"
        "print(codes, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[2, 2, 2, 2] False", done.stderr
