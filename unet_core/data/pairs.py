"""The true and the predicted labels of images, as they are scored: in memory or in two folders.

Axes: H rows, W columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unet_core.imaging import images


@dataclass(frozen=True)
class Pair:
    """The true and the predicted labels of one image."""

    name: str
    true_HW: np.ndarray
    pred_HW: np.ndarray


def read_pairs(true_folder: Path, pred_folder: Path) -> Iterator[Pair]:
    """The label images of two folders, paired by file stem; a trailing `_labels` is ignored.

    Read one pair at a time, so that a large folder fits into memory. Pictures (with colours, or
    `a.tif` beside `a_labels.tif`) and tables are skipped. Raises ValueError that names a label
    file without a partner, one that is no label image, or two of different shapes.
    """
    stems = [_label_files(folder) for folder in (true_folder, pred_folder)]
    if alone := sorted(set(stems[0]) ^ set(stems[1])):
        side = "prediction" if alone[0] in stems[0] else "truth"
        path = stems[0].get(alone[0]) or stems[1][alone[0]]
        more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise ValueError(f"{path} has no {side} of the same name{more}: every label file needs one")
    if not stems[0]:
        raise ValueError(f"there are no label images in {true_folder}")
    for stem in sorted(stems[0]):
        true_HW, pred_HW = (_read_labels(files[stem]) for files in stems)
        if true_HW.shape != pred_HW.shape:
            raise ValueError(
                f"{stem}: truth and prediction must have one shape, "
                f"got {true_HW.shape} and {pred_HW.shape}"
            )
        yield Pair(stem, true_HW, pred_HW)


def _label_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found: dict[str, Path] = {}
    paths = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".tif", ".tiff", ".png") and not path.name.startswith(".")
    ]
    stems = {path.stem for path in paths}
    for path in paths:
        if path.stem.endswith(("_overlay", "_probabilities")) or f"{path.stem}_labels" in stems:
            continue
        if f"{path.stem.removesuffix('_classes')}_labels" in stems:  # the class map of `segment`
            continue
        if path.suffix.lower() == ".png" and _has_colours(path):
            continue
        stem = path.stem.removesuffix("_labels")
        if stem in found:
            raise ValueError(f"{found[stem]} and {path.name} have the same name: keep one of them")
        found[stem] = path
    return found


def _has_colours(path: Path) -> bool:
    return "C" in _read(path).axes


def _read(path: Path) -> images.Image:
    try:
        return images.read_image(path)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None


def _read_labels(path: Path) -> np.ndarray:
    found = _read(path)
    try:
        labels_HW = images.take_plane(found).pixels
    except ValueError as problem:
        raise ValueError(f"{path} is no label image: {problem}") from None
    if labels_HW.dtype.kind not in "iub":
        raise ValueError(f"{path} holds {labels_HW.dtype} values: labels must be whole numbers")
    if labels_HW.min() < 0:
        raise ValueError(f"{path} holds negative labels: 0 is background, objects count from 1")
    return labels_HW.astype(np.int64)
