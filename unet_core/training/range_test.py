"""Which learning rates a network can learn with: a short training whose rate grows at every step.

Too small a rate changes nothing, the right ones make the loss fall, too large ones make it grow.
After Smith 2017, "Cyclical learning rates for training neural networks" (arXiv 1506.01186, 3.3).

Some batches are harder than others, which hides a fall of the loss that is made of so few steps.
So each batch is given to the untrained network as well, and what counts is the loss divided by the
loss there: it begins at 1, and stays there while the rate is too small. That takes twice the time
and is worth dozens of repetitions.
"""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from unet_core.base.config import TrainConfig
from unet_core.base.device import Device
from unet_core.base.records import finite
from unet_core.base.settings import Settings, option
from unet_core.training.trainer import Training

SMOOTHING = 0.7  # of the old value that an exponential average keeps: the last three steps or so
DIVERGED = 4.0  # times the best smoothed loss
FIRST = 5  # steps whose mean says where the loss began
FEWEST = 10  # steps from which something can be read
FASTEST = 2.0  # growth from one step to the next that a network can still answer to
FALL = 0.05  # of the loss at the beginning: less is no fall
CHANCE = 4.0  # times the jitter of the smoothed loss: less is no fall either
NEAR = 0.1  # of the whole fall: how near to its end the loss is "lowest", or has "begun" to fall
BELOW_LOWEST, BELOW_UNSAFE = 10.0, 3.0  # the suggestion and the end of the safe range below it


@dataclass(frozen=True, kw_only=True)
class Sweep(Settings):
    """The rates that are tried: from low to high, each larger than the one before by one factor."""

    low: float = option(1e-6, "The first and lowest learning rate.", low=1e-12, high=1e3)
    high: float = option(10.0, "The last and highest learning rate.", low=1e-12, high=1e3)
    steps: int = option(50, "Steps, and rates: one each.", low=1, high=10_000)

    def check(self) -> None:
        """Refuse rates that do not grow."""
        if not self.low < self.high:
            raise ValueError(f"low must be below high ({self.high:g}), got {self.low:g}")

    @property
    def rates(self) -> np.ndarray:
        """The rates, float64 [steps]."""
        return np.geomspace(self.low, self.high, self.steps)


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one step showed. A loss that is no number is infinite."""

    step: int  # from 1
    lr: float
    loss: float  # before the step
    untrained: float  # of the untrained network on the same batch
    relative: float  # one divided by the other
    smoothed: float


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A learning rate to train with and the safe range around it; all None where nothing is sure.

    `reason` says why in one sentence. `diverged` is the rate at which the loss grew beyond bounds,
    None where it never did.
    """

    lr: float | None
    low: float | None
    high: float | None
    reason: str
    diverged: float | None


def run(
    config: TrainConfig,
    *,
    device: Device,
    sweep: Sweep | None = None,
    on_point: Callable[[Point], None] | None = None,
) -> tuple[list[Point], Suggestion]:
    """The points of a range test, up to the divergence, and what they suggest.

    The network is new and forgotten afterwards; no run is touched. The rate of `config` and its
    schedule play no part. The same configuration gives the same points on the CPU. Raises
    ValueError when the configuration does not fit the data.
    """
    # Validation images and averaged weights would cost time and are not looked at.
    training = Training(config.replace(ema=0.0, val_images=1), device=device)
    # The data are shared, network and optimizer are not.
    untrained = deepcopy(training, {id(training.data): training.data})
    points: list[Point] = []
    for step, lr in enumerate((sweep or Sweep()).rates.tolist(), start=1):
        reference = untrained.train_step(0.0).loss
        loss = _loss_of_step(training, lr)
        relative = [*(one.relative for one in points), loss / max(reference, 1e-12)]
        points.append(
            Point(
                step=step,
                lr=lr,
                loss=loss,
                untrained=reference,
                relative=relative[-1],
                smoothed=float(smooth(relative)[-1]),
            )
        )
        if on_point is not None:
            on_point(points[-1])
        if find_divergence(relative) is not None:
            break
    return points, suggest([one.lr for one in points], [one.relative for one in points])


def _loss_of_step(training: Training, lr: float) -> float:
    try:
        return training.train_step(lr).loss
    except ValueError as error:
        if "no longer a number" not in str(error):
            raise
        return np.inf


def smooth(losses: Sequence[float]) -> np.ndarray:
    """Exponential averages, float64 of equal length; each looks back only.

    Divided by the weight that they have gathered: without that, the first would lie near 0.
    """
    values = np.empty(len(losses))
    total = weight = 0.0
    for index, loss in enumerate(losses):
        total = SMOOTHING * total + (1 - SMOOTHING) * loss
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        values[index] = total / weight
    return values


