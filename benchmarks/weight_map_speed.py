"""How long Ronneberger's weight map takes, beside one distance transform per object."""

import time
from typing import Any

import numpy as np
import record
import tifffile
from scipy import ndimage

from unet_core.imaging.weight_map import weight_map

BUDGET_MS = 300  # for one 512x512 section of membranes


def plain_weight_map(labels_HW: np.ndarray) -> np.ndarray:
    """The same map from transforms of the whole image, two distances kept at a time."""
    nearest = np.full((2, *labels_HW.shape), np.inf)
    for label in np.unique(labels_HW[labels_HW > 0]):
        distance = ndimage.distance_transform_edt(labels_HW != label)
        nearest = np.sort(np.concatenate([nearest, distance[None]]), axis=0)[:2]
    return 1 + 10 * np.exp(-(nearest.sum(axis=0) ** 2) / 50) * (labels_HW == 0)


def measure(labels_HW: np.ndarray) -> dict[str, Any]:
    """Times and the largest difference between the two ways."""
    fast = record.median_milliseconds(lambda: weight_map(labels_HW))
    start = time.perf_counter()
    expected = plain_weight_map(labels_HW)
    plain = 1000 * (time.perf_counter() - start)
    return {
        "shape": list(labels_HW.shape),
        "objects": int(labels_HW.max()),
        "weight_map_ms": fast,
        "whole_image_transforms_ms": round(plain),
        "ratio": round(plain / fast),
        "largest_difference": float(np.abs(weight_map(labels_HW) - expected).max()),
    }


def main() -> None:
    _, nuclei, _ = record.crowded_nuclei()
    numbers: dict[str, object] = {"crowded_nuclei": measure(nuclei)}
    membranes = record.data_folder() / "isbi2012" / "train-labels.tif"
    if membranes.is_file():
        section = measure(ndimage.label(tifffile.imread(membranes, key=0) > 0)[0])
        section["budget_ms"] = BUDGET_MS
        section["within_budget"] = section["weight_map_ms"] <= BUDGET_MS
        numbers["membrane_section"] = section
    record.save("weight_map_speed", numbers)


if __name__ == "__main__":
    main()
