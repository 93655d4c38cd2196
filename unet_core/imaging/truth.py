"""The true objects of a picture, from whatever form somebody drew them in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unet_core.imaging.formats import is_jpeg, read_image
from unet_core.imaging.stacks import plane_pixels

_LARGEST_LABEL = 2**31 - 1
# With more pieces of equal value per value it is hardly a label image, and the reader is told.
PIECES_PER_LABEL = 4
# Nor is it a drawing of objects when most of its coloured pieces have fewer pixels than this.
_SPECK = 3


@dataclass(frozen=True, eq=False)
class Truth:
    """True objects: labels_HW int32, 0 background, one number per object; notes to the reader."""

    labels_HW: np.ndarray
    notes: tuple[str, ...] = ()


def read_truth(path_or_bytes: str | Path | bytes, *, plane: int | None = None) -> Truth:
    """True objects of a PNG or TIFF file.

    A label image (integers, 0 background) keeps its numbers. A picture with two values, one of
    them 0, is a mask: its 8-connected parts become the objects. In a coloured picture the objects
    are the 8-connected regions of equal colour; black is background, or without any black the
    most frequent colour. Notes say which of these it was.

    Raises ValueError, one sentence: what `read_image` refuses, a stack without plane, JPEG,
    floats, negative numbers, two values without 0, several channels that are no colours, and
    colours smeared by a compression.
    """
    pixels = read_numbers(path_or_bytes, plane=plane)
    return _from_numbers(pixels) if pixels.ndim == 2 else _from_colours(pixels)


def read_numbers(path_or_bytes: str | Path | bytes, *, plane: int | None = None) -> np.ndarray:
    """What a file of labels holds: whole numbers from 0 [H, W], or colours [H, W, 3].

    A grey picture that was saved with three equal colours is grey. Raises ValueError as
    `read_truth`, but for what numbers and colours mean.
    """
    pixels = plane_pixels(read_image(path_or_bytes), plane)
    if is_jpeg(path_or_bytes):
        raise ValueError(
            "A JPEG cannot be the truth, for it smears numbers and colours: "
            "save it as PNG or TIFF from the original."
        )
    if pixels.dtype.kind == "f":
        raise ValueError(
            f"The truth has {pixels.dtype.name} numbers: save the labels as whole numbers "
            "(8, 16 or 32 bit)."
        )
    if pixels.dtype.kind == "i" and pixels.min() < 0:
        raise ValueError(
            f"The truth has negative labels (down to {pixels.min()}): "
            "the background must be 0 and the objects 1, 2, 3 and so on."
        )
    if pixels.ndim == 2:
        return pixels
    if all(np.array_equal(pixels[..., 0], pixels[..., i]) for i in range(1, pixels.shape[-1])):
        return pixels[..., 0]
    if pixels.shape[-1] != 3:
        raise ValueError(
            f"The truth has {pixels.shape[-1]} channels: save the labels as a grey picture."
        )
    return pixels


def _from_numbers(pixels_HW: np.ndarray) -> Truth:
    values = _some_values(pixels_HW)
    top = int(pixels_HW.max())
    if (len(values) == 1 and top) or (len(values) == 2 and values[0] == 0):
        labels_HW = connected(pixels_HW > 0)
        count = labels_HW.max()
        parts = "its 1 connected part is" if count == 1 else f"its {count} connected parts are"
        note = f"The truth is a mask of two values (0 and {top}): {parts} taken for the objects."
        return Truth(labels_HW, (note,))
    if len(values) == 2:
        raise ValueError(
            f"The truth has the two values {values[0]} and {values[1]} and no 0: "
            "save it with 0 for the background."
        )
    if top > _LARGEST_LABEL:
        _, inverse = np.unique(pixels_HW, return_inverse=True)
        # unique sorts, so 0 stays 0 where there is a background.
        labels_HW = (inverse.reshape(pixels_HW.shape) + int(pixels_HW.min() > 0)).astype(np.int32)
        return Truth(labels_HW, (f"Labels go up to {top}: they were numbered anew from 1.",))
    labels_HW = pixels_HW.astype(np.int32)
    pieces, count = int(connected(labels_HW).max()), len(np.unique(labels_HW[labels_HW > 0]))
    if pieces > PIECES_PER_LABEL * count:
        note = (
            f"The {count} values of the truth lie in {pieces} separate pieces: "
            "in a label image each object has a number of its own."
        )
        return Truth(labels_HW, (note,))
    return Truth(labels_HW)


def _some_values(pixels_HW: np.ndarray) -> list[int]:
    """The distinct values in rising order, at least three of them when there are more than two."""
    low, high = pixels_HW.min(), pixels_HW.max()
    between = pixels_HW[(pixels_HW != low) & (pixels_HW != high)]
    return sorted({int(low), int(high), *map(int, between[:1])})


def _from_colours(pixels_HWC: np.ndarray) -> Truth:
    packed_HW = np.zeros(pixels_HWC.shape[:2], np.int64)
    for channel in np.moveaxis(pixels_HWC, -1, 0):
        packed_HW = packed_HW << 20 | channel.astype(np.int64)
    if (packed_HW == 0).any():
        ground, name = 0, "black"
    else:
        colours, counts = np.unique(packed_HW, return_counts=True)
        ground, name = int(colours[counts.argmax()]), "the most frequent colour"
    labels_HW = connected(np.where(packed_HW == ground, -1, packed_HW), background=-1)
    areas = np.bincount(labels_HW.ravel())[1:]
    if len(areas) and np.mean(areas < _SPECK) > 0.5:
        raise ValueError(
            "The colours of the truth are smeared, most regions of one colour have one or two "
            "pixels: save it without smoothing, and never as JPEG."
        )
    note = (
        f"The truth is a coloured picture: its {len(areas)} regions of equal colour are taken "
        f"for the objects, {name} for the background."
    )
    return Truth(labels_HW, (note,))


def connected(values_HW: np.ndarray, background: int = 0) -> np.ndarray:
    """8-connected regions of equal value, numbered from 1, int32."""
    from skimage.measure import label

    return label(values_HW, background=background, connectivity=2).astype(np.int32)
