"""The forms in which labels are taken to other programs, each with the end of its file's name.

Axes: H rows, W columns.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from unet_core.imaging import coco, geojson, images, rois


@dataclass(frozen=True)
class Format:
    """A form of labels: who reads it, in a few words, and how files are named and made.

    `encode` takes the labels, the name of the image's file and the pixel size in micrometres or
    None; equal arguments give equal bytes.
    """

    title: str
    reader: str
    ending: str
    encode: Callable[[np.ndarray, str, float | None], bytes]


def tiff(labels_HW: np.ndarray, pixel_size_um: float | None, *, ome: bool = False) -> bytes:
    """Labels as the bytes of a TIFF, with the pixel size in micrometres where it is known."""
    buffer = io.BytesIO()
    images.write_labels(buffer, labels_HW, pixel_size_um, ome=ome)
    return buffer.getvalue()


# Outlines count in pixels and know no pixel size.
FORMATS = {
    "tiff": Format(
        "TIFF",
        "a label image for every program, with the pixel size where it is known",
        "_labels.tif",
        lambda labels_HW, file, size: tiff(labels_HW, size),
    ),
    "ome-tiff": Format(
        "OME-TIFF",
        "a label image with metadata for Bio-Formats, QuPath and napari",
        "_labels.ome.tif",
        lambda labels_HW, file, size: tiff(labels_HW, size, ome=True),
    ),
    "rois": Format(
        "ImageJ ROIs",
        "outlines for the ROI Manager of Fiji and ImageJ",
        "_labels.rois.zip",
        lambda labels_HW, file, size: rois.encode(labels_HW),
    ),
    "geojson": Format(
        "GeoJSON",
        "outlines for QuPath",
        "_labels.geojson",
        lambda labels_HW, file, size: geojson.encode(labels_HW),
    ),
    "coco": Format(
        "COCO",
        "outlines as JSON, for annotating and training elsewhere",
        "_labels.coco.json",
        lambda labels_HW, file, size: coco.encode(labels_HW, file),
    ),
}


def check(names: Iterable[str]) -> tuple[str, ...]:
    """The names of formats, each once; ValueError where one is none."""
    found = tuple(dict.fromkeys(names))
    if unknown := [name for name in found if name not in FORMATS]:
        raise ValueError(f"formats must be among {', '.join(FORMATS)}, got {unknown[0]!r}")
    return found


def encode(
    names: Iterable[str],
    labels_HW: np.ndarray,
    *,
    stem: str,
    file: str,
    pixel_size_um: float | None = None,
) -> dict[str, bytes]:
    """The labels in these formats, by the names of their files, which begin with the stem.

    `file` is the name of the image's file. Raises ValueError for another format, and as the
    formats' own modules.
    """
    chosen = [FORMATS[name] for name in check(names)]
    return {f"{stem}{one.ending}": one.encode(labels_HW, file, pixel_size_um) for one in chosen}
