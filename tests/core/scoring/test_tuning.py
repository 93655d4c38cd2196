import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from unet_core.base import folders
from unet_core.base.config import Segmentation
from unet_core.cli import main
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.runs import runs
from unet_core.scoring import evaluation, landscape, predictions, tuning
from unet_core.scoring.landscape import Aim

START = Segmentation(threshold=0.9, marker_threshold=1.0, min_size=20)  # finds nothing


@pytest.fixture
def model(tiny_data: Path, save_cutter: Callable[..., str]) -> str:
    """A run that cuts the intensity, with settings that are far from good."""
    return save_cutter("dsb2018", segmentation=START, tuned_on="nothing real")


@pytest.fixture
def trained(model: str) -> Trained:
    return checkpoint.load(model, device="cpu")


@pytest.fixture(autouse=True)
def _few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landscape, "THRESHOLDS", (0.1, 0.5))
    monkeypatch.setattr(landscape, "MARKERS", (0.2, 0.6))
    monkeypatch.setattr(tuning, "WIDENINGS", 0)


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main.main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_split_is_tuned_and_another_measure_costs_nothing(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int]] = []
    found = tuning.tune(trained, "dsb2018", "train", on_progress=lambda *now: told.append(now))
    assert found.tuned_on == (
        "6 training images of dsb2018, scheme stardist, for pooled F1 at IoU 0.5"
    )
    assert found.landscape.grid.base == START
    assert (told[0], told[-1]) == (
        ("predicting image 1 of 6", 1, 12),
        ("trying 9 settings on image 6 of 6", 12, 12),
    )
    monkeypatch.delattr(predictions, "predict_split")
    aim = Aim(iou=0.9, measure="ap", average="by_image")
    other = tuning.tune(trained, "dsb2018", "train", aim)
    assert other.tuned_on.endswith("for by-image AP at IoU 0.9")
    assert other.landscape.aim == aim
    with pytest.raises(AttributeError):  # not an IoU that was counted
        tuning.tune(trained, "dsb2018", "train", Aim(iou=0.33))


def test_the_best_settings_score_what_the_landscape_says(trained: Trained) -> None:
    found = tuning.tune(trained, "dsb2018", "train")
    best = found.landscape
    for settings, cell in ((best.settings, best.best), (START, best.grid.base_cell())):
        document = evaluation.evaluate(trained, "dsb2018", "train", segmentation=settings)
        assert document["pooled"][0]["f1"] == pytest.approx(best.values_RK[cell])
    assert best.values_RK[best.best] > best.values_RK[best.grid.base_cell()] + 0.1


def test_a_best_point_on_the_edge_widens_the_grid_and_is_told_while_it_stays_there(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landscape, "THRESHOLDS", (0.1,))  # and the base's 0.9
    narrow = tuning.tune(trained, "dsb2018", "train")
    (name, values), *_ = narrow.landscape.beyond.items()
    edge = getattr(narrow.landscape.settings, name)
    assert f"The best {name} lies on the edge of what was tried ({edge:g})" in narrow.notes[0]
    monkeypatch.setattr(tuning, "WIDENINGS", 2)
    wide = tuning.tune(trained, "dsb2018", "train").landscape
    assert set(values) <= {*wide.grid.thresholds, *wide.grid.columns}
    assert wide.values_RK[wide.best] >= narrow.landscape.values_RK[narrow.landscape.best]
    whole = landscape.make_grid(START, thresholds=wide.grid.thresholds, columns=wide.grid.columns)
    predicted = predictions.predict_split(trained, "dsb2018", "train", scheme="stardist")
    counts = landscape.count(predicted, whole, (0.5,))
    again = landscape.from_counts(counts, whole, (0.5,), Aim())
    np.testing.assert_array_equal(again.values_RK, wide.values_RK)


def test_test_images_choose_only_when_that_is_meant_and_leave_a_mark(trained: Trained) -> None:
    with pytest.raises(ValueError, match=r"these are test images of dsb2018.*add --on-test"):
        tuning.tune(trained, "dsb2018", "test")
    found = tuning.tune(trained, "dsb2018", "test", on_test=True)
    assert found.tuned_on.startswith("TEST IMAGES of dsb2018 (2, scheme stardist), for pooled F1")
    assert found.on_test
    assert "no measurement any more" in found.notes[0]
    honest = tuning.tune(trained, "dsb2018", "val", on_test=True)
    assert not honest.on_test
    assert honest.notes[0] == "One image has chosen: another one may want other settings."


