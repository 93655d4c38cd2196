"""The command `tune`: a landscape of scores, and the best settings stored when asked for."""

import argparse
from dataclasses import asdict
from typing import Any

from unet_core import checkpoint
from unet_core.commands import progress, read_view, show


def tune(arguments: argparse.Namespace) -> int:
    """Try a grid of segmentation settings on a split."""
    config = checkpoint.read_config(arguments.model)
    from unet_core import datasets, tuning
    from unet_core.landscape import Aim

    data = arguments.data or config.train.data
    datasets.sample_names(data, arguments.split, scheme=arguments.scheme)
    aim = Aim(iou=_iou(arguments.iou), measure=arguments.measure, average=arguments.average)
    if arguments.store:
        tuning.check_store(arguments.model)
    view, tell = read_view(arguments), progress(arguments)
    found = tuning.tune(
        checkpoint.load(arguments.model, device=arguments.device),
        data,
        arguments.split,
        aim,
        scheme=arguments.scheme,
        view=view,
        on_test=arguments.on_test,
        on_progress=tell,
    )
    tell("")
    if arguments.store:
        tuning.store(arguments.model, found)
    document = {
        "model": arguments.model,
        "data": data,
        "split": arguments.split,
        "scheme": found.scheme,
        **asdict(view),
        "tuned_on": found.tuned_on,
        "on_test": found.on_test,
        "stored": arguments.store,
        "notes": found.notes,
        **found.landscape.to_dict(),
    }
    show(arguments, document, _lines(document))
    return 0


def _iou(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--iou must be a number in (0, 1], got {text!r}") from None


def _lines(document: dict[str, Any]) -> list[str]:
    """The landscape as a table, and what is best in it."""
    second = document["second"]
    columns = document["markers"] or document["min_sizes"]
    lines = [f"{document['model']} tuned on {document['tuned_on']}"]
    lines += [f"  rows: threshold; columns: {second}"]
    lines += ["        " + "".join(f"{value:>7g}" for value in columns)]
    for row, values in zip(document["thresholds"], document["values"], strict=True):
        lines += [f"  {row:>6g}" + "".join(f"{_score(value):>7}" for value in values)]
    for name, title in (("best", "best"), ("base", "before")):
        cell = document[name]
        place = f"threshold {cell['threshold']:g}, {second} {cell[second]:g}"
        lines += [f"{title}: {_score(cell['value'])} at {place}"]
    plateau = document["plateau"]
    if plateau["cells"]:
        spans = (f"{name} {plateau[name][0]:g} to {plateau[name][1]:g}" for name in _axes(document))
        within = f"{len(plateau['cells'])} of {sum(map(len, document['values']))}"
        lines += [f"within {plateau['within']} of the best: {within} settings, {', '.join(spans)}"]
    if document["stored"]:
        lines += [f"The best settings are stored in {document['model']}."]
    return lines + document["notes"]


def _axes(document: dict[str, Any]) -> tuple[str, str]:
    return "threshold", document["second"]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
