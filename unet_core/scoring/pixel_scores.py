"""Scores of pixels over a split: Dice, IoU and accuracy, pooled, by image, and of the middle.

Axes: C classes, H rows, W columns.
"""

from typing import Any

import numpy as np

from unet_core.base.records import finite
from unet_core.imaging import metrics

THRESHOLDS = tuple(step / 20 for step in range(1, 20))


class Tally:
    """Confusion tables of the images of a split; `document` divides them at the end.

    Class 0 is the background. With two classes Dice and IoU are those of the second, with more
    they are those of everything that is not background.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.tables: list[np.ndarray] = []

    def add(self, true_HW: np.ndarray, pred_HW: np.ndarray) -> dict[str, float | None]:
        """Count an image with class numbers [H, W]; gives its own scores.

        Raises ValueError for different shapes, or a class that the model does not know.
        """
        self.tables.append(metrics.confusion(true_HW, pred_HW, len(self.classes)))
        return scores(self.tables[-1])

    def document(self) -> dict[str, Any]:
        """Scores of all pixels together, `by_image` the means of the images', `classes` each."""
        if not self.tables:
            return {}
        total_CC = np.sum(self.tables, axis=0)
        each = [scores(table_CC) for table_CC in self.tables]
        ious, dices = metrics.iou_per_class(total_CC), metrics.dice_per_class(total_CC)
        return {
            **scores(total_CC),
            "classes": [
                {"name": name, "iou": finite(iou), "dice": finite(dice)}
                for name, iou, dice in zip(self.classes, ious, dices, strict=True)
            ],
            "by_image": {key: mean(one[key] for one in each) for key in each[0]},
        }


class Curve:
    """Scores of two classes, pooled over the images of a split, at every threshold."""

    def __init__(self) -> None:
        # [true class, how many of the thresholds lie below the probability]
        self.counts = np.zeros((2, len(THRESHOLDS) + 1), np.int64)

    def add(self, true_HW: np.ndarray, prob_HW: np.ndarray) -> None:
        """Count an image: its true foreground (bool) and the probability of it."""
        passed = np.searchsorted(THRESHOLDS, prob_HW.astype(np.float64))
        for value in (0, 1):
            at = passed[true_HW == bool(value)]
            self.counts[value] += np.bincount(at, minlength=self.counts.shape[1])

    def rows(self) -> list[dict[str, float | None]]:
        """`scores` at each threshold; a pixel is foreground where its probability is above it."""
        below = self.counts.cumsum(1)
        return [
            {
                "threshold": threshold,
                **scores(np.stack([below[:, index], below[:, -1] - below[:, index]], axis=1)),
            }
            for index, threshold in enumerate(THRESHOLDS)
        ]


class Middle:
    """Scores of the middle square of each image, and their means over the images.

    So the answers of valid convolutions to a whole image are often scored: they end where it can
    be seen no further (388 px of a 512 px section in Ronneberger et al. 2015).
    """

    def __init__(self, side: int, classes: tuple[str, ...]) -> None:
        self.side = side
        self.tally = Tally(classes)
        self.curves: list[Curve] = []

    def add(
        self, true_HW: np.ndarray, pred_HW: np.ndarray, prob_HW: np.ndarray | None = None
    ) -> None:
        """Count an image with class numbers, and with the probability of foreground where known.

        Raises ValueError for an image that is smaller than the square.
        """
        self.tally.add(self._cut(true_HW), self._cut(pred_HW))
        if prob_HW is not None:
            self.curves.append(Curve())
            self.curves[-1].add(self._cut(true_HW) > 0, self._cut(prob_HW))

    def document(self) -> dict[str, Any]:
        """The means, and with probabilities a `curve` of them over the thresholds."""
        found = {"side": self.side, **self.tally.document()["by_image"]}
        if self.curves:
            per_threshold = zip(*(curve.rows() for curve in self.curves), strict=True)
            found["curve"] = [
                {key: mean(one[key] for one in rows) for key in rows[0]} for rows in per_threshold
            ]
        return found

    def _cut(self, image_HW: np.ndarray) -> np.ndarray:
        if self.side > min(image_HW.shape):
            shape = " x ".join(map(str, image_HW.shape))
            raise ValueError(
                f"middle must be at most the sides of the images, got {self.side} for {shape} px"
            )
        top, left = ((length - self.side) // 2 for length in image_HW.shape)
        return image_HW[top : top + self.side, left : left + self.side]


def scores(table_CC: np.ndarray) -> dict[str, float | None]:
    """Dice and IoU of what is not background, the mean IoU of the classes, and the accuracy."""
    hits = int(table_CC[1:, 1:].sum())
    wrong = int(table_CC[0, 1:].sum() + table_CC[1:, 0].sum())
    ious = metrics.iou_per_class(table_CC)
    return {
        "dice": 2 * hits / (2 * hits + wrong) if hits + wrong else None,
        "iou": hits / (hits + wrong) if hits + wrong else None,
        "mean_iou": mean(finite(iou) for iou in ious),
        "accuracy": finite(metrics.pixel_accuracy(table_CC)),
    }


def mean(values: Any) -> float | None:
    """The mean of the values that exist; None when none does."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
