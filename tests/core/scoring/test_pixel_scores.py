import numpy as np
import pytest

from unet_core.imaging import metrics
from unet_core.scoring import pixel_scores


def test_pixel_scores_are_those_of_all_pixels_together_and_of_each_image() -> None:
    tally = pixel_scores.Tally(("background", "object"))
    true_HW = np.array([[0, 0, 1, 1]])
    first = tally.add(true_HW, np.array([[0, 1, 1, 1]]))
    assert first["dice"] == pytest.approx(2 * 2 / (3 + 2))
    assert first["iou"] == pytest.approx(2 / 3)
    assert first["mean_iou"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert first["accuracy"] == 0.75
    empty = tally.add(np.zeros((1, 4), int), np.zeros((1, 4), int))
    assert (empty["dice"], empty["accuracy"], empty["mean_iou"]) == (None, 1, 1)
    found = tally.document()
    assert found["accuracy"] == 7 / 8
    assert found["by_image"]["accuracy"] == pytest.approx((0.75 + 1) / 2)
    assert found["by_image"]["dice"] == first["dice"]  # an image without any has none
    assert [one["name"] for one in found["classes"]] == ["background", "object"]
    assert found["classes"][0]["iou"] == pytest.approx(5 / 6)


def test_the_curve_counts_what_each_threshold_gives() -> None:
    rng = np.random.default_rng(0)
    curve, total = pixel_scores.Curve(), np.zeros((19, 2, 2), np.int64)
    for shape in ((30, 20), (7, 9)):
        true_HW = rng.random(shape) < 0.4
        prob_HW = (rng.integers(0, 41, shape) / 40).astype(np.float32)  # half lie on a threshold
        curve.add(true_HW, prob_HW)
        for index in range(19):
            pred_HW = prob_HW.astype(float) > (index + 1) / 20
            total[index] += metrics.confusion(true_HW, pred_HW, 2)
    rows = curve.rows()
    assert [row["threshold"] for row in rows] == pytest.approx(np.arange(1, 20) / 20)
    for row, table in zip(rows, total, strict=True):
        scores = pixel_scores.scores(table)
        assert {key: row[key] for key in scores} == scores


def test_a_curve_without_foreground_has_no_dice() -> None:
    curve = pixel_scores.Curve()
    curve.add(np.zeros((2, 2), bool), np.zeros((2, 2), np.float32))
    assert [(row["dice"], row["accuracy"]) for row in curve.rows()] == [(None, 1.0)] * 19
