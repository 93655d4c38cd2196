"""Objects as colours over a grey picture: colour numbers first, then a small table of colours.

Axes: H rows, W columns, C colour channels (red, green, blue), K colours. A picture of colour
numbers is eight bits deep and does not depend on style or opacity; `shades` turns the numbers
into colours. 0 is transparent, 1..K fill an object, K+1..2K draw its outline.
"""

from collections.abc import Sequence

import numpy as np

from unet_core.imaging.targets import boundaries

Colours = Sequence[tuple[int, int, int]]

# Okabe and Ito's colours for all kinds of eyes, without the two that drown in a dark picture.
OBJECTS: Colours = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (213, 94, 0),  # vermilion
)

# What became of an object in the comparison with the truth, in the order of colour numbers.
VERDICTS = ("hit", "false alarm", "miss")
# Blue, orange and pink, as far apart without red or green cones as with all of them.
VERDICT_COLOURS: Colours = ((60, 150, 255), (230, 159, 0), (255, 60, 160))
STRIPE = 3  # pixels; misses are striped, to be seen on top of a false alarm and without colours


def number_objects(labels_HW: np.ndarray) -> np.ndarray:
    """A colour number for every pixel of labels (any integers >= 0): uint8, 0 for background.

    Objects that touch, also at corners, get different colours as far as six colours go.
    """
    places_HW, n_objects = _dense(labels_HW)
    colours = 1 + (np.arange(n_objects + 1) - 1) % len(OBJECTS)
    colours[0] = 0
    _part_neighbours(colours, _touching(places_HW, n_objects))
    return _with_outlines(colours.astype(np.uint8)[places_HW], labels_HW, len(OBJECTS))


def number_classes(classes_HW: np.ndarray, n_classes: int) -> np.ndarray:
    """A colour number for every pixel of classes 0..n_classes: uint8, 0 for background."""
    return _with_outlines(classes_HW.astype(np.uint8), classes_HW, n_classes)


def number_verdicts(
    true_HW: np.ndarray, pred_HW: np.ndarray, hit_true: np.ndarray, hit_pred: np.ndarray
) -> np.ndarray:
    """A colour number for every pixel, uint8: hits, false alarms and misses (see `VERDICTS`).

    `hit_true` and `hit_pred` are the labels of the matched objects. Hits and false alarms are
    drawn as predicted, misses as striped true objects above them; where the outlines of a miss and
    of a false alarm fall together, they take turns.
    """
    n = len(VERDICTS)
    is_hit_HW = np.isin(pred_HW, hit_pred)
    fill_HW = np.where(is_hit_HW, 1, 2).astype(np.uint8)
    fill_HW[pred_HW == 0] = 0
    number_HW = _with_outlines(fill_HW, pred_HW, n)
    missed_HW = np.where(np.isin(true_HW, hit_true), 0, true_HW)
    rows, columns = np.ogrid[: missed_HW.shape[0], : missed_HW.shape[1]]
    stripes_HW = (rows + columns) % (2 * STRIPE) < STRIPE
    # Dashes along lines of all four directions, which the stripes would follow on a diagonal.
    dashes_HW = (rows + 2 * columns) % (2 * STRIPE) < STRIPE
    outlined_HW = number_HW == 2 + n
    number_HW[(missed_HW > 0) & stripes_HW & ~outlined_HW] = 3
    number_HW[boundaries(missed_HW, "inner") & (dashes_HW | ~outlined_HW)] = 3 + n
    return number_HW


def shades(colours: Colours, *, filled: bool = True, opacity: float = 0.4) -> np.ndarray:
    """The colour and opacity of each colour number, uint8 [2K + 1, 4].

    Outlines alone have the given opacity (0..1); around a filled object they stand out.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be between 0 and 1, got {opacity!r}")
    n = len(colours)
    table = np.zeros((2 * n + 1, 4), np.uint8)
    table[1:, :3] = np.concatenate([colours, colours])
    table[1 : n + 1, 3] = round(255 * opacity) if filled else 0
    table[n + 1 :, 3] = round(255 * min(1.0, 2.5 * opacity if filled else opacity))
    return table


def paint(grey_HW: np.ndarray, number_HW: np.ndarray, shades_N4: np.ndarray) -> np.ndarray:
    """The grey picture (uint8) with colours laid over it: uint8 [H, W, 3]."""
    if grey_HW.shape != number_HW.shape:
        raise ValueError(
            f"picture and objects must have one shape, got {grey_HW.shape} and {number_HW.shape}"
        )
    # One row per colour number and grey value: a look-up is faster than blending every pixel.
    alpha = shades_N4[:, None, 3:] / 255
    grey = np.arange(256)[None, :, None]
    table = np.rint((1 - alpha) * grey + alpha * shades_N4[:, None, :3]).astype(np.uint8)
    return table.reshape(-1, 3)[number_HW.astype(np.intp) * 256 + grey_HW]


def _dense(labels_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels as numbers small enough for a table, and the largest of them."""
    largest = int(labels_HW.max(initial=0))
    if largest <= labels_HW.size:
        return labels_HW, largest
    ids, places_HW = np.unique(np.append(labels_HW.ravel(), 0), return_inverse=True)
    return places_HW[:-1].reshape(labels_HW.shape), len(ids) - 1


def _touching(labels_HW: np.ndarray, n_objects: int) -> np.ndarray:
    """Pairs (smaller, larger) of labels that share a side or a corner, sorted: int64 [N, 2]."""
    sides = (
        (labels_HW[:, :-1], labels_HW[:, 1:]),
        (labels_HW[:-1], labels_HW[1:]),
        (labels_HW[:-1, :-1], labels_HW[1:, 1:]),
        (labels_HW[:-1, 1:], labels_HW[1:, :-1]),
    )
    keys = []
    for one, other in sides:
        meet = (one != other) & (one > 0) & (other > 0)
        a, b = one[meet].astype(np.int64), other[meet].astype(np.int64)
        keys.append(np.maximum(a, b) * (n_objects + 1) + np.minimum(a, b))
    larger, smaller = np.divmod(np.unique(np.concatenate(keys)), n_objects + 1)
    return np.stack([smaller, larger], axis=1)


def _part_neighbours(colours: np.ndarray, pairs_N2: np.ndarray) -> None:
    """Change colours, in place, until the larger label of each pair differs where it can."""
    smaller_of: dict[int, list[int]] = {}
    for smaller, larger in pairs_N2.tolist():
        smaller_of.setdefault(larger, []).append(smaller)
    for label in sorted(smaller_of):
        taken = {int(colours[one]) for one in smaller_of[label]}
        start = int(colours[label]) - 1
        choices = ((start + step) % len(OBJECTS) + 1 for step in range(len(OBJECTS)))
        colours[label] = next((one for one in choices if one not in taken), start + 1)


def _with_outlines(number_HW: np.ndarray, labels_HW: np.ndarray, n_colours: int) -> np.ndarray:
    edge_HW = boundaries(labels_HW, "inner")
    number_HW[edge_HW] += np.uint8(n_colours)
    return number_HW
