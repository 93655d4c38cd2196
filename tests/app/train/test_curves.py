import json

import numpy as np
import pandas as pd
import pytest

from ui.train import curves

METRICS = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "train_loss": [0.9, 0.5, 0.3],
        "val_loss": [0.8, 0.4, None],
        "val_dice": [0.5, 0.8, 0.7],
        "val_soft_dice": [None, None, None],
    }
)
STEPS = pd.DataFrame(
    {"step": [5, 10, 20, 30], "loss": [1.0, 0.9, 0.5, 0.3], "lr": 0.1, "images_per_second": 9.0}
)
NOTHING = pd.DataFrame()


def lines(option: curves.Option) -> dict:
    """The series by name, as the browser gets them."""
    return {
        line["name"]: line for line in json.loads(json.dumps(option, allow_nan=False))["series"]
    }


def test_the_last_step_of_an_epoch_stands_where_the_epoch_stands() -> None:
    drawn = lines(curves.loss(METRICS, STEPS, steps_per_epoch=10))
    assert drawn["training, each step"]["data"] == [[0.5, 1.0], [1, 0.9], [2, 0.5], [3, 0.3]]
    assert [x for x, _ in drawn["training"]["data"]] == [1, 2, 3]


def test_null_becomes_a_gap_and_not_zero() -> None:
    drawn = lines(curves.loss(METRICS, STEPS, steps_per_epoch=10))
    assert drawn["validation"]["data"] == [[1, 0.8], [2, 0.4], [3, None]]


def test_a_column_without_any_value_is_not_drawn() -> None:
    assert set(lines(curves.dice(METRICS))) == {"validation"}


def test_each_class_has_its_line_in_its_colour_beside_their_mean() -> None:
    values = {"val_miou": [0.5], "val_iou_background": [0.9], "val_iou_line": [0.1]}
    drawn = lines(curves.mean_iou(pd.DataFrame({"epoch": [1], **values}), best=1))
    assert list(drawn) == ["mean of the classes", "background", "line"]
    assert drawn["line"]["itemStyle"]["color"] == "#e69f00"  # as in the pictures beside it
    assert drawn["mean of the classes"]["markPoint"]["data"] == [{"coord": [1, 0.5]}]


def test_curves_of_earlier_runs_have_neither_iou_nor_ap() -> None:
    for draw in (curves.mean_iou, curves.ap):
        assert "after the first epoch" in draw(METRICS)["title"]["text"]


@pytest.mark.parametrize("log", [False, True])
def test_the_loss_axis_is_logarithmic_on_request(log: bool) -> None:
    option = curves.loss(METRICS, STEPS, steps_per_epoch=10, log=log)
    assert option["yAxis"]["type"] == ("log" if log else "value")


def test_the_best_epoch_is_starred_at_its_own_value() -> None:
    drawn = lines(curves.loss(METRICS, STEPS, steps_per_epoch=10, best=2))["validation"]
    assert drawn["markPoint"]["data"] == [{"coord": [2, 0.4]}]
    assert drawn["markLine"]["label"]["formatter"] == "best: epoch 2"
    drawn = lines(curves.dice(METRICS, best=2))["validation"]
    assert drawn["markPoint"]["data"] == [{"coord": [2, 0.8]}]


def test_the_label_of_the_best_epoch_stays_inside_the_figure() -> None:
    for best, epochs, align in ((1, 0, "left"), (3, 0, "right"), (3, 9, "left")):
        drawn = lines(curves.dice(METRICS, epochs=epochs, best=best))["validation"]
        assert drawn["markLine"]["label"]["align"] == align


def test_a_best_epoch_without_a_value_gets_no_star() -> None:
    drawn = lines(curves.loss(METRICS, STEPS, steps_per_epoch=1, best=3))
    assert all("markPoint" not in line for line in drawn.values())


def test_without_points_a_figure_says_when_they_come() -> None:
    for option in (
        curves.loss(NOTHING, NOTHING, steps_per_epoch=10, best=1),
        curves.pace(NOTHING, "lr", steps_per_epoch=0),
    ):
        assert [line["data"] for line in option["series"]] == [[]]
    assert "after the first epoch" in curves.dice(NOTHING, best=1)["title"]["text"]


def test_a_single_step_shows_as_a_dot_and_more_as_a_line() -> None:
    for count, dots in ((1, True), (2, False)):
        drawn = lines(curves.loss(NOTHING, STEPS[:count], steps_per_epoch=10))
        assert drawn["training, each step"]["showSymbol"] is dots


def test_thinning_keeps_the_mean_and_the_order() -> None:
    x = np.arange(12_000.0)
    thin_x, thin_y = curves.thin_out(x, 3 * x, most=1000)
    assert len(thin_x) == 1000
    assert np.all(np.diff(thin_x) > 0)
    np.testing.assert_allclose(thin_y, 3 * thin_x)
    assert thin_x.mean() == pytest.approx(x.mean())


def test_a_short_curve_is_not_thinned() -> None:
    x, y = curves.thin_out(np.arange(5.0), np.arange(5.0), most=5)
    assert list(x) == list(y) == [0, 1, 2, 3, 4]


def test_a_long_run_sends_no_more_points_than_a_screen_shows() -> None:
    many = pd.DataFrame({"step": range(100_000), "loss": 1.0})
    drawn = lines(curves.loss(NOTHING, many, steps_per_epoch=10))
    assert len(drawn["training, each step"]["data"]) == curves.MOST_POINTS


def test_pace_shows_learning_rate_and_images_per_second() -> None:
    for column, value in (("lr", 0.1), ("images_per_second", 9.0)):
        (line,) = lines(curves.pace(STEPS, column, steps_per_epoch=10)).values()
        assert [y for _, y in line["data"]] == [value] * 4


def test_compared_runs_have_a_line_each_and_differ_in_look() -> None:
    many = {f"run {index}": METRICS for index in range(9)}
    drawn = lines(curves.compare(many, "val_dice", y="Dice", log=False))
    looks = {(line["lineStyle"]["color"], line["lineStyle"]["type"]) for line in drawn.values()}
    assert list(drawn) == list(many)
    assert len(looks) == 9


@pytest.mark.parametrize(("last", "is_round"), [(30, True), (27, False)])
def test_the_axis_ends_with_the_curve_and_names_its_end_only_when_round(
    last: int, is_round: bool
) -> None:
    steps = pd.DataFrame({"step": [10, last], "loss": [1.0, 0.5]})
    axis = curves.loss(NOTHING, steps, steps_per_epoch=10)["xAxis"]
    assert axis["max"] == last / 10
    assert axis["axisLabel"]["showMaxLabel"] is is_round


def test_the_axis_shows_all_planned_epochs_from_the_first_step_on() -> None:
    for option in (
        curves.loss(NOTHING, STEPS, steps_per_epoch=10, epochs=8),
        curves.dice(NOTHING, epochs=8),
        curves.pace(STEPS, "lr", steps_per_epoch=10, epochs=8),
    ):
        assert option["xAxis"]["max"] == 8


def test_many_epochs_are_a_line_without_dots() -> None:
    for count, dots in ((curves.MOST_DOTS, True), (curves.MOST_DOTS + 1, False)):
        many = pd.DataFrame({"epoch": range(1, count + 1), "val_dice": 0.5})
        assert lines(curves.dice(many))["validation"]["showSymbol"] is dots
