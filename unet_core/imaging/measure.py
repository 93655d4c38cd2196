"""Size, shape, brightness and neighbours of every object, as a table.

Axes: H rows, W columns; suffix _P runs over the pixels of all objects in raster order, _N over the
objects. Names and values are those of scikit-image's `regionprops_table` (so positions count from
the centre of the upper left pixel, and an orientation is in radians), but all objects are measured
at once, which is several times as fast.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from unet_core.imaging.labels import check_labels

COLUMNS = (
    "label",
    "area",
    "equivalent_diameter_area",
    "eccentricity",
    "solidity",
    "intensity_mean",
    "centroid-0",
    "centroid-1",
    "bbox-0",
    "bbox-1",
    "bbox-2",
    "bbox-3",
    "perimeter",
    "orientation",
    "axis_major_length",
    "axis_minor_length",
    "nearest_neighbour_distance",
    "touching",
)
# The columns that get a copy in micrometres, or square micrometres.
LENGTHS = (
    "equivalent_diameter_area",
    "perimeter",
    "axis_major_length",
    "axis_minor_length",
    "nearest_neighbour_distance",
)
AREAS = ("area",)

# A border pixel's share of the perimeter, by what its neighbours in the border are: 2 for each
# direct and 10 for each diagonal one, 1 for itself (Benkrid and Crookes 2000, as scikit-image).
_STEP = np.zeros(50)
_STEP[[5, 7, 15, 17, 25, 27]] = 1
_STEP[[21, 33]] = np.sqrt(2)
_STEP[[13, 23]] = (1 + np.sqrt(2)) / 2


def measure(
    labels_HW: np.ndarray,
    pixels_HW: np.ndarray | None = None,
    *,
    pixel_size_um: float | None = None,
) -> pd.DataFrame:
    """A row for every object, in the order of rising labels; always the same columns in this order.

    labels_HW: integers, 0 for background; labels may have gaps. pixels_HW: one intensity per
    pixel, for the column `intensity_mean`, which is missing without it.

    Beyond regionprops: `nearest_neighbour_distance` from centroid to centroid, NaN for a lone
    object, and `touching`, whether the object has a pixel beside one of another object, corners
    included. With `pixel_size_um` (the side of a square pixel) follow copies of the lengths as
    `..._um` and of the area as `area_um2`. Without objects the table has no rows.

    Raises ValueError for labels that are no 2-D array of integers >= 0, for pixels of another
    shape, and for a pixel size that is not above 0.
    """
    labels_HW = check_labels(labels_HW, "labels_HW")
    if pixels_HW is not None and np.shape(pixels_HW) != labels_HW.shape:
        raise ValueError(
            "pixels_HW must have the shape of labels_HW, "
            f"got {np.shape(pixels_HW)} and {labels_HW.shape}"
        )
    if pixel_size_um is not None and not 0 < pixel_size_um < np.inf:
        raise ValueError(f"pixel_size_um must be above 0, got {pixel_size_um}")
    objects = _find_objects(labels_HW)
    columns: dict[str, np.ndarray] = {"label": objects.ids_N, "area": objects.area_N}
    columns |= _moments(objects)
    columns["perimeter"] = _perimeters(objects)
    columns["solidity"] = objects.area_N / _convex_areas(objects)
    for number, edge in enumerate(objects.box_N4.T):
        columns[f"bbox-{number}"] = edge
    if pixels_HW is not None:
        intensity_P = np.asarray(pixels_HW).ravel()[np.flatnonzero(labels_HW)]
        columns["intensity_mean"] = objects.sums(intensity_P) / objects.area_N
    centroids = np.stack([columns["centroid-0"], columns["centroid-1"]], axis=1)
    columns["nearest_neighbour_distance"] = _nearest(centroids)
    columns["touching"] = _touching(objects)
    columns = {name: columns[name] for name in COLUMNS if name in columns}
    if pixel_size_um is not None:
        columns |= {f"{name}_um": columns[name] * pixel_size_um for name in LENGTHS}
        columns |= {f"{name}_um2": columns[name] * pixel_size_um**2 for name in AREAS}
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class _Objects:
    """Where every object's pixels are.

    padded_HW holds 0 or 1 + the object's place in ids_N, with a frame of 0; place_P is the pixel's
    position in it, raveled, and object_P, row_P and column_P say what and where in the image.
    box_N4: first row, first column, last row + 1, last column + 1.
    """

    ids_N: np.ndarray
    area_N: np.ndarray
    box_N4: np.ndarray
    padded_HW: np.ndarray
    place_P: np.ndarray
    object_P: np.ndarray
    row_P: np.ndarray
    column_P: np.ndarray

    def sums(self, values_P: np.ndarray) -> np.ndarray:
        """The sum over each object's pixels, as floats even if there are none."""
        return np.bincount(self.object_P, values_P, minlength=len(self.ids_N)).astype(float)

    def neighbours(self, image_HW: np.ndarray, places: np.ndarray, offset: tuple) -> np.ndarray:
        """The padded image's values beside the places."""
        return image_HW.ravel()[places + offset[0] * image_HW.shape[1] + offset[1]]


_DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def _find_objects(labels_HW: np.ndarray) -> _Objects:
    row_P, column_P = np.nonzero(labels_HW)
    ids_N, object_P = np.unique(labels_HW[row_P, column_P], return_inverse=True)
    ids_N = ids_N.astype(np.int64)
    area_N = np.bincount(object_P, minlength=len(ids_N))
    padded_HW = np.zeros((labels_HW.shape[0] + 2, labels_HW.shape[1] + 2), np.intp)
    place_P = (row_P + 1) * padded_HW.shape[1] + column_P + 1
    padded_HW.ravel()[place_P] = object_P + 1
    box_N4 = np.array(
        [(r.start, c.start, r.stop, c.stop) for r, c in ndimage.find_objects(padded_HW)],
        dtype=np.intp,
    ).reshape(-1, 4)
    return _Objects(ids_N, area_N, box_N4 - 1, padded_HW, place_P, object_P, row_P, column_P)


def _moments(objects: _Objects) -> dict[str, np.ndarray]:
    """Centroid and the ellipse of equal second moments."""
    area_N = objects.area_N
    centre_row = objects.sums(objects.row_P) / area_N
    centre_column = objects.sums(objects.column_P) / area_N
    down_P = objects.row_P - centre_row[objects.object_P]
    right_P = objects.column_P - centre_column[objects.object_P]
    rows = objects.sums(down_P**2) / area_N
    columns = objects.sums(right_P**2) / area_N
    mixed = objects.sums(down_P * right_P) / area_N
    # Rounding must not turn a square's axis: what should cancel counts as cancelled.
    lean = np.where(np.abs(rows - columns) > 1e-12 * (rows + columns), rows - columns, 0)
    mixed = np.where(np.abs(mixed) > 1e-12 * (rows + columns), mixed, 0)
    spread = np.sqrt(lean**2 + 4 * mixed**2)
    major = (rows + columns + spread) / 2
    minor = np.maximum((rows + columns - spread) / 2, 0)
    ratio = np.divide(minor, major, out=np.ones_like(major), where=major > 0)
    return {
        "equivalent_diameter_area": np.sqrt(4 * area_N / np.pi),
        "axis_major_length": 4 * np.sqrt(major),
        "axis_minor_length": 4 * np.sqrt(minor),
        "eccentricity": np.sqrt(1 - ratio),
        "orientation": np.where(
            lean == 0,
            np.where(mixed > 0, np.pi / 4, -np.pi / 4),
            0.5 * np.arctan2(2 * mixed, lean),
        ),
        "centroid-0": centre_row,
        "centroid-1": centre_column,
    }


def _perimeters(objects: _Objects) -> np.ndarray:
    """The length of the line through the centres of each object's border pixels."""
    padded_HW, place_P = objects.padded_HW, objects.place_P
    own_P = objects.object_P + 1
    inside_P = np.ones(len(place_P), bool)
    for offset in _DIRECT:
        inside_P &= objects.neighbours(padded_HW, place_P, offset) == own_P
    border_HW = np.zeros_like(padded_HW)
    place, own = place_P[~inside_P], own_P[~inside_P]
    border_HW.ravel()[place] = own
    code = np.ones(len(place), np.intp)
    for offsets, value in ((_DIRECT, 2), (_DIAGONAL, 10)):
        for offset in offsets:
            code += value * (objects.neighbours(border_HW, place, offset) == own)
    return np.bincount(own - 1, _STEP[code], minlength=len(objects.ids_N)).astype(float)


