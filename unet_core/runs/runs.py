"""A training run is a directory: whoever reads it knows all about the run.

The training process writes, pages and commands read; nobody needs a server. The process holds the
lock of its run for as long as it lives, so "running" without a held lock means "lost".
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.base.records import Cursor, Rows, is_held, read_rows, write_json
from unet_core.data import catalogue
from unet_core.runs import slots
from unet_core.runs.status import Status, read_config, read_status, store_status

if TYPE_CHECKING:  # a run is read without torch
    from unet_core.predict.model import Model

SHORT = 6  # digits of a hash at the end of a run's name, more where that is taken


@dataclass(frozen=True)
class Run:
    """A run directory. Reading never raises, except `config` of a broken run."""

    path: Path

    @property
    def id(self) -> str:
        """The name of the directory, used in links."""
        return self.path.name

    @property
    def config(self) -> TrainConfig:
        """The settings; ValueError with one sentence when `config.json` is missing or broken."""
        found = read_config(self.path)
        if isinstance(found, str):
            raise ValueError(f"run {self.id}: {found}")
        return found

    @property
    def fault(self) -> str:
        """What is wrong with `config.json`; empty when nothing is."""
        found = read_config(self.path)
        return found if isinstance(found, str) else ""

    def status(self, waiting: list[slots.Ticket] | None = None) -> Status:
        """The state as it is now: lost when nobody holds the lock, with the place in the queue.

        `waiting` is the queue, for whoever asks many runs; without it, it is read.
        """
        status = self._state()
        if status.state == "queued":
            place = slots.queue_place(folders.runs(), self.path, waiting)
            return status.replace(queue_place=place)
        return status

    def _state(self) -> Status:
        stored = read_status(self.path)
        if isinstance(stored, Status) and not stored.is_alive and not self.fault:
            return stored  # an end stays what it is: thousands of locks need no look
        if is_held(self.path / "lock"):
            # Without a readable status it has only just begun.
            return stored if isinstance(stored, Status) else Status(state="queued")
        if isinstance(stored, Status) and stored.is_alive:
            # It may have ended between the two looks: the state is written before the lock goes.
            stored = read_status(self.path)
        fault = self.fault or (stored if isinstance(stored, str) else "")
        if not isinstance(stored, Status):
            return Status(state="failed", reason=fault)
        if fault:
            return Status(state="failed", reason=fault, repeat=stored.repeat)
        if not stored.is_alive or stored.is_starting:
            return stored
        if stored.started_at is None:
            return stored.replace(state="lost", reason="It was prepared but never started.")
        return stored.replace(
            state="lost", reason="The training process ended without a word.", seconds_left=None
        )

    def stop(self) -> None:
        """Ask the process to keep its weights and end; it does so within seconds."""
        (self.path / "stop").touch()

    def delete(self) -> None:
        """Remove the directory; ValueError while a process trains or waits."""
        refusal = f"run {self.id} is still going: stop it before deleting it"
        state = self._state()
        if state.is_alive and state.started_at is not None:
            raise ValueError(refusal)
        grave = self.path.with_name(f".deleted-{secrets.token_hex(3)}-{self.id}")
        try:
            # Renamed first: it vanishes at once for every reader.
            with (
                FileLock(self.path / "lock", thread_local=False).acquire(timeout=2),
                contextlib.suppress(OSError),
            ):
                self.path.rename(grave)
        except Timeout:
            raise ValueError(refusal) from None
        except FileNotFoundError:
            return  # somebody else was quicker
        shutil.rmtree(grave if grave.exists() else self.path, ignore_errors=True)
        if self.path.exists():
            raise ValueError(f"run {self.id} cannot be deleted: is {self.path} write-protected?")

    def can_resume(self) -> bool:
        """Whether there is a state to continue from; without one, resuming begins anew."""
        return (self.path / "last.pt").is_file()

    def has_weights(self) -> bool:
        """Whether it can segment already."""
        return (self.path / "best.safetensors").is_file()

    def load(self, *, device: str = "auto") -> "Model":
        """The network with its best weights, ready to segment; ValueError while there are none."""
        from unet_core.predict import model

        return model.load(self.path, device=device)

    def steps(self, cursor: Cursor | None = None) -> Rows:
        """The live curve, about one row a second; only what is new after a cursor."""
        return read_rows(self.path / "steps.jsonl", cursor)

    def metrics(self, cursor: Cursor | None = None) -> Rows:
        """One row per epoch; only what is new after a cursor."""
        return read_rows(self.path / "metrics.jsonl", cursor)

    def log(self, size: int = 20_000) -> str:
        """The end of the log, in whole lines."""
        try:
            with open(self.path / "log.txt", "rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - size)
                file.seek(start)
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return text.partition("\n")[2] if start else text

    def preview_epochs(self) -> list[int]:
        """The epochs that left predictions on the fixed validation images."""
        names = (path.name for path in (self.path / "previews").glob("[0-9]*-0.png"))
        return sorted(int(name.partition("-")[0]) for name in names)

    def preview(self, kind: int | str, index: int) -> Path | None:
        """The picture of a fixed image: the prediction of an epoch, or "image" or "truth"."""
        name = f"{kind:04d}" if isinstance(kind, int) else kind
        path = self.path / "previews" / f"{name}-{index}.png"
        return path if path.is_file() else None


def list_runs() -> list[Run]:
    """Every run, the newest first; broken ones too, their status says what is wrong."""
    root = folders.runs()
    try:
        entries = [entry for entry in os.scandir(root) if not entry.name.startswith(".")]
    except OSError:
        return []
    names = sorted((entry.name for entry in entries if entry.is_dir()), reverse=True)
    return [Run(root / name) for name in names]


def recipe(run_id: str) -> str:
    """The recipe that `create` has put into a run's name; empty for another name."""
    found = re.fullmatch(r"\d{8}-\d{6}-(.+)-[0-9a-f]+", run_id)
    return found[1] if found else ""


