"""What is unusual about an image before a network sees it, and what to do about it.

Axes: H rows, W columns, C channels, L the numbers that say what an image looks like (`LOOKS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unet_core.base.config import ModelConfig
from unet_core.imaging import images

SEVERITIES = ("problem", "doubt", "note")
# Three quartiles of the normalised grey values; the base-2 logarithm of the share of the contrast
# that lies within 4 x 4 pixels; and the side, as a power of 2, of the squares that hold most of it.
LOOKS = ("dark", "middle", "bright", "fine", "grain")
UNLIKE = 0.5  # so many widths of the training images' range beside it; see doctor_alarms.py
SATURATED = 0.01  # share of the pixels at the largest value
FEW_GREYS = 32
_NARROWEST_L = (0.1, 0.1, 0.1, 1.0, 0.5)  # a handful of sections is more alike than a microscope is
_LEVELS = 6
_FOUND = {  # what is said where a number lies below and above the range
    "dark": ("its dark parts are darker", "its dark parts are brighter"),
    "middle": ("most of it is darker", "most of it is brighter"),
    "bright": ("its bright parts are darker", "its bright parts cover more"),
    "fine": ("it is smoother, as blurred or enlarged images are", "it has more fine texture"),
    "grain": ("its structures are finer", "its structures are coarser"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was noticed.

    severity: one of SEVERITIES; a note is good to know and asks for nothing. what, advice: a
    sentence each. images: those that it is about. action: "invert" or "rescale" (by `scale`) where
    that is what to do.
    """

    severity: str
    what: str
    advice: str = ""
    images: tuple[str, ...] = ()
    action: str = ""
    scale: float = 1.0


def looks(norm_HW: np.ndarray) -> np.ndarray:
    """The numbers LOOKS of a normalised image, float64 [L].

    The contrast is divided into what lies within 2 x 2 pixels, between these within 4 x 4, and so
    on (the variances of a Haar pyramid), so that no size of the image is preferred.
    """
    norm_HW = norm_HW.astype(np.float32, copy=False)
    low, *quartiles, high = np.percentile(norm_HW[::2, ::2], [1, 25, 50, 75, 99.5])
    plane_HW, shares = norm_HW.clip(low, high), []
    for _ in range(_LEVELS):
        height, width = (side // 2 for side in plane_HW.shape)
        if not height or not width:
            break
        blocks = plane_HW[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
        plane_HW = blocks.mean(axis=(1, 3))
        shares.append(float(np.square(blocks - plane_HW[:, None, :, None]).mean()))
    shares.append(float(plane_HW.var()))
    share = np.array(shares) / max(sum(shares), 1e-12)
    fine = np.log2(max(share[:2].sum(), 1e-4))
    return np.array([*quartiles, fine, (share * np.arange(len(share))).sum()], np.float64)


def usual(looks_NL: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The 1st and the 99th percentile of each number over some images: what a model knows."""
    low_L, high_L = np.percentile(looks_NL, [1, 99], axis=0)
    return tuple(map(float, low_L)), tuple(map(float, high_L))


def seen_by(config: ModelConfig, pixels: np.ndarray) -> np.ndarray:
    """The LOOKS of pixels [H, W] or [H, W, C] as the network of a configuration sees them.

    Of several channels their mean counts.
    """
    plane_HW = pixels if pixels.ndim == 2 else pixels.mean(axis=-1).astype(pixels.dtype)
    return looks(images.normalise_for(config, images.fit(config.train.images, plane_HW)))


def distance(config: ModelConfig, looks_L: np.ndarray) -> np.ndarray:
    """How far beside the training images each number lies, in widths of their range [L].

    Below 0 where it lies below; 0 inside. Nothing is said, zeros, where the model does not know
    what its training images looked like.
    """
    if not config.looks_low:
        return np.zeros(len(LOOKS))
    low_L, high_L = np.array(config.looks_low), np.array(config.looks_high)
    width_L = np.maximum(high_L - low_L, _NARROWEST_L)
    return (np.minimum(looks_L - low_L, 0) + np.maximum(looks_L - high_L, 0)) / width_L


def is_unlike(config: ModelConfig, looks_L: np.ndarray) -> bool:
    """Whether an image with these LOOKS is unlike what a model was trained on."""
    return bool(np.abs(distance(config, looks_L)).max() > UNLIKE)


def difference(config: ModelConfig, looks_L: np.ndarray) -> str:
    """In what an image is most unlike a model's training images, as half a sentence."""
    distance_L = distance(config, looks_L)
    at = int(np.abs(distance_L).argmax())
    return _FOUND[LOOKS[at]][int(distance_L[at] > 0)]


def check_for(config: ModelConfig, pixels: np.ndarray) -> list[Finding]:
    """Whether an image is unlike what a model was trained on; nothing where it is not.

    Where its negative is like them, that is the advice.
    """
    looks_L = seen_by(config, pixels)
    if not is_unlike(config, looks_L):
        return []
    what = (
        f"This image is unlike those that the model was trained on: {difference(config, looks_L)}."
    )
    if not is_unlike(config, seen_by(config, images.invert(pixels))):
        advice = "Its negative is like them: invert it."
        return [Finding(severity="doubt", what=what, advice=advice, action="invert")]
    advice = "Look closely at the result; another model, or one trained on such images, may fit."
    return [Finding(severity="doubt", what=what, advice=advice)]


def is_constant(pixels: np.ndarray) -> bool:
    """Whether every pixel has one value, or there are none."""
    return not pixels.size or bool(pixels.min() == pixels.max())


def saturation(pixels: np.ndarray) -> float:
    """The share of the pixels at the image's largest value; 0 of a constant image."""
    return 0.0 if is_constant(pixels) else float(np.mean(pixels == pixels.max()))


def bits(pixels: np.ndarray) -> tuple[int, int]:
    """The bits that the largest value takes, and those that the type has; 0 of other numbers."""
    if pixels.dtype.kind not in "ui" or not pixels.size:
        return 0, 0
    return int(pixels.max()).bit_length(), 8 * pixels.dtype.itemsize


def check_pixels(pixels: np.ndarray) -> list[Finding]:
    """Whether the pixels themselves are fit to be segmented, whatever the model."""
    if is_constant(pixels):
        what = "Every pixel has the same value: the image is empty."
        return [Finding(severity="problem", what=what, advice="Choose another image or channel.")]
    used, there = bits(pixels)
    if there and (few := greys(pixels)) < FEW_GREYS:
        what = f"The image has only {few} grey values, {used} of {there} bits."
        advice = "Take the original file if there is one: something has made this one coarser."
        return [Finding(severity="doubt", what=what, advice=advice)]
    if (share := saturation(pixels)) >= SATURATED:
        what = f"{100 * share:.0f} % of the pixels have the largest value: the image is saturated."
        advice = "What is brighter cannot be told apart there: next time expose for a shorter time."
        return [Finding(severity="doubt", what=what, advice=advice)]
    return []


def greys(pixels: np.ndarray) -> int:
    """How many values there are, which are whole numbers."""
    if pixels.dtype in (np.uint8, np.uint16):
        return int(np.count_nonzero(np.bincount(pixels.ravel())))
    return len(np.unique(pixels))


def rescaling(config: ModelConfig, diameters: Sequence[float] | np.ndarray) -> float:
    """The factor that brings objects of these diameters in pixels to the size that a model knows.

    1 where the typical one is within the sizes of the training, and where nobody knows.
    """
    if config.small is None or config.large is None or not len(diameters):
        return 1.0
    median = float(np.median(diameters))
    if config.small <= median <= config.large or not config.diameter:
        return 1.0
    return config.diameter / median
