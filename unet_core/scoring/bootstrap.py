"""How much of a difference between two scores is due to the images that happened to be measured.

Axes: R runs of a recipe, I images, K counts of an image, D draws.

The paired bootstrap: from I images, I are drawn with replacement, and both recipes are scored on
the same draw, many times; the middle 95 % of the differences are the interval (the percentile
interval of Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; paired for two
systems on one test set: Koehn 2004, Statistical Significance Tests for Machine Translation
Evaluation, EMNLP). A score is made of counts that are summed over the drawn images before anything
is divided, never the mean of the images' scores.
"""

from collections.abc import Callable

import numpy as np

DRAWS = 10_000
COVERED = 0.95
BLOCK = 500  # draws at a time: a thousand images then take 4 MB

Score = Callable[[np.ndarray], np.ndarray]


def f1(counts_K: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN) of counts [..., (TP, FP, FN)]; nan where there is no object."""
    tp, fp, fn = np.moveaxis(counts_K, -1, 0)
    return _divide(2.0 * tp, 2 * tp + fp + fn)


def ap(counts_K: np.ndarray) -> np.ndarray:
    """TP / (TP + FP + FN) of counts [..., (TP, FP, FN)]; nan where there is no object."""
    tp, fp, fn = np.moveaxis(counts_K, -1, 0)
    return _divide(1.0 * tp, tp + fp + fn)


def mean_iou(counts_K: np.ndarray) -> np.ndarray:
    """Mean IoU of the classes that occur, of confusion tables laid flat [..., C * C]."""
    side = round(counts_K.shape[-1] ** 0.5)
    table_CC = counts_K.reshape(*counts_K.shape[:-1], side, side)
    hits_C = np.diagonal(table_CC, axis1=-2, axis2=-1)
    union_C = table_CC.sum(-1) + table_CC.sum(-2) - hits_C
    occurs_C = union_C > 0
    ious_C = np.divide(hits_C, union_C, out=np.zeros(union_C.shape), where=occurs_C)
    return _divide(ious_C.sum(-1), occurs_C.sum(-1))


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, np.nan), where=np.asarray(below) > 0)


def scores(counts_RIK: np.ndarray, score: Score) -> np.ndarray:
    """The score of each run on all images together, float64 [R]."""
    return score(counts_RIK.sum(axis=1))


def differences(
    first_RIK: np.ndarray,
    second_RIK: np.ndarray,
    score: Score,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """The second recipe's score minus the first's on as many draws of the images, float64 [D].

    Both hold counts of the same images in the same order, of one run or more; a recipe's score is
    the mean of its runs'. A draw that leaves nothing to score is nan. Raises ValueError for
    different or less than two images.
    """
    images = first_RIK.shape[1]
    if images != second_RIK.shape[1]:
        raise ValueError(f"both must have the same images, got {images} and {second_RIK.shape[1]}")
    if images < 2:
        raise ValueError(f"a bootstrap over images needs at least 2 of them, got {images}")
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, draws, BLOCK):
        size = min(BLOCK, draws - start)
        # How often each image was drawn is all that a sum needs.
        times_DI = rng.multinomial(images, np.full(images, 1 / images), size)
        one, other = (
            score(np.einsum("di,rik->drk", times_DI, part, optimize=True)).mean(axis=1)
            for part in (first_RIK, second_RIK)
        )
        found.append(other - one)
    return np.concatenate(found)


def interval(differences_D: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the draws that have a score; nan where none has."""
    known = differences_D[np.isfinite(differences_D)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(low), float(high)
