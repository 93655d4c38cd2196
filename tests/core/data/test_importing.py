"""From somebody's files to a data set that everything else takes like the built-in ones."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from unet_core.data import datasets, importing, own, sources
from unet_core.data.division import Division
from unet_core.imaging.coding import ClassCode


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def tif(pixels: np.ndarray, **more: object) -> bytes:
    buffer = io.BytesIO()
    photometric = "rgb" if pixels.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(buffer, pixels, photometric=photometric, **more)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def image(number: int = 0) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 200, (30, 40)).astype(np.uint8)


def labels(count: int = 3) -> np.ndarray:
    labels_HW = np.zeros((30, 40), np.uint16)
    for number in range(1, count + 1):
        labels_HW[5:15, 10 * number - 8 : 10 * number - 1] = number
    return labels_HW


def pairs(count: int = 8) -> dict[str, bytes]:
    files = {}
    for index in range(count):
        files[f"images/i{index}.png"] = png(image(index))
        files[f"masks/i{index}.tif"] = tif(labels(1 + index % 3))
    return files


def look(files: dict[str, bytes]) -> importing.Plan:
    return importing.look(sources.of_uploads(files))


def row(plan: importing.Plan, image_path: str) -> importing.Row:
    return next(one for one in plan.rows if one.pair.image == image_path)


def left_behind(root: Path) -> list[str]:
    """What lies in the folder of own sets, hidden things, too."""
    place = root / "own"
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


# --- as the built-in sets ------------------------------------------------------------------------


def test_an_own_set_is_served_as_a_built_in_one(own_data: Path) -> None:
    name = importing.add("My nuclei", look(pairs()), object_name="nucleus")
    assert name == "My-nuclei"
    about = datasets.info(name)
    assert (about.title, about.labels) == ("My nuclei", "instances")
    assert about.classes == ("background", "nucleus")
    assert about.splits == ("train", "val", "test")
    assert name in datasets.names()
    assert name in datasets.available()
    names = {split: datasets.sample_names(name, split) for split in about.splits}
    assert [len(one) for one in names.values()] == [6, 1, 1]
    for split, found in names.items():
        for one in found:
            sample, number = datasets.load(name, split, one), int(one[1:])
            np.testing.assert_array_equal(sample.image_HW, image(number))
            np.testing.assert_array_equal(sample.labels_HW, labels(1 + number % 3))
            assert sample.labels_HW.dtype == np.int32
            assert datasets.used_in(name, None, one) == split
    assert set(datasets.sample_names(name, "train", scheme="all")) == {*names["train"],
                                                                       *names["val"]}  # fmt: skip
    tables = datasets.statistics(name)
    assert len(tables.objects) == sum(1 + index % 3 for index in range(8))
    assert set(tables.objects["class"]) == {"nucleus"}
    assert sorted(tables.images["split"].unique()) == ["test", "train", "val"]
    assert len(datasets.pixel_index(name)) == 8
    [stored] = (own_data / "own").iterdir()
    assert sorted(path.name for path in stored.iterdir()) == ["dataset.json", "images", "labels"]


def test_a_zip_a_folder_and_two_folders_give_the_same_set(tmp_path: Path) -> None:
    for path, content in pairs().items():
        (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / path).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as opened:
        for path, content in pairs().items():
            opened.writestr(f"top/{path}", content)
    places = [
        importing.open_paths(tmp_path / "set"),
        importing.open_paths(tmp_path / "set.zip"),
        importing.open_paths(tmp_path / "set" / "images", tmp_path / "set" / "masks"),
        importing.open_paths(tmp_path / "set", tmp_path / "set" / "masks"),
    ]
    names = [importing.add(f"s{i}", importing.look(*place)) for i, place in enumerate(places)]
    assert len({datasets.data_hash(name) for name in names}) == 1
    assert [len(datasets.sample_names(name, "train")) for name in names] == [6] * 4


def test_colour_coded_classes_keep_their_names_and_colours(own_data: Path) -> None:
    table = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    files = {}
    for index in range(4):
        files[f"{index}.png"] = png(image(index))
        files[f"{index}_mask.png"] = png(table[labels(2)])
    plan = look(files)
    assert plan.kind == "classes"
    assert "Masks of 3 colours: each is a class." in plan.notes()
    assert plan.notes("objects")[0].endswith("a class. You have chosen objects instead.")
    classes = [
        ClassCode("background", "#000000"),
        ClassCode("root hair", "#0000ff"),
        ClassCode("cell", "#ff0000"),
    ]
    name = importing.add("plants", plan, classes=classes)
    about = datasets.info(name)
    assert (about.labels, about.classes) == ("classes", ("background", "root hair", "cell"))
    sample = datasets.load(name, "train", datasets.sample_names(name, "train")[0])
    assert sample.labels_HW.dtype == np.uint8
    np.testing.assert_array_equal(sample.labels_HW, np.array([0, 2, 1])[labels(2)])
    stored = json.loads((own_data / "own" / name / "dataset.json").read_text())
    assert stored["classes"][1] == {"name": "root hair", "code": "#0000ff"}
    assert "share_root hair" in datasets.statistics(name).images


def test_kaggles_layout_becomes_label_images() -> None:
    files = {}
    for name in ("ab", "cd"):
        files[f"stage1/{name}/images/{name}.png"] = png(image())
        for number in (1, 2, 3):
            mask_HW = (labels() == number).astype(np.uint8) * 255
            files[f"stage1/{name}/masks/{number}.png"] = png(mask_HW)
    plan = look(files)
    assert [(one.objects, one.pair.state) for one in plan.rows] == [(3, "found")] * 2
    assert importing.KAGGLE in plan.notes()
    importing.add("kaggle", plan)
    np.testing.assert_array_equal(datasets.load("kaggle", "train", "ab").labels_HW, labels())


def test_unlabelled_images_are_a_set_to_look_at_and_to_segment() -> None:
    plan = look({f"{index}.png": png(image(index)) for index in range(3)})
    assert plan.kind == "unlabelled"
    name = importing.add("fresh", plan)
    assert datasets.info(name).splits == ("unlabelled",)
    assert datasets.load(name, "unlabelled", "0").labels_HW is None
    with pytest.raises(ValueError, match="no images to train on: nobody has labelled them"):
        datasets.training_names(name)
    with pytest.raises(ValueError, match="nobody has labelled the images of fresh"):
        datasets.statistics(name)
    assert datasets.pixel_index(name) == {}


def test_images_without_labels_are_kept_beside_labelled_ones_and_that_is_said() -> None:
    files = pairs(4) | {"images/x.png": png(image()), "masks/y.tif": tif(labels()), "a.csv": b""}
    plan = look(files)
    assert plan.counts == {"found": 4, "missing": 2, "doubtful": 0, "unusable": 0}
    assert plan.notes()[1:] == [
        "1 image without labels: kept as unlabelled.",
        "1 label file without an image: left out.",
        "1 file of other kinds: left out.",
    ]
    importing.add("mixed", plan)
    assert datasets.sample_names("mixed", "unlabelled") == ["x"]


def test_colour_images_come_to_grey_and_pixel_sizes_and_depths_are_kept() -> None:
    rgb = np.stack([image(0), image(1), image(2)], axis=-1)
    wide_HW = image(3).astype(np.uint16) * 100
    fine = {"resolution": (20000.0, 20000.0), "resolutionunit": "CENTIMETER"}
    plan = look({"a.tif": tif(rgb, **fine), "b.tif": tif(wide_HW, **fine),
                 "c.tif": tif(image(1) / np.float32(7), **fine)})  # fmt: skip
    assert "1 image in colour or with several channels: brought to one grey channel." in (
        plan.notes()
    )
    importing.add("kinds", plan)
    found = {one: datasets.load("kinds", "unlabelled", one) for one in "abc"}
    grey_HW = np.rint(rgb @ [0.2125, 0.7154, 0.0721]).astype(np.uint8)
    np.testing.assert_array_equal(found["a"].image_HW, grey_HW)
    np.testing.assert_array_equal(found["b"].image_HW, wide_HW)
    assert found["c"].image_HW.dtype == np.float32
    assert datasets.info("kinds").pixel_size_um == pytest.approx(0.5)
    assert found["a"].pixel_size_um == pytest.approx(0.5)


def test_splits_come_from_folders_where_they_say_so() -> None:
    files = {
        f"{split}/{path}": content
        for split, count in (("train", 4), ("val", 2), ("test", 1))
        for path, content in pairs(count).items()
    }
    importing.add("divided", look(files))
    counts = {split: len(datasets.sample_names("divided", split)) for split in ("train", "val")}
    assert counts == {"train": 4, "val": 2}
    assert datasets.sample_names("divided", "test") == ["test-i0"]


def test_a_specimen_stays_together() -> None:
    files = {}
    for index in range(12):
        files[f"images/m{index // 3}_{index}.png"] = png(image(index))
        files[f"masks/m{index // 3}_{index}.tif"] = tif(labels())
    importing.add("mice", look(files), Division(group="{}_*", val=0.25, test=0.25))
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        names = datasets.sample_names("mice", split)
        assert len(names) == count
        assert len({name.split("_")[0] for name in names}) == count // 3


def test_seventy_thousand_objects_are_all_kept() -> None:
    labels_HW = np.zeros((530, 530), np.uint32)
    labels_HW[::2, ::2] = np.arange(1, 265 * 265 + 1, dtype=np.uint32).reshape(265, 265)
    plan = look({"images/a.tif": tif(labels_HW.astype(np.uint8)), "masks/a.tif": tif(labels_HW)})
    assert plan.rows[0].objects == 70_225
    importing.add("many", plan)
    np.testing.assert_array_equal(datasets.load("many", "train", "a").labels_HW, labels_HW)


# --- bad input: a sentence each, and nothing half-imported ----------------------------------------


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("masks/i0.tif", tif(labels()[:20]), "image has 30 rows × 40 columns, its labels 20 rows"),
        ("masks/i0.tif", tif(labels().astype(np.float32)), "masks/i0.tif: .* float32 numbers"),
        ("masks/i0.tif", tif(labels().astype(np.int16) - 1), "negative labels"),
        ("masks/i0.tif", tif(np.where(labels(), 3, 7).astype(np.uint8)), "and no 0"),
        ("images/i0.png", b"no picture", "images/i0.png: The file is not a PNG"),
        ("images/i0.png", png(image())[:500], "PNG file is damaged"),
        (
            "images/i0.png",
            tif(np.zeros((5, 30, 40), np.uint8)),
            "a stack of 5 planes: save each plane as",
        ),
    ],
)
def test_a_pair_that_cannot_be_used_is_named_and_nothing_is_imported(
    own_data: Path, path: str, content: bytes, why: str
) -> None:
    plan = look(pairs() | {path: content})
    assert row(plan, "images/i0.png").pair.state == "unusable"
    with pytest.raises(ValueError, match=f"images/i0.png is unusable: .*{why}"):
        importing.add("bad", plan)
    assert left_behind(own_data) == []
    importing.add("good", plan, leave_out=True)
    assert sum(len(datasets.sample_names("good", split)) for split in ("train", "val", "test")) == 7


def test_doubtful_pairs_are_taken_or_left_out_but_never_by_themselves() -> None:
    plan = look(pairs(4) | {"a.png": png(image()), "A_mask.tif": tif(labels()),
                            "b.png": png(image()), "b_mask.tif": tif(labels())})  # fmt: skip
    with pytest.raises(ValueError, match=r"a.png is doubtful: names differ in upper and lower"):
        importing.add("x", plan)
    importing.add("without", plan, leave_out=True)
    importing.add("with", plan, take_doubtful=True)
    total = {
        name: sum(len(datasets.sample_names(name, split)) for split in ("train", "val", "test"))
        for name in ("without", "with")
    }
    assert total == {"without": 5, "with": 6}


def test_a_colour_that_is_no_class_stops_the_import_and_names_the_file(own_data: Path) -> None:
    table = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    plan = look({"a.png": png(image()), "a_mask.png": png(table[labels(2)]),
                 "b.png": png(image()), "b_mask.png": png(table[labels(2)])})  # fmt: skip
    two = [ClassCode("background", "#000000"), ClassCode("cell", "#ff0000")]
    with pytest.raises(ValueError, match=r"a_mask.png: 70 pixels .*: #0000ff"):
        importing.add("bad", plan, classes=two)
    assert left_behind(own_data) == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Liver day 3", "Liver-day-3"),
        ("Mäuse 🐭 / Tag 1", "Mäuse-Tag-1"),
        ("../../etc", "etc"),
        ("细胞", "细胞"),
        ("x" * 300, "x" * 40),
    ],
)
def test_any_title_gives_a_name_that_is_safe_everywhere(
    own_data: Path, title: str, name: str
) -> None:
    assert importing.add(title, look(pairs(3))) == name
    assert left_behind(own_data) == [name]
    assert datasets.info(name).title == " ".join(title.split())


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("🐭", "must hold a letter or a digit"),
        ("..", "must hold a letter or a digit"),
        ("dsb2018", "comes with the app"),
        ("DSB2018", "comes with the app"),
        ("taken", "there is a data set taken already"),
        ("Taken", "there is a data set taken already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(own_data: Path, title: str, sentence: str) -> None:
    importing.add("taken", look(pairs(3)))
    with pytest.raises(ValueError, match=sentence):
        importing.add(title, look(pairs(4)))
    assert left_behind(own_data) == ["taken"]
    assert len(own.read("taken").images) == 3


def test_who_is_quicker_gets_the_name_and_the_other_leaves_nothing(own_data: Path) -> None:
    plan = look(pairs(3))
    with pytest.raises(ValueError, match="there is a data set twice already"):
        importing.add(
            "twice",
            plan,
            on_progress=lambda done, total: importing.add("twice", plan) if done == total else None,
        )
    assert left_behind(own_data) == ["twice"]


def test_a_full_disk_leaves_nothing_behind(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A real device that is always full takes the place of the fourth label file.
    write, written = importing.images.write_labels, []

    def write_until_full(path: Path, *more: object) -> None:
        written.append(path)
        write(Path("/dev/full") if len(written) == 4 else path, *more)

    monkeypatch.setattr(importing.images, "write_labels", write_until_full)
    with pytest.raises(OSError, match="No space left on device"):
        importing.add("full", look(pairs()))
    assert len(written) == 4
    assert left_behind(own_data) == []


def test_what_a_killed_process_left_goes_after_a_day(own_data: Path) -> None:
    import os

    for name, hours in ((".adding-1-1", 30), (".adding-2-2", 1)):
        (own_data / "own" / name).mkdir(parents=True)
        then = (own_data / "own" / name).stat().st_mtime - hours * 3600
        os.utime(own_data / "own" / name, (then, then))
    importing.add("new", look(pairs(3)))
    assert left_behind(own_data) == [".adding-2-2", "new"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "cells"}, "kind must be one of objects, classes, unlabelled"),
        ({"object_name": "<b>"}, "letters, digits"),
        ({"how": Division(group="{}_*")}, "does not fit the image i0"),
    ],
)
def test_impossible_wishes_are_refused(
    own_data: Path, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        importing.add("bad", look(pairs(3)), **options)  # type: ignore[arg-type]
    assert left_behind(own_data) == []


def test_objects_or_classes_without_labels_and_kaggle_as_classes_are_refused() -> None:
    plain = look({"a.png": png(image())})
    with pytest.raises(ValueError, match="kind objects needs labels"):
        importing.add("bad", plain, kind="objects")
    with pytest.raises(ValueError, match="one label file for each image"):
        importing.add("bad", plain, kind="classes")
