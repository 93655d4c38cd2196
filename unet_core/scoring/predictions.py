"""What a network says about the images of a split, one by one or all of them from a cache.

Axes: C channels, H rows, W columns.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unet_core import __version__
from unet_core.base import cache
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.network.checkpoint import Trained

VERSION = 4  # of what is stored; a new one when predicting changes
# What does not change the probabilities: storing other thresholds must not void the cache.
WITHOUT_EFFECT = ("segmentation", "tuned_on", "epoch")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class View:
    """How a network looks at an image; unless told otherwise once, at the whole of it.

    `flips`, `rotations` and `window` are those of `inference.predict`; `crop_multiple` first cuts
    the image at the right and below to multiples of it, as some tutorials do (0: not at all).
    Raises ValueError for a negative multiple.
    """

    flips: bool = False
    rotations: int = 0
    window: int = 0
    crop_multiple: int = 0

    def __post_init__(self) -> None:
        if self.crop_multiple < 0:
            raise ValueError(f"crop_multiple must be 0 or more, got {self.crop_multiple}")

    @property
    def options(self) -> dict[str, Any]:
        """The options of `inference.predict`."""
        return {"flips": self.flips, "rotations": self.rotations, "window": self.window}

    def cut(self, image_HW: np.ndarray) -> np.ndarray:
        """The part of an image, or of its labels, that is looked at.

        Raises ValueError when nothing is left of it.
        """
        multiple = self.crop_multiple or 1
        height, width = (side // multiple * multiple for side in image_HW.shape)
        if not height or not width:
            shape = " x ".join(map(str, image_HW.shape))
            raise ValueError(f"crop_multiple {multiple} leaves nothing of an image of {shape} px")
        return image_HW[:height, :width]


WHOLE = View()


@dataclass(frozen=True)
class Answer:
    """An image's probabilities, float32 [C, H, W], beside its truth.

    `is_cut` says whether the view has cut something off the image.
    """

    name: str
    prob_CHW: np.ndarray
    true_HW: np.ndarray
    is_cut: bool = False


@dataclass(frozen=True)
class Predicted:
    """An image's foreground and boundary probability beside its true labels."""

    name: str
    foreground_HW: np.ndarray
    boundary_HW: np.ndarray
    true_HW: np.ndarray


def decode(answer: Answer, config: ModelConfig, reading: str = "objects") -> Predicted:
    """The probabilities that objects are made from, by the `reading` of their settings."""
    objective = config.train.objective
    decoded = targets.decode(answer.prob_CHW, objective.target, objective.boundary, reading)
    return Predicted(answer.name, *decoded, answer.true_HW)


def predict_each(
    trained: Trained,
    data: str,
    split: str,
    names: list[str],
    view: View,
    *,
    on_progress: Progress | None = None,
) -> Iterator[Answer]:
    """The answers to the named images, one at a time: those of a whole set may fill a gigabyte.

    Raises ValueError for an image without truth, one of which `view` leaves nothing, and as
    `inference.predict`.
    """
    from unet_core.predict import inference

    for done, name in enumerate(names, start=1):
        whole_HW, true_HW = _load(data, split, name)
        image_HW = view.cut(whole_HW)
        prob_CHW = inference.predict(trained, image_HW, **view.options)
        yield Answer(name, prob_CHW, view.cut(true_HW), image_HW.shape != whole_HW.shape)
        if on_progress:
            on_progress(done, len(names))


def _load(data: str, split: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    sample = datasets.load(data, split, name)
    if sample.labels_HW is None:
        raise ValueError(f"{data} {split} has no truth: nobody has labelled it")
    return sample.image_HW, sample.labels_HW


def names(trained: Trained, data: str, split: str, *, scheme: str | None = None) -> list[str]:
    """The images of a split that objects can be matched in.

    `scheme` is the model's own when it was trained on the same data. Raises ValueError for an
    unknown or absent set, one of classes, and a split without images or without truth.
    """
    found = datasets.sample_names(data, split, scheme=own_scheme(trained, data, scheme))
    if datasets.info(data).labels != "instances":
        raise ValueError(f"{data} has classes, not objects: there is nothing to match")
    if not found:
        raise ValueError(f"{data} {split} has no images: choose another split or scheme")
    _load(data, split, found[0])
    return found


def own_scheme(trained: Trained, data: str, scheme: str | None) -> str:
    """The scheme asked for; else the model's, when it was trained on these data, or the set's."""
    train = trained.config.train
    if scheme is None and train.images.data == data:
        scheme = train.images.scheme
    return datasets.resolve_scheme(data, scheme)


def key(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    view: View = WHOLE,
) -> str:
    """Everything that decides the probabilities, hashed: weights, settings, images."""
    config = {
        name: value
        for name, value in trained.config.to_dict().items()
        if name not in WITHOUT_EFFECT
    }
    chosen = names(trained, data, split, scheme=scheme)
    images = [data, datasets.data_hash(data), split, chosen]
    facts = [VERSION, __version__, config, images, asdict(view)]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, value in sorted(trained.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def predict_split(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    view: View = WHOLE,
    reading: str = "objects",
    on_progress: Progress | None = None,
) -> list[Predicted]:
    """The probabilities of all images of a split, from the cache where they are in it.

    The 67 validation images of DSB 2018 take 75 MB with two channels, and are read as `decode`
    does. Raises ValueError as `names` and `predict_each` do.
    """
    scheme = own_scheme(trained, data, scheme)
    chosen = names(trained, data, split, scheme=scheme)

    def compute() -> cache.Arrays:
        answers = predict_each(trained, data, split, chosen, view, on_progress=on_progress)
        return {f"prob-{one.name}": one.prob_CHW for one in answers}

    digest = key(trained, data, split, scheme=scheme, view=view)
    stored = cache.remember("probabilities", digest, compute, is_large=True)
    return [
        decode(
            Answer(name, stored[f"prob-{name}"], view.cut(_load(data, split, name)[1])),
            trained.config,
            reading,
        )
        for name in chosen
    ]
