"""From raw pixels to probabilities: whole or in tiles, any size, the way it was trained.

Axes: C channels, H rows, W columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import ceil, hypot, isqrt, prod
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from unet_core.imaging import images
from unet_core.network import anatomy
from unet_core.network.checkpoint import Trained
from unet_core.network.model import UNet, probabilities
from unet_core.predict.recipe import MOST_ROTATIONS

# Pixels times channels at full resolution that are read at once, 1.5 megapixels with 64 channels:
# the activations stay below about 3 GB. Not as much as is free here, for with GroupNorm the answer
# depends on what is read at once, and it must not depend on the computer.
WHOLE_FEATURES = 96_000_000
SCALES = (0.05, 20.0)
MOST_PIXELS = 400_000_000  # after scaling


def predict(
    trained: Trained,
    pixels_HW: np.ndarray,
    *,
    scale: float = 1.0,
    invert: bool = False,
    flips: bool = False,
    rotations: int = 0,
    window: int = 0,
    tile: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Probabilities float32 [C, H, W] in 0..1 for raw pixels of any size.

    `scale` resizes the image for the network and its answer back, so that objects have the size
    they had in training. `invert` is for dark objects on a bright background. `flips` averages
    over the eight flips and quarter turns, `rotations` over that many rotations by equal angles
    (Ronneberger et al. 2015 average over 7). `window` slides a square of that side over the
    image with 50 % overlap, shows each to the network on its own and averages. `tile` is the side
    of the tiles; None takes the whole image up to 1.5 megapixels (64 channels at full resolution;
    fewer take more), and larger images in tiles as large. `on_progress` is told how many of how
    many pieces are done.

    Raises ValueError for an array that is no finite grey picture, an impossible scale, number
    of rotations, window or tile, and for a window together with rotations.
    """
    _check(pixels_HW, scale, rotations, window)
    shape = pixels_HW.shape
    if invert:
        pixels_HW = images.invert(pixels_HW)
    pixels_HW = images.fit(trained.config.train.images, pixels_HW)
    norm_HW = images.normalise_for(trained.config, pixels_HW)
    if scale != 1.0:
        norm_HW = images.resize(norm_HW, _scaled(norm_HW.shape, scale))
    softmax = trained.config.train.objective.activation == "softmax"
    options: dict[str, Any] = {"softmax": softmax, "flips": flips, "tile": tile}
    if window:
        prob_CHW = _slide(trained.network, norm_HW, window, options, on_progress)
    elif rotations:
        prob_CHW = _turn(trained.network, norm_HW, rotations, options, on_progress)
    else:
        prob_CHW = predict_normalised(trained.network, norm_HW, **options, on_progress=on_progress)
    if prob_CHW.shape[1:] != shape:
        prob_CHW = np.clip(images.resize(prob_CHW, shape), 0, 1)
    return prob_CHW


def _check(pixels_HW: np.ndarray, scale: float, rotations: int, window: int) -> None:
    if pixels_HW.ndim != 2 or pixels_HW.size == 0 or pixels_HW.dtype.kind not in "buif":
        raise ValueError(
            f"pixels must be a grey image [H, W], got shape {pixels_HW.shape} of {pixels_HW.dtype}"
        )
    if not np.isfinite(pixels_HW).all():
        raise ValueError("pixels must be finite: replace NaN and infinite values first")
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ValueError(f"scale must be between {SCALES[0]} and {SCALES[1]}, got {scale}")
    if pixels_HW.size * scale**2 > MOST_PIXELS:
        raise ValueError(f"scale {scale:g} makes the image larger than 400 megapixels")
    if window and rotations:
        raise ValueError(
            f"window and rotations do not go together: leave one out, got {window} and {rotations}"
        )
    if window and window < 2:
        raise ValueError(f"window must be at least 2 pixels, got {window}")
    if not 0 <= rotations <= MOST_ROTATIONS:
        raise ValueError(f"rotations must be between 0 and {MOST_ROTATIONS}, got {rotations}")


