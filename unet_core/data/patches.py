"""Small squares cut out of images at drawn places, and their mirrored copies.

Axes: H rows, W columns. A place is the first row and the first column of a square.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unet_core.base.settings import Settings, option

N_COLOURS = 6  # of the outlines in `mark`

# The axes along which each copy is mirrored.
FLIPS: dict[str, tuple[int, ...]] = {
    "as it is": (),
    "left-right": (1,),
    "up-down": (0,),
    "both": (0, 1),
}


@dataclass(frozen=True, kw_only=True)
class Patches(Settings):
    """How patches are cut from the images of a set."""

    count: int = option(20, "Patches cut from each image.", low=1, high=10_000, label="Per image")
    side: int = option(96, "Side of the square patches.", low=8, high=4096, unit="px")
    must_contain: bool = option(
        True,
        "Keep only patches that hold something else than background.",
        label="Each must contain a shape",
    )
    flips: bool = option(
        True,
        "Add each patch mirrored left-right, up-down and both: four times as many.",
        label="Add mirrored copies",
    )
    seed: int = option(0, "The same seed cuts at the same places.", low=0, high=2**31 - 1)


def places(classes_HW: np.ndarray, index: int, patches: Patches) -> list[tuple[int, int]]:
    """Where the patches of image number `index` (from 0) of a set are cut.

    They are the places of a training with `crops=patches` and the same settings. Raises ValueError
    as `cut`.
    """
    return cut(
        classes_HW,
        count=patches.count,
        side=patches.side,
        must_contain=patches.must_contain,
        rng=np.random.default_rng([patches.seed, 3, index]),
    )


def cut(
    classes_HW: np.ndarray,
    *,
    count: int,
    side: int,
    must_contain: bool,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Where to cut `count` squares: the first row and column of each, all inside the image.

    Every place is equally likely, with `must_contain` every one where the square holds a pixel
    that is not 0; places may repeat and overlap. There is none, and the list is empty, when
    `must_contain` meets an image of background only.

    Raises:
        ValueError: fewer than one patch; a side below 1 or larger than the image.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    rows, columns = classes_HW.shape
    if not 1 <= side <= min(rows, columns):
        raise ValueError(
            f"the side of a patch must be 1 to {min(rows, columns)} pixels for images of "
            f"{rows} rows and {columns} columns, got {side}"
        )
    if not must_contain:
        starts = rng.integers((rows - side + 1, columns - side + 1), size=(count, 2))
        return [(int(row), int(column)) for row, column in starts]
    filled_HW = _holds_something(classes_HW, side)
    places = np.flatnonzero(filled_HW)
    if not places.size:
        return []
    chosen = places[rng.integers(places.size, size=count)]
    return [divmod(int(place), filled_HW.shape[1]) for place in chosen]


def _holds_something(classes_HW: np.ndarray, side: int) -> np.ndarray:
    """For each first row and column whether the square there has a pixel that is not 0."""
    filled_HW = classes_HW != 0
    for axis in (0, 1):  # first the columns of a square, then the rows
        sums_HW = np.cumsum(filled_HW, axis=axis, dtype=np.int32)
        sums_HW = np.insert(sums_HW, 0, 0, axis=axis)
        ends_HW, starts_HW = np.moveaxis(sums_HW, axis, 0)[side:], np.moveaxis(sums_HW, axis, 0)
        filled_HW = np.moveaxis(ends_HW > starts_HW[: len(ends_HW)], 0, axis)
    return filled_HW


def take(image_HW: np.ndarray, place: tuple[int, int], side: int) -> np.ndarray:
    """The square of an image at a place, as a view."""
    row, column = place
    return image_HW[row : row + side, column : column + side]


def flips(patch_HW: np.ndarray) -> list[np.ndarray]:
    """A patch as it is, mirrored left-right, up-down and both: the order of `FLIPS`.

    Image and mask have the same order, so they stay together.
    """
    return [np.flip(patch_HW, axes) for axes in FLIPS.values()]


def mark(shape: tuple[int, int], places: Sequence[tuple[int, int]], side: int) -> np.ndarray:
    """The outlines of the squares: uint8 [H, W], 1 to 6 in turn, 0 where there is none.

    Where two cross, the later one is on top.
    """
    number_HW = np.zeros(shape, np.uint8)
    thick = 1 + max(shape) // 600  # still seen when a large image is shown small
    for index, place in enumerate(places):
        square_HW = take(number_HW, place, side)
        frame = np.ones(square_HW.shape, bool)
        frame[thick:-thick, thick:-thick] = False
        square_HW[frame] = 1 + index % N_COLOURS
    return number_HW
