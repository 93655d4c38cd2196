"""Arrays as pictures for the browser: exact PNGs, quickly packed.

Axes: H rows, W columns, N objects. No JPEG and no resampling but the ones announced in `fit` and
`thumbnail`.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from unet_core.imaging import images, overlay
from unet_core.imaging.targets import boundaries

MOST_SIDE = 2048  # pixels: larger pictures are sent to the browser coarser
PLACE_SIDE = 200  # pixels, about: the picture of a place
# Of outlines, as far apart as the verdicts' colours.
FOUND, TRUE = overlay.VERDICT_COLOURS[0], overlay.VERDICT_COLOURS[2]
# Dark blue over teal to yellow: rises evenly in brightness, for all kinds of eyes (viridis).
_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


@dataclass(frozen=True)
class Objects:
    """What lies under the pointer: `index_HW` - 1 is a place in the other three, 0 is nothing.

    index_HW is as coarse as the picture (`fit`); areas are in pixels of the image itself.
    """

    index_HW: np.ndarray
    label_N: np.ndarray
    area_N: np.ndarray
    word_N: tuple[str, ...] = ()

    @property
    def diameter_N(self) -> np.ndarray:
        """Diameters of the circles of the same areas, in pixels."""
        return np.sqrt(4 / np.pi * self.area_N)


def png(pixels: np.ndarray) -> bytes:
    """A grey [H, W] or coloured [H, W, 3 or 4] uint8 picture as PNG, quickly packed."""
    return _save(PillowImage.fromarray(np.ascontiguousarray(pixels)))


def layer(number_HW: np.ndarray, shades_N4: np.ndarray) -> bytes:
    """A picture of colour numbers as a PNG that lies, partly transparent, over another one."""
    picture = PillowImage.fromarray(np.ascontiguousarray(number_HW))
    picture.putpalette(shades_N4[:, :3].tobytes())
    return _save(picture, transparency=shades_N4[:, 3].tobytes())


def _save(picture: PillowImage.Image, **options: bytes) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1, **options)
    return buffer.getvalue()


def step(shape: Sequence[int]) -> int:
    """Every how many-th row and column is shown, so that no side exceeds `MOST_SIDE`."""
    return max(1, -(-max(shape) // MOST_SIDE))


def fit(pixels_HW: np.ndarray) -> np.ndarray:
    """Pixels as they are, or every n-th where the picture is too large for the browser."""
    every = step(pixels_HW.shape)
    return pixels_HW[::every, ::every]


def grey(values_HW: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Values as uint8 [H, W], from black (low and less) to white (high and more)."""
    span = max(high - low, 1e-9)
    return np.rint(255 * np.clip((values_HW - low) / span, 0, 1)).astype(np.uint8)


