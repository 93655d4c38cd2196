"""The commands `segment` and `relabel`: objects in files, one by one or in many images."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from unet_core.base.config import Segmentation
from unet_core.cli.output import Tell, progress, show
from unet_core.cli.parser import (
    Parser,
    add_command,
    add_job,
    add_model,
    add_options,
    given_options,
)

INPUT_OPTIONS = ("plane", "channel", "invert", "scale", "flips", "rotations", "window")


def add_to(found: Any) -> None:
    """Add the commands to the parsers that were found."""
    parser = add_command(
        found,
        "segment",
        segment,
        "find the objects in images",
        "Writes <stem>_labels.tif, <stem>_overlay.png, <stem>_measurements.csv and recipe.json;\n"
        "a model of classes also <stem>_classes.tif, .png and .csv.\n"
        "A folder, a pattern in quotation marks, or --resume makes many images into one folder of\n"
        "results instead: images.csv, objects.csv, labels/ and probabilities/, of stacks all planes"
        ".\n"
        "What is not given is taken from the model, as tuned on its validation images.",
    )
    parser.fill = _fill
    parser = add_command(
        found,
        "relabel",
        relabel,
        "make all objects of many images anew by other settings, without the network",
        "From the probabilities that `segment FOLDER --out DIR` has stored in 256 steps.\n"
        "What is not given stays as it is in that folder.",
    )
    parser.fill = _fill_relabel


def _fill(parser: Parser) -> None:
    from unet_core.imaging.label_files import FORMATS
    from unet_core.predict.recipe import Recipe

    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="PNG, JPEG or TIFF; or folders and patterns"
    )
    add_model(parser)
    parser.add_argument("--out", metavar="DIR", default=".", help="where to write (default: here)")
    parser.add_argument(
        "--formats",
        metavar="NAMES",
        default="",
        help="also write the labels as these, separated by commas: "
        + ", ".join(f"{name} ({one.reader})" for name, one in FORMATS.items() if name != "tiff"),
    )
    add_options(parser, [about for about in fields(Recipe) if about.name in INPUT_OPTIONS])
    parser.add_argument("--recursive", action="store_true", help="also what is in subfolders")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the folder of results: images that are finished there stay",
    )
    add_job(parser)
    _add_segmentation(parser)


def _fill_relabel(parser: Parser) -> None:
    parser.add_argument("folder", metavar="DIR", help="a folder of results of many images")
    parser.add_argument("--device", default="auto", help="where the network computes, if need be")
    add_job(parser)
    _add_segmentation(parser)


def _add_segmentation(parser: Parser) -> None:
    group = parser.add_argument_group("how probabilities become objects")
    add_options(group, fields(Segmentation))


def segment(arguments: argparse.Namespace) -> int:
    """Segment files; the good ones are finished, the bad ones named."""
    from unet_core.imaging import images
    from unet_core.network import checkpoint
    from unet_core.predict import batch, files, listing
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
    recipe = recipe.with_text(given_options(arguments, others))
    tell = progress(arguments)
    formats = [name for name in arguments.formats.split(",") if name]
    found: batch.Report | files.Batch
    if arguments.resume or listing.is_many(arguments.files):
        if formats:
            raise ValueError(
                "--formats is for files that are named one by one: folders and patterns have "
                "label TIFFs only"
            )
        found = batch.segment(
            Path(arguments.out),
            arguments.files,
            recipe,
            recursive=arguments.recursive,
            resume=arguments.resume,
            device=arguments.device,
            on_progress=_counting(tell),
        )
    else:
        found = files.segment_files(
            [Path(name) for name in arguments.files],
            Path(arguments.out),
            recipe,
            device=arguments.device,
            formats=formats,
            on_progress=lambda index, total: tell(f"file {index + 1} of {total}"),
        )
    tell("")
    return _show(arguments, found)


def relabel(arguments: argparse.Namespace) -> int:
    """Objects by other settings from the stored probabilities of many images."""
    from unet_core.predict import batch, results

    now = results.Results(Path(arguments.folder)).plan().recipe.segmentation
    tell = progress(arguments)
    found = batch.relabel(
        Path(arguments.folder),
        now.with_text(given_options(arguments, now.to_dict())),
        device=arguments.device,
        on_progress=_counting(tell),
    )
    tell("")
    return _show(arguments, found)


def _counting(tell: Tell) -> Callable[[int, int], None]:
    return lambda done, total: tell(f"image {min(done + 1, total)} of {total}", done, total)


def _show(arguments: argparse.Namespace, found: Any) -> int:
    """Print what was done, and the bad files in one line on stderr; gives the exit code."""
    show(arguments, found.to_dict(), found.lines())
    if found.failed:
        reasons = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in found.failed.items())
        print(f"error: {reasons}", file=sys.stderr)
    # The page finds the bad files in the table: for a job they are no failure.
    return 2 if found.failed and not arguments.job else 0
