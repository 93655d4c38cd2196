"""A folder with the results of many images, as one reads it: settings, tables, labels.

`batch.json` holds the settings, `images.csv` a row for each image (for each plane of a stack),
`objects.csv` a row for each object, `labels/` and `probabilities/` a TIFF for each image. An image
is finished when its line stands in images.csv, which is written last.

Axes: C channels of the network, H rows, W columns.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from unet_core.base import records
from unet_core.base.config import ModelConfig
from unet_core.base.settings import Settings
from unet_core.imaging import class_map, measure
from unet_core.predict import export
from unet_core.predict.export import Prediction, Segmented
from unet_core.predict.recipe import Recipe

# What a row of images.csv says of its image. "waiting": its objects are to be made anew from its
# stored probabilities, by other settings than before.
DONE, FAILED, WAITING = "done", "failed", "waiting"
# For a model of classes `share_...` follows for each of them.
IMAGE_COLUMNS = (
    "file", "plane", "planes", "state", "objects", "mean_area", "doubt", "seconds", "height",
    "width", "pixel_size_um", "labels", "sha256", "notes", "error",
)  # fmt: skip
OBJECT_COLUMNS = (
    "file", "plane", *measure.COLUMNS, "doubt",
    *(f"{name}_um" for name in measure.LENGTHS), *(f"{name}_um2" for name in measure.AREAS),
)  # fmt: skip
NUMBERS = ("plane", "planes", "objects", "mean_area", "doubt", "seconds", "height", "width",
           "pixel_size_um")  # fmt: skip
STORED_ONE = 255  # in the stored probabilities, whose pixels are uint8
LABELS, PROBABILITIES = "_labels.tif", "_probabilities.tif"

Key = tuple[str, int]  # file and plane
Row = dict[str, Any]  # a line of images.csv; texts, when it comes from there


@dataclass(frozen=True, kw_only=True)
class Plan(Settings):
    """What batch.json says: where the images are, what is done to them, and by which network."""

    root: str  # the folder from which `file` in the tables counts
    recipe: Recipe  # whose own list of files stays empty
    config: ModelConfig

    @property
    def image_columns(self) -> tuple[str, ...]:
        """The columns of images.csv."""
        if self.config.train.objective.target != "classes":
            return IMAGE_COLUMNS
        return (*IMAGE_COLUMNS, *(f"share_{name}" for name in self.config.outputs))


@dataclass(frozen=True)
class Results:
    """The folder. Reading raises ValueError where it holds something else."""

    path: Path

    def exists(self) -> bool:
        """Whether it holds results of many images, finished or not."""
        return (self.path / "batch.json").is_file()

    def plan(self) -> Plan:
        """What is done here."""
        try:
            return Plan.from_dict(json.loads((self.path / "batch.json").read_bytes()))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{self.path} holds no results of many images: its batch.json cannot be read"
            ) from error

    def rows(self) -> dict[Key, Row]:
        """The line of each image so far; a later one takes the place of an earlier."""
        path = self.path / "images.csv"
        try:
            rows = {key_of(row): row for row in read_rows(path)}
        except (UnicodeDecodeError, KeyError, ValueError):
            rows = {("", 0): {}}
        if any(set(IMAGE_COLUMNS) - set(row) for row in rows.values()):
            raise ValueError(f"{path} was changed by another program: put it back as it was")
        return rows

    def images(self) -> pd.DataFrame:
        """The same as a table with numbers, in the order of files and planes."""
        rows = self.rows()
        table = pd.DataFrame([rows[key] for key in sorted(rows)], columns=list(IMAGE_COLUMNS))
        for name in NUMBERS:
            table[name] = pd.to_numeric(table[name])
        return table

    def probabilities_path(self, row: Row) -> Path:
        """Where the probabilities of an image lie: a TIFF with a page for each channel."""
        place = row["labels"].removeprefix("labels/").removesuffix(LABELS)
        return self.path / "probabilities" / f"{place}{PROBABILITIES}"

    def pack(self) -> bytes:
        """One zip of both tables, the labels of all finished images, and the recipe with them.

        recipe.json names the files with their hashes. The probabilities are left out: they are
        larger than all the rest.
        """
        rows = [row for _, row in sorted(self.rows().items()) if row["state"] == DONE]
        hashes = {row["file"]: row["sha256"] for row in rows}
        recipe = self.plan().recipe.replace(
            files=tuple(hashes), files_sha256=tuple(hashes.values())
        )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as container:
            for name in ("images.csv", "objects.csv"):
                container.write(self.path / name, name)
            container.writestr("recipe.json", recipe.to_json())
            for row in rows:
                path = self.path / row["labels"]
                for one in (path, path.with_name(path.name.replace(LABELS, "_classes.tif"))):
                    if one.is_file():
                        name = one.relative_to(self.path).as_posix()
                        container.write(one, name, zipfile.ZIP_STORED)  # it is packed already
        return packed.getvalue()


def key_of(row: Mapping[str, str]) -> Key:
    """Which image a line of either table is about."""
    return row["file"], int(row["plane"])


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The whole lines of a table, one by one; none where there is no table.

    A line that a killed process has left half written is left out.
    """
    try:
        # Only \n ends a line: the name of a file may hold any other sign.
        file = path.open(encoding="utf-8", newline="\n")
    except FileNotFoundError:
        return
    with file:
        lines = csv.reader(line for line in file if line.endswith("\n"))
        header = next(lines, [])
        for cells in lines:
            if len(cells) == len(header):
                yield dict(zip(header, cells, strict=True))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a table at once."""
    with (
        records.replacing(path) as draft,
        draft.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(_lines([dict(zip(columns, columns, strict=True))], columns))
        for row in rows:
            file.write(_lines([row], columns))


def append_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Add lines to a table, for readers to see at once."""
    text = _lines(rows, columns)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)