def _touching(objects: _Objects) -> np.ndarray:
    touches_P = np.zeros(len(objects.place_P), bool)
    for offset in _DIRECT + _DIAGONAL:
        beside = objects.neighbours(objects.padded_HW, objects.place_P, offset)
        touches_P |= (beside > 0) & (beside != objects.object_P + 1)
    return objects.sums(touches_P) > 0


def _nearest(centroids_N2: np.ndarray) -> np.ndarray:
    if len(centroids_N2) < 2:
        return np.full(len(centroids_N2), np.nan)
    return cKDTree(centroids_N2).query(centroids_N2, k=2)[0][:, 1]


def _convex_areas(objects: _Objects) -> np.ndarray:
    """Pixels whose centre lies in the convex hull of the object's pixel-side midpoints.

    In units of half a pixel all is whole numbers, and so exact. A hull is given by its leftmost
    and rightmost column at every height, and between two corners both run straight.
    """
    right, height, owner = _outline(objects, objects.column_P)
    left, _, _ = _outline(objects, -objects.column_P)
    bounds = []
    for reach in (right, left):
        corner = _hull_corners(reach, height, owner)
        bounds.append(_last_pixel(reach[corner], height[corner], owner[corner]))
    (last, last_owner), (first, first_owner) = bounds
    n = len(objects.ids_N)
    rows_N = objects.box_N4[:, 2] - objects.box_N4[:, 0]
    return (
        np.bincount(last_owner, last, minlength=n)
        + np.bincount(first_owner, first, minlength=n)
        + rows_N
    )


def _outline(objects: _Objects, column_P: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each object reaches to the right at every half pixel of height.

    Returns reach, height (both in half pixels) and owner, sorted by owner, then height.
    """
    top_N, bottom_N = objects.box_N4[:, 0], objects.box_N4[:, 2]
    # Each object has a stretch of 2 * rows + 1 places; its row r has the place in the middle.
    start_N = np.cumsum(2 * (bottom_N - top_N) + 1) - (2 * (bottom_N - top_N) + 1)
    size = int((2 * (bottom_N - top_N) + 1).sum())
    middle_P = start_N[objects.object_P] + 2 * (objects.row_P - top_N[objects.object_P]) + 1
    unset = np.iinfo(np.int64).min
    reach = np.full(size, unset)
    np.maximum.at(reach, middle_P, 2 * column_P + 1)
    middle = np.flatnonzero(reach > unset)
    for side in (middle - 1, middle + 1):
        reach[side] = np.maximum(reach[side], reach[middle] - 1)
    kept = np.flatnonzero(reach > unset)
    owner = np.repeat(np.arange(len(top_N)), 2 * (bottom_N - top_N) + 1)[kept]
    return reach[kept], 2 * top_N[owner] - 1 + (kept - start_N[owner]), owner


def _hull_corners(reach: np.ndarray, height: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The places of the outline's points that are corners of its convex hull.

    A point on or behind the line between its two neighbours is none; such points are taken out,
    all at once, until there are none.
    """
    corner = np.arange(len(reach))
    while True:
        before, here, after = corner[:-2], corner[1:-1], corner[2:]
        turn = (reach[here] - reach[before]) * (height[after] - height[before]) - (
            reach[after] - reach[before]
        ) * (height[here] - height[before])
        behind = (turn <= 0) & (owner[before] == owner[after])
        if not behind.any():
            return corner
        corner = np.delete(corner, np.flatnonzero(behind) + 1)


def _last_pixel(
    reach: np.ndarray, height: np.ndarray, owner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The last column inside the hull in every row of every object, and whose it is."""
    side = np.flatnonzero(owner[1:] == owner[:-1])
    # Rows have even heights; each side takes those from its upper end up to below its lower one.
    first_row = -(-height[side] // 2)
    n_rows = -(-height[side + 1] // 2) - first_row
    side = np.repeat(side, n_rows)
    row = np.arange(len(side)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    row += np.repeat(first_row, n_rows)
    rise = height[side + 1] - height[side]
    run = reach[side + 1] - reach[side]
    return (reach[side] * rise + run * (2 * row - height[side])) // (2 * rise), owner[side]
