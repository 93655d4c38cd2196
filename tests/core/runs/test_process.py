import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from unet_core.base import folders
from unet_core.base.config import Segmentation, TrainConfig
from unet_core.imaging import instances
from unet_core.network import checkpoint
from unet_core.runs import process, runs, slots
from unet_core.runs.runs import Run

TIMES = ("seconds", "images_per_second")


def until(is_true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for another process."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def curve(run: Run) -> list[dict[str, Any]]:
    """The rows that must not depend on when the run was interrupted."""
    rows = run.metrics().rows
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def numbers_of_steps(run: Run) -> list[int]:
    return [row["step"] for row in run.steps().rows]


def losses(run: Run) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in run.steps().rows}


def leftovers(run: Run) -> list[str]:
    return [path.name for path in run.path.rglob("*.part")]


def stop_when(run: Run, is_time: Callable[[], bool]) -> threading.Thread:
    """A second person who presses Stop at some moment."""

    def press() -> None:
        until(is_time)
        run.stop()

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.fixture
def whole(tiny: TrainConfig) -> Run:
    """A run that was trained to its end without an interruption."""
    run = runs.create(tiny)
    process.train(run)
    return run


# What a run leaves behind --------------------------------------------------------


def test_a_run_leaves_its_curves_weights_pictures_and_log(whole: Run) -> None:
    status = whole.status()
    assert (status.state, status.reason, status.phase) == ("finished", "", "")
    assert (status.epoch, status.step, status.steps) == (2, 10, 10)
    assert status.best_epoch in (1, 2)
    assert status.best_dice == whole.metrics().rows[status.best_epoch - 1]["val_dice"]
    assert status.device.startswith("CPU")
    assert status.device_reason
    assert (status.precision, status.threads) == ("float32", torch.get_num_threads())
    assert status.ended_at is not None
    assert status.seconds > 0
    assert [row["epoch"] for row in whole.metrics().rows] == [1, 2]
    wanted = "epoch train_loss val_loss train_dice val_dice val_soft_dice lr".split()
    for row in whole.metrics().rows:
        assert {*wanted, *TIMES} <= row.keys()
        assert all(isinstance(row[key], (int, float)) for key in wanted)
    for row in whole.steps().rows:
        assert row.keys() == {"step", "epoch", "loss", "lr", "images_per_second"}
    assert numbers_of_steps(whole)[0] == 1
    assert numbers_of_steps(whole)[-1] == 10
    assert whole.preview_epochs() == [1, 2]
    for kind in (1, "image", "truth"):
        path = whole.preview(kind, 0)
        assert path is not None
        with Image.open(path) as picture:
            assert picture.size == (48, 48)
    assert "Epoch 2 of 2" in whole.log()
    assert "Traceback" not in whole.log()
    assert leftovers(whole) == []


def test_the_weights_hold_thresholds_that_were_tuned_on_validation_images(whole: Run) -> None:
    config = checkpoint.read_config(whole.id)
    assert config.tuned_on == "1 validation images of dsb2018, scheme fraction"
    assert config.epoch == whole.status().best_epoch
    trained = checkpoint.load(whole.id, device="cpu")
    assert trained.config.train == whole.config


def test_a_run_without_validation_images_finishes_with_default_thresholds(
    tiny: TrainConfig,
) -> None:
    run = runs.create(tiny.replace(scheme="every-20th", epochs=1))  # 7 images: none is the 20th
    process.train(run)
    assert run.status().state == "finished"
    assert run.metrics().rows[0]["val_loss"] is None
    assert run.status().best_dice is None
    assert checkpoint.read_config(run.id).tuned_on == ""
    assert checkpoint.read_config(run.id).segmentation == Segmentation()


def test_the_outcome_and_the_report_say_what_the_directory_says(tiny: TrainConfig) -> None:
    run, told = runs.create(tiny.replace(epochs=1)), list[str]()
    outcome = process.train(run, report=told.append)
    assert outcome.error is None
    assert outcome.status.state == run.status().state == "finished"
    assert [line.partition(" ")[2].partition(" ")[2] for line in run.log().splitlines()] == told


# Stopping and resuming ------------------------------------------------------------


