"""What one pixel means on a set: the scores of the true labels, grown or shrunk by one pixel.

Nobody draws an outline exactly to the pixel, so a model whose score is as good as that of the truth
with other outlines cannot be told from a person. Small objects lose most. Axes: H rows, W columns.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from skimage.segmentation import expand_labels

from unet_core.base import cache
from unet_core.data import datasets
from unet_core.data.pairs import Pair
from unet_core.imaging import targets
from unet_core.scoring import evaluation, outlines, pixel_scores
from unet_core.scoring.predictions import Progress

VERSION = 1  # of what is stored; a new one when a score changes


def grow(labels_HW: np.ndarray) -> np.ndarray:
    """Labels whose objects have taken the background beside them (4 neighbours).

    Between two objects the pixel goes to one of them; objects that touch keep their border.
    """
    return expand_labels(labels_HW, 1)


def shrink(labels_HW: np.ndarray) -> np.ndarray:
    """Labels without the pixels of each object that are beside background or another object.

    Objects less than three pixels wide vanish. At the image's edge nothing is taken away.
    """
    return np.where(targets.boundaries(labels_HW, "inner"), 0, labels_HW)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"grown": grow, "shrunk": shrink}


def measure(
    data: str, split: str, *, scheme: str | None = None, on_progress: Progress | None = None
) -> list[dict[str, Any]]:
    """A row for the truth grown by one pixel, and one for the truth shrunk by one pixel.

    Each has `change`, `pooled`, `by_image` and `pixels` as `evaluation.evaluate`, and `shape` as
    `outlines.Tally`. Computed once for each split of a set, and then read from the cache. Raises
    ValueError for an unknown or absent set, one of classes, and a split without images or truth.
    """
    scheme = datasets.resolve_scheme(data, scheme)
    names = datasets.sample_names(data, split, scheme=scheme)
    if datasets.info(data).labels != "instances":
        raise ValueError(f"{data} has classes, not objects: there are no outlines to move")
    if not names:
        raise ValueError(f"{data} has no {split} images under this scheme: choose another")
    facts = [VERSION, datasets.fingerprint(data), split, names]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def compute() -> cache.Arrays:
        total, rows = len(CHANGES) * len(names), []
        for number, change in enumerate(CHANGES):

            def tell(done: int, start: int = number * len(names)) -> None:
                if on_progress:
                    on_progress(start + done, total)

            rows.append(_measure(data, split, names, change, tell))
        return {"rows": np.array(json.dumps(rows))}

    return json.loads(str(cache.remember("one-pixel", key, compute)["rows"]))


def _measure(
    data: str, split: str, names: list[str], change: str, tell: Callable[[int], None]
) -> dict[str, Any]:
    about = datasets.info(data)
    pixels = pixel_scores.Tally(about.classes)
    shape = outlines.Tally(pixel_size_um=about.pixel_size_um)

    def pairs() -> Iterator[Pair]:
        for done, name in enumerate(names, start=1):
            true_HW = datasets.load(data, split, name).truth_HW
            changed_HW = CHANGES[change](true_HW)
            pixels.add(true_HW > 0, changed_HW > 0)
            shape.add(true_HW, changed_HW)
            yield Pair(name, true_HW, changed_HW)
            tell(done)

    scores = evaluation.score(pairs())
    kept = {key: scores[key] for key in ("pooled", "by_image")}
    return {"change": change, **kept, "pixels": pixels.document(), "shape": shape.document()}
