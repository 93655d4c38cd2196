"""The command `compare`: is one recipe better than another, or is it chance?"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_core.base.records import finite
from unet_core.cli.output import Tell, progress, show
from unet_core.cli.parser import add_command, add_job
from unet_core.data import catalogue

if TYPE_CHECKING:  # a mistake is told without waiting for numpy
    from unet_core.scoring.comparison import Side


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a name stands for: models to evaluate, or a stored evaluation of one."""

    name: str
    models: tuple[str, ...] = ()
    stored: dict[str, Any] | None = None
    note: str = ""  # on seeds that are missing


def add_to(found: Any) -> None:
    """Add the command to the parsers that were found."""
    parser = add_command(
        found,
        "compare",
        compare,
        "tell whether B is better than A, or whether it is chance",
        "A and B are each a run, a shipped checkpoint, a repeat (its finished seeds), or a file\n"
        "that `evaluate --json` has printed. Both are measured on the same images; B minus A is\n"
        "told with a 95 % interval (bootstrap over images) and with what the seeds make of it.",
    )
    add_job(parser)
    parser.add_argument("first", metavar="A", help="a model, a repeat, or a stored evaluation")
    parser.add_argument("second", metavar="B", help="another one")
    parser.add_argument("--data", metavar="NAME", help="the data set (default: that of both)")
    parser.add_argument("--split", metavar="SPLIT", help="which of its images: train, val or test")
    parser.add_argument("--scheme", help="how training images are divided (default: that of both)")
    parser.add_argument(
        "--measure",
        metavar="NAME",
        default="",
        help="f1, ap or mean_iou (default: f1 for objects, mean_iou for classes and membranes)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: auto takes a GPU)"
    )


def compare(arguments: argparse.Namespace) -> int:
    """Measure both on the same images, and tell the difference."""
    if arguments.first == arguments.second:
        raise ValueError(f"A and B are both {arguments.first}: name two different ones")
    found = [find(name) for name in (arguments.first, arguments.second)]
    data, split, scheme = _agree(found, arguments)
    tell = progress(arguments)
    from unet_core.scoring import comparison

    count = [len(one.models) for one in found]
    first, second = (
        _measure(one, data, split, scheme, arguments.device, tell, done=done, total=sum(count))
        for one, done in zip(found, (0, count[0]), strict=True)
    )
    tell("")
    document = finite(comparison.compare(first, second, arguments.measure))
    show(arguments, document, _lines(document, comparison.sentences(document)))
    return 0


def find(name: str) -> Named:
    """What a name stands for; ValueError with a sentence where it is nothing to compare."""
    from unet_core.network import checkpoint
    from unet_core.runs import repeats, runs

    if name.endswith(".json"):
        return Named(name=Path(name).stem, stored=_read(Path(name)))
    try:
        repeat = repeats.find(name)
    except ValueError:
        checkpoint.read_config(name)
        return Named(name=name, models=(name,))
    finished, told = repeat.finished(), repeats.summary(repeat, repeat.statuses())
    if not finished:
        raise ValueError(f"repeat {name} has no finished seed to compare: {told.rstrip('.')}")
    note = "" if len(finished) == len(repeat.runs) else told
    unequal = sorted(runs.differences(finished).keys() - {"seed"})
    if unequal:
        note = f"{note} Its seeds have different settings: {', '.join(unequal)}.".lstrip()
    return Named(name=name, models=tuple(run.id for run in finished), note=note)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{path.name} is no JSON: store what `evaluate --json` prints") from None
    if not isinstance(found, dict) or "per_image" not in found:
        raise ValueError(
            f"{path.name} is no evaluation with scores of single images: store what "
            "`evaluate --json` of this version prints"
        )
    return found


def _agree(found: Sequence[Named], arguments: argparse.Namespace) -> tuple[str, str, str]:
    """The set, split and scheme on which models are measured; ValueError where they share none."""
    from unet_core.data import datasets

    if not any(one.models for one in found):
        return "", "", ""  # both are stored: the comparison itself looks whether they fit
    sets = [_facts(one) for one in found]
    data = arguments.data or sets[0][0]
    if not arguments.data and sets[0][0] != sets[1][0]:
        raise ValueError(
            f"{found[0].name} belongs to {sets[0][0]}, {found[1].name} to {sets[1][0]}: name the "
            "set to compare them on with --data"
        )
    stored = [one.stored for one in found if one.stored is not None]
    split = arguments.split or (str(stored[0].get("split", "")) if stored else "")
    if not split:
        raise ValueError("name the images with --split: train, val or test")
    schemes = [
        datasets.resolve_scheme(data, arguments.scheme or (scheme if own == data else None))
        for own, scheme in sets
    ]
    names = [datasets.sample_names(data, split, scheme=scheme) for scheme in schemes]
    if names[0] != names[1]:
        raise ValueError(
            f"{found[0].name} and {found[1].name} have no common {split} images of {data}, for "
            f"their schemes are {schemes[0]} and {schemes[1]}: name one with --scheme, or another "
            "split"
        )
    return data, split, schemes[0]


def _facts(one: Named) -> tuple[str, str]:
    """The data set and scheme of what was named."""
    from unet_core.network import checkpoint

    if one.stored is not None:
        return str(one.stored.get("data", "")), str(one.stored.get("scheme", "")) or "default"
    images = checkpoint.read_config(one.models[0]).train.images
    return images.data, images.scheme


def _measure(
    one: Named,
    data: str,
    split: str,
    scheme: str,
    device: str,
    tell: Tell,
    *,
    done: int,
    total: int,
) -> "Side":
    """The evaluations of one of the two; `done` of `total` models were measured before."""
    from unet_core.scoring.comparison import Side

    if one.stored is not None:
        return Side(name=one.name, documents=[one.stored])
    from unet_core.network import checkpoint
    from unet_core.scoring import evaluation

    documents = []
    for place, model in enumerate(one.models, start=done):

        def on_image(image: int, images: int, place: int = place, model: str = model) -> None:
            tell(f"{model}: image {image} of {images}", place * images + image, total * images)

        trained = checkpoint.load(model, device=device)
        found = evaluation.evaluate(trained, data, split, scheme=scheme, on_progress=on_image)
        documents.append({"model": model, **found})
    return Side(name=one.name, documents=documents, note=one.note)


def _lines(document: dict[str, Any], sentences: list[str]) -> list[str]:
    where = " ".join(str(document[key]) for key in ("data", "split") if document[key])
    lines = [f"{document['title']}, {document['average']}; {document['images']} images {where}"]
    if document["scheme"] == "leaky":
        lines.append(catalogue.LEAK)
    for letter, key in (("A", "first"), ("B", "second")):
        side = document[key]
        deviation = "" if side["deviation"] is None else f" ± {side['deviation']:.4f}"
        count = "1 run" if side["n"] == 1 else f"mean and deviation of {side['n']} seeds"
        lines.append(f"  {letter}  {side['mean']:.4f}{deviation}  ({count}) {side['name']}")
        if side["note"]:
            lines.append(f"     {side['note']}")
    if document["low"] is not None:
        lines.append(
            f"  B - A  {document['difference']:+.4f}, 95 % interval {document['low']:+.4f} to "
            f"{document['high']:+.4f}"
        )
    return lines + sentences
