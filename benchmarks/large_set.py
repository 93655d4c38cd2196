"""How much memory a training takes on a set that is larger than it.

An own set of so many gigabytes (16-bit images of 4096x4096 with labelled nuclei, one file under
many names, so that it does not fill the disk) is copied into the file that is mapped, and a small
network trains on it for some steps. The budget is 3 GB at the highest, whatever the set's size.

    python benchmarks/large_set.py --gigabytes 20
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import record
import tifffile
import torch

from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.data import own, synthetic
from unet_core.training.trainer import Step, Training

SIDE, TILE = 4096, 512
BYTES = SIDE**2 * (2 + 4)  # of an image and its labels as they are mapped
BUDGET_GB = 3.0
STEPS = 40


def make_set(folder: Path, count: int) -> None:
    """An own set of one image under many names."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    tile_HW, marks_HW = synthetic.nuclei(np.random.default_rng(0), (TILE, TILE))
    times = SIDE // TILE
    number_HW = np.arange(times**2).reshape(times, times).repeat(TILE, 0).repeat(TILE, 1)
    labels_HW = np.tile(marks_HW, (times, times)).astype(np.uint16)
    labels_HW[labels_HW > 0] += (number_HW * marks_HW.max())[labels_HW > 0].astype(np.uint16)
    pixels_HW = np.tile(tile_HW, (times, times)).astype(np.uint16) * 16
    for part, array in (("images", pixels_HW), ("labels", labels_HW)):
        first = folder / part / "plate-0000.tif"
        tifffile.imwrite(first, array, compression="zlib")
        for number in range(1, count):
            os.link(first, folder / part / f"plate-{number:04}.tif")
    about = {
        "title": "A large plate",
        "sentence": "Made by a script.",
        "kind": "objects",
        "classes": [{"name": "background", "code": ""}, {"name": "nucleus", "code": ""}],
        "images": {f"plate-{number:04}": {"split": "train", "file": ""} for number in range(count)},
    }
    (folder / own.FILE).write_text(json.dumps(about))


def peak_gigabytes() -> float:
    """The most that this process has had in memory, mapped pages included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Make the set, train on it twice, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=0, help="20 take some minutes")
    size = parser.parse_args().gigabytes
    if not size:  # as with `make bench`
        parser.print_help()
        return
    torch.set_num_threads(1)
    count = round(size * 1e9 / BYTES)
    config = TrainConfig.of(
        data="large", widths=(16, 32, 64), crop_size=256, batch_size=4, epochs=1,
        steps_per_epoch=STEPS, crops="on-objects",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        os.environ |= {"UNET_DATA": f"{place}/data", "UNET_CACHE": f"{place}/cache"}
        make_set(Path(place) / "data" / "own" / "large", count)
        numbers: dict[str, object] = {"images": count, "gigabytes": round(count * BYTES / 1e9, 1)}
        for name in ("first", "again"):
            start = time.perf_counter()
            training = Training(config, device=device.choose("cpu"))
            begun = time.perf_counter()
            steps = sum(isinstance(event, Step) for event in training.events())
            numbers |= {
                f"seconds_to_begin_{name}": round(begun - start, 1),
                f"seconds_a_step_{name}": round((time.perf_counter() - begun) / steps, 3),
            }
            print(numbers, f"peak {peak_gigabytes():.2f} GB", flush=True)
    peak = peak_gigabytes()
    numbers |= {
        "peak_gigabytes": round(peak, 2),
        "budget_gigabytes": BUDGET_GB,
        "within_budget": peak <= BUDGET_GB,
    }
    record.save("large_set", numbers)


if __name__ == "__main__":
    main()
