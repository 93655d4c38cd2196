"""How long a training run will take and how much memory, from a moment's measurement here."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from unet_core.base import device as machine
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.base.device import Device, free_bytes, precision, use_bfloat16
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.network import checkpoint, model
from unet_core.training import loader, losses

START_SECONDS = 8.0  # importing torch, building the network, the first slow steps
LOAD_SECONDS = 0.005  # reading and normalising one image
BASE_BYTES = 500_000_000  # Python, torch and its libraries
SAMPLED = 6  # images whose size stands for all
LOOKED_AT = 30  # validation images among which the largest is looked for
TRIAL_SIDE = 128
TRIAL_SECONDS, TRIAL_STEPS = 1.0, 6  # a trial ends with the first of the two
MOST_KNOWN = 64

_known: dict[tuple[TrainConfig, tuple[str, ...], Device], "Costs"] = {}


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take on this device.

    `training_seconds` are those that a run's status counts: training and validation, without the
    start. `is_rough` says that other work was going on whenever it was measured.
    """

    start_seconds: float
    training_seconds: float
    memory_bytes: int
    is_rough: bool = False


@dataclass(frozen=True)
class Costs:
    """Seconds that one pixel costs in a training step and in validation."""

    train: float
    infer: float
    is_rough: bool = False  # other work was going on


Measure = Callable[[TrainConfig, tuple[str, ...], Device, Callable[[], float]], Costs]


