import pytest
import torch
from torch.nn import functional

from unet_core.network.anatomy import output_side
from unet_core.network.model import UNet, layers


def count(network: UNet) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_papers_widths_have_the_known_number_of_parameters() -> None:
    assert count(UNet(1, 1)) == 31_030_593


@pytest.mark.parametrize(("side", "levels", "out"), [(572, 5, 388), (188, 5, 4), (140, 3, 100)])
def test_valid_padding_shrinks_as_in_the_paper(side: int, levels: int, out: int) -> None:
    network = UNet(2, 3, widths=(2,) * levels, padding="valid")
    assert network(torch.zeros(1, 2, side, side)).shape == (1, 3, out, out)
    assert output_side(side, levels, "valid") == out


@pytest.mark.parametrize("side", [571, 570, 100, 4, 0])
def test_a_side_that_does_not_fit_a_valid_network_is_refused(side: int) -> None:
    assert output_side(side, 5, "valid") is None
    with pytest.raises(ValueError, match=r"height must (leave an even number|be at least)"):
        UNet(1, 1, widths=(1,) * 5, padding="valid")(torch.zeros(1, 1, side, 572))


@pytest.mark.parametrize("norm", ["batch", "group", None])
def test_same_padding_keeps_any_size_that_is_a_multiple(norm: str | None) -> None:
    network = UNet(1, 2, widths=(3, 4, 5), norm=norm)
    assert network(torch.zeros(2, 1, 8, 20)).shape == (2, 2, 8, 20)
    assert network.multiple == 4
    with pytest.raises(ValueError, match="width must be a multiple of 4 for 3 levels"):
        network(torch.zeros(1, 1, 8, 22))


def test_one_level_is_a_plain_convolutional_network() -> None:
    assert UNet(1, 1, widths=(4,))(torch.zeros(1, 1, 5, 7)).shape == (1, 1, 5, 7)


@pytest.mark.parametrize(
    "settings",
    [
        {"padding": "mirror"},
        {"norm": "layer"},
        {"init": "zero"},
        {"channels": ()},
        {"channels": (4, 0)},
    ],
)
def test_impossible_networks_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        UNet(1, 1, **settings)


def test_a_pixel_of_the_skip_reaches_the_same_place_of_the_output() -> None:
    """The crop of a valid network is centred: a bright pixel answers at its own place."""
    torch.manual_seed(0)
    network = UNet(1, 1, widths=(4, 4, 4), padding="valid").eval()
    dark = torch.zeros(1, 1, 140, 140)
    bright = dark.clone()
    bright[0, 0, 70, 60] = 100.0
    change = (network(bright) - network(dark)).abs()[0, 0]
    row, column = divmod(int(change.argmax()), change.shape[1])
    assert abs(row - (70 - 20)) <= 3
    assert abs(column - (60 - 20)) <= 3


def test_the_layer_table_sums_to_the_network_and_to_known_work() -> None:
    network = UNet(1, 1)
    table = layers(network, 256, 256)
    assert sum(layer.parameters for layer in table) == count(network)
    assert 2 * sum(layer.multiply_adds for layer in table) == pytest.approx(96.2e9, rel=1e-3)
    assert table[0].output_CHW == (64, 256, 256)
    assert table[-1].name == "head"
    assert next(network.parameters()).device.type == "cpu"  # the trace worked on a copy


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 6])
def test_valid_padding_takes_the_same_margin_from_every_size_that_fits(levels: int) -> None:
    network = UNet(1, 1, widths=(1,) * levels, padding="valid")
    outputs = {side: output_side(side, levels, "valid") for side in range(1, 900)}
    assert {side - out for side, out in outputs.items() if out} == {2 * network.margin}
    for wanted in (1, 17, 60, 100):
        assert network.fit(wanted) == min(out for out in outputs.values() if out and out >= wanted)


def test_group_normalisation_answers_for_each_image_by_itself() -> None:
    network = UNet(1, 1, widths=(8, 48), norm="group").train()
    images = torch.rand(3, 1, 16, 16)
    alone = network(images[:1])
    assert torch.allclose(network(images)[:1], alone, atol=1e-5)


