"""Random changes of a training batch, on its device; image, labels and weights move together.

Axes: B batch, C channels, H rows, W columns. Every draw comes from one CPU generator, so that the
same seed gives the same changes on any device.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from unet_core.base.config import Augmentation


def augment(
    image_BCHW: Tensor,
    labels_BHW: Tensor,
    config: Augmentation,
    generator: Generator,
    weights_BHW: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch after the changes that `config` asks for, of the same shapes and types.

    Image and weights are interpolated, labels take the nearest pixel; what lies outside is
    mirrored. Intensities change by shares of 0..1, the range that normalising gives. A strength of
    zero leaves out its transform, and draws nothing. With geometry "one" each image gets exactly
    one of the turns that are switched on, or shift, zoom and rotation together. With order
    "noise-first" the bending moves the noise, too, and brightness, contrast and gamma come last.
    """
    chosen = _choose(config, len(image_BCHW), generator) if config.geometry == "one" else None
    image_BCHW, labels_BHW, weights_BHW = turn(
        image_BCHW, labels_BHW, config, generator, weights_BHW, chosen=chosen
    )
    for part in _parts(config):
        image_BCHW, labels_BHW, weights_BHW = bend(
            image_BCHW, labels_BHW, part, generator, weights_BHW, chosen=chosen
        )
        image_BCHW = change_intensity(image_BCHW, part, generator)
    return image_BCHW, labels_BHW, weights_BHW


# What each pass of order "noise-first" changes.
_NOISE_FIRST = (
    ("rotate", "shift", "scale"),
    ("noise",),
    ("multiplicative_noise",),
    ("elastic", "elastic_alpha", "affine"),
    ("brightness", "contrast", "gamma"),
)


def _parts(config: Augmentation) -> list[Augmentation]:
    """The changes after the turns, one pass after the other."""
    if config.order == "geometry-first":
        return [config]
    usual = Augmentation()  # changes nothing but by turns
    off = {name: usual.get(name) for names in _NOISE_FIRST for name in names}
    return [
        config.replace(**off | {name: config.get(name) for name in names}) for names in _NOISE_FIRST
    ]


def _choose(config: Augmentation, count: int, generator: Generator) -> list[str]:
    """For each image, the one geometric change that it gets."""
    known = {
        "left-right": config.flip,
        "up-down": config.flip,
        "transpose": config.transpose,
        "quarter turn": config.rotate90,
        "move": bool(config.rotate or config.shift or config.scale),
    }
    names = [name for name, is_on in known.items() if is_on]
    if not names:
        return [""] * count
    return [names[i] for i in torch.randint(len(names), (count,), generator=generator).tolist()]