def find(run_id: str) -> Run:
    """The run of that name; ValueError when there is none."""
    if not folders.is_name(run_id) or not (folders.runs() / run_id).is_dir():
        raise ValueError(f"there is no run {run_id!r} in {folders.runs()}")
    return Run(folders.runs() / run_id)


def create(
    config: TrainConfig,
    *,
    preset: str = "",
    note: str = "",
    token: str = "",
    expected_seconds: float | None = None,
    repeat: str = "",
) -> Run:
    """A new run directory, whole from its first moment; it is not started.

    Args:
        config: the settings.
        preset: the recipe they came from, for the name.
        note: what the user should know about the settings.
        token: names a form's submission. The same token gives the same run: a double click makes
            one run, not two.
        expected_seconds: how long training was expected to take, to learn from.
        repeat: the name of the repeat that it belongs to (see `repeats`).
    """
    digest = hash_token(token)
    with FileLock(slots.folder(folders.runs()) / "create.lock").acquire(timeout=10):
        for path in ending(folders.runs(), digest[:SHORT]):
            if _read_token(path) == digest:
                return Run(path)
        end = free_end(folders.runs(), digest, SHORT)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(preset)}-{end}"
        draft = folders.runs() / f".{name}"
        draft.mkdir()
        try:
            fill(Run(draft), config, note=note, expected_seconds=expected_seconds, repeat=repeat)
            (draft / "token").write_text(digest)
            return Run(draft.rename(folders.runs() / name))
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def slug(preset: str) -> str:
    """A recipe as it stands in the names of runs."""
    return re.sub(r"[^a-z0-9-]+", "-", preset.lower()).strip("-") or "own"


def hash_token(token: str) -> str:
    """What is stored of a form's token, to know it again; without one, something unique."""
    return hashlib.sha256((token or secrets.token_hex()).encode()).hexdigest()


def ending(folder: Path, digits: str) -> list[Path]:
    """The directories whose names end on these digits and perhaps more, in no order."""
    return list(folder.glob(f"[!.]*-{digits}*"))


def free_end(folder: Path, digest: str, least: int) -> str:
    """The end of a new name: as few digits of a hash as no name ends on, so that it tells apart."""
    sizes = range(least, len(digest))
    taken = {path.name.rpartition("-")[2] for path in ending(folder, digest[:least])}
    return next((digest[:size] for size in sizes if digest[:size] not in taken), digest)


def _read_token(path: Path) -> str:
    try:
        return (path / "token").read_text()
    except OSError:  # a run of an earlier version
        return ""


