"""What went wrong, one error at a time: misses, false alarms, splits, merges and bad outlines.

Axes: H rows, W columns. The hits are those of `matching.match` at an IoU threshold. Two objects
belong together when they are a hit, or when more than half of the one lies in the other; whatever
hangs together so, directly or over others, is a group. A group whose objects are all hits is no
error. Any other one is exactly one error, and its kind follows from how many objects it has:

- miss: one true object alone
- false alarm: one predicted object alone
- merge: fewer predicted than true objects
- split: more predicted than true objects
- bad outline: as many of both; most often a pair whose IoU is below the threshold

An object can have more than half of itself in one other object only, so groups stay small, and
each object is in exactly one. Hence the objects that errors call missed and false add up to the FN
and FP of `match`: for instance, of two true objects under one predicted object that hits the larger
one, the merge misses the smaller one and has nothing false.

The kinds are those of Caicedo and others 2019 (Cytometry A 95, 952-965), who report missed, split
and merged nuclei. Theirs differ in three ways: an object has part in a merge or a split where its
IoU with two others is above .1, which a small piece of a large nucleus never reaches; one object
may be counted in several kinds; and a bad outline is one miss and one false alarm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from unet_core.base.records import finite
from unet_core.imaging import matching
from unet_core.imaging.matching import Counts

MOST_ROWS = 5000  # a document lists no more: an untrained network makes millions
KINDS = ("miss", "false alarm", "merge", "split", "bad outline")
BOX = ("bbox-0", "bbox-1", "bbox-2", "bbox-3")  # as in `measure`
LABELS = ("true_labels", "pred_labels")


@dataclass(frozen=True)
class Error:
    """One error.

    n_missed and n_false: its true and predicted objects that are no hits. iou: the largest one
    that any of those reaches, with whatever object. true_area and pred_area: the pixels of all its
    objects, hits included, as are the labels. box: first row, first column, last row + 1, last
    column + 1 around all of them.
    """

    kind: str
    n_missed: int
    n_false: int
    iou: float
    true_area: int
    pred_area: int
    box: tuple[int, int, int, int]
    true_labels: tuple[int, ...]
    pred_labels: tuple[int, ...]


def find(true_HW: np.ndarray, pred_HW: np.ndarray, iou: float = 0.5) -> list[Error]:
    """The errors of an image at an IoU threshold, in raster order of their boxes.

    Arguments and ValueErrors as in `matching.match`.

    >>> true = np.array([[1, 1, 2, 2, 2, 0, 3]])
    >>> [(one.kind, one.true_labels) for one in find(true, np.array([[5, 5, 5, 5, 5, 0, 0]]))]
    [('merge', (1, 2)), ('miss', (3,))]
    """
    matching.check_iou(iou)
    table = matching.overlaps(true_HW, pred_HW)
    hits = matching.assign(table, iou)
    n_true, n_pred = len(table.true_ids), len(table.pred_ids)
    group_N, n_groups = _group(table, hits)
    is_hit_N = np.zeros(n_true + n_pred, bool)
    is_hit_N[table.row[hits]] = is_hit_N[n_true + table.column[hits]] = True
    iou_N = np.zeros(n_true + n_pred)
    np.maximum.at(iou_N, table.row, table.iou)
    np.maximum.at(iou_N, n_true + table.column, table.iou)
    box_N4 = np.concatenate([_boxes(true_HW, table.true_ids), _boxes(pred_HW, table.pred_ids)])
    # Objects sorted by group: one slice for each error, and no search through all of them.
    order = np.argsort(group_N, kind="stable")
    ends = np.cumsum(np.bincount(group_N, minlength=n_groups))
    found = []
    for number in np.unique(group_N[~is_hit_N]):
        members = order[ends[number - 1] if number else 0 : ends[number]]
        wrong = members[~is_hit_N[members]]
        true, pred = members[members < n_true], members[members >= n_true] - n_true
        n_missed = int((wrong < n_true).sum())
        first, last = box_N4[members, :2].min(axis=0), box_N4[members, 2:].max(axis=0)
        found.append(
            Error(
                kind=_kind(len(true), len(pred)),
                n_missed=n_missed,
                n_false=len(wrong) - n_missed,
                iou=float(iou_N[wrong].max()),
                true_area=int(table.true_areas[true].sum()),
                pred_area=int(table.pred_areas[pred].sum()),
                box=(int(first[0]), int(first[1]), int(last[0]), int(last[1])),
                true_labels=tuple(table.true_ids[true].tolist()),
                pred_labels=tuple(table.pred_ids[pred].tolist()),
            )
        )
    return sorted(found, key=lambda one: one.box)


def _group(table: matching.Overlaps, hits: np.ndarray) -> tuple[np.ndarray, int]:
    """The group of every object, true ones first, and how many groups there are."""
    smaller = np.minimum(table.true_areas[table.row], table.pred_areas[table.column])
    belongs = 2 * table.shared > smaller
    belongs[hits] = True
    row, column = table.row[belongs], len(table.true_ids) + table.column[belongs]
    size = len(table.true_ids) + len(table.pred_ids)
    graph = coo_array((np.ones(len(row), bool), (row, column)), shape=(size, size))
    n_groups, group_N = connected_components(graph, directed=False)
    return group_N, n_groups


def _kind(n_true: int, n_pred: int) -> str:
    if n_true == n_pred:
        return "bad outline"
    if n_true and n_pred:
        return "merge" if n_true > n_pred else "split"
    return "miss" if n_true else "false alarm"


def _boxes(labels_HW: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """First row, first column, last row + 1 and last column + 1 of every object."""
    boxes = matching.boxes(labels_HW)
    found = [boxes[label] for label in ids.tolist()]
    return np.array([(r.start, c.start, r.stop, c.stop) for r, c in found], int).reshape(-1, 4)


def mend(counts: Counts, errors: Iterable[Error]) -> Counts:
    """The counts if these errors, of the images that were counted, had not been made.

    Each missed object is then a hit with its true outline, each false one is not there, and all
    others stay as they are.
    """
    for one in errors:
        counts += Counts(one.n_missed, -one.n_false, -one.n_missed, float(one.n_missed))
    return counts


class Tally:
    """The errors of the images of a split; `document` adds them up at the end."""

    def __init__(self, iou: float = 0.5) -> None:
        self.iou = iou
        self.counts = Counts()
        self.errors: list[tuple[str, Error]] = []

    def add(self, name: str, true_HW: np.ndarray, pred_HW: np.ndarray) -> None:
        """Look at an image. Raises ValueError as `find`."""
        self.counts += matching.match(true_HW, pred_HW, self.iou)
        self.errors += [(name, one) for one in find(true_HW, pred_HW, self.iou)]

    def document(self) -> dict[str, Any]:
        """`kinds`: a row for each kind; `rows`: a row for each error, those that cost most first.

        Rows beyond `MOST_ROWS` are only counted, as `left_out`; the kinds count all of them.

        A kind has the number of errors, of objects that they miss and have false, and the pooled F1
        that would be if none of them had been made (`mend`). The sums of `n_missed` and `n_false`
        are the pooled FN and FP.
        """
        errors = sorted(self.errors, key=_cost)
        return {
            "iou": self.iou,
            "kinds": self._kinds(),
            "rows": [_row(*one) for one in errors[:MOST_ROWS]],
            "left_out": max(0, len(errors) - MOST_ROWS),
        }

    def _kinds(self) -> list[dict[str, Any]]:
        found = []
        for kind in KINDS:
            errors = [one for _, one in self.errors if one.kind == kind]
            found.append(
                {
                    "kind": kind,
                    "errors": len(errors),
                    "n_missed": sum(one.n_missed for one in errors),
                    "n_false": sum(one.n_false for one in errors),
                    "f1_if_mended": finite(mend(self.counts, errors).f1),
                }
            )
        return found


def _cost(named: tuple[str, Error]) -> tuple[Any, ...]:
    """Sorts the errors with most objects to the front, and large ones before small ones."""
    name, one = named
    return -one.n_missed - one.n_false, -(one.true_area or one.pred_area), name, one.box


def _row(name: str, error: Error) -> dict[str, Any]:
    """An error as JSON has it, where lists are the only sequences."""
    values = {key: list(value) if isinstance(value, tuple) else value
              for key, value in asdict(error).items()}  # fmt: skip
    return {"image": name, **values}


def table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows of `Tally.document` as a table for files: boxes as four columns, labels as text."""
    plain = [
        {key: value for key, value in row.items() if key not in ("box", *LABELS)}
        | dict(zip(BOX, row["box"], strict=True))
        | {key: " ".join(map(str, row[key])) for key in LABELS}
        for row in rows
    ]
    names = [name for name in Error.__dataclass_fields__ if name not in ("box", *LABELS)]
    return pd.DataFrame(plain, columns=["image", *names, *BOX, *LABELS])
