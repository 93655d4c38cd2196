"""How long a training run will take and how much memory, from a moment's measurement here."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

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
TRIAL_SIDE = 128


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take on this device."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class _Costs:
    """Seconds that one pixel costs in a training step and in validation."""

    train: float
    infer: float


def estimate(
    config: TrainConfig, *, device: Device, clock: Callable[[], float] = time.monotonic
) -> Estimate:
    """Time and memory of a whole run.

    Two small training steps of this very network are timed on the device, once a minute of the
    clock for each network, and their time is scaled by the pixels that the run will see. Other
    work on the machine makes the estimate longer, as it would the run. A measurement takes one or
    two seconds.

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
    val_count = min(config.images.val_images or len(val), len(val))
    pixels = _mean_pixels(config.images.data, train)
    images_bytes = 8 * pixels * (len(train) + val_count)  # float32 pixels and int32 labels
    needed = round(BASE_BYTES + images_bytes + _network_bytes(config, outputs, device))
    _check_memory(needed, free_bytes(device.name))
    minute = int(clock() // 60)
    costs = _measure(_shape_of(config), outputs, device, minute)
    crops = config.optimisation.batch_size * config.optimisation.accumulate
    steps = (
        config.optimisation.steps_per_epoch or -(-_places(config, train) // crops)
    ) * config.optimisation.epochs
    crop_pixels = (config.images.crop_size + sum(loader.read_around(config))) ** 2
    seconds = (
        START_SECONDS
        + LOAD_SECONDS * (len(train) + val_count)
        + steps * crops * crop_pixels * costs.train
        + config.optimisation.epochs * val_count * pixels * costs.infer
    )
    return Estimate(seconds, needed)


def _check_memory(needed: int, free: int | None) -> None:
    if free is not None and needed > free:
        raise ValueError(
            f"this run needs about {needed / 1e9:.3g} GB of memory, and {free / 1e9:.3g} GB are "
            "free: choose fewer channels, smaller crops or a smaller batch"
        )


def _shape_of(config: TrainConfig) -> TrainConfig:
    """The configuration without what does not change a step's cost, so that it is measured once."""
    return TrainConfig.of(
        crop_size=config.images.crop_size,
        widths=config.network.widths,
        norm=config.network.norm,
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


def _mean_pixels(data: str, names: list[str]) -> float:
    chosen = datasets.pick_evenly(names, SAMPLED)
    sizes = [datasets.load(data, "train", name).image_HW.size for name in chosen]
    return float(np.mean(sizes))


@lru_cache(maxsize=32)
def _measure(config: TrainConfig, outputs: tuple[str, ...], device: Device, minute: int) -> _Costs:
    """The costs as they are in this minute: a busy machine must not be remembered as slow."""
    network = checkpoint.build(ModelConfig(train=config, outputs=outputs))
    network.to(device=device.name, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # At least two pixels a side on the lowest level, for BatchNorm cannot learn from one.
    learned = network.fit(max(TRIAL_SIDE, 2 * network.multiple))
    side = learned + 2 * network.margin
    image = torch.rand(1, 1, side, side, device=device.name)
    labels = torch.zeros(1, learned, learned, dtype=torch.int32, device=device.name)
    target = targets.encode(labels, config.objective.target, config.objective.boundary)

    bfloat16 = use_bfloat16(device.name, config.optimisation.precision)

    def step() -> float:
        start = time.perf_counter()
        with precision(device.name, bfloat16=bfloat16):
            logits = network(image)
        loss = losses.loss(logits.float(), target, config.objective.loss)
        loss.backward()
        loss.item()  # waits for a GPU
        return time.perf_counter() - start

    @torch.inference_mode()
    def infer() -> float:
        start = time.perf_counter()
        with precision(device.name, bfloat16=bfloat16):
            network(image).float().sum().item()
        return time.perf_counter() - start

    step()  # the first one also prepares
    return _Costs(min(step(), step()) / image.numel(), min(infer(), infer()) / image.numel())


def _network_bytes(config: TrainConfig, outputs: tuple[str, ...], device: Device) -> float:
    """Weights with what the optimiser keeps for each, and the features of a batch.

    Every layer's output is kept for the way back; a fifth more is in use at once.
    """
    with torch.device("meta"):
        network = checkpoint.build(ModelConfig(train=config, outputs=outputs))
    copies = (
        2
        + (2 if config.optimisation.optimizer != "sgd" else 1)
        + (1 if config.optimisation.ema else 0)
        + 1
    )
    weights = 4 * copies * sum(weight.numel() for weight in network.parameters())
    side = network.fit(config.images.crop_size) + 2 * network.margin
    values = sum(np.prod(layer.output_CHW) for layer in model.layers(network, side, side))
    is_half = use_bfloat16(device.name, config.optimisation.precision)
    return float(weights + 1.2 * (2 if is_half else 4) * config.optimisation.batch_size * values)
