import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label

from unet_core.imaging import matching
from unet_core.scoring import outlines
from unet_core.scoring.outlines import compare, contour, fits


def brute_force(true, pred, tolerance):
    """The definitions, pixel by pixel."""

    def edge(mask):
        places = {tuple(one) for one in np.argwhere(mask).tolist()}
        steps = ((-1, 0), (1, 0), (0, -1), (0, 1))
        return np.array(
            [
                (r, c)
                for r, c in sorted(places)
                if any((r + a, c + b) not in places for a, b in steps)
            ]
        )

    def nearest(one, other):
        return np.array([np.hypot(*(other - place).T).min() for place in one])

    a, b = edge(true), edge(pred)
    to_true, to_pred = nearest(b, a), nearest(a, b)
    precision, recall = (to_true <= tolerance).mean(), (to_pred <= tolerance).mean()
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    distance = max(np.percentile(to_true, 95), np.percentile(to_pred, 95))
    return f1, distance, (pred.sum() - true.sum()) / true.sum()


def test_the_fit_is_the_definition_on_small_shapes(rng):
    for tolerance in (0, 1, 1.5, 2):
        for _ in range(20):
            true, pred = (
                ndimage.gaussian_filter(rng.normal(size=(12, 15)), 1.5) > -0.05 for _ in range(2)
            )
            fit = compare(true, pred, tolerance)
            ours = (fit.boundary_f1, fit.hausdorff_95, fit.area_error)
            assert ours == pytest.approx(brute_force(true, pred, tolerance))


def test_a_square_and_one_that_is_larger_by_a_ring():
    small, large = (np.pad(np.ones((side, side), bool), (11 - side) // 2) for side in (5, 7))
    assert contour(small).sum() == 16
    fit = compare(small, large, 1)
    # Of the outer ring only the four corners are farther away than 1.
    assert fit.boundary_f1 == pytest.approx(2 * (20 / 24) / (20 / 24 + 1))
    assert fit.hausdorff_95 == pytest.approx(np.sqrt(2))
    assert fit.area_error == pytest.approx(49 / 25 - 1)
    assert compare(small, large, 0).boundary_f1 == 0
    same = compare(small, small, 0)
    assert (same.boundary_f1, same.hausdorff_95, same.area_error) == (1, 0, 0)


def test_every_hit_is_compared_alone_whatever_lies_around_it(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 2)
    true = label(noise > 0.05) * 7
    pred = label(np.roll(noise, 1, 0) > 0.07)
    pairs = zip(*matching.pairs(true, pred), strict=True)
    whole = [compare(true == a, pred == b) for a, b in pairs]
    assert len(whole) > 3
    assert fits(true, pred) == whole
    assert fits(true.astype(np.int64) * 1_000_000_000, pred) == whole


def test_a_split_is_summed_up_over_its_hits():
    true, pred = (np.zeros((20, 40), int) for _ in range(2))
    true[5:15, 5:15], true[5:15, 25:35] = 1, 2
    pred[5:15, 5:15], pred[4:16, 24:36] = 1, 2
    tally = outlines.Tally(pixel_size_um=0.5)
    tally.add(true, pred)
    tally.add(true, np.zeros_like(true))  # misses have no fit
    found = tally.document()
    second = compare(true == 2, pred == 2)
    assert (found["n_hits"], found["tolerance_px"], found["iou"]) == (2, 1.0, 0.5)
    assert found["boundary_f1"] == pytest.approx((1 + second.boundary_f1) / 2)
    assert found["hausdorff_95_px"] == pytest.approx(second.hausdorff_95 / 2)
    assert found["hausdorff_95_um"] == pytest.approx(second.hausdorff_95 / 4)
    assert found["area_error"] == found["area_error_size"] == pytest.approx(0.22)


def test_without_a_hit_or_a_pixel_size_there_is_no_number():
    found = outlines.Tally(pixel_size_um=0.5).document()
    assert found["n_hits"] == 0
    kept = ("boundary_f1", "hausdorff_95_px", "hausdorff_95_um", "area_error", "area_error_size")
    assert [found[key] for key in kept] == [None] * 5
    tally = outlines.Tally()
    tally.add(np.ones((3, 3), int), np.ones((3, 3), int))
    assert tally.document()["hausdorff_95_um"] is None


@pytest.mark.parametrize(
    ("true", "pred", "tolerance", "sentence"),
    [
        (np.ones((2, 2), bool), np.ones((2, 3), bool), 1, "one shape"),
        (np.ones((2, 2), bool), np.zeros((2, 2), bool), 1, "an empty one"),
        (np.ones((2, 2), bool), np.ones((2, 2), bool), -1, "0 or more, got -1"),
    ],
)
def test_what_cannot_be_compared_is_refused(true, pred, tolerance, sentence):
    with pytest.raises(ValueError, match=sentence):
        compare(true, pred, tolerance)
