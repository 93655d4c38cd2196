"""Downloads that resume, are verified, and appear only when they are whole."""

import errno
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import requests

from unet_core.data.archive import unpack_zip
from unet_core.data.catalogue import DataSet, Remote

CHUNK = 64 * 1024  # bytes; a cut connection loses less than one
ATTEMPTS = 4  # in a row without a single new byte


class DownloadError(OSError):
    """The surroundings stand in the way; the message is one sentence with the way out."""


class Offline(DownloadError):
    """The server cannot be reached or keeps breaking off."""


class DiskFull(DownloadError):
    """No room for the download or what it unpacks to."""


class WrongBytes(DownloadError):
    """What arrived is not what was published."""


@dataclass(frozen=True)
class Progress:
    """How far a download is."""

    step: str  # "waiting", "downloading", "checking", "unpacking", "done"
    file: str = ""
    done: int = 0  # bytes of this file, or files unpacked
    total: int | None = None  # None: the server does not say

    @property
    def share(self) -> float | None:
        """0 to 1, or None when nobody knows."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def text(self) -> str:
        """A line for a progress bar."""
        if self.step == "waiting":
            return "Another download of this set is under way: waiting for it."
        if self.step == "downloading":
            of = f" of {self.total / 1e6:.1f}" if self.total else ""
            return f"Downloading {self.file}: {self.done / 1e6:.1f}{of} MB"
        if self.step == "unpacking":
            return f"Unpacking {self.file}: {self.done} of {self.total} files"
        return {"checking": f"Checking {self.file}", "done": "Done"}[self.step]


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server: seconds to connect, between two bytes, before a retry."""

    connect: float = 10.0
    read: float = 30.0
    pause: float = 0.5  # doubles with every retry


def fetch_set(
    known: DataSet,
    target: Path,
    *,
    accept_licence: bool = False,
    on_progress: OnProgress | None = None,
    urls: Sequence[str] | None = None,
    patience: Patience = Patience(),
) -> Path:
    """The folder ``target/<name>``, downloaded when it is not there yet.

    A broken download is kept and continued by the next call, also after a restart. Two calls at
    the same time do no harm: the second waits, then finds the folder.

    Args:
        known: the data set's facts: addresses, checksums, licence.
        target: the folder that holds data sets; made when missing.
        accept_licence: the user has read `known.licence` and agrees.
        on_progress: called often with a `Progress`; an exception from it stops the download.
        urls: other addresses of the same files, in the order of `known.remotes`.
        patience: time limits.

    Raises:
        ValueError: a synthetic set, the licence is not accepted, a wrong number of urls.
        DownloadError: offline, wrong bytes, disk full or a folder that cannot be written.
    """
    remotes = _addressed(known, urls)
    folder = target / known.name
    if folder.is_dir():
        return folder
    if known.must_accept and not accept_licence:
        raise ValueError(
            f"the licence of {known.name} must be accepted before the download: {known.licence}"
        )
    report = on_progress or (lambda progress: None)
    by_hand = f"or put {known.by_hand} into {folder.resolve()}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _lock(target / f".{known.name}.lock", report):
            if not folder.is_dir():
                _fetch_alone(known.name, remotes, target, report, patience, by_hand)
    except DownloadError:
        raise
    except OSError as problem:
        raise _explain(problem, target) from problem
    report(Progress("done"))
    return folder


def _addressed(known: DataSet, urls: Sequence[str] | None) -> list[Remote]:
    if known.is_synthetic:
        raise ValueError(f"{known.name} needs no download: it is drawn when it is used")
    if urls is None:
        return list(known.remotes)
    good = len(urls) == len(known.remotes)
    if not good or not all(url.startswith(("http://", "https://")) for url in urls):
        files = ", ".join(remote.file for remote in known.remotes)
        raise ValueError(f"urls must be one http address for each of {files}, got {list(urls)}")
    return [replace(remote, url=url) for remote, url in zip(known.remotes, urls, strict=True)]


def _lock(path: Path, report: OnProgress) -> AbstractContextManager[filelock.BaseFileLock]:
    """The lock, held until the block ends; whoever has to wait for it is told."""
    lock = filelock.FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        report(Progress("waiting"))
        return lock.acquire()


