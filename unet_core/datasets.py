"""The data sets: what they are, where they lie, their splits, and one sample at a time.

Axes: H rows, W columns. Nothing here reads pixels until a sample is loaded.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from scipy import ndimage

from unet_core import cache, synthetic
from unet_core.catalogue import SETS, DataSet

if TYPE_CHECKING:
    from unet_core.download import Progress

NAMES = tuple(SETS)

SEED = 2018  # of the synthetic sets
SIZES = {"synthetic-nuclei": (60, 12), "synthetic-shapes": (100, 10)}  # train, test
SECTIONS = 30
TEST_SECTIONS = 3  # the last of the training volume: never trained on, whatever the scheme
MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Sample:
    """An image and what is known to be in it."""

    name: str
    image_HW: np.ndarray  # uint8 or uint16 as stored
    labels_HW: np.ndarray | None  # instances int32, classes uint8; None where nobody labelled
    pixel_size_um: float | None
    path: Path | None  # None: synthetic


def info(name: str) -> DataSet:
    """The facts about a data set. Raises ValueError for an unknown name."""
    if name not in SETS:
        raise ValueError(f"data set must be one of {', '.join(NAMES)}, got {name!r}")
    return SETS[name]


def root() -> Path:
    """The folder that downloads go to: ``$UNET_DATA``, else ``./data``."""
    return Path(os.environ.get("UNET_DATA") or "data")


def folder(name: str) -> Path | None:
    """The folder of a data set, or None when it is not there (synthetic sets have none)."""
    if info(name).is_synthetic:
        return None
    return next((place / name for place in (root(), Path("data")) if (place / name).is_dir()), None)


def available() -> list[str]:
    """Names of the data sets that can be used now: the downloaded ones and the synthetic ones."""
    return [name for name in NAMES if SETS[name].is_synthetic or folder(name) is not None]


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
    """The samples of a split in their fixed order; a scheme's validation images are only in "val".

    Raises:
        ValueError: unknown set, split or scheme; not downloaded; a file without its partner.
    """
    _check_split(name, split)
    scheme = resolve_scheme(name, scheme)
    pool = _stored_names(name, "train" if split == "val" else split)
    if split not in ("train", "val"):
        return pool
    chosen = _validation_indices(scheme, len(pool))
    return [sample for index, sample in enumerate(pool) if (index in chosen) == (split == "val")]


def load(name: str, split: str, sample: str) -> Sample:
    """One sample with its pixels. Train and val name the same files, so either finds them.

    Raises:
        ValueError: unknown set, split or sample; not downloaded; files that cannot be read or do
            not fit together.
    """
    _check_split(name, split)
    stored = "train" if split == "val" else split
    if name == "dsb2018":
        return _load_pair(sample, _existing_folder(name) / stored)
    names = _stored_names(name, stored)
    if sample not in names:
        raise ValueError(f"there is no sample {sample!r}: {names[0]} to {names[-1]} exist")
    if name == "isbi2012":
        return _load_section(sample, _existing_folder(name))
    return _draw(name, stored, names.index(sample), sample)


def used_in(name: str, scheme: str | None, sample: str) -> str | None:
    """What a sample was used for under a scheme: "train", "val", "test"; None: for nothing."""
    for split in ("train", "val", "test"):
        if sample in sample_names(name, split, scheme=scheme):
            return split
    return None


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


def fetch(
    name: str,
    target: Path | None = None,
    *,
    accept_licence: bool = False,
    on_progress: Callable[["Progress"], None] | None = None,
    urls: Sequence[str] | None = None,
) -> Path:
    """The folder of a set, downloaded into `target` (`root()`) when it is nowhere yet.

    Resumes a broken download. Raises ValueError or `download.DownloadError` as
    `download.fetch_set` does.
    """
    from unet_core import download  # requests is not needed to look at data

    found = folder(name) if target is None else None
    return found or download.fetch_set(
        info(name),
        target or root(),
        accept_licence=accept_licence,
        on_progress=on_progress,
        urls=urls,
    )


def _check_split(name: str, split: str) -> None:
    if split not in info(name).splits:
        raise ValueError(
            f"split of {name} must be one of {', '.join(info(name).splits)}, got {split!r}"
        )


def _existing_folder(name: str) -> Path:
    place = folder(name)
    if place is None:
        raise ValueError(
            f"{name} is not downloaded: run `python -m unet_core data fetch {name}`, "
            f"or put {info(name).by_hand} into {(root() / name).resolve()}"
        )
    return place


def _stored_names(name: str, stored: str) -> list[str]:
    """All samples stored under "train", "test" or "unlabelled", before any scheme."""
    if name == "dsb2018":
        return _paired_stems(_existing_folder(name) / stored)
    if name == "isbi2012":
        _check_stack(_existing_folder(name))
        if stored == "unlabelled":
            return [f"unlabelled-{index:02d}" for index in range(SECTIONS)]
        first_test = SECTIONS - TEST_SECTIONS
        chosen = range(first_test) if stored == "train" else range(first_test, SECTIONS)
        return [f"section-{index:02d}" for index in chosen]
    count = SIZES[name][0 if stored == "train" else 1]
    return [f"{name.removeprefix('synthetic-')}-{stored}-{index:03d}" for index in range(count)]


def _paired_stems(place: Path) -> list[str]:
    """Sorted stems of ``images/*.tif``, each with its partner in ``masks/``."""
    stems = {}
    for part in ("images", "masks"):
        if not (place / part).is_dir():
            raise ValueError(f"{place} must have a folder {part}: there is none")
        files = os.listdir(place / part)
        stems[part] = {file[:-4] for file in files if file.endswith(".tif") and file[0] != "."}
    if not stems["images"]:
        raise ValueError(f"{place / 'images'} holds no .tif file")
    if alone := sorted(stems["images"] ^ stems["masks"]):
        there, missing = ("image", "mask") if alone[0] in stems["images"] else ("mask", "image")
        more = f", and {len(alone) - 1} more files have no partner" if len(alone) > 1 else ""
        raise ValueError(f"the {there} {alone[0]}.tif in {place} has no {missing}{more}")
    return sorted(stems["images"])


def _check_stack(place: Path) -> None:
    for file in ("train-volume.tif", "train-labels.tif", "test-volume.tif"):
        if not (place / file).is_file():
            raise ValueError(f"{file} is missing in {place}")


def _validation_indices(scheme: str, count: int) -> set[int]:
    """Which of the sorted training images validate; never all of them."""
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


def _load_pair(sample: str, place: Path) -> Sample:
    path, mask = (place / part / f"{sample}.tif" for part in ("images", "masks"))
    if Path(sample).name != sample or not path.is_file():
        raise ValueError(f"there is no sample {sample!r} in {place}")
    if not mask.is_file():
        raise ValueError(f"the image {sample}.tif in {place} has no mask")
    image_HW, labels_HW = _read_plane(path), _read_plane(mask).astype(np.int32)
    _check_equal_shapes(sample, image_HW, labels_HW)
    return Sample(sample, image_HW, labels_HW, None, path)


def _load_section(sample: str, place: Path) -> Sample:
    kind, number = sample.rsplit("-", 1)
    pixel_size_um = SETS["isbi2012"].pixel_size_um
    if kind == "unlabelled":
        path = place / "test-volume.tif"
        return Sample(sample, _read_plane(path, int(number)), None, pixel_size_um, path)
    path = place / "train-volume.tif"
    image_HW = _read_plane(path, int(number))
    inside_HW = _read_plane(place / "train-labels.tif", int(number)) > 127
    _check_equal_shapes(sample, image_HW, inside_HW)
    # 4-connected: a membrane one pixel thick that runs diagonally still separates.
    labels_HW, _ = ndimage.label(inside_HW)
    return Sample(sample, image_HW, labels_HW.astype(np.int32), pixel_size_um, path)


def _read_plane(path: Path, page: int = 0) -> np.ndarray:
    """One grey plane of a TIFF. Straight from tifffile: a whole set must load in seconds."""
    try:
        with tifffile.TiffFile(path) as file:
            if page >= len(file.pages):
                raise ValueError(f"it holds {len(file.pages)} planes, not {page + 1}")
            shape = file.pages[page].shape  # from the header, before anything is decoded
            if len(shape) != 2 or not 0 < shape[0] * shape[1] <= MOST_PIXELS:
                raise ValueError(f"it must be a grey plane of at most 100 megapixels, got {shape}")
            return file.pages[page].asarray()
    except Exception as problem:  # tifffile lets every kind of error through
        raise ValueError(f"{path} cannot be read: {problem}") from None


def _check_equal_shapes(sample: str, image_HW: np.ndarray, labels_HW: np.ndarray) -> None:
    if image_HW.shape != labels_HW.shape:
        raise ValueError(
            f"image and mask of {sample} must have one shape, "
            f"got {image_HW.shape} and {labels_HW.shape}"
        )


def _draw(name: str, stored: str, index: int, sample: str) -> Sample:
    """A synthetic sample: its generator depends on its own place only, not on earlier samples."""
    rng = np.random.default_rng([SEED, ("train", "test").index(stored), index])
    if name == "synthetic-shapes":
        return Sample(sample, *synthetic.shapes(rng), None, None)
    shape = {4: (320, 256), 5: (360, 360)}.get(index % 6, (256, 256))
    return Sample(sample, *synthetic.nuclei(rng, shape), None, None)


def _fingerprint(name: str) -> str:
    """Changes when a file of the set changes, without reading any."""
    if info(name).is_synthetic:
        facts = f"{name} {synthetic.VERSION} {SEED} {SIZES[name]}"
    else:
        place = _existing_folder(name)
        files = sorted(path for path in place.rglob("*.tif"))
        stats = [(path.relative_to(place).as_posix(), path.stat()) for path in files]
        facts = "\n".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)
    return hashlib.sha256(f"{name} {facts}".encode()).hexdigest()


def _pixel_hashes(name: str) -> cache.Arrays:
    """Arrays of names, image hashes and label hashes over all labelled samples."""

    def compute() -> cache.Arrays:
        rows = [
            (sample.name, pixel_hash(sample.image_HW), pixel_hash(sample.labels_HW))
            for _, sample in samples(name)
            if sample.labels_HW is not None
        ]
        return dict(zip(("names", "images", "labels"), np.array(rows).T, strict=True))

    return cache.remember("pixels", _fingerprint(name), compute)
