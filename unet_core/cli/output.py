"""What a command prints: one document or lines for people, and how far it is."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Protocol

from unet_core.base.remaining import Remaining


def show(arguments: argparse.Namespace, document: Any, lines: list[str]) -> None:
    """Print the document with --json, else the lines; a job's document is stored, too."""
    if arguments.job:
        from unet_core.runs import worker

        worker.write_result(Path(arguments.job), document)
    if arguments.json:
        lines = [json.dumps(document, indent=1, allow_nan=False)]
    for line in lines:
        print(line)


class Tell(Protocol):
    """Takes what is being done, and, where a number is known, how much of how many."""

    def __call__(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show it."""


def progress(arguments: argparse.Namespace) -> Tell:
    """Shows a line that the next one overwrites; silent unless a person or a page watches."""
    if arguments.job:
        from unet_core.runs import worker

        return worker.Teller(Path(arguments.job)).tell
    is_watched = sys.stderr.isatty() and not arguments.json
    remaining = Remaining()

    def tell(text: str, done: int = 0, total: int = 0) -> None:
        left = remaining.estimate(done, total)
        if left:
            text += (
                f", about {left:.0f} s left" if left < 100 else f", about {left / 60:.0f} min left"
            )
        if is_watched:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return tell
