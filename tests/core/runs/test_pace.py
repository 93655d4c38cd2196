import pytest

from unet_core.base.config import TrainConfig
from unet_core.runs import pace, runs
from unet_core.runs.status import Status

CPU = "CPU, 2 cores"


def finish(*, seconds: float, expected: float | None = 100.0, **about: object) -> None:
    """A run that ended, after all of its 50 steps unless `about` says otherwise."""
    run = runs.create(TrainConfig(), expected_seconds=expected)
    before = run.status()
    assert before.expected_seconds == expected
    known = {"state": "finished", "device": CPU, "step": 50, "steps": 50, "seconds": seconds}
    runs.write_status(run, before.replace(**known | about))


def test_the_median_of_finished_runs_corrects_what_is_expected_on_their_device() -> None:
    assert pace.correction(CPU) == 1.0
    for seconds in (150.0, 900.0, 200.0):
        finish(seconds=seconds)
    assert pace.correction(CPU) == 2.0
    assert pace.correction("another") == 1.0


def test_a_run_that_ended_early_counts_by_the_steps_that_it_made() -> None:
    finish(seconds=60.0, step=10)
    assert pace.correction(CPU) == pytest.approx(3.0)


@pytest.mark.parametrize(
    "about", [{"state": "stopped"}, {"state": "failed"}, {"step": 0}, {"expected": None}]
)
def test_runs_that_tell_nothing_are_left_out(about: dict) -> None:
    finish(seconds=500.0, **about)
    assert pace.correction(CPU) == 1.0


def test_what_was_expected_survives_a_start() -> None:
    before = Status(state="queued", expected_seconds=70.0)
    assert before.renewed(1.0).expected_seconds == 70.0
