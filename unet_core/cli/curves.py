"""The command `curves`: runs for TensorBoard."""

import argparse
from pathlib import Path
from typing import Any

from unet_core.base.records import replacing
from unet_core.cli.output import show
from unet_core.cli.parser import add_command
from unet_core.runs import event_file, runs


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = add_command(
        found,
        "curves",
        curves,
        "write the curves of runs as TensorBoard event files",
        "Each run gets a folder of its name; tensorboard --logdir DIR shows them together.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="a run's id")
    parser.add_argument("--out", metavar="DIR", required=True, help="where the folders are made")


def curves(arguments: argparse.Namespace) -> int:
    """Write an event file for each run, over the one of an earlier call."""
    out = Path(arguments.out)
    written = []
    for run in [runs.find(name) for name in arguments.runs]:
        path = out / run.id / event_file.file_name(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_bytes(event_file.encode(run))
        written.append({"run": run.id, "file": str(path), "epochs": len(run.metrics().rows)})
    lines = [f"{one['run']}: {one['epochs']} epochs -> {one['file']}" for one in written]
    show(arguments, {"out": str(out), "files": written}, [*lines, f"tensorboard --logdir {out}"])
    return 0
