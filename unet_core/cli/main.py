"""``python -m unet_core <command>``: what the pages do, for scripts and clusters.

An installation has it as ``unet-workbench``, too.

Exit codes: 0 done; 2 a mistake of the caller; 3 the surroundings (offline, disk full); 130
interrupted; 1 a bug. A mistake is one line on stderr.
"""

import argparse
import contextlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from unet_core import __version__
from unet_core.base import device, faults
from unet_core.cli import compare, curves, data, evaluate, models, range_test, segment, train, tune
from unet_core.cli.parser import MISTAKE, Parser, join_negative_numbers

SURROUNDINGS = 3
COMMAND = "unet-workbench"  # what an installation calls it


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; never raises."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a mistake is one line on stderr
    logging.getLogger().addHandler(logging.NullHandler())
    device.share_cores()
    try:
        given = sys.argv[1:] if words is None else words
        arguments = build_parser().parse_args(join_negative_numbers(given))
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
    from unet_core.runs import worker

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


def build_parser() -> Parser:
    """Every command with its options and help."""
    parser = Parser(
        prog=COMMAND if Path(sys.argv[0]).stem == COMMAND else "python -m unet_core",
        description="Browse microscopy data, train U-Nets, segment images and score the result.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    found = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (data, train, curves, range_test, segment, evaluate, compare, tune, models):
        group.add_to(found)
    return parser
