"""The command `export`: a trained network for other programs."""

import argparse
from pathlib import Path
from typing import Any

from unet_core.cli.output import progress, show
from unet_core.cli.parser import Parser, add_command


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = add_command(
        found,
        "export",
        export,
        "write a model for other programs",
        "Beside the network stands what to do with an image before it and with its answer after\n"
        "it. Files of the same names are overwritten.",
    )
    parser.fill = _fill_export


def _fill_export(parser: Parser) -> None:
    from unet_core.predict.model_formats import FORMATS

    parser.add_argument(
        "model", metavar="MODEL", help="a shipped checkpoint, a run's id, or a path"
    )
    parser.add_argument(
        "--format",
        metavar="NAME",
        required=True,
        help="; ".join(f"{name}: {one.title}, {one.reader}" for name, one in FORMATS.items()),
    )
    parser.add_argument("--out", metavar="DIR", default=".", help="where to write (default: here)")
    parser.add_argument(
        "--author",
        metavar="NAME",
        action="append",
        default=[],
        help="who made the model; may be given several times",
    )
    parser.add_argument(
        "--licence", metavar="NAME", default="", help="licence of the weights, such as CC-BY-4.0"
    )


def export(arguments: argparse.Namespace) -> int:
    """Write a model in a format, all of its files or none."""
    from unet_core.network import checkpoint
    from unet_core.predict import export as files
    from unet_core.predict import model_formats

    progress(arguments)("writing the network")
    made = model_formats.encode(
        arguments.model,
        arguments.format,
        authors=tuple(arguments.author),
        licence=arguments.licence,
    )
    progress(arguments)("")
    out = Path(arguments.out)
    for name, content in made.items():
        files.write_whole(out / name, content)
    written = [str(out / name) for name in made]
    missing = [one for one in ("author", "licence") if not getattr(arguments, one)]
    note = ""
    if arguments.format == "bioimageio" and missing and not checkpoint.card(arguments.model):
        note = f"bioimage.io takes no package without: {', '.join(f'--{one}' for one in missing)}"
    document = {"model": arguments.model, "format": arguments.format, "files": written}
    show(arguments, document | {"note": note}, [*written, *filter(None, [note])])
    return 0
