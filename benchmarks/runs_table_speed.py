"""How long a tick of the table of runs takes beside 2000 runs, of which 20 wait and one trains.

The budget is 100 ms. Side by side: reading every run's files again, as each tick did once, and the
one look that all viewers share with the rows of one page. Both must say the same of that page.
Processor time, so that what other programs take from the machine is left out.
"""

import contextlib
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import record
from filelock import FileLock

from ui.shared import overview as shared
from ui.train import state, table
from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.runs import overview, runs, slots
from unet_core.runs import status as files
from unet_core.runs.overview import Seen
from unet_core.runs.runs import Run
from unet_core.runs.status import Status

RUNS, WAITING, EPOCHS = 2000, 20, 50
BUDGET_MS = 100


def make(place: Path) -> list[Run]:
    """Run directories as the trainer leaves them, the last ones alive once their locks are held."""
    os.environ["UNET_RUNS"] = str(place)
    now, made = time.time(), []
    for index in range(RUNS):
        run = runs.create(TrainConfig.of(seed=index), preset="quick")
        rows = [measured(epoch) for epoch in range(1, EPOCHS + 1)]
        lines = [json.dumps(row) + "\n" for row in rows]
        (run.path / "metrics.jsonl").write_text("".join(lines))
        (run.path / "best.safetensors").touch()
        (run.path / "lock").touch()
        status = Status(
            state="finished",
            epoch=EPOCHS,
            epochs=EPOCHS,
            step=30 * EPOCHS,
            steps=30 * EPOCHS,
            best_epoch=EPOCHS,
            best_dice=rows[-1]["val_dice"],
            created_at=now,
            started_at=now,
            pid=1,
        )
        if index >= RUNS - WAITING:
            status = status.replace(state="queued")
            slots.take_ticket(folders.runs(), run.path, wanted="cpu", since=now + index, pid=1)
        elif index == RUNS - WAITING - 1:
            status = status.replace(state="running")
        runs.write_status(run, status)
        made.append(run)
    return made


def measured(epoch: int) -> dict[str, Any]:
    """A line of a curve."""
    loss, dice = 1 / epoch, 1 - 0.2 / epoch
    row = {"epoch": epoch, "step": 30 * epoch, "train_loss": loss, "val_loss": loss}
    row |= {"train_dice": dice, "val_dice": dice, "val_soft_dice": dice, "lr": 0.001}
    return row | {"images_per_second": 20.0, "seconds": 9.0}


def reread() -> pd.DataFrame:
    """The table of all runs out of their files, none of which is remembered."""
    files._parse_settings.cache_clear()
    state._read_dice.cache_clear()
    state._changed.cache_clear()
    every = [Seen(run=run, status=run.status(), has_weights=False) for run in runs.list_runs()]
    # What a status of then did not say is looked for in the curve.
    again = [replace(one, status=one.status.replace(best_dice=None)) for one in every]
    return table.rows(table.group(again))


def look_anew() -> pd.DataFrame:
    """A tick that is the first of its second."""
    return table.rows(table.group(overview.look())[: table.PER_PAGE])


def join_in() -> pd.DataFrame:
    """A tick that finds the look of another viewer."""
    return table.rows(table.group(shared.all_runs())[: table.PER_PAGE])


def main() -> None:
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        made = make(Path(place) / "runs")
        for run in made[-WAITING - 1 :]:
            stack.enter_context(FileLock(run.path / "lock"))
        page = reread()[: table.PER_PAGE]
        if not page.equals(look_anew()):
            raise SystemExit("the two ways say different things of the same runs")
        clock = time.process_time
        numbers: dict[str, object] = {
            "runs": RUNS,
            "waiting": WAITING,
            "epochs_of_each": EPOCHS,
            "rereading_ms": record.median_milliseconds(reread, repeats=3, clock=clock),
            "tick_ms": record.median_milliseconds(look_anew, clock=clock),
            "tick_of_another_viewer_ms": record.median_milliseconds(join_in, clock=clock),
            "finding_ms": record.median_milliseconds(
                lambda: table.find(table.group(shared.all_runs()), "finished seed=77"), clock=clock
            ),
            "budget_ms": BUDGET_MS,
        }
    record.save("runs_table_speed", numbers)


if __name__ == "__main__":
    main()
