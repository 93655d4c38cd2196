"""The most likely class of every pixel, as a picture, as a table and as files.

Axes: C classes, H rows, W columns.
"""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image as PillowImage

from unet_core.imaging import images, overlay

BACKGROUND = (26, 32, 36)  # the colour of class 0: not black, which would look like a hole
ENDINGS = ("_classes.tif", "_classes.png", "_classes.csv")


@dataclass(frozen=True)
class ClassMap:
    """A class for every pixel: uint8 numbers of `names`, of which the first is the background."""

    classes_HW: np.ndarray
    names: tuple[str, ...]


def find(prob_CHW: np.ndarray, names: tuple[str, ...]) -> ClassMap:
    """The most likely class of every pixel; the first one where two are equally likely.

    Raises ValueError where there is not one name per channel.
    """
    if len(prob_CHW) != len(names):
        raise ValueError(
            f"every class needs a channel: got {len(prob_CHW)} channels for the {len(names)} "
            f"classes {', '.join(names)}"
        )
    return ClassMap(prob_CHW.argmax(0).astype(np.uint8), names)


def measure(found: ClassMap, *, pixel_size_um: float | None = None) -> pd.DataFrame:
    """A row for every class: its number, name, area in pixels, and share of the image.

    With a pixel size (the side of a square pixel) follows `area_um2`.
    """
    area_C = np.bincount(found.classes_HW.ravel(), minlength=len(found.names))
    table = pd.DataFrame(
        {
            "number": np.arange(len(found.names)),
            "class": found.names,
            "area": area_C,
            "share": area_C / max(1, found.classes_HW.size),
        }
    )
    if pixel_size_um is not None:
        table["area_um2"] = area_C * pixel_size_um**2
    return table


def shares(found: ClassMap) -> dict[str, float]:
    """The share of the image that each class takes, 0..1, by its name."""
    table = measure(found)
    return dict(zip(table["class"].tolist(), table["share"].tolist(), strict=True))


def colours(count: int) -> list[tuple[int, int, int]]:
    """A colour for each of so many classes; beyond six, those of the first come again."""
    return [BACKGROUND, *(overlay.OBJECTS[i % len(overlay.OBJECTS)] for i in range(count - 1))]


def paint(found: ClassMap) -> np.ndarray:
    """The classes as colours: uint8 [H, W, 3]."""
    return np.array(colours(len(found.names)), np.uint8)[found.classes_HW]


def files(stem: str, found: ClassMap, *, pixel_size_um: float | None = None) -> dict[str, bytes]:
    """The class map as `<stem>_classes.tif` (numbers), `.png` (colours) and `.csv` (areas)."""
    numbers, picture = io.BytesIO(), io.BytesIO()
    images.write_labels(numbers, found.classes_HW, pixel_size_um)
    PillowImage.fromarray(paint(found)).save(picture, "PNG", compress_level=4)
    table = measure(found, pixel_size_um=pixel_size_um).to_csv(index=False, lineterminator="\n")
    contents = (numbers.getvalue(), picture.getvalue(), table.encode())
    return {f"{stem}{ending}": one for ending, one in zip(ENDINGS, contents, strict=True)}
