"""Training: from a configuration to a trained network, as a stream of events.

Axes: B batch, C channels, H rows, W columns.
"""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unet_core.base.config import Optimisation, TrainConfig
from unet_core.base.device import Device, precision, use_bfloat16
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.training import loader
from unet_core.training.augment import augment
from unet_core.training.average import WeightAverage
from unet_core.training.criterion import Criterion
from unet_core.training.loader import Batch
from unet_core.training.validator import Checking, Preview, Validation, Validator


@dataclass(frozen=True)
class Step:
    """One optimiser step was made."""

    step: int
    epoch: int
    loss: float
    lr: float
    images_per_second: float


@dataclass(frozen=True)
class Epoch:
    """An epoch was trained and validated; `row` is its line of the curve."""

    row: dict[str, Any]
    is_best: bool
    previews: list[Preview]


Event = Step | Checking | Epoch


def learning_rate(
    options: Optimisation, step: int, total: int, *, steps_per_epoch: int = 1
) -> float:
    """The learning rate of a step (from 0) of `total`.

    Warming up goes by steps, also where the schedule goes by epochs.
    """
    epoch = step // steps_per_epoch
    done = (epoch * steps_per_epoch if options.schedule_by == "epoch" else step) / total
    factor = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + np.cos(np.pi * done)),
        "poly": (1 - done) ** 0.9,
        "second-half": min(1.0, 2 * (1 - done)),
        "step": options.drop_factor ** (epoch // options.drop_every),
    }[options.schedule]
    return float(options.lr * factor * min(1.0, (step + 1) / (options.warmup + 1)))


