"""From somebody's files to an own data set: look at them, say what was found, then store.

Looking reads every file and copies nothing. Storing builds the set in a hidden folder that is
renamed when it is whole, so that nobody ever sees half a set.

Axes: H rows, W columns.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile

from unet_core.base import records
from unet_core.data import division, own, pairing, sources
from unet_core.data.division import Division
from unet_core.data.pairing import Pair
from unet_core.data.sources import Files
from unet_core.imaging import coding, images, outlines, truth
from unet_core.imaging.coding import ClassCode, Coding

OnProgress = Callable[[int, int], None]
OUTLINES = "Outlines of ImageJ, QuPath or COCO: each is an object, whatever its class."
KAGGLE = "One mask file for each object, as in Kaggle's layout."


@dataclass(frozen=True, kw_only=True)
class Row:
    """A pair whose files have been read."""

    pair: Pair
    shape: tuple[int, int] | None = None  # None where there is no image that can be read
    objects: int | None = None  # where the labels are objects
    is_coloured: bool = False  # brought to grey
    pixel_size_um: float | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that was found. Nothing is copied yet."""

    images: Files
    labels: Files  # the same files where images and labels lie together
    rows: tuple[Row, ...]
    coding: Coding | None  # None without any labels

    @property
    def counts(self) -> dict[str, int]:
        """How many pairs there are of each state."""
        found = Counter(row.pair.state for row in self.rows)
        return {state: found[state] for state in pairing.STATES}

    @property
    def kind(self) -> str:
        """What the set is, unless somebody knows better."""
        return self.coding.kind if self.coding else "unlabelled"

    def labelled(self, *, take_doubtful: bool) -> dict[str, str]:
        """The images that have labels, and what their folders say of the split (or nothing)."""
        good = ("found", "doubtful") if take_doubtful else ("found",)
        return {
            row.pair.name: row.pair.split
            for row in self.rows
            if row.pair.image and row.pair.labels and row.pair.state in good
        }

    def chosen(self, *, take_doubtful: bool, leave_out: bool) -> list[Row]:
        """The rows that become images of the set.

        Label files without an image never do. Raises ValueError while something is doubtful or
        unusable and nobody has said what shall become of it, and where nothing is left.
        """
        good = {"found", "missing", *(("doubtful",) if take_doubtful else ())}
        kept = [row for row in self.rows if row.pair.image]
        bad = [row for row in kept if row.pair.state not in good]
        if bad and not leave_out:
            first = bad[0].pair
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            raise ValueError(f"{first.image} is {first.state}{more}: {first.why}")
        kept = [row for row in kept if row.pair.state in good]
        if not kept:
            raise ValueError("no image is left that can be used")
        return kept

    def notes(self, kind: str = "") -> list[str]:
        """Sentences on what the files are, and what becomes of them; `kind` where it was chosen."""
        found = [self.coding.sentence if self.coding else "There are no labels."]
        if kind not in ("", self.kind):
            found[0] += f" You have chosen {kind} instead."
        counts = self.counts
        n_coloured = sum(row.is_coloured for row in self.rows)
        if n_coloured:
            found.append(
                f"{_many(n_coloured, 'image')} in colour or with several channels: brought to one "
                "grey channel."
            )
        alone = sum(not row.pair.image for row in self.rows)
        unlabelled = counts["missing"] - alone
        if unlabelled and self.coding:
            found.append(f"{_many(unlabelled, 'image')} without labels: kept as unlabelled.")
        if alone:
            found.append(f"{_many(alone, 'label file')} without an image: left out.")
        if self.images.n_others:
            found.append(f"{_many(self.images.n_others, 'file')} of other kinds: left out.")
        return found


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def open_paths(
    images_path: Path, labels_path: Path | None = None, *, within: Path | None = None
) -> tuple[Files, Files | None]:
    """The files of both places; labels that lie in a folder of the images are not images, too.

    Raises ValueError as `sources.open_path`.
    """
    found = sources.open_path(images_path, within=within)
    if labels_path is None:
        return found, None
    marks = sources.open_path(labels_path, within=within)
    inside = labels_path.resolve()
    if inside != images_path.resolve() and inside.is_relative_to(images_path.resolve()):
        start = inside.relative_to(images_path.resolve()).as_posix() + "/"
        names = tuple(name for name in found.names if not name.startswith(start))
        found = replace(found, names=names)
    return found, marks


def look(
    files: Files, labels: Files | None = None, *, on_progress: OnProgress | None = None
) -> Plan:
    """What becomes of the files: every pair, what the labels mean, and what is wrong.

    `labels` are files of their own; None where they lie among the images. Raises ValueError where
    there is no image at all.
    """
    files, labels = sources.split_coco(files), sources.split_coco(labels) if labels else None
    pairs = pairing.pair(files.names, labels.names if labels else None)
    marks = labels or files
    rows, glances, is_kaggle = [], [], False
    for done, one in enumerate(pairs, start=1):
        row, glance = _check(one, files, marks)
        rows.append(row)
        glances += [glance] if glance else []
        is_kaggle = is_kaggle or len(one.labels) > 1
        if on_progress:
            on_progress(done, len(pairs))
    meant = coding.recognise(glances) if glances else None
    if is_kaggle:
        meant = Coding("objects", KAGGLE)
    elif any(outlines.ending(name) for one in pairs if one.image for name in one.labels):
        meant = Coding("objects", OUTLINES)
    if meant is not None and meant.kind == "objects":
        rows = [_count(row, marks) for row in rows]
    return Plan(images=files, labels=marks, rows=tuple(rows), coding=meant)


