"""How well neuron membranes divide an image: pixel error, Rand error, V_rand and V_info.

Axes: H rows, W columns; T true and S predicted regions. Labels are 0 on membranes.

The warping error of the first challenge is not here: there is no well-kept implementation of it to
build on or to check against.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

THRESHOLDS = tuple(step / 10 for step in range(11))


@dataclass(frozen=True)
class Overlap:
    """Pixels that true and predicted regions share, and what they have in all.

    `joint` holds the positive entries of the table only; pixels whose true label is 0 are left
    out, those whose predicted label is 0 are a region like any other. Overlaps of several
    sections add up: no region reaches from one section into another.
    """

    joint: np.ndarray
    true_T: np.ndarray
    pred_S: np.ndarray

    def __add__(self, other: "Overlap") -> "Overlap":
        return Overlap(
            np.concatenate([self.joint, other.joint]),
            np.concatenate([self.true_T, other.true_T]),
            np.concatenate([self.pred_S, other.pred_S]),
        )

    def scores(self) -> dict[str, float]:
        """V_rand and V_info with their split and merge parts, in 0..1; nan without true regions.

        With p the shares of the joint table and t, s its sums over S and T:
        V_rand = sum p^2 / (sum t^2 / 2 + sum s^2 / 2), of which sum p^2 / sum t^2 falls when true
        regions are split, and sum p^2 / sum s^2 when they are merged. V_info likewise divides the
        mutual information by the entropies. Source: Arganda-Carreras et al. 2015,
        doi 10.3389/fnana.2015.00142. `skimage.metrics.adapted_rand_error` is 1 - V_rand but for
        the pairs of a pixel with itself, which it leaves out: below 0.0002 for a whole section.
        """
        total = self.joint.sum()
        if not total:
            return dict.fromkeys(SCORES, float("nan"))
        p, t, s = (part / total for part in (self.joint, self.true_T, self.pred_S))
        both, true, pred = (float((part**2).sum()) for part in (p, t, s))
        h_joint, h_true, h_pred = (_entropy(part) for part in (p, t, s))
        mutual = h_true + h_pred - h_joint
        return {
            "v_rand": 2 * both / (true + pred),
            "v_rand_split": both / true,
            "v_rand_merge": both / pred,
            "v_info": _share(2 * mutual, h_true + h_pred),
            "v_info_split": _share(mutual, h_pred),
            "v_info_merge": _share(mutual, h_true),
        }


SCORES = ("v_rand", "v_rand_split", "v_rand_merge", "v_info", "v_info_split", "v_info_merge")


def _entropy(shares: np.ndarray) -> float:
    known = shares[shares > 0]
    return float(-(known * np.log(known)).sum())


def _share(above: float, below: float) -> float:
    """1 for nothing out of nothing: one region on both sides is told apart perfectly."""
    return above / below if below > 1e-12 else 1.0


def overlap(true_HW: np.ndarray, pred_HW: np.ndarray) -> Overlap:
    """The overlap of two label images, over the pixels whose true label is above 0.

    Raises ValueError for different shapes.
    """
    if true_HW.shape != pred_HW.shape:
        raise ValueError(
            f"true_HW and pred_HW must have one shape, got {true_HW.shape} and {pred_HW.shape}"
        )
    inside = true_HW > 0
    true = np.unique(true_HW[inside], return_inverse=True)[1].astype(np.int64)
    pred_names, pred = np.unique(pred_HW[inside], return_inverse=True)
    width = max(len(pred_names), 1)
    joint = np.bincount(true * width + pred)
    return Overlap(joint[joint > 0], np.bincount(true), np.bincount(pred))


def grow(labels_HW: np.ndarray, true_HW: np.ndarray) -> np.ndarray:
    """The labels grown until no border is left inside the true regions: border thinning.

    A pixel gets the label of the nearest region in the order of a flooding; only pixels whose true
    label is above 0 are filled. Without any label they stay 0.
    """
    inside = true_HW > 0
    flat_HW = np.zeros(labels_HW.shape, np.uint8)
    grown_HW = watershed(flat_HW, markers=labels_HW, mask=inside | (labels_HW > 0))
    return np.where(inside, grown_HW, labels_HW)


def regions(inside_HW: np.ndarray, threshold: float) -> np.ndarray:
    """4-connected regions where the probability of being inside a cell is above the threshold."""
    return ndimage.label(inside_HW > threshold)[0]


def curve(
    sections: Iterable[tuple[np.ndarray, np.ndarray]],
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> dict[str, Any]:
    """The scores of sections, each (true labels, inside probability), at every threshold.

    `curve` has a row per threshold: V_rand and V_info of the pooled sections (their tables
    normalised together), the mean of the sections' own V_rand and V_info, the pixel error and
    the Rand error (1 - V_rand of the pooled regions as they are, before border thinning). Beside it
    stands the row with the highest pooled V_rand: taking the maximum over the thresholds is the
    challenge's convention. Raises ValueError without sections.
    """
    known = list(sections)
    if not known:
        raise ValueError("there must be at least one section to score, got none")
    rows = [_row(known, threshold) for threshold in thresholds]
    return {
        "sections": len(known),
        "convention": "the maximum over thresholds, as the ISBI 2012 challenge takes it",
        **max(rows, key=lambda row: -1.0 if np.isnan(row["v_rand"]) else row["v_rand"]),
        "curve": rows,
    }


def _row(sections: list[tuple[np.ndarray, np.ndarray]], threshold: float) -> dict[str, Any]:
    thinned: list[Overlap] = []
    plain: list[Overlap] = []
    wrong = pixels = 0
    for true_HW, inside_HW in sections:
        found_HW = regions(inside_HW, threshold)
        plain.append(overlap(true_HW, found_HW))
        thinned.append(overlap(true_HW, grow(found_HW, true_HW)))
        wrong += int(((inside_HW > threshold) != (true_HW > 0)).sum())
        pixels += true_HW.size
    each = [one.scores() for one in thinned]
    return {
        "threshold": threshold,
        **sum(thinned[1:], start=thinned[0]).scores(),
        "v_rand_mean": float(np.mean([one["v_rand"] for one in each])),
        "v_info_mean": float(np.mean([one["v_info"] for one in each])),
        "pixel_error": wrong / pixels,
        "rand_error": 1 - sum(plain[1:], start=plain[0]).scores()["v_rand"],
    }
