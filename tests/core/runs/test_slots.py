import os
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from unet_core.runs import slots


def waiting(root: Path, name: str, since: float, *, wanted: str = "cpu") -> Path:
    """The folder of a run that waits since some time; its lock is the caller's."""
    (root / name).mkdir(parents=True)
    slots.take_ticket(root, root / name, wanted=wanted, since=since, pid=1)
    return root / name


def test_the_oldest_is_first_and_the_dead_do_not_count(tmp_path: Path) -> None:
    now = time.time()
    paths = [waiting(tmp_path, name, now + age) for name, age in (("b", 2), ("a", 1), ("c", 3))]
    locks = [FileLock(path / "lock") for path in paths]
    with locks[0], locks[1], locks[2]:
        assert [slots.queue_place(tmp_path, path) for path in paths] == [2, 1, 3]
        found = slots.waiting(tmp_path)
        assert [slots.queue_place(tmp_path, path, found) for path in paths] == [2, 1, 3]
    with locks[0], locks[2]:  # the oldest was killed
        assert [slots.queue_place(tmp_path, path) for path in (paths[0], paths[2])] == [1, 2]


def test_a_run_that_was_only_just_started_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    slots.take_ticket(tmp_path, tmp_path / "new", wanted="cpu", since=time.time(), pid=None)
    (tmp_path / "old").mkdir()
    stale = time.time() - slots.GRACE_SECONDS - 1
    slots.take_ticket(tmp_path, tmp_path / "old", wanted="cpu", since=stale, pid=None)
    newest = waiting(tmp_path, "newest", time.time() + 1)
    assert slots.queue_place(tmp_path, newest) == 2


def test_who_does_not_wait_has_no_place(tmp_path: Path) -> None:
    assert slots.queue_place(tmp_path, tmp_path / "a") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": "x"}', '{"run": 1, "since": "x"}'])
def test_a_broken_ticket_counts_for_nothing(tmp_path: Path, content: str) -> None:
    path = waiting(tmp_path, "a", 2.0)
    (slots.folder(tmp_path) / "queue" / "broken.json").write_text(content)
    assert slots.queue_place(tmp_path, path) == 1


def turn(root: Path, run: Path, since: float, is_stopped: object, on_wait: object = None) -> object:
    return slots.wait_for_turn(
        root,
        run,
        wanted="cpu",
        since=since,
        pid=os.getpid(),
        is_stopped=is_stopped,  # type: ignore[arg-type]
        on_wait=on_wait,  # type: ignore[arg-type]
        pause=0.01,
    )


def test_a_free_slot_is_taken_at_once_and_held(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    found = turn(tmp_path, tmp_path / "a", 1.0, lambda: False)
    assert isinstance(found, tuple)
    slot, lock = found
    assert slot == "cpu"
    assert lock.is_locked
    assert slots.queue_place(tmp_path, tmp_path / "a") is None
    lock.release()


def test_who_stops_while_waiting_gets_no_slot_and_leaves_the_queue(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    looks, told = iter([False, False, True]), list[str]()
    with FileLock(slots.folder(tmp_path) / "cpu.lock"):
        found = turn(
            tmp_path, tmp_path / "a", 1.0, lambda: next(looks), lambda: told.append("waits")
        )
    assert found is None
    assert told == ["waits"]
    assert slots.queue_place(tmp_path, tmp_path / "a") is None


def test_a_younger_run_waits_although_the_slot_is_free(tmp_path: Path) -> None:
    older = waiting(tmp_path, "older", 1.0)
    (tmp_path / "younger").mkdir()
    looks = iter([False, False, False, True])
    with FileLock(older / "lock"):
        assert turn(tmp_path, tmp_path / "younger", 2.0, lambda: next(looks)) is None
    found = turn(tmp_path, tmp_path / "younger", 2.0, lambda: False)
    assert isinstance(found, tuple)
    found[1].release()


def test_the_slot_goes_through_all_by_age(tmp_path: Path) -> None:
    order: list[str] = []
    locks = []
    threads = []
    hold = FileLock(slots.folder(tmp_path) / "cpu.lock", thread_local=False)
    hold.acquire()

    def work(name: str, since: float) -> None:
        found = turn(tmp_path, tmp_path / name, since, lambda: False)
        assert isinstance(found, tuple)
        order.append(name)
        found[1].release()

    for name, since in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        path = waiting(tmp_path, name, since)
        locks.append(FileLock(path / "lock", thread_local=False))
        locks[-1].acquire()
        threads.append(threading.Thread(target=work, args=(name, since)))
        threads[-1].start()
    hold.release()
    for thread in threads:
        thread.join(20)
    assert order == ["a", "b", "c"]


def test_runs_for_different_devices_do_not_wait_for_each_other(tmp_path: Path) -> None:
    gpu = slots.Ticket(path=tmp_path / "1", run="a", since=1.0, slots=("cuda-0",), pid=1)
    cpu = slots.Ticket(path=tmp_path / "2", run="b", since=2.0, slots=("cpu",), pid=1)
    both = slots.Ticket(path=tmp_path / "3", run="c", since=3.0, slots=("cuda-0", "cuda-1"), pid=1)
    assert not gpu.is_before(cpu)
    assert gpu.is_before(both)
    assert not both.is_before(gpu)
