"""What the training process writes into its run directory, and how it survives a full disk."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from unet_core.base import records
from unet_core.runs import keeper, runs
from unet_core.runs.runs import Run, Status

if TYPE_CHECKING:  # the lock must be taken before heavy imports
    from unet_core.training.trainer import Checking, Epoch, Step, Training

PERIOD_SECONDS = 1.0
SHOWN = ("train_loss", "val_loss", "train_dice", "val_dice", "val_miou", "val_ap")  # in the log


class Recorder:
    """Writes one run's status, curves and log, and has its weights and pictures kept."""

    def __init__(
        self,
        run: Run,
        status: Status,
        report: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run, self.status, self.report, self.clock = run, status, report, clock
        self._first_step: tuple[float, int] | None = None  # when this process made which step
        self._seconds_before = 0.0  # trained by earlier processes
        self._began = self._last_row = clock()
        self._unwritten: Step | None = None

    # Words ------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A line for the log, and for whoever watches the process."""
        self.log(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}")
        if self.report is not None:
            with contextlib.suppress(OSError):  # a closed terminal does not end the training
                self.report(text)

    def log(self, text: str) -> None:
        """Append to the log; a full disk must not hide the fault that is being logged."""
        with contextlib.suppress(OSError), open(self.run.path / "log.txt", "a") as file:
            file.write(text.rstrip() + "\n")

    def update(self, **changes: Any) -> None:
        """Change the status and show it."""
        self.status = self.status.replace(**changes)
        runs.write_status(self.run, self.status)

    def end(self, state: str, reason: str) -> None:
        """The last words; where even they find no room, the old status is overwritten in place."""
        now = time.time()
        self.status = self.status.replace(
            state=state, reason=reason, phase="", seconds_left=None, ended_at=now
        )
        try:
            runs.write_status(self.run, self.status)
        except OSError:
            with contextlib.suppress(OSError), open(self.run.path / "status.json", "r+b") as file:
                file.write(json.dumps(self.status.to_dict()).encode())
                file.truncate()
        self.say(f"{state.capitalize()}. {reason}".rstrip())

    # Beginning and continuing -----------------------------------------------

    def load_state(self) -> dict[str, Any] | None:
        """The saved state of the training, None without one; the status goes back to it.

        Raises ValueError when it cannot be read.
        """
        found = keeper.load_state(self.run)
        if found is None:
            return None
        training, progress = found
        self.status = self.status.replace(**progress)
        self._seconds_before = progress["seconds"]
        return training

    def begin(self, training: "Training") -> None:
        """Cut what lies beyond the present step, left by a process that was killed later."""
        step, epoch = training.step, self.status.epoch if training.step else 0
        if not training.step:
            self.status = self.status.replace(
                epoch=0, step=0, best_epoch=None, best_dice=None, seconds=0.0
            )
        keeper.cut_back(self.run, step=step, epoch=epoch)
        self._began = self._last_row = self.clock()
        self.update(step=step, steps=training.total_steps, phase="training")

    @property
    def is_first_step(self) -> bool:
        """Whether this process has not made a step yet."""
        return self._first_step is None

    # Events -----------------------------------------------------------------

    def add_step(self, event: "Step") -> None:
        """A row of the live curve: every step in the first second, then one a second."""
        now = self.clock()
        if self._first_step is None:
            self._first_step = (now, event.step)
        self._unwritten = event
        is_first_second = now - self._first_step[0] < PERIOD_SECONDS
        if is_first_second or now - self._last_row >= PERIOD_SECONDS:
            self.flush()
            runs.write_status(self.run, self.status)
            self._last_row = now

    def flush(self) -> None:
        """Write the newest step, so that the curve ends where the training is."""
        event, self._unwritten = self._unwritten, None
        if event is None:
            return
        records.append_row(self.run.path / "steps.jsonl", asdict(event))
        self.status = self.status.replace(
            step=event.step,
            phase="training",
            seconds=self._seconds(),
            seconds_left=self._seconds_left(event.step),
        )

    def add_checking(self, event: "Checking") -> None:
        """Show how far the validation is."""
        now = self.clock()
        if now - self._last_row >= PERIOD_SECONDS or event.done == 1:
            self.update(phase=f"validating {event.done} of {event.total}", seconds=self._seconds())
            self._last_row = now

    def add_epoch(self, event: "Epoch", training: "Training") -> None:
        """A row of the curve, the pictures, the weights when best, and the state to resume from."""
        epoch = int(event.row["epoch"])
        self.flush()
        records.append_row(self.run.path / "metrics.jsonl", event.row)
        keeper.save_previews(self.run, epoch, event.previews)
        if event.is_best:
            keeper.save_weights(self.run, training)
            dice = records.finite(event.row["val_dice"])
            self.status = self.status.replace(best_epoch=epoch, best_dice=dice)
        self.status = self.status.replace(epoch=epoch, seconds=self._seconds())
        self._save_state(training)
        self.update(seconds_left=self._seconds_left(training.step))
        known = {key: value for key, value in event.row.items() if value is not None}
        words = [f"{key} {known[key]:.4f}" for key in SHOWN if key in known]
        self.say(f"Epoch {epoch} of {self.status.epochs}: {', '.join(words)}.")

    def keep_weights(self, training: "Training") -> None:
        """Save the present moment: the state, and weights to segment with if there are none yet."""
        self.flush()
        if not (self.run.path / "best.safetensors").is_file():
            keeper.save_weights(self.run, training)
        self._save_state(training)

    def _save_state(self, training: "Training") -> None:
        kept = ("epoch", "step", "best_epoch", "best_dice", "seconds")
        progress = {name: getattr(self.status, name) for name in kept}
        keeper.save_state(self.run, training, progress)

    # Time -------------------------------------------------------------------

    def _seconds(self) -> float:
        return self._seconds_before + self.clock() - self._began

    def _seconds_left(self, step: int) -> float | None:
        """From the pace since this process's first step, which is slower than the others."""
        if self._first_step is None or step <= self._first_step[1]:
            return None
        pace = (self.clock() - self._first_step[0]) / (step - self._first_step[1])
        return pace * (self.status.steps - step)
