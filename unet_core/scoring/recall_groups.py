"""Which true objects are found: by their size, and by whether they touch another one.

Axes: H rows, W columns.
"""

from typing import Any

import numpy as np

from unet_core.imaging import matching
from unet_core.imaging.measure import measure

FOUND = 0.5  # IoU
GROUPS = 5


class Groups:
    """The true objects of a split, with the best IoU of each; divided into groups at the end."""

    def __init__(self) -> None:
        self.diameters: list[float] = []
        self.touches: list[bool] = []
        self.ious: list[float] = []

    def add(self, true_HW: np.ndarray, pred_HW: np.ndarray) -> dict[str, float | None]:
        """Count an image; gives its objects' median diameter in px and the share that touches."""
        table = measure(true_HW)
        if not len(table):
            return {"median_diameter": None, "touching": None}
        best = matching.iou_matrix(true_HW, pred_HW).max(axis=1, initial=0.0)
        self.diameters += table["equivalent_diameter_area"].tolist()
        self.touches += table["touching"].tolist()
        self.ious += best.tolist()
        return {
            "median_diameter": float(table["equivalent_diameter_area"].median()),
            "touching": float(table["touching"].mean()),
        }

    def document(self) -> dict[str, list[dict[str, Any]]]:
        """`by_size`: five groups of about equally many objects by equivalent diameter in px.

        `by_touching`: those that touch another one, and the others. Each row has the number of
        objects, the recall (best IoU of at least 0.5) and the mean IoU of those that were found.
        """
        if not self.ious:
            return {"by_size": [], "by_touching": []}
        diameters, ious = np.array(self.diameters), np.array(self.ious)
        touches = np.array(self.touches, dtype=bool)
        edges = np.unique(np.quantile(diameters, np.linspace(0, 1, GROUPS + 1)))
        # Objects on an edge belong to the group above it; those of one size only to one group.
        group = np.clip(np.searchsorted(edges, diameters, side="right") - 1, 0, None)
        group = np.minimum(group, max(len(edges) - 2, 0))
        sizes = [
            {"from_px": float(edges[index]), "to_px": float(edges[min(index + 1, len(edges) - 1)])}
            | _row(ious[group == index])
            for index in range(max(len(edges) - 1, 1))
        ]
        sides = [{"touching": one} | _row(ious[touches == one]) for one in (True, False)]
        return {"by_size": sizes, "by_touching": sides}


def _row(ious: np.ndarray) -> dict[str, Any]:
    found = ious[ious >= FOUND]
    return {
        "n_true": len(ious),
        "recall": len(found) / len(ious) if len(ious) else None,
        "mean_iou": float(found.mean()) if len(found) else None,
    }
