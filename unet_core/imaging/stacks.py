"""From a picture with planes and channels to the one plane that a network sees."""

from __future__ import annotations

from typing import Literal

import numpy as np

from unet_core.imaging.formats import Image

# Rec. 709, as scikit-image's rgb2gray.
_LUMINANCE = np.array([0.2125, 0.7154, 0.0721])
# Larger numbers are no measurement, and their differences do not fit into float32.
_LARGEST = 1e30

Channel = int | Literal["grey"]  # an index, or the mix of all


def planes(image: Image) -> list[str]:
    """A name for each plane, in the order in which `take_plane` counts them from 0.

    [""] for a plain picture, "plane 3" where the file gives the axis no meaning, else such as
    "T 0, Z 3".
    """
    letters, shape = _plane_axes(image)
    return [
        ", ".join(
            f"{letter} {i}" if letter in "TZ" or len(shape) > 1 else f"plane {i}"
            for letter, i in zip(letters, index, strict=True)
        )
        for index in np.ndindex(*shape)
    ]


def channels(image: Image) -> list[int]:
    """The channels that hold something: not constant, and not equal to an earlier one.

    So a grey picture saved as RGB has one, [0]. A picture in which all are constant, too.
    """
    if not image.axes.endswith("C"):
        return [0]
    filled: list[int] = []
    for i in range(image.pixels.shape[-1]):
        channel = image.pixels[..., i]
        if channel.size and (channel == channel.flat[0]).all():
            continue
        if not any(np.array_equal(channel, image.pixels[..., other]) for other in filled):
            filled.append(i)
    return filled or [0]


def take_plane(image: Image, *, plane: int | None = None, channel: Channel | None = None) -> Image:
    """One plane and channel of an image, finite, with axes "YX" and the dtype kept.

    plane: index into `planes`; needed for a stack. channel: an index, or "grey" for the luminance
    of RGB (the mean where there are not three); needed when several channels are filled.

    Raises ValueError when a choice is missing or impossible, saying what there is, and when no
    pixel is finite.
    """
    pixels = plane_pixels(image, plane)
    notes = image.notes
    if image.axes.endswith("C"):
        pixels, channel_note = _one_channel(pixels, channel)
        notes += channel_note
    elif channel not in (None, 0, "grey"):
        raise ValueError(f"channel must be 0, the picture has no other, got {channel!r}.")
    pixels, finite_note = replace_non_finite(pixels)
    notes += (finite_note,) if finite_note else ()
    return Image(np.ascontiguousarray(pixels), "YX", image.pixel_size_um, notes)


def replace_non_finite(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """The pixels with every NaN and infinity replaced by the median, and a note ("" if none).

    Numbers beyond 1e30 count as infinite. Raises ValueError when no pixel is finite.
    """
    if pixels.dtype.kind != "f":
        return pixels, ""
    finite = np.abs(pixels) <= min(_LARGEST, float(np.finfo(pixels.dtype).max))
    bad = pixels.size - int(np.count_nonzero(finite))
    if not bad:
        return pixels, ""
    if bad == pixels.size:
        raise ValueError("No pixel of the picture is a finite number: check how it was saved.")
    return (
        np.where(finite, pixels, np.median(pixels[finite])).astype(pixels.dtype, copy=False),
        f"{bad} pixels were no finite numbers and got the median of the others.",
    )


def plane_pixels(image: Image, plane: int | None) -> np.ndarray:
    """Pixels of one plane with all their channels. Raises ValueError as `take_plane`."""
    count = int(np.prod(_plane_axes(image)[1], dtype=int))
    if plane is None and count > 1:
        names = planes(image)
        raise ValueError(
            f"The file is a stack of {count} planes: choose one of 0 to {count - 1} "
            f"({names[0]} to {names[-1]})."
        )
    if plane is not None and not 0 <= plane < count:
        have = "the picture has only plane 0" if count == 1 else f"the stack has 0 to {count - 1}"
        raise ValueError(f"There is no plane {plane}: {have}.")
    flat = image.pixels.reshape(count, *image.pixels.shape[len(_plane_axes(image)[1]) :])
    return flat[plane or 0]


def _plane_axes(image: Image) -> tuple[str, tuple[int, ...]]:
    letters = image.axes.removesuffix("C").removesuffix("YX")
    return letters, image.pixels.shape[: len(letters)]


def _one_channel(
    pixels_HWC: np.ndarray, channel: int | str | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    count = pixels_HWC.shape[-1]
    if channel == "grey":
        return _grey(pixels_HWC), ()
    if channel is not None:
        if not isinstance(channel, int) or not 0 <= channel < count:
            raise ValueError(f'channel must be 0 to {count - 1} or "grey", got {channel!r}.')
        return pixels_HWC[..., channel], ()
    filled = channels(Image(pixels_HWC, "YXC"))
    if len(filled) > 1:
        listed = ", ".join(map(str, filled[:-1])) + f" or {filled[-1]}"
        raise ValueError(
            f"The picture has {len(filled)} filled channels: choose channel {listed}, "
            'or "grey" for a mix of all.'
        )
    same = all(np.array_equal(pixels_HWC[..., 0], pixels_HWC[..., i]) for i in range(1, count))
    if same:
        return pixels_HWC[..., 0], ()
    return pixels_HWC[..., filled[0]], (f"Only channel {filled[0]} holds something: it is used.",)


def _grey(pixels_HWC: np.ndarray) -> np.ndarray:
    count, dtype = pixels_HWC.shape[-1], pixels_HWC.dtype
    weights = _LUMINANCE if count == 3 else np.full(count, 1 / count)
    grey_HW = np.zeros(pixels_HWC.shape[:2], np.float64)
    for i, weight in enumerate(weights):
        grey_HW += weight * pixels_HWC[..., i]
    return (grey_HW if dtype.kind == "f" else np.rint(grey_HW)).astype(dtype)
