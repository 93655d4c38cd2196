"""The command `segment`: objects in files."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from unet_core.base.config import Segmentation
from unet_core.cli.output import progress, show
from unet_core.cli.parser import Parser, add_command, add_model, add_options, given_options

INPUT_OPTIONS = ("plane", "channel", "invert", "scale", "flips", "rotations", "window")


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = add_command(
        found,
        "segment",
        segment,
        "find the objects in images",
        "Writes <stem>_labels.tif, <stem>_overlay.png, <stem>_measurements.csv and recipe.json;\n"
        "a model of classes also <stem>_classes.tif, .png and .csv.\n"
        "What is not given is taken from the model, as tuned on its validation images.",
    )
    parser.fill = _fill


def _fill(parser: Parser) -> None:
    from unet_core.predict.recipe import Recipe

    parser.add_argument("files", metavar="FILE", nargs="+", help="PNG, JPEG or TIFF")
    add_model(parser)
    parser.add_argument("--out", metavar="DIR", default=".", help="where to write (default: here)")
    add_options(parser, [about for about in fields(Recipe) if about.name in INPUT_OPTIONS])
    group = parser.add_argument_group("how probabilities become objects")
    add_options(group, fields(Segmentation))


def segment(arguments: argparse.Namespace) -> int:
    """Segment files; the good ones are finished, the bad ones named."""
    from unet_core.imaging import images
    from unet_core.network import checkpoint
    from unet_core.predict import files
    from unet_core.predict.recipe import Recipe, where_tuned

    config = checkpoint.read_config(arguments.model)
    segmentation = config.segmentation.with_text(
        given_options(arguments, config.segmentation.to_dict())
    )
    channel = arguments.channel
    recipe = Recipe(
        files=(),
        files_sha256=(),
        model=arguments.model,
        model_sha256=images.sha256(checkpoint.find(arguments.model).read_bytes()),
        segmentation=segmentation,
        tuned_on=where_tuned(config, segmentation),
        channel=int(channel) if channel is not None and channel.isdecimal() else channel,
    )
    others = [name for name in INPUT_OPTIONS if name != "channel"]
    tell = progress(arguments)
    found = files.segment_files(
        [Path(name) for name in arguments.files],
        Path(arguments.out),
        recipe.with_text(given_options(arguments, others)),
        device=arguments.device,
        on_progress=lambda index, total: tell(f"file {index + 1} of {total}"),
    )
    tell("")
    show(arguments, found.to_dict(), found.lines())
    if found.failed:
        reasons = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in found.failed.items())
        print(f"error: {reasons}", file=sys.stderr)
    return 2 if found.failed else 0
