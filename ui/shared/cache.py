"""What is expensive and shared by all who use the app: pictures, models and probabilities.

Streamlit's own caches count entries; these arrays differ a thousandfold in size, so the shelves
here count bytes. Keys are hashes of content together with every parameter. What lies on a shelf
is shared: nobody may change it, and arrays refuse to be changed.
"""

import dataclasses
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from ui.shared import pictures
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.imaging import checkup, images, outlines
from unet_core.network import checkpoint
from unet_core.predict import export

if TYPE_CHECKING:  # it imports torch
    from unet_core.network.checkpoint import Trained
    from unet_core.network.features import Features
    from unet_core.predict.stretch_demo import Answers

T = TypeVar("T")
MEGABYTE = 1_000_000

_one_at_a_time = threading.Lock()
_seconds_per_pixel: dict[Hashable, float] = {}


@dataclass(frozen=True)
class Treatment:
    """What happens to the image before and in the network."""

    invert: bool = False
    scale: float = 1.0
    flips: bool = False
    rotations: int = 0
    window: int = 0


class Shelf:
    """Values by key; when they are together too large, the longest unused go."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._values: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], *, size: int | None = None) -> T:
        """The value stored under the key; made, and stored, when there is none.

        Two that ask for one key at a time wait for one making. An error is not stored. A value
        larger than the whole shelf is given back without being kept.
        """
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key][0]  # type: ignore[return-value]
            try:
                value = make()
                self._keep(key, value, n_bytes(value) if size is None else size)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value

    def _keep(self, key: Hashable, value: object, size: int) -> None:
        if size > self.most_bytes:
            return
        _freeze(value)
        with self._lock:
            self._values[key] = value, size
            while sum(kept for _, kept in self._values.values()) > self.most_bytes:
                self._values.popitem(last=False)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)


def n_bytes(value: object) -> int:
    """About how much memory a value takes, counting arrays, bytes and what holds them."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=True).sum())
    return 200 + sum(n_bytes(part) for part in _parts(value))


def _freeze(value: object) -> None:
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    for part in _parts(value):
        _freeze(part)


def _parts(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, about.name) for about in dataclasses.fields(value)]
    return []


@st.cache_resource
def shelf(kind: str) -> Shelf:
    """The one shelf of a kind in this process."""
    megabytes = {
        "statistics": 100,
        "thumbnails": 40,
        "uploads": 400,
        "models": 600,
        "pictures": 60,
        "places": 60,
        "greys": 100,
        "sources": 60,
        "probabilities": 800,
        "weights": 200,
        "features": 300,
        "stretched": 60,
        "checkups": 1,
    }
    return Shelf(megabytes.get(kind, 10) * MEGABYTE)


def thumbnail(name: str, split: str, sample: str, *, side: int = 160) -> bytes:
    """A sample as a small JPEG with its objects' outlines, at most `side` pixels wide and high."""
    key = (datasets.info(name), datasets.folder(name), split, sample, side)

    def draw() -> bytes:
        found = datasets.load(name, split, sample)
        return pictures.thumbnail(found.image_HW, found.labels_HW, side=side)

    return shelf("thumbnails").get(key, draw)


def picture(pixels_HW: np.ndarray, pixels_sha256: str) -> bytes:
    """An image as a PNG, stretched for the eye, and coarser where it is very large."""
    return shelf("pictures").get(
        pixels_sha256, lambda: pictures.png(pictures.fit(images.display(pixels_HW)))
    )


def grey(pixels_HW: np.ndarray, pixels_sha256: str) -> np.ndarray:
    """An image as uint8, stretched for the eye, pixel for pixel."""
    return shelf("greys").get(pixels_sha256, lambda: images.display(pixels_HW))


def source(pixels_HW: np.ndarray, pixels_sha256: str, pixel_size_um: float | None) -> bytes:
    """An image as a TIFF to take home."""
    key = (pixels_sha256, pixel_size_um)
    return shelf("sources").get(key, lambda: export.plane_tiff(pixels_HW, pixel_size_um))


def uploaded(data: bytes, sha256: str) -> images.Image:
    """An uploaded picture, decoded once. Raises ValueError as `images.read_image`."""
    return shelf("uploads").get(("image", sha256), lambda: images.read_image(data))


def uploaded_truth(data: bytes, sha256: str, plane: int | None) -> images.Truth:
    """An uploaded truth, decoded once; of a stack, the given plane. Raises ValueError."""
    is_stack = len(images.planes(uploaded(data, sha256))) > 1
    plane = plane if is_stack else None
    key = ("truth", sha256, plane)
    return shelf("uploads").get(key, lambda: images.read_truth(data, plane=plane))


