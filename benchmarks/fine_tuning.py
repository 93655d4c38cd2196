"""What some corrected images are worth: a shipped network trained on, and one from nothing.

The images are those of DSB 2018 that `nuclei` has never learnt from, turned into something that it
does not know: half as large, on an uneven background, with noise; "inverted" ones are dark on
bright, too. "Corrected" are 1, 3, 5 and 10 of its validation images with their true labels, other
ones with each seed; scored is on its 50 test images, pooled F1 at IoU .5. Everything else is the
same for both: the recipe that *Fine-tune this model* takes, with the model's own rate where the
weights are random, the last epoch, and the settings of segmentation that are stored with `nuclei`.
From nothing also gets four times the steps once. Minutes are those of one core's work.

    python benchmarks/fine_tuning.py --seeds 3 --data inverted

Each score is written as soon as it is known, and a second call goes on where the first was stopped.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import record
import tifffile
import torch

from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.data import datasets, division, importing, samples
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.runs import recipes
from unet_core.scoring import evaluation
from unet_core.training.trainer import Training

MODEL, DATA, SCHEME = "nuclei", "dsb2018", "stardist"
COUNTS = (1, 3, 5, 10)
NOISE, GRADIENT = 0.03, 0.25  # of the range from black to white
LONGER, LONGER_ON = 4, 5  # how many times the steps, on how many images
FOLDER = record.RESULTS / "fine_tuning"
KINDS = ("inverted", "small")


def disguise(sample: samples.Sample, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The image as uint8, half as large and perhaps dark on bright, and its labels."""
    shape = tuple(max(1, side // 2) for side in sample.image_HW.shape)
    seed = int.from_bytes(sample.name.encode()[:8], "little")
    rng = np.random.default_rng(seed)
    bright_HW = 1 - images.display(sample.image_HW, low=0, high=100) / 255
    small_HW = images.resize(bright_HW, (shape[0], shape[1]))
    slope_HW = np.linspace(1 - GRADIENT, 1, shape[1])[None, :]
    noisy_HW = small_HW * slope_HW + rng.normal(0, NOISE, shape)
    pixels_HW = np.rint(255 * (0.1 + 0.8 * noisy_HW).clip(0, 1)).astype(np.uint8)
    if kind == "small":
        pixels_HW = 255 - pixels_HW
    return pixels_HW, images.fit_labels(sample.truth_HW, shape)


def write(place: Path, split: str, sample: samples.Sample, kind: str) -> None:
    """An image and its labels where `data add` finds them."""
    pixels_HW, labels_HW = disguise(sample, kind)
    for part, array in (("images", pixels_HW), ("masks", labels_HW.astype(np.uint16))):
        (place / split / part).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(place / split / part / f"{sample.name}.tif", array)


def add(title: str, train: list[str], kind: str) -> str:
    """An own set with some corrected images, and all test images; gives its name."""
    if title in datasets.names():
        return title
    with tempfile.TemporaryDirectory() as folder:
        for name in train:
            write(Path(folder), "train", datasets.load(DATA, "val", name), kind)
        for name in datasets.sample_names(DATA, "test"):
            write(Path(folder), "test", datasets.load(DATA, "test", name), kind)
        plan = importing.look(*importing.open_paths(Path(folder)))
        how = division.Division(by="folder")
        return importing.add(title, plan, how, object_name="nucleus")


def score(trained: Trained, data: str) -> float:
    """Pooled F1 at IoU .5 on the test images, with the settings that are stored with `nuclei`."""
    settings = checkpoint.read_config(MODEL).segmentation
    found = evaluation.evaluate(trained, data, "test", segmentation=settings)
    return round(next(row["f1"] for row in found["pooled"] if row["iou"] == 0.5), 4)


def train(config: TrainConfig) -> tuple[Trained, float]:
    """A network trained in this process, and the minutes that one core worked for it."""
    start = time.process_time()
    training = Training(config, device=device.choose("cpu"))
    for _ in training.events():
        pass
    return training.trained(), (time.process_time() - start) / 60


def plan(seeds: int) -> list[tuple[str, int, int]]:
    """Way, number of images and seed of every training, the cheapest answer first."""
    every = [
        (way, count, seed)
        for seed in range(seeds)
        for count in sorted(COUNTS, key=lambda count: count != LONGER_ON)
        for way in ("fine-tuned", "from nothing")
    ]
    return every + [(f"from nothing, {LONGER} times the steps", LONGER_ON, s) for s in range(seeds)]


def config_of(way: str, data: str, seed: int) -> TrainConfig:
    """The recipe of a way on a set."""
    config, _ = recipes.fine_tune(MODEL, data)
    config = config.replace(seed=seed, watch="last")
    if way == "fine-tuned":
        return config
    own = checkpoint.read_config(MODEL).train.optimisation.lr
    longer = 1 if way == "from nothing" else LONGER
    return config.replace(init_from="", lr=own, epochs=longer * config.optimisation.epochs)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds, by way and number of images."""
    table: dict[str, dict[str, Any]] = {}
    for row in rows:
        table.setdefault(row["way"], {}).setdefault(str(row["images"]), []).append(row)
    return {
        way: {
            count: {
                "f1": round(statistics.fmean(one["f1"] for one in some), 4),
                "f1_by_seed": [one["f1"] for one in some],
                "minutes": round(statistics.fmean(one["minutes"] for one in some), 1),
            }
            for count, some in by_count.items()
        }
        for way, by_count in table.items()
    }


def main() -> None:
    """Measure what is not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=0, help="each some minutes for a training")
    parser.add_argument("--data", choices=KINDS, default="inverted")
    arguments = parser.parse_args()
    seeds, kind, path = arguments.seeds, arguments.data, FOLDER / f"{arguments.data}.json"
    if not seeds:  # as with `make bench`
        parser.print_help()
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / DATA).symlink_to((record.data_folder() / DATA).resolve())
        os.environ["UNET_DATA"] = folder
        document = json.loads(path.read_text()) if path.exists() else {"rows": []}
        rows = document["rows"]
        pool = datasets.sample_names(DATA, "val", scheme=SCHEME)
        for way, count, seed in plan(seeds):
            chosen = np.random.default_rng(seed).permutation(pool)[:count].tolist()
            data = add(f"corrected-{count}-{seed}", chosen, kind)
            if "before" not in document:
                document["before"] = score(checkpoint.load(MODEL), data)
            if any((row["way"], row["images"], row["seed"]) == (way, count, seed) for row in rows):
                continue
            trained, minutes = train(config_of(way, data, seed))
            row = {"way": way, "images": count, "seed": seed, "f1": score(trained, data)}
            rows.append(row | {"minutes": round(minutes, 2)})
            print(rows[-1], "before", document["before"], flush=True)
            document |= {
                "score": f"pooled F1 at IoU .5 on 50 test images of dsb2018, disguised as {kind}",
                "means": summary(rows),
                "command": f"python benchmarks/fine_tuning.py --seeds {seeds} --data {kind}",
                **record.origin(),
            }
            FOLDER.mkdir(exist_ok=True)
            path.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
