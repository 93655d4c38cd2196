"""The tutorials' headline figures, each measured by its own protocol on a run's weights.

    python benchmarks/tutorials.py notebook-binary=RUN notebook-boundary=RUN dl4mia=RUN ...

A run is named as for `--model`; TUTORIAL:NOTE=RUN keeps another run of the same tutorial. For a
run on all training images, RUN,CHOOSER names the run whose validation images choose for it.
Everything that is chosen is chosen on validation images; the test images are scored once, with the
tutorial's own settings and with those that validation chose.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import record

from unet_core.base.config import Segmentation
from unet_core.data import datasets
from unet_core.data.pairs import Pair
from unet_core.imaging import instances, targets
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import inference
from unet_core.scoring import evaluation, matching
from unet_core.scoring.predictions import View

PLAIN = Segmentation(method="components", fill_holes=False)
MULTIPLE = 16  # the notebook crops its test images to multiples of it


def notebook(trained: Trained, chooser: Trained, view: View) -> dict[str, Any]:
    """Mean F1 of the images at IoU .5, all 50 and those that the printed loop may have scored."""
    config = trained.config
    found: dict[str, list[Pair]] = {"exact": [], "chosen on validation": []}
    is_cut = []
    settings = {"exact": PLAIN, "chosen on validation": chooser.config.segmentation}
    if config.train.objective.target != "foreground":
        settings["exact"] = Segmentation(fill_holes=False)  # markers above .5, mask above .5
    for sample in samples(trained, "test"):
        height, width = (side // MULTIPLE * MULTIPLE for side in sample.image_HW.shape)
        is_cut.append(sample.image_HW.shape != (height, width))
        prob_CHW = inference.predict(trained, sample.image_HW[:height, :width], **view.options)
        decoded = targets.decode(
            prob_CHW, config.train.objective.target, config.train.objective.boundary
        )
        for name, chosen in settings.items():
            labels_HW = instances.segment(*decoded, chosen)
            found[name].append(Pair(sample.name, sample.truth_HW[:height, :width], labels_HW))
    result: dict[str, Any] = {}
    for name, pairs in found.items():
        counts = [matching.match(pair.true_HW, pair.pred_HW) for pair in pairs]
        some = [one for one, cut in zip(counts, is_cut, strict=True) if cut]
        result[name] = {
            "settings": settings[name].to_dict(),
            "f1_by_image": mean(one.f1 for one in counts),
            "images": len(counts),
            "f1_by_image_of_sides_not_multiples_of_16": mean(one.f1 for one in some),
            "such_images": len(some),
            "ap50_by_image": mean(one.ap for one in counts),
            "ap50_pooled": sum(counts, start=matching.Counts()).ap,
        }
    return result


def dl4mia(trained: Trained, chooser: Trained, view: View) -> dict[str, Any]:
    """Mean AP of the images at IoU .5, and the mean of their accuracies over three classes."""
    objective = trained.config.train.objective
    settings = {
        "exact": PLAIN.replace(min_size=21),
        "chosen on validation": chooser.config.segmentation,
    }
    counts: dict[str, list[matching.Counts]] = {name: [] for name in settings}
    accuracies = []
    for sample in samples(trained, "test"):
        prob_CHW = inference.predict(trained, sample.image_HW, **view.options)
        classes_HW = targets.encode(sample.truth_HW, objective.target, objective.boundary)
        accuracies.append(float((prob_CHW.argmax(0) == classes_HW).mean()))
        decoded = targets.decode(prob_CHW, objective.target, objective.boundary)
        for name, chosen in settings.items():
            labels_HW = instances.segment(*decoded, chosen)
            counts[name].append(matching.match(sample.truth_HW, labels_HW))
    scores = {
        name: {
            "settings": settings[name].to_dict(),
            "ap50_by_image": mean(one.ap for one in some),
            "ap50_pooled": sum(some, start=matching.Counts()).ap,
            "f1_by_image": mean(one.f1 for one in some),
        }
        for name, some in counts.items()
    }
    return {**scores, "three_class_accuracy_by_image": mean(accuracies), "images": len(accuracies)}


def membranes(trained: Trained, chooser: Trained, view: View) -> dict[str, Any]:
    """Mean IoU of the two classes and accuracy, at .5 and where validation chose; V_rand."""
    data = trained.config.train.images.data
    curve = evaluation.evaluate(chooser, data, "val", view=view)["pixels"]["curve"]
    index = int(np.argmax([row["mean_iou"] for row in curve]))
    document = evaluation.evaluate(trained, data, "test", view=view)
    pixels = document["pixels"]
    return {
        "images": document["images"],
        "exact": {"threshold": 0.5, **{key: pixels[key] for key in ("mean_iou", "accuracy")}},
        "chosen on validation": pixels["curve"][index],
        "on validation": curve[index],
        "membranes": document["membranes"],
    }


def shapes(trained: Trained, _chooser: Trained, view: View) -> dict[str, Any]:
    """Mean IoU over the classes on patches, and on whole images by a sliding window."""
    source = trained.config.train.images
    view = replace(view, window=source.crop_size)
    document = evaluation.evaluate(
        trained, source.data, "test", view=view, n_patches=source.patches
    )
    pixels = document["pixels"]
    return {
        "images": document["images"],
        "miou_patches": pixels["patch_mean_iou"],
        "miou_full_images": pixels["mean_iou"],
        "iou_per_class_full_images": [one["iou"] for one in pixels["classes"]],
    }


PROTOCOLS: dict[str, Callable[[Trained, Trained, View], dict[str, Any]]] = {
    "notebook-binary": notebook,
    "notebook-boundary": notebook,
    "dl4mia": dl4mia,
    "isbi-valid": membranes,
    "shapes": shapes,
}


def samples(trained: Trained, split: str) -> list[datasets.Sample]:
    """The images of a split, as the run divided its data."""
    train = trained.config.train
    names = datasets.sample_names(train.images.data, split, scheme=train.images.scheme)
    return [datasets.load(train.images.data, split, name) for name in names]


def mean(values: Any) -> float:
    """The mean of the scores that exist."""
    return float(np.nanmean(list(values)))


def main() -> None:
    """Measure the named runs and keep the results of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="TUTORIAL[:NOTE]=RUN[,CHOOSER]",
        default=["isbi-valid=membranes", "shapes=shapes"],
        help=f"{', '.join(PROTOCOLS)}; without any the shipped networks are measured",
    )
    parser.add_argument("--rotations", type=int, default=0, help="average over so many rotations")
    arguments = parser.parse_args()
    view = View(rotations=arguments.rotations)
    os.environ["UNET_DATA"] = str(record.data_folder())
    path = record.RESULTS / "tutorials.json"
    numbers = json.loads(path.read_text())["numbers"] if path.exists() else {}
    for one in arguments.runs:
        tutorial, _, name = one.partition("=")
        protocol = PROTOCOLS.get(tutorial.partition(":")[0])
        if protocol is None:
            parser.error(f"the tutorial must be one of {', '.join(PROTOCOLS)}, got {tutorial}")
        name, _, other = name.partition(",")
        trained = checkpoint.load(name)
        chooser = checkpoint.load(other) if other else trained
        numbers[tutorial] = {
            "parameters": sum(weight.numel() for weight in trained.network.parameters()),
            "widths": list(trained.config.train.network.widths),
            "epochs": trained.config.train.optimisation.epochs,
            "rotations": view.rotations,
            **protocol(trained, chooser, view),
        }
    record.save("tutorials", numbers)


if __name__ == "__main__":
    main()
