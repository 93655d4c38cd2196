"""What is said about a run in words, and its growing curves as tables."""

import functools
from dataclasses import dataclass, field

import pandas as pd

from ui.shared import forms, overview, words
from unet_core.base.config import TrainConfig
from unet_core.base.records import Cursor, version
from unet_core.runs import runs
from unet_core.runs.runs import Run
from unet_core.runs.status import Status
from unet_core.training import presets


def recipe(run: Run) -> str:
    """The recipe that a run was made from, which its name tells; another name as it is."""
    return runs.recipe(run.id) or run.id


def progress(status: Status) -> str:
    """One line on how far a run is: `Epoch 3 of 8 · step 75 of 240 · 50 s left`."""
    if status.state == "queued":
        return _queue(status)
    parts = [f"Epoch {status.current_epoch} of {status.epochs}"]
    if status.steps:
        parts.append(f"step {status.step} of {status.steps}")
    if status.is_alive and status.phase and status.phase != "training":
        parts.append(status.phase)
    if status.is_alive and status.seconds_left is not None:
        parts.append(f"{words.duration(status.seconds_left)} left")
    return " · ".join(parts)


def _queue(status: Status) -> str:
    if not status.queue_place:
        return "Starting"
    ahead = status.queue_place - 1
    return f"Place {status.queue_place} in the queue" + (
        "" if ahead else ": next, as soon as the device is free"
    )


def ahead(run: Run, status: Status) -> list[str]:
    """A line for each run that a queued one waits for."""
    lines = []
    for one in overview.all_runs():
        seen = one.status
        waits = seen.queue_place is not None and seen.queue_place < (status.queue_place or 0)
        if one.run != run and (seen.state == "running" or waits):
            lines.append(f"Ahead: {short_names([one.run])[0]}, {seen.state}. {progress(seen)}")
    return lines


def share(status: Status) -> float:
    """How much of the steps is done, from 0 to 1."""
    if status.state == "finished":
        return 1.0
    return min(1.0, status.step / status.steps) if status.steps else 0.0


@dataclass
class Curve:
    """The rows of a growing file as a table; each call of `follow` reads the new lines only."""

    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    cursor: Cursor | None = None

    def follow(self, read) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """The table up to now. `read` is `run.steps` or `run.metrics`."""
        new = read(self.cursor)
        self.cursor = new.cursor
        if not new.is_continued:
            self.frame = pd.DataFrame(new.rows)
        elif new.rows:
            self.frame = pd.concat([self.frame, pd.DataFrame(new.rows)], ignore_index=True)
        return self.frame


def best_row(metrics: pd.DataFrame, epoch: int | None) -> dict[str, float]:
    """The values of the best epoch; empty before there is one."""
    if epoch is None or metrics.empty:
        return {}
    rows = metrics[metrics["epoch"] == epoch]
    return {} if rows.empty else rows.iloc[-1].to_dict()


def has_values(frame: pd.DataFrame, column: str) -> bool:
    """Whether a curve has the column, and any number in it."""
    return column in frame and bool(frame[column].notna().any())


def best_dice(run: Run, status: Status) -> float | None:
    """The validation Dice of the best epoch; None where there is none.

    Runs of earlier versions have it in their curve only, which is read when it has changed.
    """
    if status.best_dice is not None or status.best_epoch is None:
        return status.best_dice
    try:
        return _read_dice(run, status.best_epoch, version(run.path / "metrics.jsonl"))
    except OSError:
        return None


@functools.lru_cache(maxsize=4096)
def _read_dice(run: Run, epoch: int, seen: tuple[int, ...]) -> float | None:
    return best_row(pd.DataFrame(run.metrics().rows), epoch).get("val_dice")


def last_row(frame: pd.DataFrame) -> dict[str, float]:
    """The newest values; empty before there are any."""
    return {} if frame.empty else frame.iloc[-1].to_dict()


def settings_table(config: TrainConfig) -> pd.DataFrame:
    """Every setting with its group, value and help."""
    rows = [
        {
            "Group": about.metadata["group"],
            "Setting": about.name,
            "Value": forms.as_text(config.get(about.name)),
            "Meaning": about.metadata["help"],
        }
        for about in config.options().values()
    ]
    return pd.DataFrame(rows)


def short_names(found: list[Run]) -> list[str]:
    """A name for each run that tells it from the others: recipe and end of its name."""
    return [f"{recipe(run)} {run.id.rpartition('-')[2]}" for run in found]


def value(setting: object) -> str:
    """A setting's value in a table; a run whose settings cannot be read has none."""
    return "–" if setting is None else forms.as_text(setting)


def changed(run: Run) -> str:
    """The settings in which a run differs from its recipe, as `lr=0.01, epochs=3`."""
    if run.fault:
        return "–"
    return _changed(recipe(run), run.config)


@functools.lru_cache(maxsize=4096)
def _changed(name: str, config: TrainConfig) -> str:
    known = presets.PRESETS.get(name)
    base = known.config if known else TrainConfig()
    found = forms.changes(config, base)
    return ", ".join(change for change in found if not change.startswith(("data=", "scheme=")))
