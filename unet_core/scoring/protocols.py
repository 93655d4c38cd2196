"""How the public tutorials measure the figures that they print, so that ours is measured alike.

A protocol is called as the preset of its tutorial. It says how the network looks at the images, how
its probabilities become objects, and which score over which average the figure is; the figure
itself stands in `published`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from unet_core.base.config import ModelConfig, Segmentation
from unet_core.scoring import published
from unet_core.scoring.pixel_scores import mean
from unet_core.scoring.predictions import WHOLE, View

AVERAGES = {
    "pooled": "all images pooled",
    "by_image": "mean of the images",
    "middle": "mean of the images, each by its middle",
    "cut": "mean of the images that were cut",  # by `crop_multiple`
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One tutorial's way from a network to its figures."""

    title: str
    what: str  # a sentence: how it is measured
    data: str
    method: str  # what `published` calls it
    targets: tuple[str, ...] = ()  # what the network must have learnt; empty: any objects
    segmentation: Segmentation | None = None  # as printed; None where the figure is of pixels
    view: View = WHOLE
    patches: int = 0
    middle: int = 0
    figures: tuple[tuple[str, str], ...]  # metric, average

    @property
    def looks(self) -> dict[str, Any]:
        """The options of `evaluation.evaluate` beside the segmentation, by their names there."""
        return {**asdict(self.view), "patches": self.patches, "middle": self.middle}


PROTOCOLS = {
    "dsb-binary": Protocol(
        title="Segmentation with U-Net, binary",
        what="Images cut to multiples of 16; every region above .5 is an object, corners connect; "
        "F1 at IoU .5. As printed, its loop scores only the images that were cut.",
        data="dsb2018",
        method="Segmentation with U-Net, 2 classes",
        targets=("foreground",),
        segmentation=Segmentation(method="components", fill_holes=False),
        view=View(crop_multiple=16),
        figures=(("f1", "by_image"), ("f1", "cut")),
    ),
    "dsb-boundary": Protocol(
        title="Segmentation with U-Net, boundary and watershed",
        what="Images cut to multiples of 16; cores where inside − boundary is above .5 grow over "
        "the boundary, side by side, while the inside alone is above .5; F1 at IoU .5. The "
        "tutorial prints no figure.",
        data="dsb2018",
        method="Segmentation with U-Net, 3 classes",
        targets=("three-class",),
        segmentation=Segmentation(reading="inside", flood_corners=False, fill_holes=False),
        view=View(crop_multiple=16),
        figures=(("f1", "by_image"), ("f1", "cut")),
    ),
    "dl4mia": Protocol(
        title="DL4MIA, Pixel classification",
        what="Every region of the inside alone above .5 is an object, corners do not connect, and "
        "those below 21 px are dropped; AP at IoU .5, and accuracy over the three classes.",
        data="dsb2018",
        method="DL4MIA 2022, 3 classes",
        targets=("three-class",),
        segmentation=Segmentation(
            method="components", reading="inside", connectivity=4, min_size=21, fill_holes=False
        ),
        figures=(("ap", "by_image"), ("three_class_accuracy", "by_image")),
    ),
    "isbi-valid": Protocol(
        title="UNet-PyTorch",
        what="Mean IoU of the two classes, and accuracy, of the middle 388 px of each section at "
        "threshold .5; then the mean of the sections.",
        data="isbi2012",
        method="UNet-PyTorch",
        middle=388,
        figures=(("mean_iou", "middle"), ("accuracy", "middle")),
    ),
    "shapes": Protocol(
        title="unet-multiclass",
        what="Mean IoU of the classes from the counts of all pixels: of 20 patches of each image, "
        "and of whole images by a window of 96 px that slides by half its side.",
        data="synthetic-shapes",
        method="unet-multiclass-pytorch",
        targets=("classes",),
        view=View(window=96),
        patches=20,
        figures=(("patch_mean_iou", "pooled"), ("mean_iou", "pooled")),
    ),
}


def find(name: str) -> Protocol:
    """The named protocol; ValueError names the ones there are."""
    if name not in PROTOCOLS:
        raise ValueError(f"unknown protocol {name!r}; there are: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def misfit(name: str, config: ModelConfig, data: str) -> str:
    """Why a protocol cannot be followed with a model and a data set; empty when it can."""
    protocol = find(name)
    if data.partition(":")[0] != protocol.data:  # the name of a drawn set may carry settings
        return (
            f"protocol {name} is for {protocol.data}, got {data}: choose that set, or another "
            "protocol"
        )
    target = config.train.objective.target
    if protocol.targets and target not in protocol.targets:
        return (
            f"protocol {name} is for networks with the target {' or '.join(protocol.targets)}, "
            f"and this one has {target}: choose another model, or another protocol"
        )
    return ""


def compare(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The tutorial's figures beside those of an evaluation that followed its protocol.

    `figures` has a row for each, with `metric`, `average`, both in words as `label`, and `theirs`
    and `ours`; theirs is None where none was printed for these images. `settings` are the printed
    ones of the segmentation, None where there are none; `changed` names what is not as printed.
    """
    protocol = find(name)
    images = (document["data"], document["split"])
    rows = published.find(*images, scheme=document["scheme"])
    printed = {row.metric: row.values[0][1] for row in rows if row.method == protocol.method}
    settings = protocol.segmentation.to_dict() if protocol.segmentation else None
    measured = {**document["thresholds"], **document}
    wanted = {**(settings or {}), **protocol.looks}
    return {
        "name": name,
        "title": protocol.title,
        "what": protocol.what,
        "settings": settings,
        "changed": [key for key, value in wanted.items() if measured[key] != value],
        "figures": [
            {
                "metric": metric,
                "average": average,
                "label": f"{published.METRICS[metric]}, {AVERAGES[average]}",
                "theirs": printed.get(metric),
                "ours": _measured(document, metric, average),
            }
            for metric, average in protocol.figures
        ],
    }


def _measured(document: Mapping[str, Any], metric: str, average: str) -> float | None:
    """A score of a document, that of objects at the first IoU threshold, .5."""
    if average == "cut":
        return mean(row[metric] for row in document["per_image"] if row["is_cut"])
    if metric in ("f1", "ap"):
        return document[average][0][metric]
    pixels = document["pixels"]
    return (pixels if average == "pooled" else pixels[average])[metric]