def _check(pair: Pair, files: Files, marks: Files) -> tuple[Row, coding.Glance | None]:
    """The pair as it is when its files have been read."""
    if not pair.image:
        return Row(pair=pair), None
    try:
        taken, is_coloured = _read_image(files.read(pair.image))
    except ValueError as error:
        return Row(pair=_unusable(pair, f"{pair.image}: {error}")), None
    row = Row(
        pair=pair,
        shape=(taken.pixels.shape[0], taken.pixels.shape[1]),
        is_coloured=is_coloured,
        pixel_size_um=taken.pixel_size_um,
    )
    if not pair.labels:
        return row, None
    if outlines.ending(pair.labels[0]):
        return row, None  # drawn once, when they are counted
    try:
        if len(pair.labels) == 1:
            glance = coding.glance(marks.read(pair.labels[0]))
            shape = glance.shape
        else:
            glance = None
            labels_HW = coding.merge_masks(map(marks.read, pair.labels)).labels_HW
            shape = (labels_HW.shape[0], labels_HW.shape[1])
    except ValueError as error:
        return replace(row, pair=_unusable(pair, f"{_place(pair)}: {error}")), None
    if shape != row.shape:
        why = f"the image has {_size(row.shape)}, its labels {_size(shape)}"
        return replace(row, pair=_unusable(pair, why)), None
    return row, glance


def _count(row: Row, marks: Files) -> Row:
    """The row with the number of its objects."""
    if not row.pair.labels or row.pair.state == "unusable":
        return row
    try:
        found = _read_objects(row.pair, marks, row.shape)
    except ValueError as error:
        return replace(row, pair=_unusable(row.pair, f"{_place(row.pair)}: {error}"))
    # What the notes on a single file say, the coding of all files says already.
    is_plain = len(row.pair.labels) == 1 and not outlines.ending(row.pair.labels[0])
    notes = () if is_plain else found.notes
    objects = len(np.unique(found.labels_HW[found.labels_HW > 0]))
    return replace(
        row, pair=replace(row.pair, why="; ".join([row.pair.why, *notes])), objects=objects
    )


def _read_objects(pair: Pair, marks: Files, shape: tuple[int, ...] | None) -> images.Truth:
    """The objects of an image of this shape, which outlines do not know."""
    if len(pair.labels) > 1:
        return coding.merge_masks(map(marks.read, pair.labels))
    if outlines.ending(pair.labels[0]) and shape:
        data = marks.read(pair.labels[0])
        return outlines.read(pair.labels[0], data, (shape[0], shape[1]))
    return truth.read_truth(marks.read(pair.labels[0]))


def _place(pair: Pair) -> str:
    return pair.labels[0] if len(pair.labels) == 1 else f"a mask of {pair.image}"


def _unusable(pair: Pair, why: str) -> Pair:
    return replace(pair, state="unusable", why=why)


def _size(shape: tuple[int, int] | None) -> str:
    return f"{shape[0]} rows × {shape[1]} columns" if shape else "no pixels"


def _read_image(data: bytes) -> tuple[images.Image, bool]:
    """The one grey plane of an image, and whether it had several channels to be mixed."""
    image = images.read_image(data)
    count = len(images.planes(image))
    if count > 1:
        raise ValueError(f"a stack of {count} planes: save each plane as a file of its own")
    is_coloured = len(images.channels(image)) > 1
    taken = images.take_plane(image, channel="grey" if is_coloured else None)
    return taken, is_coloured


def read(plan: Plan, row: Row) -> tuple[np.ndarray, np.ndarray | None]:
    """The image of a row and its labels as they were recognised, to look at before they are stored.

    No labels where there are none, or where they cannot be used. Raises ValueError where the image
    cannot be read.
    """
    image, _ = _read_image(plan.images.read(row.pair.image))
    if plan.coding is None or not row.pair.labels or row.pair.state == "unusable":
        return image.pixels, None
    codes = [one.code for one in coding.class_codes(plan.coding)] if plan.kind == "classes" else []
    return image.pixels, _read_labels(row.pair, plan, codes, image.pixels.shape)


