"""How a whole set of label files is coded: what one of them holds, and what that means for all.

A code is one value of a label file as text: "7" for a number, "#ff0000" for a colour.

Axes: H rows, W columns, C the three colours.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from unet_core.imaging.truth import PIECES_PER_LABEL, Truth, connected, read_numbers

MOST_CLASSES = 32
_MOST_GUESSED = 12  # with more values or colours they are hardly classes
_MOST_LISTED = 3  # values that a sentence names
_NAMES = {
    "#ff0000": "red",
    "#00ff00": "green",
    "#0000ff": "blue",
    "#ffff00": "yellow",
    "#ff00ff": "magenta",
    "#00ffff": "cyan",
    "#ffffff": "white",
    "#808080": "grey",
}


@dataclass(frozen=True)
class Glance:
    """What one label file holds.

    counts: the pixels of each code, the first MOST_CLASSES + 1 of them. pieces: 8-connected regions
    of one code, the background left out; 0 where there are too many codes to be classes.
    """

    shape: tuple[int, int]
    is_coloured: bool
    counts: Mapping[str, int]
    pieces: int


@dataclass(frozen=True)
class Coding:
    """What the label files of a set mean, as far as it can be seen.

    kind: "objects" or "classes". sentence: for people. counts: the pixels of each code over all
    files, the background first; of interest for classes.
    """

    kind: str
    sentence: str
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def can_be_classes(self) -> bool:
        """Whether there are few enough codes."""
        return 2 <= len(self.counts) <= MOST_CLASSES


@dataclass(frozen=True)
class ClassCode:
    """A class: its name, and how label files write it."""

    name: str
    code: str


def glance(data: bytes) -> Glance:
    """What a label file holds. Raises ValueError as `truth.read_truth`."""
    pixels = read_numbers(data)
    is_coloured = pixels.ndim == 3
    packed_HW = _pack(pixels) if is_coloured else pixels
    values, counts = np.unique(packed_HW, return_counts=True)
    some = dict(zip(values.tolist()[: MOST_CLASSES + 1], counts.tolist(), strict=False))
    pieces = 0
    if len(values) <= MOST_CLASSES:
        ground = 0 if 0 in some else max(some, key=some.__getitem__)
        places_HW = np.searchsorted(values, packed_HW)
        pieces = int(connected(places_HW, background=values.tolist().index(ground)).max())
    write = _write_colour if is_coloured else str
    shape = (pixels.shape[0], pixels.shape[1])
    return Glance(shape, is_coloured, {write(value): n for value, n in some.items()}, pieces)


def recognise(glances: Sequence[Glance]) -> Coding:
    """What the label files of a set mean together; at least one is needed.

    Coloured files are classes where few colours come again and again, else objects. Numbers are
    classes where few of them lie in many pieces, or leave wide gaps; else every object has its own.
    """
    is_coloured = any(one.is_coloured for one in glances)
    tables = [_as_colours(one.counts) if is_coloured else one.counts for one in glances]
    counts: Counter[str] = Counter()
    for table in tables:
        counts.update(table)
    ground = _background(counts)
    ordered = {ground: counts[ground]} | {
        code: counts[code] for code in sorted(counts, key=_order) if code != ground
    }
    if not is_coloured and all(len(set(table) | {"0"}) <= 2 for table in tables):
        return Coding("objects", "Masks of two values: each connected part is an object.", ordered)
    uses = sum(len(table) - (ground in table) for table in tables)
    is_few = len(ordered) <= _MOST_GUESSED
    return _coding(is_coloured, is_few, tables, sum(one.pieces for one in glances), uses, ordered)


def _coding(
    is_coloured: bool,
    is_few: bool,
    tables: Sequence[Mapping[str, int]],
    pieces: int,
    uses: int,
    counts: Mapping[str, int],
) -> Coding:
    comes_again = len(tables) > 1 and 2 * uses >= len(tables) * (len(counts) - 1)
    if is_coloured:
        if is_few and (comes_again or pieces > PIECES_PER_LABEL * uses):
            return Coding("classes", f"Masks of {len(counts)} colours: each is a class.", counts)
        return Coding("objects", "Coloured masks: each region of one colour is an object.", counts)
    numbers = [int(code) for code in counts]
    has_gaps = comes_again and max(numbers) > 4 * len(numbers)
    if is_few and (pieces > PIECES_PER_LABEL * uses or has_gaps):
        listed = ", ".join(map(str, numbers))
        return Coding("classes", f"Masks of the numbers {listed}: each is a class.", counts)
    return Coding("objects", "Label images: each object has its own number.", counts)


def class_codes(coding: Coding) -> tuple[ClassCode, ...]:
    """A class for each code, the background first, with names to begin with.

    Raises ValueError for a set with one code only, or too many of them.
    """
    if not coding.can_be_classes:
        many = "one value" if len(coding.counts) < 2 else f"more than {MOST_CLASSES} values"
        raise ValueError(
            f"classes need 2 to {MOST_CLASSES} values or colours in the label files, and these "
            f"hold {many}: choose objects"
        )
    codes = list(coding.counts)
    names = [_NAMES.get(code, f"class {number}") for number, code in enumerate(codes)]
    return (ClassCode("background", codes[0]), *map(ClassCode, names[1:], codes[1:]))


def read_class(text: str) -> ClassCode:
    """A class as a command writes it: `nucleus=#ff0000` or `nucleus=1`. Raises ValueError."""
    name, sign, code = text.rpartition("=")
    if not sign:
        raise ValueError(
            f"a class is NAME=VALUE or NAME=#COLOUR, such as cell=#ff0000, got {text!r}"
        )
    return ClassCode(name.strip(), code.strip().lower())


def check_name(name: str) -> None:
    """Raise ValueError where the name of a class or an object is none: it stands in every table."""
    if not re.fullmatch(r"\w[\w .-]{0,39}", name):
        raise ValueError(
            "the name of a class must be 1 to 40 letters, digits, spaces, dots, _ or -, "
            f"got {name!r}"
        )


def check_classes(classes: Sequence[ClassCode]) -> None:
    """Raise ValueError for codes that are none, and for names or codes that come twice."""
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"there must be 2 to {MOST_CLASSES} classes, got {len(classes)}")
    for what, values in (
        ("name", [one.name for one in classes]),
        ("value", [one.code for one in classes]),
    ):
        if what == "name":
            for value in values:
                check_name(value)
        if "" in values:
            raise ValueError(f"every class needs a {what}")
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"every class needs a {what} of its own, got {twice[0]} twice")
    forms = {bool(re.fullmatch(r"#[0-9a-f]{6}", one.code)) for one in classes}
    is_number = all(re.fullmatch(r"\d{1,9}", one.code) for one in classes)
    if forms != {True} and not is_number:
        listed = ", ".join(one.code for one in classes)
        raise ValueError(
            f"the values of classes must all be colours like #ff0000, or all numbers, got {listed}"
        )


def read_classes(data: bytes, codes: Sequence[str]) -> np.ndarray:
    """The class of every pixel [H, W], uint8: the place of its code among `codes`.

    Raises ValueError where a pixel has none of these codes, naming it, and as `read_truth`.
    """
    pixels = read_numbers(data)
    is_coloured = any(code.startswith("#") for code in codes)
    packed_HW = _pack(_as_rgb(pixels)) if is_coloured else _numbers(pixels)
    known = np.array([_read_colour(code) if is_coloured else int(code) for code in codes])
    order = known.argsort()
    place_HW = np.searchsorted(known[order], packed_HW).clip(max=len(known) - 1)
    is_unlisted_HW = known[order][place_HW] != packed_HW
    if is_unlisted_HW.any():
        write = _write_colour if is_coloured else str
        raise ValueError(
            f"{int(is_unlisted_HW.sum())} pixels have a value that is no class: "
            f"{_list_values(packed_HW, is_unlisted_HW, write)}; the classes are {', '.join(codes)}"
        )
    return order[place_HW].astype(np.uint8)


def _list_values(values_HW: np.ndarray, chosen_HW: np.ndarray, write: Callable[[int], str]) -> str:
    """The most frequent of the values at the chosen pixels: how often, and where the first is."""
    values, counts = np.unique(values_HW[chosen_HW], return_counts=True)
    listed = []
    for at in np.argsort(-counts, kind="stable")[:_MOST_LISTED]:
        row, column = np.argwhere(values_HW == values[at])[0].tolist()
        listed.append(
            f"{write(int(values[at]))} ({int(counts[at])}, first at row {row}, column {column})"
        )
    more = f" and {len(values) - len(listed)} more values" if len(values) > len(listed) else ""
    return ", ".join(listed) + more


def merge_masks(files: Iterable[bytes]) -> Truth:
    """True objects of one mask file for each: what is not 0 in the n-th file is object n.

    Where two overlap the earlier one keeps its pixels, and a note counts them; another counts the
    files in which nothing is drawn. Raises ValueError for masks of unlike shapes, and as
    `truth.read_truth`.
    """
    labels_HW, n_empty, n_shared = np.zeros((0, 0), np.int32), 0, 0
    for number, data in enumerate(files, start=1):
        pixels = read_numbers(data)
        inside_HW = (pixels if pixels.ndim == 2 else pixels.max(axis=-1)) > 0
        if number == 1:
            labels_HW = np.zeros(inside_HW.shape, np.int32)
        if inside_HW.shape != labels_HW.shape:
            raise ValueError(
                "the mask files of one image must have one shape, "
                f"got {labels_HW.shape} and {inside_HW.shape}"
            )
        n_empty += not inside_HW.any()
        n_shared += int(np.count_nonzero(inside_HW & (labels_HW > 0)))
        labels_HW[inside_HW & (labels_HW == 0)] = number
    notes = [f"empty mask files: {n_empty}"] if n_empty else []
    if n_shared:
        notes.append(f"{n_shared} pixels belong to two masks, the first one keeps them")
    return Truth(labels_HW, tuple(notes))


def _as_rgb(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)


def _numbers(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3:
        raise ValueError("the file is coloured, and the classes are numbers: give colours instead")
    return pixels.astype(np.int64)


def _pack(pixels_HWC: np.ndarray) -> np.ndarray:
    if pixels_HWC.max() > 255:
        raise ValueError("the colours have 16 bits: save the mask with 8 bits for each colour")
    red_HW, green_HW, blue_HW = np.moveaxis(pixels_HWC.astype(np.int64), -1, 0)
    return red_HW << 16 | green_HW << 8 | blue_HW


def _write_colour(value: int) -> str:
    return f"#{value:06x}"


def _read_colour(code: str) -> int:
    return int(code.removeprefix("#"), 16)


def _as_colours(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Codes of a file that happens to be grey, among coloured ones."""
    return {
        code if code.startswith("#") else _write_colour(int(code) * 0x010101): count
        for code, count in counts.items()
    }


def _background(counts: Mapping[str, int]) -> str:
    for black in ("0", "#000000"):
        if black in counts:
            return black
    return max(counts, key=counts.__getitem__)


def _order(code: str) -> int:
    return _read_colour(code) if code.startswith("#") else int(code)
