"""A repeat: one recipe trained with several seeds, to learn how far chance alone moves a score.

Each seed is a run of its own, with its own process and its own place in the queue: what befalls
one does not touch the others, and each is stopped and resumed as any run. They carry the repeat's
name in their status and differ in the seed alone. The seed decides the first weights, the order of
the images, where crops and patches are cut, and how they are augmented. Which images train,
validate and test is the scheme's, and the same for all of them.
"""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.base.records import Cursor
from unet_core.runs import runs
from unet_core.runs.runs import Run
from unet_core.runs.status import Status

MOST = 20
DIGITS = 8  # of a hash, at the end of a repeat's name
# What is told of the whole: the first of these states that any of its runs is in.
WORST_FIRST = ("running", "queued", "failed", "lost", "stopped", "finished")


@dataclass(frozen=True)
class Repeat:
    """The runs of a repeat that are still there, by their seeds."""

    name: str
    runs: tuple[Run, ...]

    def statuses(self) -> list[Status]:
        """The state of each run as it is now."""
        return [run.status() for run in self.runs]

    def start(self) -> None:
        """Start every run that is not going, or resume it where it has a past; finished ones stay.

        Gives every run its chance, then raises ValueError for the first that cannot start.
        """
        refused: list[ValueError] = []
        for run in self.runs:
            status = run.status()
            is_going = status.is_alive and status.started_at is not None
            if is_going or status.state == "finished" or run.fault:
                continue
            try:
                runs.start(run, resume=True)
            except ValueError as error:
                refused.append(error)
        if refused:
            raise refused[0]

    def stop(self) -> None:
        """Ask every run that goes or waits to keep its weights and end."""
        # From the last to the first: else the next one would begin, only to be stopped.
        for run in reversed(self.runs):
            if run.status().is_alive:
                run.stop()

    def delete(self) -> None:
        """Remove all of its runs; ValueError, and nothing is lost, while one of them goes."""
        if any(status.is_alive and status.started_at for status in self.statuses()):
            raise ValueError(f"repeat {self.name} is still going: stop it before deleting it")
        for run in self.runs:
            run.delete()

    def finished(self) -> list[Run]:
        """The runs that came to their end: those whose scores may be compared."""
        return [run for run in self.runs if run.status().state == "finished"]


def create(
    config: TrainConfig,
    seeds: int,
    *,
    preset: str = "",
    note: str = "",
    token: str = "",
    expected_seconds: float | None = None,
) -> Repeat:
    """New runs with as many seeds, from the configuration's own upwards; none is started.

    The arguments are those of `runs.create`; `expected_seconds` are those of one run. The same
    token gives the same runs. Raises ValueError for less than 2 or more than `MOST` seeds, or
    where the last seed would be too large; nothing is made then.
    """
    check_count(seeds)
    first, token = config.images.seed, token or secrets.token_hex()
    configs = [config.replace(seed=first + place) for place in range(seeds)]
    name = f"{runs.slug(preset)}-x{seeds}-{runs.hash_token(token)[:DIGITS]}"
    made: list[Run] = []
    try:
        for one in configs:
            run = runs.create(
                one,
                preset=preset,
                note=note,
                token=f"{token} seed {one.images.seed}",
                expected_seconds=expected_seconds,
                repeat=name,
            )
            made.append(run)
    except BaseException:
        for run in made:
            with contextlib.suppress(ValueError, OSError):  # the first click's, and it goes
                run.delete()
        raise
    return Repeat(name, tuple(made))


def check_count(seeds: int) -> None:
    """Raise ValueError unless so many seeds make a repeat."""
    if not 2 <= seeds <= MOST:
        raise ValueError(f"repeats must be 2 to {MOST} seeds, got {seeds}")


def find(name: str) -> Repeat:
    """The repeat of that name; ValueError when none of its runs is there."""
    found = [run for run in runs.list_runs() if name and runs.last_status(run).repeat == name]
    if not found:
        raise ValueError(f"there is no repeat {name!r} in {folders.runs()}")
    return of(name, found)


