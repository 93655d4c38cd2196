import math

import pytest
import torch

from unet_core.base.config import Augmentation
from unet_core.training.augment import augment, displacements, sampling_grid, smoothed_noise

PLAIN = Augmentation(flip=False, transpose=False, rotate90=False)
STRENGTHS = {
    "flip": True,
    "transpose": True,
    "rotate90": True,
    "rotate": 30.0,
    "shift": 0.1,
    "scale": 0.3,
    "elastic": 3.0,
    "elastic_alpha": (200.0, 300.0),
    "affine": 6.0,
    "brightness": 0.2,
    "contrast": 0.3,
    "gamma": 0.5,
    "noise": 0.1,
    "multiplicative_noise": 0.1,
}
GEOMETRY = (
    *("flip", "transpose", "rotate90", "rotate", "shift", "scale"),
    *("elastic", "elastic_alpha", "affine"),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(side: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth images, and labels that are their quantised grey values."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    one = (rows + 0.3 * columns) / (1.3 * side)
    other = torch.exp(-((rows - 20) ** 2 + (columns - 30) ** 2) / 200)
    image = torch.stack([one, other])[:, None].float()
    return image, (image[:, 0] * 10).round().int()


def test_no_transform_changes_nothing() -> None:
    image, labels = batch()
    new_image, new_labels, weights = augment(image, labels, PLAIN, generator())
    assert torch.equal(new_image, image)
    assert torch.equal(new_labels, labels)
    assert weights is None


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_transform_alone_acts_and_repeats_with_its_seed(name: str) -> None:
    config = PLAIN.replace(**{name: STRENGTHS[name]})
    image, labels = batch()
    results = [augment(image, labels, config, generator(seed)) for seed in (5, 5, 6, 7)]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert any(not torch.equal(one[0], image) for one in results)
    assert results[0][0].shape == image.shape
    assert results[0][1].dtype == labels.dtype
    if name not in GEOMETRY:
        assert all(torch.equal(one[1], labels) for one in results)


@pytest.mark.parametrize("name", GEOMETRY)
def test_image_labels_and_weights_move_together(name: str) -> None:
    config = PLAIN.replace(**{name: STRENGTHS[name]})
    image, labels = batch()
    weights = 2 * image[:, 0]
    for seed in range(4):
        moved, moved_labels, moved_weights = augment(
            image, labels, config, generator(seed), weights
        )
        assert torch.allclose(moved_weights, 2 * moved[:, 0], atol=1e-5)
        away = (moved_labels - 10 * moved[:, 0]).abs()
        assert away.max() < 1.3  # rounding, and the nearest pixel instead of the mean of four
        assert away.mean() < 0.4


def test_only_geometry_draws_new_places_and_labels_stay_whole_and_known() -> None:
    image, labels = batch()
    config = PLAIN.replace(rotate=180.0, scale=0.5, elastic=5.0)
    _, moved, _ = augment(image, labels * 100_003, config, generator(1))
    assert set(moved.unique().tolist()) <= set((labels * 100_003).unique().tolist())


def test_an_oblong_batch_keeps_its_shape() -> None:
    image, labels = batch()
    config = PLAIN.replace(**STRENGTHS)
    moved, moved_labels, _ = augment(image[..., :20], labels[..., :20], config, generator())
    assert moved.shape == (2, 1, 48, 20)
    assert moved_labels.shape == (2, 48, 20)


def test_a_turn_by_nothing_interpolates_back_to_the_image() -> None:
    image, labels = batch()
    config = PLAIN.replace(rotate=1e-9)  # the grid of the identity
    moved, moved_labels, _ = augment(image, labels, config, generator())
    assert torch.allclose(moved, image, atol=1e-5)
    assert torch.equal(moved_labels, labels)


def test_displacements_are_smooth_and_as_strong_as_asked() -> None:
    config = PLAIN.replace(elastic=4.0, elastic_sigma=16.0)
    field = displacements(torch.Size((16, 1, 128, 128)), config, generator())
    assert 2.0 < float(field.std()) < 5.0
    assert float(field.diff(dim=1).abs().max()) < 4.0  # no tears


def test_images_of_a_batch_get_draws_of_their_own() -> None:
    image = torch.ones(4, 1, 8, 8)
    bright, _, _ = augment(image, image[:, 0].int(), PLAIN.replace(brightness=0.5), generator())
    assert len(bright[:, 0, 0, 0].unique()) == 4


def test_geometry_one_makes_exactly_one_of_the_changes() -> None:
    config = PLAIN.replace(geometry="one", flip=True, transpose=True, rotate90=True, rotate=30.0)
    rng = torch.Generator().manual_seed(1)
    image = torch.rand(1, 1, 32, 32, generator=rng)
    labels = (image[:, 0] * 10).int()
    turns = [image.flip(-1), image.flip(-2), image.transpose(-1, -2)]
    turns += [image.rot90(quarters, (-2, -1)) for quarters in (1, 2, 3)]
    seen: set[int] = set()
    for seed in range(60):
        moved, _, _ = augment(image, labels, config, generator(seed))
        assert not torch.equal(moved, image)
        same = [index for index, one in enumerate(turns) if torch.equal(one, moved)]
        seen |= set(same or [len(turns)])  # what is no turn was rotated
    assert seen == set(range(len(turns) + 1))


def test_geometry_one_without_any_change_leaves_the_image() -> None:
    image, labels = batch()
    moved, _, _ = augment(image, labels, PLAIN.replace(geometry="one"), generator())
    assert torch.equal(moved, image)


@pytest.mark.parametrize("name", ["elastic", "affine", "contrast", "gamma", "noise"])
def test_a_change_is_made_as_often_as_asked(name: str) -> None:
    config = PLAIN.replace(augment_probability=0.3, **{name: STRENGTHS[name]})
    image = torch.rand(1, 1, 8, 8).repeat(400, 1, 1, 1)
    labels = torch.zeros(400, 8, 8, dtype=torch.int32)
    moved, _, _ = augment(image, labels, config, generator())
    # Interpolation by the identity grid leaves rounding errors.
    changed = ((moved - image).abs().amax((1, 2, 3)) > 1e-4).float().mean()
    assert float(changed) == pytest.approx(0.3, abs=0.07)
    never, _, _ = augment(image, labels, config.replace(augment_probability=0.0), generator())
    assert torch.allclose(never, image, atol=1e-4)


def test_moved_corners_are_a_linear_map_of_at_most_the_given_reach() -> None:
    config = PLAIN.replace(affine=6.0)
    grid = sampling_grid(torch.Size((50, 1, 60, 60)), config, generator()) * 30
    plain = sampling_grid(torch.Size((50, 1, 60, 60)), PLAIN, generator()) * 30
    moved = grid - plain
    second = moved.diff(n=2, dim=1).abs().max() + moved.diff(n=2, dim=2).abs().max()
    assert float(second) < 1e-3
    # The corners of the middle third's square, half a pixel from a pixel's centre.
    assert 3 < float(moved[:, 10:50, 10:50].abs().amax((1, 2, 3)).median()) <= 3 * 6.0


def test_smoothed_noise_is_as_strong_as_simards_rule_says() -> None:
    """Uniform noise smoothed by sigma has a deviation of .577 / (2 sqrt(pi) sigma)."""
    config = PLAIN.replace(elastic_alpha=(100.0, 100.0), elastic_blur=(4.0, 4.0))
    found = smoothed_noise(torch.Size((4, 1, 128, 128)), config, generator())
    inside = found[:, 20:-20, 20:-20]
    assert inside.std() == pytest.approx(100 * 0.577 / (2 * math.sqrt(math.pi) * 4), rel=0.1)
    steps = (inside[:, 1:] - inside[:, :-1]).std()
    assert steps < 0.3 * inside.std()  # smooth


def test_noise_first_is_bent_with_the_image_and_brightness_comes_last() -> None:
    flat = torch.full((1, 1, 64, 64), 0.5)
    labels = torch.zeros(1, 64, 64, dtype=torch.int32)
    config = PLAIN.replace(noise=0.2, fixed_noise=True, elastic=4.0, brightness=0.3)
    last, _, _ = augment(flat, labels, config, generator())
    first, _, _ = augment(flat, labels, config.replace(order="noise-first"), generator())

    def roughness(image: torch.Tensor) -> float:
        return float((image[..., 1:] - image[..., :-1]).std())

    assert roughness(first) < 0.9 * roughness(last)  # interpolated, so smoother than fresh noise
    assert abs(float(first.mean()) - 0.5) > 0.01


def test_fixed_noise_has_its_whole_deviation_every_time() -> None:
    flat, labels = torch.zeros(6, 1, 64, 64), torch.zeros(6, 64, 64, dtype=torch.int32)
    full, _, _ = augment(flat, labels, PLAIN.replace(noise=0.2, fixed_noise=True), generator())
    some, _, _ = augment(flat, labels, PLAIN.replace(noise=0.2), generator())
    assert full.std((1, 2, 3)) == pytest.approx([0.2] * 6, rel=0.05)
    assert some.std((1, 2, 3)).min() < 0.15


@pytest.mark.parametrize("ends", [(3.0,), (5.0, 2.0)])
def test_ends_of_a_range_that_do_not_rise_are_refused(ends: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="elastic_alpha must be two rising numbers, got"):
        Augmentation(elastic_alpha=ends)
