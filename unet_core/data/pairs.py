"""The true and the predicted labels of images, as they are scored: in memory or in two folders.

Axes: H rows, W columns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unet_core.imaging import coco, geojson, images, rois
from unet_core.imaging.other_json import parse
from unet_core.imaging.truth import Truth

PICTURES = (".ome.tiff", ".ome.tif", ".tiff", ".tif", ".png")  # the longer ending first
OUTLINES = (".rois.zip", ".zip", ".roi", ".geojson", ".coco.json", ".json")
AGAIN = (*PICTURES[:2], *OUTLINES)  # beside `a_labels.tif` they hold the same labels

Shape = tuple[int, int]


@dataclass(frozen=True)
class Pair:
    """The true and the predicted labels of one image; notes tell how outlines became labels."""

    name: str
    true_HW: np.ndarray
    pred_HW: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """Where the labels of an image lie; of outlines, how they are drawn in an image of a shape."""

    path: Path
    draw: Callable[[Shape], Truth] | None = None


def read_pairs(true_folder: Path, pred_folder: Path) -> Iterator[Pair]:
    """The labels in two folders, paired by file stem; a trailing `_labels` is ignored.

    Labels are label images, or outlines: a zip of ImageJ's ROIs, a GeoJSON, or a COCO file, which
    may be about many images. Outlines are drawn in an image as large as the partner's, which must
    be a label image. Read one pair at a time, so that a large folder fits into memory. Pictures
    (with colours, or `a.tif` beside `a_labels.tif` or beside outlines of a) and tables are skipped,
    and so are further files of the labels in `a_labels.tif`. Raises ValueError that names a label
    file without a partner, one that is no label image or holds no outlines of this image, two of
    different shapes, and two that are outlines both.
    """
    stems = [_label_files(folder) for folder in (true_folder, pred_folder)]
    if alone := sorted(set(stems[0]) ^ set(stems[1])):
        side = "prediction" if alone[0] in stems[0] else "truth"
        path = (stems[0].get(alone[0]) or stems[1][alone[0]]).path
        file = f"{alone[0]} in {path}" if path.suffix == ".json" else path
        more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise ValueError(f"{file} has no {side} of the same name{more}: every label file needs one")
    if not stems[0]:
        raise ValueError(f"there are no label images in {true_folder}")
    for stem in sorted(stems[0]):
        yield _read_pair(stem, *(files[stem] for files in stems))


def _read_pair(stem: str, true: _File, pred: _File) -> Pair:
    if true.draw and pred.draw:
        raise ValueError(
            f"{true.path} and {pred.path} are both outlines, which do not say how large their "
            "image is: one of them must be a label image"
        )
    if true.draw:
        pred_HW = _read_labels(pred.path)
        drawn = _naming(true.path, partial(true.draw, pred_HW.shape))
        return Pair(stem, drawn.labels_HW, pred_HW, drawn.notes)
    true_HW = _read_labels(true.path)
    if pred.draw:
        drawn = _naming(pred.path, partial(pred.draw, true_HW.shape))
        return Pair(stem, true_HW, drawn.labels_HW, drawn.notes)
    pred_HW = _read_labels(pred.path)
    if true_HW.shape != pred_HW.shape:
        raise ValueError(
            f"{stem}: truth and prediction must have one shape, "
            f"got {true_HW.shape} and {pred_HW.shape}"
        )
    return Pair(stem, true_HW, pred_HW)


def _label_files(folder: Path) -> dict[str, _File]:
    """Of each image the file that is surest to hold its labels."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    stems = {path.stem for path in paths if _ending(path, PICTURES)}
    plain: dict[str, _File] = {}
    outlined: dict[str, _File] = {}
    named: dict[str, _File] = {}
    for path in paths:
        ending = _ending(path, PICTURES) or _ending(path, OUTLINES)
        stem = path.name.removesuffix(ending)
        if not ending or stem.endswith(("_overlay", "_probabilities")):
            continue
        if f"{stem}_labels" in stems or f"{stem.removesuffix('_classes')}_labels" in stems:
            continue  # the picture, and the class map of `segment`
        if stem.endswith("_labels") and stem in stems and ending.lower() in AGAIN:
            continue
        if ending.lower() in OUTLINES:
            for name, draw in _outlines(path, stem).items():
                _keep(outlined, name, _File(path, draw))
        elif ending.lower() != ".png" or not _has_colours(path):
            _keep(named if stem.endswith("_labels") else plain, stem, _File(path))
    return {**plain, **outlined, **named}


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    """How the name ends, if it is one of these; else nothing."""
    found = next((one for one in endings if path.name.lower().endswith(one)), "")
    return path.name[len(path.name) - len(found) :]


def _keep(found: dict[str, _File], stem: str, file: _File) -> None:
    stem = stem.removesuffix("_labels")
    if stem in found:
        raise ValueError(
            f"{found[stem].path} and {file.path.name} have the same name: keep one of them"
        )
    found[stem] = file


def _outlines(path: Path, stem: str) -> dict[str, Callable[[Shape], Truth]]:
    """How the outlines of each image in a file are drawn; none in a JSON about something else."""
    if path.suffix.lower() == ".geojson":
        return {stem: partial(geojson.read, path)}
    if path.suffix.lower() != ".json":
        return {stem: partial(rois.read, path)}
    document = _naming(path, partial(parse, path, "COCO"))
    if not coco.is_coco(document):
        return {}
    found = _naming(path, partial(coco.find, document))
    return {Path(name).stem: image.labels for name, image in found.items()}


def _has_colours(path: Path) -> bool:
    return "C" in _read(path).axes


def _read(path: Path) -> images.Image:
    return _naming(path, partial(images.read_image, path))


def _naming(path: Path, read: Callable[[], Any]) -> Any:
    """What a function reads; its complaint begins with the name of the file."""
    try:
        return read()
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