def turn(
    image_BCHW: Tensor,
    labels_BHW: Tensor,
    config: Augmentation,
    generator: Generator,
    weights_BHW: Tensor | None = None,
    *,
    chosen: list[str] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch mirrored, transposed and turned by right angles: exact, each image on its own.

    Images that are not square are turned by 180 degrees only, and never transposed. `chosen`
    names the one change of each image, instead of drawing all of them.
    """
    stacked = [image_BCHW, labels_BHW[:, None]]
    if weights_BHW is not None:
        stacked.append(weights_BHW[:, None])
    square = image_BCHW.shape[-1] == image_BCHW.shape[-2]
    turned: list[list[Tensor]] = [[] for _ in stacked]
    for index in range(len(image_BCHW)):
        one = [part[index] for part in stacked]
        only = None if chosen is None else chosen[index]
        axes, is_transposed, quarters = _draw_turn(config, square, only, generator)
        one = [part.flip(axes) for part in one] if axes else one
        if is_transposed:
            one = [part.transpose(-1, -2) for part in one]
        if quarters:
            one = [part.rot90(quarters, (-2, -1)) for part in one]
        for parts, part in zip(turned, one, strict=True):
            parts.append(part)
    image, labels, *weights = [torch.stack(parts) for parts in turned]
    return image, labels[:, 0], weights[0][:, 0] if weights else None


def _draw_turn(
    config: Augmentation, square: bool, only: str | None, generator: Generator
) -> tuple[list[int], bool, int]:
    """The axes to mirror, whether to transpose, and the quarter turns of one image."""
    if only is not None:
        axes = {"left-right": [-1], "up-down": [-2]}.get(only, [])
        quarters = int(torch.randint(1, 4, (), generator=generator))
        quarters = quarters if only == "quarter turn" else 0
        return axes, only == "transpose" and square, quarters if square else quarters // 2 * 2
    axes = [axis for axis in (-1, -2) if _coin(generator)] if config.flip else []
    is_transposed = config.transpose and square and _coin(generator)
    quarters = int(torch.randint(4, (), generator=generator)) if config.rotate90 else 0
    return axes, is_transposed, quarters if square else quarters // 2 * 2


def _coin(generator: Generator) -> bool:
    return bool(torch.rand((), generator=generator) < 0.5)


def _often(config: Augmentation, count: int, generator: Generator) -> Tensor:
    """1 for the images that a change is made to, else 0, float32 [B]; draws only when it must."""
    if config.augment_probability == 1:
        return torch.ones(count)
    return (torch.rand(count, generator=generator) < config.augment_probability).float()


def bend(
    image_BCHW: Tensor,
    labels_BHW: Tensor,
    config: Augmentation,
    generator: Generator,
    weights_BHW: Tensor | None = None,
    *,
    chosen: list[str] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch rotated, shifted, zoomed and bent by one interpolation, each image on its own."""
    moves = config.rotate or config.shift or config.scale
    if not (moves or config.elastic or config.elastic_alpha[1] or config.affine):
        return image_BCHW, labels_BHW, weights_BHW
    moves_B = torch.tensor([float(one == "move") for one in chosen]) if chosen else None
    grid_BHW2 = sampling_grid(image_BCHW.shape, config, generator, moves_B=moves_B)
    grid_BHW2 = grid_BHW2.to(image_BCHW.device)
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


def sampling_grid(
    shape: torch.Size,
    config: Augmentation,
    generator: Generator,
    *,
    moves_B: Tensor | None = None,
) -> Tensor:
    """Where each pixel takes its value from, float32 [B, H, W, 2] as x, y in -1..1.

    `moves_B` is 0 for images that are not to be rotated, shifted and zoomed.
    """
    batch, _, height, width = shape
    side_2 = torch.tensor([width, height], dtype=torch.float32)
    moves_B = torch.ones(batch) if moves_B is None else moves_B

    def draw(strength: float, *size: int) -> Tensor:
        drawn = strength * (2 * torch.rand(batch, *size, generator=generator) - 1)
        return drawn * moves_B.view(-1, *(1 for _ in size))

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
    if config.elastic or config.elastic_alpha[1] or config.affine:
        often_B = _often(config, batch, generator)[:, None, None, None]
        if config.elastic:
            grid_BHW2 = grid_BHW2 + often_B * displacements(shape, config, generator)
        if config.elastic_alpha[1]:
            grid_BHW2 = grid_BHW2 + often_B * smoothed_noise(shape, config, generator)
        if config.affine:
            moved = _move_corners(x_HW, y_HW, config.affine, batch, generator)
            grid_BHW2 = grid_BHW2 + often_B * moved
    return grid_BHW2 / (side_2 / 2) + shift_B2[:, None, None]


def _move_corners(
    x_HW: Tensor, y_HW: Tensor, strength: float, batch: int, generator: Generator
) -> Tensor:
    """The displacement [B, H, W, 2] that moves three corners of the middle third's square.

    As the elastic transform of albumentations, and of Simard et al. 2003 before it: each corner
    goes up to `strength` pixels along both axes, what lies between follows linearly.
    """
    reach = min(x_HW.shape) / 3
    corners_B32 = strength * (2 * torch.rand(batch, 3, 2, generator=generator) - 1)
    first, second, third = corners_B32[:, None, None].unbind(dim=-2)  # at (+, +), (+, -), (-, -)
    along_x, along_y = (second - third) / (2 * reach), (first - second) / (2 * reach)
    return (first + third) / 2 + along_x * x_HW[..., None] + along_y * y_HW[..., None]


def displacements(shape: torch.Size, config: Augmentation, generator: Generator) -> Tensor:
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


def smoothed_noise(shape: torch.Size, config: Augmentation, generator: Generator) -> Tensor:
    """A smooth random displacement of each pixel, float32 [B, H, W, 2] in pixels.

    Uniform noise of -1 to 1 for each pixel and axis, smoothed by a Gaussian whose deviation is
    drawn from `elastic_blur`, times a strength from `elastic_alpha` (Simard et al. 2003); noise
    goes on as 0 outside. An image draws one strength and one deviation.
    """
    batch, _, height, width = shape
    fields = []
    for _ in range(batch):
        alpha, sigma = (
            low + (high - low) * float(torch.rand((), generator=generator))
            for low, high in (config.elastic_alpha, config.elastic_blur)
        )
        noise = 2 * torch.rand(2, 1, height, width, generator=generator) - 1
        reach = math.ceil(4 * sigma)
        at = torch.arange(-reach, reach + 1)
        kernel = torch.exp(-(at**2) / (2 * sigma**2))
        kernel /= kernel.sum()
        smooth = functional.conv2d(noise, kernel.view(1, 1, -1, 1), padding=(reach, 0))
        smooth = functional.conv2d(smooth, kernel.view(1, 1, 1, -1), padding=(0, reach))
        fields.append(alpha * smooth[:, 0])
    return torch.stack(fields).movedim(1, -1)


def change_intensity(image_BCHW: Tensor, config: Augmentation, generator: Generator) -> Tensor:
    """The images with changed gamma, contrast, brightness and noise, each drawn on its own."""
    device, count = image_BCHW.device, len(image_BCHW)

    def draw(strength: float, often_B: Tensor, *size: int) -> Tensor:
        drawn = strength * (2 * torch.rand(count, *size, generator=generator) - 1)
        return (drawn * often_B.view(-1, *(1 for _ in size))).to(device)

    out = image_BCHW
    if config.gamma:
        often_B = _often(config, count, generator)
        low = out.amin((1, 2, 3), keepdim=True)
        reach = (out.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
        power = torch.exp(draw(math.log1p(config.gamma), often_B, 1, 1, 1))
        out = low + reach * ((out - low) / reach).clamp(0, 1) ** power
    if config.contrast or config.brightness:
        often_B = _often(config, count, generator)
        if config.contrast:
            mean = out.mean((1, 2, 3), keepdim=True)
            out = mean + (out - mean) * (1 + draw(config.contrast, often_B, 1, 1, 1))
        if config.brightness:
            out = out + draw(config.brightness, often_B, 1, 1, 1)
    if config.multiplicative_noise:
        often_B = _often(config, count, generator)
        out = out * (1 + draw(config.multiplicative_noise, often_B, *out.shape[1:]))
    if config.noise:
        often_B = _often(config, count, generator)
        strength = config.noise * torch.ones(count, 1, 1, 1)
        if not config.fixed_noise:
            strength = strength * torch.rand(count, 1, 1, 1, generator=generator)
        strength = strength * often_B[:, None, None, None]
        out = out + (strength * torch.randn(out.shape, generator=generator)).to(device)
    return out
