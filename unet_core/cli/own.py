"""The own sets of the command `data`: add one, describe it, move it into the trash and back."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_core.cli.output import progress, show
from unet_core.cli.parser import add_command, add_options, given_options
from unet_core.data.division import LEAK, Division

if TYPE_CHECKING:
    from unet_core.data.importing import Plan, Row

_WIDEST = 44  # characters of a column of the table


def add_to(verbs: Any) -> None:
    """Add the verbs to those of `data`."""
    parser = add_command(
        verbs,
        "add",
        add,
        "add images of your own, with their labels, as a data set",
        "Images and labels belong together by equal names; by the ends _mask, _masks, _label, "
        "_labels, -labels or _gt;\nby folders (images/ and masks/, train/, val/ and test/); or as "
        "in Kaggle's layout, a folder for each image\nand in it a mask for each object. "
        "Labels may be outlines: a zip of ImageJ's ROIs or a GeoJSON\nnamed as its image, or one "
        "COCO file for all. Look at the pairs with --check before anything is copied.",
    )
    parser.add_argument("name", metavar="NAME", help="what it shall be called")
    parser.add_argument("--images", metavar="PATH", required=True, help="a folder, or a zip")
    parser.add_argument("--labels", metavar="PATH", help="the labels, where they lie elsewhere")
    parser.add_argument(
        "--check", action="store_true", help="print the table of pairs, and copy nothing"
    )
    parser.add_argument("--kind", help="objects, classes or unlabelled (default: as recognised)")
    parser.add_argument(
        "--classes",
        metavar="NAME=VALUE",
        nargs="+",
        default=[],
        help="names of the classes, the background first: background=#000000 cell=#ff0000, or "
        "background=0 cell=1",
    )
    parser.add_argument("--object-name", metavar="NAME", help="what one object is, such as nucleus")
    parser.add_argument("--about", metavar="TEXT", default="", help="a sentence on what it is")
    parser.add_argument(
        "--take-doubtful", action="store_true", help="take doubtful pairs as they were found"
    )
    parser.add_argument(
        "--leave-out", action="store_true", help="leave out what is doubtful or cannot be used"
    )
    add_options(parser, Division.options().values())
    one = add_command(verbs, "describe", describe, "give an own data set another title or sentence")
    one.add_argument("name", metavar="NAME", help="the data set; its name stays")
    one.add_argument("--title", metavar="TEXT", help="what people call it")
    one.add_argument("--about", metavar="TEXT", help="a sentence on what it is")
    one.add_argument(
        "--classes",
        metavar="NAME",
        nargs="+",
        help="other names for its classes, all of them in their order; with objects, the "
        "background and what one object is",
    )
    one = add_command(verbs, "rename", rename, "give an own data set another name")
    one.add_argument("name", metavar="OLD", help="the data set")
    one.add_argument("new", metavar="NEW", help="what it shall be called; OLD goes on to find it")
    one = add_command(verbs, "remove", remove, "move an own data set into the trash")
    one.add_argument("name", metavar="NAME", help="the data set")
    one = add_command(verbs, "restore", restore, "bring an own data set back from the trash")
    one.add_argument("name", metavar="NAME", help="the data set")


def add(arguments: argparse.Namespace) -> int:
    """Look at the files, and store them as a set unless that is all that was asked for."""
    from unet_core.data import datasets, importing, own
    from unet_core.imaging import coding

    tell = progress(arguments)
    own.check_free(own.name_of(arguments.name))
    labels = Path(arguments.labels) if arguments.labels else None
    plan = importing.look(
        *importing.open_paths(Path(arguments.images), labels),
        on_progress=lambda done, total: tell(f"looking at image {done} of {total}", done, total),
    )
    tell("")
    how = Division(by=importing.usual_division(plan)).with_text(
        given_options(arguments, Division.options())
    )
    kind = arguments.kind or ""
    wanted = {"take_doubtful": arguments.take_doubtful, "leave_out": arguments.leave_out}
    if arguments.check:
        return _check(arguments, plan, how, wanted)
    more = {} if arguments.object_name is None else {"object_name": arguments.object_name}
    name = importing.add(
        arguments.name,
        plan,
        how,
        kind=kind,
        classes=[coding.read_class(text) for text in arguments.classes],
        sentence=arguments.about,
        on_progress=lambda done, total: tell(f"storing image {done} of {total}", done, total),
        **wanted,
        **more,
    )
    tell("")
    about = datasets.info(name)
    splits = {split: len(datasets.sample_names(name, split)) for split in about.splits}
    counted = ", ".join(f"{count} {split}" for split, count in splits.items())
    notes = plan.notes(kind)
    lines = [*notes, *_warn(plan, how), f"{name} is added: {counted}"]
    document = {"name": name, "folder": str(datasets.folder(name)), "samples": splits}
    show(arguments, document | {"notes": notes}, lines)
    return 0


def _warn(plan: "Plan", how: Division) -> list[str]:
    """The leak, where names look as if several images came from one specimen."""
    from unet_core.data import division

    pattern = division.guess_pattern(list(plan.labelled(take_doubtful=True)))
    if not pattern or how.group or how.by == "folder":
        return []
    return [f"{LEAK} The names look like several specimens: see --group '{pattern}'."]


def _check(
    arguments: argparse.Namespace, plan: "Plan", how: Division, wanted: dict[str, bool]
) -> int:
    problem = ""
    try:
        plan.chosen(**wanted)
    except ValueError as error:
        problem = str(error)
    counts = {state: count for state, count in plan.counts.items() if count}
    notes = plan.notes(arguments.kind or "")
    lines = [*_table(plan.rows), "", *notes, *_warn(plan, how)]
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()))
    document = {
        "kind": plan.kind,
        "counts": plan.counts,
        "notes": notes,
        "problem": problem,
        "pairs": [_describe(row) for row in plan.rows],
    }
    show(arguments, document, lines)
    if problem:
        raise ValueError(f"{problem}; see --take-doubtful and --leave-out")
    return 0


def _describe(row: "Row") -> dict[str, Any]:
    return {
        "name": row.pair.name,
        "image": row.pair.image,
        "labels": list(row.pair.labels),
        "state": row.pair.state,
        "why": row.pair.why,
        "split": row.pair.split,
        "shape": list(row.shape) if row.shape else None,
        "objects": row.objects,
    }


def _table(rows: "tuple[Row, ...]") -> list[str]:
    """A line for each pair, those that ask for a look at the end."""
    cells = [
        (
            row.pair.state,
            _short([row.pair.image] if row.pair.image else []),
            _short(row.pair.labels),
            "" if row.objects is None else str(row.objects),
            row.pair.why,
        )
        for row in sorted(rows, key=lambda row: row.pair.state != "found")
    ]
    head = ("state", "image", "labels", "objects", "why")
    widths = [max(len(line[at]) for line in [head, *cells]) for at in range(4)]
    return [
        "  ".join(
            [*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[4]]
        )
        for line in [head, *cells]
    ]


def _short(paths: Sequence[str]) -> str:
    """The file, leaving room for the other columns; how many where there are several."""
    if len(paths) != 1:
        return f"{len(paths)} files" if paths else "–"
    path, half = paths[0], _WIDEST // 2
    return path if len(path) <= _WIDEST else f"{path[:half]}…{path[-half + 1 :]}"


def describe(arguments: argparse.Namespace) -> int:
    """Another title or sentence for a set."""
    from unet_core.data import datasets, own

    own.describe(
        arguments.name,
        title=arguments.title,
        sentence=arguments.about,
        classes=arguments.classes,
    )
    about = datasets.info(arguments.name)
    document = {
        "name": about.name,
        "title": about.title,
        "sentence": about.sentence,
        "classes": list(about.classes),
    }
    show(arguments, document, [f"{about.name}: {about.title}. {about.sentence}"])
    return 0


def rename(arguments: argparse.Namespace) -> int:
    """Give a set another name, unless something works with it."""
    from unet_core.data import own
    from unet_core.runs import overview

    overview.check_unused(arguments.name)
    name = own.rename(arguments.name, arguments.new)
    text = f"{arguments.name} is called {name} now; runs and links that know the old name find it"
    show(arguments, {"name": name, "was": arguments.name}, [text])
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Move a set into the trash, unless something works with it."""
    from unet_core.data import own
    from unet_core.runs import overview

    overview.check_unused(arguments.name)
    gone = own.remove(arguments.name)
    document = {"name": gone.name, "folder": str(gone.place), "until": gone.until}
    text = f"{gone.name} lies in the trash for {own.KEPT_DAYS} days: `data restore {gone.name}`"
    show(arguments, document, [f"{text} brings it back"])
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Bring the set of this name that was deleted last back."""
    from unet_core.data import own

    place = own.restore(arguments.name)
    document = {"name": arguments.name, "folder": str(place)}
    show(arguments, document, [f"{arguments.name} is back in {place}"])
    return 0
