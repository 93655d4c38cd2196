"""The pixel weights of Ronneberger et al. 2015 that make a network learn narrow gaps.

Axes: H rows, W columns.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from unet_core.matching import check_labels

# What a pixel may lose because only objects near it are looked at, as a share of w0.
NEGLIGIBLE = 1e-7


def weight_map(
    labels_HW: np.ndarray,
    w0: float = 10,
    sigma: float = 5,
    *,
    class_weights: Sequence[float] = (1.0, 1.0),
) -> np.ndarray:
    """The weight of every pixel in the loss: w(x) = w_c(x) + w0 exp(-(d1 + d2)^2 / (2 sigma^2)).

    labels_HW: integer labels, 0 for background; they may have gaps. Returns float32, shape (H, W).

    w_c is `class_weights[0]` on background and `class_weights[1]` on objects, so that by default
    the map is 1 plus the border term and can be used as it is; (0, 0) leaves the border term.
    The border term stands on background pixels only: d1 and d2 are the Euclidean distances, in
    pixels, from the pixel's centre to the centre of the nearest pixel of the nearest and of the
    second nearest object. On object pixels, and with fewer than two objects, it is 0.
    The border term is exact to w0 * 1e-7: pairs of objects too far apart to matter are skipped.

    Raises ValueError for labels that are no 2-D array of integers >= 0, for w0 < 0, sigma <= 0, or
    other than two class weights.

    Source: Ronneberger, Fischer, Brox 2015, arXiv 1505.04597, equation 2.
    """
    labels_HW = check_labels(labels_HW, "labels_HW")
    if not 0 <= w0 < np.inf:
        raise ValueError(f"w0 must be at least 0, got {w0}")
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    if len(class_weights) != 2:
        raise ValueError(
            f"class_weights must be two numbers (background, object), got {class_weights!r}"
        )
    background, inside = (np.float32(weight) for weight in class_weights)
    weights_HW: np.ndarray = np.where(labels_HW > 0, inside, background)
    objects = _boxes(labels_HW)
    if len(objects) < 2 or w0 == 0:
        return weights_HW
    reach = int(np.ceil(sigma * np.sqrt(-2 * np.log(NEGLIGIBLE))))
    nearest_HW = np.full(labels_HW.shape, np.inf, np.float32)
    second_HW = nearest_HW.copy()
    for label, box in objects:
        window = tuple(slice(max(s.start - reach, 0), s.stop + reach) for s in box)
        distance = _distance_to(labels_HW[window] == label)
        nearest, second = nearest_HW[window], second_HW[window]
        np.minimum(second, np.maximum(nearest, distance), out=second)
        np.minimum(nearest, distance, out=nearest)
    gap = (labels_HW == 0) & (second_HW < np.inf)
    total = nearest_HW[gap] + second_HW[gap]
    weights_HW[gap] += np.float32(w0) * np.exp(-(total**2) / np.float32(2 * sigma**2))
    return weights_HW


def _distance_to(object_HW: np.ndarray) -> np.ndarray:
    return ndimage.distance_transform_edt(~object_HW).astype(np.float32)


def _boxes(labels_HW: np.ndarray) -> list[tuple[int, tuple[slice, slice]]]:
    """Every label that occurs and the box around it."""
    ids = np.unique(labels_HW)
    ids = ids[ids > 0]
    if not len(ids):
        return []
    small_HW = np.searchsorted(ids, labels_HW, side="right").astype(np.int32)
    return list(zip(ids.tolist(), ndimage.find_objects(small_HW), strict=True))