def _fetch_alone(
    name: str,
    remotes: Sequence[Remote],
    target: Path,
    report: OnProgress,
    patience: Patience,
    by_hand: str,
) -> None:
    """Everything happens in a hidden folder beside the final one; a rename shows it, whole."""
    hidden = target / f".{name}.download"
    ready = hidden / "unpacked"
    shutil.rmtree(ready, ignore_errors=True)  # half-unpacked by a crash
    ready.mkdir(parents=True)
    for remote in remotes:
        file = hidden / remote.file
        if not file.is_file():
            part = hidden / f"{remote.file}.part"
            _download(remote, part, report, patience, by_hand)
            report(Progress("checking", remote.file))
            _verify(remote, part, by_hand)
            part.replace(file)
    for remote in remotes:
        if remote.file.endswith(".zip"):
            _unpack(hidden / remote.file, ready, report)
        else:
            (ready / name).mkdir(exist_ok=True)
            (hidden / remote.file).replace(ready / name / remote.file)
    if not (ready / name).is_dir():
        raise WrongBytes(f"{remotes[0].file} holds no folder {name}")
    (ready / name).replace(target / name)
    shutil.rmtree(hidden, ignore_errors=True)


def _download(
    remote: Remote, part: Path, report: OnProgress, patience: Patience, by_hand: str
) -> None:
    """Fill the part file to its end, however often the connection breaks."""
    failures = 0
    with requests.Session() as session:
        while True:
            before = _size(part)
            try:
                _continue(session, remote, part, report, patience)
                return
            except requests.RequestException as problem:
                failures = 0 if _size(part) > before else failures + 1
                answer = getattr(problem, "response", None)
                final = answer is not None and answer.status_code < 500
                if final or failures >= ATTEMPTS:
                    raise Offline(
                        f"{remote.file} cannot be downloaded ({_reason(problem)}): check the "
                        f"connection and start again, {by_hand}"
                    ) from problem
                time.sleep(patience.pause * 2 ** max(0, failures - 1))


def _continue(
    session: requests.Session, remote: Remote, part: Path, report: OnProgress, patience: Patience
) -> None:
    """Ask for the bytes that are missing and append them; raises RequestException when cut."""
    have = _size(part)
    # Compressed transfer would count other bytes than the file's.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    limits = (patience.connect, patience.read)
    with session.get(remote.url, headers=headers, stream=True, timeout=limits) as answer:
        if answer.status_code == 416:  # nothing behind what we have: whole, or wrong; verified next
            return
        answer.raise_for_status()
        starts_at = f"bytes {have}-"
        resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(
            starts_at
        )
        have = have if resumed else 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        if total and (free := shutil.disk_usage(part.parent).free) < total - have:
            raise DiskFull(_no_room(part.parent, f"{total / 1e6:.0f} MB needed, {free / 1e6:.0f}"))
        with part.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > remote.most_bytes:
                    break
                report(Progress("downloading", remote.file, have, total))
    if have > remote.most_bytes:
        part.unlink(missing_ok=True)
        raise WrongBytes(f"{remote.file} is larger than it can be: the address serves another file")


def _verify(remote: Remote, part: Path, by_hand: str) -> None:
    """Raise WrongBytes, and delete the part file, unless its checksum is the published one."""
    digest = hashlib.sha256()
    if remote.git_blob:
        digest = hashlib.sha1(usedforsecurity=False)
        digest.update(f"blob {_size(part)}\0".encode())
    with part.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != (remote.git_blob or remote.sha256):
        part.unlink()
        raise WrongBytes(
            f"{remote.file} arrived with other bytes than published and was deleted: "
            f"start the download again, {by_hand}"
        )


def _unpack(archive: Path, into: Path, report: OnProgress) -> None:
    def unpacked(done: int, total: int) -> None:
        report(Progress("unpacking", archive.name, done, total))

    try:
        unpack_zip(archive, into, on_progress=unpacked)
    except ValueError as problem:
        raise WrongBytes(str(problem)) from problem


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(problem: requests.RequestException) -> str:
    if problem.response is not None:
        return f"the server answers {problem.response.status_code} {problem.response.reason}"
    # A server that falls silent in the middle of a file is a ConnectionError for requests.
    if isinstance(problem, requests.Timeout) or "timed out" in str(problem):
        return "the server does not answer in time"
    if isinstance(problem, requests.exceptions.ChunkedEncodingError):
        return "the connection breaks off"
    return "no connection"


def _explain(problem: OSError, target: Path) -> DownloadError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(_no_room(target, "nothing"))
    reason = problem.strerror or str(problem)
    return DownloadError(f"{target} cannot be written ({reason}): name another folder in UNET_DATA")


def _no_room(place: Path, numbers: str) -> str:
    return (
        f"the disk that holds {place} is full ({numbers} free): make room and start again, "
        "what arrived is kept"
    )
