"""Eight draws of a crop: what is shown must be what training sees."""

import numpy as np
import pytest
import torch

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.data import synthetic
from unet_core.imaging import images
from unet_core.imaging.images import normalise_for
from unet_core.imaging.weight_map import weight_map
from unet_core.training import augmentation_preview, loader
from unet_core.training.augment import augment

STILL = {"flip": False, "transpose": False, "rotate90": False}


def model_config(**options: object) -> ModelConfig:
    train = TrainConfig.of(data="synthetic-nuclei", **{"crop_size": 64, **options})
    return ModelConfig(train=train, outputs=("foreground", "boundary"), mean=0.3, std=0.2)


@pytest.fixture(scope="module")
def nuclei() -> tuple[np.ndarray, np.ndarray]:
    return synthetic.nuclei(np.random.default_rng(3), (150, 100))


def test_without_any_change_every_draw_is_the_crop_itself(nuclei) -> None:
    found = augmentation_preview.draw(*nuclei, model_config(**STILL), count=3)
    assert found.norm_BHW.shape == (3, 64, 64)
    assert (found.norm_BHW == found.norm_HW).all()
    assert (found.labels_BHW == found.labels_HW).all()
    assert found.labels_HW.any()
    assert found.n_moved == 0


def test_labels_move_with_geometry_and_not_with_brightness(nuclei) -> None:
    bright = augmentation_preview.draw(*nuclei, model_config(**STILL, brightness=0.3))
    bent = augmentation_preview.draw(*nuclei, model_config(**STILL, elastic=4.0))
    assert (bright.norm_BHW != bright.norm_HW).any()
    assert (bright.n_moved, bent.n_moved) == (0, 8)


@pytest.mark.parametrize("normalisation", ["percentile", "dataset"])
def test_the_crop_is_a_piece_of_the_normalised_image(nuclei, normalisation: str) -> None:
    config = model_config(**STILL, normalisation=normalisation)
    found = augmentation_preview.draw(*nuclei, config, seed=5)
    whole_HW = normalise_for(config, nuclei[0])
    windows = np.lib.stride_tricks.sliding_window_view(whole_HW, (64, 64))
    [(row, column)] = np.argwhere((windows == found.norm_HW).all(axis=(2, 3)))
    assert (nuclei[1][row : row + 64, column : column + 64] == found.labels_HW).all()


def test_draws_are_those_of_augment_with_the_same_generator(nuclei) -> None:
    config = model_config(rotate=30.0, elastic=2.0, noise=0.1, gamma=0.4, contrast=0.2, seed=9)
    found = augmentation_preview.draw(*nuclei, config, count=2, seed=4)
    image_BCHW = torch.from_numpy(np.stack([found.norm_HW] * 2))[:, None]
    labels_BHW = torch.from_numpy(np.stack([found.labels_HW] * 2))
    generator = torch.Generator().manual_seed(4)
    image, labels, _ = augment(image_BCHW, labels_BHW, config.train.augmentation, generator)
    assert torch.equal(image[:, 0], torch.from_numpy(found.norm_BHW))
    assert torch.equal(labels, torch.from_numpy(found.labels_BHW))
    assert not (found.labels_BHW[0] == found.labels_BHW[1]).all()


def test_a_seed_gives_the_same_crop_whatever_the_strengths(nuclei) -> None:
    still, moved = (
        augmentation_preview.draw(*nuclei, model_config(**options), seed=2)
        for options in (STILL, {"elastic": 3.0, "noise": 0.2})
    )
    assert (still.norm_HW == moved.norm_HW).all()
    assert not (still.norm_BHW == moved.norm_BHW).all()
    other = augmentation_preview.draw(*nuclei, model_config(), seed=3)
    assert not (other.norm_HW == still.norm_HW).all()


def test_the_weight_map_is_made_from_the_changed_labels(nuclei) -> None:
    found = augmentation_preview.draw(*nuclei, model_config(rotate=45.0, w0=6.0, sigma=3.0))
    np.testing.assert_array_equal(found.weights_HW(1), weight_map(found.labels_BHW[1], 6, 3))
    np.testing.assert_array_equal(found.weights_HW(None), weight_map(found.labels_HW, 6, 3))


def test_a_weight_map_that_follows_is_that_of_the_whole_image_moved_along(nuclei) -> None:
    config = model_config(**{**STILL, "flip": True}, weights_follow=True)
    found = augmentation_preview.draw(*nuclei, config, count=4, seed=1)
    # Flips move the map exactly; objects beyond the crop's edge count, unlike in a new map.
    whole_HW = 1 + weight_map(nuclei[1], class_weights=(0, 0))
    windows = np.lib.stride_tricks.sliding_window_view(nuclei[1], (64, 64))
    [(row, column)] = np.argwhere((windows == found.labels_HW).all(axis=(2, 3)))
    cut_HW = whole_HW[row : row + 64, column : column + 64]
    turned = [np.flip(cut_HW, axes) for axes in [(), (0,), (1,), (0, 1)]]
    for index in range(4):
        assert sum(np.allclose(found.weights_HW(index), one) for one in turned) == 1


def test_valid_padding_shows_the_crop_that_is_learned(nuclei) -> None:
    config = model_config(**STILL, padding="valid", widths=(4, 8), rotate=20.0)
    found = augmentation_preview.draw(*nuclei, config, count=2)
    assert loader.read_around(config.train)[0] > 0
    assert found.norm_BHW.shape == found.labels_BHW.shape == (2, 64, 64)
    same = augmentation_preview.draw(*nuclei, model_config(**STILL), count=2)
    np.testing.assert_array_equal(found.norm_HW, same.norm_HW)


def test_a_crop_larger_than_the_image_is_mirrored_and_an_empty_one_has_weight_one() -> None:
    image_HW = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    found = augmentation_preview.draw(
        image_HW, np.zeros((40, 50), np.int32), model_config(**STILL), count=1
    )
    assert found.norm_HW.shape == (64, 64)
    window = np.ix_(images.mirror(-12, 52, 40), images.mirror(-7, 57, 50))
    assert (found.norm_HW == normalise_for(model_config(), image_HW)[window]).all()
    assert (found.weights_HW(0) == 1).all()


def test_class_labels_are_drawn_too(rng) -> None:
    train = TrainConfig.of(
        data="synthetic-shapes", target="classes", loss="cross-entropy", crop_size=64
    )
    config = ModelConfig(train=train, outputs=("background", "line", "ellipse"))
    classes_HW = rng.integers(0, 3, (64, 64)).astype(np.uint8)
    found = augmentation_preview.draw(classes_HW * 90, classes_HW, config, count=2)
    assert set(np.unique(found.labels_BHW)) == {0, 1, 2}


def test_no_draws_are_refused(nuclei) -> None:
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        augmentation_preview.draw(*nuclei, model_config(), count=0)
