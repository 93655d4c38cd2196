from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

import unet_core
from unet_core.base.config import Segmentation
from unet_core.cli import main
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export, inference, model
from unet_core.predict.recipe import Recipe

TUNED = Segmentation(threshold=0.4, marker_threshold=0.6, min_size=9, fill_holes=False)


@pytest.fixture
def pixels_HW(rng: np.random.Generator) -> np.ndarray:
    """Bright squares, some of them touching, some small."""
    image_HW = rng.integers(0, 400, (70, 90))
    for row, column, side in zip(*rng.integers(2, 50, (2, 20)), [2, 5, 12, 16] * 5, strict=True):
        image_HW[row : row + side, column : column + side] += 2500
    return image_HW.astype(np.uint16)


@pytest.fixture
def name(save_cutter: Callable[..., str]) -> str:
    return save_cutter(segmentation=TUNED)


def test_segmenting_gives_the_labels_of_the_page_and_of_the_command(
    name: str, pixels_HW: np.ndarray, tmp_path: Path
) -> None:
    labels_HW = unet_core.load(name).segment(pixels_HW)
    assert labels_HW.max() > 2
    recipe = Recipe(files=(), files_sha256=(), model=name, model_sha256="", segmentation=TUNED)
    of_page = export.segment(checkpoint.load(name), pixels_HW, recipe)
    np.testing.assert_array_equal(labels_HW, of_page.labels_HW)
    tifffile.imwrite(tmp_path / "cells.tif", pixels_HW)
    words = [str(tmp_path / "cells.tif"), "--model", name, "--out", str(tmp_path)]
    assert main.main(["segment", *words]) == 0
    np.testing.assert_array_equal(labels_HW, tifffile.imread(tmp_path / "cells_labels.tif"))


def test_predicting_normalises_as_in_training(name: str, pixels_HW: np.ndarray) -> None:
    loaded = model.load(name, device="cpu")
    assert isinstance(loaded, Trained)
    norm_HW = images.normalise_for(loaded.config, pixels_HW)
    expected_CHW = inference.predict_normalised(loaded.network, norm_HW, softmax=False)
    np.testing.assert_array_equal(loaded.predict(pixels_HW), expected_CHW)


def test_settings_and_treatments_can_be_given(name: str, pixels_HW: np.ndarray) -> None:
    loaded = model.load(name, device="cpu")
    few_HW = loaded.segment(pixels_HW, Segmentation(min_size=100))
    assert 0 < few_HW.max() < loaded.segment(pixels_HW).max()
    dark_HW = images.invert(pixels_HW)
    np.testing.assert_array_equal(loaded.segment(dark_HW, invert=True), loaded.segment(pixels_HW))


def test_an_image_of_one_value_is_all_background(name: str) -> None:
    loaded = model.load(name, device="cpu")
    assert not loaded.segment(np.full((20, 30), 5)).any()
    assert not loaded.predict(np.full((20, 30), 5)).any()


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((3, 20, 20)), np.zeros(9), np.zeros((0, 9)), [["a", "b"]], images.Image],
    ids="stack line empty text class".split(),
)
def test_what_is_no_grey_image_is_refused_in_a_sentence(name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match="pixels must be a grey image"):
        model.load(name, device="cpu").predict(wrong)  # type: ignore[arg-type]


def test_an_unknown_model_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="there is no model 'nuclie'"):
        unet_core.load("nuclie")
