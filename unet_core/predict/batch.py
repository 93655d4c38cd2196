"""Many images into one folder of results, left off and gone on with at any image.

What the folder holds stands in `results`. Whatever a killed process has left behind of an image
that is not finished is made again.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from unet_core.base import records
from unet_core.base.config import Segmentation
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export, files, listing, results
from unet_core.predict.recipe import Recipe, where_tuned
from unet_core.predict.results import DONE, FAILED, WAITING, Plan, Results, Row

Progress = Callable[[int, int], None]
LOCK = ".lock"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What stands in the folder in the end, and how many images this call has added."""

    out: Path
    recipe: Recipe
    rows: list[Row]
    added: int

    @property
    def failed(self) -> dict[str, str]:
        """The files that could not be done, each with one sentence."""
        return {
            row["file"] + (f", plane {row['plane']}" if int(row["planes"]) > 1 else ""): row[
                "error"
            ]
            for row in self.rows
            if row["state"] == FAILED
        }

    def to_dict(self) -> dict[str, Any]:
        """The document that the command prints."""
        done = [row for row in self.rows if row["state"] == DONE]
        return {
            "model": self.recipe.model,
            "out": str(self.out),
            "segmentation": self.recipe.segmentation.to_dict(),
            "tuned_on": self.recipe.tuned_on,
            "images": len(done),
            "added": self.added,
            "objects": sum(int(row["objects"]) for row in done),
            "failed": [{"file": name, "reason": reason} for name, reason in self.failed.items()],
        }

    def lines(self) -> list[str]:
        """The same for people."""
        found = self.to_dict()
        earlier = found["images"] - found["added"]
        return [
            f"images: {found['images']}{f' ({earlier} of them before)' if earlier else ''}"
            f" -> {self.out / 'images.csv'}",
            f"objects: {found['objects']} -> {self.out / 'objects.csv'}",
        ]


