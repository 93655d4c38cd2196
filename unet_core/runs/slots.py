"""The queue: one run at a time in each slot of this machine, the oldest first.

A waiting run leaves a ticket beside the runs. No server keeps the queue: whoever reads the tickets
sees the same order, and the ticket of a dead process counts for nothing.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from unet_core.base import device, records

GRACE_SECONDS = 10.0  # a new process needs a moment before it can take its run's lock


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A run that waits for one of some slots."""

    path: Path
    run: str
    since: float
    slots: tuple[str, ...]
    pid: int | None  # None until the run's own process has taken the ticket over

    def is_alive(self, now: float) -> bool:
        """Whether a process waits with it, or may be on the way."""
        if records.is_held(Path(self.run) / "lock"):
            return True
        return self.pid is None and now - self.since < GRACE_SECONDS

    def is_before(self, other: "Ticket") -> bool:
        """Whether it comes first where both want the same slot."""
        is_older = (self.since, self.path.name) < (other.since, other.path.name)
        return is_older and not set(self.slots).isdisjoint(other.slots)


def folder(root: Path) -> Path:
    """Where the locks of the slots and the queue lie, beside the runs; made when missing."""
    queue(root).mkdir(parents=True, exist_ok=True)
    return queue(root).parent


def queue(root: Path) -> Path:
    """Where the tickets lie."""
    return root / ".devices" / "queue"


def ticket_path(root: Path, run: Path) -> Path:
    """Where the ticket of a run lies, if it waits."""
    digest = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:16]
    return queue(root) / f"{digest}.json"


def take_ticket(root: Path, run: Path, *, wanted: str, since: float, pid: int | None) -> Ticket:
    """Put a run into the queue for the device that its settings want."""
    folder(root)
    path = ticket_path(root, run)
    slots = tuple(device.slots(wanted))
    values = {"run": str(run.resolve()), "since": since, "slots": slots, "pid": pid}
    records.write_json(path, values)
    return Ticket(path=path, run=str(run.resolve()), since=since, slots=slots, pid=pid)


def read_ticket(path: Path) -> Ticket | None:
    """The ticket in a file; None when it is gone or broken."""
    try:
        values = json.loads(path.read_bytes())
        return Ticket(
            path=path,
            run=str(values["run"]),
            since=float(values["since"]),
            slots=tuple(values["slots"]),
            pid=values["pid"],
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def waiting(root: Path) -> list[Ticket]:
    """The tickets that somebody waits with, in no order."""
    now = time.time()
    found = (read_ticket(path) for path in queue(root).glob("[!.]*.json"))
    return [one for one in found if one and one.is_alive(now)]


def queue_place(root: Path, run: Path, among: list[Ticket] | None = None) -> int | None:
    """The place in the queue, 1 for the next; None for a run that does not wait.

    `among` is what `waiting` gave, for whoever asks for many places.
    """
    mine = read_ticket(ticket_path(root, run))
    if mine is None:
        return None
    return 1 + sum(one.is_before(mine) for one in (waiting(root) if among is None else among))


def wait_for_turn(
    root: Path,
    run: Path,
    *,
    wanted: str,
    since: float,
    pid: int,
    is_stopped: Callable[[], bool],
    on_wait: Callable[[], None] | None = None,
    pause: float = 0.3,
) -> tuple[str, FileLock] | None:
    """The slot that this process may use, with its held lock; None when stopped meanwhile.

    `on_wait` is called once when the turn does not come at once.
    """
    ticket = take_ticket(root, run, wanted=wanted, since=since, pid=pid)
    try:
        while not is_stopped():
            if not any(one.is_before(ticket) for one in waiting(root)):
                for slot in ticket.slots:
                    lock = FileLock(folder(root) / f"{slot}.lock", thread_local=False)
                    try:
                        lock.acquire(timeout=0)
                    except Timeout:
                        continue
                    return slot, lock
            if on_wait is not None:
                on_wait()
                on_wait = None
            time.sleep(pause)
        return None
    finally:
        ticket.path.unlink(missing_ok=True)
