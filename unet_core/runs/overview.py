"""All runs at one look, which takes some milliseconds for a thousand of them."""

import contextlib
from dataclasses import dataclass

from unet_core.base import folders
from unet_core.data import own
from unet_core.runs import jobs, runs, slots
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


def check_unused(data: str) -> None:
    """Raise ValueError while a run or a job works with a data set, or waits to do so.

    Also by a name that it had before.
    """
    names = {data}
    with contextlib.suppress(ValueError):  # a set that is not there, or comes with the app
        names |= set(own.read(data).was)
    users = [
        f"run {seen.run.id}"
        for seen in look()
        if seen.status.is_alive and seen.run.config.images.data in names
    ]
    users += [
        f"job {job.id}"
        for job in jobs.list_jobs()
        if names & set(job.words) and job.status().is_alive
    ]
    if users:
        raise ValueError(f"{data} is in use by {users[0]}: stop that first, or wait for its end")