def _scaled(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    height, width = (max(1, round(side * scale)) for side in shape)
    return height, width


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
    With padding "valid" every piece is read with exactly the border that the network takes away,
    mirrored where the image ends: the overlap-tile strategy of Ronneberger et al. 2015, fig. 2.
    GroupNorm adapts to the whole of what it reads, so that tiles change its answer: little where
    they look alike, much where one is empty (see `explain_tiles`).
    """
    height, width = norm_HW.shape
    tile = _tile_side(network, norm_HW.shape) if tile is None else tile
    if tile < 1:
        raise ValueError(f"tile must be a positive number of pixels, got {tile}")
    image_HW = np.asarray(norm_HW, dtype=np.float32)
    out_CHW = np.empty((network.out_channels, height, width), np.float32)
    cuts = [_cuts(network, side, tile) for side in norm_HW.shape]
    pieces = list(product(*cuts))
    for done, (rows, columns) in enumerate(pieces, start=1):
        piece_HW = torch.from_numpy(image_HW[np.ix_(rows.read, columns.read)])
        prob_CHW = _predict_piece(network, piece_HW, softmax, flips)
        out_CHW[:, rows.place, columns.place] = prob_CHW[:, rows.kept, columns.kept].cpu().numpy()
        if on_progress:
            on_progress(done, len(pieces))
    return out_CHW


def explain_tiles(
    trained: Trained,
    shape: tuple[int, ...],
    *,
    scale: float = 1.0,
    rotations: int = 0,
    window: int = 0,
    **_: Any,
) -> str:
    """A sentence where `predict` reads an image of this shape in tiles and they change its answer.

    Empty where it is read whole, and for every network without GroupNorm. The options are those of
    `predict`.
    """
    height, width = _scaled(shape, scale)
    if window:
        height, width = min(window, height), min(window, width)
    elif rotations:
        around = _corner((height, width))
        height, width = height + 2 * around, width + 2 * around
    is_group = any(isinstance(layer, nn.GroupNorm) for layer in trained.network.modules())
    if not is_group or _is_whole(trained.network, (height, width)):
        return ""
    return (
        "This image is too large to be read at once, and the GroupNorm of this network adapts to "
        "each tile on its own: where a tile is nearly empty, it may find objects that are not "
        "there. A network trained with BatchNorm reads images of any size alike."
    )


def _is_whole(network: UNet, shape: tuple[int, ...]) -> bool:
    return prod(map(network.fit, shape)) * network.widths[0] <= WHOLE_FEATURES


def _tile_side(network: UNet, shape: tuple[int, ...]) -> int:
    """The side of the tiles: the whole image where that can be, else as much as can be."""
    if _is_whole(network, shape):
        return max(map(network.fit, shape))
    around = network.margin or anatomy.overlap(len(network.widths), network.up_kind)
    return max(isqrt(WHOLE_FEATURES // network.widths[0]) - 2 * around, network.multiple)


@dataclass(frozen=True)
class _Cut:
    """Along one axis: the pixels a tile reads, which of its answer are kept, and their place."""

    read: np.ndarray
    kept: slice
    place: slice


def _cuts(network: UNet, side: int, tile: int) -> list[_Cut]:
    whole, step = network.fit(side), network.fit(min(tile, side))
    cuts = []
    for start in range(0, side, step):
        stop = min(start + step, side)
        if network.padding == "valid":
            first, last, begins = start - network.margin, start + step + network.margin, start
        else:
            around = anatomy.overlap(len(network.widths), network.up_kind)
            first, last = max(start - around, 0), min(start + step + around, whole)
            begins = first
        read = images.mirror(first, last, side)
        cuts.append(_Cut(read, slice(start - begins, stop - begins), slice(start, stop)))
    return cuts


def _slide(
    network: UNet,
    norm_HW: np.ndarray,
    window: int,
    options: dict[str, Any],
    on_progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """The mean of the answers to squares that overlap by half; each is read as if it were alone."""
    starts = [
        sorted({*range(0, max(side - window, 0), window // 2), max(side - window, 0)})
        for side in norm_HW.shape
    ]
    total_CHW = np.zeros((network.out_channels, *norm_HW.shape), np.float32)
    count_HW = np.zeros(norm_HW.shape, np.float32)
    places = list(product(*starts))
    for done, (top, left) in enumerate(places, start=1):
        rows, columns = slice(top, top + window), slice(left, left + window)
        total_CHW[:, rows, columns] += predict_normalised(
            network, norm_HW[rows, columns], **options
        )
        count_HW[rows, columns] += 1
        if on_progress:
            on_progress(done, len(places))
    return total_CHW / count_HW


def _turn(
    network: UNet,
    norm_HW: np.ndarray,
    rotations: int,
    options: dict[str, Any],
    on_progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """The mean of the answers to the image turned by equal angles, each turned back."""
    height, width = norm_HW.shape
    around = _corner(norm_HW.shape)
    rows, columns = (images.mirror(-around, side + around, side) for side in norm_HW.shape)
    wide_HW = norm_HW[np.ix_(rows, columns)]
    total_CHW = np.zeros((network.out_channels, height, width), np.float32)
    inner = (slice(None), slice(around, around + height), slice(around, around + width))
    turned = partial(ndimage.rotate, axes=(-2, -1), reshape=False, order=1, mode="mirror")
    for done in range(1, rotations + 1):
        angle = 360 * done / rotations
        prob_CHW = predict_normalised(network, turned(wide_HW, angle), **options)
        total_CHW += turned(prob_CHW, -angle)[inner]
        if on_progress:
            on_progress(done, rotations)
    return np.clip(total_CHW / rotations, 0, 1)


def _corner(shape: tuple[int, ...]) -> int:
    """What must be around an image so that no corner is ever turned out of the picture."""
    return ceil((hypot(*shape) - min(shape)) / 2)


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
