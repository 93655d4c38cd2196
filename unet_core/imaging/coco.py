"""Objects as COCO's JSON of annotations, and such a JSON as labels.

The format is that of cocodataset.org and `pycocotools`. Axes: H rows, W columns. Corners as in
`polygons`, columns first in the file; runs of pixels go down the columns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unet_core.imaging.canvas import Canvas
from unet_core.imaging.other_json import parse
from unet_core.imaging.polygons import Polygon, trace
from unet_core.imaging.truth import Truth

_BROKEN = "The COCO file is broken at {}: export it again."
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_MOST_BITS = 60  # of a run's length: no image has as many pixels


def encode(labels_HW: np.ndarray, file: str) -> bytes:
    """The objects of one image, whose file has this name, each with its label as id.

    An object without holes has a polygon for each of its parts. COCO's polygons know no holes: an
    object with some is given by the lengths of its runs instead, which is as exact. All objects are
    of one category, `object`; areas are numbers of pixels.

    Raises ValueError for labels that are no 2-D array of integers >= 0.
    """
    objects = trace(labels_HW)
    height, width = np.shape(labels_HW)
    document = {
        "images": [{"id": 1, "file_name": file, "height": height, "width": width}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [
            _annotation(number, polygons, labels_HW) for number, polygons in objects.items()
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _annotation(number: int, polygons: list[Polygon], labels_HW: np.ndarray) -> dict[str, Any]:
    outer = np.concatenate([rings[0] for rings in polygons])
    (top, left), (bottom, right) = outer.min(axis=0).tolist(), outer.max(axis=0).tolist()
    mask_HW = labels_HW[top:bottom, left:right] == number
    segmentation: Any = [rings[0][:, ::-1].ravel().tolist() for rings in polygons]
    if any(len(rings) > 1 for rings in polygons):
        row_P, column_P = np.nonzero(mask_HW)
        segmentation = _runs(row_P + top, column_P + left, labels_HW.shape)
    return {
        "id": number,
        "image_id": 1,
        "category_id": 1,
        "segmentation": segmentation,
        "area": int(mask_HW.sum()),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
    }


def _runs(row_P: np.ndarray, column_P: np.ndarray, shape: tuple[int, ...]) -> dict[str, Any]:
    """Pixels as lengths of runs down the columns, outside first."""
    height, width = shape
    place_P = np.sort(column_P * height + row_P)
    is_first_P = np.diff(place_P, prepend=-2) > 1
    starts, stops = place_P[is_first_P], place_P[np.roll(is_first_P, -1)] + 1
    bounds = np.concatenate([[0], np.stack([starts, stops], axis=1).ravel(), [height * width]])
    counts = np.diff(bounds).tolist()
    return {"size": [height, width], "counts": counts if counts[-1] else counts[:-1]}


@dataclass(frozen=True)
class Image:
    """One image of a COCO file: its rows and columns, and its annotations as they stand there."""

    shape: tuple[int, int]
    annotations: list[dict[str, Any]]

    def labels(self, shape: tuple[int, int]) -> Truth:
        """The labels of the image, which must have this shape.

        Its objects are numbered from 1 in the order of the file, whatever category they have.
        Crowds are no single objects: they are left out, and the notes say how many, and what became
        of overlapping ones (see `Canvas`).

        Raises ValueError, one sentence: another shape, a broken annotation.
        """
        if self.shape != tuple(shape):
            raise ValueError(
                f"The COCO file is about an image of {_size(self.shape)}, but the image has "
                f"{_size(shape)}."
            )
        canvas, n_crowds = Canvas(shape), 0
        for annotation in self.annotations:
            if annotation.get("iscrowd"):
                n_crowds += 1
                continue
            name = f"annotation {annotation.get('id')}"
            try:
                pixels = _pixels(annotation["segmentation"], shape)
                polygons = [] if pixels else _polygons(annotation["segmentation"])
            except _FAULTS as error:
                raise ValueError(_BROKEN.format(name)) from error
            if pixels:
                canvas.put(*pixels)
            else:
                canvas.draw(polygons, name.capitalize())
        found = canvas.truth()
        if n_crowds:
            note = f"Crowds are no single objects, and were left out: {n_crowds}."
            return Truth(found.labels_HW, (*found.notes, note))
        return found


def read(path_or_bytes: str | Path | bytes) -> dict[str, Image]:
    """The images of a COCO file, by the names of their files.

    Raises ValueError, one sentence: what `other_json.parse` and `find` refuse.
    """
    return find(parse(path_or_bytes, "COCO"))


def is_coco(document: Any) -> bool:
    """Whether a parsed JSON has the two lists by which COCO is known."""
    return isinstance(document, dict) and all(
        isinstance(document.get(name), list) for name in ("images", "annotations")
    )


def find(document: Any) -> dict[str, Image]:
    """The images of a parsed COCO file, by the names of their files.

    Raises ValueError, one sentence: no COCO, an image or annotation that lacks what it needs, two
    images of one name or id, an annotation of an image that is not there.
    """
    if not is_coco(document):
        raise ValueError("The JSON file has no lists of images and annotations: it is no COCO.")
    by_id: dict[Any, Image] = {}
    found: dict[str, Image] = {}
    for place, image in enumerate(document["images"], start=1):
        try:
            number, file = image["id"], str(image["file_name"])
            if number in by_id or file in found:
                raise ValueError
            by_id[number] = found[file] = Image((int(image["height"]), int(image["width"])), [])
        except _FAULTS as error:
            raise ValueError(_BROKEN.format(f"image {place}")) from error
    for place, annotation in enumerate(document["annotations"], start=1):
        try:
            by_id[annotation["image_id"]].annotations.append(annotation)
        except _FAULTS as error:
            raise ValueError(_BROKEN.format(f"annotation {place} of the list")) from error
    return found


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]} pixels (rows x columns)"


def _polygons(segmentation: Any) -> list[Polygon]:
    """A polygon for each list of columns and rows by turns."""
    return [[np.array(one, float).reshape(-1, 2)[:, ::-1]] for one in segmentation]


def _pixels(segmentation: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and columns of the pixels that runs describe; None of what is no runs."""
    if not isinstance(segmentation, dict):
        return None
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = _unpack(counts)
    height, width = shape
    if segmentation["size"] != [height, width] or sum(counts) != height * width or min(counts) < 0:
        raise ValueError
    bounds = np.cumsum(np.array(counts, np.int64))
    starts, lengths = bounds[:-1:2], np.diff(bounds)[::2]
    ends = np.cumsum(lengths)
    place_P = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
    return place_P % height, place_P // height


def _unpack(text: str) -> list[int]:
    """Runs from COCO's text: five bits a sign, the lowest first, as differences to two before."""
    counts: list[int] = []
    value = shift = 0
    for sign in text.encode("ascii"):
        bits = sign - 48
        if not 0 <= bits < 64 or shift > _MOST_BITS:
            raise ValueError
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError
    return counts
