import os
from pathlib import Path

import numpy as np
import pytest

from unet_core.base import cache


class Counted:
    """A computation that counts how often it runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> cache.Arrays:
        self.runs += 1
        return {"numbers": np.arange(3) / 7, "names": np.array(["a", "zwölf"])}


def forget() -> None:
    """As a new process would."""
    cache._memory.clear()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    forget()


def test_arrays_are_computed_once_and_come_back_equal_after_a_restart() -> None:
    compute = Counted()
    assert not cache.is_stored("table", "00")
    first = cache.remember("table", "00", compute)
    assert cache.is_stored("table", "00")
    forget()
    assert cache.is_stored("table", "00")
    again = cache.remember("table", "00", compute)
    assert compute.runs == 1
    assert set(again) == {"numbers", "names"}
    for name in again:
        np.testing.assert_array_equal(again[name], first[name])
    assert again["numbers"].dtype == np.float64


def test_another_key_or_kind_is_computed_anew() -> None:
    compute = Counted()
    for kind, key in (("table", "00"), ("table", "01"), ("other", "00")):
        cache.remember(kind, key, compute)
    assert compute.runs == 3


@pytest.mark.parametrize("content", [b"", b"half a file", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_computed_anew_and_mended(content: bytes) -> None:
    compute = Counted()
    cache.remember("table", "00", compute)
    (path,) = cache.folder().glob("table-*")
    path.write_bytes(content)
    for _ in range(2):
        forget()
        cache.remember("table", "00", compute)
    assert compute.runs == 2


def test_no_damage_inside_a_file_stops_anybody() -> None:
    compute = Counted()
    cache.remember("table", "00", compute)
    (path,) = cache.folder().glob("table-*")
    whole = path.read_bytes()
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + b"\xa5" * 3 + whole[place + 3 :])
        forget()
        assert set(cache.remember("table", "00", compute)) >= {"names"}
    assert compute.runs > 10


def test_a_folder_that_cannot_be_written_leaves_the_memory(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("UNET_CACHE", str(tmp_path / "file"))
    compute = Counted()
    for _ in range(2):
        assert len(cache.remember("table", "00", compute)["numbers"]) == 3
    assert compute.runs == 1


def test_old_files_of_a_kind_go_and_no_others() -> None:
    cache.remember("keep", "00", Counted())
    for number in range(cache.KEPT_ON_DISK + 4):
        cache.remember("table", f"{number:02d}", Counted())
    assert len(list(cache.folder().glob("table-*"))) == cache.KEPT_ON_DISK
    assert len(list(cache.folder().glob("keep-*"))) == 1
    assert len(cache._memory) == cache.KEPT_IN_MEMORY


def test_large_arrays_are_bounded_by_their_bytes_and_are_not_in_memory(monkeypatch) -> None:
    large = np.arange(1000.0)  # 8 kB and a little
    monkeypatch.setattr(cache, "LARGE_BYTES", 20_000)
    for number in range(4):
        found = cache.remember("large", f"{number}", lambda: {"values": large}, is_large=True)
        np.testing.assert_array_equal(found["values"], large)
        os.utime(cache.folder() / f"large-{number}.npz", (number, number))  # clocks are coarse
    assert sorted(path.name for path in cache.folder().glob("large-*")) == [
        "large-2.npz",
        "large-3.npz",
    ]
    assert cache._memory == {}
    compute = Counted()
    again = cache.remember("large", "3", compute, is_large=True)
    np.testing.assert_array_equal(again["values"], large)
    assert compute.runs == 0
    cache.remember("large", "4", lambda: {"values": np.arange(9000.0)}, is_large=True)
    assert list(cache.folder().glob("large-*")) == []  # it alone is too large


def test_without_the_variable_the_users_cache_folder_is_used(monkeypatch) -> None:
    monkeypatch.delenv("UNET_CACHE")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache.folder() == Path("/home/someone/.cache/unet-workbench")
