"""The command `data`: list, download, describe and pack the data sets; `own` has the own ones."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unet_core.base import folders
from unet_core.base.records import finite
from unet_core.cli import own
from unet_core.cli.output import progress, show
from unet_core.cli.parser import add_command, add_job, list_settings
from unet_core.data import catalogue
from unet_core.data.patches import Patches
from unet_core.data.shapes import Shapes

FEW = 6  # images that are named of each finding; --json has all


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = found.add_parser(
        "data",
        help="list, download, describe and pack the data sets, and add own ones",
        description="List, download, describe and pack the data sets, and add own ones. They are "
        "looked for in $UNET_DATA, then ./data.",
    )
    verbs = parser.add_subparsers(
        metavar="list|fetch|stats|check|pack|add|describe|rename|remove|restore", required=True
    )
    add_command(verbs, "list", list_sets, "list the data sets and whether they are here")
    one = add_command(verbs, "fetch", fetch, "download a data set; continues a broken one")
    add_job(one)
    one.add_argument("name", metavar="NAME", help="the data set")
    one.add_argument(
        "--accept-licence", action="store_true", help="you have read its licence and agree"
    )
    one = add_command(verbs, "stats", stats, "describe the images and objects of a set")
    add_job(one)
    one.add_argument("name", metavar="NAME", help="the data set")
    one.add_argument("--scheme", help="how training images are divided (default: the set's own)")
    one = add_command(verbs, "check", check, "say what is doubtful about the images of a set")
    one.add_argument("name", metavar="NAME", help="the data set")
    one.add_argument("--model", help="also whether this checkpoint or run knows such images")
    _add_pack(verbs)
    own.add_to(verbs)


def _add_pack(verbs: Any) -> None:
    parser = add_command(
        verbs,
        "pack",
        pack,
        "write a zip of a synthetic set's images and masks, whole or cut into patches",
        f"settings for --patches:\n{list_settings(Patches)}\n\nsettings in the name of a set, "
        f"such as synthetic-shapes:noise=30,lines=3,8:\n{list_settings(Shapes)}",
    )
    parser.add_argument("name", metavar="NAME", help="the synthetic data set")
    parser.add_argument("--split", default="train", help="train (default), val or test")
    parser.add_argument("--scheme", help="how training images are divided (default: the set's own)")
    parser.add_argument(
        "--patches",
        metavar="KEY=VALUE",
        nargs="*",
        help="cut patches, such as --patches count=20 side=96; without it the images are whole",
    )
    parser.add_argument("--out", metavar="FILE", help="the zip (default: named after its content)")


def list_sets(arguments: argparse.Namespace) -> int:
    """Which sets there are, which are here, and how to get the others."""
    from unet_core.data import datasets
    from unet_core.data.own import broken

    found = [_describe_set(datasets.info(name)) for name in datasets.names()]
    lines = []
    for one in found:
        splits = ", ".join(f"{count} {split}" for split, count in one["samples"].items())
        lines.append(f"{one['name']:18}{one['title']}: {splits or 'not downloaded'}")
        if one["problem"]:
            lines.append(f"{'':18}{one['problem']}")
    unreadable = broken()
    lines += [f"{name:18}{problem}" for name, problem in unreadable.items()]
    document = {"root": str(folders.data()), "data": found, "broken": unreadable}
    show(arguments, document, lines)
    return 0


def _describe_set(known: catalogue.DataSet) -> dict[str, Any]:
    from unet_core.data import datasets

    samples, problem = {}, ""
    try:
        for split in known.splits:
            samples[split] = len(datasets.sample_names(known.name, split))
    except ValueError as error:
        samples, problem = {}, str(error)
    place = datasets.folder(known.name)
    return {
        "name": known.name,
        "title": known.title,
        "sentence": known.sentence,
        "available": not problem,
        "problem": problem,
        "is_own": known.is_own,
        "folder": str(place) if place else None,
        "samples": samples,
        "schemes": list(known.schemes),
        "labels": known.labels,
        "licence": known.licence,
    }


def fetch(arguments: argparse.Namespace) -> int:
    """Download one set."""
    from unet_core.data import datasets

    tell = progress(arguments)
    known = datasets.info(arguments.name)
    if known.must_accept and not arguments.accept_licence and datasets.folder(known.name) is None:
        raise ValueError(
            f"{known.name} has a licence to accept first: {known.licence} "
            f"If you agree, add --accept-licence"
        )
    place = datasets.fetch(
        arguments.name,
        accept_licence=arguments.accept_licence,
        on_progress=lambda step: tell(step.text, step.done, step.total or 0),
    )
    tell("")
    show(arguments, {"name": known.name, "folder": str(place)}, [f"{known.name} is in {place}"])
    return 0


def stats(arguments: argparse.Namespace) -> int:
    """Numbers on the images and objects of each split, and what they mean for training."""
    from unet_core.data import datasets, statistics

    tell = progress(arguments)
    tables = datasets.statistics(
        arguments.name,
        scheme=arguments.scheme,
        on_progress=lambda done, total: tell(f"image {done} of {total}", done, total),
    )
    tell("")
    scheme = datasets.resolve_scheme(arguments.name, arguments.scheme)
    splits, lines = {}, [f"{arguments.name}, scheme {scheme}"]
    for split, facts in statistics.summary(tables).items():
        values = {name: finite(value) for name, value in asdict(facts).items()}
        values["shapes"] = [
            {"height": height, "width": width, "images": count}
            for (height, width), count in facts.shapes.items()
        ]
        splits[split] = values | {"meaning": statistics.meaning(facts)}
        lines += [f"{split}: {facts.images} images, {facts.objects} objects"]
        lines += [f"  {text}" for text in splits[split]["meaning"].values()]
    show(arguments, {"name": arguments.name, "scheme": scheme, "splits": splits}, lines)
    return 0


def check(arguments: argparse.Namespace) -> int:
    """What is doubtful about a set's images and labels, and what to do about it."""
    from unet_core.data import doctor
    from unet_core.network import checkpoint

    tell = progress(arguments)
    config = checkpoint.read_config(arguments.model) if arguments.model else None
    found = doctor.check(
        arguments.name,
        config,
        on_progress=lambda done, total: tell(f"image {done} of {total}", done, total),
    )
    tell("")
    lines = []
    for one in found:
        lines += [f"{one.severity}: {one.what}", f"  {one.advice}"]
        if one.images:
            more = ", …" if len(one.images) > FEW else ""
            lines.append(f"  {', '.join(one.images[:FEW])}{more}")
    document = {"name": arguments.name, "findings": [asdict(one) for one in found]}
    show(arguments, document, lines or [f"{arguments.name}: nothing is doubtful"])
    return 0


def pack(arguments: argparse.Namespace) -> int:
    """A zip of a synthetic set's images and masks, whole or cut into patches."""
    from unet_core.base import records
    from unet_core.data import patch_set
    from unet_core.data.patches import Patches

    cut = None if arguments.patches is None else Patches().with_text(arguments.patches)
    name, split, scheme = arguments.name, arguments.split, arguments.scheme
    out = Path(arguments.out or patch_set.file_name(name, split, scheme=scheme, cut=cut))
    tell = progress(arguments)
    packed = patch_set.pack(
        name,
        split,
        scheme=scheme,
        cut=cut,
        on_progress=lambda done, total: tell(f"image {done} of {total}", done, total),
    )
    tell("")
    out.parent.mkdir(parents=True, exist_ok=True)
    with records.replacing(out) as draft:
        draft.write_bytes(packed.content)
    document = {"path": str(out), "images": packed.images, "bytes": len(packed.content)}
    show(arguments, document, [f"{packed.images} images and their masks are in {out}"])
    return 0
