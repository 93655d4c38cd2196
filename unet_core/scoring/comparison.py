"""Two recipes on the same images: the difference, what of it the images explain, what the seeds.

A recipe is one run, or several with different seeds; each comes as the documents of `evaluate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unet_core.base.records import finite
from unet_core.scoring import bootstrap, spread

Document = dict[str, Any]

IOU = 0.5  # the counts of single images are kept at this one only
SCORES: dict[str, bootstrap.Score] = {
    "f1": bootstrap.f1,
    "ap": bootstrap.ap,
    "mean_iou": bootstrap.mean_iou,
}
MEASURES = tuple(SCORES)
TITLES = {
    "f1": f"F1 of objects at IoU {IOU:.2f}",
    "ap": f"AP of objects at IoU {IOU:.2f}",
    "mean_iou": "mean IoU of the pixels' classes",
}
AVERAGE = "counts of all images added, then divided once (pooled)"
AGAIN = "evaluate it again with this version"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: its name, an evaluation for each of its runs, and a note on what lacks."""

    name: str
    documents: Sequence[Document]
    note: str = ""


def usual_measure(document: Document) -> str:
    """F1 for objects; mean IoU for classes and membranes, as their tutorials have it."""
    has_objects = document.get("pooled") and "membranes" not in document
    return "f1" if has_objects else "mean_iou"


def compare(first: Side, second: Side, measure: str = "", *, seed: int = 0) -> Document:
    """The second's score minus the first's, with the images' interval and the seeds' noise.

    The score of a recipe is the mean over its runs, each pooled over all images. `low` and `high`
    hold the middle 95 % of 10 000 draws of the images (`bootstrap`), `noise` is what the seeds
    alone may make of it (`spread.noise_between`; None for two single runs). Without a measure it
    is `usual_measure`. Raises ValueError, each with a sentence, for an unknown measure, other
    images or another truth, a single image, nothing to score, and an evaluation that lacks the
    counts.
    """
    measure = measure or usual_measure(first.documents[0])
    if measure not in SCORES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    score, every = SCORES[measure], [*first.documents, *second.documents]
    names = _common_images(first, second)
    one_RIK, other_RIK = (
        np.stack([_counts(side.name, document, measure, names) for document in side.documents])
        for side in (first, second)
    )
    _check_truth(first.name, second.name, names, [*one_RIK, *other_RIK], measure)
    scores = [bootstrap.scores(part, score) for part in (one_RIK, other_RIK)]
    spreads = [spread.spread(part.tolist()) for part in scores]
    if spreads[0] is None or spreads[1] is None:
        raise ValueError("neither the truth nor the results hold an object: nothing to compare")
    low, high = bootstrap.interval(bootstrap.differences(one_RIK, other_RIK, score, seed=seed))
    about = {key: every[0].get(key) for key in ("data", "split", "scheme")}
    return {
        **about,
        "images": len(names),
        "measure": measure,
        "title": TITLES[measure],
        "average": AVERAGE,
        "first": _describe(first, scores[0], spreads[0]),
        "second": _describe(second, scores[1], spreads[1]),
        "difference": spreads[1].mean - spreads[0].mean,
        "low": finite(low),
        "high": finite(high),
        "covered": bootstrap.COVERED,
        "draws": bootstrap.DRAWS,
        "seed": seed,
        "noise": spread.noise_between(spreads[0], spreads[1]),
    }


def _describe(side: Side, scores_R: np.ndarray, found: spread.Spread) -> Document:
    return {
        "name": side.name,
        "models": [document.get("model", "") for document in side.documents],
        "scores": [finite(float(score)) for score in scores_R],
        "n": found.n,
        "mean": found.mean,
        "deviation": found.deviation,
        "note": side.note,
    }


def _rows(name: str, document: Document) -> list[Document]:
    rows = document.get("per_image") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and "name" in r for r in rows):
        raise ValueError(f"the evaluation of {name} has no scores of single images: {AGAIN}")
    return rows


