"""Choosing a model's segmentation settings on a split, and saying ever after on which.

Thresholds that were chosen on test images make every score on those images too good, so that needs
a special wish and leaves a mark that travels with the model.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from unet_core.base import cache, folders, records
from unet_core.base.config import Segmentation
from unet_core.data import datasets
from unet_core.imaging import matching
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict.recipe import MARK, is_marked
from unet_core.scoring import landscape, predictions
from unet_core.scoring.landscape import Aim, Grid, Landscape
from unet_core.scoring.predictions import WHOLE, View

WIDENINGS = 2  # how often a grid grows where the best point lies on its edge
VERSION = 2  # of the stored counts; a new one when segmenting or matching changes
SPLITS = {"train": "training", "val": "validation"}
Tell = Callable[[str, int, int], None]  # what is being done, how much of how many


@dataclass(frozen=True)
class Tuned:
    """The landscape of a split, and in words on which images it was made."""

    landscape: Landscape
    tuned_on: str
    scheme: str

    @property
    def on_test(self) -> bool:
        """Whether test images have chosen."""
        return is_marked(self.tuned_on)

    @property
    def notes(self) -> list[str]:
        """What one should know before one trusts the result."""
        found = []
        if self.on_test:
            found.append("Test images have chosen: their scores are no measurement any more.")
        if self.landscape.images == 1:
            found.append("One image has chosen: another one may want other settings.")
        for name in self.landscape.beyond:
            value = getattr(self.landscape.settings, name)
            found.append(
                f"The best {name} lies on the edge of what was tried ({value:g}): others beyond it "
                "may be better still."
            )
        if np.isnan(self.landscape.values_RK).all():
            found.append("There is nothing to score: no true object, and none was found.")
        return found


def tune(
    trained: Trained,
    data: str,
    split: str = "val",
    aim: Aim | None = None,
    *,
    scheme: str | None = None,
    base: Segmentation | None = None,
    view: View = WHOLE,
    on_test: bool = False,
    on_progress: Tell | None = None,
) -> Tuned:
    """Try the usual grid of settings on a split, and more where the best lies on its edge.

    Probabilities and counts come from the cache where they are in it, so that another measure,
    average or IoU of `matching.IOUS` costs nothing, but for what its own best has beyond the edge.

    Raises ValueError for a split without images or truth, a set of classes, impossible options,
    and for test images unless `on_test` says that they are meant.
    """
    aim = aim or Aim()
    scheme = predictions.own_scheme(trained, data, scheme)
    names = predictions.names(trained, data, split, scheme=scheme)
    is_test = _are_test_images(trained, data, split, names)
    if is_test and not on_test:
        raise ValueError(
            f"these are test images of {data}: settings chosen on them make every score on them "
            "too good. Choose on val; to show just that, add --on-test"
        )
    grid = landscape.make_grid(base or landscape.start(trained.config))
    ious = matching.IOUS if aim.iou in matching.IOUS else (aim.iou,)

    def count(part: Grid) -> np.ndarray:
        return _count(trained, data, split, scheme, view, part, ious, on_progress)

    found = _search(grid, ious, aim, count)
    images = f"{len(names)} {SPLITS.get(split, split)} images of {data}, scheme {scheme}"
    if is_test:
        images = f"{MARK} of {data} ({len(names)}, scheme {scheme})"
    return Tuned(found, f"{images}, for {aim.words}", scheme)


def _search(
    grid: Grid, ious: Sequence[float], aim: Aim, count: Callable[[Grid], np.ndarray]
) -> Landscape:
    """The landscape of a grid, which grows while the best point lies on its edge."""
    parts = [(grid, count(grid))]
    found = landscape.from_counts(parts[0][1], grid, ious, aim)
    for _ in range(WIDENINGS):
        if not found.strips:
            break
        parts += [(strip, count(strip)) for strip in found.strips]
        grid = landscape.join([part for part, _ in parts])
        found = landscape.from_counts(landscape.fill(grid, parts), grid, ious, aim)
    return found


def _count(
    trained: Trained,
    data: str,
    split: str,
    scheme: str,
    view: View,
    grid: Grid,
    ious: Sequence[float],
    tell: Tell | None,
) -> np.ndarray:
    """The counts of `landscape.count`, from the cache where they are in it."""

    def compute() -> cache.Arrays:
        look = _stage("predicting image", 0, tell)
        predicted = predictions.predict_split(
            trained,
            data,
            split,
            scheme=scheme,
            view=view,
            reading=grid.base.reading,
            on_progress=look,
        )
        look = _stage(f"trying {grid.n_cells} settings on image", 1, tell)
        return {"counts": landscape.count(predicted, grid, ious, on_progress=look)}

    key = predictions.key(trained, data, split, scheme=scheme, view=view)
    facts = json.dumps([VERSION, key, asdict(grid), ious])
    digest = hashlib.sha256(facts.encode()).hexdigest()
    return cache.remember("landscape", digest, compute)["counts"]


def _stage(text: str, index: int, tell: Tell | None) -> landscape.Progress:
    """The progress of one of two stages, as half of the whole."""

    def on_progress(done: int, total: int) -> None:
        if tell:
            tell(f"{text} {done} of {total}", index * total + done, 2 * total)

    return on_progress


def _are_test_images(trained: Trained, data: str, split: str, names: list[str]) -> bool:
    """Also where another scheme calls validation what the model's own keeps for the test."""
    train = trained.config.train
    if split == "test" or data != train.images.data:
        return split == "test"
    return any(datasets.used_in(data, train.images.scheme, name) == "test" for name in names)


def check_store(model: str) -> None:
    """Raise ValueError where settings cannot be stored: in a shipped model, in a living run."""
    path = checkpoint.find(model)
    if path.resolve().parent == folders.SHIPPED.resolve():
        raise ValueError(
            f"{model} is a shipped model and stays as it is: store the settings in a copy of "
            f"{path.name}, or in a run of your own"
        )
    if records.is_held(path.parent / "lock"):
        raise ValueError(
            f"run {path.parent.name} is still training and would overwrite them: stop it first"
        )


def store(model: str, tuned: Tuned) -> None:
    """Write the best settings and where they were chosen into a model's own file.

    Raises ValueError as `check_store` does.
    """
    check_store(model)
    trained = checkpoint.load(model, device="cpu")
    best, tuned_on = tuned.landscape.settings, tuned.tuned_on
    config = trained.config.replace(segmentation=best, tuned_on=tuned_on)
    checkpoint.save(checkpoint.find(model), Trained(config, trained.network))