def uploaded_outlines(name: str, data: bytes, sha256: str, shape: tuple[int, int]) -> images.Truth:
    """An uploaded truth of outlines, drawn once for a shape. Raises ValueError."""
    key = ("outlines", outlines.ending(name).lower(), sha256, shape)
    return shelf("uploads").get(key, lambda: outlines.read(name, data, shape))


def model_sha256(name: str) -> str:
    """The hash of a model's file, read again only when the file has changed."""
    path = checkpoint.named(name)
    return shelf("hashes").get(
        _version(path), lambda: hashlib.sha256(path.read_bytes()).hexdigest()
    )


def model_config(name: str) -> ModelConfig:
    """What a model's file says of it, read again only when the file has changed.

    Takes names alone, for they may come from a link. Raises ValueError as `checkpoint.named` and
    `checkpoint.read_config`.
    """
    path = checkpoint.named(name)
    return shelf("configs").get(_version(path), lambda: checkpoint.read_config(path))


def _version(path: Path) -> Hashable:
    about = path.stat()
    return str(path), about.st_mtime_ns, about.st_size


def prediction(
    pixels_HW: np.ndarray,
    pixels_sha256: str,
    model: str,
    treatment: Treatment,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> export.Prediction:
    """The network's answer for an image.

    One image at a time goes through a network in this process: a class that presses the same
    button waits in line, and memory does not run out.
    """
    sha256 = model_sha256(model)

    def run() -> export.Prediction:
        with _one_at_a_time:
            trained = _trained(model, sha256)
            start = time.perf_counter()
            options = dataclasses.asdict(treatment)
            found = export.predict(trained, pixels_HW, **options, on_progress=on_progress)
            seconds = time.perf_counter() - start
            _seconds_per_pixel[_effort(sha256, treatment)] = seconds / (
                pixels_HW.size * treatment.scale**2
            )
            return found

    return shelf("probabilities").get((pixels_sha256, sha256, treatment), run)


def _effort(model_sha256: str, treatment: Treatment) -> Hashable:
    """What decides how long a pixel takes."""
    return model_sha256, treatment.flips, treatment.rotations, treatment.window


def features(pixels_HW: np.ndarray, pixels_sha256: str, model: str, block: str) -> "Features":
    """What one block of a model makes of an image. Raises ValueError as `features.maps`."""
    sha256 = model_sha256(model)

    def run() -> "Features":
        from unet_core.network import features  # imports torch

        with _one_at_a_time:
            return features.maps(_trained(model, sha256), pixels_HW, block)

    return shelf("features").get((pixels_sha256, sha256, block), run)


def stretched(pixels_HW: np.ndarray, pixels_sha256: str, model: str) -> "Answers":
    """A model's right and its stretched answer. Raises ValueError as `stretch_demo.compare`."""
    sha256 = model_sha256(model)

    def run() -> "Answers":
        from unet_core.predict import stretch_demo  # imports torch

        with _one_at_a_time:
            return stretch_demo.compare(_trained(model, sha256), pixels_HW)

    return shelf("stretched").get((pixels_sha256, sha256), run)


def check_up(
    pixels_HW: np.ndarray, pixels_sha256: str, model: str, treatment: Treatment
) -> list[checkup.Finding]:
    """What is doubtful about an image as a model gets to see it.

    Nothing of an empty one: that the network finds nothing there is said by its answer.
    """
    config = model_config(model)

    def run() -> list[checkup.Finding]:
        if checkup.is_constant(pixels_HW):
            return []
        seen_HW = images.invert(pixels_HW) if treatment.invert else pixels_HW
        if treatment.scale != 1:
            height, width = (max(1, round(side * treatment.scale)) for side in pixels_HW.shape)
            seen_HW = images.resize(images.to_unit(seen_HW), (height, width))
        return checkup.check_pixels(pixels_HW) + checkup.check_for(config, seen_HW)

    key = (pixels_sha256, model_sha256(model), treatment.invert, treatment.scale)
    return shelf("checkups").get(key, run)


def is_predicted(pixels_sha256: str, model_sha256: str, treatment: Treatment) -> bool:
    """Whether `prediction` would answer at once."""
    return (pixels_sha256, model_sha256, treatment) in shelf("probabilities")


def expected_seconds(n_pixels: float, model_sha256: str, treatment: Treatment) -> float | None:
    """How long the network will take for so many pixels, from its last image; None at first.

    The pixels are those that it sees, after scaling.
    """
    rate = _seconds_per_pixel.get(_effort(model_sha256, treatment))
    return None if rate is None else rate * n_pixels


def _trained(model: str, sha256: str) -> "Trained":
    shelf_of_models, path = shelf("models"), checkpoint.named(model)
    if sha256 in shelf_of_models:
        return shelf_of_models.get(sha256, lambda: checkpoint.load(path))
    trained = checkpoint.load(path)
    size = sum(value.nbytes for value in trained.network.state_dict().values())
    return shelf_of_models.get(sha256, lambda: trained, size=size)
