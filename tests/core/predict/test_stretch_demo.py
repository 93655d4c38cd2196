import numpy as np
import pytest
import torch

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import inference, stretch_demo


def trained(padding: str = "valid") -> Trained:
    """A network that was never trained, with three levels: 44 -> 4."""
    torch.manual_seed(0)
    train = TrainConfig.of(
        target="foreground", widths=(4, 8, 8), padding=padding, norm="none", crop_size=64
    )
    config = ModelConfig(train=train, outputs=("foreground",))
    return Trained(config, checkpoint.build(config).eval())


def test_the_stretched_answer_is_that_of_the_middle_made_as_large_as_the_image(
    rng: np.random.Generator,
) -> None:
    network = trained()
    pixels = rng.integers(0, 255, (92, 62)).astype(np.uint8)
    found = stretch_demo.compare(network, pixels)
    assert found.answered == (52, 20)  # 92 and 60 are the largest sides that fit
    assert found.whole_HW.shape == found.stretched_HW.shape == pixels.shape
    np.testing.assert_allclose(found.whole_HW, inference.predict(network, pixels)[0], atol=1e-6)
    norm = images.normalise_for(network.config, pixels)[:, 1:61]
    with torch.inference_mode():
        logits = network.network(torch.from_numpy(norm.astype(np.float32))[None, None])
    middle = torch.sigmoid(logits)[0, 0].numpy()
    # A corner of the image shows what is seen 20 px further in, and the middle stays the middle.
    assert found.stretched_HW[0, 0] == pytest.approx(middle[0, 0], abs=1e-5)
    assert found.stretched_HW.mean() == pytest.approx(middle.mean(), abs=1e-3)


@pytest.mark.parametrize(
    ("padding", "side", "words"),
    [
        ("same", 64, "only a network with valid padding"),
        ("valid", 43, "an image of 43 x 43 px is too small for this network alone: it needs 44 px"),
    ],
)
def test_what_cannot_be_stretched_is_refused(padding: str, side: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        stretch_demo.compare(trained(padding), np.zeros((side, side), np.uint8))


def test_the_mean_iou_counts_both_classes() -> None:
    true = np.array([[0, 0, 3, 3]])
    assert stretch_demo.mean_iou(true, np.array([[0.1, 0.9, 0.9, 0.5]])) == pytest.approx(1 / 3)
    assert stretch_demo.mean_iou(true, true / 3) == 1
