import time

from filelock import FileLock

from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.runs import overview, runs, slots


def test_a_look_sees_of_each_run_what_the_run_itself_says() -> None:
    states = ("finished", "running", "queued", "stopped")
    found = {state: runs.create(TrainConfig(), preset=state) for state in states}
    for state, run in found.items():
        status = runs.last_status(run).replace(state=state, started_at=time.time(), pid=1)
        runs.write_status(run, status)
    (found["stopped"].path / "best.safetensors").touch()
    waiting = found["queued"].path
    slots.take_ticket(folders.runs(), waiting, wanted="cpu", since=time.time(), pid=1)
    with FileLock(waiting / "lock"):
        seen = overview.look()
        assert [one.run for one in seen] == runs.list_runs()
        assert [one.status for one in seen] == [one.run.status() for one in seen]
        assert {one.status.queue_place for one in seen} == {1, None}
    assert [one.run for one in seen if one.has_weights] == [found["stopped"]]
    assert {one.status.state for one in seen} == {"finished", "lost", "queued", "stopped"}


def test_without_a_folder_nothing_is_seen() -> None:
    assert overview.look() == []