def _lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(row.get(name, "")) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return "" if value is None or value != value else value  # NaN is unlike itself


def measure_objects(
    segmented: Segmented, pixels_HW: np.ndarray | None, pixel_size_um: float | None
) -> pd.DataFrame:
    """The columns of objects.csv, but for `file` and `plane`.

    Those of `imaging.measure`, and `doubt`: 1 minus the mean foreground probability of the
    object's pixels, so 0 where the network is sure of each. What is not known is NaN.
    """
    labels_HW = segmented.labels_HW
    table = measure.measure(labels_HW, pixels_HW, pixel_size_um=pixel_size_um)
    sums = np.bincount(labels_HW.ravel(), segmented.foreground_HW.ravel(), len(table) + 1)
    table["doubt"] = 1 - sums[table["label"].to_numpy()] / table["area"]
    return table.reindex(columns=list(OBJECT_COLUMNS[2:]))


def describe_image(
    segmented: Segmented, objects: pd.DataFrame, pixel_size_um: float | None
) -> dict[str, Any]:
    """What a row of images.csv says of the result.

    `objects` is their count, `mean_area` is in pixels. `doubt` is the mean over the objects of
    theirs; an image without an object has neither. The column `seconds`, which is none of these,
    is the time that the network took.
    """
    height, width = segmented.labels_HW.shape
    found: dict[str, Any] = {
        "objects": len(objects),
        "mean_area": objects["area"].mean(),
        "doubt": objects["doubt"].mean(),
        "height": height,
        "width": width,
        "pixel_size_um": pixel_size_um,
    }
    if segmented.classes is not None:
        shares = class_map.shares(segmented.classes)
        found |= {f"share_{name}": share for name, share in shares.items()}
    return found


def write_probabilities(
    path: Path, prediction: Prediction, plan: Plan, pixel_size_um: float | None, sha256: str
) -> None:
    """Store the network's answer to the file of this hash in 256 steps, packed."""
    content = export.probabilities_tiff(
        prediction.prob_CHW,
        plan.config.outputs,
        pixel_size_um,
        one=STORED_ONE,
        source_sha256=sha256,
    )
    export.write_whole(path, content)


def read_probabilities(path: Path, plan: Plan, sha256: str) -> Prediction | None:
    """The stored answer for the file of this hash; None where there is none that can be used."""
    count = len(plan.config.outputs)
    try:
        with tifffile.TiffFile(path) as tiff:
            about = (tiff.shaped_metadata or ({},))[0]
            stored = tiff.asarray()
            stored_CHW = stored.reshape(count, *stored.shape[-2:])  # one channel has two axes
    except Exception:  # not there, or damaged: whatever a decoder meets in it
        return None
    if about.get("source_sha256") != sha256:
        return None
    return export.interpret(stored_CHW / np.float32(STORED_ONE), plan.config)
