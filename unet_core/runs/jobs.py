"""Commands that work in the background: a job is a directory, as a run is.

`job.json` says what is to be done, `progress.json` how far it is and how it ended, `result.json`
what came out, and of an evaluation `labels.npz` the objects; `log.txt` holds the complaints. The
process holds the job's lock for as long as it lives, so "running" without a held lock means "lost".
No server is needed to read or to stop one.
"""

import contextlib
import functools
import json
import re
import secrets
import shlex
import shutil
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from unet_core.base import folders, records
from unet_core.base.settings import Settings
from unet_core.runs import runs
from unet_core.runs.slots import GRACE_SECONDS

PATIENCE_SECONDS = 2.0  # a process writes its end before it lets go of the lock
# Kinds that take no turn among the jobs: one waits for the network, the other takes seconds.
LIGHT = ("download", "statistics")
PASSING = (*LIGHT, "lr-test")  # kinds that have served once they have ended; all others stay
KEPT_DAYS = 30  # ended jobs of those kinds
SHORT = 12  # digits of a hash at the end of a job's name, more where that is taken
STATES = ("running", "finished", "failed", "stopped", "lost")


@dataclass(frozen=True, kw_only=True)
class JobStatus(Settings):
    """What `progress.json` says; `lost` and `seconds` of a living job are the reader's."""

    state: str
    reason: str = ""  # why it failed
    done: int = 0
    total: int = 0  # 0 while nobody knows
    doing: str = ""  # for people, such as "image 3 of 67"
    seconds: float = 0.0  # since it was created, or until it ended
    seconds_left: float | None = None  # as estimated with the last progress
    created_at: float = 0.0  # seconds since 1970
    pid: int | None = None  # None until its process has taken over

    def check(self) -> None:
        """Refuse a state that nobody knows."""
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r}")

    @property
    def is_alive(self) -> bool:
        """Whether it is being worked on."""
        return self.state == "running"

    @property
    def share(self) -> float:
        """How much is done, 0..1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


@dataclass(frozen=True)
class Job:
    """A job's directory. Reading never raises, except `result` of a job that has none."""

    path: Path

    @property
    def id(self) -> str:
        """The name of the directory, used in links."""
        return self.path.name

    @property
    def kind(self) -> str:
        """What sort of job it is, such as "evaluate"; empty for a broken one."""
        return str(self._about().get("kind", ""))

    @property
    def title(self) -> str:
        """A line for people on what is worked on."""
        return str(self._about().get("title", ""))

    @property
    def created(self) -> float:
        """When it was started, in seconds since 1970."""
        return float(self._about().get("created", 0.0))

    @property
    def words(self) -> list[str]:
        """The command and its options."""
        return list(self._about().get("words", []))

    @property
    def token(self) -> str:
        """The hash of the form's token, as `runs.hash_token` gives it."""
        return str(self._about().get("token", ""))

    @property
    def command(self) -> str:
        """The same as a command to copy."""
        return shlex.join(["python", "-m", "unet_core", *self.words])

    def _about(self) -> dict[str, Any]:
        path = self.path / "job.json"
        try:
            return _read_about(path, records.version(path))
        except OSError:
            return {}

    def status(self) -> JobStatus:
        """The state as it is now."""
        stored = self.last_status()
        if stored.is_alive and not records.is_held(self.path / "lock"):
            # It may have ended between the two looks: the state is written before the lock goes.
            stored = self.last_status()
            if stored.is_alive:
                stored = self._unheld(stored)
        if not stored.is_alive:
            return stored
        return stored.replace(seconds=max(0.0, time.time() - stored.created_at))

    def _unheld(self, stored: JobStatus) -> JobStatus:
        """What to make of a job that says running and that no process works on."""
        if stored.pid is None:
            complaint = re.search(r"^error: (.*)$", self.log(), re.MULTILINE)
            if complaint:
                return stored.replace(state="failed", reason=complaint[1])
            if time.time() - stored.created_at < GRACE_SECONDS:
                return stored
        return stored.replace(
            state="lost", reason="Its process ended without a word.", doing="", seconds=0.0
        )

    def last_status(self) -> JobStatus:
        """What `progress.json` says, whoever works on it."""
        try:
            return JobStatus.from_dict(json.loads((self.path / "progress.json").read_bytes()))
        except (OSError, ValueError):
            return JobStatus(state="failed", reason="Its progress cannot be read.")

    def update(self, **changes: Any) -> None:
        """Replace `progress.json`; only for whoever holds the lock."""
        status = self.last_status().replace(**changes)
        seconds = max(0.0, time.time() - status.created_at)
        records.write_json(self.path / "progress.json", status.to_dict() | {"seconds": seconds})

    def result(self) -> dict[str, Any]:
        """What the command would have printed with --json.

        Raises ValueError when there is none: the job goes on, or ended without one.
        """
        found = _read_object(self.path / "result.json")
        if not found:
            raise ValueError(f"job {self.id} has no result: it is {self.status().state}")
        return found

    def labels(self, name: str) -> np.ndarray:
        """The objects [H, W] that were found in an image of an evaluation.

        Raises ValueError where there are none: it was made before they were kept, or the image is
        none of its images.
        """
        try:
            with (self.path / "labels.npz").open("rb") as file, np.load(file) as stored:
                return stored[f"labels-{name}"].astype(np.int32)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            raise ValueError(f"job {self.id} keeps no objects of the image {name!r}") from None

    def log(self) -> str:
        """The end of what its process complained about."""
        try:
            return (self.path / "log.txt").read_text(errors="replace")[-20_000:]
        except OSError:
            return ""

    def stop(self) -> None:
        """Ask the process to end; it does so within seconds. One that has ended stays so."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / "stop").touch()

    def delete(self) -> None:
        """Remove the directory; ValueError while a process works on it."""
        refusal = f"job {self.id} is still going: stop it before deleting it"
        if self.status().is_alive:
            raise ValueError(refusal)
        grave = self.path.with_name(f".deleted-{secrets.token_hex(3)}-{self.id}")
        try:
            # Renamed first: it vanishes at once for every reader.
            lock = FileLock(self.path / "lock", thread_local=False)
            with lock.acquire(timeout=PATIENCE_SECONDS):
                self.path.rename(grave)
        except Timeout:
            raise ValueError(refusal) from None
        except FileNotFoundError:
            return  # somebody else was quicker
        shutil.rmtree(grave, ignore_errors=True)


def folder() -> Path:
    """Where jobs lie: hidden among the runs, so that they are none of them."""
    return folders.runs() / ".jobs"


def list_jobs(kind: str | None = None) -> list[Job]:
    """Every job, or those of a kind, the newest first."""
    try:
        found = [
            Job(path) for path in folder().iterdir() if folders.is_name(path.name) and path.is_dir()
        ]
    except OSError:
        return []
    chosen = [job for job in found if kind is None or job.kind == kind]
    return sorted(chosen, key=lambda job: (job.created, job.id), reverse=True)


def find(job_id: str) -> Job:
    """The job of that name; ValueError when there is none."""
    if not folders.is_name(job_id) or not (folder() / job_id).is_dir():
        raise ValueError(f"there is no job {job_id!r} in {folder()}")
    return Job(folder() / job_id)


def latest(kind: str, words: Sequence[str]) -> Job | None:
    """The newest job of a kind that carries out these words, whoever started it."""
    return next((job for job in list_jobs(kind) if job.words == list(words)), None)


def join(kind: str, words: Sequence[str], *, title: str = "") -> Job:
    """The job under way that carries out these words, or a new one: however many ask, one works.

    Raises ValueError as `start`.
    """
    last = latest(kind, words)
    if last is not None and last.status().is_alive:
        return last
    # Two who ask at once have seen the same last one.
    token = f"{kind} {shlex.join(words)} after {last.id if last else 'none'}"
    return start(kind, words, title=title, token=token)


def start(kind: str, words: Sequence[str], *, title: str = "", token: str = "") -> Job:
    """Start a command in a process of its own and return at once.

    Args:
        kind: what sort of job it is, for `list_jobs`: lower-case letters, digits and dashes.
        words: the command and its options, as after ``python -m unet_core``; the command must
            know ``--job``.
        title: a line for people.
        token: names a form's submission. The same token gives the same job: a double click makes
            one job, not two.

    Raises ValueError for another kind, or without words.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", kind):
        raise ValueError(f"kind must be lower-case letters, digits and dashes, got {kind!r}")
    if not words:
        raise ValueError("words must name a command, got none")
    digest = runs.hash_token(token)
    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / "create.lock").acquire(timeout=10):
        for path in runs.ending(folder(), digest[:SHORT]):
            if Job(path).token == digest:
                return Job(path)
        job = _create(kind, list(words), title, digest)
    command = [sys.executable, "-m", "unet_core", *words, "--job", str(job.path.absolute())]
    runs.launch(command, log=job.path / "log.txt")
    _drop_old()
    return job


def _create(kind: str, words: list[str], title: str, digest: str) -> Job:
    now = time.time()
    end = runs.free_end(folder(), digest, SHORT)
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{kind}-{end}"
    draft = folder() / f".{name}"
    draft.mkdir()
    try:
        about = {"words": words, "title": title, "kind": kind, "created": now, "token": digest}
        records.write_json(draft / "job.json", about)
        status = JobStatus(state="running", doing="starting", created_at=now)
        records.write_json(draft / "progress.json", status.to_dict())
        return Job(draft.rename(folder() / name))
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _drop_old() -> None:
    """Delete what is of no use any more; results stay until somebody deletes them."""
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for job in list_jobs():
        if job.kind in PASSING and job.created < oldest:
            with contextlib.suppress(ValueError, OSError):  # it is still going
                job.delete()


@functools.lru_cache(maxsize=8192)
def _read_about(path: Path, seen: tuple[int, ...]) -> dict[str, Any]:
    return _read_object(path)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
