"""The U-Net of Ronneberger, Fischer and Brox, 2015 (arXiv 1505.04597), of any depth and width."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unet_core.base.config import SKIPS, UPS, check_way_up
from unet_core.imaging.images import mirror
from unet_core.network import anatomy

GROUPS = 32


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each followed by optional normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, padding: str, norm: str | None) -> None:
        layers: list[nn.Module] = []
        for count in (inputs, outputs):
            # Normalising subtracts the mean: a bias before it would do (almost) nothing.
            pad = 1 if padding == "same" else 0
            layers.append(nn.Conv2d(count, outputs, 3, padding=pad, bias=norm is None))
            if norm == "batch":
                layers.append(nn.BatchNorm2d(outputs))
            elif norm == "group":
                # Wu and He 2018 (arXiv 1803.08494) use 32 groups; few channels have fewer.
                layers.append(nn.GroupNorm(gcd(GROUPS, outputs), outputs))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class UNet(nn.Module):
    """Images [B, in_channels, H, W] to logits [B, out_channels, H', W'].

    `widths` are the feature channels of each level, top to bottom; each level below the first
    halves the image. (`channels` is their earlier name.) With padding "same" the output has the
    input's size, which must be a multiple of 2 ** (levels - 1); with "valid" it is smaller
    (572 -> 388 for five levels), and the skipped features are cropped to their centre. `norm` is
    "batch", "group" or None. `init` "he" starts with weights of variance 2 / inputs and no bias, as
    the paper asks (He et al. 2015: features keep unit variance behind a ReLU); "pytorch" with
    PyTorch's own, of variance 1 / (3 inputs); "xavier" with weights of variance 2 / (inputs +
    outputs) and no bias (Glorot and Bengio 2010), but for up-convolutions, which start as
    PyTorch's.

    On the way up, `up` "transposed" doubles the size by 2x2 up-convolutions, which `up_relu` lets a
    ReLU follow. "bilinear" interpolates, without weights; each block then narrows the maps to the
    width of the level above. Where a block meets the skip, `skip` "concat" puts both behind each
    other and "add" adds them up.

    Raises ValueError for impossible settings, and for an image whose size does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, ...] = (64, 128, 256, 512, 1024),
        padding: str = "same",
        norm: str | None = None,
        init: str = "he",
        *,
        up_relu: bool = False,
        skip: str = "concat",
        up: str = "transposed",
        channels: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        widths = widths if channels is None else channels
        if padding not in ("same", "valid"):
            raise ValueError(f'padding must be "same" or "valid", got {padding!r}')
        if norm not in ("batch", "group", None):
            raise ValueError(f'norm must be "batch", "group" or None, got {norm!r}')
        if init not in ("he", "pytorch", "xavier"):
            raise ValueError(f'init must be "he", "pytorch" or "xavier", got {init!r}')
        if not widths or min(in_channels, out_channels, *widths) < 1:
            raise ValueError("in_channels, out_channels and widths must be positive numbers")
        for name, value, known in (("skip", skip, SKIPS), ("up", up, UPS)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        check_way_up(tuple(widths), padding=padding, skip=skip, up=up)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.widths, self.padding, self.skip, self.up_kind = tuple(widths), padding, skip, up
        self.down = nn.ModuleList(
            DoubleConv(upper, lower, padding=padding, norm=norm)
            for upper, lower in pairwise((in_channels, *widths))
        )
        way_up = anatomy.way_up(self.widths, up)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(lower, upper, 2, stride=2)
            if up == "transposed"
            # Corners are not aligned: a pixel's place in its map must not decide its value, or
            # tiles would differ from the whole.
            else nn.Upsample(scale_factor=2, mode="bilinear")
            for upper, lower in pairwise(widths)
        )
        self.rectify = nn.ModuleList(
            nn.ReLU(inplace=True) for _ in (self.up if up_relu and up == "transposed" else ())
        )
        self.merge = nn.ModuleList(
            DoubleConv(width + came if skip == "concat" else width, out, padding=padding, norm=norm)
            for width, (came, out) in zip(widths, way_up, strict=False)
        )
        self.head = nn.Conv2d(widths[0], out_channels, 1)
        self._start(init)

    def _start(self, init: str) -> None:
        """The first weights."""
        for module in self.modules():
            if init == "he" and isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif init == "xavier" and isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
            else:
                continue
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    @property
    def multiple(self) -> int:
        """What both sides of an image must be a multiple of, with padding "same"."""
        return anatomy.step(len(self.widths))

    @property
    def margin(self) -> int:
        """Pixels on each side that the output is smaller than the image: 0 but for "valid"."""
        return anatomy.margin(len(self.widths)) if self.padding == "valid" else 0

    def fit(self, side: int) -> int:
        """The smallest output side of at least `side` that this network can have."""
        needed = anatomy.smallest_input(side, len(self.widths), self.padding)
        return needed - 2 * self.margin

    def surround(self, norm_HW: np.ndarray) -> np.ndarray:
        """The image with the mirrored border that is needed to answer for every pixel.

        The answer begins at the image's first pixel and may be larger than the image.
        """
        rows, columns = (
            mirror(-self.margin, self.fit(side) + self.margin, side) for side in norm_HW.shape
        )
        return norm_HW[np.ix_(rows, columns)]

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Logits of a batch."""
        if not torch.compiler.is_exporting():  # an exported network has no certain size
            self._check_size(*image_BCHW.shape[-2:])
        skips: list[Tensor] = []
        features = image_BCHW
        for level, block in enumerate(self.down):
            if level:
                features = functional.max_pool2d(features, 2)
            features = block(features)
            skips.append(features)
        for level in reversed(range(len(self.up))):
            features = self.up[level](features)
            if self.rectify:
                features = self.rectify[level](features)
            skip = skips[level]
            if self.padding == "valid":
                skip = _crop_centre(skip, features.shape[-2], features.shape[-1])
            both = torch.cat([skip, features], dim=1) if self.skip == "concat" else skip + features
            features = self.merge[level](both)
        return self.head(features)

    def _check_size(self, height: int, width: int) -> None:
        for name, side in (("height", height), ("width", width)):
            if reason := anatomy.explain_side(side, len(self.widths), self.padding):
                raise ValueError(f"{name} {reason}")


def _crop_centre(features: Tensor, height: int, width: int) -> Tensor:
    top, left = (features.shape[-2] - height) // 2, (features.shape[-1] - width) // 2
    return features[..., top : top + height, left : left + width]


@dataclass(frozen=True)
class Layer:
    """One layer of a network as it meets an image."""

    name: str
    kind: str
    output_CHW: tuple[int, ...]
    parameters: int
    multiply_adds: int


def layers(network: UNet, height: int, width: int) -> list[Layer]:
    """A row per layer, in the order of computation, for one image of the given size.

    Shapes are traced on the `meta` device: no pixel is computed, no memory taken for features.
    Activations count as layers without parameters.
    """
    return list(_trace(network, height, width))


def _trace(network: UNet, height: int, width: int) -> Iterator[Layer]:
    rows: list[Layer] = []
    copy = deepcopy(network).to("meta").eval()

    def note(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            count = sum(weight.numel() for weight in module.parameters())
            pixels = output.shape[-2] * output.shape[-1]
            work = 0
            if isinstance(module, nn.Conv2d):
                work = module.weight.numel() * pixels
            elif isinstance(module, nn.ConvTranspose2d):  # stride 2: one tap for each output pixel
                work = module.weight.numel() * pixels // 4
            rows.append(Layer(name, type(module).__name__, tuple(output.shape[1:]), count, work))

        module.register_forward_hook(hook)

    for name, module in copy.named_modules():
        if not any(module.children()):
            note(name, module)
    copy(torch.empty(1, network.in_channels, height, width, device="meta"))
    yield from rows


def probabilities(logits: Tensor, *, softmax: bool) -> Tensor:
    """Probabilities from logits [..., C, H, W], float32."""
    logits = logits.float()
    return logits.softmax(dim=-3) if softmax else torch.sigmoid(logits)
