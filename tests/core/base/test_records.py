import json
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from unet_core.base import records


def test_a_cursor_gives_only_new_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    records.append_row(path, {"step": 1})
    first = records.read_rows(path)
    assert (first.rows, first.is_continued) == ([{"step": 1}], False)
    with open(path, "a") as file:
        file.write('{"step": 2}\n{"st')
    second = records.read_rows(path, first.cursor)
    assert (second.rows, second.is_continued) == ([{"step": 2}], True)
    with open(path, "a") as file:
        file.write('ep": 3}\n')
    assert records.read_rows(path, second.cursor).rows == [{"step": 3}]


def test_nothing_new_gives_no_rows_and_the_same_cursor(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    records.append_row(path, {"step": 1})
    first = records.read_rows(path)
    again = records.read_rows(path, first.cursor)
    assert (again.rows, again.cursor, again.is_continued) == ([], first.cursor, True)


def test_garbage_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\nnot json\n[1, 2]\n\xff\xfe\n\n7\n{"a": 2}\n')
    assert records.read_rows(path).rows == [{"a": 1}, {"a": 2}]


def test_a_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert records.read_rows(tmp_path / "none").rows == []


def test_a_reader_of_a_file_that_was_cut_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for step in range(1, 6):
        records.append_row(path, {"step": step})
    before = records.read_rows(path)
    records.cut_rows(path, lambda row: row["step"] <= 3)
    for step in range(4, 8):  # longer than what the reader has seen
        records.append_row(path, {"step": step})
    after = records.read_rows(path, before.cursor)
    assert not after.is_continued
    assert [row["step"] for row in after.rows] == [1, 2, 3, 4, 5, 6, 7]


def test_cutting_mends_a_half_line_and_leaves_a_whole_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"step": 1}\n{"step"')
    records.cut_rows(path, lambda row: True)
    assert path.read_text() == '{"step": 1}\n'
    inode = path.stat().st_ino
    records.cut_rows(path, lambda row: True)
    assert path.stat().st_ino == inode


def test_numbers_that_do_not_exist_become_null(tmp_path: Path) -> None:
    records.append_row(tmp_path / "rows", {"a": float("nan"), "b": float("inf"), "c": 0.5})
    assert json.loads((tmp_path / "rows").read_text()) == {"a": None, "b": None, "c": 0.5}


def test_a_failed_replacement_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), records.replacing(path) as draft:  # noqa: PT012
        draft.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_lock_is_held_exactly_while_its_holder_lives(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not records.is_held(lock)
    code = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); "
        "print(1, flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert records.is_held(lock)
        holder.kill()
    assert not records.is_held(lock)


def test_looking_at_a_lock_does_not_make_another_reader_see_it_held(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    lock = tmp_path / "lock"
    lock.touch()
    with open(lock, "rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert not records.is_held(lock)
    with FileLock(lock):
        assert records.is_held(lock)
