"""All runs at one look, which takes some milliseconds for a thousand of them."""

from dataclasses import dataclass

from unet_core.base import folders
from unet_core.runs import runs, slots
from unet_core.runs.runs import Run
from unet_core.runs.status import Status


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A run as it was at the moment of the look."""

    run: Run
    status: Status
    has_weights: bool


def look() -> list[Seen]:
    """Every run, the newest first. The queue is read once, however many wait in it."""
    waiting = slots.waiting(folders.runs())
    return [
        Seen(run=run, status=run.status(waiting), has_weights=run.has_weights())
        for run in runs.list_runs()
    ]