def of(name: str, found: Sequence[Run]) -> Repeat:
    """The repeat of these runs, in the order of their seeds."""
    return Repeat(name, tuple(sorted(found, key=by_seed)))


def by_seed(run: Run) -> tuple[bool, int]:
    """The order of the runs of a repeat: by seed, broken ones last."""
    return seed(run) is None, seed(run) or 0


def seed(run: Run) -> int | None:
    """The seed of a run; None for one whose settings cannot be read."""
    return None if run.fault else run.config.images.seed


def state(statuses: Sequence[Status]) -> str:
    """The state of the whole: alive while any of its runs is, then the worst of their ends."""
    found = {one.state for one in statuses}
    return next(one for one in WORST_FIRST if one in found)


def summary(repeat: Repeat, statuses: Sequence[Status]) -> str:
    """One sentence on how far it is, and on each seed that ended otherwise than finished."""
    count = Counter(one.state for one in statuses)
    text = f"{count['finished']} of {len(statuses)} seeds finished"
    parts = [
        _tell(run, status)
        for run, status in zip(repeat.runs, statuses, strict=True)
        if status.state not in ("finished", "queued")
    ]
    if count["queued"]:
        waiting = "1 seed waits" if count["queued"] == 1 else f"{count['queued']} seeds wait"
        parts.append(waiting)
    return f"{text}: {'; '.join(parts)}." if parts else f"{text}."


def _tell(run: Run, status: Status) -> str:
    name = f"seed {'unknown' if seed(run) is None else seed(run)}"
    if status.state == "running":
        return f"{name} is running"
    if status.state == "stopped":
        epoch = f"in epoch {status.current_epoch} of {status.epochs}"
        return f"{name} was stopped {epoch if status.step else 'before it began'}"
    words = "failed" if status.state == "failed" else "is lost"
    reason = status.reason.rstrip(".")
    if reason[1:2].islower():  # no abbreviation
        reason = reason[0].lower() + reason[1:]
    return f"{name} {words}: {reason}" if reason else f"{name} {words}"


def seconds_left(statuses: Sequence[Status]) -> float | None:
    """Until the last run has ended, for those that go and those that wait; None while unknown.

    A waiting run is expected to take as long as the others take on average. Runs that go side by
    side, on several devices, share what is to be done.
    """
    going = [one for one in statuses if one.state == "running"]
    waiting = [one for one in statuses if one.state == "queued"]
    known = [one.seconds + one.seconds_left for one in going if one.seconds_left is not None]
    whole = known + [one.seconds for one in statuses if one.state == "finished"]
    if not (going or waiting) or len(known) < len(going) or not whole:
        return None
    each = sum(whole) / len(whole)
    left = sum(one.seconds_left or 0.0 for one in going)
    left += sum(max(0.0, each - one.seconds) for one in waiting)
    return left / max(1, len(going))


class Follower:
    """Tells what happens to the runs of a repeat, for whoever watches from another process."""

    def __init__(self, repeat: Repeat) -> None:
        self.repeat, self.is_over = repeat, False
        self._cursors: dict[str, Cursor | None] = {
            run.id: run.metrics().cursor for run in repeat.runs
        }
        self._states: dict[str, str] = {}

    def news(self) -> Iterator[str]:
        """A line for each epoch and each change of a state since the last call."""
        statuses = self.repeat.statuses()  # first: an end comes after the last epoch
        for run, status in zip(self.repeat.runs, statuses, strict=True):
            name = f"seed {seed(run)}"
            new = run.metrics(self._cursors[run.id])
            self._cursors[run.id] = new.cursor
            for row in new.rows:
                dice = row.get("val_dice")
                score = "" if dice is None else f", validation Dice {dice:.4f}"
                yield f"{name}: epoch {row['epoch']} of {status.epochs}{score}"
            if status.state != self._states.get(run.id):
                yield f"{name}: {status.state}. {status.reason}".rstrip()
            self._states[run.id] = status.state
        self.is_over = not any(status.is_alive for status in statuses)