def test_another_scheme_does_not_make_test_images_honest(
    trained: Trained, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNET_DATA", str(real_data))
    train = trained.config.train.replace(data="isbi2012", scheme="13-2-28")
    model = Trained(trained.config.replace(train=train), trained.network)
    assert "section-13" in predictions.names(model, "isbi2012", "train", scheme="sections")
    with pytest.raises(ValueError, match="these are test images of isbi2012"):
        tuning.tune(model, "isbi2012", "train", scheme="sections")


def test_stored_settings_are_the_models_and_their_origin_is_told_ever_after(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", model, "--data", "dsb2018", "--split", "test"]
    weights = checkpoint.load(model, device="cpu").network.state_dict()
    code, out, error = command(capsys, "tune", *words, "--on-test", "--store", "--json")
    assert (code, error) == (0, "")
    document: dict[str, Any] = json.loads(out)
    assert document["stored"]
    assert document["on_test"]
    config = checkpoint.read_config(model)
    assert config.segmentation.to_dict() == document["best"]["segmentation"]
    assert config.tuned_on == document["tuned_on"]
    assert config.tuned_on.startswith("TEST IMAGES of dsb2018")
    for name, value in checkpoint.load(model, device="cpu").network.state_dict().items():
        assert value.equal(weights[name])
    code, out, _ = command(capsys, "evaluate", *words)
    assert "thresholds tuned on TEST IMAGES of dsb2018" in out
    code, out, _ = command(capsys, "evaluate", *words, "--json")
    evaluated = json.loads(out)
    assert evaluated["tuned_on"] == config.tuned_on
    assert evaluated["pooled"][0]["f1"] == pytest.approx(document["best"]["value"])


def test_the_mark_of_test_images_is_in_what_segmenting_leaves(
    model: str, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(capsys, "tune", "--model", model, "--split", "test", "--on-test", "--store")
    tuned_on = checkpoint.read_config(model).tuned_on
    image = str(tiny_data / "dsb2018" / "train" / "images" / "3.tif")
    words = ["segment", image, "--model", model, "--out", str(tmp_path)]
    _, out, _ = command(capsys, *words)
    assert out.splitlines()[-1] == f"The settings were chosen on {tuned_on}."
    assert json.loads((tmp_path / "recipe.json").read_text())["tuned_on"] == tuned_on
    _, out, _ = command(capsys, *words, "--threshold", "0.37", "--json")
    assert json.loads(out)["tuned_on"] == "given by hand"
    assert json.loads((tmp_path / "recipe.json").read_text())["tuned_on"] == "given by hand"


def test_tuning_for_people_shows_the_table_and_changes_nothing(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = checkpoint.find(model).read_bytes()
    code, out, error = command(capsys, "tune", "--model", model, "--measure", "ap")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        f"{model} tuned on 1 validation images of dsb2018, scheme stardist, "
        "for pooled AP at IoU 0.5"
    )
    assert lines[2].split() == ["0.2", "0.6", "1"]
    assert [line.split()[0] for line in lines[3:6]] == ["0.1", "0.5", "0.9"]
    assert lines[6].startswith("best: ")
    assert lines[7].startswith("before: ")
    assert lines[8].startswith("within 0.005 of the best: ")
    assert "One image has chosen" in lines[9]
    assert checkpoint.find(model).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--split test", "these are test images of dsb2018"),
        ("--data synthetic-shapes", "synthetic-shapes has classes, not objects"),
        ("--split nothing", "split of dsb2018 must be one of"),
        ("--scheme odd", "scheme of dsb2018 must be one of"),
        ("--iou 2", "iou must be in (0, 1], got 2.0"),
        ("--iou much", "--iou must be a number in (0, 1], got 'much'"),
        ("--measure dice", "measure must be f1 or ap, got dice"),
        ("--average mean", "average must be pooled or by_image, got mean"),
    ],
)
def test_mistakes_are_one_line(
    model: str, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    code, out, error = command(capsys, "tune", "--model", model, *words.split())
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert told in error
    assert error.count("\n") == 1


def test_nothing_is_stored_in_a_shipped_model_or_a_living_run(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.find(model)
    with FileLock(run.path / "lock"):
        code, _, error = command(capsys, "tune", "--model", model, "--store")
    assert (code, "is still training and would overwrite them" in error) == (2, True)
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "ours.safetensors").write_bytes(checkpoint.find(model).read_bytes())
    monkeypatch.setattr(folders, "SHIPPED", shipped)
    before = (shipped / "ours.safetensors").read_bytes()
    for name in ("ours", str(shipped / "ours.safetensors")):
        code, _, error = command(capsys, "tune", "--model", name, "--store")
        assert (code, "is a shipped model and stays as it is" in error) == (2, True)
    assert (shipped / "ours.safetensors").read_bytes() == before
