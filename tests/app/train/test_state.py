import pandas as pd
import pytest

from ui.train import state as run_state
from unet_core.base.config import TrainConfig
from unet_core.base.records import Rows, append_row
from unet_core.runs import runs
from unet_core.runs.status import Status


def status(state: str = "running", **about) -> Status:
    return Status(state=state, epochs=8, steps=240, **about)


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
        (status("stopped", epoch=2, step=75, seconds_left=50.0), "Epoch 3 of 8 · step 75 of 240"),
        (status("stopped", epoch=2, step=60), "Epoch 2 of 8 · step 60 of 240"),
        (status(epoch=2, step=60), "Epoch 2 of 8 · step 60 of 240"),
        (status(), "Epoch 0 of 8 · step 0 of 240"),
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
    run = runs.create(TrainConfig.of(data="synthetic-nuclei"), preset="dsb-binary")
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


def test_the_best_dice_is_the_statuss_own_and_an_earlier_versions_is_in_the_curve() -> None:
    run = runs.create(TrainConfig())
    assert run_state.best_dice(run, status()) is None
    assert run_state.best_dice(run, status(best_epoch=2, best_dice=0.9)) == 0.9
    assert run_state.best_dice(run, status(best_epoch=2)) is None
    append_row(run.path / "metrics.jsonl", {"epoch": 1, "val_dice": 0.7})
    assert run_state.best_dice(run, status(best_epoch=1)) == 0.7
    append_row(run.path / "metrics.jsonl", {"epoch": 2, "val_dice": 0.8})
    assert run_state.best_dice(run, status(best_epoch=2)) == 0.8


def test_the_values_of_the_best_epoch_are_its_own() -> None:
    metrics = pd.DataFrame({"epoch": [1, 2, 3], "val_dice": [0.7, 0.9, 0.8]})
    assert run_state.best_row(metrics, 2)["val_dice"] == 0.9
    assert run_state.best_row(metrics, None) == {}
    assert run_state.best_row(pd.DataFrame(), 1) == {}