def _common_images(first: Side, second: Side) -> list[str]:
    """The images that all were measured on, in the first one's order."""
    found = [
        (side.name, document, [row["name"] for row in _rows(side.name, document)])
        for side in (first, second)
        for document in side.documents
    ]
    name, document, names = found[0]
    for other, its, images in found[1:]:
        if its.get("data") != document.get("data") or set(images) != set(names):
            raise ValueError(
                f"{name} was measured on {_where(document, names)}, {other} on "
                f"{_where(its, images)}: compare on the same images"
            )
    if len(names) < 2:
        raise ValueError(
            f"{_where(document, names)} cannot tell how much a difference depends on the images: "
            "compare on at least 2"
        )
    return names


def _where(document: Document, names: list[str]) -> str:
    """The images of an evaluation: 50 images (dsb2018 test, scheme stardist)."""
    count = f"{len(names)} image" + ("" if len(names) == 1 else "s")
    if not document.get("data"):
        return count
    about = f"{document['data']} {document.get('split', '')}, scheme {document.get('scheme', '')}"
    return f"{count} ({about})"


def _counts(name: str, document: Document, measure: str, names: list[str]) -> np.ndarray:
    """What is summed over the images: TP, FP and FN, or the confusion table laid flat [I, K]."""
    rows = {row["name"]: row for row in _rows(name, document)}
    needed = ("confusion",) if measure == "mean_iou" else ("n_true", "n_pred", "f1")
    if measure != "mean_iou" and not document.get("pooled"):
        raise ValueError(f"{name} tells classes, and {measure} is for objects: compare mean_iou")
    if any(key not in row for key in needed for row in rows.values()):
        raise ValueError(
            f"the evaluation of {name} is of an older version, or of label images alone: it has "
            f"no counts for {measure}; {AGAIN}"
        )
    if measure == "mean_iou":
        return np.array([np.ravel(rows[one]["confusion"]) for one in names], float)
    true_I, pred_I, f1_I = (
        np.array([rows[one][key] or 0 for one in names], float) for key in needed
    )
    tp_I = np.round(f1_I * (true_I + pred_I) / 2)  # F1 = 2 TP / (true + predicted)
    return np.stack([tp_I, pred_I - tp_I, true_I - tp_I], axis=1)


def _check_truth(
    first: str, second: str, names: list[str], every: list[np.ndarray], measure: str
) -> None:
    """Refuse evaluations that saw another truth: a set that changed, or images that were cut."""
    if measure == "mean_iou":
        side = round(every[0].shape[1] ** 0.5)
        truths = [one.reshape(len(names), -1, side).sum(-1) for one in every]
    else:
        truths = [one[:, :1] + one[:, 2:] for one in every]
    for truth in truths[1:]:
        if truth.shape != truths[0].shape or (truth != truths[0]).any():
            raise ValueError(
                f"{first} and {second} were measured against another truth, though their images "
                "have the same names: evaluate both again"
            )


def sentences(found: Document) -> list[str]:
    """What a comparison says, in plain words: of the images, then of the seeds."""
    difference, noise = found["difference"], found["noise"]
    first, second = found["first"], found["second"]
    more = "more" if difference > 0 else "less"
    text = f"{second['name']} scores {abs(difference):.3f} {more} than {first['name']}"
    if f"{abs(difference):.3f}" == "0.000":
        text = f"{second['name']} and {first['name']} score the same"
    if found["low"] is None:
        return [f"{text}. Too few images hold an object for an interval."]
    span = f"between {found['low']:+.3f} and {found['high']:+.3f}"
    told = [
        f"{text}. On other images of the same kind the difference would mostly lie {span} "
        f"(95 % interval, bootstrap over {found['images']} images)."
    ]
    if found["low"] <= 0 <= found["high"]:
        told.append("Zero lies within: these images do not show which of the two is better.")
    else:
        told.append("Zero lies outside: it is not the choice of images that makes the difference.")
    return [*told, _tell_noise(abs(difference), noise, first, second)]


def _tell_noise(difference: float, noise: float | None, first: Document, second: Document) -> str:
    if noise is None:
        return (
            "Each is a single run, so how far the seed alone moves the score is not known: train "
            "repeats to learn it."
        )
    fewest = min(one["n"] for one in (first, second) if one["n"] > 1)
    rough = f", a rough bound from {fewest} seeds" if fewest < spread.FEW else ""
    if difference <= noise:
        return f"The seeds alone make differences of up to {noise:.3f}{rough}: this is noise."
    return f"It is larger than the {noise:.3f} that the seeds alone make{rough}."
