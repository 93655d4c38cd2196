"""Some files, each with its results beside it: the good ones are finished, the bad ones named.

Many images with tables for all are the work of `batch`.

Axes: H rows, W columns.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unet_core.base.faults import is_deliberate, is_memory
from unet_core.imaging import class_map, images, label_files
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export
from unet_core.predict.recipe import Recipe, is_marked

ENDINGS = ("_labels.tif", "_overlay.png", "_measurements.csv")


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """One finished file."""

    file: str
    sha256: str
    objects: int
    shape: tuple[int, int]
    pixel_size_um: float | None
    written: tuple[str, ...]
    notes: tuple[str, ...]
    classes: dict[str, float] | None  # the share of the image that each takes


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What became of the files; `recipe` names the finished ones."""

    out: Path
    recipe: Recipe
    done: list[Segmented]
    failed: dict[str, str]  # file -> one sentence

    def to_dict(self) -> dict[str, Any]:
        """The document that the command prints."""
        return {
            "model": self.recipe.model,
            "out": str(self.out),
            "segmentation": self.recipe.segmentation.to_dict(),
            "tuned_on": self.recipe.tuned_on,
            "files": [asdict(one) for one in self.done],
            "failed": [{"file": name, "reason": reason} for name, reason in self.failed.items()],
            "command": self.recipe.command() if self.done else None,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        lines = []
        for one in self.done:
            lines.append(f"{one.file}: {one.objects} objects -> {one.written[0]}")
            if one.classes:
                parts = [f"{name} {100 * share:.1f} %" for name, share in one.classes.items()]
                lines.append(f"  {', '.join(parts)}")
            lines += [f"  {note}" for note in one.notes]
        if is_marked(self.recipe.tuned_on):
            lines.append(f"The settings were chosen on {self.recipe.tuned_on}.")
        return lines


def segment_files(
    paths: Sequence[Path],
    out: Path,
    recipe: Recipe,
    *,
    device: str = "auto",
    formats: Sequence[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> Batch:
    """Segment files by a recipe (its own list of files is replaced) and write the results to `out`.

    `formats` are further ones of `label_files` for the labels. Files that cannot be read or
    segmented are named with a sentence and left out. The model is loaded when the first file was
    found good, so that a mistake is told at once. Raises ValueError for another format, and where
    one result would overwrite another, or one of the files.
    """
    formats = label_files.check(formats)
    _refuse_clashes(paths, out, formats)
    trained: Trained | None = None
    done: list[Segmented] = []
    failed: dict[str, str] = {}
    for index, path in enumerate(paths):
        if on_progress:
            on_progress(index, len(paths))
        with naming(path, failed):
            sha256, picture = _read_file(path, recipe)
        if str(path) in failed:
            continue
        # A model that cannot be loaded is no fault of this file: it ends everything.
        trained = trained or checkpoint.load(recipe.model, device=device)
        with naming(path, failed):
            done.append(_segment_file(path, sha256, picture, trained, recipe, out, formats))
    if done:
        recipe = recipe.replace(
            files=tuple(one.file for one in done), files_sha256=tuple(one.sha256 for one in done)
        )
        export.write_recipe(out, recipe)
    return Batch(out=out, recipe=recipe, done=done, failed=failed)


@contextmanager
def naming(path: Path | str, failed: dict[str, str]) -> Iterator[None]:
    """Note what is wrong with a file, and go on after it; faults of ours pass through."""
    try:
        yield
    except Exception as error:
        if is_memory(error):
            failed[str(path)] = "There is not enough memory for this image: save it smaller."
        elif is_deliberate(error):
            failed[str(path)] = " ".join(str(error).split())
        else:
            raise


def _read_file(path: Path, recipe: Recipe) -> tuple[str, images.Image]:
    """The hash of a file and its picture, both of the same bytes even while it is replaced."""
    data = images.read_bytes(path)
    picture = images.take_plane(
        images.read_image(data),
        plane=recipe.plane,
        channel=recipe.channel,  # type: ignore[arg-type]  # the recipe has checked it
    )
    return images.sha256(data), picture


def _segment_file(
    path: Path,
    sha256: str,
    picture: images.Image,
    trained: Trained,
    recipe: Recipe,
    out: Path,
    formats: Sequence[str],
) -> Segmented:
    found = export.segment(trained, picture.pixels, recipe)
    written = export.write(
        out,
        path.stem,
        picture.pixels,
        found,
        pixel_size_um=picture.pixel_size_um,
        formats=formats,
        file=path.name,
    )
    height, width = found.labels_HW.shape
    return Segmented(
        file=str(path),
        sha256=sha256,
        objects=int(found.labels_HW.max(initial=0)),
        shape=(height, width),
        pixel_size_um=picture.pixel_size_um,
        written=tuple(str(one) for one in written),
        notes=picture.notes + found.notes,
        classes=class_map.shares(found.classes) if found.classes else None,
    )


def _refuse_clashes(paths: Sequence[Path], out: Path, formats: Sequence[str]) -> None:
    more = [label_files.FORMATS[name].ending for name in formats]
    stems: dict[str, Path] = {}
    inputs = {path.resolve() for path in paths}
    for path in paths:
        other = stems.setdefault(path.stem, path)
        if other is not path:
            raise ValueError(
                f"{other} and {path} have one stem, so one result would overwrite the other: "
                "segment them into different folders"
            )
        for ending in (*ENDINGS, *class_map.ENDINGS, *more):
            if (out / f"{path.stem}{ending}").resolve() in inputs:
                raise ValueError(
                    f"the result of {path} would overwrite {path.stem}{ending}, which is itself to "
                    "be segmented: choose another folder with --out"
                )
