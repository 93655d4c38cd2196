"""The state of a run as `status.json` says it, and the settings in `config.json`."""

import functools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet_core.base.config import TrainConfig
from unet_core.base.records import version, write_json
from unet_core.base.settings import Settings
from unet_core.runs import slots

ALIVE = ("queued", "running")
STATES = (*ALIVE, "finished", "stopped", "failed", "lost")


@dataclass(frozen=True, kw_only=True)
class Status(Settings):
    """What `status.json` says, with the state and the place in the queue as seen by the reader."""

    state: str
    reason: str = ""  # why it failed, or what is worth knowing about the end
    note: str = ""  # what the user should know about the settings
    repeat: str = ""  # the name that it shares with the same recipe's runs with other seeds
    phase: str = ""  # what it is doing: "loading", "training", "validating", "tuning"
    device: str = ""  # for people, such as "CPU, 2 cores"
    device_reason: str = ""
    precision: str = ""  # of the arithmetic, such as "bfloat16"; kept when it is resumed
    threads: int | None = None  # on the CPU; the numbers are exactly those of as many threads
    epoch: int = 0  # finished epochs
    epochs: int = 0
    step: int = 0  # finished steps
    steps: int = 0
    best_epoch: int | None = None
    best_dice: float | None = None  # on validation, at the best epoch
    seconds: float = 0.0  # trained so far, over all resumptions
    seconds_left: float | None = None
    expected_seconds: float | None = None  # before it began, as `seconds` counts
    created_at: float | None = None  # seconds since 1970, as the others
    started_at: float | None = None
    updated_at: float | None = None
    ended_at: float | None = None
    pid: int | None = None  # written by the training process; None until it has taken over
    queue_place: int | None = None  # 1 is next; only for readers

    def check(self) -> None:
        """Refuse a state that nobody knows."""
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r}")

    @property
    def is_alive(self) -> bool:
        """Whether a process trains or waits."""
        return self.state in ALIVE

    @property
    def current_epoch(self) -> int:
        """The epoch of the last step, 0 before the first: a stop and resuming do not change it."""
        return self.epoch + (self.step * self.epochs > self.epoch * self.steps)

    @property
    def is_starting(self) -> bool:
        """Whether its process may still be on the way to its lock."""
        age = time.time() - (self.started_at or self.created_at or 0.0)
        return self.state == "queued" and self.pid is None and age < slots.GRACE_SECONDS

    def renewed(self, now: float, pid: int | None = None) -> "Status":
        """What a start makes of it: queued, with the progress kept and the ending forgotten."""
        return self.replace(
            state="queued",
            reason="",
            phase="",
            started_at=now,
            ended_at=None,
            seconds_left=None,
            pid=pid,
        )


def store_status(folder: Path, status: Status) -> None:
    """Replace `status.json`; the reader's own fields are left out."""
    values = status.to_dict()
    del values["queue_place"]
    write_json(folder / "status.json", values | {"updated_at": time.time()})


def read_status(folder: Path) -> Status | str:
    """The stored status, or a sentence on why there is none."""
    return _read_settings(folder, "status.json")


def read_config(folder: Path) -> TrainConfig | str:
    """The stored settings, or a sentence on why there are none."""
    return _read_settings(folder, "config.json")


def _read_settings(folder: Path, name: str) -> Any:
    path = os.path.join(folder, name)  # thousands of them are looked at: text is faster than Path
    try:
        return _parse_settings(path, version(path))
    except OSError:
        return f"{name} is missing."


@functools.lru_cache(maxsize=16_384)  # two for each run, and some that were replaced meanwhile
def _parse_settings(path: str, seen: tuple[int, ...]) -> Any:
    name = os.path.basename(path)
    settings = Status if name == "status.json" else TrainConfig
    try:
        with open(path, "rb") as file:
            return settings.from_dict(json.load(file))
    except (OSError, ValueError) as error:
        return f"{name} cannot be used: {_first_line(error)}."


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
