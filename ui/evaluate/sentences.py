"""What is said about an evaluation in words: what was measured, and what to know before believing.

Documents are those of the commands `evaluate` and `tune`. Nothing here draws.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ui.shared.words import many, number
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.predict.recipe import MARK, is_marked

AVERAGES = {
    "pooled": "pooled",
    "by_image": "by image",
    "middle": "by image, the middle",
    "unstated": "average not stated",
}
MEASURES = {"ap": "AP", "f1": "F1", "pq": "PQ", "precision": "Precision", "recall": "Recall"}
PAYS = 0.9  # of the draws must gain before we say that tuning pays
BY_HAND = "given by hand"  # what `tuned_on` says of thresholds that are not the model's

ABOUT_AVERAGES = (
    "**Pooled** adds hits, false alarms and misses of all images and divides once: crowded images "
    "count most. **By image** scores each image and takes the mean: every image counts the same. "
    "They can differ a lot, so compare only like with like."
)


def title(model: str, data: str, split: str) -> str:
    """What is measured on what, for lists and headings."""
    return f"{model} on {data} {split}"


def file_stem(document: dict[str, Any]) -> str:
    """The same for a file's name: a model may be a path, and a set's name carry settings."""
    parts = (Path(document["model"]).name, document["data"], document["split"])
    return re.sub(r"[^\w.-]+", "-", "-".join(parts))


def row_at(rows: Sequence[dict[str, Any]], iou: float = 0.5) -> dict[str, Any]:
    """The scores at an IoU threshold; empty where a document has none."""
    return next((row for row in rows if abs(row["iou"] - iou) < 1e-9), {})


def headline(document: dict[str, Any]) -> str:
    """The figures that tell one evaluation from another in a list."""
    pooled, by_image = (row_at(document.get(kind) or []) for kind in ("pooled", "by_image"))
    if pooled.get("f1") is not None or by_image.get("f1") is not None:
        return (
            f"F1 {number(pooled.get('f1'))} pooled, {number(by_image.get('f1'))} by image "
            "(IoU 0.50)"
        )
    pixels = document.get("pixels") or {}
    return f"mean IoU of classes {number(pixels.get('mean_iou'))}"


def has_objects(document: dict[str, Any]) -> bool:
    """Whether objects were matched: a set of classes has none."""
    return bool(document.get("pooled")) and bool(document.get("by_image"))


def formula(row: dict[str, Any]) -> str:
    """Pooled F1 with its numbers, in Markdown."""
    if row.get("f1") is None:
        return "Neither the truth nor the result holds an object: there is no score for objects."
    tp, fp, fn = row["tp"], row["fp"], row["fn"]
    return (
        f"`F1 = 2*{tp} / (2*{tp} + {fp} + {fn}) = {row['f1']:.3f}` pooled at "
        f"IoU ≥ {row['iou']:.2f}: {tp:,} hits, {fp:,} false alarms, {fn:,} misses."
    )


def is_here(data: str) -> bool:
    """Whether a data set can be read now. The name of a drawn one may carry its settings."""
    return data.partition(":")[0] in datasets.available()


def use_warnings(config: ModelConfig, data: str, split: str, scheme: str) -> list[str]:
    """Whether the chosen images have taken part in making the model, a sentence for each part."""
    found = []
    train = config.train
    if train.images.data == data and is_here(data):
        chosen = set(datasets.sample_names(data, split, scheme=scheme))
        of = {
            part: len(chosen & set(datasets.sample_names(data, part, scheme=train.images.scheme)))
            for part in ("train", "val")
        }
        if of["train"]:
            found.append(
                f"This model was trained on {_share(of['train'], len(chosen))}: the score tells "
                "how well it remembers them, and nothing about new images."
            )
        elif of["val"]:
            has_chosen = config.tuned_on not in ("", BY_HAND)
            what = "best epoch and thresholds" if has_chosen else "best epoch"
            found.append(
                f"{_share(of['val'], len(chosen)).capitalize()} chose this model's {what}: the "
                "score is a little too kind. Only test images tell how good it is on new ones."
            )
    if is_marked(config.tuned_on):
        found.append(tuned_on_test(config.tuned_on))
    return found


def are_test_images(config: ModelConfig, data: str, split: str, scheme: str) -> bool:
    """Whether some of the images are the model's test, under whatever name."""
    if split == "test" or data != config.train.images.data:
        return split == "test"
    test = datasets.sample_names(data, "test", scheme=config.train.images.scheme)
    return bool(set(test) & set(datasets.sample_names(data, split, scheme=scheme)))


def tuned_on_test(tuned_on: str) -> str:
    """The loud sentence about thresholds that test images have chosen."""
    return (
        f"The thresholds were chosen on {tuned_on}. Scores on those images are too good and "
        "are no measurement: do not report them."
    )


def _share(part: int, whole: int) -> str:
    if part == whole:
        return "this image" if whole == 1 else f"these {whole} images"
    return f"{part} of these {whole} images"


