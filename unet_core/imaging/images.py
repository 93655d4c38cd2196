"""Pictures: read from files, one plane taken, brought to the range a network wants, written again.

Axes: H rows, W columns, C channels. Reading lives in `formats` and `stacks`, the truth in `truth`;
their names can be had from here.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unet_core.base.config import Images, ModelConfig
from unet_core.imaging.formats import MAX_BYTES, MAX_PLANE_PIXELS, Image, read_bytes, read_image
from unet_core.imaging.stacks import channels, planes, replace_non_finite, take_plane
from unet_core.imaging.truth import Truth, read_truth

__all__ = [
    "MAX_BYTES",
    "MAX_PLANE_PIXELS",
    "Image",
    "Truth",
    "channels",
    "display",
    "invert",
    "normalise",
    "planes",
    "read_bytes",
    "read_image",
    "read_truth",
    "replace_non_finite",
    "resize",
    "resolution_tags",
    "sha256",
    "take_plane",
    "to_unit",
    "write_labels",
]

# Pixels counted at once for a histogram, so that the counting needs little memory.
_CHUNK = 1 << 20


def to_unit(pixels_HW: np.ndarray) -> np.ndarray:
    """The pixels as float32: integers divided by the largest of their type, floats as they are.

    So unsigned integers and bool come to 0..1, and one factor holds for a whole data set.
    """
    if pixels_HW.dtype.kind in "ui":
        return np.divide(pixels_HW, np.iinfo(pixels_HW.dtype).max, dtype=np.float64).astype(
            np.float32
        )
    return pixels_HW.astype(np.float32)


Scaling = Callable[[np.ndarray], np.ndarray]


def normalise(
    pixels_HW: np.ndarray,
    *,
    method: str,
    low: float = 1.0,
    high: float = 99.8,
    mean: float = 0.0,
    std: float = 1.0,
) -> np.ndarray:
    """The pixels as a network wants them, float32.

    method "percentile": the low-th percentile of this image becomes 0, the high-th 1, nothing is
    clipped (StarDist's normalisation). Where both are the same number, the smallest and the
    largest pixel take their place; a constant image becomes 0. method "min-max": the smallest
    pixel becomes 0, the largest 1. methods "dataset" and "given": `to_unit`, minus mean, divided
    by std.

    Raises ValueError for another method, percentiles not 0 <= low < high <= 100, std not > 0.
    """
    return _scaling(method, _levels(pixels_HW, method, low, high), mean, std)(pixels_HW)


def normalise_for(
    config: ModelConfig, pixels_HW: np.ndarray, *, in_training: bool = False
) -> np.ndarray:
    """Pixels as the network of a configuration saw them in training, float32, of the same shape.

    With the mistake "raw-prediction" only training images are normalised.
    """
    source = config.train.images
    ready_HW = prepare(source, pixels_HW, in_training=in_training)
    return scaling(config, levels(source, ready_HW), in_training=in_training)(ready_HW)


def prepare(source: Images, pixels_HW: np.ndarray, *, in_training: bool) -> np.ndarray:
    """The pixels before they are scaled: with an even histogram, where that is on."""
    if source.mistake == "raw-prediction" and not in_training:
        return pixels_HW
    return equalise(source, pixels_HW)


def levels(source: Images, ready_HW: np.ndarray) -> tuple[float, float] | None:
    """The numbers that become 0 and 1 in a whole image; None where they are the same for all."""
    return _levels(ready_HW, source.normalisation, source.low_percentile, source.high_percentile)


def scaling(
    config: ModelConfig, levels: tuple[float, float] | None, *, in_training: bool
) -> Scaling:
    """What brings prepared pixels to what the network sees: a window of an image as all of it."""
    source = config.train.images
    if source.mistake == "raw-prediction" and not in_training:
        return as_float32
    return _scaling(source.normalisation, levels, config.mean, config.std)


def as_float32(pixels: np.ndarray) -> np.ndarray:
    """The same numbers."""
    return pixels.astype(np.float32)


def _levels(
    pixels_HW: np.ndarray, method: str, low: float, high: float
) -> tuple[float, float] | None:
    if method == "percentile":
        return _range(pixels_HW, low, high)
    return _range(pixels_HW, 0.0, 100.0) if method == "min-max" else None


def _scaling(method: str, levels: tuple[float, float] | None, mean: float, std: float) -> Scaling:
    if levels is not None:
        return partial(_stretch, bottom=levels[0], top=levels[1])
    if method not in ("dataset", "given"):
        raise ValueError(f"method must be percentile, min-max, dataset or given, got {method!r}")
    if not std > 0:
        raise ValueError(f"std must be above 0, got {std}")
    return partial(_standardise, mean=mean, std=std)


def _standardise(pixels_HW: np.ndarray, mean: float, std: float) -> np.ndarray:
    return (to_unit(pixels_HW) - np.float32(mean)) / np.float32(std)


def equalise(source: Images, pixels_HW: np.ndarray) -> np.ndarray:
    """The pixels with an even histogram over 0..1, float32; untouched where that is off."""
    if not source.equalise:
        return pixels_HW
    from skimage.exposure import equalize_hist

    return equalize_hist(pixels_HW).astype(np.float32)


def fit(source: Images, pixels_HW: np.ndarray) -> np.ndarray:
    """The pixels at the width that images are resized to, float32; untouched where none is set."""
    if not source.fit_width:
        return pixels_HW
    height, width = pixels_HW.shape
    shape = (max(1, round(height * source.fit_width / width)), source.fit_width)
    return resize(to_unit(pixels_HW), shape)


def fit_labels(labels_HW: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at another shape: each pixel takes the label that lies nearest to its centre."""
    if labels_HW.shape == tuple(shape):
        return labels_HW
    nearest = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in zip(shape, labels_HW.shape, strict=True)
    )
    return labels_HW[np.ix_(*nearest)]


