"""The terms that a reader may meet here for the first time, explained once for all pages."""

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


def explain(labels: Mapping[str, str]) -> str:
    """The scores of a choice, in Markdown; `labels` are theirs, with the keys of `SCORES`."""
    return "\n\n".join(f"**{label}**: {SCORES[key]}" for label, key in labels.items())
