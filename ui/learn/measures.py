"""The figures that a lesson may promise, and where a run or an evaluation has them.

Nothing here draws.
"""

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]

MINUTES = "minutes"  # how long a run has trained
DICE = "Dice"  # of a run's best epoch, on its validation images


def _row(kind: str, key: str) -> Callable[[Document], Any]:
    """A score of objects at IoU .50, pooled or by image."""

    def read(document: Document) -> Any:
        rows = [row for row in document.get(kind) or [] if row.get("iou") == 0.5]
        return rows[0].get(key) if rows else None

    return read


def _pixels(*path: str) -> Callable[[Document], Any]:
    def read(document: Document) -> Any:
        found: Any = document
        for key in path:
            found = (found or {}).get(key)
        return found

    return read


EVALUATION: dict[str, Callable[[Document], Any]] = {
    "F1 pooled": _row("pooled", "f1"),
    "F1 by image": _row("by_image", "f1"),
    "AP pooled": _row("pooled", "ap"),
    "AP by image": _row("by_image", "ap"),
    "PQ pooled": _row("pooled", "pq"),
    "mean IoU": _pixels("pixels", "mean_iou"),
    "mean IoU of patches": _pixels("pixels", "patch_mean_iou"),
    "accuracy": _pixels("pixels", "accuracy"),
    "mean IoU by image": _pixels("pixels", "by_image", "mean_iou"),
    "accuracy by image": _pixels("pixels", "by_image", "accuracy"),
    "mean IoU of the middle": _pixels("pixels", "middle", "mean_iou"),
    "accuracy of the middle": _pixels("pixels", "middle", "accuracy"),
    "V_rand": _pixels("membranes", "v_rand"),
    "accuracy of three classes": _pixels("pixels", "by_image", "three_class_accuracy"),
}
RUN = (DICE, MINUTES)


def known(kind: str) -> tuple[str, ...]:
    """The measures of what a rule is about."""
    if kind == "evaluation":
        return tuple(EVALUATION)
    return RUN if kind == "run finished" else ()
