"""What a network holds inside: its layers with their sizes, and what one of them makes of an image.

Axes: B batch, C channels, H rows, W columns.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unet_core.imaging.images import fit, normalise_for
from unet_core.network import model
from unet_core.network.anatomy import Block, Design, blocks, shown_blocks
from unet_core.network.checkpoint import Trained
from unet_core.network.model import Layer, UNet

MOST_SIDE = 384  # pixels of the image: 64 channels of it are 38 MB


@dataclass(frozen=True)
class Features:
    """The maps of one block for one image.

    `pixels_HW` is the part of the image that was shown: its middle, where it is larger than
    `MOST_SIDE`. The maps cover it, each of their pixels `step` pixels of the image; their size is
    its size divided by `step`, rounded up.
    """

    pixels_HW: np.ndarray
    maps_CHW: np.ndarray  # float32
    step: int
    is_middle: bool

    @property
    def mean_C(self) -> np.ndarray:
        """Each map's mean activation."""
        return self.maps_CHW.mean(axis=(1, 2))

    @property
    def silent_C(self) -> np.ndarray:
        """Which maps hold one and the same value everywhere."""
        return self.maps_CHW.min(axis=(1, 2)) == self.maps_CHW.max(axis=(1, 2))


def build(design: Design) -> UNet:
    """The network of a design on torch's `meta` device: all sizes, no memory."""
    with torch.device("meta"):
        return realise(design)


def realise(design: Design) -> UNet:
    """The network of a design, untrained."""
    return UNet(
        design.in_channels,
        design.out_channels,
        design.widths,
        padding=design.padding,
        norm=None if design.norm == "none" else design.norm,
        skip=design.skip,
        up=design.up,
        up_relu=design.up_relu,
    )


def layers(design: Design) -> list[Layer]:
    """A row per layer of a design, as `model.layers`, which takes no memory either."""
    return model.layers(build(design), design.height, design.width)


@torch.inference_mode()
def maps(trained: Trained, pixels_HW: np.ndarray, name: str) -> Features:
    """The maps of the block `name` for raw pixels [H, W], normalised and padded as in predicting.

    Behind ReLU they are 0 or more; those of up-convolutions and of "head" (logits) have no bounds.

    Raises ValueError for a block that the network does not have, or an array that is no picture.
    """
    known = shown_blocks(len(trained.network.widths))
    if name not in known:
        raise ValueError(f"block must be one of {', '.join(known)}, got {name!r}")
    if pixels_HW.ndim != 2 or pixels_HW.size == 0:
        raise ValueError(f"pixels must be a grey image [H, W], got shape {pixels_HW.shape}")
    network = trained.network
    # Normalised as a whole: a part alone may have other percentiles.
    pixels_HW = fit(trained.config.train.images, pixels_HW)
    norm_HW = normalise_for(trained.config, pixels_HW)
    middle = tuple(_middle(side) for side in pixels_HW.shape)
    around_HW = network.surround(norm_HW[middle])
    taken: list[Tensor] = []
    handle = network.get_submodule(name).register_forward_hook(
        lambda _, __, output: taken.append(output[0].float().cpu())
    )
    try:
        image = torch.from_numpy(np.ascontiguousarray(around_HW, dtype=np.float32))
        network(image[None, None].to(next(network.parameters()).device))
    finally:
        handle.remove()
    shown_HW = pixels_HW[middle]
    block = _block(network, around_HW.shape, name)
    step = 2**block.level
    # With valid padding the network has read a mirrored border: its maps begin before the image.
    first = round((network.margin - block.offset) / step)
    rows, columns = (slice(first, first + -(-side // step)) for side in shown_HW.shape)
    return Features(
        shown_HW, taken[0][:, rows, columns].numpy(), step, shown_HW.size < pixels_HW.size
    )


def _middle(side: int) -> slice:
    start = max(0, side - MOST_SIDE) // 2
    return slice(start, start + MOST_SIDE)


def _block(network: UNet, shape: tuple[int, ...], name: str) -> Block:
    design = Design(
        in_channels=network.in_channels,
        out_channels=network.out_channels,
        widths=network.widths,
        padding=network.padding,
        skip=network.skip,
        up=network.up_kind,
        height=shape[0],
        width=shape[1],
    )
    return next(one for one in blocks(design) if one.name == name)
