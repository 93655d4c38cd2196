"""How good a network is on the validation images, whole or on a crop of each, after an epoch.

Axes: B batch, C channels, H rows, W columns.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from unet_core.base.config import Images
from unet_core.base.device import Device, precision
from unet_core.data import datasets
from unet_core.imaging import class_map, images, instances, matching, metrics, targets
from unet_core.imaging.class_map import ClassMap
from unet_core.network.model import UNet, probabilities
from unet_core.training.criterion import Criterion
from unet_core.training.loader import Crop, Example, draw_start

PREVIEWS = 4
PREVIEW_SIDE = 256
AP_IMAGES = 8  # matching them takes a few milliseconds each
AP_IOU = 0.5


@dataclass(frozen=True)
class Checking:
    """One more validation image was looked at."""

    done: int
    total: int


@dataclass(frozen=True)
class Preview:
    """A validation image (its middle, uint8 [H, W]) with the prediction and the truth.

    Both are uint8 pictures: grey [H, W] for objects, the brighter the surer, or [H, W, 3] in the
    colours of the classes.
    """

    name: str
    image_HW: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray


@dataclass
class Validation:
    """What the validation images add up to; None where there is nothing to divide by."""

    losses: list[float] = field(default_factory=list)
    softs: list[float] = field(default_factory=list)
    shared: int = 0
    size: int = 0
    table_CC: np.ndarray | None = None  # pixels of each true class (rows) by what they were called
    classes: tuple[str, ...] = ()  # their names, where they exclude each other
    aps: list[float] = field(default_factory=list)
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
        return _mean(self.softs)

    @property
    def ious(self) -> list[float | None]:
        """IoU of each class, its pixels summed over all images; None for one that never occurs."""
        if self.table_CC is None:
            return []
        found = metrics.iou_per_class(self.table_CC).tolist()
        return [None if np.isnan(iou) else iou for iou in found]

    @property
    def mean_iou(self) -> float | None:
        """The mean of the classes that occur; background and foreground where there are no more."""
        return _mean(iou for iou in self.ious if iou is not None)

    @property
    def ap(self) -> float | None:
        """AP at IoU .5 of the objects of each image, then the mean of those that have one."""
        return _mean(self.aps)


def _mean(values: Iterable[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


class Validator:
    """The validation images with what never changes about them."""

    def __init__(
        self,
        examples: Sequence[Example],
        criterion: Criterion,
        source: Images,
        outputs: tuple[str, ...],
        *,
        device: Device,
        bfloat16: bool,
    ) -> None:
        self.examples, self.criterion, self.source = examples, criterion, source
        self.outputs = outputs
        self.device, self.bfloat16 = device, bfloat16
        self._weights: dict[str, Tensor | None] = {}  # of whole images
        self._shown = set(datasets.pick_evenly(range(len(examples)), PREVIEWS))
        has_objects = criterion.objective.target != "classes"
        self._matched = set(
            datasets.pick_evenly(range(len(examples)), AP_IMAGES) if has_objects else ()
        )

    def check(self, network: UNet, epoch: int) -> Generator[Checking, None, Validation]:
        """Look at every image after an epoch (from 1); the sums are the generator's value."""
        network.eval()
        found = Validation()
        for index, whole in enumerate(self.examples):
            window = self._window(whole, index, epoch) if self.source.val_crops else ...
            crop = whole.take(window)
            logits = self._logits(network, crop.norm_HW)
            self._add(found, logits, crop)
            if index in self._matched:
                labels_HW = self._find_objects(logits)
                found.aps.append(matching.match(crop.labels_HW, labels_HW, AP_IOU).ap)
            if index in self._shown:
                found.previews.append(self._preview(crop, logits))
            yield Checking(index + 1, len(self.examples))
        return found

    def _window(self, example: Example, index: int, epoch: int) -> tuple[np.ndarray, ...]:
        """A random square of an image: another one every epoch, the same when it is resumed."""
        side, shape = self.source.crop_size, example.pixels.shape
        rng = np.random.default_rng([self.source.seed, 4, epoch, index])
        return np.ix_(
            *(
                images.mirror(start, start + side, length)
                for start, length in zip(draw_start(shape, side, rng), shape, strict=True)
            )
        )

    def _add(self, found: Validation, logits: Tensor, crop: Crop) -> None:
        """Add one image, with the network's answer [1, C, H, W], to the sums."""
        labels = torch.from_numpy(crop.labels_HW)[None].to(self.device.name)
        weights = self._weights.get(crop.name)
        if weights is None:
            weights = self.criterion.weights(labels)
            if not self.source.val_crops:
                self._weights[crop.name] = weights
        target = self.criterion.target(labels)
        found.losses.append(float(self.criterion.loss(logits, target, weights)))
        shared, size = self.criterion.overlap(logits, labels)
        found.shared += shared
        found.size += size
        prob_HW = self.criterion.foreground(logits)[0].cpu().numpy()
        true_HW = crop.labels_HW > 0
        found.softs.append(metrics.soft_dice(prob_HW, true_HW))
        count, pred_HW = 2, prob_HW > 0.5
        if target.ndim < logits.ndim:  # exclusive classes
            found.classes = self.outputs
            count, true_HW = len(self.outputs), target[0].cpu().numpy()
            pred_HW = self._find_classes(logits).classes_HW
        table_CC = metrics.confusion(true_HW, pred_HW, count)
        found.table_CC = table_CC if found.table_CC is None else found.table_CC + table_CC

    def _find_classes(self, logits: Tensor) -> ClassMap:
        return class_map.find(logits[0].float().cpu().numpy(), self.outputs)

    def _find_objects(self, logits: Tensor) -> np.ndarray:
        """Labels [H, W]: the 4-connected regions of the foreground above one half.

        Where boundary pixels belong to the foreground, those above one half (of exclusive classes:
        above the inside) part it, and what is left grows back by the watershed. Both are read as
        yes or no: how sure a network is comes late in training, and is what tuning the thresholds
        takes account of.
        """
        objective = self.criterion.objective
        logits = logits.nan_to_num()  # of a network that has lost its way: it finds something
        foreground_HW = self.criterion.foreground(logits)[0].cpu().numpy()
        is_outside = objective.target == "three-class" and objective.boundary == "outer"
        if is_outside or objective.target == "foreground":
            return instances.components(foreground_HW, connectivity=4)
        prob_CHW = probabilities(logits[0], softmax=targets.is_softmax(objective.target))
        boundary_HW = targets.decode(prob_CHW, objective.target, objective.boundary)[1]
        boundary_HW = boundary_HW.cpu().numpy()
        is_exclusive = objective.target == "three-class"
        least = foreground_HW - boundary_HW if is_exclusive else 0.5
        return instances.watershed(foreground_HW > 0.5, boundary_HW > least, connectivity=4)

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

    def _preview(self, crop: Crop, logits: Tensor) -> Preview:
        """The middle of an image, so that a page can show it at once."""
        rows, columns = (
            slice((side - min(side, PREVIEW_SIDE)) // 2, (side + min(side, PREVIEW_SIDE)) // 2)
            for side in crop.labels_HW.shape
        )
        labels_HW = crop.labels_HW[rows, columns]
        if self.criterion.objective.target == "classes":
            prediction = class_map.paint(self._find_classes(logits[..., rows, columns]))
            truth = class_map.paint(ClassMap(labels_HW.astype(np.uint8), self.outputs))
        else:
            prob_HW = self.criterion.foreground(logits)[0, rows, columns].cpu().numpy()
            prediction = (255 * prob_HW).round().astype(np.uint8)
            truth = np.where(labels_HW > 0, 255, 0).astype(np.uint8)
        image_HW = images.display(crop.norm_HW[rows, columns])
        return Preview(crop.name, image_HW, prediction, truth)