def fill(
    run: Run,
    config: TrainConfig,
    *,
    note: str = "",
    expected_seconds: float | None = None,
    repeat: str = "",
) -> None:
    """Write the settings and the first status into a run's directory."""
    if config.images.scheme == "leaky":
        note = f"{note} {catalogue.LEAK}".lstrip()
    if config.images.mistake != "none":
        note = f"{note} {catalogue.MISTAKE.format(config.images.mistake)}".lstrip()
    write_json(run.path / "config.json", config.to_dict())
    status = Status(
        state="queued",
        note=note,
        repeat=repeat,
        epochs=config.optimisation.epochs,
        expected_seconds=expected_seconds,
        created_at=time.time(),
    )
    write_status(run, status)


def extend(run: Run, epochs: int) -> None:
    """Let a run have more epochs than it was given, so that resuming goes on with it.

    A schedule that is not planned for a number of epochs of its own is planned anew: its rate may
    rise again. Raises ValueError where a process trains the run, nothing is there to go on from,
    the number is not larger, or waiting longer would end it at once.
    """
    before, status = run.config, last_status(run)
    refusal = f"run {run.id} is still going: wait until it has ended, or stop it first"
    if run.status().is_alive:
        raise ValueError(refusal)
    if not run.can_resume():
        raise ValueError(f"run {run.id} has nothing saved to go on from: start a new run")
    if epochs <= before.optimisation.epochs:
        raise ValueError(
            f"epochs must be more than the run has ({before.optimisation.epochs}), got {epochs}"
        )
    if status.state == "finished" and status.epoch < before.optimisation.epochs:
        raise ValueError(
            f"run {run.id} ended because it no longer improved, and would end again at once: "
            "start a new run from its weights"
        )
    config = before.replace(epochs=epochs)
    try:
        with FileLock(run.path / "lock", thread_local=False).acquire(timeout=3):
            write_json(run.path / "config.json", config.to_dict())
            # What was expected of it was for fewer epochs.
            changed = status.replace(state="stopped", epochs=epochs, expected_seconds=None)
            write_status(run, changed)
    except Timeout:
        raise ValueError(refusal) from None


def start(run: Run, *, resume: bool = False) -> Run:
    """Start the training process and return at once; a run that is going already is left alone.

    Raises ValueError when the settings are broken, when it is finished, or when it would begin
    anew over an earlier curve.
    """
    config = run.config
    now = time.time()
    try:
        with FileLock(run.path / "lock", thread_local=False).acquire(timeout=3):
            before = last_status(run)
            if before.started_at is not None and before.is_starting:
                return run  # a double click: the first one's process is on its way
            check_start(run, resume=resume)
            (run.path / "stop").unlink(missing_ok=True)
            write_status(run, before.renewed(now))
            slots.take_ticket(
                folders.runs(), run.path, wanted=config.optimisation.device, since=now, pid=None
            )
    except Timeout:
        return run
    command = [sys.executable, "-m", "unet_core", "train", "--run", str(run.path.absolute())]
    launch(command + ["--resume"] * resume, log=run.path / "log.txt")
    return run


def last_status(run: Run) -> Status:
    """What `status.json` says, whoever holds the lock; a failed one when it cannot be read."""
    stored = read_status(run.path)
    return stored if isinstance(stored, Status) else Status(state="failed", reason=stored)


def write_status(run: Run, status: Status) -> None:
    """Replace `status.json`; only for whoever holds the run's lock."""
    store_status(run.path, status)


def check_start(run: Run, *, resume: bool) -> None:
    """Raise ValueError where starting would do nothing or destroy an earlier curve."""
    if last_status(run).state == "finished":
        raise ValueError(f"run {run.id} is finished already: start a new run")
    if not resume and (run.can_resume() or run.metrics().rows):
        raise ValueError(f"run {run.id} has been trained already: resume it, or start a new run")


def launch(command: list[str], *, log: Path) -> None:
    """Start a process that outlives this one and returns at once; its complaints go to the log."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    # Its own session: Ctrl-C or the end of the server does not reach it.
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    with open(log, "ab") as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=environment,
            start_new_session=True,
            creationflags=flags,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # no zombie stays behind


def differences(found: list[Run]) -> dict[str, list[Any]]:
    """The settings in which runs differ: name -> a value for each run, None for a broken one."""
    configs = [None if run.fault else run.config for run in found]
    values = {
        name: [None if config is None else config.get(name) for config in configs]
        for name in TrainConfig.options()
    }
    whole = [index for index, config in enumerate(configs) if config is not None]
    return {name: row for name, row in values.items() if len({row[index] for index in whole}) > 1}
