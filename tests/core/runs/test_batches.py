import errno
import io
import os
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from unet_core.base import folders
from unet_core.base.config import Segmentation
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.predict.recipe import Recipe
from unet_core.runs import batches, jobs, runs
from unet_core.runs.batches import Batch

SETTINGS = Segmentation(threshold=0.5, marker_threshold=0.0, min_size=20)


@pytest.fixture
def recipe(save_cutter: Callable[..., str]) -> Recipe:
    model = save_cutter()
    sha256 = images.sha256(checkpoint.find(model).read_bytes())
    return Recipe(
        files=(), files_sha256=(), model=model, model_sha256=sha256, segmentation=SETTINGS
    )


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started; no process is."""
    commands: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda command, *, log: commands.append(command))
    return commands


def picture(count: int = 1, planes: int = 0) -> bytes:
    pixels_HW = np.full((40, 60), 10, np.uint8)
    for index in range(count):
        pixels_HW[5:15, 5 + 15 * index : 15 + 15 * index] = 200
    buffer = io.BytesIO()
    stack = np.stack([pixels_HW] * planes) if planes else pixels_HW
    tifffile.imwrite(buffer, stack, photometric="minisblack")
    return buffer.getvalue()


def pack(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def kept(batch: Batch) -> list[str]:
    place = batch.path / "images"
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())


def wait_for(is_so: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_uploads_are_kept_under_their_names_and_none_takes_anothers_place(recipe: Recipe) -> None:
    one = picture()
    inner = pack(**{"A/ü.tif": one, "readme.txt": b"x", "B/ü.tif": one})
    batch = batches.of_uploads(
        [("a b.tif", one), ("C:\\x\\a b.tif", one), ("../🔬.tif", one), ("set.zip", inner),
         ("set.ZIP", pack(z=one))],
        recipe,
    )  # fmt: skip
    assert kept(batch) == [
        "a b (2).tif", "a b.tif", "set (2)/z", "set/A/ü.tif", "set/B/ü.tif", "set/readme.txt",
        "🔬.tif",
    ]  # fmt: skip
    assert batch.title == "5 files, a b (2).tif to 🔬.tif"
    assert batches.list_batches() == [batch] == [batches.find(batch.id)]
    assert runs.list_runs() == [runs.Run(folders.runs() / recipe.model)]


def link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        entry = zipfile.ZipInfo("link.tif")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bomb.zip", lambda: pack(**{"a.tif": b"\0" * 3_000_000}), "at most 2 MB, got 3"),
        ("up.zip", lambda: pack(**{"../a.tif": b"x"}), "leads outside"),
        ("link.zip", link, "holds a link"),
        ("no.zip", lambda: b"PK broken", "cannot be unpacked"),
        ("notes.txt", lambda: b"hello", "None of these files is a PNG, JPEG or TIFF"),
        ("empty.zip", pack, "None of these files is a PNG, JPEG or TIFF"),
    ],
)
def test_a_bad_upload_is_a_sentence_and_nothing_is_kept(
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: Callable[[], bytes],
    told: str,
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 2_000_000)
    with pytest.raises(ValueError, match=told):
        batches.of_uploads([(name, content())], recipe)
    assert list(batches.folder().iterdir()) == []


def test_a_full_disk_keeps_nothing_of_an_upload(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(OSError, match="No space"):
            batches.of_uploads([("a.tif", picture())], recipe)
    assert list(batches.folder().iterdir()) == []


def test_a_folder_must_lie_where_the_server_allows(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for place in (root / "plate 1", root / "links", root / "empty", outside):
        place.mkdir(parents=True)
    (outside / "secret.tif").write_bytes(picture())
    (root / "plate 1" / "a.tif").write_bytes(picture())
    (root / "links" / "a.tif").symlink_to(outside / "secret.tif")
    (root / "door").symlink_to(outside)
    monkeypatch.delenv("UNET_IMPORT", raising=False)
    with pytest.raises(ValueError, match="this server offers no folder"):
        batches.of_folder("plate 1", recipe)
    monkeypatch.setenv("UNET_IMPORT", str(root))
    for name in ("../outside", str(outside), "door"):
        with pytest.raises(ValueError, match="leads out of the folder"):
            batches.of_folder(name, recipe)
    with pytest.raises(ValueError, match="is a link that leads out"):
        batches.of_folder("links", recipe)
    with pytest.raises(ValueError, match="there is no folder none"):
        batches.of_folder("none", recipe)
    with pytest.raises(ValueError, match="no PNG, JPEG or TIFF"):
        batches.of_folder("empty", recipe)
    assert batches.list_batches() == []
    assert batches.of_folder("plate 1", recipe).title == "plate 1"


def test_however_many_start_it_one_job_works_and_the_one_before_is_cleared_away(
    recipe: Recipe, launched: list[list[str]]
) -> None:
    batch = batches.of_uploads([("a.tif", picture())], recipe)
    assert batch.job() is None
    first = batch.start()
    assert batch.start() == first == batch.job()
    assert len(launched) == 1
    words = first.words
    first.update(state="stopped", pid=1)
    second = batch.start()
    assert jobs.list_jobs() == [second]
    assert second.words == words
    assert {"--resume", "--recursive"} <= set(words)


def test_only_batches_are_found(recipe: Recipe) -> None:
    for name in ("", "..", "none", "/etc"):
        with pytest.raises(ValueError, match="there are no many images"):
            batches.find(name)


def test_a_broken_directory_is_told_and_can_be_deleted(recipe: Recipe) -> None:
    batch = batches.of_uploads([("a.tif", picture())], recipe)
    for content in ("{half", "[]", '{"recipe": {}}'):
        (batch.path / "about.json").write_text(content)
        with pytest.raises(ValueError, match="Recipe lacks"):
            batch.start()
        assert (batch.title, batch.created, batch.job()) == (batch.id, 0.0, None)
    assert batches.list_batches() == [batch]
    batch.delete()
    assert batches.list_batches() == []


def test_a_batch_is_paused_resumed_moved_and_deleted(recipe: Recipe) -> None:
    """With real processes."""
    batch = batches.of_uploads([("stack.tif", picture(2, planes=600)), ("b.png", b"no")], recipe)
    job = batch.start()
    wait_for(lambda: job.status().done > 5)
    assert (job.status().total, job.status().seconds_left is not None) == (601, True)
    batch.pause()
    wait_for(lambda: not job.status().is_alive)
    assert job.status().state == "stopped"
    half = len(batch.results.rows())
    assert 5 < half < 601
    again = batch.start()
    wait_for(lambda: not again.status().is_alive)
    # The bad file stands in the table, and is no failure of the job.
    assert again.status().state == "finished", again.log()
    assert again.result()["images"] == 600
    assert again.result()["added"] < 600
    table = pd.read_csv(batch.results.path / "objects.csv")
    assert len(table) == 1200
    moved = batch.relabel(SETTINGS.replace(min_size=101))
    wait_for(lambda: not moved.status().is_alive)
    assert (moved.status().state, moved.result()["objects"]) == ("finished", 0)
    assert batch.recipe.segmentation.min_size == 101
    last = batch.start()
    batch.delete()
    assert batches.list_batches() == []
    assert last not in jobs.list_jobs()
    assert not batch.path.exists()
