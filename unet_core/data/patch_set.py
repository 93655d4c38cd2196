"""A synthetic set as files: images and masks of equal names in one zip, whole or cut into patches.

Axes: H rows, W columns. This is how a set of one's own looks, too.
"""

import io
import json
import shlex
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from unet_core import __version__
from unet_core.data import datasets, patches
from unet_core.data.patches import FLIPS, Patches
from unet_core.imaging import images

MOST_IMAGES = 9_999  # as many masks, and the settings: what an upload of one's own set may hold
MOST_PIXELS = 250_000_000  # the zip is made in memory, and takes about half a byte for each


@dataclass(frozen=True)
class Pair:
    """One image and its mask, under one stem."""

    stem: str
    image_HW: np.ndarray
    mask_HW: np.ndarray


@dataclass(frozen=True)
class Packed:
    """A zip, and how many images are in it."""

    content: bytes
    images: int


def check(name: str, split: str, *, scheme: str | None = None, cut: Patches | None = None) -> int:
    """How many images the zip will hold at most, without drawing any.

    Raises ValueError for a set that is not synthetic, more than a zip may hold, a split
    without images, a patch larger than the images, and what `datasets.sample_names` refuses.
    """
    if not datasets.info(name).is_synthetic:
        raise ValueError(f"{name} must be a synthetic set: the others are files already")
    names = datasets.sample_names(name, split, scheme=scheme)
    if not names:
        raise ValueError(
            f"{split} has no image under scheme {datasets.resolve_scheme(name, scheme)}: "
            "choose another split or scheme"
        )
    first = datasets.load(name, split, names[0])
    count, pixels = len(names), first.image_HW.size
    if cut is not None:
        patches.places(_mask(first), 0, cut)
        count *= cut.count * (len(FLIPS) if cut.flips else 1)
        pixels = cut.side**2
    if count > MOST_IMAGES:
        raise ValueError(
            f"a zip holds at most {MOST_IMAGES} images, got {count}: cut fewer patches, "
            "or from fewer images"
        )
    if count * pixels > MOST_PIXELS:
        raise ValueError(
            f"a zip holds at most {MOST_PIXELS / 1e6:g} million pixels, "
            f"got {count * pixels / 1e6:.0f}: choose fewer or smaller images or patches"
        )
    return count


def pairs(
    name: str, split: str, *, scheme: str | None = None, cut: Patches | None = None
) -> Iterator[Pair]:
    """Every image of a split with its mask, or the patches that are cut from them.

    An image without any shape gives no patch where each must contain one.
    """
    for index, sample_name in enumerate(datasets.sample_names(name, split, scheme=scheme)):
        sample = datasets.load(name, split, sample_name)
        if cut is None:
            yield Pair(sample.name, sample.image_HW, _mask(sample))
        else:
            yield from cut_pairs(sample, index, cut)


def cut_pairs(sample: datasets.Sample, index: int, cut: Patches) -> Iterator[Pair]:
    """The patches of image number `index` of its split, mirrored ones behind their original."""
    mask_HW = _mask(sample)
    for number, place in enumerate(patches.places(mask_HW, index, cut)):
        both = [patches.take(one, place, cut.side) for one in (sample.image_HW, mask_HW)]
        stem = f"{sample.name}-{number:03d}"
        if not cut.flips:
            yield Pair(stem, *both)
            continue
        mirrored = zip(FLIPS, *(patches.flips(one) for one in both), strict=True)
        for how, image_HW, patch_mask_HW in mirrored:
            yield Pair(f"{stem}-{how.replace(' ', '-')}", image_HW, patch_mask_HW)


def pack(
    name: str,
    split: str,
    *,
    scheme: str | None = None,
    cut: Patches | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """A zip with `images/`, `masks/` (equal stems, PNG) and `settings.json`, which repeats it.

    A mask holds the number of each pixel's class or object. Equal arguments give equal bytes.

    Raises:
        ValueError: as `check`; no image holds a shape, though every patch must.
    """
    total = check(name, split, scheme=scheme, cut=cut)
    packed, count = io.BytesIO(), 0
    with zipfile.ZipFile(packed, "w") as container:
        for pair in pairs(name, split, scheme=scheme, cut=cut):
            _add(container, f"images/{pair.stem}.png", _png(pair.image_HW))
            _add(container, f"masks/{pair.stem}.png", _png(_narrow(pair.mask_HW)))
            count += 1
            if on_progress and count % 50 == 0:
                on_progress(count, total)
        if not count:
            raise ValueError(
                f"no image of {split} holds a shape, so there is no patch that contains one: "
                "draw more shapes, or let patches be empty"
            )
        _add(container, "settings.json", _settings(name, split, scheme, cut))
    return Packed(packed.getvalue(), count)


def command(name: str, split: str, *, scheme: str | None = None, cut: Patches | None = None) -> str:
    """The shell command that makes the same zip."""
    words = ["python", "-m", "unet_core", "data", "pack", datasets.info(name).name]
    words += ["--split", split, "--scheme", datasets.resolve_scheme(name, scheme)]
    if cut is not None:
        words.append("--patches")
        words += [f"{key}={str(value).lower()}" for key, value in cut.to_dict().items()]
    return shlex.join([*words, "--out", file_name(name, split, scheme=scheme, cut=cut)])


def file_name(
    name: str, split: str, *, scheme: str | None = None, cut: Patches | None = None
) -> str:
    """A name for the zip, another one for other content."""
    digest = images.sha256(_settings(name, split, scheme, cut))[:8]
    base = datasets.info(name).name.partition(":")[0]
    return f"{base}-{split}-{'patches' if cut else 'images'}-{digest}.zip"


def _mask(sample: datasets.Sample) -> np.ndarray:
    if sample.labels_HW is None:
        raise ValueError(f"nobody has labelled {sample.name}: it has no mask")
    return sample.labels_HW


def _settings(name: str, split: str, scheme: str | None, cut: Patches | None) -> bytes:
    about = datasets.info(name)
    document: dict[str, Any] = {
        "data": about.name,
        "split": split,
        "scheme": datasets.resolve_scheme(name, scheme),
        "patches": cut.to_dict() if cut else None,
        "classes": dict(enumerate(about.classes)),
        "version": __version__,
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _narrow(mask_HW: np.ndarray) -> np.ndarray:
    """A mask in the fewest bits that a PNG has for it."""
    return mask_HW.astype(np.uint8 if mask_HW.max(initial=0) < 256 else np.uint16)


def _png(pixels_HW: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels_HW)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _add(container: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # of 1980, so that equal content gives equal bytes
    entry.external_attr = 0o644 << 16
    container.writestr(entry, content)
