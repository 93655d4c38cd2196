from typing import Any

import pytest
import torch

from unet_core.base.device import choose
from unet_core.network import costs
from unet_core.network.anatomy import Design
from unet_core.network.costs import measure
from unet_core.network.model import UNet

SMALL = Design(widths=(4, 8), padding="same", norm="batch", height=64, width=64)


def test_four_times_the_pixels_cost_four_times_as_much() -> None:
    device = choose("cpu")
    once = measure(SMALL, device=device, clock=lambda: 0.0)
    large = SMALL.replace(height=128, width=128)
    more = measure(large, device=device, clock=lambda: 59.0)
    assert more.train_seconds == pytest.approx(4 * once.train_seconds)
    assert more.predict_seconds == pytest.approx(4 * once.predict_seconds)
    assert 0 < once.predict_seconds < once.train_seconds


def test_a_batch_takes_memory_in_training_only() -> None:
    device = choose("cpu")
    one = measure(SMALL, device=device, clock=lambda: 0.0)
    eight = measure(SMALL, device=device, batch_size=8, clock=lambda: 0.0)
    weights = 16 * sum(weight.numel() for weight in UNet(1, 2, (4, 8), norm="batch").parameters())
    assert eight.train_bytes - weights == pytest.approx(8 * (one.train_bytes - weights), rel=1e-6)
    assert eight.predict_bytes == one.predict_bytes
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        measure(SMALL, device=device, batch_size=0)


def test_predicting_needs_the_top_level_and_what_waits_there() -> None:
    """By hand, for one level: the image and the maps of both convolutions are there at once."""
    flat = SMALL.replace(widths=(8,), norm="none")
    weights = 4 * sum(weight.numel() for weight in UNet(1, 2, (8,)).parameters())
    found = measure(flat, device=choose("cpu"), clock=lambda: 0.0)
    assert found.predict_bytes - weights == 4 * 64 * 64 * (1 + 8 + 8)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"up_relu": True},
        {"skip": "add", "up_relu": True},
        {"skip": "add"},
        {"up": "bilinear"},
    ],
)
def test_the_memory_of_training_is_what_torch_keeps_for_the_way_back(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(costs, "bfloat16_pays", lambda device: False)
    design = Design(
        widths=(8, 16, 32), padding="same", norm="none", height=64, width=64, **settings
    )
    network = UNet(1, 2, (8, 16, 32), **settings)
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(torch.rand(1, 1, 64, 64)).square().mean()
    parameters = sum(weight.numel() for weight in network.parameters())
    features = measure(design, device=choose("cpu")).train_bytes - 16 * parameters
    assert features / costs.GRADIENTS == pytest.approx(sum(kept.values()))


def test_a_network_too_large_to_try_is_refused_in_a_sentence() -> None:
    wide = SMALL.replace(widths=(4096,) * 6, height=256, width=256)
    with pytest.raises(ValueError, match="too much to try here: choose fewer channels or levels"):
        measure(wide, device=choose("cpu"))
