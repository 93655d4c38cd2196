"""Tables that took seconds to compute, kept between starts."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unet_core.base.records import replacing

Arrays = dict[str, np.ndarray]

KEPT_ON_DISK = 16  # files of each kind; the oldest go first
KEPT_IN_MEMORY = 16
LARGE_BYTES = 1_000_000_000  # on disk for each kind of large arrays

_memory: dict[tuple[str, str], Arrays] = {}
_memory_lock = threading.Lock()


def folder() -> Path:
    """Where computed tables lie: ``$UNET_CACHE``, else ``~/.cache/unet-workbench``."""
    chosen = os.environ.get("UNET_CACHE")
    return Path(chosen) if chosen else Path(os.path.expanduser("~")) / ".cache" / "unet-workbench"


def remember(
    kind: str, key: str, compute: Callable[[], Arrays], *, is_large: bool = False
) -> Arrays:
    """The arrays stored under a kind and a key; computed and stored when there are none.

    A folder that cannot be written costs the next start a computation, nothing else. Whoever gets
    the arrays must not change them.

    Args:
        kind: what it is, in letters, digits and dashes, such as ``statistics``.
        key: everything that decides the values, hashed: hexadecimal digits.
        compute: called without arguments when nothing is stored; returns arrays by name.
        is_large: for hundreds of megabytes, which are not compressed and not kept in memory; the
            files of such a kind are bounded by their bytes.
    """
    with _memory_lock:
        if (kind, key) in _memory:
            return _memory[kind, key]
    path = _place(kind, key)
    arrays = _read(path)
    if arrays is None:
        arrays = compute()
        _write(path, arrays, np.savez if is_large else np.savez_compressed)
        _drop_old(path.parent, kind, LARGE_BYTES if is_large else None)
    if is_large:
        return arrays
    with _memory_lock:
        _memory[kind, key] = arrays
        while len(_memory) > KEPT_IN_MEMORY:
            del _memory[next(iter(_memory))]
    return arrays


def is_stored(kind: str, key: str) -> bool:
    """Whether `remember` would find something."""
    return (kind, key) in _memory or _place(kind, key).is_file()


def _place(kind: str, key: str) -> Path:
    return folder() / f"{kind}-{key}.npz"


def _read(path: Path) -> Arrays | None:
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except Exception:  # not there, or damaged: zip, zlib and numpy have a dozen errors for that
        return None


def _write(path: Path, arrays: Arrays, save: Callable[..., None]) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft, draft.open("wb") as file:
            save(file, **arrays)


def _drop_old(place: Path, kind: str, most_bytes: int | None) -> None:
    with contextlib.suppress(OSError):
        files = sorted(place.glob(f"{kind}-*.npz"), key=lambda path: path.stat().st_mtime)
        kept = len(files[-KEPT_ON_DISK:])
        if most_bytes is not None:
            sums = np.cumsum([path.stat().st_size for path in reversed(files)])
            kept = int(np.searchsorted(sums, most_bytes, side="right"))
        for path in files[: len(files) - kept]:
            path.unlink(missing_ok=True)
