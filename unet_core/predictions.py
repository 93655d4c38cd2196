"""A network's probabilities for a whole split, computed once and kept on disk.

Axes: H rows, W columns.
"""

import hashlib
import json

import numpy as np

from unet_core import __version__, cache, datasets, evaluation
from unet_core.checkpoint import Trained
from unet_core.evaluation import Predicted, Progress

VERSION = 1  # of what is stored; a new one when predicting changes
# What does not change the probabilities: storing other thresholds must not void the cache.
WITHOUT_EFFECT = ("segmentation", "tuned_on", "epoch")


def names(trained: Trained, data: str, split: str, *, scheme: str | None = None) -> list[str]:
    """The images of a split that objects can be matched in.

    `scheme` is the model's own when it was trained on the same data. Raises ValueError for an
    unknown or absent set, one of classes, and a split without images or without truth.
    """
    found = datasets.sample_names(data, split, scheme=own_scheme(trained, data, scheme))
    if datasets.info(data).labels != "instances":
        raise ValueError(f"{data} has classes, not objects: there is nothing to match")
    if not found:
        raise ValueError(f"{data} {split} has no images: choose another split or scheme")
    if datasets.load(data, split, found[0]).labels_HW is None:
        raise ValueError(f"{data} {split} has no truth: nobody has labelled it")
    return found


def own_scheme(trained: Trained, data: str, scheme: str | None) -> str:
    """The scheme asked for; else the model's, when it was trained on these data, or the set's."""
    train = trained.config.train
    if scheme is None and train.data == data:
        scheme = train.scheme
    return datasets.resolve_scheme(data, scheme)


def key(
    trained: Trained, data: str, split: str, *, scheme: str | None = None, flips: bool = False
) -> str:
    """Everything that decides the probabilities, hashed: weights, settings, images."""
    config = {
        name: value
        for name, value in trained.config.to_dict().items()
        if name not in WITHOUT_EFFECT
    }
    chosen = names(trained, data, split, scheme=scheme)
    facts = [VERSION, __version__, config, data, datasets.data_hash(data), split, chosen, flips]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, value in sorted(trained.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def predict_split(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    flips: bool = False,
    on_progress: Progress | None = None,
) -> list[Predicted]:
    """As `evaluation.predict_split`, with the probabilities from the cache where they are in it.

    The 67 validation images of DSB 2018 take 75 MB. Raises ValueError as `names` does.
    """
    scheme = own_scheme(trained, data, scheme)
    chosen = names(trained, data, split, scheme=scheme)

    def compute() -> cache.Arrays:
        found = evaluation.predict_split(
            trained, data, split, scheme=scheme, flips=flips, on_progress=on_progress
        )
        pictures = {f"foreground-{one.name}": one.foreground_HW for one in found}
        return pictures | {f"boundary-{one.name}": one.boundary_HW for one in found}

    digest = key(trained, data, split, scheme=scheme, flips=flips)
    stored = cache.remember("probabilities", digest, compute, is_large=True)
    return [
        Predicted(
            name,
            stored[f"foreground-{name}"],
            stored[f"boundary-{name}"],
            _load_truth(data, split, name),
        )
        for name in chosen
    ]


def _load_truth(data: str, split: str, name: str) -> np.ndarray:
    labels_HW = datasets.load(data, split, name).labels_HW
    assert labels_HW is not None  # `names` has looked
    return labels_HW
