"""`data add`, `data remove` and `data restore`, and what the other commands make of an own set."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.base.config import TrainConfig
from unet_core.cli.main import main
from unet_core.data import datasets, own
from unet_core.runs import jobs, runs


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def mine(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Eight images of somebody's, with masks beside them."""
    place = tmp_path / "mine"
    place.mkdir()
    for index in range(8):
        labels_HW = np.zeros((48, 48), np.uint16)
        labels_HW[5:15, 5:15], labels_HW[25:37, 20:32] = 1, 2
        noise_HW = rng.integers(0, 40, labels_HW.shape)
        image_HW = (noise_HW + 150 * (labels_HW > 0)).astype(np.uint8)
        tifffile.imwrite(place / f"m{index // 2}_{index}.tif", image_HW)
        tifffile.imwrite(place / f"m{index // 2}_{index}_mask.tif", labels_HW)
    return place


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    return code, *capsys.readouterr()


def test_check_prints_the_table_of_pairs_and_copies_nothing(
    mine: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "m3_7_mask.tif").unlink()
    code, out, err = call(capsys, "data", "add", "x", "--images", mine, "--check")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["state", "image", "labels", "objects", "why"]
    assert lines[1].split()[:4] == ["found", "m0_0.tif", "m0_0_mask.tif", "2"]
    assert lines[8].split()[:3] == ["missing", "m3_7.tif", "–"]
    assert "Label images: each object has its own number." in lines
    assert any("--group '{}_*'" in line and "look alike" in line for line in lines)
    assert lines[-1] == "7 found, 1 missing"
    assert not own_data.exists()


def test_check_with_json_is_one_document_and_tells_what_stands_in_the_way(
    mine: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(mine / "m0_0_mask.tif", np.zeros((3, 3), np.uint8))
    words = ("data", "add", "x", "--images", mine)
    code, out, err = call(capsys, *words, "--check", "--json")
    document = json.loads(out)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert document["counts"] == {"found": 7, "missing": 0, "doubtful": 0, "unusable": 1}
    assert document["pairs"][0]["state"] == "unusable"
    assert "m0_0.tif is unusable" in document["problem"]
    assert call(capsys, *words)[0] == 2
    assert not own_data.exists()
    assert call(capsys, *words, "--leave-out")[0] == 0


def test_an_own_set_is_listed_described_trained_and_evaluated(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("data", "add", "My cells", "--images", mine, "--group", "{}_*", "--val", "0.25")
    code, out, err = call(capsys, *words, "--test", "0.25", "--object-name", "cell", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["samples"] == {"train": 4, "val": 2, "test": 2}
    listed = json.loads(call(capsys, "data", "list", "--json")[1])["data"]
    [own] = [one for one in listed if one["is_own"]]
    assert (own["name"], own["title"]) == ("My-cells", "My cells")
    assert "My cells: 4 train, 2 val, 2 test" in call(capsys, "data", "list")[1]
    document = json.loads(call(capsys, "data", "stats", "My-cells", "--json")[1])
    assert document["splits"]["train"]["objects"] == 8
    tiny = [
        word
        for text in (
            "widths=4,8 crop_size=32 epochs=1 steps_per_epoch=2 batch_size=2 device=cpu "
            "precision=float32"
        ).split()
        for word in ("--set", text)
    ]
    code, out, err = call(
        capsys, "train", "--preset", "quick", "--data", "My-cells", *tiny, "--json"
    )
    assert (code, err) == (0, "")
    run = json.loads(out)["run"]
    words = ("evaluate", "--model", run, "--data", "My-cells", "--split", "test", "--json")
    assert json.loads(call(capsys, *words)[1])["images"] == 2


def test_a_set_is_removed_into_the_trash_and_restored(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "data", "add", "x", "--images", mine)[0] == 0
    code, out, _ = call(capsys, "data", "remove", "x")
    assert code == 0
    assert "data restore x" in out
    code, _, err = call(capsys, "data", "stats", "x")
    assert code == 2
    assert "data restore x" in err
    assert call(capsys, "data", "restore", "x")[0] == 0
    assert "x" in datasets.names()


def test_a_set_is_described_and_what_is_not_given_stays(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "data", "add", "x", "--images", mine, "--about", "Two mice.")[0] == 0
    code, out, _ = call(capsys, "data", "describe", "x", "--title", "Liver, day 3")
    assert (code, out) == (0, "x: Liver, day 3. Two mice.\n")


def test_a_set_that_something_works_with_is_not_removed(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "data", "add", "x", "--images", mine)[0] == 0
    run = runs.create(TrainConfig.of(data="x"), preset="quick")
    code, _, err = call(capsys, "data", "remove", "x")
    assert code == 2
    assert f"x is in use by run {run.id}" in err
    run.delete()
    jobs.folder().mkdir(parents=True)
    job = jobs._create("evaluate", ["evaluate", "--data", "x"], "", "0" * 64)
    assert f"in use by job {job.id}" in call(capsys, "data", "remove", "x")[2]
    job.update(state="stopped")
    assert call(capsys, "data", "remove", "x")[0] == 0


def test_a_set_is_renamed_unless_something_works_with_it_also_by_its_old_name(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "data", "add", "x", "--images", mine)[0] == 0
    assert "called y now" in call(capsys, "data", "rename", "x", "y")[1]
    assert call(capsys, "data", "stats", "x")[0] == 0
    run = runs.create(TrainConfig.of(data="x"), preset="quick")
    for verb in (["rename", "y", "z"], ["remove", "y"]):
        code, _, err = call(capsys, "data", *verb)
        assert code == 2
        assert f"y is in use by run {run.id}" in err
    run.delete()
    assert call(capsys, "data", "rename", "y", "z")[0] == 0
    assert own.read("x").was == ("x", "y")


def test_a_run_cannot_be_resumed_without_its_set_and_says_how_that_comes_back(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "data", "add", "x", "--images", mine)[0] == 0
    run = runs.create(TrainConfig.of(data="x"), preset="quick")
    own.remove("x")
    code, _, err = call(capsys, "train", "--run", run.path, "--resume")
    assert code == 2
    assert "the data set x was deleted" in err
    assert "data restore x" in run.status().reason


def test_a_broken_set_is_listed_with_its_problem(
    mine: Path, own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "data", "add", "x", "--images", mine)[0] == 0
    (own_data / "own" / "x" / "dataset.json").write_text("{")
    code, out, _ = call(capsys, "data", "list")
    assert code == 0
    assert "dataset.json cannot be read" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--images", "nowhere"), "must be a folder or a zip file"),
        (("--images", ".", "--classes", "a"), "NAME=VALUE"),
        (("--images", ".", "--val", "2"), "val must be at most 0.9"),
        (("--images", ".", "--by", "chance"), "by must be one of fractions, folder"),
    ],
)
def test_a_mistake_is_one_line(
    mine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(mine)
    code, out, err = call(capsys, "data", "add", "x", *words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert sentence in err
