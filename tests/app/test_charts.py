import numpy as np
import pandas as pd
import pytest

from ui import charts

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


def traces(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_the_last_step_of_an_epoch_stands_where_the_epoch_stands() -> None:
    drawn = traces(charts.loss(METRICS, STEPS, steps_per_epoch=10))
    assert list(drawn["training, each step"].x) == [0.5, 1.0, 2.0, 3.0]
    assert list(drawn["training"].x) == [1, 2, 3]


def test_null_becomes_a_gap_and_not_zero() -> None:
    drawn = traces(charts.loss(METRICS, STEPS, steps_per_epoch=10))
    assert list(drawn["validation"].y[:2]) == [0.8, 0.4]
    assert np.isnan(drawn["validation"].y[2])


def test_a_column_without_any_value_is_not_drawn() -> None:
    assert set(traces(charts.dice(METRICS))) == {"validation"}


@pytest.mark.parametrize("log", [False, True])
def test_the_loss_axis_is_logarithmic_on_request(log: bool) -> None:
    fig = charts.loss(METRICS, STEPS, steps_per_epoch=10, log=log)
    assert fig.layout.yaxis.type == ("log" if log else "linear")


def test_the_best_epoch_is_starred_at_its_own_value() -> None:
    star = traces(charts.loss(METRICS, STEPS, steps_per_epoch=10, best=2))["best: epoch 2"]
    assert (list(star.x), list(star.y)) == ([2], [0.4])
    star = traces(charts.dice(METRICS, best=2))["best: epoch 2"]
    assert (list(star.x), list(star.y)) == ([2], [0.8])


def test_a_best_epoch_without_a_value_gets_no_star() -> None:
    assert "best: epoch 3" not in traces(charts.loss(METRICS, STEPS, steps_per_epoch=1, best=3))


def test_a_run_without_points_gives_empty_figures() -> None:
    assert not charts.loss(NOTHING, NOTHING, steps_per_epoch=10, best=1).data
    assert not charts.dice(NOTHING, best=1).data
    assert [len(trace.x) for trace in charts.pace(NOTHING, steps_per_epoch=0).data] == [0, 0]


def test_a_single_step_shows_as_a_point() -> None:
    drawn = traces(charts.loss(NOTHING, STEPS[:1], steps_per_epoch=10))
    assert drawn["training, each step"].mode == "markers"


def test_thinning_keeps_the_mean_and_the_order() -> None:
    x = np.arange(12_000.0)
    thin_x, thin_y = charts.thin(x, 3 * x, most=1000)
    assert len(thin_x) == 1000
    assert np.all(np.diff(thin_x) > 0)
    np.testing.assert_allclose(thin_y, 3 * thin_x)
    assert thin_x.mean() == pytest.approx(x.mean())


def test_a_short_curve_is_not_thinned() -> None:
    x, y = charts.thin(np.arange(5.0), np.arange(5.0), most=5)
    assert list(x) == list(y) == [0, 1, 2, 3, 4]


def test_pace_shows_learning_rate_and_images_per_second() -> None:
    drawn = traces(charts.pace(STEPS, steps_per_epoch=10))
    assert list(drawn["learning rate"].y) == [0.1] * 4
    assert list(drawn["images per second"].y) == [9.0] * 4


def test_compared_runs_have_a_line_each_and_differ_in_look() -> None:
    many = {f"run {index}": METRICS for index in range(9)}
    fig = charts.compare(many, "val_dice", y="Dice")
    looks = {(trace.line.color, trace.line.dash) for trace in fig.data}
    assert [trace.name for trace in fig.data] == list(many)
    assert len(looks) == 9


def test_a_histogram_shows_shares_that_add_up_to_a_hundred() -> None:
    rng = np.random.default_rng(0)
    fig = charts.histogram({"train": rng.random(1000), "test": rng.random(10)}, x="size")
    assert [sum(bar.y) for bar in fig.data] == [pytest.approx(100), pytest.approx(100)]
    assert [bar.name for bar in fig.data] == ["train (1000)", "test (10)"]


def test_whole_numbers_get_bins_that_hold_equally_many_of_them() -> None:
    bar = charts.histogram({"train": np.arange(100)}, x="objects", bins=40).data[0]
    assert set(bar.customdata[:-1, 2]) == {3}
    assert sum(bar.customdata[:, 2]) == 100


def test_logarithmic_bins_count_every_value() -> None:
    fig = charts.histogram({"train": [1, 10, 10, 1000]}, x="area", log=True)
    assert sum(fig.data[0].customdata[:, 2]) == 4
    assert fig.layout.xaxis.type == "log"


def test_values_that_are_not_finite_are_left_out() -> None:
    bar = charts.histogram({"train": [1.5, np.nan, np.inf, 2.5]}, x="size").data[0]
    assert bar.name == "train (2)"


@pytest.mark.parametrize("values", [{}, {"train": []}, {"train": [np.nan]}])
def test_a_histogram_of_nothing_says_so(values: dict) -> None:
    assert charts.histogram(values, x="size").layout.annotations[0].text == "no values"


def test_a_histogram_of_one_value_has_one_bar_with_everything() -> None:
    assert max(charts.histogram({"train": [7.0] * 5}, x="size").data[0].y) == 100
