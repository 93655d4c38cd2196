"""How well predicted objects agree with true ones: counts first, division last.

Axes: H rows, W columns, T true objects, P predicted objects. The definitions:
IoU = overlap / (area + area - overlap), background left out; at a threshold, objects are paired by
an optimal one-to-one assignment that first maximises the number of pairs with IoU >= threshold,
then the sum of IoU. True positives are the pairs with IoU >= threshold. As in StarDist's
`matching`, the sum is over all pairs, those below the threshold included: below .5, where objects
may have a choice, this decides which pairs count for PQ, but never how many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from unet_core.imaging.labels import check_labels

# Written out, for 0.5 + 0.05 * i is not always the float64 nearest to the decimal number.
IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)

# The overlap table is dense up to this many cells per pixel, sparse beyond.
DENSE_CELLS_PER_PIXEL = 4
# Larger labels than this times (height + width) are renumbered before they are counted.
LABELS_PER_SIDE = 4


@dataclass(frozen=True)
class Counts:
    """Matched (tp), superfluous (fp) and missed (fn) objects, and the IoU sum of the matches.

    Adding counts pools images. With neither a true nor a predicted object every score is NaN;
    with objects on one side only it is 0.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    iou_sum: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.tp + other.tp,
            self.fp + other.fp,
            self.fn + other.fn,
            self.iou_sum + other.iou_sum,
        )

    @property
    def n_true(self) -> int:
        """Number of true objects."""
        return self.tp + self.fn

    @property
    def n_pred(self) -> int:
        """Number of predicted objects."""
        return self.tp + self.fp

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are right: TP / (TP + FP)."""
        return self._divide(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the true objects that were found: TP / (TP + FN)."""
        return self._divide(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return self._divide(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def ap(self) -> float:
        """TP / (TP + FP + FN), the Data Science Bowl's average precision."""
        return self._divide(self.tp, self.tp + self.fp + self.fn)

    @property
    def pq(self) -> float:
        """Panoptic quality, the IoU sum of the matches / (TP + FP/2 + FN/2)."""
        return self._divide(self.iou_sum, self.tp + self.fp / 2 + self.fn / 2)

    def _divide(self, part: float, whole: float) -> float:
        if self.tp + self.fp + self.fn == 0:
            return float("nan")
        return part / whole if whole else 0.0


def match(true_HW: np.ndarray, pred_HW: np.ndarray, iou: float = 0.5) -> Counts:
    """Counts of true and predicted objects that agree with `IoU >= iou`.

    Both are label images of one shape, of any integer type, 0 for background; labels may have
    gaps and be large. `iou` in (0, 1]. Raises ValueError for anything else.

    >>> true = np.array([[1, 1, 0, 2]])
    >>> match(true, np.array([[7, 7, 7, 0]]))
    Counts(tp=1, fp=0, fn=1, iou_sum=0.6666666666666666)
    """
    return match_many(true_HW, pred_HW, (iou,))[0]


def match_many(
    true_HW: np.ndarray, pred_HW: np.ndarray, ious: Sequence[float] = IOUS
) -> list[Counts]:
    """The counts at each of several IoU thresholds, from one overlap table.

    Arguments and errors as in `match`.
    """
    for iou in ious:
        check_iou(iou)
    overlap = overlaps(true_HW, pred_HW)
    counts = []
    for iou in ious:
        chosen = assign(overlap, iou)
        tp = len(chosen)
        fp, fn = len(overlap.pred_ids) - tp, len(overlap.true_ids) - tp
        counts.append(Counts(tp, fp, fn, float(overlap.iou[chosen].sum())))
    return counts


def pairs(
    true_HW: np.ndarray, pred_HW: np.ndarray, iou: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """The labels of the matched objects: true ones, rising, and beside each its predicted one.

    Arguments and errors as in `match`; both arrays have TP entries.
    """
    check_iou(iou)
    overlap = overlaps(true_HW, pred_HW)
    chosen = assign(overlap, iou)
    chosen = chosen[np.argsort(overlap.row[chosen])]
    return overlap.true_ids[overlap.row[chosen]], overlap.pred_ids[overlap.column[chosen]]


def iou_matrix(true_HW: np.ndarray, pred_HW: np.ndarray) -> np.ndarray:
    """The IoU of every true with every predicted object, float64, shape (T, P).

    Rows and columns in the order of rising labels, without rows for labels that do not occur.
    Arguments and errors as in `match`.
    """
    overlap = overlaps(true_HW, pred_HW)
    iou_TP = np.zeros((len(overlap.true_ids), len(overlap.pred_ids)))
    iou_TP[overlap.row, overlap.column] = overlap.iou
    return iou_TP


@dataclass(frozen=True)
class Overlaps:
    """The pairs of objects that share a pixel: entry k is (row[k], column[k]) with iou[k].

    Rows and columns count the labels that occur, in rising order, as in `true_ids` and `pred_ids`;
    areas and `shared` are in pixels.
    """

    true_ids: np.ndarray
    pred_ids: np.ndarray
    true_areas: np.ndarray
    pred_areas: np.ndarray
    row: np.ndarray
    column: np.ndarray
    shared: np.ndarray
    iou: np.ndarray


def overlaps(true_HW: np.ndarray, pred_HW: np.ndarray) -> Overlaps:
    """The overlap table of two label images. Arguments and errors as in `match`."""
    true_HW, pred_HW = check_labels(true_HW, "true_HW"), check_labels(pred_HW, "pred_HW")
    if true_HW.shape != pred_HW.shape:
        raise ValueError(
            f"true_HW and pred_HW must have the same shape, got {true_HW.shape} and {pred_HW.shape}"
        )
    true_ids, true_N = _small(true_HW)
    pred_ids, pred_N = _small(pred_HW)
    keys_N = true_N * len(pred_ids)
    keys_N += pred_N
    cells = len(true_ids) * len(pred_ids)
    if cells <= DENSE_CELLS_PER_PIXEL * keys_N.size:
        table = np.bincount(keys_N, minlength=cells)
        keys = np.flatnonzero(table)
        shared = table[keys]
    else:
        keys, shared = np.unique(keys_N, return_counts=True)
    row, column = np.divmod(keys, len(pred_ids))
    # Every pixel is counted once, so the sums are the areas, background included.
    true_areas = np.bincount(row, shared, minlength=len(true_ids))
    pred_areas = np.bincount(column, shared, minlength=len(pred_ids))
    both = (true_ids[row] > 0) & (pred_ids[column] > 0)
    row, column, shared = row[both], column[both], shared[both]
    iou = shared / (true_areas[row] + pred_areas[column] - shared)
    true_kept = (true_areas > 0) & (true_ids > 0)
    pred_kept = (pred_areas > 0) & (pred_ids > 0)
    return Overlaps(
        true_ids[true_kept],
        pred_ids[pred_kept],
        true_areas[true_kept],
        pred_areas[pred_kept],
        (np.cumsum(true_kept) - 1)[row],
        (np.cumsum(pred_kept) - 1)[column],
        shared,
        iou,
    )


def _small(labels_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and every pixel as its label's place among them; some may not occur."""
    labels_N = labels_HW.ravel()
    largest = int(labels_N.max(initial=0))
    # Sorting takes ten times as long as all else together; gaps in the labels do not.
    if largest < LABELS_PER_SIDE * sum(labels_HW.shape):
        return np.arange(largest + 1), labels_N.astype(np.intp)
    ids, places_N = np.unique(labels_N, return_inverse=True)
    return ids, places_N


def boxes(labels_HW: np.ndarray) -> dict[int, tuple[slice, slice]]:
    """The rows and columns that each object takes, by its label. Labels may be large."""
    labels_HW = np.asarray(labels_HW)
    places_HW = labels_HW
    largest = int(labels_HW.max(initial=0))
    if largest <= labels_HW.size:
        ids = np.arange(1, largest + 1)
    else:  # find_objects makes a list that is as long as the largest label
        ids = np.unique(labels_HW[labels_HW > 0])
        places_HW = np.where(labels_HW > 0, np.searchsorted(ids, labels_HW) + 1, 0)
    found = zip(ids.tolist(), ndimage.find_objects(places_HW), strict=True)
    return {label: box for label, box in found if box is not None}


def check_iou(iou: float) -> None:
    """Raise ValueError unless it is an IoU threshold that objects can be matched at."""
    if not 0 < iou <= 1:
        raise ValueError(f"iou must be in (0, 1], got {iou}")


def assign(overlap: Overlaps, threshold: float) -> np.ndarray:
    """The entries of the overlap table that the optimal assignment pairs at this threshold."""
    near = np.flatnonzero(overlap.iou >= threshold)
    if threshold >= 0.5:
        # Only one partner can reach more than half. Exactly one half can be reached twice, by the
        # two halves of one object, which then overlap nothing else: either will do.
        near = near[np.unique(overlap.row[near], return_index=True)[1]]
        return near[np.unique(overlap.column[near], return_index=True)[1]]
    return _assign_below_half(overlap, threshold)


def _assign_below_half(overlap: Overlaps, threshold: float) -> np.ndarray:
    """As `assign`, where an object may have several partners above the threshold."""
    n_rows, n_columns = len(overlap.true_ids), len(overlap.pred_ids)
    good = overlap.iou >= threshold
    # One more good pair always weighs more than all IoU together, for none of those is above 1.
    gain = good * (min(n_rows, n_columns) + 1.0) + overlap.iou
    # Every row has a column of its own to stay unpaired with, so that a full matching exists.
    # Costs start at 1, for the sparse solver takes no zeros.
    most = min(n_rows, n_columns) + 3.0
    own = np.arange(n_rows)
    cost = coo_array(
        (
            np.concatenate([most - gain, np.full(n_rows, most)]),
            (
                np.concatenate([overlap.row, own]),
                np.concatenate([overlap.column, n_columns + own]),
            ),
        ),
        shape=(n_rows, n_columns + n_rows),
    )
    partner_T = min_weight_full_bipartite_matching(cost.tocsr())[1]
    return np.flatnonzero(good & (partner_T[overlap.row] == overlap.column))
