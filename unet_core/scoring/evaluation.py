"""Scores of whole data sets.

Axes: C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from unet_core.base.config import ModelConfig, Segmentation
from unet_core.base.records import finite
from unet_core.data import datasets, patches
from unet_core.data.pairs import Pair
from unet_core.imaging import images, instances, matching, metrics, targets
from unet_core.network.checkpoint import Trained
from unet_core.scoring import (
    connectomics,
    errors,
    outlines,
    pixel_scores,
    predictions,
    recall_groups,
)
from unet_core.scoring.predictions import WHOLE, Answer, Progress, View

SCORES = ("precision", "recall", "f1", "ap", "pq")


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
                **{key: finite(getattr(one[0], key)) for key in ("f1", "ap", "pq")},
            }
            for name, one in zip(names, counts, strict=True)
        ],
    }


def _pooled_row(iou: float, counts: Iterable[matching.Counts]) -> dict[str, Any]:
    total = sum(counts, start=matching.Counts())
    scores = {key: finite(getattr(total, key)) for key in SCORES}
    return {"iou": iou, **scores, "tp": total.tp, "fp": total.fp, "fn": total.fn}


def _by_image_row(iou: float, counts: Iterable[matching.Counts]) -> dict[str, Any]:
    scored = [one for one in counts if one.n_true + one.n_pred]
    scores = {
        key: float(np.mean([getattr(one, key) for one in scored])) if scored else None
        for key in SCORES
    }
    return {"iou": iou, **scores, "n_scored": len(scored)}


def evaluate(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    segmentation: Segmentation | None = None,
    view: View = WHOLE,
    n_patches: int = 0,
    middle: int = 0,
    on_progress: Progress | None = None,
    on_labels: Callable[[str, np.ndarray], None] | None = None,
) -> dict[str, Any]:
    """The document of `score` for a model on a split, with what was measured and how.

    `scheme` is the model's own when it was trained on the same data; `segmentation` the model's
    tuned settings unless given; `view` is how the network looks at each image. `pixels` scores the
    foreground above .5 (classes: the most probable) and has a `curve` over other thresholds,
    `membranes` is there for neuron membranes, `by_size` and `by_touching` say which true objects
    were found, `errors` what went wrong (`errors.Tally`) and `shape` how well the outlines of hits
    fit (`outlines.Tally`), all at IoU 0.5. `on_labels` gets the name and the found objects of each
    image. An image's `confusion` counts the pixels of each true class (rows) by what they were
    called. Sets of classes have no scores of objects; with `n_patches` their pixels are also scored
    on that many patches cut from each image, as the model was trained on. With `middle` the pixels
    are also scored in a square of that side in the middle of each image, as the mean of the images.
    Raises ValueError for an unknown or absent set, a split without images or truth, a model
    that was made for another kind of labels, patches of objects, and a middle that is larger than
    an image.
    """
    config = trained.config
    scheme = predictions.own_scheme(trained, data, scheme)
    _check_kind(config, data)
    has_classes = config.train.objective.target == "classes"
    if n_patches < 0:
        raise ValueError(f"patches must be 0 or more, got {n_patches}")
    if middle < 0:
        raise ValueError(f"middle must be 0 or more, got {middle}")
    if n_patches and not has_classes:
        raise ValueError(f"patches are for sets of classes, but {data} has objects: leave them out")
    chosen = segmentation or config.segmentation
    names = datasets.sample_names(data, split, scheme=scheme)
    if not names:
        raise ValueError(f"{data} has no {split} images under this scheme: choose another")
    answers = predictions.predict_each(trained, data, split, names, view, on_progress=on_progress)
    about = {
        "data": data,
        "split": split,
        "scheme": scheme,
        **asdict(view),
        "patches": n_patches,
        "middle": middle,
        "thresholds": chosen.to_dict(),
        "tuned_on": config.tuned_on if chosen == config.segmentation else "given by hand",
    }
    if not has_classes:
        return {**about, **_score_objects(answers, config, chosen, data, middle, on_labels)}
    document = {**about, **_score_classes(answers, config, middle)}
    if n_patches:
        found = _score_patches(trained, data, split, names, n_patches)
        document["pixels"]["patch_mean_iou"] = found
    return document


def _check_kind(config: ModelConfig, data: str) -> None:
    """Refuse a model of objects on a set of classes, the reverse, and another count of classes."""
    about = datasets.info(data)
    has_classes = about.labels == "classes"
    if has_classes and config.train.objective.target != "classes":
        raise ValueError(f"{data} has classes, not objects: choose a model trained on classes")
    if not has_classes and config.train.objective.target == "classes":
        raise ValueError(f"{data} has objects, but this model tells classes: choose another set")
    if has_classes and len(about.classes) != len(config.outputs):
        raise ValueError(
            f"{data} has {len(about.classes)} classes, but the model {len(config.outputs)}: "
            "choose a model that was trained on these classes"
        )


def _score_classes(answers: Iterable[Answer], config: ModelConfig, side: int) -> dict[str, Any]:
    tally = pixel_scores.Tally(config.outputs)
    middle = pixel_scores.Middle(side, config.outputs)
    rows: list[dict[str, Any]] = []
    for one in answers:
        pred_HW = one.prob_CHW.argmax(0)
        found = tally.add(one.true_HW, pred_HW)
        rows.append({"name": one.name, **found, "confusion": tally.tables[-1].tolist()})
        if side:
            middle.add(one.true_HW, pred_HW)
    document: dict[str, Any] = {
        "images": len(rows),
        "pooled": [],
        "by_image": [],
        "per_image": rows,
        "pixels": tally.document(),
    }
    if side:
        document["pixels"]["middle"] = middle.document()
    return document


def _score_patches(
    trained: Trained, data: str, split: str, names: list[str], count: int
) -> float | None:
    """The mean IoU on patches, each cut out of the normalised image: nothing is seen around it."""
    from unet_core.predict import inference

    train, classes = trained.config.train, len(trained.config.outputs)
    table_CC = np.zeros((classes, classes), np.int64)
    wanted = patches.Patches(
        count=count,
        side=train.images.crop_size,
        must_contain=train.images.patches_on_objects,
        seed=train.images.seed,
    )
    for index, name in enumerate(names):
        sample = datasets.load(data, split, name)
        assert sample.labels_HW is not None  # the whole images were scored before
        norm_HW = images.normalise_for(trained.config, images.fit(train.images, sample.image_HW))
        labels_HW = images.fit_labels(sample.labels_HW, norm_HW.shape)
        for place in patches.places(labels_HW, index, wanted):
            true_HW, seen_HW = (
                patches.take(part, place, wanted.side) for part in (labels_HW, norm_HW)
            )
            prob_CHW = inference.predict_normalised(trained.network, seen_HW, softmax=True)
            table_CC += metrics.confusion(true_HW, prob_CHW.argmax(0), classes)
    return pixel_scores.scores(table_CC)["mean_iou"]


def _score_objects(
    answers: Iterable[Answer],
    config: ModelConfig,
    chosen: Segmentation,
    data: str,
    side: int,
    on_labels: Callable[[str, np.ndarray], None] | None,
) -> dict[str, Any]:
    train, about = config.train, datasets.info(data)
    tally, curve = pixel_scores.Tally(about.classes), pixel_scores.Curve()
    middle = pixel_scores.Middle(side, about.classes)
    three, groups = pixel_scores.Tally(config.outputs), recall_groups.Groups()
    wrong, shape = errors.Tally(), outlines.Tally(pixel_size_um=about.pixel_size_um)
    sections: list[tuple[np.ndarray, np.ndarray]] = []
    rows: list[dict[str, float | None]] = []

    def pairs() -> Iterator[Pair]:
        for one in answers:
            found = predictions.decode(one, config)
            true_HW, pred_HW = one.true_HW > 0, found.foreground_HW > 0.5
            curve.add(true_HW, found.foreground_HW)
            rows.append(tally.add(true_HW, pred_HW))
            if side:
                middle.add(true_HW, pred_HW, found.foreground_HW)
            if train.objective.target == "three-class":
                classes_HW = targets.encode(
                    one.true_HW, train.objective.target, train.objective.boundary
                )
                three.add(classes_HW, one.prob_CHW.argmax(0))
            if data == "isbi2012":
                sections.append((one.true_HW, found.foreground_HW))
            read = predictions.decode(one, config, chosen.reading)
            labels_HW = instances.segment(read.foreground_HW, read.boundary_HW, chosen)
            rows[-1] |= {**groups.add(one.true_HW, labels_HW), "is_cut": one.is_cut}
            wrong.add(one.name, one.true_HW, labels_HW)
            shape.add(one.true_HW, labels_HW)
            if on_labels:
                on_labels(one.name, labels_HW)
            yield Pair(one.name, one.true_HW, labels_HW)

    document = score(pairs())
    for row, pixels, table_CC in zip(document["per_image"], rows, tally.tables, strict=True):
        kept = ("dice", "accuracy", "median_diameter", "touching", "is_cut")
        row |= {key: pixels[key] for key in kept} | {"confusion": table_CC.tolist()}
    document |= {"pixels": tally.document(), **groups.document()}
    document["pixels"]["curve"] = curve.rows()
    if side:
        document["pixels"]["middle"] = middle.document()
    document |= {"errors": wrong.document(), "shape": shape.document()}
    if three.tables:
        accuracy = three.document()
        document["pixels"]["three_class_accuracy"] = accuracy["accuracy"]
        document["pixels"]["by_image"]["three_class_accuracy"] = accuracy["by_image"]["accuracy"]
    if sections:
        document["membranes"] = connectomics.curve(sections)
    return document
