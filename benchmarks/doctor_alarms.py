"""How often images are called unlike what a shipped model was trained on, rightly and wrongly.

`python benchmarks/doctor_alarms.py` measures each model on images of its own data set that it was
not trained on (every alarm is a false one), and on others (each image without an alarm is missed).
The limit, `checkup.UNLIKE`, was chosen once from the distances in this table.
"""

from collections.abc import Callable

import numpy as np
import record
from skimage import data as pictures

from unet_core.data import datasets
from unet_core.imaging import checkup, images
from unet_core.network import checkpoint


def main() -> None:
    """Measure all models on all images, print a table, and save it."""
    found: dict[str, Callable[[], list[np.ndarray]]] = {
        "DSB validation": lambda: load("dsb2018", "val"),
        "DSB test": lambda: load("dsb2018", "test"),
        "DSB test, inverted": lambda: [images.invert(one) for one in load("dsb2018", "test")],
        "ISBI validation": lambda: load("isbi2012", "val"),
        "ISBI test": lambda: load("isbi2012", "test"),
        "ISBI sections": lambda: load("isbi2012", "unlabelled"),
        "shapes validation": lambda: load("synthetic-shapes", "val"),
        "shapes test": lambda: load("synthetic-shapes", "test"),
        "synthetic nuclei": lambda: load("synthetic-nuclei", "test"),
        "histology, 4 quarters": histology,
        "photographs": lambda: [pictures.camera(), pictures.coins(), pictures.text()],
    }
    own = {"nuclei": "DSB", "membranes": "ISBI", "shapes": "shapes"}
    table = []
    for title, get in found.items():
        taken = get()
        for model, start in own.items():
            config = checkpoint.read_config(model)
            far = [
                np.abs(checkup.distance(config, checkup.seen_by(config, one))).max()
                for one in taken
            ]
            is_own = title.startswith(start) and "inverted" not in title
            is_alike = model == "nuclei" and title == "synthetic nuclei"  # drawn to be so
            row = {
                "images": title,
                "model": model,
                "should": "pass" if is_own or is_alike else "alarm",
                "count": len(far),
                "alarms": int(np.sum(np.array(far) > checkup.UNLIKE)),
                "distance_least": round(float(min(far)), 2),
                "distance_median": round(float(np.median(far)), 2),
                "distance_most": round(float(max(far)), 2),
            }
            table.append(row)
            print(row)
    record.save("doctor_alarms", {"limit": checkup.UNLIKE, "table": table})


def load(name: str, split: str) -> list[np.ndarray]:
    """The images of a split."""
    return [
        datasets.load(name, split, sample).image_HW for sample in datasets.sample_names(name, split)
    ]


def histology() -> list[np.ndarray]:
    """Quarters of scikit-image's stained tissue in colour, brown and blue on a bright ground."""
    picture_HWC = pictures.immunohistochemistry()
    return [
        picture_HWC[top : top + 256, left : left + 256] for top in (0, 256) for left in (0, 256)
    ]


if __name__ == "__main__":
    main()
