"""What a run will take, worked out away from any page: nobody waits for it, and nobody waits long.

The newest request comes first, so that whoever changes a setting is not behind those who have left
their page, and only the newest are kept.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.runs import pace, runs

if TYPE_CHECKING:  # it imports torch
    from unet_core.training.estimate import Estimate

MOST_WAITING, MOST_KEPT = 8, 32
FRESH_SECONDS = 60.0  # memory is taken and given back, and other work comes and goes
# A run may be as many times quicker or slower than it seems.
SPREAD, ROUGH_SPREAD = 1.6, 3.0


@dataclass(frozen=True)
class Costs:
    """What a run is expected to take on its device, before and after what finished runs teach."""

    device: device.Device
    estimate: "Estimate"
    correction: float

    @property
    def span(self) -> tuple[float, float]:
        """The seconds from the start to the end, at least and at most."""
        training = self.estimate.training_seconds * self.correction
        middle = self.estimate.start_seconds + training
        spread = ROUGH_SPREAD if self.estimate.is_rough else SPREAD
        return middle / spread, middle * spread


class Desk:
    """Answers questions one at a time, the newest first."""

    def __init__(
        self, answer: Callable[[Any], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="estimate")
        self._answer, self._clock = answer, clock
        self._lock = threading.Lock()
        self._waiting: dict[Any, None] = {}  # the newest last
        self._doing: Any = None
        self._kept: dict[Any, tuple[float, Future[Any]]] = {}

    def ask(self, question: Any) -> "Future[Any] | None":
        """The answer, or None until it is there; an old one is found anew meanwhile."""
        with self._lock:
            at, found = self._kept.get(question, (0.0, None))
            is_fresh = found is not None and self._clock() - at < FRESH_SECONDS
            if not is_fresh and question != self._doing:
                is_new = question not in self._waiting
                self._waiting.pop(question, None)
                self._waiting[question] = None
                if len(self._waiting) > MOST_WAITING:
                    del self._waiting[next(iter(self._waiting))]
                if is_new:
                    self.worker.submit(self._work)
        return found

    def _work(self) -> None:
        with self._lock:
            if not self._waiting:
                return
            question, _ = self._waiting.popitem()
            self._doing = question
        found: Future[Any] = Future()
        try:
            found.set_result(self._answer(question))
        except Exception as error:  # whoever asks gets it
            found.set_exception(error)
        with self._lock:
            self._doing = None
            self._kept.pop(question, None)
            self._kept[question] = (self._clock(), found)
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]


def _work_out(config: TrainConfig) -> Costs:
    from unet_core.training import estimate  # imports torch

    chosen = device.choose(config.optimisation.device)
    found = estimate.estimate(config, device=chosen, is_busy=_is_busy)
    return Costs(chosen, found, pace.correction(chosen.title))


def _is_busy() -> bool:
    return device.is_busy() or any(run.status().state == "running" for run in runs.list_runs())


DESK = Desk(_work_out)


def ask(config: TrainConfig) -> "Future[Costs] | None":
    """What a run with these settings takes; None until it is known. Its result raises as
    `estimate.estimate` does.
    """
    return DESK.ask(config)
