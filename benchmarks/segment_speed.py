"""How long a moved slider takes: labels and score of the most crowded DSB image.

The budget is 60 ms of server time for the watershed and one matching, the median of 20.
"""

import time

import numpy as np
import record
from scipy import ndimage
from skimage import measure, segmentation

from unet_core.base.config import Segmentation
from unet_core.imaging import instances, matching

BUDGET_MS = 60
CHECKPOINT = record.REPOSITORY / "checkpoints" / "nuclei.safetensors"


def probabilities(
    pixels_HW: np.ndarray, true_HW: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Segmentation, str]:
    """Foreground, boundary, options, and whether they are the shipped model's or blurred truth."""
    if CHECKPOINT.is_file():
        from unet_core.imaging import targets
        from unet_core.network import checkpoint
        from unet_core.predict import inference

        trained = checkpoint.load("nuclei")
        objective = trained.config.train.objective
        prob_CHW = inference.predict(trained, pixels_HW)
        foreground, boundary = targets.decode(prob_CHW, objective.target, objective.boundary)
        return foreground, boundary, trained.config.segmentation, "the shipped model"
    rng = np.random.default_rng(0)

    def blur(mask_HW: np.ndarray, gain: float) -> np.ndarray:
        soft = gain * ndimage.gaussian_filter(mask_HW.astype(np.float32), 1)
        return np.clip(soft + rng.normal(0, 0.05, soft.shape), 0, 1).astype(np.float32)

    foreground = blur(true_HW > 0, 1)
    boundary = blur(segmentation.find_boundaries(true_HW), 1.3)
    return foreground, boundary, Segmentation(fill_holes=False), "the blurred truth, with noise"


def plain_score(true_HW: np.ndarray, labels_HW: np.ndarray) -> float:
    """F1 at IoU .5 without an overlap table: two whole-image masks for every pair that meets."""
    tp = 0
    for one in np.unique(true_HW)[1:]:
        mask = true_HW == one
        for other in np.unique(labels_HW[mask]):
            if other:
                there = labels_HW == other
                tp += (mask & there).sum() / (mask | there).sum() > 0.5
    return 2 * tp / (true_HW.max() + labels_HW.max())


def main() -> None:
    pixels, true, name = record.crowded_nuclei()
    foreground, boundary, options, source = probabilities(pixels, true)
    labels = instances.segment(foreground, boundary, options)
    filled = options.replace(fill_holes=True, drop_border=True, min_size=21)

    def segment_and_match() -> matching.Counts:
        return matching.match(true, instances.segment(foreground, boundary, options))

    def plain_watershed() -> np.ndarray:
        connectivity = 1 if options.connectivity == 4 else 2
        difference = foreground - options.boundary_weight * boundary
        markers = measure.label(difference > options.marker_threshold, connectivity=connectivity)
        mask = foreground > options.threshold
        return segmentation.watershed(boundary, markers, mask=mask, connectivity=connectivity)

    both = record.median_milliseconds(segment_and_match)
    matched = record.median_milliseconds(lambda: matching.match(true, labels))
    plain_matched = record.median_milliseconds(lambda: plain_score(true, labels), 1)
    numbers = {
        "image": name,
        "shape": list(true.shape),
        "n_true": int(true.max()),
        "n_pred": int(labels.max()),
        "probabilities": source,
        "f1": matching.match(true, labels).f1,
        "segment_and_match_ms": both,
        "segment_and_match_cpu_ms": record.median_milliseconds(
            segment_and_match, clock=time.process_time
        ),
        "budget_ms": BUDGET_MS,
        "within_budget": both <= BUDGET_MS,
        "segment_ms": record.median_milliseconds(
            lambda: instances.segment(foreground, boundary, options)
        ),
        "segment_with_all_options_ms": record.median_milliseconds(
            lambda: instances.segment(foreground, boundary, filled)
        ),
        "plain_watershed_ms": record.median_milliseconds(plain_watershed),
        "match_ms": matched,
        "match_ten_thresholds_ms": record.median_milliseconds(
            lambda: matching.match_many(true, labels)
        ),
        "mask_by_mask_score_ms": plain_matched,
        "mask_by_mask_score_over_match": round(plain_matched / matched),
    }
    record.save("segment_speed", numbers)


if __name__ == "__main__":
    main()
