"""The terms that a reader may meet here for the first time, explained once for all pages."""

import re
from collections.abc import Mapping

IOU = (
    "Intersection over union, IoU: the overlap of a found and a true object, divided by their area "
    "together. 1 is the same outline, 0 is no overlap."
)
HIT = f"From this IoU on, a found and a true object count as the same, which is a hit. {IOU}"
F1 = (
    "2 TP / (2 TP + FP + FN), the usual single number. TP are hits, FP false alarms, FN misses; "
    "1 is perfect."
)
AP = "TP / (TP + FP + FN), as the Data Science Bowl counts, at one IoU."
PQ = "Panoptic quality: F1 times the mean IoU of the hits, so outlines count, too."
PRECISION = "The share of the found objects that are right."
RECALL = "The share of the true objects that were found."
DICE = (
    "Overlap of the predicted and the true foreground: twice the pixels that both have, over the "
    "pixels of the one and of the other. 1 is all, 0 is nothing; it knows no single objects."
)
SCHEME = (
    "How the images for training are divided: those that the network learns from, and the "
    "validation images, which choose its best epoch and its thresholds."
)
SCORES = {"f1": F1, "ap": AP, "pq": PQ, "precision": PRECISION, "recall": RECALL}


V_RAND = (
    "Of pairs of pixels in one region, how many are rightly together, after borders are thinned "
    "away: 1 is perfect. One hole in a membrane joins two cells and costs much."
)
V_INFO = "The same question as V_rand asks, told by how much each division says about the other."

# What a reader may not know, by the name that stands on the pages.
TERMS = {
    "F1": F1,
    "AP": AP,
    "PQ": PQ,
    "IoU": IOU,
    "Dice": DICE,
    "Precision": PRECISION,
    "Recall": RECALL,
    "V_rand": V_RAND,
    "V_info": V_INFO,
    "EMA": "Exponential moving average: weights averaged over the last steps, which calms them.",
    "Otsu": "The threshold that parts dark and bright pixels best, found without any learning.",
    "Watershed": "Makes objects of probabilities: each grows from a seed until it meets another "
    "one or the background, as water fills valleys.",
    "Softmax": "Turns a network's numbers into probabilities of classes that add up to 1.",
    "Cross-entropy": "A loss: how surprised the network is by the truth, as the mean of all "
    "pixels. Binary cross-entropy, BCE, is that of two classes.",
    "BCE": "Binary cross-entropy, a loss: how surprised the network is by the truth of each pixel.",
    "Logits": "A network's numbers before they become probabilities: any real number, 0 for 50 %.",
    "Sigmoid": "Turns any real number into a probability between 0 and 1.",
    "Receptive field": "The part of the image that can change one pixel of the answer.",
    "Early stopping": "Ending a training once validation has not become better for some epochs.",
}


def find(text: str) -> list[str]:
    """The terms that stand in a text. Those in capitals are known by them: AP, not "ap"."""
    return [term for term in TERMS if re.search(_pattern(term), text)]


def _pattern(term: str) -> str:
    """A whole word, with a capital or not where it is a plain one."""
    first = re.escape(term[0])
    if term[1:].islower() and term not in ("Otsu", "Dice"):
        first = f"[{first}{first.lower()}]"
    return rf"(?<![\w]){first}{re.escape(term[1:])}(?!\w)"


def of(text: str, *, before: str = "") -> str | None:
    """The terms of a text in a sentence each, in Markdown; None where there are none.

    Those that stand `before`, higher on the page, are left out.
    """
    known = find(before)
    new = [term for term in find(text) if term not in known]
    return "\n\n".join(f"**{term}**: {TERMS[term]}" for term in new) or None


def explain(labels: Mapping[str, str]) -> str:
    """The scores of a choice, in Markdown; `labels` are theirs, with the keys of `SCORES`."""
    return "\n\n".join(f"**{label}**: {SCORES[key]}" for label, key in labels.items())
