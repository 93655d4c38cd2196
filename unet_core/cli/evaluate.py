"""The commands `evaluate` and `score`: how good a model, or any tool's labels, are."""

import argparse
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from unet_core.base.config import ModelConfig, Segmentation
from unet_core.base.records import replacing
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
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="the data set (default: the protocol's, as the model knows it)",
    )
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
    parser.add_argument(
        "--errors", metavar="FILE.csv", help="also write a row for every error into this file"
    )


def _add_score(found: Any) -> None:
    parser = add_command(
        found,
        "score",
        score,
        "score label images of any tool against the truth",
        "Files are paired by their stem; a trailing _labels is ignored. In place of a label image\n"
        "stand outlines, too: a zip of ImageJ's ROIs, a GeoJSON of QuPath, or a COCO file about\n"
        "many images; of each pair one must be a label image.",
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
    _check_errors_file(arguments.errors, arguments.data)
    labels: dict[str, Any] = {}
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
        on_labels=labels.__setitem__ if arguments.job else None,
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
    if document["pooled"]:
        from unet_core.scoring import one_pixel

        document["one_pixel"] = one_pixel.measure(
            arguments.data,
            arguments.split,
            scheme=document["scheme"],
            on_progress=lambda done, total: tell(
                f"one-pixel test, step {done} of {total}", done, total
            ),
        )
        tell("")
    where = f"tuned on {document['tuned_on'] or 'nothing: they are the defaults'}"
    if settings != tuned:
        where = "as printed" if settings == printed else "given by hand"
    lines = [f"{arguments.model} on {arguments.data} {arguments.split}, thresholds {where}"]
    if document["scheme"] == "leaky":
        lines.append(catalogue.LEAK)
    mistake = trained.config.train.images.mistake
    if mistake != "none":
        lines.append(catalogue.MISTAKE.format(mistake))
    lines += [*_score_lines(document), *_pixel_lines(document), *_ladder_lines(document)]
    lines += [*_error_lines(document), *_shape_lines(document), *_one_pixel_lines(document)]
    if arguments.errors:
        _write_errors(Path(arguments.errors), document)
    if arguments.job:
        from unet_core.runs import worker

        worker.write_labels(Path(arguments.job), labels)
    show(arguments, document, lines + _protocol_lines(document))
    return 0


def _follow_protocol(arguments: argparse.Namespace, config: ModelConfig) -> Segmentation | None:
    """The settings that a protocol prints; its images and looks fill in what was not given."""
    if not arguments.protocol:
        return None
    from unet_core.scoring import protocols

    protocol = protocols.find(arguments.protocol)
    own = config.train.images.data
    is_variant = own.partition(":")[0] == protocol.data  # drawn by settings of its own
    arguments.data = arguments.data or (own if is_variant else protocol.data)
    arguments.split = arguments.split or "test"
    if problem := protocols.misfit(arguments.protocol, config, arguments.data):
        raise ValueError(problem)
    for name, value in protocol.looks.items():
        setattr(arguments, name, getattr(arguments, name) or value)
    return protocol.segmentation


def score(arguments: argparse.Namespace) -> int:
    """Score the label images of two folders."""
    from unet_core.data import pairs
    from unet_core.scoring import evaluation

    notes: list[str] = []

    def read() -> Iterator[pairs.Pair]:
        for pair in pairs.read_pairs(Path(arguments.true), Path(arguments.pred)):
            notes.extend(f"{pair.name}: {note}" for note in pair.notes)
            yield pair

    document = evaluation.score(read()) | {"notes": notes}
    show(arguments, document, _score_lines(document) + notes)
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


def _check_errors_file(name: str | None, data: str) -> None:
    """Refuse, before any work, a file for errors that will not be or cannot be written."""
    from unet_core.data import datasets

    if name is None:
        return
    if datasets.info(data).labels != "instances":
        raise ValueError(f"--errors is about objects, but {data} has classes: leave it out")
    if not Path(name).parent.is_dir():
        raise ValueError(f"--errors must name a file in a folder that exists, got {name}")


def _write_errors(path: Path, document: dict[str, Any]) -> None:
    from unet_core.scoring import errors

    with replacing(path) as draft:
        errors.table(document["errors"]["rows"]).to_csv(draft, index=False)


def _error_lines(document: dict[str, Any]) -> list[str]:
    """How many errors of each kind, and what mending them is worth."""
    found = document.get("errors")
    if not found:
        return []
    lines = [f"errors at IoU {found['iou']:.2f}{'number':>12}{'missed':>8}{'false':>8}"
             "   pooled F1 without them"]  # fmt: skip
    for row in found["kinds"]:
        f1 = "-" if row["f1_if_mended"] is None else f"{row['f1_if_mended']:.4f}"
        counts = f"{row['errors']:>8}{row['n_missed']:>8}{row['n_false']:>8}"
        lines.append(f"  {row['kind']:22}{counts}   {f1}")
    if found["left_out"]:
        lines.append(
            f"  of these, the {len(found['rows'])} that cost most are listed in files, the other "
            f"{found['left_out']} are only counted"
        )
    return lines


def _shape_lines(document: dict[str, Any]) -> list[str]:
    """How well the outlines of hits fit."""
    found = document.get("shape")
    return [f"outlines of {_describe_shape(found)}"] if found else []


def _describe_shape(found: dict[str, Any]) -> str:
    if not found["n_hits"]:
        return "hits: there is none"
    um = found["hausdorff_95_um"]
    return (
        f"{found['n_hits']} hits: boundary F1 {found['boundary_f1']:.4f} "
        f"(within {found['tolerance_px']:g} px), Hausdorff 95 % {found['hausdorff_95_px']:.2f} px"
        + ("" if um is None else f" ({um:.4f} µm)")
        + f", area {100 * found['area_error']:+.1f} % (size of the error "
        f"{100 * found['area_error_size']:.1f} %)"
    )


def _one_pixel_lines(document: dict[str, Any]) -> list[str]:
    """What the truth itself scores with other outlines."""
    lines = []
    for row in document.get("one_pixel", []):
        scores = (row["pooled"][0]["f1"], row["pooled"][5]["f1"], row["pixels"]["dice"])
        texts = ("-" if score is None else f"{score:.4f}" for score in scores)
        lines.append(
            f"the truth {row['change']} by 1 px: pooled F1 "
            + "{} at IoU 0.50, {} at 0.75, Dice {}".format(*texts)
            + f"; {_describe_shape(row['shape'])}"
        )
    return lines
