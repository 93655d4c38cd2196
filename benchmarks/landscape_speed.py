"""How long the landscape of a whole split takes: every threshold with every marker threshold.

The budget is 60 s for the 67 validation images of DSB 2018 and 100 settings or more, on two cores.
Some cells are computed again one by one, as `evaluate` does, and must agree exactly.
"""

import os
import time

import numpy as np
import record

from unet_core.base.config import Segmentation
from unet_core.data.pairs import Pair
from unet_core.imaging import instances
from unet_core.network import checkpoint
from unet_core.scoring import evaluation, landscape, predictions
from unet_core.scoring.predictions import Predicted

BUDGET_SECONDS = 60
CHECKED = 4  # cells


def plain_score(predicted: list[Predicted], settings: Segmentation) -> float:
    """The pooled F1 of some settings, one image after the other."""
    pairs = (
        Pair(
            one.name,
            one.true_HW,
            instances.segment(one.foreground_HW, one.boundary_HW, settings),
        )
        for one in predicted
    )
    return evaluation.score(pairs)["pooled"][0]["f1"]


def main() -> None:
    os.environ["UNET_DATA"] = str(record.data_folder())
    if "nuclei" not in checkpoint.names():
        raise SystemExit("This benchmark measures with the shipped model nuclei: it is missing.")
    trained = checkpoint.load("nuclei", device="cpu")
    start = time.perf_counter()
    names = predictions.names(trained, "dsb2018", "val")
    answers = predictions.predict_each(trained, "dsb2018", "val", names, predictions.WHOLE)
    predicted = [predictions.decode(one, trained.config) for one in answers]
    predicting = time.perf_counter() - start
    start, start_cpu = time.perf_counter(), time.process_time()
    found = landscape.landscape(predicted, trained.config)
    taken, taken_cpu = time.perf_counter() - start, time.process_time() - start_cpu
    rng = np.random.default_rng(0)
    cells = [tuple(rng.integers(found.grid.shape).tolist()) for _ in range(CHECKED)]
    start = time.perf_counter()
    plain = [plain_score(predicted, found.grid.settings(*cell)) for cell in cells]
    one_by_one = (time.perf_counter() - start) / CHECKED * found.grid.n_cells
    record.save(
        "landscape_speed",
        {
            "images": len(predicted),
            "megapixels": round(sum(one.true_HW.size for one in predicted) / 1e6, 1),
            "settings": found.grid.n_cells,
            "landscape_seconds": round(taken, 1),
            "landscape_cpu_seconds": round(taken_cpu, 1),
            "budget_seconds": BUDGET_SECONDS,
            "within_budget": taken <= BUDGET_SECONDS,
            "predicting_seconds": round(predicting, 1),
            "one_by_one_seconds": round(one_by_one, 1),
            "checked_cells": CHECKED,
            "largest_difference": max(
                abs(float(found.values_RK[cell]) - score)
                for cell, score in zip(cells, plain, strict=True)
            ),
            "best_f1": float(found.values_RK[found.best]),
        },
    )


if __name__ == "__main__":
    main()
