"""Pixel-wise scores: counts first, division last, so that counts of several images add up.

Axes: C classes, H rows, W columns. NumPy in, floats or small arrays out.
"""

import numpy as np


def confusion(true: np.ndarray, pred: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of each true class (rows) were called what (columns), int64 [C, C].

    Raises ValueError for different shapes or a class outside 0..classes-1.
    """
    if true.shape != pred.shape:
        raise ValueError(f"true and pred must have one shape, got {true.shape} and {pred.shape}")
    for name, array in (("true", true), ("pred", pred)):
        if array.size and (array.min() < 0 or array.max() >= classes):
            raise ValueError(
                f"{name} must hold classes 0 to {classes - 1}, got {array.min()} to {array.max()}"
            )
    pairs = classes * true.astype(np.int64).ravel() + pred.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def iou_per_class(confusion_CC: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, float64 [C]; nan for a class that never occurs."""
    hits = np.diag(confusion_CC).astype(float)
    union = confusion_CC.sum(0) + confusion_CC.sum(1) - hits
    return _divide(hits, union)


def dice_per_class(confusion_CC: np.ndarray) -> np.ndarray:
    """Hard Dice of each class, float64 [C]; nan for a class that never occurs."""
    return _divide(2.0 * np.diag(confusion_CC), confusion_CC.sum(0) + confusion_CC.sum(1))


def pixel_accuracy(confusion_CC: np.ndarray) -> float:
    """The share of pixels called right; nan without pixels."""
    total = confusion_CC.sum()
    return float(np.trace(confusion_CC) / total) if total else float("nan")


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def soft_dice(prob_HW: np.ndarray, mask_HW: np.ndarray) -> float:
    """2 * sum(prob * mask) / (sum(prob) + sum(mask)) of one image; nan when both are zero."""
    if prob_HW.shape != mask_HW.shape:
        raise ValueError(
            f"prob and mask must have one shape, got {prob_HW.shape} and {mask_HW.shape}"
        )
    size = float(prob_HW.sum(dtype=np.float64) + mask_HW.sum(dtype=np.float64))
    overlap = float((prob_HW * mask_HW).sum(dtype=np.float64))
    return 2 * overlap / size if size else float("nan")


def hard_dice(pred_HW: np.ndarray, mask_HW: np.ndarray) -> float:
    """The Dice coefficient of two masks; nan when both are empty."""
    return float(dice_per_class(confusion(mask_HW > 0, pred_HW > 0, 2))[1])
