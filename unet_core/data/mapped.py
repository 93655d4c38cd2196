"""Arrays that are too many for memory: written once into a file, then read a window at a time.

`$UNET_CACHE/mapped-KEY/` holds `arrays.bin`, one array behind the other, and `index.json`, which
says for each record what its arrays are, where they begin, and what was measured on them.
"""

import contextlib
import errno
import itertools
import json
import os
import shutil
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unet_core.base import cache, records

KEPT = 2  # copies of sets that stay; whoever reads an older one keeps it until the end
_INDEX, _ARRAYS = "index.json", "arrays.bin"
_DAY = 24 * 3600


class _File:
    """A file that is open for as long as something reads from it."""

    def __init__(self, path: Path) -> None:
        self.handle = open(path, "rb")  # noqa: SIM115
        weakref.finalize(self, self.handle.close)


@dataclass(frozen=True)
class Mapped:
    """An array in a file. What is read is a copy, and nothing stays mapped behind it.

    So the process holds what it works on, whatever the size of the file.
    """

    file: _File
    offset: int  # bytes
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, where: Any) -> np.ndarray:
        if 0 in self.shape:  # nothing can be mapped
            return np.empty(self.shape, self.dtype)[where]
        return np.array(
            np.memmap(self.file.handle, self.dtype, "r", self.offset, self.shape)[where]
        )


Array = np.ndarray | Mapped


@dataclass(frozen=True)
class Record:
    """Some arrays that belong together, and what was measured on them, as JSON has it."""

    arrays: dict[str, Array]
    facts: dict[str, Any]


def gather(key: str, make: Callable[[], Iterable[Record]], most_bytes: int) -> list[Record]:
    """All records that `make` gives, in memory while they fit into `most_bytes`, else mapped.

    `key`, in hexadecimal digits, stands for everything that decides what they are: mapped ones are
    not made again. Raises OSError when the disk has no room for them.
    """
    place = cache.folder() / f"mapped-{key}"
    with contextlib.suppress(
        OSError, ValueError, KeyError, TypeError, AttributeError
    ):  # not there, or damaged
        return _open(place)
    made, held, size = iter(make()), [], 0
    for record in made:
        held.append(record)
        size += sum(array.nbytes for array in _arrays(record))
        if size > most_bytes:
            _convert(place, itertools.chain(_give_away(held), made))
            return _open(place)
    return held


def _arrays(record: Record) -> list[np.ndarray]:
    return [np.asarray(array) for array in record.arrays.values()]


def _give_away(held: list[Record]) -> Iterator[Record]:
    held.reverse()
    while held:
        yield held.pop()


def _convert(place: Path, made: Iterable[Record]) -> None:
    """Write all records into a folder that is there only when it is whole."""
    draft = place.with_name(f".{place.name}.{os.getpid()}-{time.time_ns()}")
    try:
        draft.mkdir(parents=True)
        with open(draft / _ARRAYS, "wb") as file:
            rows = [_write(record, file) for record in made]
        records.write_json(draft / _INDEX, rows)
        shutil.rmtree(place, ignore_errors=True)  # a damaged one
        draft.rename(place)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # somebody else was quicker
            raise
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _drop_old(place.parent)


def _write(record: Record, file: BinaryIO) -> dict[str, Any]:
    arrays = {}
    for name, array in record.arrays.items():
        whole = np.ascontiguousarray(array[...])
        file.write(bytes(-file.tell() % whole.itemsize))
        arrays[name] = {
            "offset": file.tell(),
            "shape": whole.shape,
            "dtype": whole.dtype.str,
        }
        file.write(whole.data)
    return {"arrays": arrays, "facts": record.facts}


def _open(place: Path) -> list[Record]:
    rows = json.loads((place / _INDEX).read_bytes())
    file = _File(place / _ARRAYS)
    os.utime(place)
    return [
        Record(
            {
                name: Mapped(file, one["offset"], tuple(one["shape"]), np.dtype(one["dtype"]))
                for name, one in row["arrays"].items()
            },
            row["facts"],
        )
        for row in rows
    ]


def _drop_old(place: Path) -> None:
    """Keep the copies that were used last; drafts of killed processes go after a day."""
    with contextlib.suppress(OSError):
        whole = sorted(place.glob("mapped-*/"), key=lambda path: path.stat().st_mtime)
        old = [
            path for path in place.glob(".mapped-*/") if path.stat().st_mtime < time.time() - _DAY
        ]
        for path in [*whole[:-KEPT], *old]:
            shutil.rmtree(path, ignore_errors=True)
