"""The data sets: what they are, where they lie, their splits, and one sample at a time.

Axes: H rows, W columns. Nothing here reads pixels until a sample is loaded.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from unet_core.base import cache, folders
from unet_core.data import own, shapes, synthetic
from unet_core.data.catalogue import SETS, DataSet
from unet_core.data.samples import SEED, Sample, load_stored, stored_names, synthetic_size
from unet_core.data.shapes import Shapes

if TYPE_CHECKING:
    from unet_core.data.download import Progress
    from unet_core.data.statistics import Statistics

# The scheme "13-2-28": the test sections of the notebook "U-Net on the EM challenge", which has no
# validation sections of its own; ours lie as far from them as from each other.
EM_TEST, EM_VAL = (13, 2, 28), (7, 18, 23)

T = TypeVar("T")


def info(name: str) -> DataSet:
    """The facts about a data set.

    The name of synthetic-shapes may carry settings, `synthetic-shapes:noise=30,lines=3,8`: that
    is a set of its own. Raises ValueError for an unknown name, one that was deleted, or impossible
    settings.
    """
    base, colon, _ = name.partition(":")
    if base not in SETS or (colon and base != shapes.SET):
        return own.read(name).about
    drawn = Shapes.from_name(name).name if colon else name
    if drawn in SETS:
        return SETS[drawn]
    return replace(SETS[base], name=drawn, title=f"{SETS[base].title} ({drawn.partition(':')[2]})")


def names() -> list[str]:
    """The data sets that come with the app, also those not downloaded, then the own ones."""
    return [*SETS, *own.names()]


def folder(name: str) -> Path | None:
    """The folder of a data set, or None when it is not there (synthetic sets have none)."""
    if info(name).is_synthetic:
        return None
    if name not in SETS:
        return own.read(name).place
    places = (folders.data(), Path("data"))
    return next((place / name for place in places if (place / name).is_dir()), None)


def available() -> list[str]:
    """Names of the data sets that can be used now: downloaded, synthetic and own ones."""
    return [name for name in names() if info(name).is_synthetic or folder(name) is not None]


def is_available(name: str) -> bool:
    """Whether a set, also one with settings in its name, can be used now."""
    try:
        return info(name).is_synthetic or folder(name) is not None
    except ValueError:
        return False


def resolve_scheme(name: str, scheme: str | None) -> str:
    """The scheme's own name; None and "default" mean the data set's. Raises ValueError."""
    known = info(name)
    if scheme is None or scheme == "default":
        return known.default_scheme
    if scheme not in known.schemes:
        raise ValueError(
            f"scheme of {name} must be one of {', '.join(known.schemes)}, got {scheme!r}"
        )
    return scheme


def sample_names(name: str, split: str, *, scheme: str | None = None) -> list[str]:
    """The samples of a split in their fixed order.

    An image is in one split only, but for the scheme "leaky": it is there to show what happens
    when validation images are trained on, too. The scheme "all" has no validation images.

    Raises:
        ValueError: unknown set, split or scheme; not downloaded; a file without its partner.
    """
    _check_split(name, split)
    if split == "unlabelled":
        return _stored_names(name, split)
    return [sample for _, sample in _divide(name, resolve_scheme(name, scheme))[split]]


def training_names(name: str, *, scheme: str | None = None) -> list[str]:
    """The samples to train on; ValueError where there is none, and as `sample_names`."""
    found = sample_names(name, "train", scheme=scheme)
    if not found:
        why = "nobody has labelled them" if "train" not in info(name).splits else f"scheme {scheme}"
        raise ValueError(f"{name} has no images to train on: {why}")
    return found


def pick_evenly(items: Sequence[T], limit: int) -> list[T]:
    """At most `limit` of some items, from the first to the last at equal distances; 0 means all."""
    if not 0 < limit < len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, limit).round().astype(int)]


def load(name: str, split: str, sample: str) -> Sample:
    """One sample with its pixels. Train and val name the same files, so either finds them.

    Raises:
        ValueError: unknown set, split or sample; not downloaded; files that cannot be read or do
            not fit together.
    """
    _check_split(name, split)
    stored = "train" if split == "val" else split
    if name == "isbi2012" and stored != "unlabelled":  # a scheme may move sections
        stored = "train" if sample in _stored_names(name, "train") else "test"
    return load_stored(name, stored, sample, _existing_folder(name))


def used_in(name: str, scheme: str | None, sample: str) -> str | None:
    """What a sample was used for under a scheme: "train", "val", "test".

    None: for nothing, or the set is not there to tell.
    """
    if not is_available(name):
        return None
    division = _divide(name, resolve_scheme(name, scheme))
    for split, found in division.items():
        if any(sample == one for _, one in found):
            return split
    return None


def fingerprint(name: str) -> str:
    """Changes when a file of the set changes, without reading any. ValueError: not downloaded."""
    place = _existing_folder(name)
    if place is None:
        facts = f"{name} {synthetic.VERSION} {SEED} {synthetic_size(name)}"
    else:
        # Not with Path, which takes three times as long for a thousand files.
        files = [os.path.join(at, file) for at, _, files in os.walk(place) for file in files]
        stats = [
            (file, os.stat(file)) for file in sorted(files) if file.endswith((".tif", own.FILE))
        ]
        facts = "\n".join(
            f"{file[len(str(place)) + 1 :].replace(os.sep, '/')} {stat.st_size} {stat.st_mtime_ns}"
            for file, stat in stats
        )
    return hashlib.sha256(f"{name} {facts}".encode()).hexdigest()


def pixel_hash(pixels_HW: np.ndarray) -> str:
    """The sha256 of an image's type, shape and pixels, whatever file format held them."""
    digest = hashlib.sha256(f"{pixels_HW.dtype.name} {pixels_HW.shape} ".encode())
    little_HW = pixels_HW.astype(pixels_HW.dtype.newbyteorder("<"), order="C", copy=False)
    digest.update(little_HW.tobytes())
    return digest.hexdigest()