class Training:
    """One training run in memory; `events` makes it go, `state` and `load_state` let it pause.

    The same configuration gives the same numbers on a CPU that computes with as many threads, also
    when it was stopped after any step and resumed. `resumes` says that `load_state` will bring the
    weights, so that those to start from need not be there any more. Raises ValueError when the
    configuration does not fit the data, or the weights to start from.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        device: Device,
        resumes: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.config, self.options = config, config.optimisation
        self.device, self.clock = device, clock
        self.bfloat16 = use_bfloat16(device.name, self.options.precision)
        self.dtype = torch.float64 if self.options.precision == "float64" else torch.float32
        if self.dtype == torch.float64 and device.name == "mps":
            raise ValueError(
                "precision float64 is not to be had on an Apple GPU: choose device cpu, or "
                "precision float32"
            )
        self.data = loader.load(config)
        self.model_config = self.data.model_config
        self.criterion = Criterion(config.objective, self.data.class_shares)
        self.steps_per_epoch = self.data.steps_per_epoch
        self.total_steps = self.steps_per_epoch * self.options.epochs
        self.planned_steps = self.steps_per_epoch * (
            self.options.schedule_epochs or self.options.epochs
        )
        torch.manual_seed(config.images.seed)
        self.network = checkpoint.build(self.model_config).to(
            device=device.name,
            dtype=self.dtype,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        self.begun_anew = ""  # what of a model's weights was not taken over, as a sentence
        if config.network.init_from and not resumes:
            self._take_weights(config.network.init_from)
        if self.options.freeze_encoder:
            self.network.down.requires_grad_(False)
        self.average = WeightAverage(self.network, self.options.ema)
        self.optimizer = _optimizer(self.network, self.options)
        self.validator = Validator(
            self.data.val,
            self.criterion,
            config.images,
            self.model_config.outputs,
            device=device,
            bfloat16=self.bfloat16,
        )
        self.step = 0
        self.best: dict[str, Any] = {"value": None, "epoch": 0, "weights": {}}
        self.why_ended = ""
        self._sums = _Sums()

    def _take_weights(self, name: str) -> None:
        """Begin with the weights of another model, and note which; its head only if it fits."""
        self.begun_anew = checkpoint.check_fit(self.config, self.model_config.outputs)
        weights = checkpoint.load(name, device=self.device.name).network.state_dict()
        if self.begun_anew:
            weights |= {f"head.{key}": own for key, own in self.network.head.state_dict().items()}
        self.network.load_state_dict(weights)
        self.model_config = self.model_config.replace(started_from=checkpoint.origin(name))

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
            started = self.clock()
            found = yield from self.validator.check(self.average.network, self.epoch)
            yield self._end_epoch(found, self.clock() - started)

    def _is_over(self) -> bool:
        if self._sums.steps:
            return False
        waited = self.epoch - self.best["epoch"]
        if self.options.patience and self.best["epoch"] and waited >= self.options.patience:
            self.why_ended = f"no improvement of {self.options.watch} for {waited} epochs"
        return bool(self.why_ended) or self.step >= self.total_steps

    def train_step(self, lr: float | None = None) -> Step:
        """One step of the optimiser, at the schedule's learning rate unless one is given.

        Raises ValueError when the loss is no longer a number.
        """
        started = self.clock()
        if lr is None:
            lr = self._learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.network.train()
        if self.options.freeze_encoder:
            self.network.down.eval()  # the statistics of its batch normalisation stay, too
        self.optimizer.zero_grad(set_to_none=True)
        # Added to the epoch's sums only when the step is whole: a stop may come inside it.
        own = _Sums(steps=1)
        for batch in self.data.batches(self.step):
            own += self._add_gradient(batch)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.network, self.step)
        own.seconds = self.clock() - started
        self._sums += own
        epoch = (self.step - 1) // self.steps_per_epoch + 1
        return Step(self.step, epoch, own.loss, lr, self._sums.images_per_second)

    def _learning_rate(self, step: int) -> float:
        steps_per_epoch = self.steps_per_epoch
        return learning_rate(
            self.options, step, self.planned_steps, steps_per_epoch=steps_per_epoch
        )

    def _add_gradient(self, batch: Batch) -> "_Sums":
        """Let the weights feel one of the batches of a step; gives what it adds to the sums."""
        image_BCHW, labels_BHW, weights_BHW = self._augmented(batch)
        with precision(self.device.name, bfloat16=self.bfloat16):
            logits_BCHW = self.network(image_BCHW)
        logits_BCHW = self._middle(logits_BCHW.to(self.dtype))
        target = self.criterion.target(labels_BHW)
        loss = batch.share * self.criterion.loss(logits_BCHW, target, weights_BHW)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise ValueError(
                f"the loss is no longer a number at step {self.step + 1}: "
                "lower the learning rate, or use precision float32"
            )
        loss.backward()
        found = logits_BCHW.detach()
        shared, size = self.criterion.overlap(found, labels_BHW)
        soft, softs = _soft_dice(self.criterion.foreground(found), labels_BHW > 0)
        crops = len(labels_BHW)
        return _Sums(loss=value, shared=shared, size=size, soft=soft, softs=softs, crops=crops)

    def _augmented(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """The images of a batch after augmentation, and labels and weights of what is learned."""
        device = self.device.name
        border = None if batch.border_BHW is None else torch.from_numpy(batch.border_BHW)
        seed = self.config.images.seed * 1_000_003 + batch.number
        image, labels, border = augment(
            torch.from_numpy(batch.norm_BHW)[:, None].to(device),
            torch.from_numpy(batch.labels_BHW).to(device),
            self.config.augmentation,
            torch.Generator().manual_seed(seed),
            None if border is None else border.to(device),
        )
        weights = self.criterion.weights(labels, border)
        return (
            image.to(self.dtype).contiguous(memory_format=torch.channels_last),
            self._middle(labels),
            None if weights is None else self._middle(weights),
        )

    def _middle(self, values: Tensor) -> Tensor:
        """The crop that is learned, from what the network answered for at least as much."""
        side = self.config.images.crop_size
        top, left = ((length - side) // 2 for length in values.shape[-2:])
        return values[..., top : top + side, left : left + side]

    def _end_epoch(self, found: Validation, seconds: float) -> Epoch:
        """The epoch's line of the curve; its weights are kept when they are the best so far."""
        row = {
            "epoch": self.epoch,
            "step": self.step,
            "train_loss": self._sums.mean_loss,
            "val_loss": found.loss,
            "train_dice": self._sums.dice,
            "val_dice": found.dice,
            "train_soft_dice": self._sums.mean_soft_dice,
            "val_soft_dice": found.soft_dice,
            "val_miou": found.mean_iou,
            "val_ap": found.ap,
            "lr": self._learning_rate(self.step - 1),
            "images_per_second": self._sums.images_per_second,
            "seconds": self._sums.seconds + seconds,
        }
        for name, iou in zip(found.classes, found.ious, strict=False):
            row[f"val_iou_{name}"] = iou
        value = row.get(self.options.watch)
        is_best = self._is_best(value)
        if is_best:
            weights = self.average.network.state_dict()
            weights = {key: value.clone() for key, value in weights.items()}
            self.best = {"value": value, "epoch": self.epoch, "weights": weights}
        self._sums = _Sums()
        return Epoch(row, is_best, found.previews)

    def _is_best(self, value: float | None) -> bool:
        best = self.best["value"]
        # Without validation images, or with watch "last", the last epoch is taken; anything is
        # better than no number.
        if value is None or best is None or np.isnan(best):
            return True
        return value < best if self.options.watch == "val_loss" else value > best

    def trained(self, *, best: bool = True) -> Trained:
        """The network of the best epoch, or as it is now; now also when no epoch is complete.

        In float32, whatever it was trained in: so it segments everywhere.
        """
        network = deepcopy(self.average.network).eval()
        epoch = self.epoch
        if best and self.best["weights"]:
            network.load_state_dict(self.best["weights"])
            epoch = self.best["epoch"]
        return Trained(self.model_config.replace(epoch=epoch), network.float())

    def state(self) -> dict[str, Any]:
        """All that continuing needs, as tensors and plain values."""
        return {
            "config": self.config.to_dict(),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict() if self.options.ema else {},
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "sums": asdict(self._sums),
            "bfloat16": self.bfloat16,
            "started_from": self.model_config.started_from,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken, in the same precision.

        Raises ValueError when it belongs to another configuration (more epochs are allowed).
        """
        stored = TrainConfig.from_dict(state["config"])
        if stored.replace(epochs=self.options.epochs) != self.config:
            raise ValueError("the saved state belongs to a run with other settings: start anew")
        self.network.load_state_dict(state["network"])
        if self.options.ema:
            self.average.network.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best = state["step"], state["best"]
        self._sums = _Sums(**state["sums"])
        started_from = state.get("started_from", "")
        self.model_config = self.model_config.replace(started_from=started_from)
        self.bfloat16 = self.validator.bfloat16 = state.get("bfloat16", self.bfloat16)


@dataclass
class _Sums:
    """What an epoch adds up while it trains: `loss` of each step, `soft` Dice of each crop."""

    steps: int = 0
    loss: float = 0.0
    shared: int = 0
    size: int = 0
    soft: float = 0.0
    softs: int = 0
    seconds: float = 0.0
    crops: int = 0

    def __iadd__(self, other: "_Sums") -> "_Sums":
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def mean_loss(self) -> float | None:
        return self.loss / self.steps if self.steps else None

    @property
    def dice(self) -> float | None:
        return self.shared / self.size if self.size else None

    @property
    def mean_soft_dice(self) -> float | None:
        return self.soft / self.softs if self.softs else None

    @property
    def images_per_second(self) -> float:
        return self.crops / max(self.seconds, 1e-9)


def _soft_dice(prob_BHW: Tensor, true_BHW: Tensor) -> tuple[float, int]:
    """Soft Dice of each crop that has any, added up, and of how many."""
    shared_B = 2 * (prob_BHW * true_BHW).sum(dim=(1, 2))
    size_B = prob_BHW.sum(dim=(1, 2)) + true_BHW.sum(dim=(1, 2))
    known_B = size_B > 0
    return float((shared_B / size_B)[known_B].sum()), int(known_B.sum())


def _optimizer(network: nn.Module, options: Optimisation) -> torch.optim.Optimizer:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    decay = options.weight_decay
    if options.optimizer == "sgd":
        return torch.optim.SGD(weights, options.lr, momentum=options.momentum, weight_decay=decay)
    kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
    return kind(weights, options.lr, weight_decay=decay)
