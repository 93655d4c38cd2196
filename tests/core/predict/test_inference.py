import numpy as np
import pytest
import torch

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.imaging import images
from unet_core.network import anatomy
from unet_core.network.checkpoint import Trained, build
from unet_core.predict import inference


@pytest.fixture(scope="module")
def trained() -> Trained:
    """An untrained network whose BatchNorm statistics are set, so that its answers vary."""
    torch.manual_seed(0)
    train = TrainConfig.of(widths=(8, 8, 8, 8))
    config = ModelConfig(train=train, outputs=("foreground", "boundary"))
    network = build(config)
    network.train()
    with torch.no_grad():
        network(torch.randn(8, 1, 64, 64))
    return Trained(config, network.eval())


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, 255, (height, width)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (37, 41), (64, 64), (130, 70)])
def test_any_size_comes_back_in_its_own_size(trained: Trained, shape: tuple[int, int]) -> None:
    prob = inference.predict(trained, picture(*shape))
    assert prob.shape == (2, *shape)
    assert prob.dtype == np.float32
    assert 0 <= prob.min() <= prob.max() <= 1


@pytest.mark.parametrize("tile", [16, 40, 100])
def test_tiles_leave_no_seam(trained: Trained, tile: int) -> None:
    pixels = picture(310, 275)
    whole = inference.predict(trained, pixels)
    assert whole.std() > 0.01  # a constant answer would prove nothing
    tiled = inference.predict(trained, pixels, tile=tile)
    assert np.abs(whole - tiled).max() < 1e-4


def test_a_thin_image_is_tiled_by_its_padded_size(trained: Trained, monkeypatch) -> None:
    monkeypatch.setattr(inference, "WHOLE_FEATURES", 8 * 8 * 199)
    seen: list[tuple[int, int]] = []
    inference.predict(trained, picture(1, 200), on_progress=lambda *pair: seen.append(pair))
    assert len(seen) > 1  # 200 pixels, but 8 x 200 for the network


def test_a_tile_reads_as_much_as_a_whole_image_may_have(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "WHOLE_FEATURES", 8 * 256 * 256)
    read: list[tuple[int, ...]] = []
    trained.network.register_forward_pre_hook(lambda _, given: read.append(given[0].shape[-2:]))
    whole = picture(256, 256)
    inference.predict(trained, whole)
    inference.predict(trained, picture(700, 700))
    assert read[0] == whole.shape
    assert max(read[1:]) == whole.shape


def test_tiles_of_a_bilinear_network_do_not_show() -> None:
    torch.manual_seed(0)
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8, 8), norm="none", up="bilinear", target="foreground"),
        outputs=("foreground",),
    )
    bilinear, pixels = Trained(config, build(config).eval()), picture(150, 110)
    whole = inference.predict(bilinear, pixels)
    assert np.abs(whole - inference.predict(bilinear, pixels, tile=40)).max() < 1e-5


