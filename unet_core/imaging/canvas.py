"""A label image that objects are drawn on, one after the other, as other programs describe them.

Axes: H rows, W columns; suffix _P runs over the pixels of one object. Corners as in `polygons`.
"""

from collections.abc import Sequence

import numpy as np

from unet_core.imaging.polygons import Polygon, fill
from unet_core.imaging.truth import Truth

# How often objects may cover the image before it is no drawing of objects but an attack.
_MOST_COVERS = 100
_AT_LEAST = 1_000_000  # pixels that may be drawn on however small an image
_SLACK = 1.0  # pixels by which a hand may draw beyond the image without a word


class Canvas:
    """Draws objects into an image of a shape (rows, columns); they count from 1 as they come.

    A label image holds one object at each pixel: where two overlap, the smaller one lies on top,
    of two equal ones that which came first. An object of which no pixel is left has no number in
    the image. All of this is told in the notes of `truth`.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._labels_HW = np.zeros(shape, np.int32)
        self._areas = [0]  # of the background and of each object
        self._work = 0
        self._n_shared = 0
        self._n_cut = 0
        self._n_flat = 0

    def draw(self, polygons: Sequence[Polygon], name: str) -> None:
        """Add an object of one or more polygons; a pixel belongs to it if its centre does.

        Raises ValueError, one sentence with the object's name: corners that are no numbers, an
        object wholly beside the image, and so many and large ones that they are no objects.
        """
        polygons = [polygon for polygon in polygons if sum(map(len, polygon))]
        corners = _join([ring for polygon in polygons for ring in polygon], float)
        if not np.isfinite(corners).all():
            raise ValueError(f"{name} has corners that are no numbers: export it again.")
        if len(corners):
            self._check_place(corners, name)
        height, width = self._labels_HW.shape
        for polygon in polygons:
            box_2 = np.ptp(_join(polygon, float).clip(0, (height, width)), axis=0)
            rows = sum(np.abs(np.diff(ring[:, 0].clip(0, height))).sum() for ring in polygon)
            self._spend(int(np.prod(box_2) + rows))
        filled = [fill(polygon, (height, width)) for polygon in polygons]
        places_P2 = _join([one.places() for one in filled], int)
        self._paint(places_P2[:, 0], places_P2[:, 1])

    def put(self, row_P: np.ndarray, column_P: np.ndarray) -> None:
        """Add an object that consists of these pixels of the image."""
        self._spend(len(row_P))
        self._paint(row_P, column_P)

    def truth(self) -> Truth:
        """The labels, int32, and notes on what could not be kept as it was drawn."""
        kept = np.bincount(self._labels_HW.ravel(), minlength=len(self._areas)) > 0
        n_covered = int((np.array(self._areas[1:]) > 0).sum() - kept[1:].sum())
        notes = []
        if self._n_shared:
            notes.append(
                f"Objects overlap, in {self._n_shared} pixels: there the smaller one lies on top"
                + (f", and {n_covered} of them are wholly covered." if n_covered else ".")
            )
        if self._n_cut:
            notes.append(f"{_objects(self._n_cut)} beyond the image: cut off at its edge.")
        if self._n_flat:
            notes.append(f"Too small to hold the centre of a pixel, and left out: {self._n_flat}.")
        return Truth(self._labels_HW, tuple(notes))

    def _check_place(self, corners: np.ndarray, name: str) -> None:
        low, high = corners.min(axis=0), corners.max(axis=0)
        height, width = self._labels_HW.shape
        if high.min() <= 0 or low[0] >= height or low[1] >= width:
            raise ValueError(
                f"{name} lies beside the image, at rows {low[0]:.0f} to {high[0]:.0f} and columns "
                f"{low[1]:.0f} to {high[1]:.0f}, but the image has {height} rows and {width} "
                "columns: the outlines were drawn in an image of another size."
            )
        self._n_cut += bool(low.min() < -_SLACK or (high > [height + _SLACK, width + _SLACK]).any())

    def _spend(self, n_pixels: int) -> None:
        self._work += n_pixels
        if self._work > max(_AT_LEAST, _MOST_COVERS * self._labels_HW.size):
            raise ValueError(
                f"The objects cover the image more than {_MOST_COVERS} times over: the file is no "
                "drawing of separate objects."
            )

    def _paint(self, row_P: np.ndarray, column_P: np.ndarray) -> None:
        number, area = len(self._areas), len(row_P)
        self._areas.append(area)
        self._n_flat += area == 0
        there_P = self._labels_HW[row_P, column_P]
        self._n_shared += int((there_P > 0).sum())
        larger = [one for one in np.unique(there_P).tolist() if not one or self._areas[one] > area]
        is_mine_P = np.isin(there_P, larger)
        self._labels_HW[row_P[is_mine_P], column_P[is_mine_P]] = number


def _join(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    """Rows of two numbers, one array below the other; none where there is none."""
    return np.concatenate([np.zeros((0, 2), dtype), *arrays])


def _objects(count: int) -> str:
    return "One object reaches" if count == 1 else f"{count} objects reach"
