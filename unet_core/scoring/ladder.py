"""What a score is worth: the same images segmented by rules, by a blank network, by perfect ones.

Every rung is scored on the same images in the same way, from finding nothing up to the truth
itself, written as the model's own target and read back.

Axes: C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from unet_core.base.config import ModelConfig, Segmentation
from unet_core.data import datasets
from unet_core.data.pairs import Pair
from unet_core.data.samples import Sample
from unet_core.imaging import instances, targets
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.scoring import evaluation, landscape, predictions
from unet_core.scoring.predictions import WHOLE, Predicted, View

SMALLEST = 21  # pixels, for the rules: the smallest nucleus of DSB 2018's training images
DIAMETER = 20.0  # of an object, where the model does not know its own
SEED = 0  # of the untrained network

Tell = Callable[[str, int, int], None]  # what is being done, how much of how many


@dataclass(frozen=True)
class Rung:
    """A way to find objects: its name, whether it is floor, model or ceiling, and a sentence.

    A ceiling is what an output without a fault scores. It is no bound where that is a mere mask.
    """

    name: str
    kind: str
    what: str
    label: Callable[[Sample], np.ndarray]  # labels [H, W]


def ladder(
    trained: Trained,
    data: str,
    split: str,
    *,
    scheme: str | None = None,
    segmentation: Segmentation | None = None,
    view: View = WHOLE,
    on_progress: Tell | None = None,
) -> list[dict[str, Any]]:
    """The rungs from the floor to the ceiling, each with the scores of `evaluation.score`.

    A row has `name`, `kind`, `what`, `images`, `pooled` and `by_image`. The model's settings are
    its own unless others are given; what `view` cuts off an image is cut off for every rung.
    Raises ValueError for classes, and for a split without images or truth.
    """
    scheme = predictions.own_scheme(trained, data, scheme)
    names = predictions.names(trained, data, split, scheme=scheme)
    settings = segmentation or landscape.start(trained.config)
    networks = {"untrained": blank(trained), "trained": trained}
    found: dict[str, dict[str, Predicted]] = {name: {} for name in networks}
    rungs = [
        *rules(trained.config.diameter),
        *_model(found, trained.config, settings),
        *ceilings(trained.config, settings),
    ]
    stages = len(networks) + len(rungs)

    def stage(text: str, index: int) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            if on_progress:
                on_progress(
                    f"{text}, image {done} of {total}", index * total + done, stages * total
                )

        return tell

    for index, (name, network) in enumerate(networks.items()):
        tell = stage(f"the {name} network", index)
        predicted = predictions.predict_split(
            network,
            data,
            split,
            scheme=scheme,
            view=view,
            reading=settings.reading,
            on_progress=tell,
        )
        found[name].update({one.name: one for one in predicted})
    rows = []
    for index, rung in enumerate(rungs, start=len(networks)):
        pairs = _pairs(rung, data, split, names, view, stage(rung.name, index))
        scores = evaluation.score(pairs)
        kept = {key: scores[key] for key in ("images", "pooled", "by_image")}
        rows.append({"name": rung.name, "kind": rung.kind, "what": rung.what, **kept})
    return rows


def _pairs(
    rung: Rung,
    data: str,
    split: str,
    names: list[str],
    view: View,
    tell: Callable[[int, int], None],
) -> Iterator[Pair]:
    for done, name in enumerate(names, start=1):
        sample = datasets.load(data, split, name)
        assert sample.labels_HW is not None  # `predictions.names` has looked
        image_HW, labels_HW = view.cut(sample.image_HW), view.cut(sample.labels_HW)
        seen = replace(sample, image_HW=image_HW, labels_HW=labels_HW)
        yield Pair(name, labels_HW, rung.label(seen))
        tell(done, len(names))


# Without a network ------------------------------------------------------------------------------


def rules(diameter: float | None = None) -> list[Rung]:
    """What is possible without learning; the diameter tells how far apart objects are."""
    apart = max(2, round((diameter or DIAMETER) / 4))
    otsu = f"pixels brighter than Otsu's threshold; objects under {SMALLEST} px are dropped"
    return [
        Rung(
            "All background",
            "floor",
            "Nothing is found anywhere.",
            lambda sample: np.zeros(sample.image_HW.shape, np.int32),
        ),
        Rung(
            "Otsu + components",
            "floor",
            f"Connected {otsu}.",
            lambda sample: instances.components(_bright(sample.image_HW), min_size=SMALLEST),
        ),
        Rung(
            "Otsu + distance watershed",
            "floor",
            f"{otsu[:1].upper() + otsu[1:]}. Each is cut where it is narrow, between peaks of the "
            f"distance to the background that lie {apart} px apart or more.",
            lambda sample: cut_by_distance(_bright(sample.image_HW), apart=apart),
        ),
    ]


def _bright(image_HW: np.ndarray) -> np.ndarray:
    """Bool: where an image is above Otsu's threshold (Otsu 1979); nowhere in one of one value."""
    return image_HW > threshold_otsu(image_HW)


