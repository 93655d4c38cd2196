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


def test_the_middle_is_the_mean_of_the_images_inner_squares() -> None:
    rng = np.random.default_rng(0)
    middle, each = pixel_scores.Middle(4, ("background", "object")), []
    for shape in ((4, 7), (9, 5)):
        true_HW = rng.random(shape) < 0.4
        prob_HW = rng.random(shape).astype(np.float32)
        middle.add(true_HW, prob_HW > 0.5, prob_HW)
        rows, columns = ((side - 4) // 2 for side in shape)
        inner = (slice(rows, rows + 4), slice(columns, columns + 4))
        each.append((true_HW[inner], prob_HW[inner]))
    found = middle.document()
    for threshold, row in ((0.5, found), (0.5, found["curve"][9]), (0.3, found["curve"][5])):
        parts = [
            pixel_scores.scores(metrics.confusion(true_HW, prob_HW > threshold, 2))
            for true_HW, prob_HW in each
        ]
        for key in ("mean_iou", "accuracy", "dice", "iou"):
            assert row[key] == pytest.approx(np.mean([part[key] for part in parts]))
    assert found["side"] == 4
    assert [row["threshold"] for row in found["curve"]] == pytest.approx(np.arange(1, 20) / 20)


def test_a_middle_that_is_larger_than_an_image_is_refused() -> None:
    empty = np.zeros((3, 9), int)
    with pytest.raises(ValueError, match="at most the sides of the images, got 4 for 3 x 9 px"):
        pixel_scores.Middle(4, ("a", "b")).add(empty, empty)


def test_a_curve_without_foreground_has_no_dice() -> None:
    curve = pixel_scores.Curve()
    curve.add(np.zeros((2, 2), bool), np.zeros((2, 2), np.float32))
    assert [(row["dice"], row["accuracy"]) for row in curve.rows()] == [(None, 1.0)] * 19
