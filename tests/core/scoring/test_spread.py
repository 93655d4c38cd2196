import math

import numpy as np
import pytest

from unet_core.scoring import spread


def test_mean_and_deviation_are_the_samples() -> None:
    found = spread.spread([0.8, None, 0.9, float("nan"), 1.0])
    assert found is not None
    assert (found.n, found.mean) == (3, pytest.approx(0.9))
    assert found.deviation == pytest.approx(0.1)
    assert found.noise_of_runs == pytest.approx(2 * math.sqrt(2) * 0.1)
    assert found.noise_of_means == pytest.approx(2 * math.sqrt(2 / 3) * 0.1)


def test_one_seed_tells_nothing_about_noise_and_none_nothing_at_all() -> None:
    found = spread.spread([0.8])
    assert found is not None
    assert found.deviation is found.noise_of_runs is found.noise_of_means is None
    assert found.roughness is None
    assert spread.spread([None]) is None


def test_noise_of_runs_is_passed_by_one_pair_in_twenty(rng: np.random.Generator) -> None:
    pairs = rng.normal(0.8, 0.02, (20_000, 2))
    found = spread.Spread(n=3, mean=0.8, deviation=0.02)
    assert found.noise_of_runs is not None
    assert 0.04 < np.mean(abs(np.diff(pairs)) > found.noise_of_runs) < 0.05


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_true_deviation_lies_within_the_roughness_in_95_of_100_repeats(
    n: int, rng: np.random.Generator
) -> None:
    measured = rng.normal(0.8, 0.02, (20_000, n)).std(axis=1, ddof=1)
    roughness = spread.Spread(n=n, mean=0.8, deviation=0.02).roughness
    assert roughness is not None
    inside = (measured * roughness[0] < 0.02) & (measured * roughness[1] > 0.02)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.01)


def test_noise_between_two_recipes_adds_their_variances() -> None:
    three = spread.Spread(n=3, mean=0.8, deviation=0.03)
    five = spread.Spread(n=5, mean=0.8, deviation=0.01)
    single = spread.Spread(n=1, mean=0.8, deviation=None)
    expected = 2 * math.sqrt(0.03**2 / 3 + 0.01**2 / 5)
    assert spread.noise_between(three, five) == pytest.approx(expected)
    assert spread.noise_between(three, three) == pytest.approx(three.noise_of_means)
    assert spread.noise_between(single, five) == pytest.approx(2 * math.sqrt(0.01**2 * 1.2))
    assert spread.noise_between(single, single) is None


def test_the_band_reaches_from_the_lowest_to_the_highest_where_two_curves_are() -> None:
    curves = [
        [{"epoch": 1, "val_dice": 0.2}, {"epoch": 2, "val_dice": 0.6}, {"epoch": 3}],
        [{"epoch": 1, "val_dice": 0.4}, {"epoch": 2, "val_dice": None}, {"epoch": 3}],
        [{"epoch": 3, "val_dice": 1}],
    ]
    (row,) = spread.band(curves, "val_dice")
    assert row == {"epoch": 1, "n": 2, "mean": pytest.approx(0.3), "low": 0.2, "high": 0.4}
