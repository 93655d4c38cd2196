"""Own sets on the disk: read, damaged, deleted, brought back."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.data import datasets, own

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def make(name: str, *, value: int = 1, **changes: object) -> Path:
    """A set of three images as somebody might write it by hand."""
    place = own.folder() / name
    for part, dtype in (("images", np.uint8), ("labels", np.uint16)):
        (place / part).mkdir(parents=True)
        for sample in "abc":
            tifffile.imwrite(place / part / f"{sample}.tif", np.full((8, 9), value, dtype))
    about = {
        "title": name,
        "sentence": "",
        "kind": "objects",
        "classes": [{"name": "background"}, {"name": "cell"}],
        "images": {
            sample: {"split": split, "file": f"{sample}.png"}
            for sample, split in zip("abc", ("train", "val", "test"), strict=True)
        },
    }
    (place / "dataset.json").write_text(json.dumps(about | changes))
    return place


def test_a_set_written_by_hand_is_read_and_a_change_is_seen_at_once() -> None:
    place = make("hand")
    assert datasets.info("hand").title == "hand"
    before = datasets.fingerprint("hand")
    about = json.loads((place / "dataset.json").read_text())
    (place / "dataset.json").write_text(json.dumps(about | {"title": "Another title"}))
    assert datasets.info("hand").title == "Another title"
    assert datasets.info("hand").version
    assert datasets.fingerprint("hand") != before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"kind": "cells"}', '{"kind": "objects", "images": {"a": {}}}'],
)
def test_a_damaged_set_is_named_and_hides_no_other(text: str) -> None:
    make("good")
    (make("bad") / "dataset.json").write_text(text)
    assert own.names() == ["good"]
    assert datasets.names()[-1] == "good"
    assert list(own.broken()) == ["bad"]
    with pytest.raises(ValueError, match=r"bad/dataset.json cannot be read"):
        datasets.info("bad")


@pytest.mark.parametrize("name", ["nothing", "../own/good", "/etc", ".trash", "", "good/images"])
def test_an_unknown_name_or_a_path_is_no_set(name: str) -> None:
    make("good")
    with pytest.raises(ValueError, match=r"data set must be one of dsb2018, .*, good, got"):
        datasets.info(name)


def test_a_file_that_is_gone_or_of_another_shape_is_a_sentence() -> None:
    place = make("torn")
    tifffile.imwrite(place / "labels" / "b.tif", np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="image and mask of b must have one shape"):
        datasets.load("torn", "val", "b")
    (place / "labels" / "a.tif").unlink()
    with pytest.raises(ValueError, match=r"labels/a.tif cannot be read"):
        datasets.load("torn", "train", "a")
    with pytest.raises(ValueError, match="there is no sample 'z'"):
        datasets.load("torn", "train", "z")


def test_a_deleted_set_says_how_it_comes_back_and_comes_back_whole() -> None:
    make("mine")
    before = datasets.data_hash("mine")
    gone = own.remove("mine")
    assert "mine" not in datasets.names()
    assert not datasets.is_available("mine")
    with pytest.raises(ValueError, match=r"mine was deleted; until .* data restore mine"):
        datasets.load("mine", "train", "a")
    assert [one.place for one in own.trash()] == [gone.place]
    own.restore("mine")
    assert datasets.data_hash("mine") == before
    assert own.trash() == []


def test_a_set_gets_another_title_and_keeps_its_name_and_everything_else() -> None:
    place = make("mine", coding="as somebody wrote it")
    before = datasets.data_hash("mine")
    own.describe("mine", title="  Liver,\n day 3 ")
    own.describe("mine", sentence="Two mice.")
    about = datasets.info("mine")
    assert (about.name, about.title, about.sentence) == ("mine", "Liver, day 3", "Two mice.")
    assert datasets.data_hash("mine") == before
    assert json.loads((place / "dataset.json").read_text())["coding"] == "as somebody wrote it"
    with pytest.raises(ValueError, match="needs a title"):
        own.describe("mine", title=" ")
    with pytest.raises(ValueError, match="comes with the app"):
        own.describe("dsb2018", title="x")


def test_of_two_sets_of_one_name_in_the_trash_the_later_comes_back() -> None:
    for value in (1, 2):
        make("mine", value=value)
        own.remove("mine", now=1e9 + value)
    make("mine", value=3)
    with pytest.raises(ValueError, match="there is a data set mine already"):
        own.restore("mine")
    own.remove("mine", now=1e9)
    own.restore("mine")
    assert datasets.load("mine", "train", "a").image_HW.max() == 2


def test_the_trash_empties_after_days_and_not_before() -> None:
    for name, day in (("old", 0), ("young", 1)):
        make(name)
        own.remove(name, now=1e9 + day * DAY)
    own.empty_trash(now=1e9 + own.KEPT_DAYS * DAY - 1)
    assert [one.name for one in own.trash()] == ["young", "old"]
    make("next")
    own.remove("next", now=1e9 + own.KEPT_DAYS * DAY)
    assert [one.name for one in own.trash()] == ["next", "young"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dsb2018", "only own data sets can be changed or deleted"),
        ("nothing", "data set must be one of"),
        ("../own/mine", "data set must be one of"),
        (".trash", "data set must be one of"),
    ],
)
def test_only_an_own_set_can_be_deleted(name: str, sentence: str) -> None:
    make("mine")
    own.remove(make("other").name)
    with pytest.raises(ValueError, match=sentence):
        own.remove(name)
    assert own.names() == ["mine"]
    with pytest.raises(ValueError, match="the trash holds other, not"):
        own.restore(name)


def test_a_renamed_set_is_found_by_both_names_and_the_old_one_is_free_for_no_other() -> None:
    make("old")
    before = datasets.data_hash("old")
    assert own.rename("old", "A new name") == "A-new-name"
    assert own.names() == ["A-new-name"]
    assert datasets.info("old").name == datasets.info("A-new-name").name == "A-new-name"
    assert datasets.info("old").title == "A new name"
    assert datasets.sample_names("old", "train") == ["a"]
    assert datasets.is_available("old")
    assert datasets.data_hash("old") == before
    with pytest.raises(ValueError, match="was called old before"):
        own.check_free("old")
    assert own.rename("A-new-name", "old") == "old"
    assert datasets.info("A-new-name").name == "old"


def test_renaming_refuses_names_that_are_taken_and_sets_that_come_with_the_app() -> None:
    make("one")
    make("two")
    for name, new, said in (
        ("one", "two", "already"),
        ("one", "!!", "must hold a letter"),
        ("one", "dsb2018", "comes with the app"),
        ("dsb2018", "mine", "comes with the app"),
        ("three", "four", "data set must be one of"),
    ):
        with pytest.raises(ValueError, match=said):
            own.rename(name, new)
    assert own.names() == ["one", "two"]


def test_classes_get_other_names_and_keep_what_wrote_them() -> None:
    classes = [{"name": "background", "code": "#000000"}, {"name": "red", "code": "#ff0000"}]
    place = make("plants", kind="classes", classes=classes)
    own.describe("plants", classes=["ground", " root "])
    assert datasets.info("plants").classes == ("ground", "root")
    stored = json.loads((place / "dataset.json").read_text())["classes"]
    assert [one["code"] for one in stored] == ["#000000", "#ff0000"]
    for names, said in ((["a"], "for each of"), (["a", "a"], "twice"), (["a", ""], "must be 1")):
        with pytest.raises(ValueError, match=said):
            own.describe("plants", classes=names)
    assert datasets.info("plants").classes == ("ground", "root")
