import time

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import label

from unet_core.imaging.weight_map import balance, profile, weight_map


def brute_force(labels, w0=10, sigma=5):
    """Equation 2 with one distance transform of the whole image for every object."""
    distances = [ndimage.distance_transform_edt(labels != i) for i in np.unique(labels) if i]
    d1, d2 = np.sort(distances, axis=0)[:2]
    return 1 + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2)) * (labels == 0)


@pytest.mark.parametrize(("w0", "sigma"), [(10, 5), (3, 1), (1, 2.5), (10, 30)])
def test_the_map_equals_brute_force_on_random_blobs(rng, w0, sigma):
    for shape in ((70, 90), (40, 200)):
        labels = label(ndimage.gaussian_filter(rng.normal(size=shape), 2.5) > 0.08)
        assert labels.max() > 5
        expected = brute_force(labels, w0, sigma)
        np.testing.assert_allclose(weight_map(labels, w0, sigma), expected, atol=1e-5)


def test_the_map_equals_brute_force_on_real_nuclei(real_data):
    paths = sorted((real_data / "dsb2018" / "test" / "masks").glob("*.tif"))
    images = [labels[:200, :200] for labels in map(tifffile.imread, paths[::13])]
    for labels in images:
        np.testing.assert_allclose(weight_map(labels), brute_force(labels), atol=1e-5)
    assert max(weight_map(labels).max() for labels in images) > 5


def test_a_section_of_membranes_takes_less_than_300_ms(real_data):
    section = tifffile.imread(real_data / "isbi2012" / "train-labels.tif", key=0)
    labels = label(section > 0, connectivity=1)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        weight_map(labels)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.3
    corner = labels[:150, :150]
    expected = brute_force(corner)
    assert expected.max() > 5
    np.testing.assert_allclose(weight_map(corner), expected, atol=1e-5)


def test_hand_computed_gap_between_two_objects():
    weights = weight_map(np.array([[1, 0, 0, 0, 2]]), w0=10, sigma=5)
    gap = 1 + 10 * np.exp(-16 / 50)
    np.testing.assert_allclose(weights, [[1, gap, gap, gap, 1]], rtol=1e-6)
    assert weights.dtype == np.float32


def test_beyond_both_objects_the_second_distance_is_to_the_far_one():
    weights = weight_map(np.array([[1, 0, 2, 0, 0]]), w0=1, sigma=1, class_weights=(0, 0))
    expected = np.exp(-np.array([(1 + 1) ** 2, (1 + 3) ** 2, (2 + 4) ** 2]) / 2)
    np.testing.assert_allclose(weights[0, [1, 3, 4]], expected, rtol=1e-5)


@pytest.mark.parametrize("labels", [np.zeros((4, 5), int), np.eye(5, dtype=int) * 9])
def test_with_fewer_than_two_objects_only_the_class_weights_stand(labels):
    np.testing.assert_array_equal(weight_map(labels), np.ones(labels.shape))
    expected = np.where(labels > 0, 3, 0.5)
    np.testing.assert_array_equal(weight_map(labels, class_weights=(0.5, 3)), expected)


def test_class_weights_are_added_to_the_border_term():
    labels = np.array([[1, 1, 0, 2, 0, 0]])
    border = weight_map(labels, class_weights=(0, 0))
    total = weight_map(labels, class_weights=(0.5, 3))
    np.testing.assert_allclose(total - border, [[3, 3, 0.5, 3, 0.5, 0.5]], rtol=1e-6)
    assert (border[labels > 0] == 0).all()
    np.testing.assert_array_equal(weight_map(labels, w0=0, class_weights=(2, 2)), [[2] * 6])


def test_label_values_and_order_do_not_matter(rng):
    labels = label(ndimage.gaussian_filter(rng.normal(size=(50, 60)), 2) > 0.1)
    other = np.concatenate([[0], rng.permutation(labels.max()) * 10**7 + 1])[labels]
    np.testing.assert_array_equal(weight_map(other), weight_map(labels))
    np.testing.assert_array_equal(weight_map(labels.astype(np.uint8)), weight_map(labels))


def test_the_map_turns_and_flips_with_the_image(rng):
    labels = label(ndimage.gaussian_filter(rng.normal(size=(50, 60)), 2) > 0.1)
    weights = weight_map(labels)
    np.testing.assert_allclose(weight_map(labels.T), weights.T, rtol=1e-6)
    np.testing.assert_allclose(weight_map(labels[::-1]), weights[::-1], rtol=1e-6)