def mismatch(config: ModelConfig, data: str) -> str:
    """Why a model cannot be scored on a data set; empty when it can."""
    about, train = datasets.info(data), config.train
    if about.labels == "classes" and train.objective.target != "classes":
        return (
            f"{data} has classes to tell apart, but this model tells objects from background: "
            "choose a model with the target classes, or another data set."
        )
    if about.labels != "classes" and train.objective.target == "classes":
        return (
            f"{data} has objects, but this model tells classes apart: choose another model, or "
            f"{train.images.data}, on which it was trained."
        )
    if train.objective.target == "classes" and len(about.classes) != len(config.outputs):
        return (
            f"{data} has {len(about.classes)} classes, but this model tells "
            f"{len(config.outputs)}: choose a model that was trained on these."
        )
    return ""


def settings(document: dict[str, Any]) -> str:
    """How the figures of an evaluation were made, in one line."""
    thresholds = document.get("thresholds") or {}
    parts = [many(document["images"], "image"), f"scheme {document['scheme']}"]
    if thresholds and has_objects(document):
        parts += [_describe(thresholds), _where_tuned(document)]
    if document.get("flips"):
        parts.append("averaged over flips and rotations")
    for key, words in (
        ("rotations", "averaged over {} rotations"),
        ("window", "sliding window of {} px"),
        ("crop_multiple", "images cut to multiples of {}"),
        ("middle", "pixels of the middle {} px scored, too"),
    ):
        if document.get(key):
            parts.append(words.format(document[key]))
    return " · ".join(parts)


def _where_tuned(document: dict[str, Any]) -> str:
    tuned_on, protocol = document.get("tuned_on") or "", document.get("protocol")
    if protocol and protocol["settings"] == document["thresholds"]:
        return "as printed in the tutorial"
    if tuned_on == BY_HAND:
        return "thresholds given by hand"
    return f"tuned on {tuned_on}" if tuned_on else "not tuned: the usual settings"


def _describe(thresholds: dict[str, Any]) -> str:
    """Segmentation settings, short: those that the method uses."""
    text = f"{thresholds['method']}, threshold {thresholds['threshold']:g}"
    if thresholds["method"] == "watershed":
        text += f", markers {thresholds['marker_threshold']:g}"
        text += f", boundary weight {thresholds['boundary_weight']:g}"
        text += "" if thresholds.get("flood_corners", True) else ", not across corners"
    if thresholds.get("reading", "objects") == "inside":
        text += ", inside alone"
    if thresholds.get("connectivity", 8) == 4:
        text += ", connectivity 4"
    return text + f", from {thresholds['min_size']} px²"


def plateau(document: dict[str, Any]) -> str:
    """How broad the top of a landscape is, and what that means."""
    top, cells = document["plateau"], document["plateau"]["cells"]
    n_cells = sum(map(len, document["values"]))
    if document["best"]["value"] is None or not cells:
        return "There is nothing to score in these images, so no setting is better than another."
    if len(cells) == 1:
        return (
            f"The top is a single point: each of the other {n_cells - 1} settings is more than "
            f"{top['within']:g} worse. Such a choice may not hold on other images."
        )
    spans = " and ".join(
        f"{label} {_span(top[name])}"
        for name, label in (("threshold", "foreground"), (document["second"], _second(document)))
    )
    text = f"{len(cells)} of {n_cells} settings are within {top['within']:g} of the best: {spans}. "
    if len(cells) >= n_cells / 10:
        return text + "The top is broad: the exact values hardly matter."
    return text + "The top is narrow: look again on other images."


def gain(document: dict[str, Any]) -> str:
    """Whether tuning pays: only where images that did not choose gain from it nearly always."""
    found, settings = document.get("gain"), "the settings from before"
    if document["best"]["value"] is None:
        return ""
    if document["best"]["segmentation"] == document["base"]["segmentation"]:
        return f"No other point is better than {settings}."
    if not found:
        return "One image cannot tell whether tuning pays: use more."
    text = (
        f"chosen on images drawn at random, the best point beats {settings} on the other images "
        f"in {found['better']:.0%} of {found['draws']} draws, typically by "
        f"{round(found['median'], 3) + 0:+.3f}"
    )
    if found["better"] >= PAYS:
        return f"Tuning pays: {text}."
    return f"It is not shown that tuning pays: {text}. {PAYS:.0%} would show it."


def _second(document: dict[str, Any]) -> str:
    return {"marker_threshold": "markers", "min_size": "minimum area"}[document["second"]]


def _span(values: Sequence[float]) -> str:
    low, high = values
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def tune_headline(document: dict[str, Any]) -> str:
    """The best point of a landscape, for a list."""
    best = document["best"]
    text = (
        f"{AVERAGES[document['average']]} {MEASURES[document['measure']]} "
        f"{number(best['value'])} at foreground {best['threshold']:g}, "
        f"{_second(document)} {best[document['second']]:g}"
    )
    return f"{MARK}: {text}" if document["on_test"] else text
