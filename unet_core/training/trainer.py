"""Training: from a configuration to a trained network, as a stream of events.

Axes: B batch, C channels, H rows, W columns.
"""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unet_core.base.config import TrainConfig
from unet_core.base.device import Device, precision
from unet_core.data import datasets
from unet_core.imaging import images, metrics, targets
from unet_core.imaging.weight_map import balance, weight_map
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.network.model import probabilities
from unet_core.training import loader, losses
from unet_core.training.augment import augment
from unet_core.training.loader import Example

PREVIEWS = 4
PREVIEW_SIDE = 256


@dataclass(frozen=True)
class Step:
    """One optimiser step was made."""

    step: int
    epoch: int
    loss: float
    lr: float
    images_per_second: float


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


@dataclass(frozen=True)
class Epoch:
    """An epoch was trained and validated; `row` is its line of the curve."""

    row: dict[str, Any]
    is_best: bool
    previews: list[Preview]


Event = Step | Checking | Epoch


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """The learning rate of a step (from 0) of `total`."""
    done = step / total
    factor = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + np.cos(np.pi * done)),
        "poly": (1 - done) ** 0.9,
        "second-half": min(1.0, 2 * (1 - done)),
    }[config.schedule]
    return float(config.lr * factor * min(1.0, (step + 1) / (config.warmup + 1)))


