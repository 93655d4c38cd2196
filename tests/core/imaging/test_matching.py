import itertools
import math

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import label
from stardist.matching import matching as stardist_matching

from unet_core.imaging.matching import IOUS, Counts, iou_matrix, match, match_many, pairs

THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]


def draw(*rows):
    return np.array([[int(c) for c in row] for row in rows])


def shift(labels, rng):
    return np.roll(labels, rng.integers(2, 8, 2), axis=(0, 1))


def erode(labels, rng):
    return np.where(ndimage.grey_erosion(labels, (3, 3)) == labels, labels, 0)


def merge(labels, rng):
    number = np.arange(labels.max() + 1)
    some = rng.integers(1, len(number), len(number) // 2)
    number[some] = np.maximum(number[some] - 1, 1)
    return number[labels]


def split(labels, rng):
    rows = np.indices(labels.shape)[0] // 9 % 2
    return np.where(labels > 0, 2 * labels + rows, 0)


def renumber(labels, rng):
    number = rng.permutation(labels.max()) * 3 + 5
    return np.concatenate([[0], number])[labels]


PERTURBATIONS = [shift, erode, merge, split, renumber]


def blobs(rng, shape=(64, 64)):
    return label(ndimage.gaussian_filter(rng.normal(size=shape), 2) > 0.05)


def assert_agrees_with_stardist(true, pred):
    for ours, theirs in zip(
        match_many(true, pred, THRESHOLDS), stardist_matching(true, pred, THRESHOLDS), strict=True
    ):
        assert (ours.tp, ours.fp, ours.fn) == (theirs.tp, theirs.fp, theirs.fn)
        scores = [ours.precision, ours.recall, ours.f1, ours.ap]
        assert scores == pytest.approx(
            [theirs.precision, theirs.recall, theirs.f1, theirs.accuracy]
        )
        # StarDist's IoU are float32.
        assert ours.pq == pytest.approx(theirs.panoptic_quality, abs=1e-5)


@pytest.mark.parametrize("perturb", PERTURBATIONS)
def test_real_labels_score_as_with_stardist(real_data, rng, perturb):
    for path in sorted((real_data / "dsb2018" / "test" / "masks").glob("*.tif"))[::5]:
        true = tifffile.imread(path).astype(np.int32)
        assert_agrees_with_stardist(true, perturb(true, rng).astype(np.int32))


def test_random_blobs_score_as_with_stardist(rng):
    for _ in range(40):
        true = blobs(rng)
        noisy = np.roll(true > 0, rng.integers(0, 4)) + rng.normal(size=true.shape)
        assert_agrees_with_stardist(true, label(ndimage.gaussian_filter(noisy, 1.5) > 0.3))


def test_random_mosaics_with_many_candidates_score_as_with_stardist(rng):
    for _ in range(100):
        true = np.kron(rng.integers(0, 8, (6, 6)), np.ones((3, 3), int))
        pred = np.kron(rng.integers(0, 8, (9, 9)), np.ones((2, 2), int))
        assert_agrees_with_stardist(true, pred)


def brute_force(iou_TP, threshold):
    """The most pairs at the threshold, and their IoU sum in every assignment that has so many and,
    among those, the largest IoU sum of all pairs."""
    if iou_TP.shape[0] > iou_TP.shape[1]:
        iou_TP = iou_TP.T
    n_true, n_pred = iou_TP.shape
    ways = []
    for columns in itertools.permutations(range(n_pred), n_true):
        iou = iou_TP[range(n_true), columns]
        good = iou >= threshold
        ways.append((int(good.sum()), round(float(iou.sum()), 9), float(iou[good].sum())))
    best = max(ways)[:2]
    return best[0], [way[2] for way in ways if way[:2] == best]


def test_no_other_assignment_has_more_pairs_or_a_larger_iou_sum(rng):
    for _ in range(200):
        true, pred = rng.integers(0, rng.integers(2, 6), (2, 4, 5))
        iou_TP = iou_matrix(true, pred)
        for threshold in (0.05, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.6):
            counts = match(true, pred, threshold)
            tp, iou_sums = brute_force(iou_TP, threshold)
            assert counts.tp == tp
            assert min(abs(counts.iou_sum - iou_sum) for iou_sum in iou_sums) < 1e-9


def test_the_best_pair_is_given_up_for_two_lesser_ones():
    true = draw("1112222222")
    pred = draw("0333333344")
    # IoU: 2-3 is 5/9, but 1-3 (2/8) and 2-4 (2/7) are two.
    assert match(true, pred, 0.5).iou_sum == 5 / 9
    assert match(true, pred, 0.2) == Counts(2, 0, 0, 2 / 8 + 2 / 7)
    assert [ids.tolist() for ids in pairs(true, pred, 0.2)] == [[1, 2], [3, 4]]
    assert match(true, pred, 0.26) == Counts(1, 1, 1, 5 / 9)


def test_one_more_pair_outweighs_any_sum_of_iou():
    true, pred = np.zeros((2, 1, 90), int)
    for i in range(10):
        true[0, 7 * i : 7 * i + 7] = i + 1
        pred[0, 7 * i + 5 : 7 * i + 12] = i + 1
    # Each object has 2 of 7 pixels in the prediction of its number, 5 in the one before.
    assert match(true, pred, 0.5).tp == 9
    counts = match(true, pred, 0.15)
    assert (counts.tp, counts.iou_sum) == (10, pytest.approx(10 * 2 / 12))


def test_hand_counted_objects():
    true = draw("1100220", "1100220", "0000000", "3330000")
    pred = draw("1100022", "1100022", "0000000", "0000044")
    counts = match(true, pred, 0.5)
    assert counts == Counts(tp=1, fp=2, fn=2, iou_sum=1.0)
    assert match(true, pred, 1 / 3) == Counts(2, 1, 1, 1 + 1 / 3)
    assert counts.precision == counts.recall == counts.f1 == pytest.approx(1 / 3)
    assert counts.ap == pytest.approx(1 / 5)
    assert counts.pq == pytest.approx(1 / 3)


def test_an_iou_of_exactly_the_threshold_counts():
    true = draw("11111111111")
    for k in range(1, 11):
        pred = np.zeros_like(true)
        pred[0, :k] = 1
        assert match(true, pred, k / 11).tp == 1
        assert match(true, pred, np.nextafter(k / 11, 1)).tp == 0


def test_the_written_thresholds_are_the_nearest_to_their_decimals():
    assert [f"{iou:.17g}" for iou in IOUS] == [
        f"{float(text):.17g}" for text in ".5 .55 .6 .65 .7 .75 .8 .85 .9 .95".split()
    ]
    # 11 of 20 pixels: the IoU is 0.55, which 0.5 + 0.05 happens to exceed by one rounding.
    true, pred = np.ones((1, 20), int), np.zeros((1, 20), int)
    pred[0, :11] = 1
    assert [counts.tp for counts in match_many(true, pred)] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("swap", [False, True])
def test_only_one_half_of_a_halved_object_matches(swap):
    true, pred = draw("11110222"), draw("11220333")
    if swap:
        true, pred = pred, true
    counts = match(true, pred, 0.5)
    assert (counts.tp, counts.iou_sum) == (2, 1.5)
    assert counts.fp + counts.fn == 1
    assert len(set(pairs(true, pred)[0])) == len(set(pairs(true, pred)[1])) == 2


def test_swapping_truth_and_prediction_swaps_fp_and_fn(rng):
    true, pred = blobs(rng), blobs(rng)
    for iou in (0.1, 0.3, 0.5, 0.7):
        one, other = match(true, pred, iou), match(pred, true, iou)
        assert (one.tp, one.fp, one.fn) == (other.tp, other.fn, other.fp)
        assert one.iou_sum == pytest.approx(other.iou_sum)


def test_an_image_matches_itself_at_every_threshold(rng):
    true = blobs(rng)
    for counts in match_many(true, true, THRESHOLDS):
        assert counts == Counts(true.max(), 0, 0, float(true.max()))


def test_no_higher_threshold_finds_more(rng):
    found = [counts.tp for counts in match_many(blobs(rng), blobs(rng), THRESHOLDS)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


@pytest.mark.parametrize("factor", [1, 7, 10**4, 2**31])
@pytest.mark.parametrize("iou", [0.2, 0.5])
def test_label_values_do_not_matter_only_regions(rng, factor, iou):
    true = blobs(rng)
    pred = np.roll(true, 1, axis=0)
    far = pred * np.int64(factor) + (pred > 0) * 3
    assert match(true, far, iou) == match(true, pred, iou)
    np.testing.assert_array_equal(iou_matrix(true, far), iou_matrix(true, pred))
    plain, moved = pairs(true, pred, iou), pairs(true, far, iou)
    np.testing.assert_array_equal(moved[0], plain[0])
    np.testing.assert_array_equal(moved[1], plain[1] * factor + 3)


def test_more_objects_than_fit_a_dense_table():
    true = np.arange(1, 3601).reshape(60, 60)
    pred = true[::-1, ::-1]
    assert match(true, pred, 1.0) == Counts(3600, 0, 0, 3600.0)
    ids, partners = pairs(true, pred)
    np.testing.assert_array_equal(ids + partners, 3601)


def test_unsigned_and_signed_labels_may_meet(rng):
    true = blobs(rng)
    for dtype in (np.uint8, np.uint16, np.int64, np.uint64):
        assert match(true.astype(dtype), true, 0.9).f1 == 1


def test_iou_matrix_is_the_ratio_of_pixels(rng):
    true, pred = blobs(rng), blobs(rng)
    true[true == 2] = 0
    iou_TP = iou_matrix(true, pred)
    true_ids = [i for i in np.unique(true) if i]
    assert iou_TP.shape == (len(true_ids), pred.max())
    for row, i in enumerate(true_ids):
        for column in range(pred.max()):
            a, b = true == i, pred == column + 1
            assert iou_TP[row, column] == (a & b).sum() / (a | b).sum()


def test_pairs_are_the_objects_that_match(rng):
    true = blobs(rng)
    pred = np.roll(true, (1, 1), axis=(0, 1))
    for iou in (0.2, 0.5, 0.6):
        true_ids, pred_ids = pairs(true, pred, iou)
        iou_TP = iou_matrix(true, pred)[true_ids - 1, pred_ids - 1]
        counts = match(true, pred, iou)
        assert len(true_ids) == counts.tp > 0
        assert (iou_TP >= iou).all()
        assert iou_TP.sum() == pytest.approx(counts.iou_sum)
        assert (np.diff(true_ids) > 0).all()


def test_without_any_object_there_is_no_score():
    nothing = np.zeros((3, 4), int)
    for empty in (nothing, np.zeros((0, 0), int)):
        for iou in (0.2, 0.5):
            counts = match(empty, empty, iou)
            assert counts == Counts()
            scores = (counts.precision, counts.recall, counts.f1, counts.ap, counts.pq)
            assert all(math.isnan(score) for score in scores)
    assert iou_matrix(nothing, nothing).shape == (0, 0)
    assert [len(ids) for ids in pairs(nothing, nothing)] == [0, 0]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("iou", [0.2, 0.5])
def test_objects_on_one_side_only_score_nought(swap, iou):
    images = [np.zeros((2, 3), int), draw("110", "002")]
    counts = match(*(images[::-1] if swap else images), iou)
    assert counts == (Counts(fn=2) if swap else Counts(fp=2))
    scores = (counts.precision, counts.recall, counts.f1, counts.ap, counts.pq)
    assert scores == (0, 0, 0, 0, 0)


def test_images_without_background_match():
    assert match(draw("12", "12"), draw("21", "21"), 0.5) == Counts(2, 0, 0, 2.0)


def test_adding_counts_pools_images(rng):
    images = [(blobs(rng), blobs(rng)) for _ in range(3)]
    single = [match(true, pred, 0.2) for true, pred in images]
    pooled = sum(single, Counts())
    assert pooled.tp == sum(counts.tp for counts in single) > 0
    assert pooled.n_true == sum(true.max() for true, _ in images)
    assert pooled.n_pred == sum(pred.max() for _, pred in images)
    assert pooled.f1 == pytest.approx(2 * pooled.ap / (1 + pooled.ap))
    side_by_side = match(
        np.hstack([images[0][0], images[1][0] + images[0][0].max() * (images[1][0] > 0)]),
        np.hstack([images[0][1], images[1][1] + images[0][1].max() * (images[1][1] > 0)]),
        0.2,
    )
    assert (single[0] + single[1]).f1 == side_by_side.f1


GOOD = np.ones((2, 3), int)


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (GOOD, np.ones((3, 2), int), "same shape, got \\(2, 3\\) and \\(3, 2\\)"),
        (GOOD.astype(float), GOOD, "true_HW must hold whole numbers, got float64"),
        (GOOD, GOOD > 0, "pred_HW must hold whole numbers, got bool"),
        (GOOD, -2 * GOOD, "pred_HW must not hold negative labels, got -2"),
        (GOOD[None], GOOD[None], "true_HW must have two axes"),
    ],
)
def test_what_is_no_pair_of_label_images_is_refused(true, pred, message):
    for function in (match, match_many, pairs, iou_matrix):
        with pytest.raises(ValueError, match=message):
            function(true, pred)


@pytest.mark.parametrize("iou", [0, -0.1, 1.01, float("nan")])
def test_a_threshold_outside_0_to_1_is_refused(iou):
    for function in (match, pairs):
        with pytest.raises(ValueError, match=r"iou must be in \(0, 1\], got"):
            function(GOOD, GOOD, iou)