def invert(pixels_HW: np.ndarray) -> np.ndarray:
    """Bright for dark and dark for bright, with the same smallest and largest value and dtype.

    Mirrored at the middle of what is there and not of the dtype, so that a 12-bit picture in
    16 bits and a float picture come out like any other. Twice gives the picture back.
    """
    if pixels_HW.dtype == bool:
        return ~pixels_HW
    low, high = pixels_HW.min(keepdims=True), pixels_HW.max(keepdims=True)
    # Both differences wrap around together, so that signed integers come out right, too.
    return high - (pixels_HW - low)


def resize(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """pixels_HW or prob_CHW at shape (rows, columns), float32, linear between pixel centres.

    Making it smaller averages over the pixels that fall together (a triangle as wide as the
    factor), so that fine patterns do not turn into coarse ones. Values stay in their range.

    Raises ValueError for a shape with a side below 1.
    """
    from PIL import Image as PillowImage

    if min(shape) < 1:
        raise ValueError(f"shape must have sides of at least 1, got {shape}")
    if array.ndim == 3:
        return np.stack([resize(plane_HW, shape) for plane_HW in array])
    if array.shape == tuple(shape):
        return array.astype(np.float32)
    picture = PillowImage.fromarray(np.ascontiguousarray(array, dtype=np.float32))
    small = picture.resize((shape[1], shape[0]), PillowImage.Resampling.BILINEAR)
    return np.array(small, dtype=np.float32)


def display(pixels_HW: np.ndarray, *, low: float = 0.5, high: float = 99.5) -> np.ndarray:
    """The pixels for looking at, uint8: the low-th percentile is black, the high-th white.

    A constant image is black. Raises ValueError for percentiles not 0 <= low < high <= 100.
    """
    bottom, top = _range(pixels_HW, low, high)
    return np.rint(_stretch(pixels_HW, bottom, top).clip(0, 1) * 255).astype(np.uint8)


def write_labels(
    path_or_buffer: str | Path | BinaryIO,
    labels_HW: np.ndarray,
    pixel_size_um: float | None = None,
    *,
    ome: bool = False,
) -> None:
    """Write a label image as deflate TIFF: uint16, or uint32 when a label is above 65 535.

    The pixel size goes into its tags, with `ome` also into OME metadata, with the axes. Raises
    ValueError when labels are not two-dimensional whole numbers from 0.
    """
    import tifffile

    if labels_HW.ndim != 2 or labels_HW.dtype.kind not in "uib":
        raise ValueError(
            f"labels_HW must be whole numbers with two axes, got {labels_HW.dtype} "
            f"with shape {labels_HW.shape}"
        )
    if labels_HW.size and (labels_HW.min() < 0 or labels_HW.max() > np.iinfo(np.uint32).max):
        found = f"{labels_HW.min()} to {labels_HW.max()}"
        raise ValueError(f"labels_HW must be from 0 to 4294967295, got {found}")
    wide = labels_HW.size > 0 and labels_HW.max() > np.iinfo(np.uint16).max
    stored_HW = labels_HW.astype(np.uint32 if wide else np.uint16)
    tifffile.imwrite(
        path_or_buffer,
        stored_HW,
        photometric="minisblack",
        compression="zlib",
        ome=ome,
        metadata=_ome_metadata(stored_HW, pixel_size_um) if ome else None,
        **resolution_tags(pixel_size_um),
    )


def _ome_metadata(pixels_HW: np.ndarray, pixel_size_um: float | None) -> dict[str, Any]:
    """What tifffile makes OME metadata of.

    The identifier comes from the pixels: tifffile's own would make other bytes each time, and name
    this computer.
    """
    identifier = str(uuid.UUID(sha256(pixels_HW.tobytes())[:32]))
    about: dict[str, Any] = {"axes": "YX", "UUID": identifier}
    for side in "XY" if pixel_size_um else "":
        about |= {f"PhysicalSize{side}": pixel_size_um, f"PhysicalSize{side}Unit": "µm"}
    return about


def resolution_tags(pixel_size_um: float | None) -> dict[str, Any]:
    """A pixel size as arguments for tifffile, in pixels per centimetre; none where it is unknown.

    ImageJ reads them.
    """
    if not pixel_size_um:
        return {}
    return {"resolution": (1e4 / pixel_size_um,) * 2, "resolutionunit": "CENTIMETER"}


def mirror(start: int, stop: int, length: int) -> np.ndarray:
    """The indices start..stop-1 of an axis of `length` that goes on mirrored at both ends.

    As `numpy.pad` with mode "symmetric": ... 1 0 | 0 1 2 | 2 1 ..., as often as it takes.
    """
    index = np.arange(start, stop) % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)