@pytest.mark.parametrize(("init", "gain"), [("he", 2), ("pytorch", 1 / 3)])
def test_the_first_weights_have_the_variance_that_was_asked_for(init: str, gain: float) -> None:
    weight = UNet(1, 1, widths=(16, 64), init=init).down[1][0].weight
    assert weight.var().item() * weight[0].numel() == pytest.approx(gain, rel=0.05)


def test_a_relu_after_the_up_convolutions_changes_the_answer_but_no_weight() -> None:
    torch.manual_seed(0)
    plain = UNet(1, 1, widths=(4, 8))
    cut = UNet(1, 1, widths=(4, 8), up_relu=True)
    cut.load_state_dict(plain.state_dict())
    image = torch.rand(1, 1, 16, 16)
    assert not torch.equal(plain(image), cut(image))
    with torch.no_grad():  # nothing negative is left to cut
        for network in (plain, cut):
            network.up[0].weight.abs_()
            network.up[0].bias.fill_(1)
    assert torch.equal(plain(image), cut(image))


def test_the_network_of_dl4mia_has_its_1_68_million_parameters() -> None:
    """By hand: 1,144,256 down, 164,032 up-convolutions, 369,024 behind added skips, 195 out."""
    dl4mia = UNet(1, 3, widths=(64, 128, 256), skip="add", init="xavier")
    assert count(dl4mia) == 1_144_256 + 164_032 + 369_024 + 195 == 1_677_507


def test_the_bilinear_network_of_unet_multiclass_has_its_13_39_million_parameters() -> None:
    """Its own count is 13,394,307: with 3,968 biases that BatchNorm subtracts again."""
    multiclass = UNet(1, 3, widths=(64, 128, 256, 512, 512), up="bilinear", norm="batch")
    before_norm = sum(
        layer.out_channels
        for layer in multiclass.modules()
        if isinstance(layer, torch.nn.Conv2d) and layer.bias is None
    )
    assert (count(multiclass), before_norm) == (13_390_339, 3_968)


def test_added_skips_are_the_sum_of_what_came_up_and_the_skip() -> None:
    network = UNet(1, 1, widths=(4, 8), skip="add").eval()
    image = torch.rand(1, 1, 8, 8)
    skip = network.down[0](image)
    came = network.up[0](network.down[1](functional.max_pool2d(skip, 2)))
    torch.testing.assert_close(network(image), network.head(network.merge[0](skip + came)))


def test_bilinear_maps_grow_by_interpolation_whatever_the_size_of_the_map() -> None:
    network = UNet(1, 1, widths=(4, 8), up="bilinear")
    assert not list(network.up.parameters())
    ramp = torch.arange(6.0).expand(1, 1, 6, 6)
    grown = network.up[0](ramp)[0, 0, 4]
    torch.testing.assert_close(grown[1:-1], torch.arange(0.25, 5, 0.5))
    torch.testing.assert_close(network.up[0](ramp[..., :4])[0, 0, 4, :7], grown[:7])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"skip": "none"}, "skip must be one of concat, add, got 'none'"),
        ({"up": "nearest"}, "up must be one of transposed, bilinear, got 'nearest'"),
        ({"up": "bilinear", "padding": "valid"}, "up bilinear needs padding same"),
        ({"up": "bilinear", "skip": "add"}, "lowest level as on the one above it.* got 8 and 4"),
    ],
)
def test_a_way_up_that_cannot_be_is_refused(settings: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        UNet(1, 1, widths=(4, 8), **settings)


def test_xavier_starts_convolutions_and_leaves_the_up_convolutions_to_pytorch() -> None:
    """Glorot and Bengio 2010: variance 2 / (inputs + outputs), each times 9 weights."""
    torch.manual_seed(0)
    network = UNet(1, 1, widths=(16, 64), init="xavier")
    weight, up = network.down[1][0].weight.detach(), network.up[0].requires_grad_(False)
    assert float(weight.var() * 9 * (16 + 64)) == pytest.approx(2.0, rel=0.1)
    convolutions = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d)]
    assert not any(one.bias.any() for one in convolutions)
    assert float(up.weight.var() * 16 * 4) == pytest.approx(1 / 3, rel=0.1)  # PyTorch's fan is 16*4
    assert float(up.bias.abs().sum()) > 0