def test_a_smaller_overlap_would_show(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture(310, 275)
    whole = inference.predict(trained, pixels)
    monkeypatch.setattr(anatomy, "overlap", lambda *_: 8)
    assert np.abs(whole - inference.predict(trained, pixels, tile=40)).max() > 1e-3


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_overlap_covers_the_field_of_view(levels: int, up: str) -> None:
    config = ModelConfig(
        train=TrainConfig.of(widths=(2,) * levels, norm="none", up=up),
        outputs=("foreground", "boundary"),
    )
    network = build(config)
    for weight in network.parameters():  # positive everywhere: no change can cancel out
        torch.nn.init.constant_(weight, 0.1)
    reach = anatomy.overlap(levels, up)
    side = 2 * reach + 2 * network.multiple
    image = torch.ones(1, 1, side, side)
    middle = side // 2
    image[..., middle, middle] = 5.0
    with torch.no_grad():
        changed = network(image) != network(torch.ones_like(image))
    rows = changed[0, 0].any(dim=1).nonzero()
    assert int((rows - middle).abs().max()) <= reach


def test_flips_make_the_answer_turn_with_the_image(trained: Trained) -> None:
    pixels = picture(48, 48)
    one = inference.predict(trained, pixels, flips=True)
    other = inference.predict(trained, np.rot90(pixels).copy(), flips=True)
    assert np.abs(np.rot90(one, axes=(1, 2)) - other).max() < 1e-4
    plain = inference.predict(trained, np.rot90(pixels).copy())
    assert np.abs(np.rot90(inference.predict(trained, pixels), axes=(1, 2)) - plain).max() > 1e-3


def test_progress_counts_the_tiles(trained: Trained) -> None:
    seen: list[tuple[int, int]] = []
    inference.predict(
        trained, picture(64, 64), tile=32, on_progress=lambda *pair: seen.append(pair)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_scaling_changes_the_answer_but_not_its_size(trained: Trained) -> None:
    pixels = picture(40, 60)
    scaled = inference.predict(trained, pixels, scale=0.5)
    assert scaled.shape == (2, 40, 60)
    assert np.abs(scaled - inference.predict(trained, pixels)).max() > 1e-3


def test_inverting_equals_inverted_pixels(trained: Trained) -> None:
    pixels = picture(40, 60)
    inverted = pixels.max() - pixels + pixels.min()
    assert np.allclose(
        inference.predict(trained, pixels, invert=True),
        inference.predict(trained, inverted),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (np.zeros((2, 3, 4)), {}, "grey image"),
        (np.zeros((0, 4)), {}, "grey image"),
        (np.full((4, 4), np.nan), {}, "finite"),
        (np.zeros((4, 4)), {"scale": 0.0}, "scale must be between"),
        (np.zeros((4, 4)), {"tile": 0}, "tile must be a positive"),
        (np.zeros((2000, 2000), np.uint8), {"scale": 20.0}, "larger than 400 megapixels"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    trained: Trained, pixels: np.ndarray, options: dict, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        inference.predict(trained, pixels, **options)


@pytest.fixture(scope="module")
def valid() -> Trained:
    """A network that uses real pixels only."""
    torch.manual_seed(1)
    train = TrainConfig.of(widths=(8, 8, 8), padding="valid", norm="none", crop_size=40)
    config = ModelConfig(train=train, outputs=("foreground", "boundary"))
    return Trained(config, build(config).eval())


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (37, 41), (130, 70)])
def test_a_valid_network_answers_for_every_pixel(valid: Trained, shape: tuple[int, int]) -> None:
    prob = inference.predict(valid, picture(*shape))
    assert prob.shape == (2, *shape)


def test_overlapping_tiles_of_a_valid_network_leave_no_seam(valid: Trained) -> None:
    pixels = picture(150, 133)
    whole = inference.predict(valid, pixels)
    assert whole.std() > 0.01
    for tile in (12, 50, 100):
        assert np.abs(whole - inference.predict(valid, pixels, tile=tile)).max() < 1e-4


def test_a_valid_network_sees_the_image_mirrored_at_its_border(valid: Trained) -> None:
    pixels = picture(60, 60)
    border = valid.network.margin
    wide = np.pad(images.normalise_for(valid.config, pixels), border, mode="symmetric")
    with torch.inference_mode():
        answer = valid.network(
            torch.from_numpy(wide[: 60 + 2 * border, : 60 + 2 * border])[None, None]
        )
    assert np.abs(inference.predict(valid, pixels) - answer.sigmoid()[0].numpy()).max() < 1e-5


def test_a_window_as_large_as_the_image_is_the_image(trained: Trained) -> None:
    pixels = picture(64, 48)
    whole = inference.predict(trained, pixels)
    assert np.array_equal(inference.predict(trained, pixels, window=64), whole)


def test_windows_overlap_by_half_and_are_averaged(trained: Trained) -> None:
    pixels = picture(32, 48)
    norm = images.normalise_for(trained.config, pixels)
    first, second = (
        inference.predict_normalised(trained.network, norm[:, part], softmax=False)
        for part in (slice(0, 32), slice(16, 48))
    )
    found = inference.predict(trained, pixels, window=32)
    assert np.allclose(found[..., :16], first[..., :16], atol=1e-6)
    assert np.allclose(found[..., 16:32], (first[..., 16:] + second[..., :16]) / 2, atol=1e-6)
    assert np.allclose(found[..., 32:], second[..., 16:], atol=1e-6)


def test_rotations_are_turned_back_and_averaged(trained: Trained) -> None:
    """Four rotations are quarter turns: exact where nothing is interpolated."""
    pixels = picture(64, 64)
    found = inference.predict(trained, pixels, rotations=4)
    around = 14  # so that corners stay inside, as the docstring says
    wide = np.pad(images.normalise_for(trained.config, pixels), around, mode="symmetric")
    turned = [
        np.rot90(
            inference.predict_normalised(trained.network, np.rot90(wide, k).copy(), softmax=False),
            -k,
            axes=(1, 2),
        )
        for k in range(4)
    ]
    expected = np.mean(turned, axis=0)[:, around:-around, around:-around]
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rotations": 7, "window": 64}, "window and rotations do not go together"),
        ({"rotations": 37}, "rotations must be between 0 and 36, got 37"),
        ({"window": 1}, "window must be at least 2 pixels, got 1"),
    ],
)
def test_impossible_averages_are_refused(trained: Trained, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inference.predict(trained, picture(20, 20), **options)


def group_network() -> Trained:
    """An untrained network whose answer depends on all that it reads."""
    torch.manual_seed(0)
    train = TrainConfig.of(widths=(8, 8), norm="group")
    config = ModelConfig(train=train, outputs=("foreground", "boundary"))
    return Trained(config, build(config).eval())


def test_what_tiles_do_to_a_network_with_group_norm_is_said(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, pixels = group_network(), picture(100, 100)
    pixels[:, :50] = 0
    whole = inference.predict(group, pixels)
    assert inference.explain_tiles(group, pixels.shape) == ""
    monkeypatch.setattr(inference, "WHOLE_FEATURES", 8 * 99 * 100)
    assert np.abs(whole - inference.predict(group, pixels)).max() > 0.01
    assert "the GroupNorm of this network adapts to each tile" in inference.explain_tiles(
        group, pixels.shape
    )
    assert inference.explain_tiles(trained, pixels.shape) == ""


@pytest.mark.parametrize(
    ("options", "n_images", "is_tiled"),
    [
        ({}, 1, False),
        ({"scale": 1.2}, 1, True),
        ({"rotations": 7}, 7, True),  # with what is around the corners
        ({"scale": 1.2, "window": 64}, 9, False),
        ({"flips": True, "invert": True}, 8, False),
    ],
)
def test_tiles_are_explained_exactly_where_there_are_any(
    options: dict, n_images: int, is_tiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, read = group_network(), []
    monkeypatch.setattr(inference, "WHOLE_FEATURES", 8 * 100 * 100)
    group.network.register_forward_pre_hook(lambda *given: read.append(given))
    inference.predict(group, picture(100, 100), **options)
    assert (len(read) > n_images) == is_tiled
    assert bool(inference.explain_tiles(group, (100, 100), **options)) == is_tiled


def test_a_network_that_resizes_its_images_answers_at_their_own_size(trained: Trained) -> None:
    train = trained.config.train.replace(fit_width=60, equalise=True)
    fitted = Trained(trained.config.replace(train=train), trained.network)
    pixels = picture(90, 120)
    prob = inference.predict(fitted, pixels)
    assert prob.shape == (2, 90, 120)
    small = images.resize(images.to_unit(pixels), (45, 60))
    alone = inference.predict(
        Trained(trained.config.replace(train=train.replace(fit_width=0)), trained.network), small
    )
    np.testing.assert_allclose(prob, np.clip(images.resize(alone, (90, 120)), 0, 1), atol=1e-6)
