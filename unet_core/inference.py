"""From raw pixels to probabilities: whole or in tiles, any size, the way it was trained.

Axes: C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

from unet_core import images
from unet_core.checkpoint import Trained
from unet_core.config import ModelConfig
from unet_core.losses import probabilities
from unet_core.model import UNet
from unet_core.targets import is_softmax

WHOLE_PIXELS = 1_500_000  # larger images are tiled: the activations stay below about 2 GB
TILE = 768
SCALES = (0.05, 20.0)
MOST_PIXELS = 400_000_000  # after scaling


def normalise(pixels_HW: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Pixels as the network saw them in training, float32."""
    train = config.train
    return images.normalise(
        pixels_HW,
        method=train.normalisation,
        low=train.low_percentile,
        high=train.high_percentile,
        mean=config.mean,
        std=config.std,
    )


def predict(
    trained: Trained,
    pixels_HW: np.ndarray,
    *,
    scale: float = 1.0,
    invert: bool = False,
    flips: bool = False,
    tile: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Probabilities float32 [C, H, W] in 0..1 for raw pixels of any size.

    `scale` resizes the image for the network and its answer back, so that objects have the size
    they had in training. `invert` is for dark objects on a bright background. `flips` averages
    over the eight flips and rotations. `tile` is the side of the tiles; None takes the whole image
    up to 1.5 megapixels. `on_progress` is told how many of how many pieces are done.

    Raises ValueError for an array that is no finite grey picture, and an impossible scale or tile.
    """
    if pixels_HW.ndim != 2 or pixels_HW.size == 0:
        raise ValueError(f"pixels must be a grey image [H, W], got shape {pixels_HW.shape}")
    if not np.isfinite(pixels_HW).all():
        raise ValueError("pixels must be finite: replace NaN and infinite values first")
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ValueError(f"scale must be between {SCALES[0]} and {SCALES[1]}, got {scale}")
    if pixels_HW.size * scale**2 > MOST_PIXELS:
        raise ValueError(f"scale {scale:g} makes the image larger than 400 megapixels")
    shape = pixels_HW.shape
    if invert:
        pixels_HW = images.invert(pixels_HW)
    norm_HW = normalise(pixels_HW, trained.config)
    if scale != 1.0:
        norm_HW = images.resize(norm_HW, tuple(max(1, round(side * scale)) for side in shape))
    softmax = is_softmax(trained.config.train.target)
    prob_CHW = predict_normalised(
        trained.network, norm_HW, softmax=softmax, flips=flips, tile=tile, on_progress=on_progress
    )
    if scale != 1.0:
        prob_CHW = np.clip(images.resize(prob_CHW, shape), 0, 1)
    return prob_CHW


@torch.inference_mode()
def predict_normalised(
    network: UNet,
    norm_HW: np.ndarray,
    *,
    softmax: bool,
    flips: bool = False,
    tile: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Probabilities float32 [C, H, W] for an image that is normalised already.

    Tiles overlap by the network's whole field of view, so that no pixel that is kept has seen a
    tile's edge: with BatchNorm (whose statistics are fixed here) the seam is not there at all.
    """
    step = network.multiple
    height, width = norm_HW.shape
    # Mirrored, so that the padding looks like the image; also for images smaller than the step.
    padded_HW = np.pad(norm_HW, ((0, -height % step), (0, -width % step)), mode="symmetric")
    if tile is None:
        tile = max(padded_HW.shape) if padded_HW.size <= WHOLE_PIXELS else TILE
    if tile < 1:
        raise ValueError(f"tile must be a positive number of pixels, got {tile}")
    tile = -(-tile // step) * step
    image_HW = torch.from_numpy(np.ascontiguousarray(padded_HW, dtype=np.float32))
    out_CHW = np.empty((network.out_channels, height, width), np.float32)
    places = list(_tiles(padded_HW.shape, tile, halo(network)))
    for done, (outer, inner, core) in enumerate(places, start=1):
        prob_CHW = _predict_piece(network, image_HW[outer], softmax, flips)[:, inner[0], inner[1]]
        rows, columns = (
            slice(place.start, min(place.stop, side))
            for place, side in zip(core, (height, width), strict=True)
        )
        kept = prob_CHW[:, : rows.stop - rows.start, : columns.stop - columns.start]
        out_CHW[:, rows, columns] = kept.cpu().numpy()
        if on_progress:
            on_progress(done, len(places))
    return out_CHW


def halo(network: UNet) -> int:
    """How far a pixel of the output can see, in pixels, rounded up to the network's step.

    At each level two 3x3 convolutions reach 2 pixels of that level, on the way down and (but for
    the lowest) up again; pooling and up-convolution shift by less than a pixel of the level below.
    """
    levels = len(network.channels)
    reach = sum(2 * 2**level for level in range(levels))
    reach += sum(2 * 2**level + 2**level for level in range(levels - 1))
    return -(-reach // network.multiple) * network.multiple


def _tiles(
    shape: tuple[int, ...], tile: int, halo: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice], tuple[slice, slice]]]:
    """For each tile: what is read, which part of that is kept, and where it goes."""
    cuts = []
    for side in shape:
        axis = []
        for start in range(0, side, tile):
            stop = min(start + tile, side)
            first, last = max(start - halo, 0), min(stop + halo, side)
            axis.append(
                (slice(first, last), slice(start - first, stop - first), slice(start, stop))
            )
        cuts.append(axis)
    for rows, columns in product(*cuts):
        yield (
            (rows[0], columns[0]),
            (rows[1], columns[1]),
            (rows[2], columns[2]),
        )


def _predict_piece(network: UNet, image_HW: Tensor, softmax: bool, flips: bool) -> Tensor:
    device = next(network.parameters()).device
    turns = list(product(range(4), (False, True))) if flips else [(0, False)]
    total: Tensor | None = None
    for quarters, mirrored in turns:
        turned = image_HW.flip(-1) if mirrored else image_HW
        turned = turned.rot90(quarters, (-2, -1))
        logits = network(turned[None, None].to(device).contiguous())
        prob_CHW = probabilities(logits[0], softmax=softmax).rot90(-quarters, (-2, -1))
        prob_CHW = prob_CHW.flip(-1) if mirrored else prob_CHW
        total = prob_CHW if total is None else total + prob_CHW
    assert total is not None
    return total / len(turns)
