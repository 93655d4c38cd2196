"""The commands: arguments in, files and one document out; each gives its exit code."""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unet_core import catalogue, presets, runs
from unet_core.config import TrainConfig
from unet_core.faults import exit_code
from unet_core.records import finite
from unet_core.runs import Run

if TYPE_CHECKING:
    from unet_core.predictions import View

INPUT_OPTIONS = ("plane", "channel", "invert", "scale", "flips", "rotations", "window")


def show(arguments: argparse.Namespace, document: Any, lines: list[str]) -> None:
    """Print the document with --json, else the lines; a job's document is stored, too."""
    if arguments.job:
        from unet_core import worker

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
        from unet_core import worker

        return worker.Teller(Path(arguments.job)).tell
    is_watched = sys.stderr.isatty() and not arguments.json

    def tell(text: str, done: int = 0, total: int = 0) -> None:
        if is_watched:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return tell


# Data -------------------------------------------------------------------------------------------


def data_list(arguments: argparse.Namespace) -> int:
    """Which sets there are, which are here, and how to get the others."""
    from unet_core import datasets

    found = [_describe_set(known) for known in catalogue.SETS.values()]
    lines = []
    for one in found:
        splits = ", ".join(f"{count} {split}" for split, count in one["samples"].items())
        lines.append(f"{one['name']:18}{one['title']}: {splits or 'not downloaded'}")
        if one["problem"]:
            lines.append(f"{'':18}{one['problem']}")
    document = {"root": str(datasets.root()), "data": found}
    show(arguments, document, lines)
    return 0


def _describe_set(known: catalogue.DataSet) -> dict[str, Any]:
    from unet_core import datasets

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
        "folder": str(place) if place else None,
        "samples": samples,
        "schemes": list(known.schemes),
        "labels": known.labels,
        "licence": known.licence,
    }


def data_fetch(arguments: argparse.Namespace) -> int:
    """Download one set."""
    from unet_core import datasets

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
        on_progress=lambda step: tell(step.text),
    )
    tell("")
    show(arguments, {"name": known.name, "folder": str(place)}, [f"{known.name} is in {place}"])
    return 0


def data_stats(arguments: argparse.Namespace) -> int:
    """Numbers on the images and objects of each split, and what they mean for training."""
    from unet_core import datasets, statistics

    tell = progress(arguments)
    tables = datasets.statistics(
        arguments.name,
        scheme=arguments.scheme,
        on_progress=lambda done, total: tell(f"image {done} of {total}"),
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


def data_pack(arguments: argparse.Namespace) -> int:
    """A zip of a synthetic set's images and masks, whole or cut into patches."""
    from unet_core import patch_set, records
    from unet_core.patches import Patches

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


# Training ---------------------------------------------------------------------------------------


def train(arguments: argparse.Namespace) -> int:
    """Train in the foreground: a new run, or the one in --run."""
    from unet_core import training

    run = _run_to_train(arguments)
    report = None if arguments.json else lambda text: print(text, flush=True)
    outcome = training.train(run, resume=arguments.resume, report=report)
    document = {
        "run": run.id,
        "path": str(run.path),
        "config": run.config.to_dict(),
        "status": outcome.status.to_dict(),
        "metrics": run.metrics().rows,
    }
    if arguments.json:
        show(arguments, document, [])
    if outcome.error is not None:
        code = exit_code(outcome.error)
        # The log has the trace of a fault already.
        print(f"error: {outcome.status.reason}", file=sys.stderr)
        return code
    return 130 if outcome.was_signalled else 0


def _run_to_train(arguments: argparse.Namespace) -> Run:
    changes = [name for name in ("preset", "data", "set") if getattr(arguments, name)]
    path = Path(arguments.run) if arguments.run else None
    if path is not None and (path / "config.json").is_file():
        if changes:
            raise ValueError(
                f"{path} holds a run with its own settings: leave out --{changes[0]}, "
                "or choose another folder"
            )
        return Run(path)
    if arguments.resume:
        where = f"{path} holds no run (no config.json)" if path else "name it with --run"
        raise ValueError(f"there is no run to resume: {where}")
    if not arguments.preset:
        raise ValueError(f"choose a recipe with --preset: {', '.join(presets.PRESETS)}")
    config, note = configure(arguments)
    if note:
        print(note, file=sys.stderr if arguments.json else sys.stdout)
    if path is None:
        return runs.create(config, preset=arguments.preset, note=note)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} is there already and holds no run: choose a new folder for --run")
    path.mkdir(parents=True, exist_ok=True)
    runs.fill(Run(path), config, note=note)
    return Run(path)


def configure(arguments: argparse.Namespace) -> tuple[TrainConfig, str]:
    """The settings of a preset with the changes asked for, checked against the data."""
    from unet_core import datasets

    config, note = presets.preset(arguments.preset).config, ""
    wanted = [text for text in arguments.set if text.partition("=")[0].strip() == "data"]
    name = wanted[-1].partition("=")[2].strip() if wanted else arguments.data
    if name:
        has_classes = datasets.info(name).labels == "classes"
        config, note = presets.move(config, name, has_classes=has_classes)
    elif arguments.preset == "quick":
        config, note = presets.fall_back(config, datasets.available())
    config = config.with_text(arguments.set)
    datasets.sample_names(config.data, "train", scheme=config.scheme)
    return config, note


# Segmenting and scoring -------------------------------------------------------------------------


