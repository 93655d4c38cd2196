import pandas as pd
import pytest

from ui import run_state
from unet_core import runs
from unet_core.config import TrainConfig
from unet_core.records import Rows
from unet_core.status import STATES, Status


def status(state: str = "running", **about) -> Status:
    return Status(state=state, epochs=8, steps=240, **about)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-3.0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200.0, "3 min 20 s"),
        (3600.0, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert run_state.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.0, "about 5 s"),
        (43.0, "about 45 s"),
        (57.0, "about 1 min"),
        (118.0, "about 2 min"),
        (5400.0, "about 1.5 h"),
        (86_400.0, "about 24 h"),
    ],
)
def test_estimates_are_no_finer_than_estimates_can_be(seconds: float, text: str) -> None:
    assert run_state.roughly(seconds) == text


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (
            status(epoch=2, step=75, seconds_left=50.0, phase="training"),
            "Epoch 3 of 8 · step 75 of 240 · 50 s left",
        ),
        (
            status(epoch=8, step=240, phase="tuning"),
            "Epoch 8 of 8 · step 240 of 240 · tuning",
        ),
        (status("stopped", epoch=2, step=75, seconds_left=50.0), "Epoch 2 of 8 · step 75 of 240"),
        (status("queued", queue_place=3), "Place 3 in the queue"),
        (
            status("queued", queue_place=1),
            "Place 1 in the queue: next, as soon as the device is free",
        ),
        (status("queued"), "Starting"),
    ],
)
def test_one_line_says_how_far_a_run_is(seen: Status, text: str) -> None:
    assert run_state.progress(seen) == text


def test_the_share_done_is_between_nothing_and_all() -> None:
    assert run_state.share(Status(state="queued")) == 0.0
    assert run_state.share(status(step=60)) == 0.25
    # Patience ends a run before its last step; it is done all the same.
    assert run_state.share(status("finished", step=60)) == 1.0


def test_a_run_is_called_by_its_recipe_and_told_apart_by_the_end_of_its_name() -> None:
    run = runs.create(TrainConfig(data="synthetic-nuclei"), preset="dsb-binary")
    assert run_state.recipe(run) == "dsb-binary"
    assert run_state.short_names([run]) == [f"dsb-binary {run.id[-6:]}"]


def test_a_curve_forgets_its_rows_when_the_file_begins_anew() -> None:
    curve = run_state.Curve()
    answers = iter(
        [
            Rows(rows=[{"epoch": 1}, {"epoch": 2}], cursor=(1, 20), is_continued=False),
            Rows(rows=[{"epoch": 3}], cursor=(1, 30), is_continued=True),
            Rows(rows=[{"epoch": 1}], cursor=(2, 10), is_continued=False),
        ]
    )
    seen = [list(curve.follow(lambda cursor: next(answers))["epoch"]) for _ in range(3)]
    assert seen == [[1, 2], [1, 2, 3], [1]]
    assert curve.cursor == (2, 10)


def test_the_values_of_the_best_epoch_are_its_own() -> None:
    metrics = pd.DataFrame({"epoch": [1, 2, 3], "val_dice": [0.7, 0.9, 0.8]})
    assert run_state.best_row(metrics, 2)["val_dice"] == 0.9
    assert run_state.best_row(metrics, None) == {}
    assert run_state.best_row(pd.DataFrame(), 1) == {}


def test_every_state_has_a_colour_and_an_icon() -> None:
    assert set(run_state.COLORS) == set(run_state.ICONS) == set(STATES)
