import numpy as np
import pytest

from unet_core.imaging import metrics


def test_the_confusion_table_counts_each_pixel_once() -> None:
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 3, (2, 20, 30))
    table = metrics.confusion(true, pred, 3)
    for row in range(3):
        for column in range(3):
            assert table[row, column] == ((true == row) & (pred == column)).sum()
    for index in range(3):
        both = ((true == index) & (pred == index)).sum()
        either = ((true == index) | (pred == index)).sum()
        assert metrics.iou_per_class(table)[index] == both / either
        size = (true == index).sum() + (pred == index).sum()
        assert metrics.dice_per_class(table)[index] == 2 * both / size
    assert metrics.pixel_accuracy(table) == (true == pred).mean()


def test_a_class_that_never_occurs_has_no_score() -> None:
    table = metrics.confusion(np.zeros((2, 2), int), np.zeros((2, 2), int), 2)
    assert metrics.iou_per_class(table)[0] == 1
    assert np.isnan(metrics.iou_per_class(table)[1])
    assert np.isnan(metrics.dice_per_class(table)[1])
    assert np.isnan(metrics.pixel_accuracy(np.zeros((2, 2), int)))


def test_dice_of_masks_by_hand() -> None:
    true = np.array([[1, 1, 0, 0]])
    assert metrics.hard_dice(np.array([[1, 0, 0, 0]]), true) == pytest.approx(2 / 3)
    assert metrics.soft_dice(np.array([[0.5, 0.5, 0.5, 0.0]]), true) == pytest.approx(2 / 3.5)
    empty = np.zeros((1, 4))
    assert np.isnan(metrics.hard_dice(empty, empty))
    assert np.isnan(metrics.soft_dice(empty, empty))


def test_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        metrics.confusion(np.zeros((2, 2), int), np.zeros((2, 3), int), 2)
    with pytest.raises(ValueError, match="pred must hold classes 0 to 1"):
        metrics.confusion(np.zeros((2, 2), int), np.full((2, 2), 2), 2)
    with pytest.raises(ValueError, match="one shape"):
        metrics.soft_dice(np.zeros((2, 2)), np.zeros((2, 3)))