def segment(arguments: argparse.Namespace) -> int:
    """Segment files; the good ones are finished, the bad ones named."""
    from unet_core import batch, checkpoint, images
    from unet_core.recipe import Recipe, where_tuned

    config = checkpoint.read_config(arguments.model)
    segmentation = config.segmentation.with_text(_given(arguments, config.segmentation.to_dict()))
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
    found = batch.segment_files(
        [Path(name) for name in arguments.files],
        Path(arguments.out),
        recipe.with_text(_given(arguments, others)),
        device=arguments.device,
        on_progress=lambda index, total: tell(f"file {index + 1} of {total}"),
    )
    tell("")
    show(arguments, found.to_dict(), found.lines())
    if found.failed:
        reasons = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in found.failed.items())
        print(f"error: {reasons}", file=sys.stderr)
    return 2 if found.failed else 0


def _given(arguments: argparse.Namespace, names: Iterable[str]) -> list[str]:
    """The settings that were given, as texts like `scale=2`."""
    values = {name: getattr(arguments, name) for name in names}
    return [f"{name}={value}" for name, value in values.items() if value is not None]


def evaluate(arguments: argparse.Namespace) -> int:
    """Score a model on a split."""
    from unet_core import checkpoint, datasets

    tuned = checkpoint.read_config(arguments.model).segmentation
    datasets.sample_names(arguments.data, arguments.split, scheme=arguments.scheme)
    from unet_core import evaluation

    settings = tuned.with_text(_given(arguments, tuned.to_dict()))
    view, tell = read_view(arguments), progress(arguments)
    trained = checkpoint.load(arguments.model, device=arguments.device)
    document = evaluation.evaluate(
        trained,
        arguments.data,
        arguments.split,
        scheme=arguments.scheme,
        segmentation=settings,
        view=view,
        n_patches=arguments.patches,
        on_progress=lambda done, total: tell(f"image {done} of {total}", done, total),
    )
    tell("")
    document = {"model": arguments.model, **document}
    if arguments.ladder:
        from unet_core import ladder

        document["ladder"] = ladder.ladder(
            trained,
            arguments.data,
            arguments.split,
            scheme=arguments.scheme,
            segmentation=settings if settings != tuned else None,
            view=view,
            on_progress=tell,
        )
        tell("")
    where = document["tuned_on"] or "nothing: they are the defaults"
    lines = [
        f"{arguments.model} on {arguments.data} {arguments.split}, thresholds tuned on {where}"
    ]
    if document["scheme"] == "leaky":
        lines.append(catalogue.LEAK)
    lines += [*_score_lines(document), *_pixel_lines(document), *_ladder_lines(document)]
    show(arguments, document, lines)
    return 0


def read_view(arguments: argparse.Namespace) -> "View":
    """How the network is to look at the images."""
    from unet_core.predictions import View

    return View(**{about.name: getattr(arguments, about.name) for about in fields(View)})


def score(arguments: argparse.Namespace) -> int:
    """Score the label images of two folders."""
    from unet_core import evaluation, pairs

    found = pairs.read_pairs(Path(arguments.true), Path(arguments.pred))
    document = evaluation.score(found)
    show(arguments, document, _score_lines(document))
    return 0


def _pixel_lines(document: dict[str, Any]) -> list[str]:
    """Scores of pixels, and of membranes where there are any."""
    pixels, found = document["pixels"], document.get("membranes")
    names = {"dice": "Dice", "iou": "IoU", "mean_iou": "mean IoU", "accuracy": "accuracy"}
    names["three_class_accuracy"] = "accuracy of 3 classes"
    names["patch_mean_iou"] = "mean IoU on patches"
    lines = [
        f"pixels, {kind}: "
        + ", ".join(f"{label} {row[key]:.4f}" for key, label in names.items() if row.get(key))
        for kind, row in (("pooled", pixels), ("mean of images", pixels["by_image"]))
    ]
    if found:
        lines.append(
            f"membranes, {found['sections']} sections pooled: V_rand {found['v_rand']:.4f}, "
            f"V_info {found['v_info']:.4f} at threshold {found['threshold']:g} "
            f"({found['convention']})"
        )
    return lines


def _score_lines(document: dict[str, Any]) -> list[str]:
    names = ("precision", "recall", "f1", "ap", "pq")
    lines = []
    for kind, title in (("pooled", "counts of all images added"), ("by_image", "mean of images")):
        if not document[kind]:  # a set of classes
            continue
        lines += [f"{kind} ({title}, {document['images']} images)"]
        lines += ["  IoU  " + "".join(f"{name:>11}" for name in names)]
        for row in document[kind]:
            cells = ("-" if row[name] is None else f"{row[name]:.4f}" for name in names)
            lines.append(f"  {row['iou']:.2f} " + "".join(f"{cell:>11}" for cell in cells))
    return lines


def _ladder_lines(document: dict[str, Any]) -> list[str]:
    """The same images by other ways, at the first IoU threshold."""
    rungs = document.get("ladder", [])
    lines = (
        [f"{'the ladder, at IoU 0.50':34}{'pooled F1':>11}{'AP':>8}{'by image F1':>14}{'AP':>8}"]
        if rungs
        else []
    )
    for rung in rungs:
        scores = (rung[kind][0][name] for kind in ("pooled", "by_image") for name in ("f1", "ap"))
        cells = ("-" if score is None else f"{score:.3f}" for score in scores)
        widths = (11, 8, 14, 8)
        texts = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {rung['name']:32}" + "".join(texts))
    return lines
