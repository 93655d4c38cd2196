"""The images of a training run in memory, and its batches of crops.

Every draw depends on the seed and the step alone, never on what was drawn before: a run that is
resumed at any step sees exactly the crops that it would have seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from unet_core import datasets, images
from unet_core.config import ModelConfig, TrainConfig
from unet_core.inference import normalise
from unet_core.targets import channel_names


@dataclass(frozen=True)
class Example:
    """A normalised image with its labels."""

    name: str
    norm_HW: np.ndarray
    labels_HW: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """All images of a run, and what was measured on the training images."""

    config: TrainConfig
    model_config: ModelConfig
    train: list[Example]
    val: list[Example]

    def crops(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a step before augmentation: norm [B, H, W] float32 and labels int32."""
        config = self.config
        rng = np.random.default_rng([config.seed, 1, step])
        pairs = []
        for index in range(step * config.batch_size, (step + 1) * config.batch_size):
            round_, place = divmod(index, len(self.train))
            order = _order(config.seed, round_, len(self.train))
            pairs.append(crop(self.train[order[place]], config.crop_size, config.crops, rng))
        norms, labels = zip(*pairs, strict=True)
        return np.stack(norms), np.stack(labels)

    @property
    def steps_per_epoch(self) -> int:
        """The steps after which every image was seen once, or what the configuration says."""
        return self.config.steps_per_epoch or -(-len(self.train) // self.config.batch_size)


@lru_cache(maxsize=4)
def _order(seed: int, round_: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, 2, round_]).permutation(count)


def crop(
    example: Example, side: int, where: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A random square of an image and its labels; images that are too small are mirrored.

    "on-objects" draws an object first, then a square that holds the middle of its box.
    """
    norm_HW, labels_HW = example.norm_HW, example.labels_HW
    short = [max(0, side - length) for length in norm_HW.shape]
    if any(short):
        around = [(lack // 2, lack - lack // 2) for lack in short]
        norm_HW = np.pad(norm_HW, around, mode="symmetric")
        labels_HW = np.pad(labels_HW, around, mode="symmetric")
    rooms = [length - side for length in norm_HW.shape]
    starts = [int(rng.integers(room + 1)) for room in rooms]
    if where == "on-objects" and (present := np.unique(labels_HW[labels_HW > 0])).size:
        rows, columns = np.nonzero(labels_HW == rng.choice(present))
        middles = [int(axis.min() + axis.max()) // 2 for axis in (rows, columns)]
        starts = [
            int(np.clip(middle - rng.integers(side), 0, room))
            for middle, room in zip(middles, rooms, strict=True)
        ]
    window = tuple(slice(start, start + side) for start in starts)
    return norm_HW[window], labels_HW[window]


def load(config: TrainConfig) -> TrainingData:
    """Read, measure and normalise the images that a configuration names.

    Raises ValueError when the data set is not there, leaves nothing to train on, or does not fit
    the target.
    """
    about = datasets.info(config.data)
    if about.labels == "classes" and config.target != "classes":
        raise ValueError(
            f"target {config.target} needs objects, but {config.data} has classes: "
            "choose the target classes"
        )
    outputs = channel_names(config.target, about.classes if about.labels == "classes" else ())
    if config.class_weights and len(config.class_weights) != len(outputs):
        raise ValueError(
            f"class_weights must hold {len(outputs)} numbers for the classes "
            f"{', '.join(outputs)}, got {len(config.class_weights)}"
        )
    train, val = list(_samples(config, "train")), list(_samples(config, "val"))
    if not train:
        raise ValueError(f"{config.data} has no training images under scheme {config.scheme}")
    mean, std = _mean_and_std(train)
    small, median, large = _diameters(train) if about.labels == "instances" else (None,) * 3
    model_config = ModelConfig(
        train=config,
        outputs=outputs,
        mean=mean,
        std=std,
        diameter=median,
        small=small,
        large=large,
        pixel_size_um=about.pixel_size_um,
    )

    def examples(chosen: list[datasets.Sample]) -> list[Example]:
        return [
            Example(one.name, normalise(one.image_HW, model_config), one.labels_HW)
            for one in chosen
            if one.labels_HW is not None
        ]

    return TrainingData(config, model_config, examples(train), examples(val))


def _samples(config: TrainConfig, split: str) -> Iterator[datasets.Sample]:
    names = datasets.sample_names(config.data, split, scheme=config.scheme)
    if split == "val":
        names = datasets.pick_evenly(names, config.val_images)
    for name in names:
        yield datasets.load(config.data, split, name)


def _mean_and_std(samples: list[datasets.Sample]) -> tuple[float, float]:
    """Over all pixels of all images, in 0..1, as the tutorial normalises."""
    units = [images.to_unit(one.image_HW) for one in samples]
    count = sum(unit.size for unit in units)
    mean = sum(float(unit.sum(dtype=np.float64)) for unit in units) / count
    square = sum(float(np.square(unit, dtype=np.float64).sum()) for unit in units) / count
    return mean, max(square - mean**2, 1e-12) ** 0.5


def _diameters(samples: list[datasets.Sample]) -> tuple[float | None, ...]:
    """5th, 50th and 95th percentile of the objects' equivalent diameter, in pixels."""
    areas = [np.bincount(one.labels_HW.ravel())[1:] for one in samples if one.labels_HW is not None]
    area = np.concatenate(areas)
    area = area[area > 0]
    if not area.size:
        return (None,) * 3
    return tuple(float(one) for one in np.percentile(np.sqrt(4 * area / np.pi), [5, 50, 95]))
