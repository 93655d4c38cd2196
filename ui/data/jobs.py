"""Work that takes seconds or minutes, seen by every browser and ended by none of them.

A download or a table of statistics belongs to the server, not to the page that asked first: a
reload or a second person finds the same work under way, and a double click starts nothing twice.
The work runs in a thread and never touches streamlit; pages ask how far it is.
"""

import threading
from collections.abc import Callable, Hashable

Report = Callable[[str, float | None], None]


class Cancelled(Exception):
    """Raised inside the work, at its next report, after somebody cancelled it."""


class Job:
    """One piece of work, its progress and how it ended."""

    def __init__(self, work: Callable[[Report], object]) -> None:
        self.text = ""
        self.share: float | None = None  # 0 to 1; None: nobody knows
        self.error: Exception | None = None
        self._work = work
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        # A daemon: the server's end does not wait for it, and what arrived on disk is kept.
        threading.Thread(target=self._run, name="job", daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether it is under way and still wanted."""
        return not (self._ended.is_set() or self._cancelled.is_set())

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody ended it before it was done."""
        return self._cancelled.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, but not longer; whether it has come."""
        return self._ended.wait(seconds)

    def cancel(self) -> None:
        """Let the work end at its next report; from now on it counts as ended."""
        self._cancelled.set()

    def _run(self) -> None:
        try:
            self._work(self._report)
        except Cancelled:
            pass
        except Exception as error:  # shown by the page, whatever it is
            self.error = error
        finally:
            self._ended.set()

    def _report(self, text: str, share: float | None) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self.text, self.share = text, share


_jobs: dict[Hashable, Job] = {}
_lock = threading.Lock()


def start(key: Hashable, work: Callable[[Report], object]) -> Job:
    """The job of that key: the one under way, or else a new one."""
    with _lock:
        found = _jobs.get(key)
        if found is None or not found.is_alive:
            found = _jobs[key] = Job(work)
        return found


def find(key: Hashable) -> Job | None:
    """The latest job of that key, under way or ended, or None."""
    return _jobs.get(key)


def forget(key: Hashable) -> None:
    """Drop an ended job, so that its error is not shown again."""
    with _lock:
        if key in _jobs and not _jobs[key].is_alive:
            del _jobs[key]
