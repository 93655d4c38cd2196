"""What a network costs here: the memory it takes, and how long one image takes, from a trial."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from unet_core.base.device import Device, bfloat16_pays, free_bytes, precision
from unet_core.network import features
from unet_core.network.anatomy import Block, Design, blocks, smallest_input

TRIAL_OUTPUT = 64  # pixels a side that the network of a trial gives at least
MOST_TRIAL_BYTES = 4_000_000_000
GRADIENTS = 1.2  # the features kept, and the gradients that travel back past them


@dataclass(frozen=True)
class Costs:
    """Seconds for one image of the design's size, and bytes, weights included.

    Training takes a batch at once and keeps what the optimiser AdamW needs; predicting takes one
    image and lets go of what it no longer needs.
    """

    train_seconds: float
    predict_seconds: float
    train_bytes: int
    predict_bytes: int


def measure(
    design: Design,
    *,
    device: Device,
    batch_size: int = 1,
    clock: Callable[[], float] = time.monotonic,
) -> Costs:
    """The costs of a design on a device.

    The network is tried on a small image, once a minute of the clock, and the time scaled by the
    multiply-adds of the design's image. Other work on the machine makes it longer.

    Raises ValueError for a batch below 1, and when the memory that is free would not suffice for
    the trial; such a network is not tried.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    trial = _trial(design)
    needed = _train_bytes(trial, 1, device)
    free = min(free_bytes(device.name) or MOST_TRIAL_BYTES, MOST_TRIAL_BYTES)
    if needed > free:
        raise ValueError(
            f"this network needs {needed / 1e9:.3g} GB even for a small image, too much to try "
            "here: choose fewer channels or levels"
        )
    train, predict = _try(trial, device, int(clock() // 60))
    scale = _work(design) / _work(trial)
    return Costs(
        train * scale,
        predict * scale,
        _train_bytes(design, batch_size, device),
        _predict_bytes(design),
    )


def _trial(design: Design) -> Design:
    """The design with a small image; the lowest level keeps 2 x 2 pixels, for BatchNorm."""
    output = max(TRIAL_OUTPUT, 2 * design.step)
    side = smallest_input(output, design.levels, design.padding)
    return design.replace(height=side, width=side)


def _work(design: Design) -> int:
    return sum(layer.multiply_adds for layer in features.layers(design))


@lru_cache(maxsize=32)
def _try(design: Design, device: Device, minute: int) -> tuple[float, float]:
    """Seconds of a training step and of a prediction, as they are in this minute."""
    network = features.realise(design)
    network.to(device=device.name, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (1, design.in_channels, design.height, design.width)
    image = torch.rand(shape, device=device.name)

    def step() -> float:
        start = time.perf_counter()
        with precision(device.name, bfloat16=bfloat16_pays(device.name)):
            logits = network(image)
        loss = logits.float().square().mean()
        loss.backward()
        loss.item()  # waits for a GPU
        return time.perf_counter() - start

    @torch.inference_mode()
    def predict() -> float:
        start = time.perf_counter()
        network(image).sum().item()
        return time.perf_counter() - start

    step()  # the first one also prepares
    train = min(step(), step())
    network.eval()
    return train, min(predict(), predict())


def _weights(design: Design) -> int:
    return sum(weight.numel() for weight in features.build(design).parameters())


def _train_bytes(design: Design, batch_size: int, device: Device) -> int:
    """Weights, gradients and two moments; the features that are kept for the way back.

    ReLU writes into the features before it. Pooling keeps 8 bytes for where each maximum was. What
    comes up is copied where it meets a skip; itself it is kept only for a ReLU behind it.
    """
    width = 2 if bfloat16_pays(device.name) else 4
    kept = width * design.in_channels * design.height * design.width
    for layer in features.layers(design):
        if layer.kind not in ("ReLU", "ConvTranspose2d", "Upsample"):
            kept += width * _size(layer.output_CHW)
    for block in blocks(design):
        size = _size(block.shape_CHW)
        if block.kind == "pooling":
            kept += (width + 8) * size
        elif block.name.startswith("up"):
            kept += width * _joined(design, block)
            if design.up_relu and block.kind == "up-convolution":
                kept += width * size
    return round(4 * 4 * _weights(design) + GRADIENTS * batch_size * kept)


def _predict_bytes(design: Design) -> int:
    """Weights, and the most that is held at one moment of the way through the network.

    A convolution needs its input beside its output; the skips of all levels above wait meanwhile.
    """
    skips: dict[int, int] = {}
    most = 0
    before: Block | None = None
    for block in blocks(design):
        size = _size(block.shape_CHW)
        waiting = sum(skips.values())
        source = _size(before.shape_CHW) if before else 0
        if before and block.name.startswith("merge"):
            source += _joined(design, before)
            skips.pop(block.level)
        most = max(most, waiting + source + 2 * size)
        if block.name.startswith("down") and block.level < design.levels - 1:
            skips[block.level] = size
        before = block
    return 4 * (_weights(design) + most)


def _joined(design: Design, risen: Block) -> int:
    """Numbers in what comes up together with its skip: beside each other, or added up."""
    count, height, width = risen.shape_CHW
    if design.skip == "concat":
        count += design.widths[risen.level]
    return count * height * width


def _size(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
