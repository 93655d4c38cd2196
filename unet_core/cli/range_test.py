"""The command `lr-test`: which learning rates a recipe can be trained with."""

import argparse
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_core.base.records import append_row
from unet_core.cli.output import progress, show
from unet_core.cli.parser import Parser, add_command, add_job, add_options
from unet_core.cli.train import add_recipe, configure

if TYPE_CHECKING:  # it imports torch
    from unet_core.training.range_test import Point

CURVE = "curve.jsonl"  # in the folder of a job: the points as they come


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = add_command(
        found,
        "lr-test",
        test_range,
        "find a learning rate: train a few steps with growing ones and watch the loss",
        "The settings are those of train. Nothing is kept: no run is made, and none is touched.",
    )
    add_job(parser)
    add_recipe(parser, required=True)
    parser.fill = _fill


def _fill(parser: Parser) -> None:
    from unet_core.training.range_test import Sweep

    add_options(parser, fields(Sweep))


def test_range(arguments: argparse.Namespace) -> int:
    """Try growing rates on a new network and suggest one."""
    config, note = configure(arguments)
    from unet_core.base import device
    from unet_core.training import range_test

    given = {name: getattr(arguments, name) for name in sweep_options()}
    texts = [f"{name}={text}" for name, text in given.items() if text is not None]
    sweep = range_test.Sweep().with_text(texts)
    chosen = device.choose(config.optimisation.device)
    started = time.monotonic()
    tell = progress(arguments)
    keep = _keeper(arguments.job)

    def see(point: "Point") -> None:
        keep(point)
        rate = range_test.show_rate(point.lr)
        tell(f"step {point.step} of {sweep.steps}, rate {rate}", point.step, sweep.steps)

    points, found = range_test.run(config, device=chosen, sweep=sweep, on_point=see)
    tell("")
    document = {
        "preset": arguments.preset,
        "data": config.images.data,
        "settings": config.to_dict(),
        "device": chosen.title,
        "seconds": time.monotonic() - started,
        "note": note,
        **range_test.describe(sweep, points, found),
    }
    lines = [f"{arguments.preset} on {config.images.data}, {len(points)} steps on {chosen.title}"]
    lines += [note] if note else []
    lines += ["      rate       loss   relative   smoothed"]
    lines += [
        f"  {range_test.show_rate(one.lr):>8} {one.loss:10.4g} {one.relative:10.4f} "
        f"{one.smoothed:10.4f}"
        for one in points
    ]
    if found.lr is not None and found.low is not None and found.high is not None:
        low, high = range_test.show_rate(found.low), range_test.show_rate(found.high)
        lines += [
            f"suggestion: --set lr={range_test.show_rate(found.lr)} (safe from {low} to {high})"
        ]
    show(arguments, document, [*lines, found.reason])
    return 0


def sweep_options() -> list[str]:
    """The names of the settings of a sweep, which are options of the command."""
    from unet_core.training.range_test import Sweep

    return [about.name for about in fields(Sweep)]


def _keeper(job: str) -> Callable[["Point"], None]:
    """Writes the points of a job down as they come; does nothing without one."""

    def keep(point: "Point") -> None:
        if job:
            append_row(Path(job) / CURVE, vars(point))

    return keep
