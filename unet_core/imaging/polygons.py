"""Objects as polygons along the sides of their pixels, and polygons as pixels again.

Axes: H rows, W columns; suffix _E runs over the directed sides of pixels at which an object ends,
_V2 over the corners of a ring, each (row, column). A corner is a corner of pixels: (0, 0) is the
outer one of the first pixel, (H, W) that of the last, and the centre of the first pixel lies at
(0.5, 0.5). So the area of an object's polygons is its number of pixels, and drawing them gives
these pixels back. ImageJ, QuPath and COCO count alike, with columns before rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unet_core.imaging.labels import check_labels

# The outer ring, then the holes; the last corner is joined to the first, which is not repeated.
Polygon = list[np.ndarray]


def trace(labels_HW: np.ndarray) -> dict[int, list[Polygon]]:
    """The polygons of every object, in the order of rising labels.

    An object has a polygon for each of its parts; pixels that meet only at a corner are two parts.
    No ring meets itself, and two rings meet in single corners at most, so that every polygon is
    valid by the rules of OGC and GeoJSON. Outer rings run right, down, left, up (a positive
    shoelace in columns and rows), holes the other way round. Corners are int64, and at each of
    them the ring turns.

    Raises ValueError for labels that are no 2-D array of integers >= 0.

    >>> [polygon] = trace(np.array([[0, 0, 0], [0, 7, 7]]))[7]
    >>> polygon[0].tolist()
    [[1, 3], [2, 3], [2, 1], [1, 1]]
    """
    from skimage.measure import label

    padded_HW = np.pad(check_labels(labels_HW, "labels_HW"), 1)
    sides = _follow(padded_HW)
    part_HW = label(padded_HW, background=0, connectivity=1)
    found: dict[int, dict[int, list[np.ndarray]]] = {}
    for walk in _walks(sides):
        place = sides.place_E[walk[0]]
        parts = found.setdefault(int(padded_HW.flat[place]), {})
        rings = parts.setdefault(int(part_HW.flat[place]), [])
        corners = list(zip(sides.row_E[walk].tolist(), sides.column_E[walk].tolist(), strict=True))
        rings += [np.array(ring, np.int64) for ring in _split(corners)]
    return {
        number: [sorted(rings, key=_area, reverse=True) for _, rings in sorted(parts.items())]
        for number, parts in sorted(found.items())
    }


@dataclass(frozen=True)
class _Sides:
    """The sides of pixels at which an object ends, walked with the object to the right.

    place_E: the pixel, raveled; row_E, column_E: the corner where the side ends; next_E: which
    side follows; turns_E: whether it goes in another direction.
    """

    place_E: np.ndarray
    row_E: np.ndarray
    column_E: np.ndarray
    next_E: np.ndarray
    turns_E: np.ndarray


def _follow(padded_HW: np.ndarray) -> _Sides:
    """All sides, each with the one after it. Around a corner alone, no object goes on."""
    width, flat = padded_HW.shape[1], padded_HW.ravel()
    # The upper, right, lower and left side of a pixel: where one comes walking along it, and
    # where its corner at the end lies.
    step = np.array([1, width, -1, -width])
    down, right = np.array([0, 1, 1, 0]), np.array([1, 1, 0, 0])
    inside = np.flatnonzero(flat)
    is_side_4P = flat[inside + step[[3, 0, 1, 2], None]] != flat[inside]
    key_E = np.sort(np.concatenate([4 * inside[is_side_4P[k]] + k for k in range(4)]))
    place_E, side_E = np.divmod(key_E, 4)
    ahead_E = place_E + step[side_E]
    beside_E = ahead_E + step[side_E - 1]
    # Along the same pixel, else straight on, else around the pixel that is in the way.
    ends_E = flat[ahead_E] != flat[place_E]
    goes_on_E = flat[beside_E] != flat[place_E]
    next_key_E = np.where(
        ends_E,
        4 * place_E + (side_E + 1) % 4,
        np.where(goes_on_E, 4 * ahead_E + side_E, 4 * beside_E + (side_E - 1) % 4),
    )
    return _Sides(
        place_E,
        place_E // width - 1 + down[side_E],
        place_E % width - 1 + right[side_E],
        np.searchsorted(key_E, next_key_E),
        ends_E | ~goes_on_E,
    )


def _walks(sides: _Sides) -> list[list[int]]:
    """The closed walks along all sides; of each, the sides after which it turns."""
    following, turns = sides.next_E.tolist(), sides.turns_E.tolist()
    is_walked = bytearray(len(following))
    walks = []
    for start in range(len(following)):
        walk, side = [], start
        while not is_walked[side]:
            is_walked[side] = 1
            if turns[side]:
                walk.append(side)
            side = following[side]
        if walk:
            walks.append(walk)
    return walks


def _split(corners: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The rings of a closed walk: wherever it comes to a corner again, a ring is closed."""
    rings: list[list[tuple[int, int]]] = []
    ring: list[tuple[int, int]] = []
    place_of: dict[tuple[int, int], int] = {}
    for corner in corners:
        if corner in place_of:
            start = place_of[corner]
            rings.append(ring[start:])
            for passed in ring[start + 1 :]:
                del place_of[passed]
            del ring[start + 1 :]
        else:
            place_of[corner] = len(ring)
            ring.append(corner)
    return [*rings, ring]


