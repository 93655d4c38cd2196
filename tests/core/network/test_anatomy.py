"""Sizes and reach of a U-Net by arithmetic, against the network itself."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from unet_core.base.config import TrainConfig
from unet_core.network import model
from unet_core.network.anatomy import (
    Design,
    blocks,
    explain_side,
    from_training,
    neighbours,
    output_side,
    overlap,
    reach,
    receptive_field,
    sides_near,
    sight,
    smallest_input,
)
from unet_core.network.model import UNet


def sides(levels: int, padding: str) -> int:
    """A side so large that no pixel in the middle sees the border."""
    return smallest_input(2 * reach(levels, "bilinear") + 4 * 2**levels, levels, padding)


def test_the_papers_figure_comes_out() -> None:
    shapes = {block.name: block.shape_CHW for block in blocks(Design())}
    assert shapes["down.0"] == (64, 568, 568)
    assert shapes["down.4"] == (1024, 28, 28)
    assert shapes["merge.3"] == (512, 52, 52)
    assert shapes["head"] == (2, 388, 388)
    crops = [block.crop for block in blocks(Design()) if block.name.startswith("merge")]
    assert crops == [4, 16, 40, 88]


@pytest.mark.parametrize(
    "settings",
    [
        {"padding": "same"},
        {"padding": "valid"},
        {"padding": "valid", "skip": "add"},
        {"padding": "same", "up": "bilinear"},
        {"padding": "same", "up": "transposed", "up_relu": True},
    ],
)
@pytest.mark.parametrize("channels", [(3,), (2, 3), (2, 3, 5, 4)])
def test_every_shape_is_that_of_the_real_network(
    settings: dict[str, Any], channels: tuple[int, ...]
) -> None:
    padding, levels = settings["padding"], len(channels)
    height, width = (smallest_input(side, levels, padding) for side in (9, 30))
    design = Design(
        in_channels=3, out_channels=4, widths=channels, height=height, width=width, **settings
    )
    network = UNet(3, 4, channels, **settings)
    traced: dict[str, tuple[int, ...]] = {}
    for layer in model.layers(network, height, width):
        parts = layer.name.replace("rectify", "up").split(".")
        traced[".".join(parts[:2])] = layer.output_CHW  # the last layer of a block stays
    ours = {block.name: block.shape_CHW for block in blocks(design)}
    assert traced == {name: ours[name] for name in traced}
    assert set(ours) - set(traced) == {"image", *(f"pool.{n}" for n in range(1, levels))}


def follow(side: int, levels: int) -> int | None:
    """The output of a valid network, followed from level to level."""
    for _ in range(levels - 1):
        side -= 4
        if side < 2 or side % 2:
            return None
        side //= 2
    side -= 4
    for _ in range(levels - 1):
        side = 2 * side - 4
    return side if side > 0 else None


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 6])
def test_output_sides_are_those_of_the_network(levels: int) -> None:
    for side in range(0, 420):
        assert output_side(side, levels, "valid") == follow(side, levels)
        fits = side > 0 and side % 2 ** (levels - 1) == 0
        assert output_side(side, levels, "same") == (side if fits else None)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_smallest_input_gives_enough_and_the_next_smaller_one_does_not(padding: str) -> None:
    for output in range(1, 120):
        side = smallest_input(output, 4, padding)
        assert (output_side(side, 4, padding) or 0) >= output
        smaller = [output_side(one, 4, padding) or 0 for one in range(side)]
        assert max(smaller, default=0) < output
    with pytest.raises(ValueError, match="output must be at least 1, got 0"):
        smallest_input(0, 4, padding)


def test_the_papers_sizes_are_near_each_other() -> None:
    near = sides_near(572, 5, "valid", 3)
    assert near == [(556, 372), (572, 388), (588, 404)]
    assert sides_near(1, 3, "same", 3) == [(4, 4), (8, 8), (12, 12)]
    for levels in range(1, 7):
        for side, output in sides_near(300, levels, "valid"):
            assert output_side(side, levels, "valid") == output


@pytest.mark.parametrize(
    ("side", "padding", "sentence"),
    [
        (250, "same", "must be a multiple of 16 for 5 levels with padding same, got 250: 240 and"),
        (3, "same", "must be at least 16 for 5 levels with padding same, got 3"),
        (187, "valid", "must be at least 188 for 5 levels with padding valid, got 187"),
        (571, "valid", "got 571, which leaves 567 on level 1: 556 and 572 fit"),
        (580, "valid", "got 580, which leaves 65 on level 4: 572 and 588 fit"),
    ],
)
def test_a_side_that_does_not_fit_is_explained(side: int, padding: str, sentence: str) -> None:
    assert sentence in explain_side(side, 5, padding)
    with pytest.raises(ValueError, match=r"^height must"):
        Design(padding=padding, height=side, width=572 if padding == "valid" else 512)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_neighbours_of_a_side_fit_and_nothing_between_them_does(padding: str) -> None:
    for side in range(1, 300):
        below, above = neighbours(side, 4, padding)
        assert output_side(below, 4, padding)
        assert output_side(above, 4, padding)
        assert all(output_side(one, 4, padding) is None for one in range(below + 1, above))
        assert below <= side < above or side < below == smallest_input(1, 4, padding)


def test_exactly_the_sides_that_fit_need_no_explanation() -> None:
    for padding in ("same", "valid"):
        for side in range(1, 300):
            fits = output_side(side, 3, padding) is not None
            assert (explain_side(side, 3, padding) == "") == fits
            named = [int(one) for one in explain_side(side, 3, padding).split() if one.isdigit()]
            if "fit" in explain_side(side, 3, padding):
                assert all(output_side(one, 3, padding) for one in named[-2:])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"widths": ()}, "widths must name at least one level"),
        ({"widths": (8,) * 9}, "widths must name at most 8 levels, got 9"),
        ({"widths": (64, 0)}, "widths must be at least 1, got 0"),
        ({"widths": (64, 99999)}, "widths must be at most 4096, got 99999"),
        ({"in_channels": 0}, "in_channels must be at least 1"),
        ({"norm": "layer"}, "norm must be one of"),
    ],
)
def test_nonsense_networks_are_refused(settings: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Design(**settings)


def test_a_training_configuration_is_drawn_at_the_size_that_it_reads() -> None:
    valid = from_training(TrainConfig.of(crop_size=388, padding="valid", widths=(2,) * 5), 3)
    assert (valid.height, valid.out_channels) == (572, 3)
    same = from_training(TrainConfig.of(crop_size=256, widths=(8, 16)), 1)
    assert (same.width, same.padding, same.norm) == (256, "same", "batch")
    added = from_training(TrainConfig.of(widths=(8, 16), skip="add", up_relu=True), 1)
    assert (added.skip, added.up, added.up_relu) == ("add", "transposed", True)


@pytest.mark.parametrize(
    ("padding", "up"), [("same", "transposed"), ("valid", "transposed"), ("same", "bilinear")]
)
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_gradient_reaches_exactly_as_far_as_the_receptive_field(
    monkeypatch: pytest.MonkeyPatch, levels: int, padding: str, up: str
) -> None:
    """For every place in the grid of the lower levels.

    The mean over the same 2x2 windows takes the place of their maximum, which lets the gradient of
    one image through to one pixel only. All weights are positive, so that nothing cancels.
    """
    monkeypatch.setattr(model.functional, "max_pool2d", functional.avg_pool2d)
    network = UNet(1, 1, (1,) * levels, padding=padding, up=up).double()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    side = sides(levels, padding)
    image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    output = network(image)[0, 0]
    middle = len(output) // 2 // 2**levels * 2**levels
    spans = []
    for place in range(2 ** (levels - 1)):
        (gradient,) = torch.autograd.grad(output[middle + place, middle], image, retain_graph=True)
        rows = gradient[0, 0].any(dim=1).nonzero().ravel()
        first, last = int(rows[0]), int(rows[-1])
        assert sight("head", middle + place, levels, padding, up) == (first, last)
        spans.append(last - first + 1)
    assert max(spans) == receptive_field("head", levels, padding, up)


def test_with_maximum_pooling_no_pixel_outside_counts_and_the_outermost_do() -> None:
    """The network as it is: over many random images, what one output pixel depends on."""
    torch.manual_seed(0)
    network = UNet(1, 1, (3, 3, 3))
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 1.0)
    side, place = sides(3, "same"), sides(3, "same") // 8 * 4
    image = torch.rand(24, 1, side, side, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(image)[:, 0, place, place].sum(), image)
    rows = gradient.any(dim=0)[0].any(dim=1).nonzero().ravel()
    assert (int(rows[0]), int(rows[-1])) == sight("head", place, 3, "same")


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 6])
def test_tiles_overlap_by_the_reach_rounded_up_to_the_step(levels: int) -> None:
    assert overlap(levels) % 2 ** (levels - 1) == 0
    assert 0 <= overlap(levels) - reach(levels) < 2 ** (levels - 1)


def test_each_block_sees_more_than_the_one_before() -> None:
    sees = [block.sees for block in blocks(Design())]
    assert sees == sorted(sees)
    assert sees[:4] == [1, 5, 6, 14]  # two 3x3 convolutions, pooling, and two of half the size
    with pytest.raises(ValueError, match=r"block must be one of image, down\.0"):
        sight("down.9", 0, 3, "same")
