"""How much of the network's own speed is left for many images in one job, and whether memory grows.

500 images of 520x696 (those of DSB 2018, in turns) go into one folder of results. After every 25 of
them the job rests, and the network alone answers to five, so that both see the same machine at the
same time. The budget is .9 of the network's own throughput, and memory that stays flat after the
first fifth.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import record
import tifffile

from unet_core.base import device
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.predict import batch, export
from unet_core.predict.recipe import Recipe

SHAPE = (520, 696)
EVERY, ALONE = 25, 5
BUDGET = 0.9
MODEL = "nuclei"


class Watch:
    """Counts the time of the job, without that in which the network works alone."""

    def __init__(self, trained: checkpoint.Trained, recipe: Recipe, pictures: list[Path]) -> None:
        self.trained, self.recipe = trained, recipe
        self.pixels = [tifffile.imread(path) for path in pictures[:ALONE]]
        self.alone: list[float] = []  # seconds for an image
        self.resting = 0.0
        self.megabytes: dict[int, int] = {}  # by the images done

    def look(self, done: int, total: int) -> None:
        """Told by the job after every image."""
        if done % EVERY and done != total:
            return
        start = time.perf_counter()
        self.megabytes[done] = resident_megabytes()
        time.sleep(0.5)  # the image before is still being written
        for pixels_HW in self.pixels:
            begin = time.perf_counter()
            export.follow(self.trained, pixels_HW, self.recipe)
            self.alone.append(time.perf_counter() - begin)
        self.resting += time.perf_counter() - start


def resident_megabytes() -> int:
    """What this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def lay_out(folder: Path, count: int) -> list[Path]:
    """So many files of one size, the real ones in turns."""
    sources = sorted((record.data_folder() / "dsb2018" / "train" / "images").glob("*.tif"))
    fitting = [path for path in sources if tifffile.TiffFile(path).pages[0].shape == SHAPE]
    paths = [folder / f"{number:04}.tif" for number in range(count)]
    for number, path in enumerate(paths):
        shutil.copy(fitting[number % len(fitting)], path)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    count = parser.parse_args().images
    device.share_cores()
    config = checkpoint.read_config(MODEL)
    recipe = Recipe(
        files=(),
        files_sha256=(),
        model=MODEL,
        model_sha256=images.sha256(checkpoint.find(MODEL).read_bytes()),
        segmentation=config.segmentation,
    )
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "in").mkdir()
        paths = lay_out(Path(place) / "in", count)
        watch = Watch(checkpoint.load(MODEL), recipe, paths)
        export.follow(watch.trained, watch.pixels[0], recipe)  # the first one also prepares
        start = time.perf_counter()
        report = batch.segment(Path(place) / "out", [f"{place}/in"], recipe, on_progress=watch.look)
        seconds = time.perf_counter() - start - watch.resting
        stored = sum(
            path.stat().st_size for path in (Path(place) / "out" / "probabilities").iterdir()
        )
    alone = statistics.mean(watch.alone)
    ratio = alone * count / seconds
    settled = [used for done, used in watch.megabytes.items() if done >= count / 5]
    numbers = {
        "images": count,
        "shape": list(SHAPE),
        "objects": report.to_dict()["objects"],
        "seconds": round(seconds, 1),
        "images_per_second": round(count / seconds, 3),
        "images_per_second_of_the_network_alone": round(1 / alone, 3),
        "of_the_networks_own": round(ratio, 3),
        "budget": BUDGET,
        "within_budget": ratio >= BUDGET,
        "megabytes_by_images_done": watch.megabytes,
        "megabytes_grown_after_a_fifth": settled[-1] - settled[0],
        "stored_probabilities_kilobytes_an_image": round(stored / count / 1000),
    }
    record.save("batch_speed", numbers)


if __name__ == "__main__":
    main()