def _area(ring_V2: np.ndarray) -> float:
    """The area of a ring, below 0 for a hole."""
    after_V2 = np.roll(ring_V2, -1, axis=0)
    return float(np.sum(ring_V2[:, 1] * after_V2[:, 0] - after_V2[:, 1] * ring_V2[:, 0])) / 2


@dataclass(frozen=True)
class Filled:
    """The pixels of a polygon: a mask (bool) and where in the image its first pixel lies."""

    mask_HW: np.ndarray
    row: int
    column: int

    def places(self) -> np.ndarray:
        """Row and column in the image of each of the pixels."""
        return np.argwhere(self.mask_HW) + np.array([self.row, self.column])


def fill(polygon: Sequence[np.ndarray], shape: tuple[int, int]) -> Filled:
    """The pixels whose centres lie in a polygon, as far as these are in an image of this shape.

    Corners are any finite numbers. What an odd number of rings surround is inside, so that the
    order and the direction of rings do not matter. A centre exactly on a side belongs to one of
    two polygons that share the side, never to both.

    >>> fill([np.array([[0, 0], [0, 2.6], [2, 2.6], [2, 0]])], (9, 9)).mask_HW.shape
    (2, 3)
    """
    start_E2 = np.concatenate([np.zeros((0, 2)), *polygon])
    end_E2 = np.concatenate([np.zeros((0, 2)), *(np.roll(ring, -1, axis=0) for ring in polygon)])
    if not len(start_E2):
        return Filled(np.zeros((0, 0), bool), 0, 0)
    corner = np.array(shape, float)
    low, high = (np.ceil(f(start_E2, axis=0).clip(0, corner) - 0.5).astype(int)
                 for f in (np.min, np.max))  # fmt: skip
    height, width = high - low
    if height < 1 or width < 1:
        return Filled(np.zeros((0, 0), bool), 0, 0)
    row, column = _crossings(start_E2, end_E2, low, high)
    # Each crossing turns everything to its right.
    turns = np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
    mask_HW = np.cumsum(turns.reshape(height, width + 1), axis=1)[:, :-1] % 2 == 1
    return Filled(mask_HW, int(low[0]), int(low[1]))


def _crossings(
    start_E2: np.ndarray, end_E2: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where sides cross the middles of pixel rows: row, and first pixel column to the right.

    Both count from the low corner and end at the high one.
    """
    top_E, bottom_E = (
        np.ceil(one.clip(low[0], high[0]) - 0.5).astype(int)
        for one in (np.minimum(start_E2, end_E2)[:, 0], np.maximum(start_E2, end_E2)[:, 0])
    )
    n_E = bottom_E - top_E
    side = np.repeat(np.arange(len(n_E)), n_E)
    row = np.arange(len(side)) - np.repeat(np.cumsum(n_E) - n_E, n_E) + np.repeat(top_E, n_E)
    start_2, end_2 = start_E2[side], end_E2[side]
    share = (row + 0.5 - start_2[:, 0]) / (end_2[:, 0] - start_2[:, 0])
    at = start_2[:, 1] + share * (end_2[:, 1] - start_2[:, 1])
    column = np.ceil(at.clip(low[1], high[1]) - 0.5).astype(int)
    return row - low[0], column - low[1]