def test_without_pixels_the_map_is_empty():
    assert weight_map(np.zeros((0, 7), int)).shape == (0, 7)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros((2, 2, 2), int), {}, "two axes"),
        (np.zeros((2, 2)), {}, "whole numbers, got float64"),
        (np.full((2, 2), -1), {}, "negative labels, got -1"),
        (np.eye(2, dtype=int), {"w0": -1}, "w0 must be at least 0, got -1"),
        (np.eye(2, dtype=int), {"w0": float("nan")}, "w0 must be at least 0"),
        (np.eye(2, dtype=int), {"sigma": 0}, "sigma must be above 0, got 0"),
        (np.eye(2, dtype=int), {"class_weights": (1, 1, 5)}, "two numbers"),
    ],
)
def test_bad_input_is_refused(labels, options, message):
    with pytest.raises(ValueError, match=message):
        weight_map(labels, **options)


# --- along a line --------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [((0, 0), (0, 89)), ((69, 30), (0, 30)), ((5, 80), (60, 3))])
def test_a_profile_has_the_weights_of_the_map_and_the_distances_of_brute_force(rng, ends):
    labels = label(ndimage.gaussian_filter(rng.normal(size=(70, 90)), 2.5) > 0.08)
    distances = [ndimage.distance_transform_edt(labels != i) for i in np.unique(labels) if i]
    d1, d2 = np.sort(distances, axis=0)[:2]
    found = profile(labels, *ends, w0=7, sigma=4, class_weights=(0.5, 3))
    at = found.row_P, found.column_P
    expected = weight_map(labels, 7, 4, class_weights=(0.5, 3))
    np.testing.assert_allclose(found.weight_P, expected[at], atol=1e-5)
    np.testing.assert_allclose(found.nearest_P, d1[at])
    np.testing.assert_allclose(found.second_P, d2[at])
    np.testing.assert_array_equal(found.label_P, labels[at])
    assert (found.weight_P > 1).any()


def test_a_profile_goes_from_one_end_to_the_other_without_a_gap():
    found = profile(np.zeros((9, 20), int), (8, 1), (2, 18))
    assert list(zip(found.row_P, found.column_P, strict=True))[:: len(found.row_P) - 1] == [
        (8, 1),
        (2, 18),
    ]
    assert (np.diff(found.column_P) == 1).all()
    assert set(np.diff(found.row_P)) == {0, -1}


def test_a_profile_of_one_pixel_and_distances_that_do_not_exist():
    one = profile(np.array([[1, 0, 0]]), (0, 2), (0, 2))
    assert (one.nearest_P.tolist(), one.second_P.tolist()) == ([2.0], [np.inf])
    assert one.weight_P.tolist() == [1.0]
    assert profile(np.zeros((2, 2), int), (0, 0), (1, 1)).nearest_P.tolist() == [np.inf] * 2


@pytest.mark.parametrize(
    ("ends", "options", "sentence"),
    [
        (((0, 0), (0, 5)), {}, r"stop must lie in the image of \(2, 5\), got \(0, 5\)"),
        (((-1, 0), (0, 1)), {}, "start must lie in the image"),
        (((0, 0), (0, 1)), {"sigma": 0}, "sigma must be above 0"),
        (((0, 0), (0, 1)), {"class_weights": (1,)}, "class_weights must be two numbers"),
    ],
)
def test_a_profile_refuses_what_cannot_be(ends, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        profile(np.zeros((2, 5), int), *ends, **options)


def test_balanced_classes_count_alike_and_one_on_average():
    labels = np.zeros((10, 10), int)
    labels[:2] = 3
    background, inside = balance((0.8, 0.2))
    assert (background, inside) == (0.625, 2.5)
    weights = weight_map(labels, class_weights=(background, inside))
    assert weights.mean() == pytest.approx(1)
    assert weights[labels > 0].sum() == pytest.approx(weights[labels == 0].sum())


def test_an_absent_class_keeps_one():
    assert balance((1.0, 0.0)) == balance((0.0, 1.0)) == balance((0.0, 0.0)) == (1, 1)
    assert balance((0.5, 0.25, 0.25, 0)) == pytest.approx((2 / 3, 4 / 3, 4 / 3, 1))