def heat(values_HW: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Values as colours from dark blue (low) to yellow (high): uint8 [H, W, 3]."""
    places = np.linspace(0, 255, len(_VIRIDIS))
    table = np.stack(
        [np.interp(np.arange(256), places, channel) for channel in zip(*_VIRIDIS, strict=True)],
        axis=1,
    ).astype(np.uint8)
    span = max(high - low, 1e-9)
    return table[(np.clip((values_HW - low) / span, 0, 1) * 255).astype(np.uint8)]


def thumbnail(image_HW: np.ndarray, labels_HW: np.ndarray | None, *, side: int) -> bytes:
    """A small JPEG at most `side` wide and high, objects outlined where there are labels.

    It is for choosing, and a third of the PNG; Streamlit would make a JPEG of that in every run.
    """
    factor = min(1.0, side / max(image_HW.shape))
    rows, columns = (
        (np.arange(max(1, round(length * factor))) / factor).astype(int).clip(max=length - 1)
        for length in image_HW.shape
    )
    grey_HW = images.display(image_HW)
    shape = (len(rows), len(columns))
    small_HW = np.asarray(
        PillowImage.fromarray(grey_HW).resize(shape[::-1], PillowImage.Resampling.BOX)
    )
    if labels_HW is not None:
        number_HW = overlay.number_objects(labels_HW[np.ix_(rows, columns)])
        shades = overlay.shades(overlay.OBJECTS, filled=False, opacity=0.8)
        small_HW = overlay.paint(small_HW, number_HW, shades)
    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(small_HW)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def outlines(
    grey_HW: np.ndarray,
    true_HW: np.ndarray,
    pred_HW: np.ndarray,
    box: Sequence[int],
    true_labels: Sequence[int],
    pred_labels: Sequence[int],
) -> bytes:
    """The surroundings of a box as a small square PNG, with true and found outlines.

    The box is first row, first column, last row + 1, last column + 1. The outlines of the named
    objects are in full colour, those of others faint; where a true and a found one fall together,
    they take turns.
    """
    rows, columns = _around(box, grey_HW.shape)
    size = max(rows.stop - rows.start, columns.stop - columns.start)
    every, times = max(1, round(size / PLACE_SIDE)), max(1, round(PLACE_SIDE / size))

    def cut(values_HW: np.ndarray) -> np.ndarray:
        small_HW = values_HW[rows, columns][::every, ::every]
        return small_HW.repeat(times, axis=0).repeat(times, axis=1)

    picture = np.repeat(cut(grey_HW)[..., None], 3, axis=2)
    down, right = np.ogrid[: picture.shape[0], : picture.shape[1]]
    turn_HW = (down + 2 * right) % 12 < 6
    for labels_HW, named, colour, where_HW in (
        (cut(pred_HW), pred_labels, FOUND, True),
        (cut(true_HW), true_labels, TRUE, turn_HW),
    ):
        edge_HW = boundaries(labels_HW, "thick")
        near_HW = boundaries(np.where(np.isin(labels_HW, named), labels_HW, 0), "thick")
        taken_HW = (picture == FOUND).all(axis=2)
        here_HW = near_HW & (where_HW | ~taken_HW)
        faint_HW = edge_HW & ~near_HW & ~taken_HW
        picture[faint_HW] = 0.65 * picture[faint_HW] + 0.35 * np.array(colour)
        picture[here_HW] = colour
    return png(picture)


def _around(box: Sequence[int], shape: Sequence[int]) -> tuple[slice, slice]:
    """The box with a margin, as a square as far as the image goes."""
    side = max(box[2] - box[0], box[3] - box[1])
    side += 2 * max(6, side // 4)
    found = []
    for first, last, length in ((box[0], box[2], shape[0]), (box[1], box[3], shape[1])):
        start = max(0, min((first + last - side) // 2, length - side))
        found.append(slice(start, min(length, start + side)))
    return found[0], found[1]


def find_objects(labels_HW: np.ndarray) -> Objects:
    """The objects of labels (integers, 0 for background) and where they are in the picture."""
    count_N = np.bincount(labels_HW.ravel()) if labels_HW.size else np.zeros(1, int)
    count_N[0] = 0
    label_N = np.flatnonzero(count_N)
    index_N = np.zeros(len(count_N), np.int32)
    index_N[label_N] = np.arange(1, len(label_N) + 1)
    return Objects(index_N[fit(labels_HW)], label_N, count_N[label_N])


def judge_objects(
    true_HW: np.ndarray, pred_HW: np.ndarray, hit_true: np.ndarray, hit_pred: np.ndarray
) -> Objects:
    """The found objects and the missed true ones behind them, with the verdict on each."""
    found = find_objects(pred_HW)
    missed = find_objects(np.where(np.isin(true_HW, hit_true), 0, true_HW))
    behind_HW = np.where(missed.index_HW > 0, missed.index_HW + len(found.label_N), 0)
    words = ["hit" if one else "false alarm" for one in np.isin(found.label_N, hit_pred)]
    words += ["missed (number in the truth)"] * len(missed.label_N)
    return Objects(
        np.where(found.index_HW > 0, found.index_HW, behind_HW),
        np.concatenate([found.label_N, missed.label_N]),
        np.concatenate([found.area_N, missed.area_N]),
        tuple(words),
    )


def number_png(index_HW: np.ndarray) -> bytes:
    """Numbers below 2**24 as colours: red + 256 green + 65536 blue."""
    bytes_HW4 = np.ascontiguousarray(index_HW, dtype="<u4").view(np.uint8)
    return png(bytes_HW4.reshape(*index_HW.shape, 4)[..., :3])