def add(
    title: str,
    plan: Plan,
    how: Division | None = None,
    *,
    kind: str = "",
    classes: Sequence[ClassCode] = (),
    object_name: str = own.OBJECT,
    sentence: str = "",
    take_doubtful: bool = False,
    leave_out: bool = False,
    on_progress: OnProgress | None = None,
) -> str:
    """Store an own data set; gives the name that commands call it by.

    Args:
        title: what people call it; its name is made from it (`own.name_of`).
        plan: what `look` has found.
        how: the division; by default as the folders say, or by fractions where they say nothing.
        kind: "objects", "classes" or "unlabelled"; empty takes what was recognised.
        classes: names and codes of the classes; empty takes those that were recognised.
        object_name: what one object is, such as "nucleus".
        sentence: what the set is, for people.
        take_doubtful: take pairs that the names leave open as they were found.
        leave_out: leave out what cannot be used, and what is doubtful where it is not taken.
        on_progress: called with the images done and all images.

    Raises:
        ValueError: a name that is taken or cannot be one; something doubtful or unusable; labels
            that are not what the kind says, among them values that are no class.
        OSError: no room, or the folder cannot be written. Nothing is left then.
    """
    name, kind = own.name_of(title), kind or plan.kind
    own.check_free(name)
    rows = plan.chosen(take_doubtful=take_doubtful, leave_out=leave_out)
    chosen = _classes(plan, kind, classes, object_name)
    how = how or Division(by=usual_division(plan))
    labelled = {} if kind == "unlabelled" else plan.labelled(take_doubtful=take_doubtful)
    if kind != "unlabelled" and not labelled:
        raise ValueError(f"kind {kind} needs labels, and there are none: choose unlabelled")
    splits = division.divide(labelled, how)
    codes = [one.code for one in chosen] if kind == "classes" else []
    with own.building(name) as draft:
        for part in ("images", "labels"):
            (draft / part).mkdir()
        for done, row in enumerate(rows, start=1):
            _store(row.pair, plan, draft, codes, has_labels=row.pair.name in labelled)
            if on_progress:
                on_progress(done, len(rows))
        about = {
            "title": " ".join(title.split()),
            "sentence": sentence or _describe(len(rows), len(labelled), kind),
            "kind": kind,
            "classes": [{"name": one.name, "code": one.code} for one in chosen],
            "added": time.strftime("%Y-%m-%d %H:%M:%S"),
            "division": how.to_dict(),
            "images": {
                row.pair.name: {
                    "split": splits.get(row.pair.name, "unlabelled"),
                    "file": row.pair.image,
                    "pixel_size_um": row.pixel_size_um,
                }
                for row in rows
            },
        }
        records.write_json(draft / own.FILE, about)
    return name


def usual_division(plan: Plan) -> str:
    """By folder, where folders say to which split images belong; else by fractions."""
    return "folder" if any(row.pair.split for row in plan.rows) else "fractions"


def _classes(
    plan: Plan, kind: str, classes: Sequence[ClassCode], object_name: str
) -> tuple[ClassCode, ...]:
    if kind not in own.KINDS:
        raise ValueError(f"kind must be one of {', '.join(own.KINDS)}, got {kind!r}")
    if kind != "classes":
        coding.check_name(object_name.strip())
        return ClassCode("background", ""), ClassCode(object_name.strip(), "")
    if plan.coding is None or not plan.coding.counts:
        raise ValueError("classes need one label file for each image, with a value for each class")
    chosen = tuple(classes) or coding.class_codes(plan.coding)
    coding.check_classes(chosen)
    return chosen


def _describe(count: int, labelled: int, kind: str) -> str:
    if not labelled:
        return f"{_many(count, 'image')} without labels."
    rest = f", and {count - labelled} without labels" if count > labelled else ""
    return f"{_many(labelled, 'image')} with labelled {kind}{rest}."


def _store(pair: Pair, plan: Plan, draft: Path, codes: list[str], *, has_labels: bool) -> None:
    image, _ = _read_image(plan.images.read(pair.image))
    _write(draft / "images" / f"{pair.name}.tif", _narrow(image.pixels), image.pixel_size_um)
    if has_labels:
        path = draft / "labels" / f"{pair.name}.tif"
        labels_HW = _read_labels(pair, plan, codes, image.pixels.shape)
        images.write_labels(path, labels_HW, image.pixel_size_um)


def _read_labels(
    pair: Pair, plan: Plan, codes: Sequence[str], shape: tuple[int, ...]
) -> np.ndarray:
    """The labels of a pair: classes where there are codes, else objects."""
    try:
        if codes:
            return coding.read_classes(plan.labels.read(pair.labels[0]), codes)
        return _read_objects(pair, plan.labels, shape).labels_HW
    except ValueError as error:
        raise ValueError(f"{_place(pair)}: {error}") from None


def _write(path: Path, pixels_HW: np.ndarray, pixel_size_um: float | None) -> None:
    tifffile.imwrite(
        path,
        pixels_HW,
        photometric="minisblack",
        compression="zlib",
        metadata=None,
        **images.resolution_tags(pixel_size_um),
    )


def _narrow(pixels_HW: np.ndarray) -> np.ndarray:
    """The pixels in a type that every reader knows: black and white, and half and double floats."""
    if pixels_HW.dtype == bool:
        return pixels_HW.astype(np.uint8) * 255
    if pixels_HW.dtype.kind == "f" or pixels_HW.dtype.itemsize > 4:
        return pixels_HW.astype(np.float32)
    return pixels_HW
