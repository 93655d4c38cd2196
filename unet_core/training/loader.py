"""The images of a training run, in memory or mapped from a file, and its batches of crops.

Every draw depends on the seed and the step alone, never on what was drawn before: a run that is
resumed at any step sees exactly the crops that it would have seen.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import ndimage

from unet_core.base.config import Images, ModelConfig, Objective, TrainConfig
from unet_core.data import datasets, mapped, patches
from unet_core.data.mapped import Array, Record
from unet_core.imaging import checkup, images, targets
from unet_core.imaging.weight_map import weight_map
from unet_core.network import anatomy

IN_MEMORY = 1_000_000_000  # bytes of images and labels, beyond which they are mapped from a file
LOOKED_AT, LOOKED_SIDE = 500, 2048  # training images at most, and pixels of their middle
SHIFTED_BY = 8  # pixels down and to the right, with the mistake "shifted-labels"


@dataclass(frozen=True)
class Example:
    """An image with its labels, of which a window is read, and normalised, at a time."""

    name: str
    pixels: Array  # [H, W], before they are scaled
    labels: Array  # [H, W]
    scale: images.Scaling = images.as_float32
    objects: Array | None = None  # as `find_objects` gives them
    border: Array | None = None  # [H, W], the border term of the weight map, where it follows

    def take(self, window: Any = ...) -> "Crop":
        """A window of it, or all of it."""
        border_HW = None if self.border is None else self.border[window]
        return Crop(self.name, self.scale(self.pixels[window]), self.labels[window], border_HW)


@dataclass(frozen=True)
class Crop:
    """A part of an example, or all of it, in memory and normalised."""

    name: str
    norm_HW: np.ndarray  # float32
    labels_HW: np.ndarray
    border_HW: np.ndarray | None = None


@dataclass(frozen=True)
class Place:
    """Where crops are taken: an image, and the first row and column where they are fixed."""

    example: int
    start: tuple[int, int] | None = None
    mirrored: tuple[int, ...] = ()  # axes along which the crop is mirrored


@dataclass(frozen=True)
class Batch:
    """Crops before augmentation, of the side that the network reads."""

    norm_BHW: np.ndarray  # float32
    labels_BHW: np.ndarray  # int32
    border_BHW: np.ndarray | None  # float32, the border term of the weight map when it follows
    number: int  # through all epochs, for what is drawn of it
    share: float  # of the crops of its step


@dataclass(frozen=True)
class TrainingData:
    """All images of a run, and what was measured on the training images."""

    config: TrainConfig
    model_config: ModelConfig
    train: list[Example]
    val: list[Example]
    places: list[Place]  # an epoch takes a crop at each
    class_shares: tuple[float, ...]  # of the training pixels; background and object for channels

    def batches(self, step: int) -> Iterator[Batch]:
        """What is learned in a step (from 0, through all epochs), in as many parts as accumulate.

        An epoch without a fixed number of steps takes every place once: its steps are as equal as
        can be, at most one place smaller than the configuration says.
        """
        parts = self.config.optimisation.accumulate
        first, last = self._turns(step)
        bounds = [first + part * (last - first) // parts for part in range(parts + 1)]
        for part, (start, stop) in enumerate(pairwise(bounds)):
            if start < stop:
                share = (stop - start) / (last - first)
                yield self.batch(range(start, stop), number=step * parts + part, share=share)

    def _turns(self, step: int) -> tuple[int, int]:
        """The first and behind the last of a step's places, counted through all epochs."""
        options, count = self.config.optimisation, len(self.places)
        if options.steps_per_epoch:
            crops = options.batch_size * options.accumulate
            return step * crops, (step + 1) * crops
        epoch, at = divmod(step, self.steps_per_epoch)
        first, last = (one * count // self.steps_per_epoch for one in (at, at + 1))
        return epoch * count + first, epoch * count + last

    def batch(self, turns: Iterable[int], *, number: int = 0, share: float = 1.0) -> Batch:
        """The crops at places whose turn it is; `number` decides what is drawn."""
        options = self.config.images
        rng = np.random.default_rng([options.seed, 1, number])
        taken = []
        for count in turns:
            round_, turn = divmod(count, len(self.places))
            order = _order(options.seed, round_, len(self.places), options.replacement)
            place = self.places[order[turn]]
            example = self.train[place.example]
            start = place.start
            if start is None:
                objects = example.objects if options.crops == "on-objects" else None
                start = draw_start(example.pixels.shape, options.crop_size, rng, objects)
            taken.append(self._take(example, start, place.mirrored))
        norms, labels, *borders = (np.stack(parts) for parts in zip(*taken, strict=True))
        return Batch(norms, labels, borders[0] if borders else None, number, share)

    def _take(
        self, example: Example, start: tuple[int, int], mirrored: tuple[int, ...]
    ) -> tuple[np.ndarray, ...]:
        side = self.config.images.crop_size
        before, after = read_around(self.config)
        window = np.ix_(
            *(
                images.mirror(first - before, first + side + after, length)
                for first, length in zip(start, example.pixels.shape, strict=True)
            )
        )
        crop = example.take(window)
        parts = (crop.norm_HW, crop.labels_HW, crop.border_HW)
        return tuple(np.flip(part, mirrored) for part in parts if part is not None)

    @property
    def steps_per_epoch(self) -> int:
        """The steps after which every place was seen once, or what the configuration says."""
        options = self.config.optimisation
        crops = options.batch_size * options.accumulate
        return options.steps_per_epoch or -(-len(self.places) // crops)


@lru_cache(maxsize=4)
def _order(seed: int, round_: int, count: int, replacement: bool) -> np.ndarray:
    """The places of an epoch in their order; with replacement some twice, and some not at all."""
    rng = np.random.default_rng([seed, 2, round_])
    return rng.integers(count, size=count) if replacement else rng.permutation(count)


def read_around(config: TrainConfig) -> tuple[int, int]:
    """The pixels that are read before and behind a crop: none but with padding "valid"."""
    network, crop = config.network, config.images.crop_size
    around = anatomy.smallest_input(crop, network.levels, network.padding) - crop
    return around // 2, around - around // 2


def draw_start(
    shape: tuple[int, ...], side: int, rng: np.random.Generator, objects: Array | None = None
) -> tuple[int, int]:
    """First row and column of a random square; negative where the image is smaller than it.

    Where there are objects (as `find_objects` gives them), one is drawn first, then a square that
    holds the middle of its box.
    """
    lowest = [-(max(0, side - length) // 2) for length in shape]
    rooms = [max(0, length - side) for length in shape]
    starts = [int(rng.integers(room + 1)) for room in rooms]
    if objects is not None and len(known_N6 := objects[...]):
        top, left, bottom, right = known_N6[rng.integers(len(known_N6)), 1:5]
        middles = int(top + bottom - 1) // 2, int(left + right - 1) // 2
        starts = [
            int(np.clip(middle - rng.integers(side), 0, room))
            for middle, room in zip(middles, rooms, strict=True)
        ]
    return lowest[0] + starts[0], lowest[1] + starts[1]


def find_objects(labels_HW: np.ndarray) -> np.ndarray:
    """Label, box (top, left, bottom, right; the last two excluded) and area of each, [N, 6]."""
    area = np.bincount(labels_HW.ravel())
    found = [
        (label, box[0].start, box[1].start, box[0].stop, box[1].stop, area[label])
        for label, box in enumerate(ndimage.find_objects(labels_HW), start=1)
        if box is not None
    ]
    return np.array(found, np.int64).reshape(-1, 6)


def find_places(source: Images, labels: Sequence[Array]) -> list[Place]:
    """Where an epoch takes its crops from images with these labels [H, W].

    One random place per image, the middle of each, one fixed place around every object ("centred"
    on its box, "centroids" on its centre of mass with holes filled; as near as the image's border
    allows), or a fixed number of patches per image, drawn once ("patches").

    Raises ValueError when that leaves no place.
    """
    side = source.crop_size
    if source.crops in ("centred", "centroids"):
        middles = _box_middles if source.crops == "centred" else _centroids
        places = [
            Place(index, _start_around(middle, labels_HW.shape, side))
            for index, labels_HW in enumerate(labels)
            for middle in middles(labels_HW[...])
        ]
    elif source.crops == "middle":
        places = [
            Place(index, _start_around((one.shape[0] // 2, one.shape[1] // 2), one.shape, side))
            for index, one in enumerate(labels)
        ]
    elif source.crops == "patches":
        places = [
            Place(index, start, mirrored)
            for index, labels_HW in enumerate(labels)
            for start in patches.cut(
                labels_HW[...],
                count=source.patches,
                side=side,
                must_contain=source.patches_on_objects,
                rng=np.random.default_rng([source.seed, 3, index]),
            )
            for mirrored in (patches.FLIPS.values() if source.patch_flips else [()])
        ]
    else:
        places = [Place(index) for index in range(len(labels))]
    if not places:
        raise ValueError(
            f"crops {source.crops} finds no object in the training images: choose crops random"
        )
    return places


def _start_around(middle: tuple[int, int], shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """First row and column of the square around a pixel, moved into the image where it can be."""
    row, column = (
        int(np.clip(at - side // 2, 0, max(0, length - side))) - max(0, side - length) // 2
        for at, length in zip(middle, shape, strict=True)
    )
    return row, column


def _box_middles(labels_HW: np.ndarray) -> Iterator[tuple[int, int]]:
    for box in ndimage.find_objects(labels_HW):
        if box is not None:
            rows, columns = box
            yield (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2


def _centroids(labels_HW: np.ndarray) -> Iterator[tuple[int, int]]:
    """The pixel at the centre of mass of each object, its holes filled; it may lie outside."""
    for label, box in enumerate(ndimage.find_objects(labels_HW), start=1):
        if box is not None:
            filled = ndimage.binary_fill_holes(labels_HW[box] == label)
            row, column = (float(np.mean(axis)) for axis in np.nonzero(filled))
            yield int(box[0].start + row), int(box[1].start + column)


def load(config: TrainConfig) -> TrainingData:
    """Read and measure the images that a configuration names.

    Those that would take more than IN_MEMORY bytes are copied once into a file, and mapped.

    Raises ValueError when the data set is not there, leaves nothing to train on, or does not fit
    the target; OSError when the disk has no room for that file.
    """
    about = datasets.info(config.images.data)
    outputs = _outputs(config.objective, about)
    records = mapped.gather(_key(config), lambda: _records(config), IN_MEMORY)
    train = [one for one in records if one.facts["split"] == "train"]
    if not train:
        raise ValueError(f"{about.name} has no training images under scheme {config.images.scheme}")
    model_config = _describe(config, about, outputs, train)
    known, held_out = (
        [as_example(one, model_config) for one in records if one.facts["split"] == split]
        for split in ("train", "val")
    )
    looks_low, looks_high = checkup.usual(
        np.stack([_looks(one) for one in datasets.pick_evenly(known, LOOKED_AT)])
    )
    model_config = model_config.replace(looks_low=looks_low, looks_high=looks_high)
    most = max(one.facts["most"] for one in records)
    if about.labels == "classes" and most >= len(outputs):
        raise ValueError(
            f"{about.name} says that it has {len(outputs)} classes, but a label is {most}"
        )
    labels = [one.labels for one in known]
    places = find_places(config.images, labels)
    if config.images.scheme == "leaky" and config.images.crops == "patches":
        places, held = _hold_out(places, config.images)
        held_out = [_cut_out(known[one.example], one, config.images.crop_size) for one in held]
    shares: tuple[float, ...] = ()
    if config.objective.balance:
        shares = _class_shares(config.objective, labels, len(outputs))
    return TrainingData(config, model_config, known, held_out, places, shares)


def _key(config: TrainConfig) -> str:
    """Another one whenever `_records` would give others."""
    source, objective = config.images, config.objective
    fields = ("data", "scheme", "val_images", "fit_width", "mistake", "equalise", "normalisation")
    facts = [datasets.fingerprint(source.data), *(getattr(source, name) for name in fields)]
    facts += [source.low_percentile, source.high_percentile, _has_border(config)]
    facts += [objective.w0, objective.sigma] if _has_border(config) else []
    return hashlib.sha256(f"1 {facts}".encode()).hexdigest()


def _has_border(config: TrainConfig) -> bool:
    return config.objective.weight_map and config.objective.weights_follow


def _records(config: TrainConfig) -> Iterator[Record]:
    """The training images, then those that validate, each with what is measured on all of it."""
    source = config.images
    for split in ("train", "val"):
        for one in _samples(source, split):
            ready_HW = images.prepare(source, one.image_HW, in_training=split == "train")
            yield measure(ready_HW, one.truth_HW, config, name=one.name, split=split)


def measure(
    ready_HW: np.ndarray, labels_HW: np.ndarray, config: TrainConfig, *, name: str, split: str
) -> Record:
    """An image that is ready to be scaled, its labels, and what is measured on all of both."""
    objective, objects_N6 = config.objective, find_objects(labels_HW)
    arrays: dict[str, Array] = {"pixels": ready_HW, "labels": labels_HW, "objects": objects_N6}
    if _has_border(config):
        arrays["border"] = weight_map(
            labels_HW, objective.w0, objective.sigma, class_weights=(0, 0)
        )
    unit_HW = images.to_unit(ready_HW)
    facts = {
        "name": name,
        "split": split,
        "levels": images.levels(config.images, ready_HW),
        "count": unit_HW.size,
        "sum": float(unit_HW.sum(dtype=np.float64)),
        "sum_of_squares": float(np.square(unit_HW, dtype=np.float64).sum()),
        "most": int(labels_HW.max()),
    }
    return Record(arrays, facts)


def _hold_out(places: list[Place], source: Images) -> tuple[list[Place], list[Place]]:
    """The places without a tenth of them, and that tenth, drawn when all are mirrored already."""
    order = np.random.default_rng([source.seed, 5]).permutation(len(places)).tolist()
    held = datasets.pick_evenly(order[: max(1, len(order) // 10)], source.val_images)
    return [places[one] for one in order[max(1, len(order) // 10) :]], [places[one] for one in held]


def _cut_out(example: Example, place: Place, side: int) -> Example:
    assert place.start is not None  # patches are cut at fixed places
    whole = example.take()
    norm_HW, labels_HW = (
        np.flip(patches.take(part, place.start, side), place.mirrored).copy()
        for part in (whole.norm_HW, whole.labels_HW)
    )
    mirrored = next(name for name, axes in patches.FLIPS.items() if axes == place.mirrored)
    at = f"{place.start[0]}, {place.start[1]}"
    return Example(f"{example.name} at {at}, {mirrored}", norm_HW, labels_HW)


def _outputs(objective: Objective, about: datasets.DataSet) -> tuple[str, ...]:
    """The names of the network's channels; ValueError where target or weights do not fit."""
    if about.labels == "classes" and objective.target != "classes":
        raise ValueError(
            f"target {objective.target} needs objects, but {about.name} has classes: "
            "choose the target classes"
        )
    classes = about.classes if about.labels == "classes" else ()
    outputs = targets.channel_names(objective.target, classes)
    if objective.class_weights and len(objective.class_weights) != len(outputs):
        raise ValueError(
            f"class_weights must hold {len(outputs)} numbers for the classes "
            f"{', '.join(outputs)}, got {len(objective.class_weights)}"
        )
    return outputs


def _describe(
    config: TrainConfig, about: datasets.DataSet, outputs: tuple[str, ...], train: list[Record]
) -> ModelConfig:
    """What the network must know of its training images: their brightness, their objects' size."""
    mean, std = config.images.given_mean, config.images.given_std
    if config.images.normalisation != "given":
        mean, std = _mean_and_std(train)
    small, median, large = _diameters(train) if about.labels == "instances" else (None,) * 3
    return ModelConfig(
        train=config,
        outputs=outputs,
        mean=mean,
        std=std,
        diameter=median,
        small=small,
        large=large,
        pixel_size_um=about.pixel_size_um,
    )


def _looks(example: Example) -> np.ndarray:
    """What the middle of an image looks like to the network [L]."""
    starts = [max(0, side - LOOKED_SIDE) // 2 for side in example.pixels.shape[:2]]
    window = tuple(slice(start, start + LOOKED_SIDE) for start in starts)
    return checkup.looks(example.take(window).norm_HW)


def as_example(record: Record, model_config: ModelConfig) -> Example:
    """A measured image, scaled as the network of a configuration wants it."""
    arrays, facts = record.arrays, record.facts
    scale = images.scaling(model_config, facts["levels"], in_training=facts["split"] == "train")
    return Example(
        facts["name"],
        arrays["pixels"],
        arrays["labels"],
        scale,
        arrays["objects"],
        arrays.get("border"),
    )


def _samples(source: Images, split: str) -> Iterator[datasets.Sample]:
    names = datasets.sample_names(source.data, split, scheme=source.scheme)
    if split == "val":
        names = datasets.pick_evenly(names, source.val_images)
    elif source.mistake == "test-in-training":
        yield from _samples(replace(source, mistake="none"), "test")
    for name in names:
        one = datasets.load(source.data, split, name)
        image_HW = images.fit(source, one.image_HW)
        labels_HW = images.fit_labels(one.truth_HW, image_HW.shape)
        if source.mistake == "shifted-labels" and split == "train":
            labels_HW = np.roll(labels_HW, (SHIFTED_BY, SHIFTED_BY), (0, 1))
        yield replace(one, image_HW=image_HW, labels_HW=labels_HW)


def _mean_and_std(train: list[Record]) -> tuple[float, float]:
    """Over all pixels of all images, in 0..1, as the tutorial normalises."""
    count, total, squares = (
        sum(one.facts[name] for one in train) for name in ("count", "sum", "sum_of_squares")
    )
    mean = total / count
    return mean, max(squares / count - mean**2, 1e-12) ** 0.5


def _diameters(train: list[Record]) -> tuple[float | None, ...]:
    """5th, 50th and 95th percentile of the objects' equivalent diameter, in pixels."""
    area = np.concatenate([one.arrays["objects"][:, 5] for one in train])
    if not area.size:
        return (None,) * 3
    return tuple(float(one) for one in np.percentile(np.sqrt(4 * area / np.pi), [5, 50, 95]))


def _class_shares(objective: Objective, labels: list[Array], outputs: int) -> tuple[float, ...]:
    """The share of each class in all pixels; background and object where channels are no classes.

    Distances and boundaries as channels of their own have no classes: objects stand for them.
    """
    counts = np.zeros(outputs if targets.is_softmax(objective.target) else 2, np.int64)
    for one in labels:
        labels_HW = one[...]
        classes_HW = labels_HW > 0
        if targets.is_softmax(objective.target):
            classes_HW = targets.encode(labels_HW, objective.target, objective.boundary)
        counts += np.bincount(classes_HW.ravel(), minlength=counts.size)
    return tuple(float(count) for count in counts / counts.sum())
