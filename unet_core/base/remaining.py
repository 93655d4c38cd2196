"""How long work that is done piece by piece will still take."""

import time
from collections.abc import Callable


class Remaining:
    """Estimates the seconds that are left, from the pieces done since the first call.

    What was done before that call, by a process that was left off, says nothing about this one.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or time.monotonic
        self._start: tuple[float, int] | None = None
        self._last = 0

    def estimate(self, done: int, total: int) -> float | None:
        """The seconds left; None while nobody knows. Fewer pieces than before begin other work."""
        if not total:
            self._start = None
            return None
        now = self.clock()
        if self._start is None or done < self._last:
            self._start = (now, done)
        self._last = done
        began, before = self._start
        if done == before:
            return None
        return (now - began) / (done - before) * (total - done)
