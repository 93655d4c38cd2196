"""Objects as a zip of ImageJ's ROIs, which the ROI Manager opens, and such a zip as labels.

The format is that of ImageJ's own `ij.io.RoiEncoder` and `RoiDecoder`. Axes: H rows, W columns.
Corners as in `polygons`, which are ImageJ's own: whole numbers are the corners of pixels.
"""

from __future__ import annotations

import io
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from unet_core.imaging.canvas import Canvas
from unet_core.imaging.formats import read_bytes
from unet_core.imaging.polygons import Polygon, trace
from unet_core.imaging.truth import Truth

FURTHEST = 60_535  # the largest corner that ImageJ reads; above, it takes them for negative ones
MOST_BYTES = 256 * 2**20  # of all ROIs of a zip together, when unpacked
MOST_ROIS = 500_000

_START = b"Iout"
_VERSION = 227
_TRACED, _RECTANGLE = 8, 1  # what the wand draws; and the type that composites have
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # the steps of a composite's path
_ELLIPSE_CORNERS = 360


def encode(labels_HW: np.ndarray) -> bytes:
    """A zip with a ROI for every object, named by its label; equal labels give equal bytes.

    An object in one piece without holes is a traced outline, as the wand and Analyze Particles
    make them; others are a composite, which ImageJ fills where an odd number of rings surround.

    Raises ValueError for labels that are no 2-D array of integers >= 0, and for an image that is
    longer than ImageJ's ROIs reach.
    """
    if max(np.shape(labels_HW), default=0) > FURTHEST:
        raise ValueError(
            f"ImageJ's ROIs reach to {FURTHEST} pixels, but the image has {np.shape(labels_HW)}: "
            "cut it into parts, or take GeoJSON."
        )
    objects = trace(labels_HW)
    digits = len(str(max(objects, default=0)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as container:
        for number, polygons in objects.items():
            # Of 1980, so that equal content gives equal bytes.
            entry = zipfile.ZipInfo(f"{number:0{digits}}.roi")
            entry.compress_type = zipfile.ZIP_DEFLATED
            container.writestr(entry, _encode_one(polygons))
    return packed.getvalue()


def _encode_one(polygons: list[Polygon]) -> bytes:
    rings = [ring[:, ::-1] for polygon in polygons for ring in polygon]  # columns first
    corners = np.concatenate(rings)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    is_plain = len(rings) == 1
    if is_plain:
        body = (corners - (left, top)).astype(">u2").tobytes(order="F")
    else:
        path = np.concatenate([_path(ring) for ring in rings])
        body = path.astype(">f4").tobytes()
    n_corners, n_path = (len(corners), 0) if is_plain else (0, len(path))
    head = struct.pack(
        ">4shBx4HHi12xhi24x",
        _START,
        _VERSION,
        _TRACED if is_plain else _RECTANGLE,
        *(top, left, bottom, right),
        n_corners if n_corners < 2**16 else 0,
        n_corners if n_corners >= 2**16 else 0,
        0,
        n_path,
    )
    return head + body


def _path(ring: np.ndarray) -> np.ndarray:
    steps = np.concatenate([np.full((len(ring), 1), _LINE), ring], axis=1)
    steps[0, 0] = _MOVE
    return np.append(steps.ravel(), _CLOSE)


def read(path_or_bytes: str | Path | bytes, shape: tuple[int, int]) -> Truth:
    """The labels of a zip of ImageJ's ROIs, or of a single .roi, in an image of this shape.

    Outlines, rectangles, ovals and composites become objects in the order of the file, numbered
    from 1; an empty zip is an image without objects. Points, lines and texts have no area: they are
    left out, and the notes say how many, and what became of overlapping ones (see `Canvas`). A ROI
    does not say how large its image was: that it was another one is seen only where an object lies
    beside the image.

    Raises ValueError, one sentence: what `read_bytes` refuses, no zip of ROIs, a damaged one, more
    than MOST_ROIS or MOST_BYTES, another image, no package roifile.
    """
    canvas, n_left_out = Canvas(shape), 0
    for name, rings in _decode(read_bytes(path_or_bytes)):
        if rings:
            canvas.draw([rings], f"The ROI {name}")
        else:
            n_left_out += 1
    found = canvas.truth()
    if n_left_out:
        note = f"Points, lines and texts have no area, and were left out: {n_left_out}."
        return Truth(found.labels_HW, (*found.notes, note))
    return found


def _decode(data: bytes) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The name and the rings of each ROI inside."""
    try:
        import roifile
    except ImportError as error:
        raise ValueError(
            "Reading ROIs of ImageJ needs the package roifile: pip install roifile"
        ) from error
    # It reports what it meets in a bad file; the sentence we raise says all of it.
    logging.getLogger("roifile").setLevel(logging.CRITICAL + 1)
    for name, content in _unpack(data):
        try:
            rings = _rings(roifile.ImagejRoi.frombytes(content))
        except Exception as error:  # whatever a decoder meets in hostile bytes
            raise ValueError(
                f"The ROI {name} is damaged, or has curves that are not read: save the ROIs again."
            ) from error
        yield name, rings


def _unpack(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(_START):
        yield "file", data
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            members = [one for one in container.infolist() if _is_roi(one.filename)]
            if not members and container.namelist():
                raise ValueError(
                    "The zip holds no ROI of ImageJ: save one by More » Save in the ROI Manager."
                )
            size = sum(member.file_size for member in members)
            if len(members) > MOST_ROIS or size > MOST_BYTES:
                raise ValueError(
                    f"The zip unpacks to {len(members)} ROIs of {size / 2**20:.0f} MiB, more than "
                    f"the {MOST_ROIS} and {MOST_BYTES // 2**20} MiB that are read."
                )
            for member in members:
                if member.flag_bits & 1:
                    raise ValueError("The zip is protected by a password: save it without one.")
                # Reading stops at the declared size, so a false declaration cannot exceed it.
                yield Path(member.filename).stem, container.read(member)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError) as error:
        raise ValueError(
            "The file is no zip of ImageJ's ROIs, or was cut short: save or copy it again."
        ) from error


def _is_roi(name: str) -> bool:
    """Not what macOS adds beside each file."""
    file = name.rpartition("/")[2]
    return file.lower().endswith(".roi") and not file.startswith(".")


def _rings(roi: Any) -> list[np.ndarray]:
    """The rings of a ROI, rows before columns; none of one that has no area."""
    import roifile

    kind, subtype = roi.roitype, roi.subtype
    if subtype in (roifile.ROI_SUBTYPE.TEXT, roifile.ROI_SUBTYPE.IMAGE):
        return []
    outlines = (roifile.ROI_TYPE.POLYGON, roifile.ROI_TYPE.FREEHAND, roifile.ROI_TYPE.TRACED)
    if kind in outlines or roi.multi_coordinates is not None:
        return [np.asarray(ring, float)[:, ::-1] for ring in roi.coordinates(multi=True)]
    if kind not in (roifile.ROI_TYPE.RECT, roifile.ROI_TYPE.OVAL):
        return []
    # ImageJ fills these by their whole bounds, also where they have finer ones.
    top, left, bottom, right = roi.top, roi.left, roi.bottom, roi.right
    if kind == roifile.ROI_TYPE.RECT:
        return [np.array([(top, left), (top, right), (bottom, right), (bottom, left)], float)]
    angle = 2 * np.pi * np.arange(_ELLIPSE_CORNERS) / _ELLIPSE_CORNERS
    unit = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return [((top + bottom) / 2, (left + right) / 2) + unit * (bottom - top, right - left) / 2]
