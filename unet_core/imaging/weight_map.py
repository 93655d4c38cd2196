"""The pixel weights of Ronneberger et al. 2015 that make a network learn narrow gaps.

Axes: H rows, W columns, P points of a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from unet_core.imaging.labels import check_labels

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
    labels_HW = _check(labels_HW, w0, sigma, class_weights)
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


@dataclass(frozen=True)
class Profile:
    """Equation 2 along a line: pixels, their two distances and their weights."""

    row_P: np.ndarray  # int
    column_P: np.ndarray
    label_P: np.ndarray  # 0 for background
    nearest_P: np.ndarray  # d1, float64 in pixels; inf where there is no such object
    second_P: np.ndarray  # d2
    weight_P: np.ndarray  # float64


def profile(
    labels_HW: np.ndarray,
    start: tuple[int, int],
    stop: tuple[int, int],
    w0: float = 10,
    sigma: float = 5,
    *,
    class_weights: Sequence[float] = (1.0, 1.0),
) -> Profile:
    """The weights of `weight_map` and the distances behind them, from one pixel to another.

    `start` and `stop` are (row, column), both included; between them lies one pixel per step along
    the longer axis. On an object d1 is 0 and d2 the distance to the nearest other object. Distances
    are exact however far the objects are.

    Raises ValueError as `weight_map`, and for ends outside the image.
    """
    labels_HW = _check(labels_HW, w0, sigma, class_weights)
    for name, end in (("start", start), ("stop", stop)):
        if not all(0 <= at < side for at, side in zip(end, labels_HW.shape, strict=True)):
            raise ValueError(f"{name} must lie in the image of {labels_HW.shape}, got {end}")
    count = 1 + max(abs(a - b) for a, b in zip(start, stop, strict=True))
    row_P, column_P = (
        np.rint(np.linspace(a, b, count)).astype(int) for a, b in zip(start, stop, strict=True)
    )
    nearest_P, second_P = _two_nearest(labels_HW, np.stack([row_P, column_P], axis=1))
    label_P = labels_HW[row_P, column_P]
    is_object_P = label_P > 0
    border_P = w0 * np.exp(-((nearest_P + second_P) ** 2) / (2 * sigma**2))
    weight_P = np.where(is_object_P, class_weights[1], class_weights[0] + border_P)
    return Profile(row_P, column_P, label_P, nearest_P, second_P, weight_P)


def balance(shares: Sequence[float]) -> tuple[float, ...]:
    """Weights that let classes with these shares of the pixels count alike: 1 on average.

    One over the share, divided by how many classes there are; an absent class keeps 1.
    """
    present = sum(share > 0 for share in shares)
    return tuple(1 / (present * share) if share else 1.0 for share in shares)


def _check(
    labels_HW: np.ndarray, w0: float, sigma: float, class_weights: Sequence[float]
) -> np.ndarray:
    labels_HW = check_labels(labels_HW, "labels_HW")
    if not 0 <= w0 < np.inf:
        raise ValueError(f"w0 must be at least 0, got {w0}")
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    if len(class_weights) != 2:
        raise ValueError(
            f"class_weights must be two numbers (background, object), got {class_weights!r}"
        )
    return labels_HW


def _two_nearest(labels_HW: np.ndarray, point_P2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distance of each point to the nearest and to the second nearest object, float64."""
    from scipy.spatial import cKDTree  # training does without

    nearest_P = np.full(len(point_P2), np.inf)
    second_P = nearest_P.copy()
    for label, box in _boxes(labels_HW):
        pixels_N2 = np.argwhere(labels_HW[box] == label) + [side.start for side in box]
        distance_P, _ = cKDTree(pixels_N2).query(point_P2)
        second_P = np.minimum(second_P, np.maximum(nearest_P, distance_P))
        nearest_P = np.minimum(nearest_P, distance_P)
    return nearest_P, second_P


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