def estimate(
    config: TrainConfig,
    *,
    device: Device,
    is_busy: Callable[[], bool] = machine.is_busy,
    measure: Measure | None = None,
) -> Estimate:
    """Time and memory of a whole run, as they would be while nothing else computes.

    A few small training steps of this very network are timed on the device, and their time is
    scaled by the pixels that the run will see. While other work is going on, only what this
    process works itself is counted, which is rough: ask again when the machine is free. The
    quickest of all measurements counts. One takes one or two seconds.

    Raises ValueError when the data set is not there, does not fit the target, or when the memory
    that is free now would not suffice; such a network is not tried.
    """
    about = datasets.info(config.images.data)
    outputs = targets.channel_names(
        config.objective.target, about.classes if about.labels == "classes" else ()
    )
    train, val = (
        datasets.sample_names(config.images.data, split, scheme=config.images.scheme)
        for split in ("train", "val")
    )
    val = datasets.pick_evenly(val, config.images.val_images)
    train_pixels = _pixels(_shapes(config.images.data, "train", train, SAMPLED))
    val_shapes = _shapes(config.images.data, "val", val, LOOKED_AT)
    val_pixels = _pixels(val_shapes)
    # Pixels as they are stored, 16 bits at most as a rule, and int32 labels.
    images_bytes = min(6 * (train_pixels * len(train) + val_pixels * len(val)), loader.IN_MEMORY)
    needed = BASE_BYTES + images_bytes + _bytes(config, outputs, device, val_shapes)
    costs = _costs(_shape_of(config), outputs, device, measure or try_out, is_busy)
    crops = config.optimisation.batch_size * config.optimisation.accumulate
    steps = (
        config.optimisation.steps_per_epoch or -(-_places(config, train) // crops)
    ) * config.optimisation.epochs
    crop_pixels = (config.images.crop_size + sum(loader.read_around(config))) ** 2
    return Estimate(
        start_seconds=START_SECONDS + LOAD_SECONDS * (len(train) + len(val)),
        training_seconds=steps * crops * crop_pixels * costs.train
        + config.optimisation.epochs * len(val) * val_pixels * costs.infer,
        memory_bytes=round(needed),
        is_rough=costs.is_rough,
    )


def _bytes(
    config: TrainConfig,
    outputs: tuple[str, ...],
    device: Device,
    val_shapes: list[tuple[int, ...]],
) -> float:
    """Weights, and the features of a batch or of the largest validation image: it is not tiled."""
    with torch.device("meta"):
        network = checkpoint.build(ModelConfig(train=config, outputs=outputs))
    is_double = config.optimisation.precision == "float64"
    is_short = use_bfloat16(device.name, config.optimisation.precision)
    width = 8 if is_double else 2 if is_short else 4
    batch = width * _batch_values(config, network)
    largest = max(val_shapes, key=lambda shape: shape[0] * shape[1], default=(0, 0))
    whole = width * _image_values(network, largest)
    rest = _weights_bytes(config, network)
    free = free_bytes(device.name)
    for needed, advice in (
        (batch, "choose fewer channels, smaller crops or a smaller batch"),
        (
            whole,
            f"the validation image of {largest[0]} × {largest[1]} pixels is looked at as a whole, "
            "so choose fewer channels, or cut such images into smaller ones",
        ),
    ):
        _check_memory(rest + needed, free, advice)
    return rest + max(batch, whole)


def _check_memory(needed: float, free: int | None, advice: str) -> None:
    needed += BASE_BYTES
    if free is not None and needed > free:
        raise ValueError(
            f"this run needs about {needed / 1e9:.3g} GB of memory, and {free / 1e9:.3g} GB are "
            f"free: {advice}"
        )


def _weights_bytes(config: TrainConfig, network: model.UNet) -> float:
    """Weights with what the optimiser keeps for each."""
    copies = (
        2
        + (2 if config.optimisation.optimizer != "sgd" else 1)
        + (1 if config.optimisation.ema else 0)
        + 1
    )
    size = 8 if config.optimisation.precision == "float64" else 4
    return size * copies * sum(weight.numel() for weight in network.parameters())


def _batch_values(config: TrainConfig, network: model.UNet) -> float:
    """Every layer's output is kept for the way back; a fifth more is in use at once."""
    side = network.fit(config.images.crop_size) + 2 * network.margin
    values = sum(np.prod(layer.output_CHW) for layer in model.layers(network, side, side))
    return float(1.2 * config.optimisation.batch_size * values)


def _image_values(network: model.UNet, shape: tuple[int, ...]) -> float:
    """The most that is held at one moment of predicting a whole image.

    That is where two parts are joined: what came up, the skip, both joined, and what the two
    convolutions make of them; the skips of the levels above wait meanwhile.
    """
    rows, columns = (network.fit(side) + 2 * network.margin if side else 0 for side in shape)
    widths = [width / 4**level for level, width in enumerate(network.widths)]
    held = [sum(widths[:level]) + 5 * width for level, width in enumerate(widths)]
    return rows * columns * max(held)


def _shape_of(config: TrainConfig) -> TrainConfig:
    """The configuration without what does not change a step's cost, so that it is measured once."""
    return TrainConfig.of(
        crop_size=config.images.crop_size,
        widths=config.network.widths,
        norm=config.network.norm,
        skip=config.network.skip,
        up=config.network.up,
        padding=config.network.padding,
        precision=config.optimisation.precision,
        target=config.objective.target,
        loss=config.objective.loss,
    )


def _places(config: TrainConfig, names: list[str]) -> int:
    """How many crops an epoch takes, from a few images' labels; all of them where it is cheap."""
    if config.images.crops not in ("centred", "patches"):
        return len(names)
    chosen = datasets.pick_evenly(names, SAMPLED)
    labels = [datasets.load(config.images.data, "train", name).labels_HW for name in chosen]
    known = [one for one in labels if one is not None]
    return round(len(loader.find_places(config.images, known)) * len(names) / len(chosen))


def _shapes(data: str, split: str, names: list[str], most: int) -> list[tuple[int, ...]]:
    return [
        datasets.load(data, split, name).image_HW.shape
        for name in datasets.pick_evenly(names, most)
    ]


def _pixels(shapes: list[tuple[int, ...]]) -> float:
    return float(np.mean([np.prod(shape) for shape in shapes])) if shapes else 0.0


def _costs(
    config: TrainConfig,
    outputs: tuple[str, ...],
    device: Device,
    measure: Measure,
    is_busy: Callable[[], bool],
) -> Costs:
    """The least that was measured while the machine was free, or else while it was busy."""
    was_busy = is_busy()
    found = measure(config, outputs, device, _own_seconds if was_busy else time.perf_counter)
    found = Costs(found.train, found.infer, is_rough=was_busy or is_busy())
    known = _known.pop((config, outputs, device), None)
    if known is not None and known.is_rough == found.is_rough:
        least = min(known.train, found.train), min(known.infer, found.infer)
        found = Costs(*least, is_rough=found.is_rough)
    elif known is not None and found.is_rough:
        found = known
    _known[config, outputs, device] = found
    while len(_known) > MOST_KNOWN:
        del _known[next(iter(_known))]
    return found


def _own_seconds() -> float:
    """A clock that stands still while others compute: the work of this process on each core."""
    return time.process_time() / torch.get_num_threads()


def try_out(
    config: TrainConfig, outputs: tuple[str, ...], device: Device, clock: Callable[[], float]
) -> Costs:
    """Time some small steps of a network; the quickest counts."""
    network = checkpoint.build(ModelConfig(train=config, outputs=outputs))
    dtype = torch.float64 if config.optimisation.precision == "float64" else torch.float32
    network.to(device=device.name, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # At least two pixels a side on the lowest level, for BatchNorm cannot learn from one.
    learned = network.fit(max(TRIAL_SIDE, 2 * network.multiple))
    side = learned + 2 * network.margin
    image = torch.rand(1, 1, side, side, device=device.name, dtype=dtype)
    labels = torch.zeros(1, learned, learned, dtype=torch.int32, device=device.name)
    target = targets.encode(labels, config.objective.target, config.objective.boundary)

    bfloat16 = use_bfloat16(device.name, config.optimisation.precision)

    def step() -> None:
        with precision(device.name, bfloat16=bfloat16):
            logits = network(image)
        loss = losses.loss(logits.to(dtype), target, config.objective.loss)
        loss.backward()
        loss.item()  # waits for a GPU

    @torch.inference_mode()
    def infer() -> None:
        with precision(device.name, bfloat16=bfloat16):
            network(image).float().sum().item()

    step()  # the first one also prepares
    pixels = image.numel()
    return Costs(_quickest(step, clock) / pixels, _quickest(infer, clock) / pixels)


def _quickest(work: Callable[[], None], clock: Callable[[], float]) -> float:
    """Seconds by a clock of the quickest of several tries, at least two."""
    tries: list[float] = []
    until = time.monotonic() + TRIAL_SECONDS
    while len(tries) < 2 or (time.monotonic() < until and len(tries) < TRIAL_STEPS):
        start = clock()
        work()
        tries.append(clock() - start)
    return min(tries)