def test_a_stop_in_the_middle_keeps_the_weights_and_resumes_exactly(
    tiny: TrainConfig, whole: Run
) -> None:
    run = runs.create(tiny)
    recorded = run.path / "steps.jsonl"
    # Pressed when three steps are seen: in the middle of an epoch, most likely.
    presser = stop_when(run, lambda: recorded.is_file() and len(run.steps().rows) >= 3)
    process.train(run)
    presser.join()
    status = run.status()
    assert status.state in ("stopped", "finished")  # a very slow thread presses too late
    assert checkpoint.load(run.id, device="cpu").config.train == tiny
    if status.state == "stopped":
        assert f"after step {status.step}" in status.reason
        assert run.can_resume()
        process.train(run, resume=True)
    assert run.status().state == "finished"
    assert curve(run) == curve(whole)
    steps = numbers_of_steps(run)
    assert steps == sorted(set(steps))
    assert losses(run).items() >= {10: losses(whole)[10]}.items()


@pytest.fixture
def _late_signals() -> Iterator[None]:
    """A signal that comes after the training has ended harms nobody."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_late_signals")
# A signal in the middle of reading leaves an open file to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_however_often_it_is_stopped_the_curve_is_the_same(tiny: TrainConfig, whole: Run) -> None:
    run, stops = runs.create(tiny), 0
    while run.status().state != "finished":
        # Each time a little later; the signal comes at any place in a step or between two.
        delay = 0.03 * (1 + stops % 10)
        timer = threading.Timer(delay, signal.raise_signal, [signal.SIGTERM])

        def report(text: str, timer: threading.Timer = timer) -> None:
            if text.startswith("Training on"):
                timer.start()

        process.train(run, resume=True, report=report)
        timer.cancel()
        stops += 1
        assert run.status().state in ("stopped", "finished"), run.status().reason
    assert curve(run) == curve(whole)
    steps = numbers_of_steps(run)
    assert steps == sorted(set(steps))
    known = losses(whole)  # on a slow machine not every step has a row
    assert all(known.get(step, loss) == loss for step, loss in losses(run).items())
    assert stops > 1


def test_a_stop_before_the_first_epoch_keeps_the_weights_of_that_moment(tiny: TrainConfig) -> None:
    run = runs.create(tiny.replace(steps_per_epoch=100_000))
    presser = stop_when(run, lambda: (run.path / "steps.jsonl").is_file())
    process.train(run)
    presser.join()
    status = run.status()
    assert status.state == "stopped"
    assert status.step == numbers_of_steps(run)[-1] >= 1
    assert run.metrics().rows == []
    assert checkpoint.load(run.id, device="cpu").config.epoch == 0
    assert status.ended_at is not None
    assert status.ended_at - (run.path / "stop").stat().st_mtime < 5


def test_a_signal_stops_like_the_stop_file(tiny: TrainConfig) -> None:
    run = runs.create(tiny)

    def report(text: str) -> None:
        if text.startswith("Epoch 1"):
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    outcome = process.train(run, report=report)
    assert outcome.was_signalled
    assert (outcome.status.state, outcome.status.step) == ("stopped", 5)
    assert run.can_resume()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_while_the_data_are_read_is_obeyed_before_the_first_step(tiny: TrainConfig) -> None:
    run = runs.create(tiny)

    def report(text: str) -> None:
        if text.startswith("Training on"):
            run.stop()
            until(lambda: False, seconds=20)  # something that takes its time

    outcome = process.train(run, report=report)
    assert outcome.status.state == "stopped"
    assert outcome.status.reason == "Stopped before it began."
    assert outcome.status.ended_at is not None
    assert outcome.status.ended_at - (run.path / "stop").stat().st_mtime < 5
    assert not outcome.was_signalled
    assert run.steps().rows == []


def test_a_stop_while_thresholds_are_chosen_finishes_with_the_default_ones(
    tiny: TrainConfig,
) -> None:
    run = runs.create(tiny.replace(epochs=1))

    def report(text: str) -> None:
        if text.startswith("Choosing"):
            run.stop()

    process.train(run, report=report)
    assert run.status().state == "finished"
    assert "default" in run.status().reason
    assert checkpoint.read_config(run.id).tuned_on == ""


def test_a_stop_is_heard_while_one_image_is_tried_with_many_settings(
    tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.create(tiny.replace(epochs=1))
    tried: list[float] = []

    def segment(foreground_HW: np.ndarray, *others: object) -> np.ndarray:
        run.stop()
        tried.append(time.monotonic())
        until(lambda: time.monotonic() > tried[-1] + 0.1)  # a large image
        return np.zeros(foreground_HW.shape, np.int32)

    monkeypatch.setattr(instances, "segment", segment)
    process.train(run)
    assert "Stopped while choosing thresholds" in run.status().reason
    assert tried[-1] - tried[0] < 4


def test_going_on_with_another_number_of_threads_is_said(tiny: TrainConfig) -> None:
    run = runs.create(tiny.replace(epochs=50))
    thread = stop_when(run, lambda: run.status().step > 0)
    process.train(run)
    thread.join()
    assert "last digits" not in run.log()
    runs.write_status(run, run.status().replace(threads=64))
    thread = stop_when(run, lambda: run.status().phase == "training")
    process.train(run, resume=True)
    thread.join()
    assert "with 64 threads until now" in run.log()
    assert "may differ in their last digits" in run.log()


def test_resuming_cuts_what_lies_beyond_the_saved_state(tiny: TrainConfig, whole: Run) -> None:
    run = runs.create(tiny)
    process.train(run, report=lambda text: run.stop() if text.startswith("Epoch 1") else None)
    assert numbers_of_steps(run)[-1] == 5
    with open(run.path / "steps.jsonl", "a") as file:  # as a killed process leaves it
        file.write('{"step": 6, "loss": 9.0}\n{"step": 7, "lo')
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 2, "val_loss": 9.0}\n')
    (run.path / "previews" / "0009-0.png").touch()
    process.train(run, resume=True)
    assert curve(run) == curve(whole)
    assert run.status().best_dice == whole.status().best_dice
    assert 9.0 not in losses(run).values()
    assert run.preview_epochs() == [1, 2]


def test_a_saved_state_that_cannot_be_read_is_told(tiny: TrainConfig) -> None:
    run = runs.create(tiny)
    (run.path / "last.pt").write_bytes(b"PK half a file")
    process.train(run, resume=True)
    assert run.status().state == "failed"
    assert "last.pt cannot be read" in run.status().reason


def test_a_saved_state_that_would_run_code_is_not_loaded(tiny: TrainConfig) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(run.path / "evil"),)

    run = runs.create(tiny)
    torch.save({"progress": {}, "training": Evil()}, run.path / "last.pt")
    process.train(run, resume=True)
    assert run.status().state == "failed"
    assert not (run.path / "evil").exists()


def test_without_validation_images_the_last_epoch_is_kept_and_nothing_chooses(
    tiny: TrainConfig,
) -> None:
    run = runs.create(tiny.replace(scheme="all", patience=1))
    process.train(run)
    assert run.status().state == "finished"
    assert run.status().best_epoch == run.status().epoch == tiny.optimisation.epochs
    assert all(row["val_loss"] is None for row in run.metrics().rows)
    trained = checkpoint.load(run.path / "best.safetensors")
    assert trained.config.tuned_on == ""
    assert "no validation images to choose thresholds on" in run.log()


# Failing --------------------------------------------------------------------------


def test_a_missing_data_set_fails_with_the_way_out(tiny: TrainConfig) -> None:
    run = runs.create(tiny.replace(data="isbi2012", scheme="sections"))
    outcome = process.train(run)
    assert isinstance(outcome.error, ValueError)
    assert run.status().state == "failed"
    assert "isbi2012 is not downloaded" in run.status().reason
    assert "Traceback" not in run.log()


def test_a_bug_is_traced_in_the_log_only(tiny: TrainConfig) -> None:
    run = runs.create(tiny)

    def report(text: str) -> None:
        if text.startswith("Training on"):
            raise ZeroDivisionError("a bug")

    process.train(run, report=report)
    status = run.status()
    assert status.state == "failed"
    assert "ZeroDivisionError" in status.reason
    assert "\n" not in status.reason
    assert "Traceback" in run.log()


def test_a_disk_that_is_full_for_the_curve_fails_with_that_reason(tiny: TrainConfig) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    run = runs.create(tiny)
    (run.path / "steps.jsonl").symlink_to("/dev/full")
    process.train(run)
    assert run.status().state == "failed"
    assert run.status().reason.startswith("The disk is full")
    assert leftovers(run) == []


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond a size: every writer sees a real error of the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_state_that_cannot_be_written_fails_leaves_nothing_and_resumes_later(
    tiny: TrainConfig, whole: Run
) -> None:
    run = runs.create(tiny)
    with largest_file(16_000):  # the weights fit, the state to resume from does not
        process.train(run)
    status = run.status()
    assert status.state == "failed"
    assert "size limit" in status.reason
    assert leftovers(run) == []
    assert not run.can_resume()
    assert checkpoint.load(run.id, device="cpu").config.train == tiny
    process.train(run, resume=True)
    assert run.status().state == "finished"
    assert curve(run) == curve(whole)


def test_a_disk_that_is_full_for_the_thresholds_finishes_with_the_default_ones(
    tiny: TrainConfig,
) -> None:
    run = runs.create(tiny.replace(epochs=1))
    with contextlib.ExitStack() as stack:

        def report(text: str) -> None:
            if text.startswith("Choosing"):  # the status still fits, the weights do not
                stack.enter_context(largest_file(5_000))

        outcome = process.train(run, report=report)
    assert outcome.error is None
    assert run.status().state == "finished"
    assert "default" in run.status().reason
    assert "too large" in run.status().reason
    assert leftovers(run) == []
    assert checkpoint.read_config(run.id).tuned_on == ""
    assert checkpoint.load(run.id, device="cpu").config.train == run.config


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 128 kB that holds the runs."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("mounting a small disk is not allowed here")
    monkeypatch.setenv("UNET_RUNS", str(place / "runs"))
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_fails_with_that_reason_and_corrupts_nothing(
    tiny: TrainConfig, small_disk: Path
) -> None:
    run = runs.create(tiny)

    def fill(text: str) -> None:
        if text.startswith("Training on"):  # nothing is left, not even for the status
            ballast = open(small_disk / "ballast", "wb", buffering=0)  # noqa: SIM115
            with ballast, contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(4096))

    process.train(run, report=fill)
    status = run.status()
    assert status.state == "failed"
    assert status.reason.startswith("The disk is full")
    assert leftovers(run) == []
    (small_disk / "ballast").unlink()


# Processes ------------------------------------------------------------------------


def test_a_killed_process_is_lost_and_resumes_to_the_same_curve(tiny: TrainConfig) -> None:
    config = tiny.replace(epochs=6, steps_per_epoch=30)
    calm, run = runs.create(config), runs.create(config)
    process.train(calm)
    runs.start(run)
    assert run.status().state == "queued"
    until(lambda: len(run.metrics().rows) >= 1)
    pid = run.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: run.status().state == "lost", seconds=5)
    assert "without a word" in run.status().reason
    process.train(run, resume=True)
    assert run.status().state == "finished"
    assert curve(run) == curve(calm)
    steps = numbers_of_steps(run)
    assert steps == sorted(set(steps))
    assert all(losses(calm).get(step, loss) == loss for step, loss in losses(run).items())


def test_started_runs_wait_in_order_and_stop_while_waiting(tiny: TrainConfig) -> None:
    found = [runs.create(tiny) for _ in range(3)]
    with FileLock(slots.folder(folders.runs()) / "cpu.lock"):  # the device is busy
        for run in found:
            runs.start(run)
        assert [run.status().queue_place for run in found] == [1, 2, 3]
        until(lambda: all(run.status().pid for run in found))
        assert [run.status().state for run in found] == ["queued"] * 3
        assert [run.status().queue_place for run in found] == [1, 2, 3]
        pids = [run.status().pid for run in found]
        runs.start(found[2])  # pressed again: nothing happens
        _assert_second_process_leaves(found[2])
        assert [run.status().pid for run in found] == pids
        with pytest.raises(ValueError, match="stop it before"):
            found[1].delete()
        found[0].stop()
        until(lambda: found[0].status().state == "stopped", seconds=5)
        assert [run.status().queue_place for run in found[1:]] == [1, 2]
        for run in found[1:]:
            run.stop()
        until(lambda: all(run.status().state == "stopped" for run in found), seconds=5)
    assert not any(run.has_weights() for run in found)
    assert found[0].status().reason == "Stopped before it began."
    assert list((slots.folder(folders.runs()) / "queue").iterdir()) == []
    found[0].delete()


def _assert_second_process_leaves(run: Run) -> None:
    before = (run.path / "status.json").read_bytes()
    command = [sys.executable, "-m", "unet_core", "train", "--run", str(run.path)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert "being trained by another process" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert (run.path / "status.json").read_bytes() == before


def test_a_stopped_run_can_be_started_again(tiny: TrainConfig) -> None:
    run = runs.create(tiny)
    with FileLock(slots.folder(folders.runs()) / "cpu.lock"):
        runs.start(run)
        run.stop()  # before its process has begun
        until(lambda: run.status().state == "stopped")
        runs.start(run, resume=True)
        assert run.status().state == "queued"
        assert not (run.path / "stop").exists()
        run.stop()
        until(lambda: run.status().state == "stopped")
