"""Random changes of a training batch, on its device; image, labels and weights move together.

Axes: B batch, C channels, H rows, W columns. Every draw comes from one CPU generator, so that the
same seed gives the same changes on any device.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from unet_core.config import TrainConfig


def augment(
    image_BCHW: Tensor,
    labels_BHW: Tensor,
    config: TrainConfig,
    generator: Generator,
    weights_BHW: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch after the changes that `config` asks for, of the same shapes and types.

    Image and weights are interpolated, labels take the nearest pixel; what lies outside is
    mirrored. Intensities change by shares of 0..1, the range that normalising gives. A strength of
    zero leaves out its transform, and draws nothing.
    """
    image_BCHW, labels_BHW, weights_BHW = turn(
        image_BCHW, labels_BHW, config, generator, weights_BHW
    )
    image_BCHW, labels_BHW, weights_BHW = bend(
        image_BCHW, labels_BHW, config, generator, weights_BHW
    )
    return change_intensity(image_BCHW, config, generator), labels_BHW, weights_BHW


def turn(
    image_BCHW: Tensor,
    labels_BHW: Tensor,
    config: TrainConfig,
    generator: Generator,
    weights_BHW: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch mirrored, transposed and turned by right angles: exact, each image on its own.

    Images that are not square are turned by 180 degrees only, and never transposed.
    """
    stacked = [image_BCHW, labels_BHW[:, None]]
    if weights_BHW is not None:
        stacked.append(weights_BHW[:, None])
    square = image_BCHW.shape[-1] == image_BCHW.shape[-2]
    turned: list[list[Tensor]] = [[] for _ in stacked]
    for index in range(len(image_BCHW)):
        one = [part[index] for part in stacked]
        if config.flip:
            axes = [axis for axis in (-1, -2) if _coin(generator)]
            one = [part.flip(axes) for part in one] if axes else one
        if config.transpose and square and _coin(generator):
            one = [part.transpose(-1, -2) for part in one]
        if config.rotate90:
            quarters = int(torch.randint(4, (), generator=generator))
            quarters = quarters if square else quarters // 2 * 2
            one = [part.rot90(quarters, (-2, -1)) for part in one]
        for parts, part in zip(turned, one, strict=True):
            parts.append(part)
    image, labels, *weights = [torch.stack(parts) for parts in turned]
    return image, labels[:, 0], weights[0][:, 0] if weights else None


def _coin(generator: Generator) -> bool:
    return bool(torch.rand((), generator=generator) < 0.5)


def bend(
    image_BCHW: Tensor,
    labels_BHW: Tensor,
    config: TrainConfig,
    generator: Generator,
    weights_BHW: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch rotated, shifted, zoomed and bent by one interpolation, each image on its own."""
    if not (config.rotate or config.shift or config.scale or config.elastic):
        return image_BCHW, labels_BHW, weights_BHW
    grid_BHW2 = sampling_grid(image_BCHW.shape, config, generator).to(image_BCHW.device)
    smooth = [image_BCHW] if weights_BHW is None else [image_BCHW, weights_BHW[:, None]]
    moved = functional.grid_sample(
        torch.cat(smooth, dim=1), grid_BHW2, padding_mode="reflection", align_corners=False
    )
    # float32 holds whole numbers up to 2 ** 24 exactly: more than any image's labels.
    labels = functional.grid_sample(
        labels_BHW[:, None].float(),
        grid_BHW2,
        mode="nearest",
        padding_mode="reflection",
        align_corners=False,
    )
    channels = image_BCHW.shape[1]
    weights = None if weights_BHW is None else moved[:, channels]
    return moved[:, :channels], labels[:, 0].to(labels_BHW.dtype), weights


def sampling_grid(shape: torch.Size, config: TrainConfig, generator: Generator) -> Tensor:
    """Where each pixel takes its value from, float32 [B, H, W, 2] as x, y in -1..1."""
    batch, _, height, width = shape
    side_2 = torch.tensor([width, height], dtype=torch.float32)

    def draw(strength: float, *size: int) -> Tensor:
        return strength * (2 * torch.rand(batch, *size, generator=generator) - 1)

    angle_B = draw(math.radians(config.rotate)) if config.rotate else torch.zeros(batch)
    zoom_B = torch.exp(draw(math.log1p(config.scale))) if config.scale else torch.ones(batch)
    shift_B2 = 2 * draw(config.shift, 2) if config.shift else torch.zeros(batch, 2)
    cos, sin = torch.cos(angle_B) / zoom_B, torch.sin(angle_B) / zoom_B
    # In pixels, so that a rotation of an oblong image stays a rotation.
    rows = torch.arange(height) + 0.5 - height / 2
    columns = torch.arange(width) + 0.5 - width / 2
    y_HW, x_HW = torch.meshgrid(rows, columns, indexing="ij")
    x_BHW = cos[:, None, None] * x_HW - sin[:, None, None] * y_HW
    y_BHW = sin[:, None, None] * x_HW + cos[:, None, None] * y_HW
    grid_BHW2 = torch.stack([x_BHW, y_BHW], dim=-1)
    if config.elastic:
        grid_BHW2 = grid_BHW2 + displacements(shape, config, generator)
    return grid_BHW2 / (side_2 / 2) + shift_B2[:, None, None]


def displacements(shape: torch.Size, config: TrainConfig, generator: Generator) -> Tensor:
    """A smooth random displacement of each pixel, float32 [B, H, W, 2] in pixels.

    Gaussian noise on a grid with one node per `elastic_sigma` pixels, interpolated by cubic
    splines (as the U-Net paper bends: a coarse grid of random vectors, bicubic), with standard
    deviation `elastic` at the nodes.
    """
    batch, _, height, width = shape
    nodes = [max(2, math.ceil(side / config.elastic_sigma)) for side in (height, width)]
    coarse = config.elastic * torch.randn(batch, 2, *nodes, generator=generator)
    fine = functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    return fine.movedim(1, -1)


def change_intensity(image_BCHW: Tensor, config: TrainConfig, generator: Generator) -> Tensor:
    """The images with changed gamma, contrast, brightness and noise, each drawn on its own."""
    device = image_BCHW.device

    def draw(strength: float, *size: int) -> Tensor:
        drawn = strength * (2 * torch.rand(len(image_BCHW), *size, generator=generator) - 1)
        return drawn.to(device)

    out = image_BCHW
    if config.gamma:
        low = out.amin((1, 2, 3), keepdim=True)
        reach = (out.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
        power = torch.exp(draw(math.log1p(config.gamma), 1, 1, 1))
        out = low + reach * ((out - low) / reach).clamp(0, 1) ** power
    if config.contrast:
        mean = out.mean((1, 2, 3), keepdim=True)
        out = mean + (out - mean) * (1 + draw(config.contrast, 1, 1, 1))
    if config.brightness:
        out = out + draw(config.brightness, 1, 1, 1)
    if config.multiplicative_noise:
        out = out * (1 + draw(config.multiplicative_noise, *out.shape[1:]))
    if config.noise:
        strength = config.noise * torch.rand(len(out), 1, 1, 1, generator=generator)
        out = out + (strength * torch.randn(out.shape, generator=generator)).to(device)
    return out