def find_divergence(losses: Sequence[float]) -> int | None:
    """The index from which the loss has grown beyond bounds; None where it has not.

    That is where the loss is no number, or its smoothed value is above four times its best so far
    and above where it began.
    """
    is_number = np.isfinite(np.asarray(losses, float))
    if not is_number[:FIRST].all():
        return int(np.argmin(is_number))
    if not len(losses):
        return None
    smoothed, begin = smooth(losses), np.mean(losses[:FIRST])
    found = (smoothed > DIVERGED * np.minimum.accumulate(smoothed)) & (smoothed > begin)
    found |= ~is_number
    return int(np.argmax(found)) if found.any() else None


def suggest(lrs: Sequence[float], losses: Sequence[float]) -> Suggestion:
    """What growing rates [N] and the loss at each [N] say about the rate to train with.

    The suggestion is a tenth of the rate at which the smoothed loss is lowest. The point of its
    steepest fall is the other usual choice; but a slope of so few noisy steps jumps about, and
    both come late in a test: the loss answers to all rates up to now. The safe range begins where
    a tenth of the fall is made, and ends at a third of the rate where the loss is lowest.

    Raises ValueError unless there is one loss for each rate and the rates grow.
    """
    if len(lrs) != len(losses):
        raise ValueError(f"losses must be one for each of {len(lrs)} rates, got {len(losses)}")
    if np.any(np.diff(lrs) <= 0):
        raise ValueError("lrs must grow, got a rate that is not above the one before")
    end = find_divergence(losses)
    diverged = None if end is None else float(lrs[end])
    whole = list(losses[:end])

    def nothing(why: str) -> Suggestion:
        return Suggestion(
            lr=None, low=None, high=None, reason=f"no suggestion: {why}", diverged=diverged
        )

    if end is not None and (len(whole) < FEWEST or not _falls(whole)):
        return nothing(
            f"the loss did not fall before it grew beyond bounds at {show_rate(lrs[end])}; begin "
            "at lower rates, with more steps, or look at the loss and its weights"
        )
    if len(whole) < FEWEST:
        return nothing(f"{_count(len(whole))} too few, take at least {FEWEST}")
    growth = float(lrs[1] / lrs[0])
    if growth > FASTEST:
        return nothing(
            f"a rate that grows {growth:.2g}-fold at each step leaves the network no time to "
            f"answer; take {math.ceil(math.log(growth, FASTEST))} times as many steps"
        )
    if not _falls(whole):
        return nothing(
            f"the loss did not change clearly between {show_rate(lrs[0])} and "
            f"{show_rate(lrs[-1])}; try higher rates, larger batches, or accumulate"
        )
    return _read(np.asarray(lrs, float), whole, diverged)


def _count(steps: int) -> str:
    return "1 step is" if steps == 1 else f"{steps} steps are"


def _falls(losses: list[float]) -> bool:
    """Whether the loss falls by more than chance can do."""
    smoothed, begin = smooth(losses), np.mean(losses[:FIRST])
    lowest = int(np.argmin(smoothed[FIRST - 1 :])) + FIRST - 1
    jitter = np.std(np.diff(losses[: lowest + 1])) / 2**0.5
    chance = CHANCE * jitter * ((1 - SMOOTHING) / (1 + SMOOTHING)) ** 0.5
    return bool(begin - smoothed[lowest] > max(FALL * abs(begin), chance))


def _read(lrs: np.ndarray, losses: list[float], diverged: float | None) -> Suggestion:
    """The rates at which a loss that falls has begun to fall and is lowest."""
    smoothed, begin = smooth(losses), np.mean(losses[:FIRST])
    fall = begin - smoothed.min()
    # On a wide floor the lowest point is chance; its beginning is not.
    lowest = float(lrs[np.argmax(smoothed <= smoothed.min() + NEAR * fall)])
    begun = float(lrs[np.argmax(smoothed <= begin - NEAR * fall)])
    lr = float(f"{lowest / BELOW_LOWEST:.0e}")  # more digits would not be true
    reason = (
        f"{show_rate(lr)} is about a tenth of {show_rate(lowest)}, where the loss is lowest; "
        f"it begins to fall at {show_rate(begun)}"
    )
    if diverged is not None:
        reason += f" and grows beyond bounds at {show_rate(diverged)}"
    elif np.argmin(smoothed) == len(smoothed) - 1:
        reason += f", and still falls at {show_rate(lrs[-1])}: higher rates may be possible"
    return Suggestion(
        lr=lr, low=min(begun, lr), high=lowest / BELOW_UNSAFE, reason=reason, diverged=diverged
    )


def show_rate(lr: float) -> str:
    """A learning rate as people write it: 10, 0.3, 0.03, 0.0072, 2.7e-5."""
    if 0.001 <= lr < 1000:
        return f"{lr:.2g}"
    mantissa, _, exponent = f"{lr:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def describe(sweep: Sweep, points: list[Point], found: Suggestion) -> dict[str, Any]:
    """All of it as plain values, null for a loss that is no number."""
    return {
        **sweep.to_dict(),
        "suggestion": {"lr": found.lr, "low": found.low, "high": found.high},
        "reason": found.reason,
        "diverged": found.diverged,
        "points": [finite(vars(one)) for one in points],
    }