def pixel_index(name: str) -> dict[str, str]:
    """The sample's name by `pixel_hash` of its image, to recognise an image that comes back.

    DSB 2018 takes about 2 s the first time; then it is read from the cache.
    """
    hashes = _pixel_hashes(name)
    return dict(zip(hashes["images"].tolist(), hashes["names"].tolist(), strict=True))


def data_hash(name: str) -> str:
    """The sha256 over all names and pixels of a set, the same however its files are compressed."""
    hashes = _pixel_hashes(name)
    columns = [hashes[key].tolist() for key in ("names", "images", "labels")]
    lines = [" ".join(row) for row in zip(*columns, strict=True)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def samples(name: str) -> Iterator[tuple[str, Sample]]:
    """Every labelled sample of a set with the split it is stored under, "train" or "test"."""
    for split in ("train", "test"):
        for sample in _stored_names(name, split):
            yield split, load(name, split, sample)


def statistics(
    name: str,
    *,
    scheme: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> "Statistics":
    """Tables of all labelled images and their objects, with the scheme's splits.

    All of DSB 2018 takes about 8 s once, then it is read from the cache. `on_progress` is called
    with the images done and all images, while there is something to compute.
    """
    from unet_core.data import statistics as tables  # pandas is not needed to look at data

    known = info(name)
    division = _divide(name, resolve_scheme(name, scheme))
    splits = {stored: split for split, found in division.items() for stored in found}
    total = sum(len(_stored_names(name, split)) for split in ("train", "test"))
    if not total:
        raise ValueError(f"nobody has labelled the images of {name}: there is nothing to measure")

    def compute() -> cache.Arrays:
        return tables.measure_images(
            (
                tables.Labelled(sample.name, split, sample.image_HW, sample.labels_HW)
                for split, sample in samples(name)
                if sample.labels_HW is not None
            ),
            classes=known.classes,
            has_instances=known.labels == "instances",
            pixel_size_um=known.pixel_size_um,
            on_image=lambda done: on_progress(done, total) if on_progress else None,
        )

    return tables.from_arrays(cache.remember(*_statistics_key(name), compute), splits)


def has_statistics(name: str) -> bool:
    """Whether `statistics` would answer at once."""
    return cache.is_stored(*_statistics_key(name))


def _statistics_key(name: str) -> tuple[str, str]:
    from unet_core.data import statistics as tables

    return f"statistics-{tables.VERSION}", fingerprint(name)


def fetch(
    name: str,
    target: Path | None = None,
    *,
    accept_licence: bool = False,
    on_progress: Callable[["Progress"], None] | None = None,
    urls: Sequence[str] | None = None,
) -> Path:
    """The folder of a set, downloaded into `target` (`folders.data()`) when it is nowhere yet.

    Resumes a broken download. Raises ValueError or `download.DownloadError` as
    `download.fetch_set` does.
    """
    from unet_core.data import download  # requests is not needed to look at data

    found = folder(name) if target is None else None
    return found or download.fetch_set(
        info(name),
        target or folders.data(),
        accept_licence=accept_licence,
        on_progress=on_progress,
        urls=urls,
    )


def _check_split(name: str, split: str) -> None:
    # An own set may have no image for one of the three, as a scheme may leave none.
    if split not in ("train", "val", "test", *info(name).splits):
        raise ValueError(
            f"split of {name} must be one of {', '.join(info(name).splits)}, got {split!r}"
        )


def _stored_names(name: str, stored: str) -> list[str]:
    return stored_names(name, stored, _existing_folder(name))


def _existing_folder(name: str) -> Path | None:
    place = folder(name)
    if place is None and not info(name).is_synthetic:
        raise ValueError(
            f"{name} is not downloaded: run `python -m unet_core data fetch {name}`, "
            f"or put {info(name).by_hand} into {(folders.data() / name).resolve()}"
        )
    return place


def _divide(name: str, scheme: str) -> dict[str, list[tuple[str, str]]]:
    """For each split its samples, each with the split that it is stored under."""
    pool, test = ([(part, one) for one in _stored_names(name, part)] for part in ("train", "test"))
    if scheme == "13-2-28":
        every = pool + test
        test, val = ([every[index] for index in chosen] for chosen in (EM_TEST, EM_VAL))
        train = [one for one in every if one not in test + val]
        return {"train": train, "val": val, "test": test}
    if scheme == "given":
        images = own.read(name).images
        chosen = {index for index, (_, one) in enumerate(pool) if images[one].split == "val"}
    else:
        chosen = _validation_indices(scheme, len(pool))
    val = [one for index, one in enumerate(pool) if index in chosen]
    train = [one for index, one in enumerate(pool) if index not in chosen or scheme == "leaky"]
    return {"train": train, "val": val, "test": test}


def _validation_indices(scheme: str, count: int) -> set[int]:
    """Which of the sorted training images validate; never all of them."""
    if scheme == "all":  # to train once more, when validation images have chosen everything
        return set()
    if scheme == "dl4mia":  # EmbedSeg's split, as the notebook calls it: 15 % after shuffling
        order = np.random.RandomState(1000).permutation(count)
        return set(order[: int(0.15 * count)].tolist())
    if scheme == "every-20th":  # Segmentation with U-Net, DL for computer vision
        return set(range(19, count, 20))
    if scheme == "sections":  # neighbours in depth look alike: a block, not single sections
        return set(range(count - 3, count))
    held_out = min(max(1, round(0.15 * count)), count - 1)
    if scheme == "stardist":  # the split of the StarDist examples
        order = np.random.RandomState(42).permutation(count)
    else:
        order = np.random.default_rng(SEED).permutation(count)
    return set(order[count - held_out :].tolist())


def _pixel_hashes(name: str) -> cache.Arrays:
    """Arrays of names, image hashes and label hashes over all labelled samples."""

    def compute() -> cache.Arrays:
        rows = [
            (sample.name, pixel_hash(sample.image_HW), pixel_hash(sample.labels_HW))
            for _, sample in samples(name)
            if sample.labels_HW is not None
        ]
        columns = np.array(rows, dtype=str).reshape(-1, 3).T  # a set may have no labels at all
        return dict(zip(("names", "images", "labels"), columns, strict=True))

    return cache.remember("pixels", fingerprint(name), compute)
