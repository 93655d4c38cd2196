import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unet_core.base import cache
from unet_core.data import mapped
from unet_core.data.mapped import Record


def records(count: int = 5) -> Iterator[Record]:
    rng = np.random.default_rng(7)
    for number in range(count):
        arrays: dict[str, mapped.Array] = {
            "pixels": rng.integers(0, 255, (3 + number, 7), np.uint8),
            "labels": rng.integers(0, 9, (3 + number, 7)).astype(np.int32),
            "objects": np.zeros((0, 6), np.int64),
        }
        yield Record(arrays, {"name": f"image {number}", "sum": 0.1 * number})


def assert_equal(found: list[Record], expected: list[Record]) -> None:
    assert [one.facts for one in found] == [one.facts for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.arrays.keys() == other.arrays.keys()
        for name, array in one.arrays.items():
            assert (array.shape, array.dtype) == (
                other.arrays[name].shape,
                other.arrays[name].dtype,
            )
            np.testing.assert_array_equal(array[...], other.arrays[name][...])


def test_what_fits_stays_in_memory_and_writes_nothing() -> None:
    found = mapped.gather("a0", records, 10_000)
    assert_equal(found, list(records()))
    assert isinstance(found[0].arrays["pixels"], np.ndarray)
    assert not list(cache.folder().glob("*mapped*"))


@pytest.mark.parametrize("most_bytes", [0, 120, 400])
def test_what_does_not_fit_is_mapped_and_equal_and_not_made_again(most_bytes: int) -> None:
    assert_equal(mapped.gather("a1", records, most_bytes), list(records()))

    def again() -> Iterator[Record]:
        raise AssertionError("made again")

    found = mapped.gather("a1", again, most_bytes)
    assert_equal(found, list(records()))
    pixels = found[4].arrays["pixels"]
    assert isinstance(pixels, mapped.Mapped)
    whole = next(record for record in records() if record.facts["name"] == "image 4")
    window = np.ix_([1, 0, 3], [2, 2])
    np.testing.assert_array_equal(pixels[window], whole.arrays["pixels"][window])


def test_a_damaged_copy_is_made_anew() -> None:
    mapped.gather("a2", records, 0)
    (cache.folder() / "mapped-a2" / "index.json").write_text(json.dumps([{"arrays": 3}]))
    assert_equal(mapped.gather("a2", records, 0), list(records()))


def test_a_full_disk_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapped, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        mapped.gather("a3", records, 0)
    assert not list(cache.folder().glob("*mapped*"))


def test_the_copies_used_last_stay_and_an_open_one_is_read_to_the_end() -> None:
    oldest = mapped.gather("b0", records, 0)
    mapped.gather("b1", records, 0)
    _age("mapped-b0", 200)
    _age("mapped-b1", 100)
    abandoned = cache.folder() / ".mapped-b9.1-1"
    abandoned.mkdir()
    _age(abandoned.name, 2 * 24 * 3600)
    mapped.gather("b2", records, 0)
    left = {path.name for path in cache.folder().iterdir() if "mapped" in path.name}
    assert left == {"mapped-b1", "mapped-b2"}
    assert_equal(oldest, list(records()))


def _age(name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(Path(cache.folder() / name), (then, then))
