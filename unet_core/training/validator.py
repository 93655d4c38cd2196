"""How good a network is on the validation images, whole or on a crop of each, after an epoch.

Axes: B batch, C channels, H rows, W columns.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from unet_core.base.config import Images
from unet_core.base.device import Device, precision
from unet_core.data import datasets
from unet_core.imaging import images, metrics
from unet_core.network.model import UNet
from unet_core.training.criterion import Criterion
from unet_core.training.loader import Example, draw_start

PREVIEWS = 4
PREVIEW_SIDE = 256


@dataclass(frozen=True)
class Checking:
    """One more validation image was looked at."""

    done: int
    total: int


@dataclass(frozen=True)
class Preview:
    """A validation image (its middle) with the prediction and the truth, all uint8 [H, W]."""

    name: str
    image_HW: np.ndarray
    foreground_HW: np.ndarray
    truth_HW: np.ndarray


@dataclass
class Validation:
    """What the validation images add up to; None where there is nothing to divide by."""

    losses: list[float] = field(default_factory=list)
    softs: list[float] = field(default_factory=list)
    shared: int = 0
    size: int = 0
    previews: list[Preview] = field(default_factory=list)

    @property
    def loss(self) -> float | None:
        """The mean over the images."""
        return float(np.mean(self.losses)) if self.losses else None

    @property
    def dice(self) -> float | None:
        """Hard Dice of the foreground, counts summed over the pixels of all images."""
        return self.shared / self.size if self.size else None

    @property
    def soft_dice(self) -> float | None:
        """Soft Dice of each image, then the mean of those that have one."""
        known = [soft for soft in self.softs if not np.isnan(soft)]
        return float(np.mean(known)) if known else None


class Validator:
    """The validation images with what never changes about them."""

    def __init__(
        self,
        examples: Sequence[Example],
        criterion: Criterion,
        source: Images,
        *,
        device: Device,
        bfloat16: bool,
    ) -> None:
        self.examples, self.criterion, self.source = examples, criterion, source
        self.device, self.bfloat16 = device, bfloat16
        self._weights: dict[str, Tensor | None] = {}  # of whole images
        self._shown = set(datasets.pick_evenly(range(len(examples)), PREVIEWS))

    def check(self, network: UNet, epoch: int) -> Generator[Checking, None, Validation]:
        """Look at every image after an epoch (from 1); the sums are the generator's value."""
        network.eval()
        found = Validation()
        for index, whole in enumerate(self.examples):
            example = self._crop(whole, index, epoch) if self.source.val_crops else whole
            prob_HW = self._add(found, network, example)
            if index in self._shown:
                found.previews.append(_preview(example, prob_HW))
            yield Checking(index + 1, len(self.examples))
        return found

    def _crop(self, example: Example, index: int, epoch: int) -> Example:
        """A random square of an image: another one every epoch, the same when it is resumed."""
        side = self.source.crop_size
        rng = np.random.default_rng([self.source.seed, 4, epoch, index])
        starts = draw_start(example.labels_HW, side, "random", rng)
        window = np.ix_(
            *(
                images.mirror(start, start + side, length)
                for start, length in zip(starts, example.labels_HW.shape, strict=True)
            )
        )
        return Example(example.name, example.norm_HW[window], example.labels_HW[window])

    def _add(self, found: Validation, network: UNet, example: Example) -> np.ndarray:
        """Add one image to the sums; gives its foreground probability [H, W]."""
        logits = self._logits(network, example.norm_HW)
        labels = torch.from_numpy(example.labels_HW)[None].to(self.device.name)
        weights = self._weights.get(example.name)
        if weights is None:
            weights = self.criterion.weights(labels)
            if not self.source.val_crops:
                self._weights[example.name] = weights
        found.losses.append(
            float(self.criterion.loss(logits, self.criterion.target(labels), weights))
        )
        shared, size = self.criterion.overlap(logits, labels)
        found.shared += shared
        found.size += size
        prob_HW = self.criterion.foreground(logits)[0].cpu().numpy()
        found.softs.append(metrics.soft_dice(prob_HW, example.labels_HW > 0))
        return prob_HW

    @torch.inference_mode()
    def _logits(self, network: UNet, norm_HW: np.ndarray) -> Tensor:
        """Logits [1, C, H, W] of a whole image."""
        height, width = norm_HW.shape
        dtype = network.head.weight.dtype
        image_BCHW = torch.from_numpy(network.surround(norm_HW))[None, None].to(
            self.device.name, dtype
        )
        with precision(self.device.name, bfloat16=self.bfloat16):
            logits = network(image_BCHW.contiguous(memory_format=torch.channels_last))
        return logits.to(dtype)[..., :height, :width]


def _preview(example: Example, prob_HW: np.ndarray) -> Preview:
    """The middle of an image, so that a page can show it at once."""
    rows, columns = (
        slice((side - min(side, PREVIEW_SIDE)) // 2, (side + min(side, PREVIEW_SIDE)) // 2)
        for side in prob_HW.shape
    )
    return Preview(
        example.name,
        images.display(example.norm_HW[rows, columns]),
        (255 * prob_HW[rows, columns]).round().astype(np.uint8),
        np.where(example.labels_HW[rows, columns] > 0, 255, 0).astype(np.uint8),
    )
