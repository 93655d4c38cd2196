"""The tutorials' headline figures, each measured by its own protocol on a run's weights.

    python benchmarks/tutorials.py notebook-binary=RUN notebook-boundary=RUN dl4mia=RUN ...

A run is named as for `--model`. Everything that is chosen is chosen on validation images; the test
images are scored once, with the tutorial's own settings and with those that validation chose.
"""

import argparse
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import record

from unet_core import (
    checkpoint,
    datasets,
    evaluation,
    inference,
    instances,
    matching,
    metrics,
    targets,
)
from unet_core import patches as patches_
from unet_core.checkpoint import Trained
from unet_core.config import Segmentation

PLAIN = Segmentation(method="components", fill_holes=False)
MULTIPLE = 16  # the notebook crops its test images to multiples of it


def notebook(trained: Trained) -> dict[str, Any]:
    """Mean F1 of the images at IoU .5, all 50 and those that the printed loop may have scored."""
    config = trained.config
    found: dict[str, list[evaluation.Pair]] = {"exact": [], "chosen on validation": []}
    is_cut = []
    settings = {"exact": PLAIN, "chosen on validation": config.segmentation}
    if config.train.target != "foreground":
        settings["exact"] = Segmentation(fill_holes=False)  # markers above .5, mask above .5
    for sample in samples(trained, "test"):
        height, width = (side // MULTIPLE * MULTIPLE for side in sample.image_HW.shape)
        is_cut.append(sample.image_HW.shape != (height, width))
        prob_CHW = inference.predict(trained, sample.image_HW[:height, :width])
        decoded = targets.decode(prob_CHW, config.train.target, config.train.boundary)
        for name, chosen in settings.items():
            labels_HW = instances.segment(*decoded, chosen)
            found[name].append(
                evaluation.Pair(sample.name, sample.labels_HW[:height, :width], labels_HW)
            )
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


def dl4mia(trained: Trained) -> dict[str, Any]:
    """Mean AP of the images at IoU .5, and the mean of their accuracies over three classes."""
    train = trained.config.train
    settings = {
        "exact": PLAIN.replace(min_size=21),
        "chosen on validation": trained.config.segmentation,
    }
    counts: dict[str, list[matching.Counts]] = {name: [] for name in settings}
    accuracies = []
    for sample in samples(trained, "test"):
        prob_CHW = inference.predict(trained, sample.image_HW)
        classes_HW = targets.encode(sample.labels_HW, train.target, train.boundary)
        accuracies.append(float((prob_CHW.argmax(0) == classes_HW).mean()))
        decoded = targets.decode(prob_CHW, train.target, train.boundary)
        for name, chosen in settings.items():
            labels_HW = instances.segment(*decoded, chosen)
            counts[name].append(matching.match(sample.labels_HW, labels_HW))
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


def membranes(trained: Trained) -> dict[str, Any]:
    """Mean IoU of the two classes and accuracy, and V_rand and V_info, of the test sections."""
    document = evaluation.evaluate(trained, "isbi2012", "test")
    pixels, found = document["pixels"], document["membranes"]
    return {
        "images": document["images"],
        "mean_iou": pixels["mean_iou"],
        "accuracy": pixels["accuracy"],
        "membranes": found,
    }


def shapes(trained: Trained) -> dict[str, Any]:
    """Mean IoU over the classes on patches, and on whole images by a sliding window."""
    side, classes = trained.config.train.crop_size, len(trained.config.outputs)
    on_patches, on_images = (np.zeros((classes, classes), np.int64) for _ in range(2))
    for index, sample in enumerate(samples(trained, "test")):
        prob_CHW = inference.predict(trained, sample.image_HW, window=side)
        on_images += metrics.confusion(sample.labels_HW, prob_CHW.argmax(0), classes)
        rng = np.random.default_rng([0, index])
        for row, column in patches_.cut(
            sample.labels_HW, count=20, side=side, must_contain=True, rng=rng
        ):
            cut = (slice(row, row + side), slice(column, column + side))
            # As cut out: normalised with its image, and the network sees nothing around it.
            norm_HW = inference.normalise(sample.image_HW, trained.config)[cut]
            prob_CHW = inference.predict_normalised(trained.network, norm_HW, softmax=True)
            on_patches += metrics.confusion(sample.labels_HW[cut], prob_CHW.argmax(0), classes)
    return {
        "images": len(datasets.sample_names(trained.config.train.data, "test")),
        "miou_patches": float(metrics.iou_per_class(on_patches).mean()),
        "miou_full_images": float(metrics.iou_per_class(on_images).mean()),
        "iou_per_class_full_images": metrics.iou_per_class(on_images).tolist(),
    }


PROTOCOLS: dict[str, Callable[[Trained], dict[str, Any]]] = {
    "notebook-binary": notebook,
    "notebook-boundary": notebook,
    "dl4mia": dl4mia,
    "isbi-valid": membranes,
    "shapes": shapes,
}


def samples(trained: Trained, split: str) -> list[datasets.Sample]:
    """The images of a split, as the run divided its data."""
    train = trained.config.train
    names = datasets.sample_names(train.data, split, scheme=train.scheme)
    return [datasets.load(train.data, split, name) for name in names]


def mean(values: Any) -> float:
    """The mean of the scores that exist."""
    return float(np.nanmean(list(values)))


def main() -> None:
    """Measure the named runs and keep the results of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="TUTORIAL=RUN",
        default=["isbi-valid=membranes", "shapes=shapes"],
        help=f"{', '.join(PROTOCOLS)}; without any the shipped networks are measured",
    )
    os.environ["UNET_DATA"] = str(record.data_folder())
    path = record.RESULTS / "tutorials.json"
    numbers = json.loads(path.read_text())["numbers"] if path.exists() else {}
    for one in parser.parse_args().runs:
        tutorial, _, name = one.partition("=")
        if tutorial not in PROTOCOLS:
            parser.error(f"the tutorial must be one of {', '.join(PROTOCOLS)}, got {tutorial}")
        trained = checkpoint.load(name)
        numbers[tutorial] = {
            "parameters": sum(weight.numel() for weight in trained.network.parameters()),
            "channels": list(trained.config.train.channels),
            "epochs": trained.config.train.epochs,
            **PROTOCOLS[tutorial](trained),
        }
    record.save("tutorials", numbers)


if __name__ == "__main__":
    main()
