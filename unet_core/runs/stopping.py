"""How a training process hears that it should end, wherever it is at that moment."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

LOOK_SECONDS = 0.3  # between two looks at the stop file

# Where an exception harms nothing. The trainer enters these before it changes a weight, or to
# validate; what it also calls afterwards, such as losses and targets, must not stand here.
COMPUTING = tuple(
    str(Path(__file__).resolve().parents[1] / f"{name}.py")
    for name in ("network/model", "training/augment", "training/loader", "imaging/weight_map")
)
BACKWARD = "torch/autograd/graph.py"


class Stopped(Exception):
    """Somebody asked to stop."""


class Stop:
    """Whether a stop file, a SIGTERM or a Ctrl-C asks to end.

    `signal` is the signal that asked; None when nobody did, or the file. Python gives signals to
    the main thread only: in another thread the file is heard by `is_asked` alone.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.signal: int | None = None
        self._mode = ""

    def is_asked(self) -> bool:
        """Whether to end now."""
        return self.signal is not None or self.file.exists()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals as requests to stop; a second Ctrl-C ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(kind, self._on_signal) for kind in kinds]
        try:
            yield
        finally:
            for kind, handler in zip(kinds, before, strict=True):
                signal.signal(kind, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_second = self.signal is not None
        if not self.file.exists():  # else it is only the watcher's knock
            self.signal = number
        if self._mode == "anywhere" or (self._mode == "computing" and _is_computing(frame)):
            self._mode = ""
            raise Stopped
        if is_second:
            raise KeyboardInterrupt

    def interrupting(self) -> contextlib.AbstractContextManager[None]:
        """Raise Stopped inside, at any place, as soon as a stop is asked for."""
        return self._raising("anywhere")

    @contextlib.contextmanager
    def interrupting_steps(self, network: "nn.Module") -> Iterator[None]:
        """Raise Stopped while a network computes, but not while its weights are changed.

        A step may take longer than a person waits. BatchNorm's statistics are put back to what
        they were after the last whole step, so that resuming repeats the step exactly; whoever
        iterates calls `remember` after every step. On a GPU steps are short, and left alone.
        """
        if next(network.parameters()).device.type != "cpu":
            yield
            return
        hooks = [one.register_post_accumulate_grad_hook(_breathe) for one in network.parameters()]
        self.remember(network)
        try:
            with self._raising("computing"):
                yield
        except Stopped:
            for buffer, value in zip(network.buffers(), self._buffers, strict=True):
                buffer.copy_(value)
            raise
        finally:
            for hook in hooks:
                hook.remove()

    def remember(self, network: "nn.Module") -> None:
        """Note the statistics of a network on the CPU after a whole step."""
        if next(network.parameters()).device.type == "cpu":
            self._buffers = [buffer.clone() for buffer in network.buffers()]

    @contextlib.contextmanager
    def _raising(self, mode: str) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                if self.file.exists():
                    signal.raise_signal(signal.SIGINT)
                    return

        if self.is_asked():
            raise Stopped
        if threading.current_thread() is threading.main_thread():
            self._mode = mode
            threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        except Exception as error:  # an import may wrap what was raised inside it
            if self.is_asked():
                raise Stopped from error
            raise
        finally:
            self._mode = ""
            over.set()


def _breathe(weight: "Tensor") -> None:
    """Called after each layer of a backward pass: Python hears signals only while it runs."""


def _is_computing(frame: FrameType | None) -> bool:
    while frame is not None:
        file = frame.f_code.co_filename
        if file in COMPUTING or file.replace("\\", "/").endswith(BACKWARD):
            return True
        frame = frame.f_back
    return False
