"""Tables of every image and every object of a data set, and what they mean for training.

Axes: H rows, W columns. Lengths are in pixels and areas in square pixels unless a name says _um.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from unet_core.base import cache
from unet_core.imaging.measure import measure

VERSION = 1  # raise it when a column changes its meaning: stored tables are then made anew


@dataclass(frozen=True)
class Statistics:
    """A row per image and a row per object.

    images: image, split, height, width, objects, smallest_area, touching (share of its objects that
    touch another), foreground (share of its pixels), intensity_mean, and a share_<class> per class.
    objects: image, split, class, then the columns of `measure.measure`. Where a data set labels
    classes and not objects, an object is an 8-connected region of one class.
    """

    images: pd.DataFrame
    objects: pd.DataFrame


@dataclass(frozen=True)
class Labelled:
    """An image with its labels, and the split it is stored under."""

    name: str
    split: str
    image_HW: np.ndarray
    labels_HW: np.ndarray


def measure_images(
    labelled: Iterable[Labelled],
    *,
    classes: tuple[str, ...],
    has_instances: bool,
    pixel_size_um: float | None = None,
    on_image: Callable[[int], None] | None = None,
) -> cache.Arrays:
    """The columns of both tables, named ``images.<column>`` and ``objects.<column>``.

    Args:
        labelled: the images; read one at a time.
        classes: names; the first is the background. With instances every object is of the second.
        has_instances: labels are 0..N objects, else an index into classes.
        pixel_size_um: adds columns in micrometres.
        on_image: called with the number of images done.
    """
    rows, tables = [], []
    for done, one in enumerate(labelled, start=1):
        if has_instances:
            instances_HW, classes_HW = one.labels_HW, one.labels_HW > 0
        else:
            instances_HW, classes_HW = _regions(one.labels_HW, len(classes)), one.labels_HW
        table = measure(instances_HW, one.image_HW, pixel_size_um=pixel_size_um)
        table.insert(0, "image", one.name)
        table.insert(1, "split", one.split)
        table.insert(2, "class", _class_names(table["label"], instances_HW, classes_HW, classes))
        tables.append(table)
        rows.append(_image_row(one, table, classes_HW, classes))
        if on_image:
            on_image(done)
    frames = {"images": pd.DataFrame(rows), "objects": pd.concat(tables, ignore_index=True)}
    return {
        f"{name}.{column}": _plain(frame[column])
        for name, frame in frames.items()
        for column in frame
    }


def from_arrays(arrays: cache.Arrays, splits: Mapping[tuple[str, str], str]) -> Statistics:
    """The tables again, with the split of each image by where it is stored and its name."""
    frames = []
    for name in ("images", "objects"):
        frame = pd.DataFrame(
            {
                key.removeprefix(f"{name}."): values
                for key, values in arrays.items()
                if key.startswith(f"{name}.")
            }
        )
        # By both, since a test image may have the name of a training image.
        stored = zip(frame["split"], frame["image"], strict=True)
        frame["split"] = [splits[one] for one in stored]
        frames.append(frame)
    return Statistics(*frames)


def _regions(classes_HW: np.ndarray, count: int) -> np.ndarray:
    """8-connected regions of one class, numbered through all classes."""
    regions_HW = np.zeros(classes_HW.shape, np.int32)
    highest = 0
    for number in range(1, count):
        labels_HW, found = ndimage.label(classes_HW == number, np.ones((3, 3)))
        np.copyto(regions_HW, labels_HW + highest, where=labels_HW > 0)
        highest += found
    return regions_HW


def _class_names(
    labels: pd.Series, instances_HW: np.ndarray, classes_HW: np.ndarray, classes: tuple[str, ...]
) -> list[str]:
    highest = int(instances_HW.max(initial=0))
    class_of = np.zeros(highest + 1, np.intp)
    class_of[instances_HW.ravel()] = classes_HW.ravel()
    return [classes[index] for index in class_of[labels.to_numpy()]]


def _image_row(
    one: Labelled, table: pd.DataFrame, classes_HW: np.ndarray, classes: tuple[str, ...]
) -> dict[str, object]:
    shares = np.bincount(classes_HW.ravel(), minlength=len(classes)) / classes_HW.size
    return {
        "image": one.name,
        "split": one.split,
        "height": one.image_HW.shape[0],
        "width": one.image_HW.shape[1],
        "objects": len(table),
        "smallest_area": float(table["area"].min()) if len(table) else np.nan,
        "touching": float(table["touching"].mean()) if len(table) else np.nan,
        "foreground": float(1 - shares[0]),
        "intensity_mean": float(one.image_HW.mean()),
        **{f"share_{name}": float(share) for name, share in zip(classes, shares, strict=True)},
    }


def _plain(column: pd.Series) -> np.ndarray:
    """Numbers as they are; text as numpy text, which is stored without pickle."""
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else values.astype(str)


@dataclass(frozen=True)
class Facts:
    """What one split is like. Object measures are NaN where there are no objects."""

    split: str
    images: int
    objects: int
    shapes: dict[tuple[int, int], int]  # rows, columns -> number of images; most frequent first
    objects_per_image: float  # median
    empty_images: int
    smallest_area: float
    median_area: float
    largest_area: float
    diameter: float  # median of the equivalent diameters: the typical object
    small: float  # 5th and 95th percentile of them
    large: float
    longest_side: float  # of the boxes around objects
    eccentricity: float  # median
    dented: float  # share of objects with a solidity under 0.9
    distance: float  # median to the nearest neighbour
    touching: float  # share of objects
    foreground: float  # mean over images
    darkest: float  # 10th and 90th percentile of the images' mean intensities
    brightest: float
    contrast: float  # median and 5th percentile of objects' over their images' mean intensities
    faint: float
    class_shares: dict[str, float]  # mean over images


def summary(statistics: Statistics) -> dict[str, Facts]:
    """The facts of every split that has images, in the order train, val, test."""
    splits = statistics.images["split"]
    return {
        split: _facts(
            split,
            statistics.images[splits == split],
            statistics.objects[statistics.objects["split"] == split],
        )
        for split in ("train", "val", "test")
        if (splits == split).any()
    }


def _facts(split: str, images: pd.DataFrame, objects: pd.DataFrame) -> Facts:
    shapes = images.groupby(["height", "width"]).size().sort_values(ascending=False, kind="stable")
    diameters = objects["equivalent_diameter_area"]
    sides = np.concatenate([objects[f"bbox-{2 + n}"] - objects[f"bbox-{n}"] for n in (0, 1)])
    shares = [name for name in images if name.startswith("share_")]
    around = objects["image"].map(images.set_index("image")["intensity_mean"]).astype(float)
    contrasts = (objects["intensity_mean"] / around)[around > 0]
    return Facts(
        split=split,
        images=len(images),
        objects=len(objects),
        shapes={(int(rows), int(columns)): int(n) for (rows, columns), n in shapes.items()},
        objects_per_image=float(images["objects"].median()),
        empty_images=int((images["objects"] == 0).sum()),
        smallest_area=float(objects["area"].min()),
        median_area=float(objects["area"].median()),
        largest_area=float(objects["area"].max()),
        diameter=float(diameters.median()),
        small=float(diameters.quantile(0.05)),
        large=float(diameters.quantile(0.95)),
        longest_side=float(sides.max()) if len(sides) else np.nan,
        eccentricity=float(objects["eccentricity"].median()),
        dented=float((objects["solidity"] < 0.9).mean()),
        distance=float(objects["nearest_neighbour_distance"].median()),
        touching=float(objects["touching"].mean()),
        foreground=float(images["foreground"].mean()),
        darkest=float(images["intensity_mean"].quantile(0.1)),
        brightest=float(images["intensity_mean"].quantile(0.9)),
        contrast=float(contrasts.median()),
        faint=float(contrasts.quantile(0.05)),
        class_shares={name.removeprefix("share_"): float(images[name].mean()) for name in shares},
    )


def crop_side(facts: Facts) -> int:
    """A crop that holds the longest object with as much around it, a multiple of 32 px.

    Never larger than the smallest image side allows, never under 32.
    """
    wanted = 32 * int(np.ceil(2 * np.nan_to_num(facts.longest_side) / 32))
    fits = min(min(shape) for shape in facts.shapes) // 32 * 32
    return max(32, min(wanted, fits))


def class_weights(facts: Facts) -> dict[str, float]:
    """Weights that let every class count alike, 1 for the most frequent; absent classes get 0."""
    most = max(facts.class_shares.values())
    return {name: most / share if share else 0.0 for name, share in facts.class_shares.items()}


def meaning(facts: Facts) -> dict[str, str]:
    """For every measure one sentence on what its values mean for training, with the numbers.

    Keys: shapes, objects, and without objects no more than foreground, intensity_mean and classes;
    else also area, equivalent_diameter_area, eccentricity, solidity, contrast,
    nearest_neighbour_distance, touching and smallest_area.
    """
    return _meaning_of_images(facts) | (_meaning_of_objects(facts) if facts.objects else {})


def _meaning_of_images(facts: Facts) -> dict[str, str]:
    side = min(min(shape) for shape in facts.shapes)
    sizes = "one size" if len(facts.shapes) == 1 else f"{len(facts.shapes)} sizes"
    empty = f", {facts.empty_images} have none" if facts.empty_images else ""
    weights = ", ".join(f"{weight:.3g}" for weight in class_weights(facts).values())
    ratio = facts.brightest / facts.darkest if facts.darkest > 0 else np.inf
    if ratio > 1.5:
        light = "normalise each image by its own percentiles."
    else:
        light = "one mean and deviation for all images will do."
    common = max(facts.class_shares, key=lambda name: facts.class_shares[name])
    return {
        "shapes": f"The images have {sizes} and the shortest side is {side} px: crops of up to "
        f"{side} px need no padding, and all crops of a batch must have one size.",
        "objects": f"An image typically holds {facts.objects_per_image:.0f} objects{empty}: the "
        "fewer there are, the more it helps to draw the crops on objects.",
        "foreground": f"{_percent(facts.foreground)} of the pixels are foreground: whoever calls "
        f"every pixel {common} already has a pixel accuracy of "
        f"{_percent(facts.class_shares[common])}, so add the Dice loss and watch Dice.",
        "intensity_mean": "Bright images (90th percentile) are "
        f"{'many' if np.isinf(ratio) else f'{ratio:.1f}'} times as bright as dark ones (10th): "
        f"{light}",
        "classes": f"To let {', '.join(facts.class_shares)} count alike, use the class weights "
        f"{weights}.",
    }


def _meaning_of_objects(facts: Facts) -> dict[str, str]:
    if len(facts.class_shares) > 2:
        touch = "where two classes meet, the network itself draws the line."
    elif facts.touching >= 0.01:
        touch = "learn a boundary too, since components of the foreground merge them."
    else:
        touch = "the foreground alone is enough to tell them apart."
    crop = crop_side(facts)
    if crop >= 2 * facts.longest_side:
        crops = f"use crops of at least {crop} px"
    else:
        crops = f"use crops of {crop} px, the largest that fit into every image"
    if facts.large / facts.small > 2:
        sizes = "train with scale augmentation, and scale your own images to the typical size."
    else:
        sizes = "sizes are uniform, so your own images must be scaled to this size."
    if np.isnan(facts.distance):
        near = "No image has two objects, so there are no neighbours to keep apart."
    else:
        near = (
            f"The nearest neighbour's centre is typically {facts.distance:.0f} px away, "
            f"{facts.distance / facts.diameter:.1f} diameters: the network must look at least "
            "that far to see where one object ends and the next begins."
        )
    if facts.faint >= 1:
        faint = "the faintest are missed first, so vary brightness and contrast while training."
    else:
        faint = "some are darker than what is around them, so grey values alone do not find them."
    return {
        "contrast": f"Objects are typically {facts.contrast:.1f} times as bright as their whole "
        f"image, the faintest twentieth at most {facts.faint:.1f} times: {faint}",
        "area": f"Areas go from {facts.smallest_area:.0f} to {facts.largest_area:.0f} px², half of "
        f"them under {facts.median_area:.0f}: large objects fill most foreground pixels, so "
        "small ones hardly count in a loss per pixel.",
        "equivalent_diameter_area": f"The typical object is {facts.diameter:.0f} px across (90 % "
        f"lie between {facts.small:.0f} and {facts.large:.0f}) and the longest spans "
        f"{facts.longest_side:.0f} px: {crops}; {sizes}",
        "eccentricity": f"The median is {facts.eccentricity:.2f} (0 is a circle, near 1 a line): "
        "the longer the objects, the more flips and rotations teach.",
        "solidity": f"{_percent(facts.dented)} of the objects have dents (solidity under 0.9): a "
        "watershed tends to cut them in two, so tune the marker threshold on them.",
        "nearest_neighbour_distance": near,
        "touching": f"{_percent(facts.touching)} of the objects touch another: {touch}",
        "smallest_area": f"The smallest object has {facts.smallest_area:.0f} px²: a minimum area "
        f"of {facts.smallest_area:.0f} px² drops specks without losing objects of this kind.",
    }


def _percent(share: float) -> str:
    """ "14 %", with a decimal where whole percents would hide the difference to 0 or 100."""
    percent = 100 * share
    return f"{percent:.0f} %" if 2 <= percent <= 98 else f"{percent:.1f} %"
