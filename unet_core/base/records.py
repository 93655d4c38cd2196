"""Files that one process writes while others read: whole JSON, growing JSON lines, held locks."""

import contextlib
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

if sys.platform != "win32":
    import fcntl

Row = dict[str, Any]
Cursor = tuple[int, int]  # which file, and how many bytes of it are read


@dataclass(frozen=True, kw_only=True)
class Rows:
    """New lines of a growing file, and the cursor that continues after them.

    `is_continued` is false when the rows start the file: at the first read, and after a resumption
    has cut the file. Rows from before are void then.
    """

    rows: list[Row]
    cursor: Cursor | None
    is_continued: bool


def read_rows(path: Path, cursor: Cursor | None = None) -> Rows:
    """The whole lines of a JSON-lines file after a cursor; lines that are no object are left out.

    A last line without its newline is still being written, and is left for the next call.
    """
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            start = 0
            if cursor is not None and cursor[0] == about.st_ino and cursor[1] <= about.st_size:
                start = cursor[1]
            file.seek(start)
            whole, newline, _ = file.read().rpartition(b"\n")
    except OSError:
        return Rows(rows=[], cursor=None, is_continued=False)
    rows = [row for line in whole.splitlines() if (row := _parse_row(line)) is not None]
    end = (about.st_ino, start + len(whole) + len(newline))
    return Rows(rows=rows, cursor=end, is_continued=start > 0)


def _parse_row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def version(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Another one whenever the file was replaced or written; raises OSError where there is none.

    A replaced file has another inode even when the clock did not move on.
    """
    about = os.stat(path)
    return about.st_ino, about.st_mtime_ns, about.st_size


def finite(value: Any) -> Any:
    """A number as JSON has it: null for what does not exist (NaN, infinity), also inside dicts."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append_row(path: Path, row: Row) -> None:
    """Add one line to a JSON-lines file, in one write, for readers to see at once."""
    with open(path, "ab", buffering=0) as file:
        file.write((json.dumps(finite(row), allow_nan=False) + "\n").encode())


def cut_rows(path: Path, keep: Callable[[Row], bool]) -> None:
    """Keep only the rows that a function accepts; half lines and broken ones go, too."""
    if not path.is_file():
        return
    before = path.read_bytes()
    rows = [row for row in read_rows(path).rows if keep(row)]
    after = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if after != before:
        with replacing(path) as draft:
            draft.write_bytes(after)


def write_json(path: Path, value: Any) -> None:
    """Replace a file at once by JSON, so that nobody ever reads half of it."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write; it takes the file's place when all went well and vanishes otherwise."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield draft
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock.

    Probed as one of many readers: two that look at once never take each other for the holder.
    """
    try:
        with open(lock, "rb") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if sys.platform == "win32":
            FileLock(lock).acquire(timeout=0).lock.release()
        return False
    except FileNotFoundError:
        return False
    except (OSError, Timeout):
        return True
