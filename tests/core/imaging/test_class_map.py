import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.cli import main
from unet_core.imaging import class_map, images
from unet_core.imaging.class_map import ClassMap
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export, inference
from unet_core.predict import files as batch
from unet_core.predict.recipe import Recipe

NAMES = ("background", "line", "ellipse")


@pytest.fixture
def model(tmp_path: Path) -> str:
    """An untrained network of three classes on disk: it finds all of them somewhere."""
    import torch

    torch.manual_seed(1)
    train = TrainConfig.of(
        widths=(4, 8), device="cpu", precision="float32", target="classes", loss="cross-entropy",
        data="synthetic-shapes",
    )  # fmt: skip
    config = ModelConfig(train=train, outputs=NAMES)
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, Trained(config, checkpoint.build(config)))
    return str(path)


def recipe(model: str, **changes: object) -> Recipe:
    return Recipe(
        files=(), files_sha256=(), model=model, model_sha256="", segmentation=Segmentation(),
        **changes,
    )  # fmt: skip


def drawing(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 255, (40, 48)).astype(np.uint8)


def test_each_pixel_gets_its_most_likely_class_and_the_first_of_two_equal_ones() -> None:
    prob_CHW = np.array([[[0.1, 0.4, 0.8]], [[0.2, 0.4, 0.1]], [[0.7, 0.2, 0.1]]])
    found = class_map.find(prob_CHW, NAMES)
    assert found.classes_HW.tolist() == [[2, 0, 0]]
    assert (found.classes_HW.dtype, found.names) == (np.uint8, NAMES)


def test_a_channel_without_a_class_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="got 3 channels for the 2 classes sky, sea"):
        class_map.find(np.zeros((3, 2, 2)), ("sky", "sea"))


def test_areas_and_shares_add_up_and_an_absent_class_has_none() -> None:
    found = ClassMap(np.array([[0, 0, 0, 2]], np.uint8), NAMES)
    table = class_map.measure(found, pixel_size_um=0.5)
    assert table.to_dict("list") == {
        "number": [0, 1, 2],
        "class": list(NAMES),
        "area": [3, 0, 1],
        "share": [0.75, 0.0, 0.25],
        "area_um2": [0.75, 0.0, 0.25],
    }
    assert "area_um2" not in class_map.measure(found)
    assert class_map.shares(found) == {"background": 0.75, "line": 0.0, "ellipse": 0.25}


def test_the_files_hold_the_numbers_the_colours_and_the_areas(rng: np.random.Generator) -> None:
    found = ClassMap(rng.integers(0, 3, (20, 30)).astype(np.uint8), NAMES)
    files = class_map.files("a", found, pixel_size_um=0.5)
    numbers = images.read_image(files["a_classes.tif"])
    np.testing.assert_array_equal(numbers.pixels, found.classes_HW)
    assert numbers.pixel_size_um == pytest.approx(0.5)
    picture_HWC = images.read_image(files["a_classes.png"]).pixels
    for number, colour in enumerate(class_map.colours(3)):
        assert set(map(tuple, picture_HWC[found.classes_HW == number].tolist())) == {colour}
    assert len(set(class_map.colours(7))) == 7
    assert pd.read_csv(io.BytesIO(files["a_classes.csv"]))["area"].sum() == 600


def test_a_model_of_classes_gives_a_class_map_and_one_of_objects_none(
    model: str, rng: np.random.Generator
) -> None:
    trained, pixels_HW = checkpoint.load(model, device="cpu"), drawing(rng)
    found = export.segment(trained, pixels_HW, recipe(model))
    prob_CHW = inference.predict(trained, pixels_HW)
    np.testing.assert_array_equal(found.classes.classes_HW, prob_CHW.argmax(0))
    assert found.classes.names == NAMES
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8), device="cpu"), outputs=("foreground", "boundary")
    )
    other = Trained(config, checkpoint.build(config))
    assert export.segment(other, pixels_HW, recipe(model)).classes is None


def test_an_image_of_one_value_is_all_background(model: str) -> None:
    found = export.predict(checkpoint.load(model, device="cpu"), np.full((32, 32), 9, np.uint8))
    assert class_map.shares(found.classes)["background"] == 1.0


def test_the_command_writes_the_class_map_beside_the_labels_and_tells_the_shares(
    model: str, tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.fromarray(drawing(rng)).save(tmp_path / "a.png")
    words = ["segment", str(tmp_path / "a.png"), "--model", model, "--out", str(tmp_path / "out")]
    assert main.main([*words, "--device", "cpu", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "a_labels.tif", "a_overlay.png", "a_measurements.csv", "recipe.json",
        "a_classes.tif", "a_classes.png", "a_classes.csv",
    }  # fmt: skip
    stored_HW = images.read_image(tmp_path / "out" / "a_classes.tif").pixels
    shares = document["files"][0]["classes"]
    assert list(shares) == list(NAMES)
    for number, name in enumerate(NAMES):
        assert shares[name] == np.mean(stored_HW == number)
    assert main.main([*words, "--device", "cpu"]) == 0
    assert f"background {100 * shares['background']:.1f} %, line" in capsys.readouterr().out


def test_scoring_a_folder_of_results_passes_over_the_class_maps(
    model: str, tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = checkpoint.load(model, device="cpu")
    found = export.segment(trained, drawing(rng), recipe(model))
    for folder in ("true", "pred"):
        export.write(tmp_path / folder, "a", drawing(rng), found)
    (tmp_path / "true" / "a_classes.tif").unlink()
    words = ["score", "--true", str(tmp_path / "true"), "--pred", str(tmp_path / "pred"), "--json"]
    assert main.main(words) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 1


def test_a_class_map_never_overwrites_an_image_that_is_to_be_segmented(
    model: str, tmp_path: Path
) -> None:
    paths = [tmp_path / "a.png", tmp_path / "a_classes.png"]
    with pytest.raises(ValueError, match=r"would overwrite a_classes\.png, which is itself to be"):
        batch.segment_files(paths, tmp_path, recipe(model))


def test_a_window_slides_over_the_image_as_the_recipe_and_its_command_say(
    model: str, rng: np.random.Generator
) -> None:
    trained, pixels_HW = checkpoint.load(model, device="cpu"), drawing(rng)
    windowed = recipe(model, window=32)
    assert windowed.command().endswith("--connectivity 8 --flood-corners --reading objects")
    assert " --window 32 " in windowed.command()
    assert " --window" not in recipe(model).command()
    found = export.segment(trained, pixels_HW, windowed)
    expected_CHW = inference.predict(trained, pixels_HW, window=32)
    np.testing.assert_array_equal(found.prob_CHW, expected_CHW)
    assert np.abs(found.prob_CHW - inference.predict(trained, pixels_HW)).max() > 1e-4


def test_a_window_that_is_too_small_is_refused_with_a_sentence(model: str) -> None:
    with pytest.raises(ValueError, match="window must be 0 or at least 16, got 8"):
        recipe(model, window=8)
