import json
import os
import threading
from pathlib import Path

import pytest

from unet_core.base.config import TrainConfig
from unet_core.runs import runs
from unet_core.runs.recorder import Recorder
from unet_core.runs.runs import Status
from unet_core.training.trainer import Checking, Step


@pytest.fixture
def recorder() -> Recorder:
    run = runs.create(TrainConfig())
    return Recorder(run, Status(state="running", steps=1000), clock=Clock())


class Clock:
    """A clock that tests set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def step(number: int) -> Step:
    return Step(number, 1, 0.5, 1e-3, 10.0)


def at(recorder: Recorder, now: float) -> Recorder:
    assert isinstance(recorder.clock, Clock)
    recorder.clock.now = now
    return recorder


def test_every_step_of_the_first_second_is_written_then_one_a_second(recorder: Recorder) -> None:
    for number in range(1, 51):
        at(recorder, number / 10).add_step(step(number))
    written = [row["step"] for row in recorder.run.steps().rows]
    assert written == [*range(1, 11), 20, 30, 40, 50]
    at(recorder, 5.3).add_step(step(51))
    recorder.flush()
    recorder.flush()
    assert [row["step"] for row in recorder.run.steps().rows][-2:] == [50, 51]


def test_slow_steps_are_all_written(recorder: Recorder) -> None:
    for number in range(1, 6):
        at(recorder, 7.0 * number).add_step(step(number))
    assert [row["step"] for row in recorder.run.steps().rows] == [1, 2, 3, 4, 5]


def test_the_time_left_leaves_out_the_slow_first_step(recorder: Recorder) -> None:
    at(recorder, 100.0).add_step(step(1))
    assert recorder.status.seconds_left is None
    at(recorder, 110.0).add_step(step(11))
    assert recorder.status.seconds_left == pytest.approx(989.0)
    assert recorder.status.seconds == pytest.approx(110.0)


def test_validation_is_shown_in_the_status_at_once_and_then_once_a_second(
    recorder: Recorder,
) -> None:
    shown = []
    for number in range(1, 21):
        at(recorder, number / 5).add_checking(Checking(number, 20))
        shown.append(json.loads((recorder.run.path / "status.json").read_text())["phase"])
    assert shown[0] == "validating 1 of 20"
    assert 4 <= len(set(shown)) <= 6


def test_the_last_words_overwrite_a_status_that_cannot_be_replaced(recorder: Recorder) -> None:
    recorder.update(note="long " * 200)
    blocked = f".status.json.{os.getpid()}-{threading.get_ident()}.part"
    Path(recorder.run.path / blocked).mkdir()
    recorder.status = recorder.status.replace(note="")  # shorter than what is there
    recorder.end("failed", "The disk is full.")
    status = recorder.run.status()
    assert (status.state, status.reason) == ("failed", "The disk is full.")
