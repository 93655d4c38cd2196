"""The samples of each set as they are stored: their names, and one at a time its pixels.

Axes: H rows, W columns. `folder` is where the set lies, None for the synthetic ones.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

from unet_core.data import own, shapes, synthetic
from unet_core.data.catalogue import SETS
from unet_core.data.shapes import Shapes

SEED = 2018  # of the synthetic nuclei, and of divisions into training and validation
NUCLEI = (60, 12)  # synthetic images: train, test
SECTIONS = 30
TEST_SECTIONS = 3  # the last of the training volume: never trained on, whatever the scheme
MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Sample:
    """An image and what is known to be in it."""

    name: str
    image_HW: np.ndarray  # as stored: uint8 or uint16, of own sets other numbers, too
    labels_HW: np.ndarray | None  # instances int32, classes uint8; None where nobody labelled
    pixel_size_um: float | None
    path: Path | None  # None: synthetic

    @property
    def truth_HW(self) -> np.ndarray:
        """The labels; ValueError where nobody has drawn any."""
        if self.labels_HW is None:
            raise ValueError(f"nobody has labelled {self.name}: choose a labelled image")
        return self.labels_HW


def stored_names(name: str, stored: str, folder: Path | None) -> list[str]:
    """All samples stored under "train", "test" or "unlabelled", before any scheme.

    Raises ValueError for missing files and for files without a partner.
    """
    if name == "dsb2018" and folder:
        return _paired_stems(folder / stored)
    if name not in SETS and folder:
        return own.read(name).stored(stored)
    if name == "isbi2012" and folder:
        _check_stack(folder)
        if stored == "unlabelled":
            return [f"unlabelled-{index:02d}" for index in range(SECTIONS)]
        first_test = SECTIONS - TEST_SECTIONS
        chosen = range(first_test) if stored == "train" else range(first_test, SECTIONS)
        return [f"section-{index:02d}" for index in chosen]
    kind = name.partition(":")[0].removeprefix("synthetic-")
    count = synthetic_size(name)[0 if stored == "train" else 1]
    return [f"{kind}-{stored}-{index:03d}" for index in range(count)]


def synthetic_size(name: str) -> tuple[int, int]:
    """How many images a synthetic set has: train, test."""
    if name == "synthetic-nuclei":
        return NUCLEI
    settings = Shapes.from_name(name)
    return settings.train, settings.test


def load_stored(name: str, stored: str, sample: str, folder: Path | None) -> Sample:
    """One sample with its pixels.

    Raises ValueError for an unknown sample and for files that cannot be read or do not fit.
    """
    if name == "dsb2018" and folder:
        return _load_pair(sample, folder / stored)
    names = stored_names(name, stored, folder)
    if sample not in names:
        there = f"{names[0]} to {names[-1]} exist" if names else "there are none"
        raise ValueError(f"there is no sample {sample!r}: {there}")
    if name not in SETS and folder:
        return _load_own(sample, own.read(name))
    if name == "isbi2012" and folder:
        return _load_section(sample, folder)
    return _draw(name, stored, names.index(sample), sample)


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


def _load_pair(sample: str, place: Path) -> Sample:
    path, mask = (place / part / f"{sample}.tif" for part in ("images", "masks"))
    if Path(sample).name != sample or not path.is_file():
        raise ValueError(f"there is no sample {sample!r} in {place}")
    if not mask.is_file():
        raise ValueError(f"the image {sample}.tif in {place} has no mask")
    image_HW, labels_HW = _read_plane(path), _read_labels(mask)
    _check_equal_shapes(sample, image_HW, labels_HW)
    return Sample(sample, image_HW, labels_HW.astype(np.int32), None, path)


def _load_own(sample: str, known: own.OwnSet) -> Sample:
    path, labels = (known.place / part / f"{sample}.tif" for part in ("images", "labels"))
    entry, image_HW = known.images[sample], _read_plane(path)
    if entry.split == "unlabelled":
        return Sample(sample, image_HW, None, entry.pixel_size_um, path)
    labels_HW = _read_labels(labels)
    _check_equal_shapes(sample, image_HW, labels_HW)
    dtype = np.uint8 if known.about.labels == "classes" else np.int32
    return Sample(sample, image_HW, labels_HW.astype(dtype), entry.pixel_size_um, path)


def _read_labels(path: Path) -> np.ndarray:
    labels_HW = _read_plane(path)
    if labels_HW.dtype.kind not in "uib" or labels_HW.min() < 0:
        raise ValueError(f"{path} must hold labels, whole numbers from 0, got {labels_HW.dtype}")
    return labels_HW


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
    place = [("train", "test").index(stored), index]
    if name != "synthetic-nuclei":
        settings = Shapes.from_name(name)
        rng = np.random.default_rng([settings.seed, *place])
        return Sample(sample, *shapes.draw(rng, settings), None, None)
    rng = np.random.default_rng([SEED, *place])
    shape = {4: (320, 256), 5: (360, 360)}.get(index % 6, (256, 256))
    return Sample(sample, *synthetic.nuclei(rng, shape), None, None)
