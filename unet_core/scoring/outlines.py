"""How well the outlines of hits fit, beside their overlap: boundary F1, Hausdorff 95 %, area.

Axes: H rows, W columns. A hit is a pair of `matching.match`. The contour of an object is its pixels
that have one of their four direct neighbours outside of it; what lies beyond the image is outside.
Distances are Euclidean, from pixel centre to pixel centre. The definitions:

- boundary F1: precision is the share of the predicted contour that is at most the tolerance away
  from the true one, recall the reverse, F1 = 2 P R / (P + R), 0 where both are 0. Csurka, Larlus
  and Perronnin 2013 (BMVC, "What is a good evaluation measure for semantic segmentation?"); there
  the tolerance is a share of the image's diagonal, and contours are those of a class, not of one
  object.
- Hausdorff 95 %: the larger of the two 95th percentiles (linear interpolation) of the distances
  from each contour pixel of the one object to the nearest of the other, after Huttenlocher and
  others 1993 (IEEE TPAMI 15, 850-863), as in Maier-Hein and others 2024 (Nature Methods 21,
  195-212), so that a single stray pixel does not decide.
- area error: (predicted - true) / true area; above 0 the object was found too large.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from unet_core.imaging import matching

TOLERANCE_PX = 1.0


@dataclass(frozen=True)
class Fit:
    """How well two objects fit: boundary F1 (0..1), Hausdorff 95 % (px), area error (share)."""

    boundary_f1: float
    hausdorff_95: float
    area_error: float


def compare(true_HW: np.ndarray, pred_HW: np.ndarray, tolerance: float = TOLERANCE_PX) -> Fit:
    """The fit of two masks (bool) of one shape, each with a pixel at least.

    Raises ValueError for an empty mask, two shapes, and a negative tolerance.

    >>> square = np.pad(np.ones((4, 4), bool), 2)
    >>> compare(square, np.pad(np.ones((4, 6), bool), ((2, 2), (2, 0)))).area_error
    0.5
    """
    if true_HW.shape != pred_HW.shape:
        raise ValueError(f"masks must have one shape, got {true_HW.shape} and {pred_HW.shape}")
    if not true_HW.any() or not pred_HW.any():
        raise ValueError("both masks must have a pixel at least, got an empty one")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or more, got {tolerance}")
    true_edge_HW, pred_edge_HW = contour(true_HW), contour(pred_HW)
    to_true = ndimage.distance_transform_edt(~true_edge_HW)[pred_edge_HW]
    to_pred = ndimage.distance_transform_edt(~pred_edge_HW)[true_edge_HW]
    precision, recall = (float((one <= tolerance).mean()) for one in (to_true, to_pred))
    both = precision + recall
    return Fit(
        boundary_f1=2 * precision * recall / both if both else 0.0,
        hausdorff_95=max(float(np.percentile(one, 95)) for one in (to_true, to_pred)),
        area_error=float(pred_HW.sum() / true_HW.sum() - 1),
    )


def contour(mask_HW: np.ndarray) -> np.ndarray:
    """The pixels of a mask (bool) with a direct neighbour outside of it, or beyond the image."""
    padded_HW = np.pad(mask_HW, 1)
    inside_HW = padded_HW[:-2, 1:-1] & padded_HW[2:, 1:-1]
    inside_HW &= padded_HW[1:-1, :-2] & padded_HW[1:-1, 2:]
    return mask_HW & ~inside_HW


def fits(
    true_HW: np.ndarray, pred_HW: np.ndarray, iou: float = 0.5, tolerance: float = TOLERANCE_PX
) -> list[Fit]:
    """The fit of every hit, in the order of `matching.pairs`.

    Each pair is looked at in the box around both objects. Errors as in `matching.match`.
    """
    pairs = zip(*(ids.tolist() for ids in matching.pairs(true_HW, pred_HW, iou)), strict=True)
    true_boxes, pred_boxes = (matching.boxes(one) for one in (true_HW, pred_HW))
    found = []
    for true, pred in pairs:
        boxes = zip(true_boxes[true], pred_boxes[pred], strict=True)
        here = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in boxes)
        found.append(compare(true_HW[here] == true, pred_HW[here] == pred, tolerance))
    return found


class Tally:
    """The fits of the hits of a split; `document` sums them up at the end."""

    def __init__(self, iou: float = 0.5, *, pixel_size_um: float | None = None) -> None:
        self.iou = iou
        self.pixel_size_um = pixel_size_um
        self.fits: list[Fit] = []

    def add(self, true_HW: np.ndarray, pred_HW: np.ndarray) -> None:
        """Look at an image. Raises ValueError as `fits`."""
        self.fits += fits(true_HW, pred_HW, self.iou)

    def document(self) -> dict[str, Any]:
        """Over all hits: the mean boundary F1, the medians of the others; None without a hit.

        `hausdorff_95_um` is None where nobody knows how large a pixel is. `area_error` keeps its
        sign, so that too large and too small cancel; `area_error_size` is without it.
        """
        table_N3 = np.array([(one.boundary_f1, one.hausdorff_95, one.area_error)
                             for one in self.fits]).reshape(-1, 3)  # fmt: skip
        f1_N, hausdorff_N, area_N = table_N3.T
        hausdorff, hausdorff_um = _median(hausdorff_N), None
        if hausdorff is not None and self.pixel_size_um is not None:
            hausdorff_um = hausdorff * self.pixel_size_um
        return {
            "iou": self.iou,
            "tolerance_px": TOLERANCE_PX,
            "n_hits": len(self.fits),
            "boundary_f1": float(f1_N.mean()) if len(f1_N) else None,
            "hausdorff_95_px": hausdorff,
            "hausdorff_95_um": hausdorff_um,
            "area_error": _median(area_N),
            "area_error_size": _median(np.abs(area_N)),
        }


def _median(values_N: np.ndarray) -> float | None:
    return float(np.median(values_N)) if len(values_N) else None