def sha256(data: bytes) -> str:
    """The hexadecimal SHA-256 of some bytes: the key of everything cached."""
    return hashlib.sha256(data).hexdigest()


def _range(pixels_HW: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The two percentiles; the two extremes where these are equal."""
    if not 0 <= low < high <= 100:
        raise ValueError(f"low and high must be 0 <= low < high <= 100, got {low} and {high}")
    bottom, top = _percentiles(pixels_HW, (low, high))
    if bottom == top:
        return float(pixels_HW.min()), float(pixels_HW.max())
    return bottom, top


def _stretch(pixels_HW: np.ndarray, bottom: float, top: float) -> np.ndarray:
    if bottom == top:
        return np.zeros(pixels_HW.shape, np.float32)
    # float32 holds every 16-bit number, so only wider ones are worth the memory.
    wide = pixels_HW.dtype.itemsize > 2 and pixels_HW.dtype != np.float32
    work = pixels_HW.astype(np.float64 if wide else np.float32)
    np.subtract(work, bottom, out=work)
    np.divide(work, top - bottom, out=work)
    return work.astype(np.float32, copy=False)


def _percentiles(pixels_HW: np.ndarray, percents: tuple[float, ...]) -> list[float]:
    """numpy.percentile, with a histogram instead of sorting where the values are few."""
    if pixels_HW.dtype not in (np.uint8, np.uint16):
        work = pixels_HW.astype(np.uint8) if pixels_HW.dtype == bool else pixels_HW
        if work.dtype.kind == "i":  # numpy interpolates in the dtype, where differences wrap around
            work = work.astype(np.float64)
        return [float(value) for value in np.percentile(work, percents)]
    flat, counts = pixels_HW.ravel(), np.zeros(np.iinfo(pixels_HW.dtype).max + 1, np.int64)
    for start in range(0, flat.size, _CHUNK):
        counts += np.bincount(flat[start : start + _CHUNK], minlength=counts.size)
    upto = counts.cumsum()
    places = np.array(percents) / 100 * (flat.size - 1)
    below, above = (np.searchsorted(upto, f(places), side="right") for f in (np.floor, np.ceil))
    return [float(value) for value in below + (above - below) * (places % 1)]
