"""Many images that the app segments: what was uploaded, the results, and the job that works on it.

A batch is a directory: `about.json` says what it is, `images/` holds what was uploaded, `results/`
is the folder of `predict.results`. One job at a time works on it; to pause is to stop the job, and
to resume to start another one, which goes on with the results.
"""

import contextlib
import json
import secrets
import shlex
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet_core.base import folders, records
from unet_core.base.config import Segmentation
from unet_core.data import archive
from unet_core.predict import listing
from unet_core.predict.recipe import Recipe, flag
from unet_core.predict.results import Results
from unet_core.runs import jobs
from unet_core.runs.jobs import Job

KIND = "segment"  # of its jobs
MOST_BYTES = 4_000_000_000  # of what a zip unpacks to
STOPPING_SECONDS = 10.0  # a job ends a few seconds after it was asked to


@dataclass(frozen=True)
class Batch:
    """A batch's directory. Reading never raises."""

    path: Path

    @property
    def id(self) -> str:
        """The name of the directory, used in links."""
        return self.path.name

    @property
    def title(self) -> str:
        """A line for people on which images these are."""
        return str(self._about().get("title", self.id))

    @property
    def created(self) -> float:
        """When it was started, in seconds since 1970."""
        return float(self._about().get("created", 0.0))

    @property
    def results(self) -> Results:
        """The folder of results."""
        return Results(self.path / "results")

    @property
    def recipe(self) -> Recipe:
        """What is done to the images, as it is now. Raises ValueError for a broken directory."""
        if self.results.exists():
            return self.results.plan().recipe
        return Recipe.from_dict(self._about().get("recipe", {}))

    def job(self) -> Job | None:
        """The job that works on it, or was the last to."""
        with contextlib.suppress(ValueError):
            return jobs.find(str(self._about().get("job", "")))
        return None

    def _about(self) -> dict[str, Any]:
        try:
            found = json.loads((self.path / "about.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def start(self) -> Job:
        """Begin, or go on with what is not finished, in the background.

        Raises ValueError for a broken directory.
        """
        about = self._about()
        inputs = tuple(about.get("inputs", ()))
        named = self.recipe.replace(files=inputs, files_sha256=("",) * len(inputs))
        words = shlex.split(named.command())[3:]  # without "python -m unet_core"
        words += ["--out", str(self.results.path.absolute()), "--resume"]
        return self._start([*words, "--recursive"] if about.get("recursive") else words)

    def relabel(self, segmentation: Segmentation) -> Job:
        """Make all objects anew by other settings, in the background."""
        words = ["relabel", str(self.results.path.absolute())]
        for name, value in segmentation.to_dict().items():
            words += flag(name, value)
        return self._start(words)

    def _start(self, words: list[str]) -> Job:
        before = self.job()
        job = jobs.join(KIND, words, title=self.title)
        records.write_json(self.path / "about.json", self._about() | {"job": job.id})
        if before is not None and before != job:
            with contextlib.suppress(ValueError, OSError):  # it is still going
                before.delete()
        return job

    def pause(self) -> None:
        """Ask the job to end within seconds; what is finished stays."""
        if job := self.job():
            job.stop()

    def delete(self) -> None:
        """Stop the work and remove everything; ValueError where the job does not end."""
        job = self.job()
        if job is not None:
            job.stop()
            end = time.monotonic() + STOPPING_SECONDS
            while job.status().is_alive and time.monotonic() < end:
                time.sleep(0.1)
            job.delete()
        grave = self.path.with_name(f".deleted-{secrets.token_hex(3)}-{self.id}")
        with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
            self.path.rename(grave)  # it vanishes at once for every reader
            shutil.rmtree(grave, ignore_errors=True)


def folder() -> Path:
    """Where batches lie: hidden among the runs, so that they are none of them."""
    return folders.runs() / ".batches"


def list_batches() -> list[Batch]:
    """Every batch, the newest first."""
    try:
        found = [Batch(path) for path in folder().iterdir() if folders.is_name(path.name)]
    except OSError:
        return []
    return sorted(found, key=lambda one: (one.created, one.id), reverse=True)


def find(batch_id: str) -> Batch:
    """The batch of that name; ValueError when there is none."""
    if not folders.is_name(batch_id) or not (folder() / batch_id).is_dir():
        raise ValueError(f"there are no many images {batch_id!r} here")
    return Batch(folder() / batch_id)


def of_uploads(files: Iterable[tuple[str, bytes]], recipe: Recipe) -> Batch:
    """A batch of uploaded files by their names, with those in zips; nothing works on it yet.

    Raises ValueError where none is a picture and for a zip that is not safe, OSError where the disk
    is full: then nothing is kept.
    """

    def keep(place: Path) -> None:
        images = place / "images"
        images.mkdir()
        for name, content in files:
            _keep_file(images, name, content)

    return _create(keep, recipe, inputs=None, recursive=True)


def of_folder(name: str, recipe: Recipe, *, recursive: bool = False) -> Batch:
    """A batch of the images in a folder of this computer; they stay where they are.

    `name` is its path from `$UNET_IMPORT`. Raises ValueError where that is not set, the folder or
    one of its files leads outside, or there is no image.
    """
    root = folders.imports()
    if root is None:
        raise ValueError("this server offers no folder: set UNET_IMPORT to the one that it may")
    chosen = (root / name).resolve()
    if not chosen.is_relative_to(root.resolve()):
        raise ValueError(f"{name} leads out of the folder that this server allows")
    if not chosen.is_dir():
        raise ValueError(f"there is no folder {name} in the one that this server allows")
    _, found = listing.find_images([str(chosen)], recursive=recursive)
    for one in found:
        if not (chosen / one).resolve().is_relative_to(root.resolve()):
            raise ValueError(f"{one} is a link that leads out of the folder this server allows")
    return _create(lambda _: None, recipe, inputs=[str(chosen)], recursive=recursive, title=name)


def _create(
    fill: Callable[[Path], None],
    recipe: Recipe,
    *,
    inputs: list[str] | None,
    recursive: bool,
    title: str = "",
) -> Batch:
    """A whole directory or none; without inputs they are what `fill` has put into images/."""
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    path = folder() / f"{stamp}-{secrets.token_hex(3)}"
    draft = path.with_name(f".{path.name}")
    draft.mkdir(parents=True)
    try:
        fill(draft)
        if inputs is None:
            inputs = [str((path / "images").absolute())]
            title = _describe(draft / "images")
        about = {"title": title, "created": now, "inputs": inputs, "recursive": recursive}
        records.write_json(draft / "about.json", about | {"recipe": recipe.to_dict()})
        return Batch(draft.rename(path))
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _describe(images: Path) -> str:
    try:
        _, names = listing.find_images([str(images)], recursive=True)
    except ValueError:
        raise ValueError("None of these files is a PNG, JPEG or TIFF picture.") from None
    first, last = (one if len(one) < 25 else f"{one[:23]}…" for one in (names[0], names[-1]))
    return first if len(names) == 1 else f"{len(names)} files, {first} to {last}"


def _keep_file(images: Path, name: str, content: bytes) -> None:
    """Store a file under its name, or unpack a zip into a folder of its name; a second one of the
    same name gets a number.
    """
    # The name alone: a browser may send a whole path, also one that leads elsewhere.
    name = name.replace("\\", "/").rpartition("/")[2].replace("\0", "").lstrip(".") or "image"
    stem, dot, ending = name.rpartition(".")
    is_zip = ending.lower() == "zip"
    number, path = 2, images / (stem if is_zip else name)
    while path.exists():
        path = images / (f"{stem} ({number})" if is_zip else f"{stem} ({number}){dot}{ending}")
        number += 1
    if not is_zip:
        path.write_bytes(content)
        return
    packed = images.parent / name
    packed.write_bytes(content)
    path.mkdir()
    archive.unpack_zip(packed, path, most_bytes=MOST_BYTES)
    packed.unlink()
