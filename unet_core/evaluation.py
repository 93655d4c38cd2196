"""Scores of whole data sets, and the thresholds that give the best ones on validation images.

Axes: C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from unet_core import (
    connectomics,
    datasets,
    images,
    instances,
    matching,
    object_groups,
    pixel_scores,
    targets,
)
from unet_core.checkpoint import Trained
from unet_core.config import ModelConfig, Segmentation

SCORES = ("precision", "recall", "f1", "ap", "pq")
# Thresholds are tuned for the mean AP over these, as results are often summed up.
TUNING_IOUS = (0.5, 0.6, 0.7, 0.8, 0.9)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """The true and the predicted labels of one image."""

    name: str
    true_HW: np.ndarray
    pred_HW: np.ndarray


def score(pairs: Iterable[Pair]) -> dict[str, Any]:
    """The scores of label images, pooled, by image, and per image.

    `pooled` adds the counts of all images and divides once; `by_image` scores each image and
    takes the mean over those that have a score (`n_scored`: an image without any true or predicted
    object has none). One row for each IoU threshold; `per_image` is at 0.5. A score that does not
    exist is None.
    """
    names, counts = [], []
    for pair in pairs:
        names.append(pair.name)
        counts.append(matching.match_many(pair.true_HW, pair.pred_HW))
    per_threshold = list(zip(*counts, strict=True)) or [()] * len(matching.IOUS)
    rows = list(zip(matching.IOUS, per_threshold, strict=True))
    return {
        "images": len(names),
        "pooled": [_pooled_row(iou, column) for iou, column in rows],
        "by_image": [_by_image_row(iou, column) for iou, column in rows],
        "per_image": [
            {
                "name": name,
                "n_true": one[0].n_true,
                "n_pred": one[0].n_pred,
                **{key: _number(getattr(one[0], key)) for key in ("f1", "ap", "pq")},
            }
            for name, one in zip(names, counts, strict=True)
        ],
    }


def _pooled_row(iou: float, counts: Iterable[matching.Counts]) -> dict[str, Any]:
    total = sum(counts, start=matching.Counts())
    scores = {key: _number(getattr(total, key)) for key in SCORES}
    return {"iou": iou, **scores, "tp": total.tp, "fp": total.fp, "fn": total.fn}


def _by_image_row(iou: float, counts: Iterable[matching.Counts]) -> dict[str, Any]:
    scored = [one for one in counts if one.n_true + one.n_pred]
    scores = {
        key: float(np.mean([getattr(one, key) for one in scored])) if scored else None
        for key in SCORES
    }
    return {"iou": iou, **scores, "n_scored": len(scored)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def read_pairs(true_folder: Path, pred_folder: Path) -> Iterator[Pair]:
    """The label images of two folders, paired by file stem; a trailing `_labels` is ignored.

    Read one pair at a time, so that a large folder fits into memory. Pictures (with colours, or
    `a.tif` beside `a_labels.tif`) and tables are skipped. Raises ValueError that names a label
    file without a partner, one that is no label image, or two of different shapes.
    """
    stems = [_label_files(folder) for folder in (true_folder, pred_folder)]
    if alone := sorted(set(stems[0]) ^ set(stems[1])):
        side = "prediction" if alone[0] in stems[0] else "truth"
        path = stems[0].get(alone[0]) or stems[1][alone[0]]
        more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise ValueError(f"{path} has no {side} of the same name{more}: every label file needs one")
    if not stems[0]:
        raise ValueError(f"there are no label images in {true_folder}")
    for stem in sorted(stems[0]):
        true_HW, pred_HW = (_read_labels(files[stem]) for files in stems)
        if true_HW.shape != pred_HW.shape:
            raise ValueError(
                f"{stem}: truth and prediction must have one shape, "
                f"got {true_HW.shape} and {pred_HW.shape}"
            )
        yield Pair(stem, true_HW, pred_HW)


def _label_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found: dict[str, Path] = {}
    paths = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".tif", ".tiff", ".png") and not path.name.startswith(".")
    ]
    stems = {path.stem for path in paths}
    for path in paths:
        if path.stem.endswith(("_overlay", "_probabilities")) or f"{path.stem}_labels" in stems:
            continue
        if f"{path.stem.removesuffix('_classes')}_labels" in stems:  # the class map of `segment`
            continue
        if path.suffix.lower() == ".png" and _has_colours(path):
            continue
        stem = path.stem.removesuffix("_labels")
        if stem in found:
            raise ValueError(f"{found[stem]} and {path.name} have the same name: keep one of them")
        found[stem] = path
    return found


def _has_colours(path: Path) -> bool:
    return "C" in _read(path).axes


def _read(path: Path) -> images.Image:
    try:
        return images.read_image(path)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None


def _read_labels(path: Path) -> np.ndarray:
    found = _read(path)
    try:
        labels_HW = images.take_plane(found).pixels
    except ValueError as problem:
        raise ValueError(f"{path} is no label image: {problem}") from None
    if labels_HW.dtype.kind not in "iub":
        raise ValueError(f"{path} holds {labels_HW.dtype} values: labels must be whole numbers")
    if labels_HW.min() < 0:
        raise ValueError(f"{path} holds negative labels: 0 is background, objects count from 1")
    return labels_HW.astype(np.int64)


@dataclass(frozen=True)
class Predicted:
    """An image's foreground and boundary probability beside its true labels."""

    name: str
    foreground_HW: np.ndarray
    boundary_HW: np.ndarray
    true_HW: np.ndarray