class Training:
    """One training run in memory; `events` makes it go, `state` and `load_state` let it pause.

    The same configuration gives the same numbers on the CPU, also when it was stopped after any
    step and resumed. Raises ValueError when the configuration does not fit the data.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        device: Device,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.config, self.device, self.clock = config, device, clock
        self.data = loader.load(config)
        self.model_config = self.data.model_config
        self.steps_per_epoch = self.data.steps_per_epoch
        self.total_steps = self.steps_per_epoch * config.epochs
        self.planned_steps = self.steps_per_epoch * (config.schedule_epochs or config.epochs)
        torch.manual_seed(config.seed)
        self.network = checkpoint.build(self.model_config).to(
            device=device.name,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        self.average = deepcopy(self.network).eval() if config.ema else self.network
        self.optimizer = _optimizer(self.network, config)
        self.step = 0
        self.best: dict[str, Any] = {"value": None, "epoch": 0, "weights": {}}
        self.why_ended = ""
        self._sums = _Sums()
        self._val_maps: dict[str, Tensor | None] = {}

    @property
    def epoch(self) -> int:
        """Epochs that are complete."""
        return self.step // self.steps_per_epoch

    def events(self) -> Iterator[Event]:
        """Train from the present step to the end; the caller may stop after any event.

        Raises ValueError when the loss is no longer a number.
        """
        while not self._is_over():
            # An epoch that was stopped before its validation has its steps already.
            while not self._sums.steps or self.step % self.steps_per_epoch:
                yield self.train_step()
            yield from self._finish_epoch()

    def _is_over(self) -> bool:
        if self._sums.steps:
            return False
        waited = self.epoch - self.best["epoch"]
        if self.config.patience and self.best["epoch"] and waited >= self.config.patience:
            self.why_ended = f"no improvement of {self.config.watch} for {waited} epochs"
        return bool(self.why_ended) or self.step >= self.total_steps

    def train_step(self, lr: float | None = None) -> Step:
        """One step of the optimiser, at the schedule's learning rate unless one is given.

        Raises ValueError when the loss is no longer a number.
        """
        started = self.clock()
        config = self.config
        if lr is None:
            lr = learning_rate(config, self.step, self.planned_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses_ = [self._add_gradient(part) for part in range(config.accumulate)]
        self.optimizer.step()
        self.step += 1
        self._update_average()
        value = float(np.mean(losses_))
        self._sums.steps += 1
        self._sums.loss += value
        self._sums.seconds += self.clock() - started
        crops = config.batch_size * config.accumulate
        rate = self._sums.steps * crops / max(self._sums.seconds, 1e-9)
        return Step(self.step, self._epoch_of_last_step(), value, lr, rate)

    def _add_gradient(self, part: int) -> float:
        """The loss of one of the batches that a step accumulates."""
        config = self.config
        image_BCHW, labels_BHW, target, weights_BHW = self._batch(
            self.step * config.accumulate + part
        )
        with precision(self.device.name, config.precision):
            logits_BCHW = self.network(image_BCHW)
        logits_BCHW = self._middle(logits_BCHW.float())
        loss = self._loss(logits_BCHW, target, weights_BHW)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise ValueError(
                f"the loss is no longer a number at step {self.step + 1}: "
                "lower the learning rate, or use precision float32"
            )
        (loss / config.accumulate).backward()
        shared, size = self._overlap(logits_BCHW.detach(), labels_BHW)
        self._sums.shared += shared
        self._sums.size += size
        return value

    def _epoch_of_last_step(self) -> int:
        return (self.step - 1) // self.steps_per_epoch + 1

    def _middle(self, values: Tensor) -> Tensor:
        """The crop that is learned, from what the network answered for at least as much."""
        side = self.config.crop_size
        top, left = ((length - side) // 2 for length in values.shape[-2:])
        return values[..., top : top + side, left : left + side]

    def _batch(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Augmented images, and the labels, target and weights of what is learned of them."""
        crops = self.data.crops(index)
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + index)
        device = self.device.name
        border = None if crops.border_BHW is None else torch.from_numpy(crops.border_BHW)
        image, labels, border = augment(
            torch.from_numpy(crops.norm_BHW)[:, None].to(device),
            torch.from_numpy(crops.labels_BHW).to(device),
            self.config,
            generator,
            None if border is None else border.to(device),
        )
        target = targets.encode(self._middle(labels), self.config.target, self.config.boundary)
        weights = self._weights(labels, border)
        return (
            image.contiguous(memory_format=torch.channels_last),
            self._middle(labels),
            target,
            None if weights is None else self._middle(weights),
        )

    def _weights(self, labels_BHW: Tensor, border_BHW: Tensor | None = None) -> Tensor | None:
        """The weight of each pixel; None when all are 1.

        The border term is made from the labels as they are after augmentation, unless it followed
        the image: then distances are off by what the bending did.
        """
        config = self.config
        if not config.weight_map and not config.balance:
            return None
        weights = self._class_weights(labels_BHW)
        if not config.weight_map:
            return weights
        if border_BHW is None:
            maps = [
                weight_map(one, w0=config.w0, sigma=config.sigma, class_weights=(0, 0))
                for one in labels_BHW.cpu().numpy()
            ]
            border_BHW = torch.from_numpy(np.stack(maps)).to(labels_BHW.device)
        return weights + border_BHW

    def _class_weights(self, labels_BHW: Tensor) -> Tensor:
        """1, or with `balance` one over the share of the pixel's class, 1 on average."""
        shares = self.data.class_shares
        if not shares:
            return torch.ones(labels_BHW.shape, device=labels_BHW.device)
        classes = (labels_BHW > 0).long()
        if targets.is_softmax(self.config.target):
            classes = targets.encode(labels_BHW, self.config.target, self.config.boundary)
        return torch.tensor(balance(shares), device=labels_BHW.device)[classes]

    def _loss(self, logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        return losses.loss(
            logits,
            target,
            self.config.loss,
            weights_BHW=weights,
            class_weights=self.config.class_weights,
        )

    def _overlap(self, logits_BCHW: Tensor, labels_BHW: Tensor) -> tuple[int, int]:
        """Twice the pixels that prediction and truth share, and the pixels that they have."""
        pred_BHW = self._foreground(logits_BCHW) > 0.5
        true_BHW = labels_BHW > 0
        return int(2 * (pred_BHW & true_BHW).sum()), int(pred_BHW.sum() + true_BHW.sum())

    def _foreground(self, logits_BCHW: Tensor) -> Tensor:
        softmax = targets.is_softmax(self.config.target)
        prob_CBHW = probabilities(logits_BCHW, softmax=softmax).movedim(1, 0)
        return targets.decode(prob_CBHW, self.config.target, self.config.boundary)[0]

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of the weights; young averages forget faster."""
        if self.average is self.network:
            return
        keep = min(self.config.ema, (1 + self.step) / (10 + self.step))
        new = self.network.state_dict()
        for name, old in self.average.state_dict().items():
            if old.is_floating_point():
                old.lerp_(new[name], 1 - keep)
            else:
                old.copy_(new[name])

    def _finish_epoch(self) -> Iterator[Event]:
        started = self.clock()
        validation, previews = _Validation(), []
        shown = datasets.pick_evenly(range(len(self.data.val)), PREVIEWS)
        for index, example in enumerate(self.data.val):
            prob_HW = self._validate(example, validation)
            if index in shown:
                previews.append(_preview(example, prob_HW))
            yield Checking(index + 1, len(self.data.val))
        seconds = self._sums.seconds
        crops = self._sums.steps * self.config.batch_size * self.config.accumulate
        row = {
            "epoch": self.epoch,
            "step": self.step,
            "train_loss": self._sums.mean_loss,
            "val_loss": validation.loss,
            "train_dice": self._sums.dice,
            "val_dice": validation.dice,
            "val_soft_dice": validation.soft_dice,
            "lr": learning_rate(self.config, self.step - 1, self.planned_steps),
            "images_per_second": crops / max(seconds, 1e-9),
            "seconds": seconds + self.clock() - started,
        }
        is_best = self._is_best(row[self.config.watch])
        if is_best:
            weights = {key: value.clone() for key, value in self.average.state_dict().items()}
            self.best = {"value": row[self.config.watch], "epoch": self.epoch, "weights": weights}
        self._sums = _Sums()
        yield Epoch(row, is_best, previews)

    def _is_best(self, value: float | None) -> bool:
        best = self.best["value"]
        # Without validation images the last epoch is taken; anything is better than no number.
        if value is None or best is None or np.isnan(best):
            return True
        return value < best if self.config.watch == "val_loss" else value > best

    @torch.inference_mode()
    def _logits(self, norm_HW: np.ndarray) -> Tensor:
        """Logits [1, C, H, W] of a whole image, by the averaged weights."""
        height, width = norm_HW.shape
        image_BCHW = torch.from_numpy(self.network.surround(norm_HW))[None, None]
        image_BCHW = image_BCHW.to(self.device.name)
        self.average.eval()
        with precision(self.device.name, self.config.precision):
            logits = self.average(image_BCHW.contiguous(memory_format=torch.channels_last))
        return logits.float()[..., :height, :width]

    def _validate(self, example: Example, validation: "_Validation") -> np.ndarray:
        """Add one validation image to the sums; gives its foreground probability [H, W]."""
        logits = self._logits(example.norm_HW)
        labels = torch.from_numpy(example.labels_HW)[None].to(self.device.name)
        target = targets.encode(labels, self.config.target, self.config.boundary)
        if example.name not in self._val_maps:
            self._val_maps[example.name] = self._weights(labels)
        loss = float(self._loss(logits, target, self._val_maps[example.name]))
        prob_HW = self._foreground(logits)[0].cpu().numpy()
        soft = metrics.soft_dice(prob_HW, example.labels_HW > 0)
        validation.add(loss, *self._overlap(logits, labels), soft)
        return prob_HW

    def trained(self, *, best: bool = True) -> Trained:
        """The network of the best epoch, or as it is now; now also when no epoch is complete."""
        network = deepcopy(self.average).eval()
        epoch = self.epoch
        if best and self.best["weights"]:
            network.load_state_dict(self.best["weights"])
            epoch = self.best["epoch"]
        return Trained(self.model_config.replace(epoch=epoch), network)

    def state(self) -> dict[str, Any]:
        """All that continuing needs, as tensors and plain values."""
        return {
            "config": self.config.to_dict(),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average is not self.network else {},
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "sums": vars(self._sums),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken.

        Raises ValueError when it belongs to another configuration (more epochs are allowed).
        """
        stored = TrainConfig.from_dict(state["config"])
        if stored.replace(epochs=self.config.epochs) != self.config:
            raise ValueError("the saved state belongs to a run with other settings: start anew")
        self.network.load_state_dict(state["network"])
        if self.average is not self.network:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best = state["step"], state["best"]
        self._sums = _Sums(**state["sums"])


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


@dataclass
class _Sums:
    """What an epoch adds up while it trains."""

    steps: int = 0
    loss: float = 0.0
    shared: int = 0
    size: int = 0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float | None:
        return self.loss / self.steps if self.steps else None

    @property
    def dice(self) -> float | None:
        return self.shared / self.size if self.size else None


class _Validation:
    """What the validation images add up to; None where there is nothing to divide by."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.softs: list[float] = []
        self.shared = self.size = 0

    def add(self, loss: float, shared: int, size: int, soft: float) -> None:
        self.losses.append(loss)
        self.softs.append(soft)
        self.shared += shared
        self.size += size

    @property
    def loss(self) -> float | None:
        return float(np.mean(self.losses)) if self.losses else None

    @property
    def dice(self) -> float | None:
        return self.shared / self.size if self.size else None

    @property
    def soft_dice(self) -> float | None:
        known = [soft for soft in self.softs if not np.isnan(soft)]
        return float(np.mean(known)) if known else None


def _optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    weights = list(network.parameters())
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            weights, config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(weights, config.lr, weight_decay=config.weight_decay)
