"""What each of our changes to a tutorial's recipe does by itself, on a small scale.

    python benchmarks/changes.py isbi-valid-original ...

An original preset is trained with few channels and for a short time, with three seeds, and then
again with one of our changes (`tutorials.changes`) at a time, with two of them. All are scored on
the same validation images. What the seeds scatter says which differences are noise. A change to the
images themselves (data, division) and to the length of training cannot be told by this and is left
out. Each value is written as soon as it is known, and a second call goes on where the first was
stopped.
"""

import argparse
import json
import os
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import record

from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.network.checkpoint import Trained
from unet_core.scoring import evaluation, landscape, predictions
from unet_core.training import tutorials
from unet_core.training.presets import preset
from unet_core.training.trainer import Training

FOLDER = record.RESULTS / "changes"
SEEDS, SEEDS_OF_A_CHANGE = (0, 1, 2), (0, 1)
MOST_IMAGES = 22
LEFT_OUT = {"data", "scheme", "fit_width", "epochs", "patience"}
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

F1 = "F1 at IoU .5, mean of the validation images, at the best thresholds on these"
AP = "AP at IoU .5, mean of the validation images, at the best thresholds on these"
MEMBRANES = "mean IoU of the validation sections, pooled, at the best threshold on these"
CLASSES = "mean IoU of the classes on the validation images, pooled"

# The small scale, and the score. A setting that stands here cannot be a change.
SMALL: dict[str, tuple[tuple[str, ...], str]] = {
    "dsb-binary-original": (("widths=8,16,32,64,128", "epochs=3", "steps_per_epoch=140"), F1),
    "dsb-boundary-original": (("widths=8,16,32,64,128", "epochs=3", "steps_per_epoch=140"), F1),
    "dl4mia-original": (
        ("widths=16,32,64", "epochs=3", "steps_per_epoch=60", "val_images=16"),
        AP,
    ),
    "isbi-valid-original": (("widths=8,16,32,64,128", "epochs=15", "scheme=sections"), MEMBRANES),
    "isbi-notebook-original": (
        ("widths=8,16,32,64,128", "epochs=8", "precision=float32"),
        MEMBRANES,
    ),
    "shapes-original": (
        (
            *("widths=8,16,32,64,64", "epochs=3", "drop_every=1", "steps_per_epoch=80"),
            *("scheme=fraction", "val_images=10"),
        ),
        CLASSES,
    ),
}


def scaled(change: tutorials.Change, original: TrainConfig, small: TrainConfig) -> list[str]:
    """The settings of a change, channels with as small a part of theirs as the small network."""
    factor = original.network.widths[0] // small.network.widths[0]
    return [
        "widths=" + ",".join(str(int(width) // factor) for width in setting[7:].split(","))
        if setting.startswith("widths=")
        else setting
        for setting in change.settings
    ]


def train(config: TrainConfig) -> Trained:
    """The network that a recipe keeps, trained in this process."""
    training = Training(config, device=device.choose("cpu"))
    for _ in training.events():
        pass
    return training.trained()


def objects(trained: Trained, measure: str) -> float:
    """The best score of objects over some thresholds, on the validation images themselves."""
    images = trained.config.train.images
    names = datasets.sample_names(images.data, "val", scheme=images.scheme)
    some = datasets.pick_evenly(names, images.val_images or MOST_IMAGES)
    answers = predictions.predict_each(trained, images.data, "val", some, predictions.WHOLE)
    predicted = [predictions.decode(one, trained.config) for one in answers]
    found = landscape.landscape(
        predicted, trained.config, measure=measure, average="by_image", thresholds=THRESHOLDS
    )
    return float(found.values_RK[found.best])


def pixels(trained: Trained) -> float:
    """The best mean IoU over the thresholds of pixels; that of classes has none."""
    images = trained.config.train.images
    found = evaluation.evaluate(trained, images.data, "val", scheme=images.scheme)["pixels"]
    return float(max(row["mean_iou"] for row in found.get("curve", [found])))


SCORES: dict[str, Callable[[Trained], float]] = {
    F1: lambda trained: objects(trained, "f1"),
    AP: lambda trained: objects(trained, "ap"),
    MEMBRANES: pixels,
    CLASSES: pixels,
}


def summary(runs: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The original's mean, what each change gains with the same seeds, and below what it is noise.

    Noise is twice the standard error of a difference of two means, from what the seeds scatter
    around their own means, all recipes together.
    """
    original = runs[""]
    gains = {
        name: statistics.fmean(value - original[seed] for seed, value in values.items())
        for name, values in runs.items()
        if name
    }
    squares = [
        (value - statistics.fmean(values.values())) ** 2
        for values in runs.values()
        for value in values.values()
    ]
    freedom = len(squares) - len(runs)
    spread = (sum(squares) / freedom) ** 0.5 if freedom else float("nan")
    return {
        "original": round(statistics.fmean(original.values()), 4),
        "gains": {name: round(gain, 4) for name, gain in gains.items()},
        "noise": round(2 * spread * (2 / len(SEEDS_OF_A_CHANGE)) ** 0.5, 4),
    }


def measure(name: str) -> None:
    """Train and score an original preset with each change, as far as that is not done."""
    path = FOLDER / f"{name}.json"
    settings, score = SMALL[name]
    document = json.loads(path.read_text()) if path.exists() else {"runs": {}}
    runs: dict[str, dict[str, float]] = document["runs"]
    original = preset(name).config
    small = original.with_text(settings)
    recipes: dict[str, Sequence[str]] = {"": ()}
    for change in tutorials.changes(name):
        fixed = {setting.partition("=")[0] for setting in settings} - {"widths"}
        if not (LEFT_OUT | fixed) & set(change.names):
            recipes[change.title] = scaled(change, original, small)
    for seed in SEEDS:
        for label, changed in recipes.items():
            known = runs.setdefault(label, {})
            if str(seed) in known or (label and seed not in SEEDS_OF_A_CHANGE):
                continue
            config = small.with_text([*changed, f"seed={seed}"])
            known[str(seed)] = round(SCORES[score](train(config)), 4)
            print(name, label or "original", seed, known[str(seed)], flush=True)
            document = {
                "small": list(settings),
                "score": score,
                **summary({label: values for label, values in runs.items() if values}),
                "runs": runs,
                "command": f"python benchmarks/changes.py {name}",
                **record.origin(),
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=2) + "\n")


def main() -> None:
    """Measure the named presets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "presets", nargs="*", metavar="PRESET", help=f"{', '.join(SMALL)}: up to hours each"
    )
    arguments = parser.parse_args()
    if not arguments.presets:  # as with `make bench`
        parser.print_help()
    os.environ["UNET_DATA"] = str(record.data_folder())
    for name in arguments.presets:
        if name not in SMALL:
            parser.error(f"the preset must be one of {', '.join(SMALL)}, got {name}")
        measure(name)


if __name__ == "__main__":
    main()