def predict_split(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    limit: int = 0,
    flips: bool = False,
    on_progress: Progress | None = None,
) -> list[Predicted]:
    """Probabilities of all labelled images of a split (of `limit` evenly chosen ones).

    Raises ValueError for an unknown or absent data set, or one without labelled objects.
    """
    if datasets.info(data).labels != "instances":
        raise ValueError(f"{data} has classes, not objects: there is nothing to match")
    names = datasets.pick_evenly(datasets.sample_names(data, split, scheme=scheme), limit)
    answers = _answer(trained, data, split, names, {"flips": flips}, on_progress=on_progress)
    return [_decode(one, trained.config) for one in answers]


@dataclass(frozen=True)
class _Answer:
    """An image's probabilities beside its truth."""

    name: str
    prob_CHW: np.ndarray
    true_HW: np.ndarray


def _decode(one: _Answer, config: ModelConfig) -> Predicted:
    decoded = targets.decode(one.prob_CHW, config.train.target, config.train.boundary)
    return Predicted(one.name, *decoded, one.true_HW)


def _answer(
    trained: Trained,
    data: str,
    split: str,
    names: list[str],
    options: dict[str, Any],
    *,
    crop_multiple: int = 1,
    on_progress: Progress | None,
) -> Iterator[_Answer]:
    from unet_core import inference

    for done, name in enumerate(names, start=1):
        sample = datasets.load(data, split, name)
        if sample.labels_HW is None:
            raise ValueError(f"{data} {split} has no truth: nobody has labelled it")
        height, width = (side // crop_multiple * crop_multiple for side in sample.image_HW.shape)
        if not height or not width:
            raise ValueError(f"crop_multiple {crop_multiple} leaves nothing of {name}")
        pixels_HW, true_HW = (part[:height, :width] for part in (sample.image_HW, sample.labels_HW))
        yield _Answer(name, inference.predict(trained, pixels_HW, **options), true_HW)
        if on_progress:
            on_progress(done, len(names))


def evaluate(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    segmentation: Segmentation | None = None,
    flips: bool = False,
    rotations: int = 0,
    window: int = 0,
    crop_multiple: int = 0,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """The document of `score` for a model on a split, with what was measured and how.

    `scheme` is the model's own when it was trained on the same data; `segmentation` the model's
    tuned settings unless given. `flips`, `rotations` and `window` are those of
    `inference.predict`; `crop_multiple` cuts images at the right and below to multiples of it, as
    some tutorials do. `pixels` scores the foreground above .5 (classes: the most probable),
    `membranes` is there for neuron membranes, `by_size` and `by_touching` say which true objects
    were found; sets of classes have no scores of objects.
    Raises ValueError for an unknown or absent set, a split without images or truth, and a model
    that was made for another kind of labels.
    """
    config = trained.config
    if scheme is None and config.train.data == data:
        scheme = config.train.scheme
    if crop_multiple < 0:
        raise ValueError(f"crop_multiple must be 0 or more, got {crop_multiple}")
    _check_kind(config, data)
    chosen = segmentation or config.segmentation
    names = datasets.sample_names(data, split, scheme=scheme)
    if not names:
        raise ValueError(f"{data} has no {split} images under this scheme: choose another")
    # One image at a time: a whole set's probabilities would take a gigabyte.
    answers = _answer(
        trained,
        data,
        split,
        names,
        {"flips": flips, "rotations": rotations, "window": window},
        crop_multiple=crop_multiple or 1,
        on_progress=on_progress,
    )
    about = {
        "data": data,
        "split": split,
        "scheme": datasets.resolve_scheme(data, scheme),
        "flips": flips,
        "rotations": rotations,
        "window": window,
        "crop_multiple": crop_multiple,
        "thresholds": chosen.to_dict(),
        "tuned_on": config.tuned_on if chosen == config.segmentation else "given by hand",
    }
    if config.train.target == "classes":
        return {**about, **_score_classes(answers, config)}
    return {**about, **_score_objects(answers, config, chosen, data)}


def _check_kind(config: ModelConfig, data: str) -> None:
    """Refuse a model of objects on a set of classes, the reverse, and another count of classes."""
    about = datasets.info(data)
    has_classes = about.labels == "classes"
    if has_classes and config.train.target != "classes":
        raise ValueError(f"{data} has classes, not objects: choose a model trained on classes")
    if not has_classes and config.train.target == "classes":
        raise ValueError(f"{data} has objects, but this model tells classes: choose another set")
    if has_classes and len(about.classes) != len(config.outputs):
        raise ValueError(
            f"{data} has {len(about.classes)} classes, but the model {len(config.outputs)}: "
            "choose a model that was trained on these classes"
        )


def _score_classes(answers: Iterable[_Answer], config: ModelConfig) -> dict[str, Any]:
    tally = pixel_scores.Tally(config.outputs)
    rows = [{"name": one.name, **tally.add(one.true_HW, one.prob_CHW.argmax(0))} for one in answers]
    return {
        "images": len(rows),
        "pooled": [],
        "by_image": [],
        "per_image": rows,
        "pixels": tally.document(),
    }


def _score_objects(
    answers: Iterable[_Answer], config: ModelConfig, chosen: Segmentation, data: str
) -> dict[str, Any]:
    train, about = config.train, datasets.info(data)
    tally = pixel_scores.Tally(about.classes)
    three, groups = pixel_scores.Tally(config.outputs), object_groups.Groups()
    sections: list[tuple[np.ndarray, np.ndarray]] = []
    rows: list[dict[str, float | None]] = []

    def pairs() -> Iterator[Pair]:
        for one in answers:
            found = _decode(one, config)
            rows.append(tally.add(one.true_HW > 0, found.foreground_HW > 0.5))
            if train.target == "three-class":
                classes_HW = targets.encode(one.true_HW, train.target, train.boundary)
                three.add(classes_HW, one.prob_CHW.argmax(0))
            if data == "isbi2012":
                sections.append((one.true_HW, found.foreground_HW))
            labels_HW = instances.segment(found.foreground_HW, found.boundary_HW, chosen)
            rows[-1] |= groups.add(one.true_HW, labels_HW)
            yield Pair(one.name, one.true_HW, labels_HW)

    document = score(pairs())
    for row, pixels in zip(document["per_image"], rows, strict=True):
        kept = ("dice", "accuracy", "median_diameter", "touching")
        row |= {key: pixels[key] for key in kept}
    document |= {"pixels": tally.document(), **groups.document()}
    if three.tables:
        accuracy = three.document()
        document["pixels"]["three_class_accuracy"] = accuracy["accuracy"]
        document["pixels"]["by_image"]["three_class_accuracy"] = accuracy["by_image"]["accuracy"]
    if sections:
        document["membranes"] = connectomics.curve(sections)
    return document


def tune(
    predicted: list[Predicted], config: ModelConfig, *, on_progress: Progress | None = None
) -> Segmentation:
    """The segmentation settings with the highest mean pooled AP over `TUNING_IOUS`.

    One group of settings after the other, each over a grid with the others held: the marker
    threshold with the boundary's weight, the foreground threshold, the marker threshold again,
    the smallest size. A tie keeps what was there before. Without images the defaults come back.
    """
    best = defaults(config)
    if not predicted:
        return best
    markers: list[dict[str, Any]] = [
        {"marker_threshold": marker, "boundary_weight": weight}
        for marker, weight in product(np.arange(1, 9) / 10, (0.5, 1.0, 2.0, 4.0))
    ]
    has_markers = best.method == "watershed"
    groups = [
        markers if has_markers else [],
        [{"threshold": value} for value in np.arange(6, 15) / 20],
        [{"marker_threshold": value} for value in np.arange(2, 18) / 20] if has_markers else [],
        [{"min_size": value} for value in _sizes(config)],
    ]
    best_score, done, total = _mean_ap(predicted, best), 0, sum(map(len, groups))
    for group in groups:
        start = best
        for changes in group:
            tried = start.replace(**{key: _plain(value) for key, value in changes.items()})
            value = best_score if tried == start else _mean_ap(predicted, tried)
            if value > best_score:
                best, best_score = tried, value
            done += 1
            if on_progress:
                on_progress(done, total)
    return best


def defaults(config: ModelConfig) -> Segmentation:
    """The settings to start from: watershed where the network tells boundaries."""
    has_boundary = config.train.target not in ("foreground", "classes")
    return Segmentation(method="watershed" if has_boundary else "components")


def _sizes(config: ModelConfig) -> list[int]:
    """Smallest areas worth trying: up to half that of a small object of the training set."""
    area = np.pi / 4 * (config.small or 0) ** 2
    return sorted({round(area * share) for share in (0.0, 0.125, 0.25, 0.375, 0.5)})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _mean_ap(predicted: list[Predicted], settings: Segmentation) -> float:
    totals = [matching.Counts()] * len(TUNING_IOUS)
    for one in predicted:
        labels_HW = instances.segment(one.foreground_HW, one.boundary_HW, settings)
        counts = matching.match_many(one.true_HW, labels_HW, TUNING_IOUS)
        totals = [old + new for old, new in zip(totals, counts, strict=True)]
    return float(np.nan_to_num(np.mean([total.ap for total in totals])))
