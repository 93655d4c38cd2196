from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import adapted_rand_error, variation_of_information

from unet_core.data import datasets
from unet_core.scoring import connectomics


def blobs(seed: int, side: int = 40) -> np.ndarray:
    """Random regions with membranes (0) between them."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((side, side)), 2)
    return ndimage.label(smooth > np.median(smooth))[0]


@pytest.mark.parametrize("seed", range(6))
def test_the_overlap_tables_give_scikit_images_adapted_rand_error(seed: int) -> None:
    true_HW, pred_HW = blobs(seed), blobs(seed + 100)
    found = connectomics.overlap(true_HW, pred_HW)
    error, precision, recall = adapted_rand_error(true_HW, pred_HW, ignore_labels=(0,))
    # scikit-image counts no pair of a pixel with itself; V_rand as it was published does.
    pixels = found.joint.sum()
    both, true, pred = (
        (part**2).sum() - pixels for part in (found.joint, found.true_T, found.pred_S)
    )
    assert 2 * both / (true + pred) == pytest.approx(1 - error)
    # What it calls precision divides by the pairs of the true image: the part that splits lower.
    assert both / true == pytest.approx(precision)
    assert both / pred == pytest.approx(recall)


def test_v_rand_of_a_real_section_is_that_of_scikit_image(real_data: Path) -> None:
    true_HW = datasets.load("isbi2012", "val", "section-25").labels_HW
    assert true_HW is not None
    pred_HW = np.roll(true_HW, 9, axis=1)
    found = connectomics.overlap(true_HW, pred_HW).scores()
    error, precision, recall = adapted_rand_error(true_HW, pred_HW, ignore_labels=(0,))
    # The pairs of a pixel with itself are few among those of a whole section.
    assert found["v_rand"] == pytest.approx(1 - error, abs=2e-4)
    assert found["v_rand_split"] == pytest.approx(precision, abs=2e-4)
    assert found["v_rand_merge"] == pytest.approx(recall, abs=2e-4)


@pytest.mark.parametrize("seed", range(6))
def test_v_info_agrees_with_scikit_images_variation_of_information(seed: int) -> None:
    true_HW, pred_HW = blobs(seed), blobs(seed + 100)
    inside = true_HW > 0
    # Over the same pixels: H(S|T) and H(T|S), in bits.
    splits, merges = variation_of_information(true_HW[inside], pred_HW[inside])
    t, s = (np.unique(one[inside], return_counts=True)[1] for one in (true_HW, pred_HW))
    h_true, h_pred = (-(p / p.sum() * np.log2(p / p.sum())).sum() for p in (t, s))
    found = connectomics.overlap(true_HW, pred_HW).scores()
    assert found["v_info_split"] == pytest.approx((h_pred - splits) / h_pred)
    assert found["v_info_merge"] == pytest.approx((h_true - merges) / h_true)
    mutual = h_true - merges
    assert found["v_info"] == pytest.approx(2 * mutual / (h_true + h_pred))


def test_v_rand_of_two_small_pictures_by_hand() -> None:
    true_HW = np.array([[1, 1, 0, 2, 2]])
    merged = connectomics.overlap(true_HW, np.ones((1, 5), int)).scores()
    # p = (1/2, 1/2) = t, s = 1: 2 * 1/2 / (1/2 + 1).
    assert merged["v_rand"] == pytest.approx(2 / 3)
    assert (merged["v_rand_split"], merged["v_rand_merge"]) == (1, 0.5)
    split = connectomics.overlap(true_HW, np.array([[1, 2, 0, 3, 3]])).scores()
    # p = (1/4, 1/4, 1/2) = s, t = (1/2, 1/2).
    assert split["v_rand"] == pytest.approx(2 * 0.375 / (0.5 + 0.375))
    assert split["v_rand_merge"] == 1


def test_the_pairs_of_pixels_counted_one_by_one_give_the_same_rand_score() -> None:
    true_HW, pred_HW = blobs(3, 12), blobs(4, 12)
    inside = true_HW > 0
    t, s = true_HW[inside], pred_HW[inside]
    same_t, same_s = t[:, None] == t, s[:, None] == s
    expected = 2 * (same_t & same_s).sum() / (same_t.sum() + same_s.sum())
    assert connectomics.overlap(true_HW, pred_HW).scores()["v_rand"] == pytest.approx(expected)


def test_growing_fills_all_true_regions_and_only_them() -> None:
    true_HW = np.zeros((7, 9), int)
    true_HW[1:6, 1:4], true_HW[1:6, 5:8] = 1, 2
    thin_HW = np.zeros((7, 9), int)
    thin_HW[3, 2], thin_HW[3, 6] = 5, 9
    grown_HW = connectomics.grow(thin_HW, true_HW)
    assert (grown_HW[true_HW == 1] == 5).all()
    assert (grown_HW[true_HW == 2] == 9).all()
    assert (grown_HW[true_HW == 0] == 0).all()
    assert connectomics.overlap(true_HW, grown_HW).scores()["v_rand"] == 1


def test_pooled_sections_are_one_large_section() -> None:
    pairs = [(blobs(seed), blobs(seed + 50)) for seed in range(3)]
    pooled = sum(
        (connectomics.overlap(*pair) for pair in pairs[1:]), start=connectomics.overlap(*pairs[0])
    )
    side_by_side = [
        np.concatenate([one + 1000 * index * (one > 0) for index, one in enumerate(column)], axis=1)
        for column in zip(*pairs, strict=True)
    ]
    # The predicted background is a region of each section: it gets a name of its own, too.
    for index, (_, pred_HW) in enumerate(pairs):
        part = slice(40 * index, 40 * (index + 1))
        side_by_side[1][:, part][pred_HW == 0] = 10_000 + index
    expected = connectomics.overlap(*side_by_side).scores()
    assert pooled.scores() == pytest.approx(expected)


def test_true_membranes_score_one_and_a_gap_in_them_shows(real_data: Path) -> None:
    sample = datasets.load("isbi2012", "val", "section-25")
    true_HW = sample.labels_HW
    perfect = connectomics.curve([(true_HW, (true_HW > 0).astype(np.float32))], (0.0, 0.5))
    assert perfect["v_rand"] == perfect["v_info"] == pytest.approx(1)
    assert perfect["pixel_error"] == 0
    open_HW = (true_HW > 0).astype(np.float32)
    open_HW[250:256] = 1  # a few rows without any membrane join many cells
    joined = connectomics.curve([(true_HW, open_HW)], (0.5,))
    assert joined["v_rand"] < 0.8
    assert joined["v_rand_merge"] < joined["v_rand_split"]
    assert joined["pixel_error"] < 0.01


def test_without_true_regions_there_is_no_score() -> None:
    empty_HW = np.zeros((4, 4), int)
    assert np.isnan(connectomics.overlap(empty_HW, empty_HW).scores()["v_rand"])


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        connectomics.overlap(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="at least one section"):
        connectomics.curve([])
