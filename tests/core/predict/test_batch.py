import contextlib
import errno
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from filelock import FileLock

from unet_core.base.config import Segmentation
from unet_core.imaging import images, measure
from unet_core.network import checkpoint
from unet_core.predict import batch, export, results
from unet_core.predict.recipe import Recipe
from unet_core.predict.results import Results

SETTINGS = Segmentation(threshold=0.5, marker_threshold=0.0, min_size=20)


@pytest.fixture
def recipe(save_cutter: Callable[..., str]) -> Recipe:
    """That of a network which cuts the intensity, so that it is known what it must find."""
    model = save_cutter()
    sha256 = images.sha256(checkpoint.find(model).read_bytes())
    return Recipe(
        files=(), files_sha256=(), model=model, model_sha256=sha256, segmentation=SETTINGS
    )


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Three pictures with one to three squares of 10 x 10 pixels, and a text called `.png`."""
    folder = tmp_path / "plate"
    folder.mkdir()
    for number, name in enumerate(("a.tif", "b.tif", "c.tif"), start=1):
        tifffile.imwrite(folder / name, squares(number))
    (folder / "bad.png").write_text("hello")
    return folder


def squares(count: int) -> np.ndarray:
    pixels_HW = np.full((40, 60), 10, np.uint8)
    for index in range(count):
        pixels_HW[5:15, 5 + 15 * index : 15 + 15 * index] = 200
    return pixels_HW


def run(out: Path, plate: Path, recipe: Recipe, **options: Any) -> batch.Report:
    return batch.segment(out, [str(plate)], recipe, device="cpu", **options)


def counts(out: Path) -> dict[str, int]:
    """How many objects images.csv and objects.csv say there are, which must be the same."""
    rows, objects = pd.read_csv(out / "images.csv"), pd.read_csv(out / "objects.csv")
    rows = rows[rows["state"] == "done"]
    found = {f"{row.file}:{row.plane}": int(row.objects) for row in rows.itertuples()}
    names = objects["file"] + ":" + objects["plane"].astype(str)
    assert names.value_counts().to_dict() == {name: n for name, n in found.items() if n}
    return found


def content(out: Path) -> dict[str, bytes]:
    """All files but those that say how long it took."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "images.csv"
    }


class Count:
    """Lets a function pass and counts its calls; may do something before one of them."""

    def __init__(self, function: Callable[..., Any], at: int = 0, then: Any = None) -> None:
        self.function, self.calls, self.at, self.then = function, 0, at, then

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == self.at:
            self.then()
        return self.function(*arguments, **options)


# What comes out -----------------------------------------------------------------------------------


