"""How a score depends on two settings at once, over a whole split: a hill, and how broad its top.

Axes of the counts: R rows (foreground thresholds), K columns (marker thresholds, or smallest
sizes), I images, J IoU thresholds, the three counts TP, FP, FN, and D random draws of images.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from unet_core.base import device
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.base.records import finite
from unet_core.imaging import instances, matching, targets
from unet_core.scoring.predictions import Predicted, Progress

MEASURES = ("f1", "ap")
AVERAGES = ("pooled", "by_image")
CHOICE_IOUS = (0.5, 0.6, 0.7, 0.8, 0.9)  # as results are often summed up
PLATEAU = 0.005  # what lies closer to the best than this is as good
LISTEN_SECONDS = 0.3  # between two moments in which whoever waits for the threads hears a stop

THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
MARKERS = tuple(round(0.1 * step, 1) for step in range(1, 10))
MIN_SIZES = (0, 5, 10, 20, 40, 80)
STEPS = {"threshold": 0.05, "marker_threshold": 0.1}  # of an axis that grows; sizes double
MORE = 3  # steps that it grows by
DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a score is: its measure, its average, and the overlap that makes a hit.

    Raises ValueError for anything unknown, and an IoU outside (0, 1].
    """

    iou: float = 0.5
    measure: str = "f1"
    average: str = "pooled"

    def __post_init__(self) -> None:
        for name, known in (("measure", MEASURES), ("average", AVERAGES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, got {getattr(self, name)}")
        if not 0 < self.iou <= 1:
            raise ValueError(f"iou must be in (0, 1], got {self.iou}")

    @property
    def words(self) -> str:
        """For people: "pooled F1 at IoU 0.5"."""
        return f"{self.average.replace('_', '-')} {self.measure.upper()} at IoU {self.iou:g}"


@dataclass(frozen=True)
class Grid:
    """The settings to try: every threshold (row) with every value of a second one (column).

    The second setting is the marker threshold of a watershed, and the smallest size of components.
    Raises ValueError for an empty axis, one that does not rise, and values that no setting takes.
    """

    base: Segmentation  # all other settings
    thresholds: tuple[float, ...]
    columns: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, values in (("thresholds", self.thresholds), ("columns", self.columns)):
            if not values or list(values) != sorted(set(values)):
                raise ValueError(f"{name} must be rising values, at least one, got {values}")
        for row, column in ((0, 0), (-1, -1)):
            self.settings(row, column)

    @property
    def second(self) -> str:
        """The name of the second setting."""
        return "marker_threshold" if self.base.method == "watershed" else "min_size"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.thresholds), len(self.columns)

    @property
    def n_cells(self) -> int:
        """How many settings there are to try."""
        return len(self.thresholds) * len(self.columns)

    def settings(self, row: int, column: int) -> Segmentation:
        """The settings of a cell."""
        cell = {"threshold": self.thresholds[row], self.second: self.columns[column]}
        return self.base.replace(**cell)

    def base_cell(self) -> tuple[int, int]:
        """The cell that is nearest to the base settings, for most grids those themselves."""
        row = np.abs(np.subtract(self.thresholds, self.base.threshold)).argmin()
        column = np.abs(np.subtract(self.columns, getattr(self.base, self.second))).argmin()
        return int(row), int(column)


def make_grid(
    base: Segmentation,
    *,
    thresholds: Sequence[float] | None = None,
    columns: Sequence[float] | None = None,
) -> Grid:
    """A grid of the given values; an axis without any gets the usual ones and the base's own."""
    is_watershed = base.method == "watershed"
    if thresholds is None:
        thresholds = [*THRESHOLDS, base.threshold]
    if columns is None and is_watershed:
        columns = [*MARKERS, base.marker_threshold]
    elif columns is None:
        columns = [*MIN_SIZES, base.min_size]
    return Grid(base, tuple(sorted(set(thresholds))), tuple(sorted(set(columns))))


def join(parts: Sequence[Grid]) -> Grid:
    """The smallest grid that holds all of these."""
    thresholds = {value for part in parts for value in part.thresholds}
    columns = {value for part in parts for value in part.columns}
    return Grid(parts[0].base, tuple(sorted(thresholds)), tuple(sorted(columns)))


def fill(grid: Grid, parts: Sequence[tuple[Grid, np.ndarray]]) -> np.ndarray:
    """The counts [R, K, ...] of a grid, put together from those of grids that are parts of it."""
    counts = np.zeros((*grid.shape, *parts[0][1].shape[2:]), np.int64)
    for part, its in parts:
        rows = np.searchsorted(grid.thresholds, part.thresholds)
        counts[np.ix_(rows, np.searchsorted(grid.columns, part.columns))] = its
    return counts


@dataclass(frozen=True)
class Landscape:
    """A score for every cell of a grid: the best cell, and those that are as good.

    `gains_D` is what choosing gains on images that had no part in it, see `held_out_gains`.
    """

    grid: Grid
    aim: Aim
    images: int
    values_RK: np.ndarray  # float64; NaN where there is nothing to score
    gains_D: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def best(self) -> tuple[int, int]:
        """The cell with the highest score; among equals the nearest to the base settings."""
        known_RK = np.nan_to_num(self.values_RK, nan=-1.0)
        cells = np.argwhere(known_RK == known_RK.max())
        row, column = cells[np.abs(cells - self.grid.base_cell()).sum(axis=1).argmin()]
        return int(row), int(column)

    @property
    def settings(self) -> Segmentation:
        """The settings of the best cell."""
        return self.grid.settings(*self.best)

    @property
    def plateau_RK(self) -> np.ndarray:
        """Bool: the cells whose score is at most `PLATEAU` below the best."""
        # A rounding error must not decide about a score that is exactly so far below.
        return self.values_RK >= self.values_RK[self.best] - PLATEAU - 1e-9

    @property
    def beyond(self) -> dict[str, tuple[float, ...]]:
        """Values of each setting to try beyond the edge that the best cell lies on.

        A setting is left out where a value inside is as good, and where it can go no further.
        """
        if np.isnan(self.values_RK).all():
            return {}
        found = {}
        equals = np.nonzero(self.values_RK == self.values_RK[self.best])
        axes = {"threshold": self.grid.thresholds, self.grid.second: self.grid.columns}
        for (name, values), at, places in zip(axes.items(), self.best, equals, strict=True):
            is_inside = ((places > 0) & (places < len(values) - 1)).any()
            if not is_inside and (more := _beyond(values, at, name)):
                found[name] = more
        return found

    @property
    def strips(self) -> list[Grid]:
        """What a grid lacks that holds `beyond`, too: new rows, and new columns of all rows."""
        grid, beyond = self.grid, self.beyond
        rows, columns = beyond.get("threshold", ()), beyond.get(grid.second, ())
        found = [Grid(grid.base, rows, grid.columns)] if rows else []
        if columns:
            thresholds = tuple(sorted((*grid.thresholds, *rows)))
            found.append(Grid(grid.base, thresholds, columns))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a score that does not exist is None.

        One of `markers` and `min_sizes` holds the values of the columns, the other is empty.
        """
        grid = self.grid
        is_watershed = grid.second == "marker_threshold"
        row, column = self.best
        return {
            **asdict(self.aim),
            "images": self.images,
            "second": grid.second,
            "thresholds": list(grid.thresholds),
            "markers": list(grid.columns) if is_watershed else [],
            "min_sizes": [] if is_watershed else list(grid.columns),
            "values": [[finite(value) for value in values] for values in self.values_RK],
            "best": {**self._cell(row, column), "segmentation": self.settings.to_dict()},
            "base": {**self._cell(*grid.base_cell()), "segmentation": grid.base.to_dict()},
            "plateau": self._plateau(),
            "gain": self._gain(),
        }

    def _cell(self, row: int, column: int) -> dict[str, Any]:
        return {
            "row": row,
            "column": column,
            "threshold": self.grid.thresholds[row],
            self.grid.second: self.grid.columns[column],
            "value": finite(self.values_RK[row, column]),
        }

    def _gain(self) -> dict[str, Any] | None:
        if not len(self.gains_D):
            return None
        better = float((self.gains_D > 0).mean())
        return {
            "draws": len(self.gains_D),
            "better": better,
            "median": float(np.median(self.gains_D)),
        }

    def _plateau(self) -> dict[str, Any]:
        rows, columns = np.nonzero(self.plateau_RK)
        grid = self.grid
        return {
            "within": PLATEAU,
            "cells": np.argwhere(self.plateau_RK).tolist(),
            "threshold": _span(grid.thresholds, rows),
            grid.second: _span(grid.columns, columns),
        }


def _span(values: Sequence[float], places: np.ndarray) -> list[float] | None:
    return [values[places.min()], values[places.max()]] if len(places) else None


def _beyond(values: Sequence[float], at: int, name: str) -> tuple[float, ...]:
    """`MORE` rising values beyond the end of an axis that the place is; none inside."""
    about = Segmentation.__dataclass_fields__[name].metadata
    counted = range(1, MORE + 1)
    more: list[float] = []
    if name == "min_size":
        more = [values[-1] * 2**one for one in counted] if at == len(values) - 1 else []
    elif at == 0:
        more = [values[0] - one * STEPS[name] for one in reversed(counted)]
    elif at == len(values) - 1:
        more = [values[-1] + one * STEPS[name] for one in counted]
    rounded = [one if name == "min_size" else round(one, 2) for one in more]
    return tuple(one for one in rounded if about["low"] <= one <= about["high"])


def landscape(
    predicted: list[Predicted],
    config: ModelConfig,
    *,
    iou: float = 0.5,
    measure: str = "f1",
    average: str = "pooled",
    thresholds: Sequence[float] | None = None,
    markers: Sequence[float] | None = None,
    base: Segmentation | None = None,
    on_progress: Progress | None = None,
) -> Landscape:
    """The scores of some images over a grid of settings.

    Args:
        predicted: the images with their probabilities and truth.
        config: the model's; its tuned settings are the base unless one is given.
        iou: from this overlap on a found object is a hit, in (0, 1].
        measure: "f1" or "ap".
        average: "pooled" adds the counts of all images; "by_image" takes the mean of their scores.
        thresholds: the rows; None takes the usual ones.
        markers: the columns, marker thresholds (smallest sizes where the base's method is
            components); None takes the usual ones.
        base: all other settings.
        on_progress: told how many images are done.

    Raises ValueError for no images at all, and impossible options.
    """
    aim = Aim(iou=iou, measure=measure, average=average)
    grid = make_grid(base or start(config), thresholds=thresholds, columns=markers)
    if not predicted:
        raise ValueError("predicted must hold at least one image, got none")
    counts_RKIJ3 = count(predicted, grid, (iou,), on_progress=on_progress)
    return from_counts(counts_RKIJ3, grid, (iou,), aim)


def count(
    predicted: list[Predicted],
    grid: Grid,
    ious: Sequence[float],
    *,
    on_progress: Progress | None = None,
) -> np.ndarray:
    """TP, FP and FN of every cell, image and IoU threshold: int64 [R, K, I, J, 3].

    Two cores take about 25 s for the 67 validation images of DSB 2018 and 117 cells. Threads, for
    the flood and the labelling let each other run, and nothing has to be copied to a process.
    """
    counts_RKIJ3 = np.zeros((*grid.shape, len(predicted), len(ious), 3), np.int64)
    is_over = threading.Event()  # for the threads: whoever waits for them may be interrupted

    def work(index: int) -> None:
        one = predicted[index]
        for row, column in np.ndindex(grid.shape):
            if is_over.is_set():
                return
            labels_HW = instances.segment(
                one.foreground_HW, one.boundary_HW, grid.settings(row, column)
            )
            found = matching.match_many(one.true_HW, labels_HW, ious)
            counts_RKIJ3[row, column, index] = [(each.tp, each.fp, each.fn) for each in found]

    # The largest image first: the last thread to end should end soon.
    order = sorted(range(len(predicted)), key=lambda index: -predicted[index].true_HW.size)
    pool = ThreadPoolExecutor(device.count_cores())
    try:
        pending: set[Future[None]] = {pool.submit(work, index) for index in order}
        done = 0
        while pending:
            finished, pending = wait(pending, LISTEN_SECONDS, FIRST_COMPLETED)
            for future in finished:
                future.result()
                done += 1
                if on_progress:
                    on_progress(done, len(predicted))
    finally:
        is_over.set()
        pool.shutdown(cancel_futures=True)
    return counts_RKIJ3


def from_counts(counts_RKIJ3: np.ndarray, grid: Grid, ious: Sequence[float], aim: Aim) -> Landscape:
    """The landscape of one aim from the counts of all; its IoU must be among those counted."""
    counts_RKI3 = counts_RKIJ3[:, :, :, list(ious).index(aim.iou)]
    images = counts_RKI3.shape[2]
    found = Landscape(grid, aim, images, _values(counts_RKI3, np.ones(images), aim))
    return replace(found, gains_D=held_out_gains(counts_RKI3, grid, aim))


def held_out_gains(
    counts_RKI3: np.ndarray, grid: Grid, aim: Aim, *, draws: int = DRAWS
) -> np.ndarray:
    """How much better than the base the chosen settings are on images that did not choose them.

    Each draw takes as many images as there are, with repetition; the best cell on these is scored
    on the others (the bootstrap's "out of bag", Efron and Tibshirani 1997). The best cell's own
    score would flatter: it was chosen to be high. float64 [D]; draws that leave nothing to score
    are left out, so that one image gives none.
    """
    images, rng = counts_RKI3.shape[2], np.random.default_rng(0)
    gains = []
    for drawn in rng.integers(0, images, (draws, images)):
        weight_I = np.bincount(drawn, minlength=images)
        chosen = Landscape(grid, aim, images, _values(counts_RKI3, weight_I, aim)).best
        two_RKI3 = np.stack([counts_RKI3[cell] for cell in (chosen, grid.base_cell())])[None]
        best, base = _values(two_RKI3, weight_I == 0, aim)[0]
        gains.append(best - base)
    found_D = np.array(gains)
    return found_D[~np.isnan(found_D)]


def _values(counts_RKI3: np.ndarray, weight_I: np.ndarray, aim: Aim) -> np.ndarray:
    """The score of each cell, every image counted as often as its weight; NaN where none is."""
    if aim.average == "pooled":
        return _score(np.einsum("rkic,i->rkc", counts_RKI3, weight_I), aim.measure)
    values_RKI = _score(counts_RKI3, aim.measure)
    weight_RKI = np.where(np.isnan(values_RKI), 0, weight_I)
    with np.errstate(invalid="ignore"):
        return (np.nan_to_num(values_RKI) * weight_RKI).sum(axis=2) / weight_RKI.sum(axis=2)


def _score(counts: np.ndarray, measure: str) -> np.ndarray:
    """F1 or AP of counts [..., 3]; NaN where there are neither true nor predicted objects."""
    hits, others = counts[..., 0], counts[..., 1] + counts[..., 2]
    weight = 2 if measure == "f1" else 1
    with np.errstate(invalid="ignore"):
        return weight * hits / (weight * hits + others)


def choose(
    predicted: list[Predicted], config: ModelConfig, *, on_progress: Progress | None = None
) -> Segmentation:
    """The settings to store with a model that was just trained, from its validation images.

    The best place of a landscape with every second marker threshold, then for a watershed the best
    smallest size there, both by the mean pooled AP over `CHOICE_IOUS`: F1 at IoU 0.5 alone leaves
    open how wide objects are. The boundary's weight stays: another marker threshold does the same.
    Without images the defaults come back. `on_progress` is told how many images are done, for the
    landscape and for each size from the beginning.
    """
    best = defaults(config)
    if not predicted:
        return best
    columns = MARKERS[::2] if best.method == "watershed" else MIN_SIZES
    best = _peak(predicted, Grid(best, THRESHOLDS, columns), on_progress)[1]
    if best.method == "components":  # its landscape has tried the sizes
        return best
    cells = [
        Grid(best.replace(min_size=size), (best.threshold,), (best.marker_threshold,))
        for size in MIN_SIZES
    ]
    return max((_peak(predicted, one, on_progress) for one in cells), key=lambda peak: peak[0])[1]


def _peak(
    predicted: list[Predicted], grid: Grid, on_progress: Progress | None
) -> tuple[float, Segmentation]:
    """The highest mean AP over `CHOICE_IOUS`, 0 where there is nothing to score, and its place."""
    counts_RKIJ3 = count(predicted, grid, CHOICE_IOUS, on_progress=on_progress)
    aims = [Aim(iou=iou, measure="ap") for iou in CHOICE_IOUS]
    values_JRK = [from_counts(counts_RKIJ3, grid, CHOICE_IOUS, aim).values_RK for aim in aims]
    found = Landscape(grid, aims[0], len(predicted), np.nan_to_num(np.mean(values_JRK, axis=0)))
    return float(found.values_RK.max()), found.settings


def start(config: ModelConfig) -> Segmentation:
    """The settings to vary: the model's, or for a model that nobody has tuned the usual ones."""
    return config.segmentation if config.tuned_on else defaults(config)


def defaults(config: ModelConfig) -> Segmentation:
    """The usual settings: watershed where the network tells boundaries."""
    is_watershed = targets.has_boundary(config.train.objective.target)
    return Segmentation(method="watershed" if is_watershed else "components")