def cut_by_distance(mask_HW: np.ndarray, *, apart: int, min_size: int = SMALLEST) -> np.ndarray:
    """Labels of a mask, cut into parts around the peaks of the smoothed distance to its outside.

    Two peaks are at least `apart` pixels from each other. Every region keeps one part at least.
    """
    depth_HW = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask_HW), 1.0)
    regions_HW = instances.components(mask_HW, min_size=min_size)
    markers_HW = np.zeros(mask_HW.shape, np.int32)
    peaks = peak_local_max(depth_HW, min_distance=apart, labels=regions_HW, exclude_border=False)
    markers_HW[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    parts_HW = watershed(-depth_HW, markers_HW, mask=regions_HW > 0, connectivity=2)
    return parts_HW.astype(np.int32)


# With a network ---------------------------------------------------------------------------------


def blank(trained: Trained) -> Trained:
    """The same network as it was before any training, but for the draw of its first weights."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = checkpoint.build(trained.config)
    device = next(trained.network.parameters()).device
    return Trained(trained.config, network.to(device).eval())


def _model(
    found: dict[str, dict[str, Predicted]], config: ModelConfig, settings: Segmentation
) -> list[Rung]:
    """The rungs of the network before and after its training; the predictions may come later."""

    def rung(network: str, name: str, kind: str, what: str, method: str) -> Rung:
        chosen = settings.replace(method=method)

        def label(sample: Sample) -> np.ndarray:
            one = found[network][sample.name]
            return instances.segment(one.foreground_HW, one.boundary_HW, chosen)

        return Rung(name, kind, what, label)

    methods = [settings.method]
    what = {
        "components": "Every connected region of its foreground is an object.",
        "watershed": "Objects grow from markers, and its boundary separates them.",
    }
    if has_boundary(config):
        methods = ["components", "watershed"]
    rungs = [
        rung(
            "untrained",
            "Untrained network",
            "floor",
            "The same network with its first, random weights.",
            settings.method,
        )
    ]
    return rungs + [
        rung("trained", f"This model + {method}", "model", what[method], method)
        for method in methods
    ]


def has_boundary(config: ModelConfig) -> bool:
    """Whether a model tells where objects touch."""
    return landscape.defaults(config).method == "watershed"


# Perfect networks -------------------------------------------------------------------------------


def ceilings(config: ModelConfig, settings: Segmentation) -> list[Rung]:
    """What outputs without a fault score: a binary one, and one with the model's target.

    The mask of touching objects is one region. So a worse mask, with gaps where objects touch, can
    score more than the true one: on the test images of DSB 2018 the true mask has pooled F1 .850.
    """

    def label_perfectly(sample: Sample) -> np.ndarray:
        assert sample.labels_HW is not None
        return instances.segment(*perfect(sample.labels_HW, config, settings.reading), settings)

    return [
        Rung(
            "True foreground + components",
            "ceiling",
            "Every connected region of the true foreground: a mask without a fault, in which "
            "objects that touch are one.",
            lambda sample: instances.components(np.asarray(sample.labels_HW) > 0),
        ),
        Rung(
            "True target of this model",
            "ceiling",
            f"The truth written as the target {config.train.objective.target} and read back with "
            "this model's settings: what the model would score if it made no mistake.",
            label_perfectly,
        ),
    ]


def perfect(
    labels_HW: np.ndarray, config: ModelConfig, reading: str = "objects"
) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and boundary, float32, that a model without a fault would give for an image."""
    train = config.train
    if train.objective.target == "classes":  # of classes, only their foreground is an object
        return (labels_HW > 0).astype(np.float32), np.zeros(labels_HW.shape, np.float32)
    target = targets.encode(labels_HW, train.objective.target, train.objective.boundary)
    if targets.is_softmax(train.objective.target):
        target = np.moveaxis(np.eye(len(config.outputs), dtype=np.float32)[target], -1, 0)
    return targets.decode(target, train.objective.target, train.objective.boundary, reading)
