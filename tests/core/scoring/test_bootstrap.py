import numpy as np
import pytest

from unet_core.imaging import metrics
from unet_core.imaging.matching import Counts
from unet_core.scoring import bootstrap


def counts(rng: np.random.Generator, runs: int, images: int) -> np.ndarray:
    """Counts (TP, FP, FN) of some images by some runs, of which each has at least one object."""
    return np.stack(
        [rng.integers(1, 30, (runs, images)), *rng.integers(0, 9, (2, runs, images))], axis=-1
    )


def test_scores_are_those_of_the_added_counts(rng: np.random.Generator) -> None:
    counts_RIK = counts(rng, 2, 7)
    for name in ("f1", "ap"):
        expected = [
            getattr(sum((Counts(*map(int, row)) for row in run), Counts()), name)
            for run in counts_RIK
        ]
        found = bootstrap.scores(counts_RIK, getattr(bootstrap, name))
        np.testing.assert_allclose(found, expected)
    assert np.isnan(bootstrap.f1(np.zeros(3)))
    assert np.isnan(bootstrap.ap(np.zeros(3)))


def test_mean_iou_is_the_one_of_the_added_tables(rng: np.random.Generator) -> None:
    tables_ICC = rng.integers(0, 50, (5, 3, 3))
    tables_ICC[:, 2] = tables_ICC[:, :, 2] = 0  # a class that never occurs
    found = bootstrap.mean_iou(tables_ICC.reshape(5, 9).sum(0))
    assert found == pytest.approx(np.nanmean(metrics.iou_per_class(tables_ICC.sum(0))))
    assert np.isnan(bootstrap.mean_iou(np.zeros(9)))


def test_the_draws_are_those_of_drawing_images_one_by_one() -> None:
    # Two images: of four equally likely draws one holds the first twice, one the second twice.
    first_RIK = np.array([[[1, 1, 0], [1, 0, 3]]])
    second_RIK = np.array([[[1, 0, 0], [4, 0, 0]]])
    found = bootstrap.differences(first_RIK, second_RIK, bootstrap.f1, draws=20_000)
    values, numbers = np.unique(found.round(9), return_counts=True)
    np.testing.assert_allclose(values, [1 - 2 / 3, 1 - 4 / 8, 1 - 2 / 5])
    np.testing.assert_allclose(numbers / 20_000, [0.25, 0.5, 0.25], atol=0.02)


def test_the_same_seed_draws_the_same_and_a_recipe_does_not_differ_from_itself(
    rng: np.random.Generator,
) -> None:
    one, other = counts(rng, 1, 9), counts(rng, 3, 9)
    first, second, third = (
        bootstrap.differences(one, other, bootstrap.f1, draws=700, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert first.shape == (700,)
    assert (first != third).any()
    assert bootstrap.interval(bootstrap.differences(other, other, bootstrap.ap)) == (0, 0)
    np.testing.assert_allclose(
        bootstrap.differences(other, one, bootstrap.f1, draws=700, seed=1), -first
    )


def test_a_recipe_of_several_runs_counts_as_the_mean_of_their_scores(
    rng: np.random.Generator,
) -> None:
    one, runs = counts(rng, 1, 6), counts(rng, 3, 6)
    together = bootstrap.differences(one, runs, bootstrap.f1, draws=50)
    each = [bootstrap.differences(one, runs[[run]], bootstrap.f1, draws=50) for run in range(3)]
    np.testing.assert_allclose(together, np.mean(each, axis=0))


def test_the_interval_holds_the_true_difference_in_about_95_of_100_studies() -> None:
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(300):
        # 60 images of 5 to 30 objects; the one finds 70 %, the other 76 %, both fail on hard ones.
        objects_I = rng.integers(5, 30, 60)
        ease_I = rng.beta(8, 2, 60) / 0.8
        found = [rng.binomial(objects_I, np.clip(share * ease_I, 0, 1)) for share in (0.70, 0.76)]
        one, other = (
            np.stack([tp_I, np.zeros(60), objects_I - tp_I], axis=-1)[None] for tp_I in found
        )
        low, high = bootstrap.interval(bootstrap.differences(one, other, bootstrap.f1, draws=1000))
        inside.append(low <= TRUE_DIFFERENCE <= high)
    assert 0.90 <= np.mean(inside) <= 0.98


def _true_difference() -> float:
    """The difference of F1 on endless images of the kind above, where TP + FN is all."""
    rng = np.random.default_rng(6)
    ease = rng.beta(8, 2, 1_000_000) / 0.8
    recall = [np.clip(share * ease, 0, 1).mean() for share in (0.70, 0.76)]
    one, other = (2 * part / (1 + part) for part in recall)  # F1 without a false alarm
    return float(other - one)


TRUE_DIFFERENCE = _true_difference()


def test_draws_without_any_object_are_left_out_of_the_interval() -> None:
    one = np.array([[[1, 0, 1], [0, 0, 0]]])
    other = np.array([[[2, 0, 0], [0, 0, 0]]])
    found = bootstrap.differences(one, other, bootstrap.f1, draws=400)
    assert 0.15 < np.isnan(found).mean() < 0.35  # both drawn images are the empty one
    assert bootstrap.interval(found) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert np.isnan(bootstrap.interval(np.full(4, np.nan))).all()


def test_one_image_or_different_ones_cannot_be_drawn_from(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="at least 2 of them, got 1"):
        bootstrap.differences(counts(rng, 1, 1), counts(rng, 1, 1), bootstrap.f1)
    with pytest.raises(ValueError, match="the same images, got 4 and 5"):
        bootstrap.differences(counts(rng, 1, 4), counts(rng, 1, 5), bootstrap.f1)
