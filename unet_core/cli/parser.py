"""The parts that the commands' arguments are made of."""

import argparse
import re
import textwrap
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from unet_core.scoring.predictions import View

MISTAKE = 2  # exit code of what the caller did wrong


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


def add_command(found: Any, name: str, command: Any, help: str, epilog: str = "") -> Parser:
    """A command among the others, with its help and `--json`."""
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


def add_job(parser: Parser) -> None:
    """The hidden option by which the app lets a command work in the background."""
    parser.add_argument("--job", metavar="DIR", default="", help=argparse.SUPPRESS)


def list_settings(kind: Any) -> str:
    """The settings of a kind with their help, for the end of a command's own help."""
    return "\n".join(
        textwrap.fill(
            about.metadata["help"],
            initial_indent=f"  {about.name:22}",
            subsequent_indent=" " * 24,
            width=100,
        )
        for about in kind.options().values()
    )


def add_options(parser: Any, options: Any) -> None:
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


def add_model(parser: Parser) -> None:
    """Options that name a model and where it computes."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        required=True,
        help="a shipped checkpoint, a run's id, or a path",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: auto takes a GPU)"
    )


def add_view(parser: Parser) -> None:
    """Options of how the network looks at images; `read_view` reads them."""
    parser.add_argument(
        "--flips", action="store_true", help="average over the 8 flips and rotations"
    )
    for name, help in (
        ("rotations", "average over this many rotations, such as the paper's 7"),
        ("window", "slide a window of this side over the images, half overlapping, and average"),
        ("crop-multiple", "cut images to multiples of this before predicting, such as 16"),
    ):
        parser.add_argument(f"--{name}", metavar="N", type=int, default=0, help=help)


def read_view(arguments: argparse.Namespace) -> "View":
    """How the network is to look at the images."""
    from unet_core.scoring.predictions import View

    return View(**{about.name: getattr(arguments, about.name) for about in fields(View)})


def given_options(arguments: argparse.Namespace, names: Iterable[str]) -> list[str]:
    """The settings that were given, as texts like `scale=2`."""
    values = {name: getattr(arguments, name) for name in names}
    return [f"{name}={value}" for name, value in values.items() if value is not None]


def join_negative_numbers(words: Sequence[str]) -> list[str]:
    """`--marker-threshold -1e-05` as one word: argparse takes the number for an option."""
    joined: list[str] = []
    for word in words:
        is_option = bool(joined) and re.fullmatch(r"--[a-z][a-z-]*", joined[-1]) is not None
        if is_option and re.match(r"-\.?\d", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