def segment(
    out: Path,
    inputs: Sequence[str],
    recipe: Recipe,
    *,
    recursive: bool = False,
    resume: bool = False,
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Report:
    """Segment files, those of folders and patterns (`listing.find_images`), into a folder.

    Of stacks all planes, or the recipe's. `resume` goes on with what the folder holds: finished
    images stay, those that could not be read are tried again. `on_progress` is told how many of
    how many images are done.

    Raises ValueError where there is no image, and where the folder holds anything else than
    results of the same images by the same recipe. A full disk ends it with an OSError; what is
    finished stays.
    """
    root, names = listing.find_images(inputs, recursive=recursive, leave_out=out)
    plan = Plan(root=str(root), recipe=recipe, config=checkpoint.read_config(recipe.model))
    found = Results(out)
    with _alone(out):
        if found.exists():
            before = found.plan()
            _check_same(out, before, plan, resume=resume)
            plan = before
        else:
            records.write_json(out / "batch.json", plan.to_dict())
        return _Pass(found, plan, names, device, on_progress).carry_out()


def relabel(
    out: Path,
    segmentation: Segmentation,
    *,
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Report:
    """Make all objects of a folder anew by other settings, from the stored probabilities.

    They are stored in 256 steps, so a pixel here and there at the border of an object may come out
    otherwise than from the network itself, which is asked only where they are missing.

    Raises ValueError where the folder holds no results; else as `segment`.
    """
    found = Results(out)
    plan = found.plan()
    tuned_on = where_tuned(plan.config, segmentation)
    recipe = plan.recipe.replace(segmentation=segmentation, tuned_on=tuned_on)
    plan = plan.replace(recipe=recipe)
    with _alone(out):
        rows = list(found.rows().values())
        waiting = [row | {"state": WAITING} if row["state"] == DONE else row for row in rows]
        # In this order: ending in between leaves everything to be done, by the old settings.
        results.write_rows(out / "images.csv", plan.image_columns, waiting)
        records.write_json(out / "batch.json", plan.to_dict())
        names = [row["file"] for row in rows]
        return _Pass(found, plan, names, device, on_progress).carry_out()


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this process alone."""
    if out.exists() and not Results(out).exists():
        others = [path.name for path in out.iterdir() if path.name != LOCK]
        if others:
            raise ValueError(
                f"{out} holds other files, such as {min(others)}: choose a new or empty folder "
                "with --out"
            )
    out.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(out / LOCK, thread_local=False).acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another process writes into {out}: wait until it has ended") from None
    with held:
        yield


def _check_same(out: Path, before: Plan, now: Plan, *, resume: bool) -> None:
    """Refuse to mix images or settings. Raises ValueError that says what differs."""
    there, here = _settings(before), _settings(now)
    other = [
        f"{name} {there[name]} there, {here[name]} here"
        for name in here
        if there[name] != here[name]
    ]
    if other:
        raise ValueError(
            f"{out} holds results of other settings ({'; '.join(other)}): choose another folder "
            "with --out; thresholds can also be changed for all by the command relabel"
        )
    if not resume:
        raise ValueError(f"{out} holds these results already: add --resume to go on with them")


def _settings(plan: Plan) -> dict[str, Any]:
    """Everything that decides the results, by its name."""
    found = plan.recipe.to_dict()
    for name in ("files", "files_sha256", "tuned_on", "version"):
        del found[name]
    model = f"{found.pop('model')} ({found.pop('model_sha256')[:8]})"
    return {"images": plan.root, "model": model, **found.pop("segmentation"), **found}


def _readable(name: str) -> str:
    """A name that every program can write, which is another one where its bytes are no text."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One image on its way through a pass, read and not yet shown to the network."""

    name: str
    plane: int
    planes: int
    sha256: str = ""
    picture: images.Image | None = None  # None where the file is gone and `stored` is all there is
    stored: export.Prediction | None = None
    before: Row = field(default_factory=dict)  # its line in images.csv, where it has one
    error: str = ""

    @property
    def labels(self) -> str:
        """Where its labels lie in the folder."""
        stem = self.name.rpartition(".")[0] or self.name
        digits = len(str(self.planes - 1))
        plane = f"_plane{self.plane:0{digits}d}" if self.planes > 1 else ""
        return f"labels/{stem}{plane}{results.LABELS}"


class _Pass:
    """One walk over the images that are not finished.

    Three at the most are in memory: one is read, one is with the network, one is written.
    """

    def __init__(
        self,
        found: Results,
        plan: Plan,
        names: Iterable[str],
        device: str,
        on_progress: Progress | None,
    ) -> None:
        self.found, self.plan, self.device, self.on_progress = found, plan, device, on_progress
        self.rows = {key: row for key, row in found.rows().items() if row["state"] != FAILED}
        self.before: dict[str, dict[int, Row]] = {}
        for (name, plane), row in self.rows.items():
            self.before.setdefault(name, {})[plane] = row
        self.names = sorted({*names, *self.before})
        self.owners = {row["labels"]: row["file"] for row in self.rows.values()}
        self.trained: Trained | None = None
        self.added = 0
        self.done = sum(row["state"] == DONE for row in self.rows.values())
        self.total = sum(self._expected(self.before.get(name, {})) for name in self.names)

    def carry_out(self) -> Report:
        """Do all that is left; gives what there is in the end."""
        self._clean()
        items = self._read()
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            written: Future[None] = writer.submit(lambda: None)
            ahead = reader.submit(next, items, None)
            while (item := ahead.result()) is not None:
                ahead = reader.submit(next, items, None)
                self._tell()
                answer = self._ask(item)
                written.result()  # raises what went wrong, such as a full disk
                written = writer.submit(self._finish, *answer)
                self.done += 1
            written.result()
        self._tell()
        rows = [self.rows[key] for key in sorted(self.rows)]
        results.write_rows(self.found.path / "images.csv", self.plan.image_columns, rows)
        return Report(out=self.found.path, recipe=self.plan.recipe, rows=rows, added=self.added)

    def _tell(self) -> None:
        if self.on_progress:
            self.on_progress(self.done, self.total)

    def _clean(self) -> None:
        """Keep the lines of images.csv that count and the objects of finished images; drafts go."""
        out = self.found.path
        for draft in out.rglob(".*.part"):  # nobody else writes here now
            draft.unlink(missing_ok=True)
        results.write_rows(out / "images.csv", self.plan.image_columns, self.rows.values())
        finished = {key for key, row in self.rows.items() if row["state"] == DONE}
        kept = (
            row for row in results.read_rows(out / "objects.csv") if results.key_of(row) in finished
        )
        results.write_rows(out / "objects.csv", results.OBJECT_COLUMNS, kept)

    # Reading, in a thread of its own ----------------------------------------------------------

    def _read(self) -> Iterator[_Item]:
        """Every image that is not finished, one by one."""
        for name in self.names:
            before = self.before.get(name, {})
            finished = sum(row["state"] == DONE for row in before.values())
            if not before or finished < self._expected(before):
                yield from self._read_file(name, before)

    def _expected(self, before: dict[int, Row]) -> int:
        """How many images a file counts for, as far as it is known."""
        if not before or self.plan.recipe.plane is not None:
            return 1
        return int(next(iter(before.values()))["planes"])

    def _read_file(self, name: str, before: dict[int, Row]) -> Iterator[_Item]:
        if name != (readable := _readable(name)):
            error = "The name of this file is no text (UTF-8): give it another one."
            yield _Item(name=readable, plane=0, planes=0, error=error)
            return
        failed: dict[str, str] = {}
        with files.naming(name, failed):
            data = images.read_bytes(Path(self.plan.root) / name)
            image, sha256 = images.read_image(data), images.sha256(data)
            del data
        if name in failed:
            # The tables go to people who need not know where the images lie.
            failed[name] = failed[name].replace(f"{Path(self.plan.root) / name}", name)
            waiting = [row for row in before.values() if row["state"] == WAITING]
            yield from (self._without_file(row, failed[name]) for row in waiting)
            if not before:
                yield _Item(name=name, plane=0, planes=0, error=failed[name])
            return
        planes = len(images.planes(image))
        wanted = range(planes) if self.plan.recipe.plane is None else [self.plan.recipe.plane]
        self.total += len(wanted) - self._expected(before)
        for plane in wanted:
            row = before.get(plane, {})
            if row.get("state") != DONE:
                item = _Item(name=name, plane=plane, planes=planes, sha256=sha256, before=row)
                yield self._with_plane(item, image)

    def _without_file(self, row: Row, error: str) -> _Item:
        """An image of which nothing but the probabilities may be left."""
        stored = self._stored(row, row["sha256"])
        return _Item(
            name=row["file"],
            plane=int(row["plane"]),
            planes=int(row["planes"]),
            sha256=row["sha256"],
            stored=stored,
            before=row,
            error="" if stored else error,
        )

    def _with_plane(self, item: _Item, image: images.Image) -> _Item:
        owner = self.owners.setdefault(item.labels, item.name)
        if owner != item.name:
            error = f"Its results would overwrite those of {owner}: give one of them another name."
            return replace(item, error=error)
        failed: dict[str, str] = {}
        picture: images.Image | None = None
        with files.naming(item.name, failed):
            picture = images.take_plane(
                image,
                plane=item.plane,
                channel=self.plan.recipe.channel,  # type: ignore[arg-type]  # it has checked it
            )
        stored = self._stored(item.before, item.sha256) if item.before else None
        return replace(item, picture=picture, stored=stored, error=failed.get(item.name, ""))

    def _stored(self, row: Row, sha256: str) -> export.Prediction | None:
        path = self.found.probabilities_path(row)
        return results.read_probabilities(path, self.plan, sha256)

    # Asking the network, in the thread of the caller --------------------------------------------

    def _ask(self, item: _Item) -> tuple[_Item, export.Prediction | None, float]:
        """The network's answer, or the stored one, and the seconds that it took."""
        if item.error or item.stored:
            return item, item.stored, 0.0
        assert item.picture is not None
        # A model that cannot be loaded is no fault of this file: it ends everything.
        self.trained = self.trained or self._load()
        failed: dict[str, str] = {}
        answer, start = None, time.perf_counter()
        with files.naming(item.name, failed):
            answer = export.follow(self.trained, item.picture.pixels, self.plan.recipe)
        return replace(item, error=failed.get(item.name, "")), answer, time.perf_counter() - start

    def _load(self) -> Trained:
        recipe = self.plan.recipe
        if images.sha256(checkpoint.find(recipe.model).read_bytes()) != recipe.model_sha256:
            raise ValueError(
                f"the model {recipe.model} is not what it was when these results were begun: "
                "segment the images into a new folder"
            )
        return checkpoint.load(recipe.model, device=self.device)

    # Writing, in a thread of its own ------------------------------------------------------------

    def _finish(self, item: _Item, answer: export.Prediction | None, seconds: float) -> None:
        failed = {item.name: item.error} if item.error else {}
        row: Row = {"file": item.name, "plane": item.plane, "planes": item.planes}
        if answer is not None:
            with files.naming(item.name, failed):
                row |= self._write(item, answer, seconds)
        if item.name in failed:
            row |= {"state": FAILED, "error": failed[item.name]}
        results.append_rows(self.found.path / "images.csv", self.plan.image_columns, [row])
        self.rows[results.key_of(row)] = row
        self.added += row["state"] == DONE

    def _write(self, item: _Item, answer: export.Prediction, seconds: float) -> Row:
        """Labels, probabilities and objects of one image; gives its line in images.csv."""
        out, picture = self.found.path, item.picture
        segmented = export.find_objects(answer, self.plan.recipe.segmentation)
        size = picture.pixel_size_um if picture else float(item.before["pixel_size_um"] or 0)
        size = size or None
        table = results.measure_objects(segmented, picture.pixels if picture else None, size)
        notes = (*picture.notes, *answer.notes) if picture else ()
        row = {
            "state": DONE,
            **results.describe_image(segmented, table, size),
            "labels": item.labels,
            "sha256": item.sha256,
            # The network's own, also where its stored answer is used again.
            "seconds": item.before["seconds"] if item.stored else round(seconds, 4),
            "notes": item.before["notes"] if item.stored else " ".join(notes),
        }
        if not item.stored:
            path = self.found.probabilities_path(row)
            results.write_probabilities(path, answer, self.plan, size, item.sha256)
        export.write_labels(out / item.labels, segmented, size)
        place = {"file": item.name, "plane": item.plane}
        lines = [place | line for line in table.to_dict("records")]
        results.append_rows(out / "objects.csv", results.OBJECT_COLUMNS, lines)
        return row
