"""The check-up of a data set: every finding planted once, and silence on what is fine."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.draw import disk

from unet_core.cli.main import main
from unet_core.data import doctor, own, synthetic
from unet_core.imaging import images
from unet_core.imaging.checkup import Finding
from unet_core.network import checkpoint

SPLITS = ("train", "train", "val", "test", "test")
Planted = dict[str, tuple[np.ndarray, np.ndarray | None]]


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("UNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def good(rng: np.random.Generator) -> Planted:
    return {name: synthetic.nuclei(rng, (128, 128)) for name in "abcde"}


def store(found: Planted) -> None:
    place, entries = own.folder() / "mine", {}
    for part in ("images", "labels"):
        (place / part).mkdir(parents=True)
    for (name, (image_HW, labels_HW)), split in zip(found.items(), SPLITS, strict=True):
        tifffile.imwrite(place / "images" / f"{name}.tif", image_HW)
        if labels_HW is not None:
            images.write_labels(place / "labels" / f"{name}.tif", labels_HW)
        split = "unlabelled" if labels_HW is None else split
        entries[name] = {"split": split, "file": f"{name}.tif"}
    about = {
        "title": "Mine",
        "sentence": "",
        "kind": "objects",
        "classes": [{"name": "background"}, {"name": "cell"}],
        "images": entries,
    }
    (place / own.FILE).write_text(json.dumps(about))


def only(found: Planted) -> Finding:
    store(found)
    (finding,) = doctor.check("mine")
    return finding


def test_nothing_is_said_of_a_good_set(good: Planted) -> None:
    store(good)
    assert doctor.check("mine", checkpoint.read_config("nuclei")) == []


def test_an_empty_image_is_a_problem_and_named_with_its_split(good: Planted) -> None:
    good["b"] = np.full((128, 128), 9, np.uint8), good["b"][1]
    found = only(good)
    assert (found.severity, found.images) == ("problem", ("train/b",))


def test_twelve_bits_of_sixteen_are_fine_and_said(good: Planted) -> None:
    good = {name: (one.astype(np.uint16) * 16, labels) for name, (one, labels) in good.items()}
    found = only(good)
    assert found.severity == "note"
    assert "12 of 16 bits" in found.what


def test_eight_bits_of_sixteen_are_doubtful(good: Planted) -> None:
    good = {name: (one.astype(np.uint16), labels) for name, (one, labels) in good.items()}
    found = only(good)
    assert found.severity == "doubt"
    assert "more than 8 of its 16 bits" in found.what


def test_images_without_labels_are_counted(good: Planted) -> None:
    good["c"] = good["c"][0], None
    found = only(good)
    assert found.severity == "note"
    assert found.images == ("unlabelled/c",)


@pytest.mark.parametrize(
    "change",
    [
        lambda image_HW: image_HW.copy(),
        lambda image_HW: np.rot90(image_HW).copy(),
        lambda image_HW: image_HW[:, ::-1].copy(),
        lambda image_HW: (image_HW // 2 + 20).astype(np.uint8),
    ],
    ids=["equal", "turned", "mirrored", "darker"],
)
def test_a_copy_in_another_split_is_found_however_it_was_turned(
    good: Planted, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    good["d"] = change(good["a"][0]), good["d"][1]
    found = only(good)
    assert found.severity == "problem"
    assert found.images == ("train/a", "test/d")
    is_equal = np.array_equal(good["d"][0], good["a"][0])
    assert ("the same pixels" in found.what) == is_equal


def test_a_copy_in_the_same_split_is_a_note(good: Planted) -> None:
    good["b"] = good["a"]
    found = only(good)
    assert found.severity == "note"
    assert found.images == ("train/a", "train/b")


def test_objects_in_pieces_are_named_and_class_numbers_are_a_problem(good: Planted) -> None:
    torn_HW = good["a"][1].copy()
    torn_HW[torn_HW == 2] = 1
    good["a"] = good["a"][0], torn_HW
    good["b"] = good["b"][0], (good["b"][1] > 0).astype(np.int32)
    store(good)
    problem, torn = doctor.check("mine")
    assert (problem.severity, problem.images) == ("problem", ("train/b",))
    assert "classes" in problem.advice
    assert torn.images == ("train/a",)
    assert "1 object in several pieces" in torn.what


def test_two_round_objects_with_one_label_are_called_merged(rng: np.random.Generator) -> None:
    found: Planted = {}
    for name in "abcde":
        labels_HW = np.zeros((128, 128), np.int32)
        for number in range(9):
            row, column = 20 + 40 * (number // 3), 20 + 40 * (number % 3)
            labels_HW[disk((row, column), 9)] = number + 1
        if name == "c":
            labels_HW[disk((20, 37), 9)] = 1
            labels_HW[disk((60, 37), 9)] = 4
        grey_HW = 150 * (labels_HW > 0) + rng.integers(0, 90, labels_HW.shape)
        found[name] = grey_HW.astype(np.uint8), labels_HW
        found[name][0][labels_HW == 2 + ord(name) % 5] //= 3  # or all would be near duplicates
    store(found)
    merged = [one for one in doctor.check("mine") if "one label" in one.what]
    assert [one.images for one in merged] == [("val/c",)]
    assert merged[0].what.startswith("2 objects of 45")


def test_a_model_is_told_of_the_wrong_size_and_the_factor(good: Planted) -> None:
    large = {
        name: (np.kron(one, np.ones((4, 4), np.uint8)), np.kron(labels, np.ones((4, 4), int)))
        for name, (one, labels) in good.items()
        if labels is not None
    }
    store(large)
    config = checkpoint.read_config("nuclei")
    found = [one for one in doctor.check("mine", config) if one.action == "rescale"]
    assert len(found) == 1
    assert 0.15 < found[0].scale < 0.5
    assert "larger" in found[0].what


def test_inverted_images_are_unlike_and_the_advice_is_to_invert(good: Planted) -> None:
    store({name: (images.invert(one), labels) for name, (one, labels) in good.items()})
    (found,) = doctor.check("mine", checkpoint.read_config("nuclei"))
    assert found.action == "invert"
    assert len(found.images) == 5


def test_the_second_time_no_image_is_read(good: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    good["b"] = good["a"]
    store(good)
    config, told = checkpoint.read_config("nuclei"), []
    first = doctor.check("mine", config, on_progress=lambda *one: told.append(one))
    assert told[-1] == (15, 15)
    assert told == sorted(told)
    monkeypatch.setattr(doctor.datasets, "load", None)
    assert doctor.check("mine", config) == first


def test_the_command_prints_the_findings_and_all_images_as_json(
    good: Planted, capsys: pytest.CaptureFixture[str]
) -> None:
    good["d"] = good["a"]
    store(good)
    assert main(["data", "check", "mine", "--model", "nuclei"]) == 0
    assert "problem: 1 pair with the same pixels in two splits" in capsys.readouterr().out
    assert main(["data", "check", "mine", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["images"] == ["train/a", "test/d"]
    assert main(["data", "check", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
