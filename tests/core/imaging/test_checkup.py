"""What is unusual about one image, with and without a model."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data as pictures

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.data import datasets
from unet_core.imaging import checkup, images
from unet_core.network import checkpoint


@pytest.fixture
def nuclei() -> ModelConfig:
    return checkpoint.read_config("nuclei")


def sample(name: str, index: int = 0) -> np.ndarray:
    return datasets.load(name, "test", datasets.sample_names(name, "test")[index]).image_HW


def test_images_like_those_of_the_training_raise_no_alarm(nuclei: ModelConfig) -> None:
    for index in range(12):
        assert checkup.check_for(nuclei, sample("synthetic-nuclei", index)) == []


def test_stained_tissue_and_other_models_images_are_unlike(nuclei: ModelConfig) -> None:
    tissue_HWC = pictures.immunohistochemistry()
    for pixels in (tissue_HWC, tissue_HWC[:256, :256], sample("synthetic-shapes")):
        (found,) = checkup.check_for(nuclei, pixels)
        assert found.severity == "doubt"
        assert "unlike" in found.what
        assert not found.action
    (found,) = checkup.check_for(checkpoint.read_config("membranes"), sample("synthetic-nuclei"))
    assert "its bright parts are darker" in found.what


def test_inverted_nuclei_get_the_advice_to_invert(nuclei: ModelConfig) -> None:
    (found,) = checkup.check_for(nuclei, images.invert(sample("synthetic-nuclei")))
    assert found.action == "invert"
    assert "invert" in found.advice
    assert "brighter" in found.what


def test_a_model_that_does_not_know_its_training_images_says_nothing() -> None:
    config = ModelConfig(train=TrainConfig(), outputs=("foreground",))
    assert checkup.check_for(config, sample("synthetic-shapes")) == []


def test_looks_do_not_depend_on_brightness_and_blurring_takes_fine_texture(
    nuclei: ModelConfig, rng: np.random.Generator
) -> None:
    image_HW = sample("synthetic-nuclei").astype(np.float32)
    once, brighter = (checkup.seen_by(nuclei, one) for one in (image_HW, 3 * image_HW + 20))
    assert once == pytest.approx(brighter, abs=1e-3)
    blurred = checkup.seen_by(nuclei, ndimage.gaussian_filter(image_HW, 3))
    fine = checkup.LOOKS.index("fine")
    assert blurred[fine] < once[fine] - 1
    # White noise: three quarters of it lie within 2 x 2 pixels, and a quarter of the rest in 4 x 4.
    noise = checkup.looks(rng.normal(size=(256, 256)))
    assert 2 ** noise[fine] == pytest.approx(15 / 16, abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 2)])
def test_the_smallest_images_and_constant_ones_have_looks(shape: tuple[int, int]) -> None:
    for value in (0, 5):
        assert np.isfinite(checkup.looks(np.full(shape, value))).all()


def test_empty_saturated_and_coarse_images_are_named(rng: np.random.Generator) -> None:
    assert [one.severity for one in checkup.check_pixels(np.full((8, 8), 7, np.uint8))] == [
        "problem"
    ]
    image_HW = rng.integers(0, 200, (64, 64)).astype(np.uint8)
    assert checkup.check_pixels(image_HW) == []
    white_HW = image_HW.copy()
    white_HW[:8] = 255
    (found,) = checkup.check_pixels(white_HW)
    assert "12 % of the pixels" in found.what
    assert "saturated" in found.what
    coarse_HW = image_HW // 20 * 20
    coarse_HW[0, 0] = 250
    (found,) = checkup.check_pixels(coarse_HW)
    assert "only 11 grey values, 8 of 8 bits" in found.what


def test_objects_of_another_size_give_the_factor_that_brings_them_to_the_known_one(
    nuclei: ModelConfig,
) -> None:
    assert nuclei.diameter is not None
    assert checkup.rescaling(nuclei, [nuclei.diameter]) == 1
    assert checkup.rescaling(nuclei, []) == 1
    assert checkup.rescaling(nuclei, [4 * nuclei.diameter]) == pytest.approx(0.25)
