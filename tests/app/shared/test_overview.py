import time

from ui.shared import overview
from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.runs import runs, slots


def ids() -> list[str]:
    return [one.run.id for one in overview.all_runs()]


def test_all_who_ask_within_a_second_get_one_look() -> None:
    runs.create(TrainConfig())
    assert overview.all_runs() is overview.all_runs()


def test_a_run_that_is_made_started_or_deleted_is_seen_at_once() -> None:
    assert ids() == []
    run = runs.create(TrainConfig())
    assert ids() == [run.id]
    runs.write_status(run, runs.last_status(run).renewed(time.time()))
    slots.take_ticket(folders.runs(), run.path, wanted="cpu", since=time.time(), pid=None)
    assert overview.all_runs()[0].status.queue_place == 1
    slots.ticket_path(folders.runs(), run.path).unlink()
    runs.write_status(run, runs.last_status(run).replace(state="stopped"))
    run.delete()
    assert ids() == []
