"""Feature maps of a block: the network's own numbers, on the image's own place."""

import numpy as np
import pytest
import torch

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.network import checkpoint, features
from unet_core.network.anatomy import Design, shown_blocks
from unet_core.network.checkpoint import Trained
from unet_core.network.model import layers
from unet_core.predict import inference


def trained(padding: str = "same", channels: tuple[int, ...] = (3, 4, 5)) -> Trained:
    torch.manual_seed(0)
    config = TrainConfig.of(channels=channels, padding=padding, target="foreground")
    model_config = ModelConfig(train=config, outputs=("foreground",))
    return Trained(model_config, checkpoint.build(model_config).eval())


def test_the_maps_of_the_head_are_the_logits_of_the_prediction(rng: np.random.Generator) -> None:
    model = trained()
    image_HW = rng.integers(0, 255, (30, 41)).astype(np.uint8)
    found = features.maps(model, image_HW, "head")
    prob_CHW = inference.predict(model, image_HW)
    np.testing.assert_allclose(1 / (1 + np.exp(-found.maps_CHW)), prob_CHW, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_every_block_covers_the_image_at_its_step(padding: str, rng: np.random.Generator) -> None:
    model = trained(padding)
    image_HW = rng.integers(0, 255, (30, 41)).astype(np.uint8)
    names = shown_blocks(3)
    assert names == ["down.0", "down.1", "down.2", "up.1", "merge.1", "up.0", "merge.0", "head"]
    counts = (3, 4, 5, 4, 4, 3, 3, 1)
    for name, step, count in zip(names, (1, 2, 4, 2, 2, 1, 1, 1), counts, strict=True):
        found = features.maps(model, image_HW, name)
        assert found.step == step
        assert found.maps_CHW.shape == (count, -(-30 // step), -(-41 // step))
        assert found.mean_C.shape == (count,)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("name", ["down.0", "down.1", "down.2", "merge.1", "merge.0"])
def test_a_bright_spot_answers_at_its_own_place(padding: str, name: str) -> None:
    model = trained(padding)
    dark_HW = np.zeros((64, 64), np.uint8)
    dark_HW[0, 0] = 255  # so that both have the same range
    spot_HW = dark_HW.copy()
    spot_HW[40:42, 20:22] = 255
    before, after = (features.maps(model, image_HW, name) for image_HW in (dark_HW, spot_HW))
    change_HW = np.abs(after.maps_CHW - before.maps_CHW).sum(axis=0)
    rows, columns = np.nonzero(change_HW > 0.2 * change_HW.max())
    centre = (rows.mean() + 0.5) * after.step, (columns.mean() + 0.5) * after.step
    assert centre == pytest.approx((41, 21), abs=1.5 * after.step + 1)


def test_of_a_large_image_the_middle_is_shown() -> None:
    image_HW = np.zeros((600, 40), np.uint8)
    image_HW[300] = 200
    found = features.maps(trained(), image_HW, "down.1")
    assert found.pixels_HW.shape == (384, 40)
    assert found.maps_CHW.shape == (4, 192, 20)
    assert found.pixels_HW[192].min() == 200


def test_a_map_that_says_nothing_is_named() -> None:
    model = trained()
    with torch.no_grad():
        model.network.down[0][3].weight[1] = 0.0
    found = features.maps(model, np.eye(32, dtype=np.uint8), "down.0")
    assert found.silent_C.tolist() == [False, True, False]


def test_looking_leaves_nothing_behind_in_the_network() -> None:
    model = trained()
    features.maps(model, np.eye(32, dtype=np.uint8), "down.0")
    assert not model.network.get_submodule("down.0")._forward_hooks


def test_an_unknown_block_and_an_array_that_is_no_picture_are_refused() -> None:
    with pytest.raises(ValueError, match=r"block must be one of down.0, .* got 'pool.1'"):
        features.maps(trained(), np.zeros((32, 32), np.uint8), "pool.1")
    with pytest.raises(ValueError, match="grey image"):
        features.maps(trained(), np.zeros((3, 32, 32), np.uint8), "head")


def test_a_design_has_the_layers_of_its_network() -> None:
    design = Design(widths=(2, 4), padding="same", norm="group", height=16, width=24)
    network = features.build(design)
    assert features.layers(design) == layers(network, 16, 24)
    assert all(weight.device.type == "meta" for weight in network.parameters())
    paper = features.layers(Design())
    assert sum(layer.parameters for layer in paper) == 31_030_658  # 1 input, 2 outputs
