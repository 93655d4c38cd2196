"""``python -m unet_core <command>``: what the pages do, for scripts and clusters.

Exit codes: 0 done; 2 a mistake of the caller; 3 the surroundings (offline, disk full); 130
interrupted; 1 a bug. A mistake is one line on stderr.
"""

import argparse
import contextlib
import logging
import os
import re
import sys
import textwrap
import traceback
import typing
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from unet_core import __version__, commands, faults
from unet_core.config import Segmentation, TrainConfig
from unet_core.patches import Patches
from unet_core.presets import PRESETS
from unet_core.shapes import Shapes

MISTAKE, SURROUNDINGS = 2, 3


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; never raises."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a mistake is one line on stderr
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        given = sys.argv[1:] if words is None else words
        arguments = build_parser().parse_args(_join_negative_numbers(given))
        code = _carry_out(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as end:  # argparse has said what it had to say
        return end.code if isinstance(end.code, int) else MISTAKE
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SURROUNDINGS
    except BaseException as error:
        return _report(error)


def _carry_out(arguments: argparse.Namespace) -> int:
    if not arguments.job:
        return arguments.command(arguments)
    from unet_core import worker

    return worker.carry_out(Path(arguments.job), lambda: arguments.command(arguments))


def _report(error: BaseException) -> int:
    """One line on stderr for whatever the caller or the surroundings did; the exit code."""
    code = faults.exit_code(error)
    if code == 1:
        traceback.print_exception(error)
        return code
    with contextlib.suppress(OSError):
        print(f"error: {faults.explain(error)}", file=sys.stderr)
    return code


class Parser(argparse.ArgumentParser):
    """Argument parser whose complaints are one line.

    `fill` adds the arguments when the command is really used: a training process must have its
    lock before anything heavy is imported for the help of other commands.
    """

    fill: Callable[["Parser"], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, after filling in what was put off."""
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where the help is."""
        text = " ".join(message.split())
        self.exit(MISTAKE, f"error: {text}; see {self.prog} --help\n")


def build_parser() -> Parser:
    """Every command with its options and help."""
    parser = Parser(
        prog="python -m unet_core",
        description="Browse microscopy data, train U-Nets, segment images and score the result.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    found = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_data(found)
    _add_train(found)
    _add_range_test(found)
    _add_segment(found)
    _add_evaluate(found)
    _add_tune(found)
    _add_score(found)
    return parser


def _add(found: Any, name: str, command: Any, help: str, epilog: str = "") -> Parser:
    parser: Parser = found.add_parser(
        name,
        help=help,
        description=help[:1].upper() + help[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=command, job="")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    return parser


def _add_job(parser: Parser) -> None:
    """The hidden option by which the app lets a command work in the background."""
    parser.add_argument("--job", metavar="DIR", default="", help=argparse.SUPPRESS)


def _add_data(found: Any) -> None:
    parser = found.add_parser(
        "data",
        help="list, download, describe and pack the data sets",
        description="List, download, describe and pack the data sets. They are looked for in "
        "$UNET_DATA, then ./data.",
    )
    verbs = parser.add_subparsers(metavar="list|fetch|stats|pack", required=True)
    _add(verbs, "list", commands.data_list, "list the data sets and whether they are here")
    fetch = _add(verbs, "fetch", commands.data_fetch, "download a data set; continues a broken one")
    fetch.add_argument("name", metavar="NAME", help="the data set")
    fetch.add_argument(
        "--accept-licence", action="store_true", help="you have read its licence and agree"
    )
    stats = _add(verbs, "stats", commands.data_stats, "describe the images and objects of a set")
    stats.add_argument("name", metavar="NAME", help="the data set")
    stats.add_argument("--scheme", help="how training images are divided (default: the set's own)")
    _add_pack(verbs)


def _add_pack(verbs: Any) -> None:
    pack = _add(
        verbs,
        "pack",
        commands.data_pack,
        "write a zip of a synthetic set's images and masks, whole or cut into patches",
        f"settings for --patches:\n{_list_settings(Patches)}\n\nsettings in the name of a set, "
        f"such as synthetic-shapes:noise=30,lines=3,8:\n{_list_settings(Shapes)}",
    )
    pack.add_argument("name", metavar="NAME", help="the synthetic data set")
    pack.add_argument("--split", default="train", help="train (default), val or test")
    pack.add_argument("--scheme", help="how training images are divided (default: the set's own)")
    pack.add_argument(
        "--patches",
        metavar="KEY=VALUE",
        nargs="*",
        help="cut patches, such as --patches count=20 side=96; without it the images are whole",
    )
    pack.add_argument("--out", metavar="FILE", help="the zip (default: named after its content)")


def _list_settings(kind: Any) -> str:
    """The settings of a kind with their help, for the end of a command's own help."""
    return "\n".join(
        textwrap.fill(
            about.metadata["help"],
            initial_indent=f"  {about.name:22}",
            subsequent_indent=" " * 24,
            width=100,
        )
        for about in fields(kind)
    )


def _add_train(found: Any) -> None:
    recipes = "\n".join(f"  {name:14}{one.sentence}" for name, one in PRESETS.items())
    parser = _add(
        found,
        "train",
        commands.train,
        "train a network in the foreground; Ctrl-C stops and keeps the weights",
        f"presets:\n{recipes}\n\nsettings for --set:\n{_list_settings(TrainConfig)}",
    )
    _add_recipe(parser)
    parser.add_argument(
        "--run",
        metavar="DIR",
        help="the run's folder (default: a new one in $UNET_RUNS, else runs/)",
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --run")


def _add_recipe(parser: Parser, *, required: bool = False) -> None:
    parser.add_argument(
        "--preset", metavar="NAME", required=required, help=f"the recipe: {', '.join(PRESETS)}"
    )
    parser.add_argument("--data", metavar="NAME", help="train on this data set instead")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting, such as --set epochs=5 --set channels=16,32,64; may be repeated",
    )


def _add_range_test(found: Any) -> None:
    parser = _add(
        found,
        "lr-test",
        _test_range,
        "find a learning rate: train a few steps with growing ones and watch the loss",
        "The settings are those of train. Nothing is kept: no run is made, and none is touched.",
    )
    _add_job(parser)
    _add_recipe(parser, required=True)
    parser.fill = _fill_range_test


def _fill_range_test(parser: Parser) -> None:
    from unet_core.range_test import Sweep

    _add_options(parser, fields(Sweep))


def _test_range(arguments: argparse.Namespace) -> int:
    from unet_core import range_command

    return range_command.test_range(arguments)


def _add_segment(found: Any) -> None:
    parser = _add(
        found,
        "segment",
        commands.segment,
        "find the objects in images",
        "Writes <stem>_labels.tif, <stem>_overlay.png, <stem>_measurements.csv and recipe.json;\n"
        "a model of classes also <stem>_classes.tif, .png and .csv.\n"
        "What is not given is taken from the model, as tuned on its validation images.",
    )
    parser.fill = _fill_segment


def _fill_segment(parser: Parser) -> None:
    from unet_core.recipe import Recipe

    parser.add_argument("files", metavar="FILE", nargs="+", help="PNG, JPEG or TIFF")
    _add_model(parser)
    parser.add_argument("--out", metavar="DIR", default=".", help="where to write (default: here)")
    wanted = commands.INPUT_OPTIONS
    _add_options(parser, [about for about in fields(Recipe) if about.name in wanted])
    group = parser.add_argument_group("how probabilities become objects")
    _add_options(group, fields(Segmentation))


def _add_evaluate(found: Any) -> None:
    parser = _add(found, "evaluate", commands.evaluate, "score a model on the images of a data set")
    _add_job(parser)
    _add_model(parser)
    parser.add_argument("--data", metavar="NAME", required=True, help="the data set")
    parser.add_argument(
        "--split", metavar="SPLIT", required=True, help="which of its images: train, val or test"
    )
    parser.add_argument("--scheme", help="how training images are divided (default: the model's)")
    _add_view(parser)
    parser.add_argument(
        "--patches",
        metavar="N",
        type=int,
        default=0,
        help="for sets of classes: also score N patches from each image, as in training",
    )
    group = parser.add_argument_group("how probabilities become objects (default: the model's)")
    _add_options(group, fields(Segmentation))
    parser.add_argument(
        "--ladder",
        action="store_true",
        help="also score rules without a network, an untrained one, and perfect ones",
    )


def _add_tune(found: Any) -> None:
    parser = _add(
        found,
        "tune",
        _tune,
        "find the segmentation settings with the best score on a split",
        "Tries every foreground threshold with every marker threshold (with every smallest size\n"
        "for a model without boundary) and tells the best, and which others are as good.",
    )
    _add_job(parser)
    _add_model(parser)
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
    _add_view(parser)
    parser.add_argument(
        "--store", action="store_true", help="write the best settings into the run or the file"
    )
    parser.add_argument(
        "--on-test",
        action="store_true",
        help="allow test images; the model says so from then on",
    )


def _tune(arguments: argparse.Namespace) -> int:
    from unet_core import tune_command

    return tune_command.tune(arguments)


def _add_score(found: Any) -> None:
    parser = _add(
        found,
        "score",
        commands.score,
        "score label images of any tool against the truth",
        "Files are paired by their stem; a trailing _labels is ignored.",
    )
    parser.add_argument("--true", metavar="DIR", required=True, help="folder of true label images")
    parser.add_argument("--pred", metavar="DIR", required=True, help="folder of predicted ones")


def _add_model(parser: Parser) -> None:
    parser.add_argument(
        "--model",
        metavar="NAME",
        required=True,
        help="a shipped checkpoint, a run's id, or a path",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: auto takes a GPU)"
    )


def _add_view(parser: Parser) -> None:
    parser.add_argument(
        "--flips", action="store_true", help="average over the 8 flips and rotations"
    )
    for name, help in (
        ("rotations", "average over this many rotations, such as the paper's 7"),
        ("window", "slide a window of this side over the images, half overlapping, and average"),
        ("crop-multiple", "cut images to multiples of this before predicting, such as 16"),
    ):
        parser.add_argument(f"--{name}", metavar="N", type=int, default=0, help=help)


def _add_options(parser: Any, options: Any) -> None:
    """A flag for each field, with its help; what is not given stays None."""
    for about in options:
        flag = "--" + about.name.replace("_", "-")
        help = about.metadata["help"].replace("%", "%%")
        if about.type is bool:
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=None, help=help
            )
            continue
        choices = about.metadata["choices"]
        if choices:
            help += f" One of {', '.join(map(str, choices))}."
        kind = "NAME" if str in (about.type, *typing.get_args(about.type)) else "N"
        parser.add_argument(flag, metavar=kind, help=help)


def _join_negative_numbers(words: Sequence[str]) -> list[str]:
    """`--marker-threshold -1e-05` as one word: argparse takes the number for an option."""
    joined: list[str] = []
    for word in words:
        is_option = bool(joined) and re.fullmatch(r"--[a-z][a-z-]*", joined[-1]) is not None
        if is_option and re.match(r"-\.?\d", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
