import numpy as np
import pytest

from ui.shared import charts


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


def test_the_second_split_is_drawn_as_steps_of_the_same_shares_also_on_a_logarithmic_axis() -> None:
    values = {"train": [1, 10, 100, 1000], "val": [2, 20, 20, 200]}
    bars, steps = charts.histogram(values, x="area", log=True).data
    assert (bars.type, steps.type) == ("bar", "scatter")
    assert sum(steps.y) == pytest.approx(100)
    low, high = steps.customdata[:, 0], steps.customdata[:, 1]
    assert np.allclose(np.log(steps.x), (np.log(low) + np.log(high)) / 2)


def test_shares_of_classes_are_percents_with_the_first_class_on_top() -> None:
    fig = charts.shares({"train": {"background": 0.9, "line": 0.1}, "test": {"background": 1.0}})
    assert [list(bar.x) for bar in fig.data] == [[90, 10], [100]]
    assert [list(bar.y) for bar in fig.data] == [["background", "line"], ["background"]]
    assert fig.layout.yaxis.autorange == "reversed"
