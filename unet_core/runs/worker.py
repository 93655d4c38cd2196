"""The process of a job: holds its lock, tells how far it is, and ends when asked."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from unet_core.base import device, faults, records
from unet_core.base.remaining import Remaining
from unet_core.runs.jobs import LIGHT, Job
from unet_core.runs.stopping import LOOK_SECONDS, Stop, Stopped

PATIENCE_SECONDS = 5.0  # readers hold the lock for a moment only
LAST_SECONDS = 3.0  # from the request to stop until the process is ended wherever it is
PERIOD_SECONDS = 0.25  # between two writings of the progress


def carry_out(path: Path, work: Callable[[], int]) -> int:
    """Do the work of a job in this process; gives its exit code, 130 when it was stopped.

    What the work raises is written down and raised again. Raises ValueError when there is no such
    job, when it has been carried out, or when another process works on it.
    """
    job = Job(path)
    if not job.words:
        raise ValueError(f"{path} holds no job: --job is for jobs that the app has started")
    try:
        held = FileLock(path / "lock", thread_local=False).acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        raise ValueError(f"another process works on job {job.id} already") from None
    with held:
        before = job.last_status()
        if not before.is_alive or before.pid is not None:
            raise ValueError(f"job {job.id} has been carried out already: start a new one")
        stop = Stop(path / "stop")
        with stop.listening(), _ending(job, stop):
            return _follow(job, stop, work)


def _follow(job: Job, stop: Stop, work: Callable[[], int]) -> int:
    code = 0
    try:
        job.update(pid=os.getpid())
        device.give_way()
        with stop.interrupting(), _turn(job):
            code = work()
    except Stopped:
        job.update(state="stopped", doing="")
        return 130
    except BaseException as error:
        job.update(state="failed", reason=faults.explain(error), doing="")
        raise
    reason = f"It ended with exit code {code}." if code else ""
    job.update(state="failed" if code else "finished", reason=reason, doing="")
    return code


@contextlib.contextmanager
def _ending(job: Job, stop: Stop) -> Iterator[None]:
    """End the process where it does not hear: inside one long call that is not Python's.

    A job's files appear whole or not at all, so nothing is lost.
    """
    over = threading.Event()

    def watch() -> None:
        while not stop.is_asked():
            if over.wait(LOOK_SECONDS):
                return
        if not over.wait(LAST_SECONDS):
            with contextlib.suppress(OSError):
                job.update(state="stopped", doing="")
            os._exit(130)

    if threading.current_thread() is threading.main_thread():
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextlib.contextmanager
def _turn(job: Job) -> Iterator[None]:
    """Wait until few enough other jobs are at work: two at once on two cores help nobody."""
    if job.kind in LIGHT:
        yield
        return
    number = max(1, (os.cpu_count() or 1) // 4)
    locks = [FileLock(job.path.parent / f"turn-{index}.lock") for index in range(number)]
    is_told = False
    while not (held := _first_free(locks)):
        if not is_told:
            job.update(doing="waiting for another calculation")
            is_told = True
        time.sleep(LOOK_SECONDS)
    with held:
        job.update(doing="starting")
        yield


def _first_free(locks: list[FileLock]) -> FileLock | None:
    for lock in locks:
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            return lock
    return None


class Teller:
    """Writes the progress of a job, a few times a second at most."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.job, self.clock, self.remaining = Job(path), clock, Remaining(clock)
        self._last: float | None = None

    def tell(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say what is being done, and how much of how many; the last of them always."""
        now = self.clock()
        left = self.remaining.estimate(done, total)
        is_soon = self._last is not None and now - self._last < PERIOD_SECONDS
        if text and (not is_soon or done == total > 0):
            self.job.update(doing=text, done=done, total=total, seconds_left=left)
            self._last = now


def write_result(path: Path, document: dict[str, Any]) -> None:
    """Store what the command has found."""
    records.write_json(path / "result.json", document)


def write_labels(path: Path, labels: dict[str, np.ndarray]) -> None:
    """Store the objects that were found in each image, by the image's name (`Job.labels`)."""
    small: dict[str, Any] = {f"labels-{name}": _small(one) for name, one in labels.items()}
    with records.replacing(path / "labels.npz") as draft, draft.open("wb") as file:
        np.savez_compressed(file, **small)


def _small(labels_HW: np.ndarray) -> np.ndarray:
    return labels_HW.astype(np.min_scalar_type(labels_HW.max(initial=0)))