def test_a_folder_becomes_labels_probabilities_and_two_tables_and_a_bad_file_is_named(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out = tmp_path / "out"
    report = run(out, plate, recipe)
    assert counts(out) == {"a.tif:0": 1, "b.tif:0": 2, "c.tif:0": 3}
    assert list(report.failed) == ["bad.png"]
    assert "not a PNG" in report.failed["bad.png"]
    document = report.to_dict()
    assert (document["images"], document["added"], document["objects"]) == (3, 3, 6)
    rows = pd.read_csv(out / "images.csv", index_col="file")
    assert rows.loc["bad.png", "state"] == "failed"
    assert "not a PNG" in rows.loc["bad.png", "error"]
    assert rows.loc["b.tif", "mean_area"] == 100
    assert list(rows.loc["b.tif", ["height", "width", "planes"]]) == [40, 60, 1]
    for name in "abc":
        labels_HW = tifffile.imread(out / "labels" / f"{name}_labels.tif")
        np.testing.assert_array_equal(labels_HW > 0, tifffile.imread(plate / f"{name}.tif") > 100)
        assert (out / rows.loc[f"{name}.tif", "labels"]).is_file()
    assert not list(out.rglob("*.part"))


def test_labels_and_measurements_are_those_of_a_single_image(
    plate: Path, tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    noisy_HW = squares(3) + rng.integers(0, 90, (40, 60)).astype(np.uint8)
    tifffile.imwrite(plate / "a.tif", noisy_HW, resolution=(5e4, 5e4), resolutionunit="CENTIMETER")
    run(tmp_path / "out", plate, recipe)
    found = export.segment(checkpoint.load(recipe.model, device="cpu"), noisy_HW, recipe)
    (written,) = export.write(tmp_path, "a", noisy_HW, found, pixel_size_um=0.2)[:1]
    assert written.read_bytes() == (tmp_path / "out" / "labels" / "a_labels.tif").read_bytes()
    table = pd.read_csv(tmp_path / "out" / "objects.csv")
    table = table[table["file"] == "a.tif"].drop(columns=["file", "plane", "doubt"])
    expected = measure.measure(found.labels_HW, noisy_HW, pixel_size_um=0.2)
    pd.testing.assert_frame_equal(table[expected.columns], expected, check_dtype=False)


def test_doubt_is_how_far_the_foreground_of_an_object_is_from_certain() -> None:
    labels_HW = np.array([[1, 1, 0], [0, 2, 2]])
    foreground_HW = np.array([[0.9, 0.7, 0.4], [0.0, 1.0, 1.0]], np.float32)
    segmented = export.Segmented(
        foreground_HW[None], None, foreground_HW, 0 * foreground_HW, labels_HW
    )  # type: ignore[arg-type]
    table = results.measure_objects(segmented, None, None)
    np.testing.assert_allclose(table["doubt"], [0.2, 0.0], atol=1e-7)
    assert results.describe_image(segmented, table, None)["doubt"] == pytest.approx(0.1)
    nothing = export.Segmented(
        foreground_HW[None], None, foreground_HW, foreground_HW, 0 * labels_HW
    )  # type: ignore[arg-type]
    table = results.measure_objects(nothing, None, None)
    assert np.isnan(results.describe_image(nothing, table, None)["doubt"])


def test_all_planes_of_a_stack_are_in_one_table_and_a_plane_can_be_chosen(
    tmp_path: Path, recipe: Recipe
) -> None:
    (tmp_path / "in").mkdir()
    stack = np.stack([squares(n % 4) for n in range(11)])
    tifffile.imwrite(tmp_path / "in" / "z.tif", stack, photometric="minisblack")
    run(tmp_path / "all", tmp_path / "in", recipe)
    assert counts(tmp_path / "all") == {f"z.tif:{n}": n % 4 for n in range(11)}
    names = sorted(path.name for path in (tmp_path / "all" / "labels").iterdir())
    assert names == [f"z_plane{n:02}_labels.tif" for n in range(11)]
    run(tmp_path / "one", tmp_path / "in", recipe.replace(plane=3))
    assert counts(tmp_path / "one") == {"z.tif:3": 3}
    report = run(tmp_path / "none", tmp_path / "in", recipe.replace(plane=11))
    assert "no plane 11" in report.failed["z.tif, plane 11"]


def test_a_model_of_classes_leaves_the_class_maps_and_their_shares(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    config = checkpoint.read_config(recipe.model)
    config = config.replace(
        train=config.train.replace(target="classes", loss="cross-entropy"),
        outputs=("background", "cell"),
    )
    model = tmp_path / "classes.safetensors"
    checkpoint.save(model, checkpoint.Trained(config, checkpoint.build(config)))
    recipe = recipe.replace(
        model=str(model),
        model_sha256=images.sha256(model.read_bytes()),
        segmentation=SETTINGS.replace(method="components"),
    )
    run(tmp_path / "out", plate, recipe)
    rows = pd.read_csv(tmp_path / "out" / "images.csv", index_col="file")
    classes_HW = tifffile.imread(tmp_path / "out" / "labels" / "a_classes.tif")
    assert rows.loc["a.tif", "share_cell"] == pytest.approx((classes_HW == 1).mean())
    batch.relabel(tmp_path / "out", recipe.segmentation)
    assert counts(tmp_path / "out").keys() == {"a.tif:0", "b.tif:0", "c.tif:0"}


NAMES = ("über größe.tif", "two  spaces, a comma.tif", "🔬 d'or.tif", "line\nbreak.tif", "=1+1.tif")


def test_files_may_have_any_name_and_one_name_in_two_folders(
    tmp_path: Path, recipe: Recipe
) -> None:
    names = [*NAMES, "sub/über größe.tif"]
    for number, name in enumerate(names):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, squares(number % 4))
    report = run(tmp_path / "out", tmp_path / "in", recipe, recursive=True)
    found = {key[0]: int(row["objects"]) for key, row in Results(tmp_path / "out").rows().items()}
    assert found == {name: number % 4 for number, name in enumerate(names)}
    assert (report.added, report.failed) == (6, {})
    assert run(tmp_path / "out", tmp_path / "in", recipe, recursive=True, resume=True).added == 0
    assert len(Results(tmp_path / "out").images()) == 6


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_file_whose_name_is_no_text_is_named_and_the_tables_stay_readable(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    tifffile.imwrite(os.fsdecode(os.fsencode(plate) + b"/z\xff.tif"), squares(1))
    for resume in (False, True):
        report = run(tmp_path / "out", plate, recipe, resume=resume)
        assert "no text" in report.failed["z\ufffd.tif"]
        assert len(counts(tmp_path / "out")) == 3


def test_two_files_whose_results_would_have_one_name_are_told_and_the_first_is_done(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    (plate / "a.png").write_bytes((plate / "a.tif").read_bytes())
    tifffile.imwrite(plate / "d.tif", np.stack([squares(1)] * 2), photometric="minisblack")
    tifffile.imwrite(plate / "d_plane1.tif", squares(2))
    report = run(tmp_path / "out", plate, recipe)
    assert "would overwrite those of a.png" in report.failed["a.tif"]
    assert "would overwrite those of d.tif" in report.failed["d_plane1.tif"]
    assert counts(tmp_path / "out")["d.tif:1"] == 1


# Going on -----------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process ended here."""


def kill() -> None:
    raise Killed


@pytest.mark.parametrize("step", ["append_rows", "write_probabilities", "write_labels", "follow"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_killed_batch_is_resumed_to_the_same_results_and_no_file_is_done_twice(
    plate: Path,
    tmp_path: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    at: int,
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run(whole, plate, recipe)
    home: Any = export if step in ("write_labels", "follow") else results
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(home, step, Count(getattr(home, step), at, kill))
        run(out, plate, recipe)
    (out / "labels").mkdir(exist_ok=True)
    (out / "labels" / ".a_labels.tif.1-1.part").touch()  # what a kill may leave, too
    before = {key for key, row in Results(out).rows().items() if row["state"] == "done"}
    assert len(before) < 3
    follow = Count(export.follow)
    monkeypatch.setattr(export, "follow", follow)
    report = run(out, plate, recipe, resume=True)
    assert report.added == 3 - len(before)
    assert follow.calls <= report.added
    assert counts(out) == counts(whole)
    order = ["objects.csv", "batch.json"]
    assert {name: one for name, one in content(out).items() if name not in order} == {
        name: one for name, one in content(whole).items() if name not in order
    }


def test_a_line_that_was_cut_short_counts_for_nothing(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    for name in ("images.csv", "objects.csv"):
        lines = (out / name).read_bytes().splitlines(keepends=True)
        (out / name).write_bytes(b"".join(lines[:-1]) + lines[-1][:-9])
    (out / "images.csv").write_bytes((out / "images.csv").read_bytes().rpartition(b"c.tif")[0])
    assert run(out, plate, recipe, resume=True).added == 1
    assert counts(out) == {"a.tif:0": 1, "b.tif:0": 2, "c.tif:0": 3}


def test_a_stack_is_gone_on_with_at_the_plane_where_it_was_left(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    stack = np.stack([squares(n) for n in (1, 2, 3, 1)])
    tifffile.imwrite(tmp_path / "in" / "z.tif", stack, photometric="minisblack")
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(export, "follow", Count(export.follow, 3, kill))
        run(tmp_path / "out", tmp_path / "in", recipe)
    seen: list[tuple[int, int]] = []
    report = run(
        tmp_path / "out",
        tmp_path / "in",
        recipe,
        resume=True,
        on_progress=lambda *numbers: seen.append(numbers),
    )
    assert report.added == 2
    assert seen == [(2, 4), (3, 4), (4, 4)]
    assert counts(tmp_path / "out") == {"z.tif:0": 1, "z.tif:1": 2, "z.tif:2": 3, "z.tif:3": 1}


def test_a_bad_file_that_was_mended_is_done_at_the_next_go(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    run(tmp_path / "out", plate, recipe)
    (plate / "bad.png").write_bytes((plate / "b.tif").read_bytes())
    report = run(tmp_path / "out", plate, recipe, resume=True)
    assert (report.added, report.failed) == (1, {})
    assert counts(tmp_path / "out")["bad.png:0"] == 2


def test_new_files_are_added_and_those_that_are_gone_stay_in_the_tables(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    run(tmp_path / "out", plate, recipe)
    (plate / "a.tif").rename(plate / "z.tif")
    assert run(tmp_path / "out", plate, recipe, resume=True).added == 1
    assert counts(tmp_path / "out") == {"a.tif:0": 1, "b.tif:0": 2, "c.tif:0": 3, "z.tif:0": 1}


# Other settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"segmentation": SETTINGS.replace(threshold=0.4)}, "threshold 0.5 there, 0.4 here"),
        ({"scale": 2.0}, "scale 1.0 there, 2.0 here"),
        ({"plane": 0}, "plane None there, 0 here"),
        ({"model_sha256": "1" * 64}, "model .* there, .*11111111. here"),
    ],
)
def test_results_of_other_settings_are_never_mixed(
    plate: Path, tmp_path: Path, recipe: Recipe, changes: dict, told: str
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    before = content(out)
    with pytest.raises(ValueError, match=f"holds results of other settings .{told}"):
        run(out, plate, recipe.replace(**changes), resume=True)
    assert content(out) == before


def test_a_folder_of_results_is_gone_on_with_only_when_asked_and_with_its_own_images(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    run(out, plate, recipe)
    with pytest.raises(ValueError, match="holds these results already: add --resume"):
        run(out, plate, recipe)
    other.mkdir()
    tifffile.imwrite(other / "a.tif", squares(3))
    with pytest.raises(ValueError, match=r"images .*plate there, .*other here"):
        run(out, other, recipe, resume=True)


def test_a_folder_with_other_files_is_left_alone(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.txt").touch()
    with pytest.raises(ValueError, match=r"holds other files, such as chapter\.txt"):
        run(thesis, plate, recipe, resume=True)
    assert [path.name for path in thesis.iterdir()] == ["chapter.txt"]


def test_two_processes_do_not_write_into_one_folder(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    with FileLock(out / ".lock"), pytest.raises(ValueError, match="another process writes into"):
        run(out, plate, recipe, resume=True)


def test_broken_settings_and_foreign_tables_are_told(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    good = (out / "images.csv").read_bytes()
    for bad in (
        b"file;plane\na.tif;0\n",
        good.replace(b"a.tif", b"\xe4.tif"),
        b"file,plane\na,x\n",
    ):
        (out / "images.csv").write_bytes(bad)
        with pytest.raises(ValueError, match="was changed by another program"):
            run(out, plate, recipe, resume=True)
    (out / "batch.json").write_text("{half")
    with pytest.raises(ValueError, match="holds no results of many images"):
        batch.relabel(out, SETTINGS)


# Relabelling --------------------------------------------------------------------------------------


def forbid(*_: Any, **__: Any) -> None:
    raise AssertionError("the network was asked")


def test_thresholds_are_moved_for_all_without_the_network_and_without_the_images(
    plate: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    before = pd.read_csv(out / "images.csv")
    monkeypatch.setattr(checkpoint, "load", forbid)
    (plate / "a.tif").unlink()
    report = batch.relabel(out, SETTINGS.replace(min_size=101))
    assert counts(out) == {"a.tif:0": 0, "b.tif:0": 0, "c.tif:0": 0}
    assert list(report.failed) == ["bad.png"]
    batch.relabel(out, SETTINGS)
    assert counts(out) == {"a.tif:0": 1, "b.tif:0": 2, "c.tif:0": 3}
    after = pd.read_csv(out / "images.csv")
    pd.testing.assert_frame_equal(before.drop(columns="doubt"), after.drop(columns="doubt"))
    np.testing.assert_allclose(before["doubt"], after["doubt"], atol=1 / 255)
    intensity = pd.read_csv(out / "objects.csv").set_index("file")["intensity_mean"]
    assert np.isnan(intensity["a.tif"])
    assert list(intensity["b.tif"]) == [200, 200]
    assert Results(out).plan().recipe.segmentation == SETTINGS


def test_a_file_that_was_replaced_is_shown_to_the_network_again(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    tifffile.imwrite(plate / "a.tif", squares(3))
    (out / "probabilities" / "b_probabilities.tif").write_bytes(b"II*\0 damaged")
    batch.relabel(out, SETTINGS)
    assert counts(out) == {"a.tif:0": 3, "b.tif:0": 2, "c.tif:0": 3}


def test_a_killed_relabelling_is_resumed_by_its_own_settings(
    plate: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = tmp_path / "out", SETTINGS.replace(min_size=101)
    run(out, plate, recipe)
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(export, "write_labels", Count(export.write_labels, 2, kill))
        batch.relabel(out, other)
    states = pd.read_csv(out / "images.csv").groupby("file")["state"].last()
    assert "waiting" in set(states)
    monkeypatch.setattr(checkpoint, "load", forbid)
    run(out, plate, recipe.replace(segmentation=other), resume=True)
    assert counts(out) == {"a.tif:0": 0, "b.tif:0": 0, "c.tif:0": 0}


def test_probabilities_that_are_missing_are_not_made_by_another_model(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    out = tmp_path / "out"
    run(out, plate, recipe)
    (out / "probabilities" / "a_probabilities.tif").unlink()
    config = checkpoint.read_config(recipe.model)
    checkpoint.save(
        checkpoint.find(recipe.model), checkpoint.Trained(config, checkpoint.build(config))
    )
    with pytest.raises(ValueError, match="is not what it was when these results were begun"):
        batch.relabel(out, SETTINGS)


def test_a_zip_holds_tables_labels_and_the_recipe_and_tells_not_where_the_images_lie(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    (plate / "gone.tif").symlink_to(tmp_path / "nowhere")
    run(tmp_path / "out", plate, recipe)
    with zipfile.ZipFile(io.BytesIO(Results(tmp_path / "out").pack())) as packed:
        content = {name: packed.read(name) for name in packed.namelist()}
    names = {f"labels/{name}_labels.tif" for name in "abc"}
    assert set(content) == {"images.csv", "objects.csv", "recipe.json", *names}
    for name in content.keys() - {"recipe.json"}:
        assert content[name] == (tmp_path / "out" / name).read_bytes()
    kept = Recipe.from_dict(json.loads(content["recipe.json"]))
    assert kept.files == ("a.tif", "b.tif", "c.tif")
    assert kept.files_sha256[0] == images.sha256((plate / "a.tif").read_bytes())
    assert b"gone.tif cannot be read" in content["images.csv"]
    assert not any(str(tmp_path).encode() in one for one in content.values())


# The surroundings ---------------------------------------------------------------------------------


def test_a_full_disk_ends_it_and_what_is_finished_stays(
    plate: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(export, "write_labels", Count(export.write_labels, 2, fill))
        with pytest.raises(OSError, match="No space"):
            run(out, plate, recipe)
    assert counts(out) == {"a.tif:0": 1}
    assert not list(out.rglob("*.part"))
    assert run(out, plate, recipe, resume=True).added == 2


def test_an_image_that_does_not_fit_into_memory_is_named_and_the_next_one_done(
    plate: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out() -> None:
        raise MemoryError

    monkeypatch.setattr(export, "follow", Count(export.follow, 2, run_out))
    report = run(tmp_path / "out", plate, recipe)
    assert "not enough memory for this image" in report.failed["b.tif"]
    assert counts(tmp_path / "out") == {"a.tif:0": 1, "c.tif:0": 3}


def test_never_more_than_three_images_are_in_memory(
    plate: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "defgh":
        tifffile.imwrite(plate / f"{name}.tif", squares(1))
    read = Count(images.read_image)
    finished, at_once = 0, []

    def write(*arguments: Any) -> None:
        nonlocal finished
        at_once.append(read.calls - finished)
        write_labels(*arguments)
        finished += 1

    write_labels = export.write_labels
    monkeypatch.setattr(images, "read_image", read)
    monkeypatch.setattr(export, "write_labels", write)
    run(tmp_path / "out", plate, recipe)
    assert finished == 8
    assert max(at_once) <= 4  # the bad file among them
    assert threading.active_count() < 10


def test_a_model_that_cannot_be_read_is_told_before_anything_is_written(
    plate: Path, tmp_path: Path, recipe: Recipe
) -> None:
    with pytest.raises(ValueError, match="there is no model 'none'"):
        run(tmp_path / "out", plate, recipe.replace(model="none"))
    assert not (tmp_path / "out").exists()


def test_a_killed_command_is_resumed(plate: Path, tmp_path: Path, recipe: Recipe) -> None:
    """With a real process and SIGKILL: nothing of it hears."""
    words = [sys.executable, "-m", "unet_core", "segment", str(plate), "--model", recipe.model,
             "--out", str(tmp_path / "out"), "--device", "cpu", "--json"]  # fmt: skip
    stack = np.stack([squares(2)] * 400)
    tifffile.imwrite(plate / "stack.tif", stack, photometric="minisblack")
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    table = tmp_path / "out" / "images.csv"
    while process.poll() is None:
        with contextlib.suppress(OSError):
            if table.read_bytes().count(b"\n") > 5:
                break
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode < 0
    done = subprocess.run([*words, "--resume"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr  # for the bad file
    document = json.loads(done.stdout)
    assert 0 < document["added"] < document["images"] == 403
    assert sum(counts(tmp_path / "out").values()) == 6 + 800
    assert not list((tmp_path / "out").rglob("*.part"))
