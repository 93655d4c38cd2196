"""The command `tune`: a landscape of scores, and the best settings stored when asked for."""

import argparse
from dataclasses import asdict
from typing import Any

from unet_core.cli.output import progress, show
from unet_core.cli.parser import add_command, add_job, add_model, add_view, read_view


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = add_command(
        found,
        "tune",
        tune,
        "find the segmentation settings with the best score on a split",
        "Tries every foreground threshold with every marker threshold (with every smallest size\n"
        "for a model without boundary) and tells the best, and which others are as good.",
    )
    add_job(parser)
    add_model(parser)
    parser.add_argument("--data", metavar="NAME", help="the data set (default: the model's)")
    parser.add_argument(
        "--split", metavar="SPLIT", default="val", help="which of its images (default: val)"
    )
    parser.add_argument("--scheme", help="how training images are divided (default: the model's)")
    parser.add_argument(
        "--iou", metavar="N", default="0.5", help="the overlap that makes a hit (default: 0.5)"
    )
    parser.add_argument("--measure", metavar="NAME", default="f1", help="f1 (default) or ap")
    parser.add_argument(
        "--average", metavar="NAME", default="pooled", help="pooled (default) or by_image"
    )
    add_view(parser)
    parser.add_argument(
        "--store", action="store_true", help="write the best settings into the run or the file"
    )
    parser.add_argument(
        "--on-test",
        action="store_true",
        help="allow test images; the model says so from then on",
    )


def tune(arguments: argparse.Namespace) -> int:
    """Try a grid of segmentation settings on a split."""
    from unet_core.network import checkpoint

    config = checkpoint.read_config(arguments.model)
    from unet_core.data import datasets
    from unet_core.scoring import tuning
    from unet_core.scoring.landscape import Aim

    data = arguments.data or config.train.images.data
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
    if gain := document["gain"]:
        lines += [
            f"on images that did not choose: better than before in {gain['better']:.0%} of "
            f"{gain['draws']} draws, typically by {round(gain['median'], 3) + 0:+.3f}"
        ]
    if document["stored"]:
        lines += [f"The best settings are stored in {document['model']}."]
    return lines + document["notes"]


def _axes(document: dict[str, Any]) -> tuple[str, str]:
    return "threshold", document["second"]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
