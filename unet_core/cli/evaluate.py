"""The commands `evaluate` and `score`: how good a model, or any tool's labels, are."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from unet_core.base.config import ModelConfig, Segmentation
from unet_core.cli.output import progress, show
from unet_core.cli.parser import (
    Parser,
    add_command,
    add_job,
    add_model,
    add_options,
    add_view,
    given_options,
    read_view,
)
from unet_core.data import catalogue


def add_to(found: Any) -> None:
    """Add both commands to the parsers that were found."""
    _add_evaluate(found)
    _add_score(found)


def _add_evaluate(found: Any) -> None:
    parser = add_command(found, "evaluate", evaluate, "score a model on the images of a data set")
    parser.fill = _fill


def _fill(parser: Parser) -> None:
    from unet_core.scoring.protocols import PROTOCOLS

    add_job(parser)
    add_model(parser)
    parser.add_argument("--data", metavar="NAME", help="the data set (default: the protocol's)")
    parser.add_argument(
        "--split",
        metavar="SPLIT",
        help="which of its images: train, val or test (default: the test, with a protocol)",
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        help="measure as a tutorial printed it, but for the options that are given, too: "
        + ", ".join(PROTOCOLS),
    )
    parser.add_argument("--scheme", help="how training images are divided (default: the model's)")
    add_view(parser)
    parser.add_argument(
        "--patches",
        metavar="N",
        type=int,
        default=0,
        help="for sets of classes: also score N patches from each image, as in training",
    )
    parser.add_argument(
        "--middle",
        metavar="N",
        type=int,
        default=0,
        help="also score the pixels of the middle N x N px of each image, as the mean of images",
    )
    group = parser.add_argument_group("how probabilities become objects (default: the model's)")
    add_options(group, fields(Segmentation))
    parser.add_argument(
        "--ladder",
        action="store_true",
        help="also score rules without a network, an untrained one, and perfect ones",
    )


def _add_score(found: Any) -> None:
    parser = add_command(
        found,
        "score",
        score,
        "score label images of any tool against the truth",
        "Files are paired by their stem; a trailing _labels is ignored.",
    )
    parser.add_argument("--true", metavar="DIR", required=True, help="folder of true label images")
    parser.add_argument("--pred", metavar="DIR", required=True, help="folder of predicted ones")


def evaluate(arguments: argparse.Namespace) -> int:
    """Score a model on a split."""
    from unet_core.data import datasets
    from unet_core.network import checkpoint

    config = checkpoint.read_config(arguments.model)
    printed = _follow_protocol(arguments, config)
    if not arguments.data or not arguments.split:
        raise ValueError(
            "name the images with --data and --split, or with --protocol a tutorial that did"
        )
    datasets.sample_names(arguments.data, arguments.split, scheme=arguments.scheme)
    from unet_core.scoring import evaluation, protocols

    tuned = config.segmentation
    settings = (printed or tuned).with_text(given_options(arguments, tuned.to_dict()))
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
        middle=arguments.middle,
        on_progress=lambda done, total: tell(f"image {done} of {total}", done, total),
    )
    tell("")
    document = {"model": arguments.model, **document}
    if arguments.protocol:
        document["protocol"] = protocols.compare(arguments.protocol, document)
    if arguments.ladder:
        from unet_core.scoring import ladder

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
    where = f"tuned on {document['tuned_on'] or 'nothing: they are the defaults'}"
    if settings != tuned:
        where = "as printed" if settings == printed else "given by hand"
    lines = [f"{arguments.model} on {arguments.data} {arguments.split}, thresholds {where}"]
    if document["scheme"] == "leaky":
        lines.append(catalogue.LEAK)
    lines += [*_score_lines(document), *_pixel_lines(document), *_ladder_lines(document)]
    show(arguments, document, lines + _protocol_lines(document))
    return 0


def _follow_protocol(arguments: argparse.Namespace, config: ModelConfig) -> Segmentation | None:
    """The settings that a protocol prints; its images and looks fill in what was not given."""
    if not arguments.protocol:
        return None
    from unet_core.scoring import protocols

    protocol = protocols.find(arguments.protocol)
    arguments.data, arguments.split = arguments.data or protocol.data, arguments.split or "test"
    if problem := protocols.misfit(arguments.protocol, config, arguments.data):
        raise ValueError(problem)
    for name, value in protocol.looks.items():
        setattr(arguments, name, getattr(arguments, name) or value)
    return protocol.segmentation


def score(arguments: argparse.Namespace) -> int:
    """Score the label images of two folders."""
    from unet_core.data import pairs
    from unet_core.scoring import evaluation

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
    kinds = {"pooled": pixels, "mean of images": pixels["by_image"]}
    if middle := pixels.get("middle"):
        kinds[f"mean of images, each by its middle {middle['side']} px"] = middle
    lines = [
        f"pixels, {kind}: "
        + ", ".join(f"{label} {row[key]:.4f}" for key, label in names.items() if row.get(key))
        for kind, row in kinds.items()
    ]
    if found:
        lines.append(
            f"membranes, {found['sections']} sections pooled: V_rand {found['v_rand']:.4f}, "
            f"V_info {found['v_info']:.4f} at threshold {found['threshold']:g} "
            f"({found['convention']})"
        )
    return lines


def _protocol_lines(document: dict[str, Any]) -> list[str]:
    """The tutorial's figures beside ours."""
    found = document.get("protocol")
    if not found:
        return []
    but = f", but for {', '.join(found['changed'])}" if found["changed"] else ""
    lines = [f"as printed in {found['title']}{but}:"]
    for row in found["figures"]:
        theirs, ours = (
            "-" if row[key] is None else f"{row[key]:.4f}" for key in ("theirs", "ours")
        )
        lines.append(f"  {row['label']}: theirs {theirs}, this model {ours}")
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
