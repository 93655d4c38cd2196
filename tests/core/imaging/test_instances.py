import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage import segmentation
from skimage.measure import label
from skimage.morphology import disk

from unet_core.base.config import Segmentation
from unet_core.imaging import targets
from unet_core.imaging.instances import (
    FOR_WATERSHED,
    components,
    fill_object_holes,
    segment,
    watershed,
    watershed_steps,
)

# Written out, for the settings' own defaults are what people like best.
PLAIN = Segmentation(
    threshold=0.5,
    marker_threshold=0.5,
    boundary_weight=1.0,
    min_size=0,
    fill_holes=False,
    drop_border=False,
    connectivity=8,
)
NEW = ("reading", "flood_corners")  # not in files of earlier versions


def draw(*rows):
    return np.array([[int(c) if c.isdigit() else 0 for c in row] for row in rows])


def noise(rng, shape=(60, 80), sigma=2.0):
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def discs(shape, *centres, radius=8):
    """A foreground of overlapping discs, and their outlines as its boundary."""
    rows, columns = np.indices(shape)
    far = np.array([np.hypot(rows - r, columns - c) for r, c in centres])
    owner = np.where(far.min(axis=0) <= radius, far.argmin(axis=0) + 1, 0)
    return (owner > 0).astype(float), segmentation.find_boundaries(owner).astype(float), owner


def assert_same_regions(a, b):
    """Equal up to the numbers of the objects."""
    assert (a > 0).tolist() == (b > 0).tolist()
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    assert len(pairs[0]) == len(np.unique(a)) == len(np.unique(b))


def drop_small(labels, min_size):
    """A slow and plain reference."""
    out = np.zeros_like(labels)
    for i in range(1, labels.max() + 1):
        if (labels == i).sum() >= min_size:
            out[labels == i] = out.max() + 1
    return out


@pytest.mark.parametrize("connectivity", [4, 8])
def test_components_are_those_of_scikit_image(rng, connectivity):
    for _ in range(20):
        prob = noise(rng, sigma=1)
        labels = components(prob, threshold=0.55, connectivity=connectivity)
        expected = label(prob > 0.55, connectivity=1 if connectivity == 4 else 2)
        assert_same_regions(labels, expected)
        assert labels.dtype == np.int32


def test_corners_connect_with_8_neighbours_only():
    prob = draw("110", "001", "001")
    np.testing.assert_array_equal(components(prob), prob)
    np.testing.assert_array_equal(components(prob, connectivity=4), draw("110", "002", "002"))


def test_a_pixel_at_the_threshold_is_background():
    prob = np.array([[0.5, np.nextafter(0.5, 1), 0.2]])
    np.testing.assert_array_equal(components(prob), [[0, 1, 0]])
    np.testing.assert_array_equal(components(prob, threshold=0.1), [[1, 1, 1]])


@pytest.mark.parametrize("min_size", [0, 1, 5, 21, 10**6])
def test_objects_below_the_minimum_size_are_dropped_and_the_rest_renumbered(rng, min_size):
    prob = noise(rng, sigma=1)
    labels = components(prob, threshold=0.55, min_size=min_size)
    np.testing.assert_array_equal(labels, drop_small(components(prob, threshold=0.55), min_size))


def test_an_object_of_exactly_the_minimum_size_stays():
    prob = draw("1101011", "1100000")
    np.testing.assert_array_equal(components(prob, min_size=2), draw("1100022", "1100000"))
    np.testing.assert_array_equal(components(prob, min_size=4), draw("1100000", "1100000"))


def test_objects_at_any_edge_are_dropped():
    prob = draw("0100000", "0000000", "0011001", "1000000", "0000010")
    expected = draw("0000000", "0000000", "0011000", "0000000", "0000000")
    np.testing.assert_array_equal(components(prob, drop_border=True), expected)


def test_dropping_border_objects_equals_clear_border(rng):
    prob = noise(rng)
    labels = components(prob, threshold=0.6)
    kept = components(prob, threshold=0.6, drop_border=True)
    assert 0 < kept.max() < labels.max()
    assert_same_regions(kept, segmentation.clear_border(labels))


def test_holes_are_filled_before_sizes_are_compared():
    ring = draw("00000", "01110", "01010", "01110", "00000")
    np.testing.assert_array_equal(components(ring, min_size=9), np.zeros((5, 5)))
    filled = draw("00000", "01110", "01110", "01110", "00000")
    np.testing.assert_array_equal(components(ring, min_size=9, fill_holes=True), filled)


def slow_fill(labels):
    """Every object's holes alone, smaller fillings last, so that the innermost object wins."""
    filled = [ndimage.binary_fill_holes(labels == i) for i in range(1, labels.max() + 1)]
    out = labels.copy()
    for i in np.argsort([-one.sum() for one in filled]):
        out[filled[i] & (labels == 0)] = i + 1
    return out


def test_filled_holes_are_those_of_binary_fill_holes_per_object(rng):
    filled_pixels = 0
    for _ in range(30):
        labels = components(noise(rng, sigma=1), threshold=0.45)
        # Objects that meet along stripes enclose gaps together, too.
        labels = np.where(labels > 0, 2 * labels - np.arange(80) // 20 % 2, 0)
        filled = fill_object_holes(labels)
        np.testing.assert_array_equal(filled, slow_fill(labels))
        filled_pixels += (filled != labels).sum()
    assert filled_pixels > 500


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # A gap between two objects that touch in a ring is nobody's hole.
        (draw("11122", "10002", "11222"), None),
        # Open to the border, also through the image's edge.
        (draw("11111", "10001", "10111"), None),
        (draw("10001", "10001", "11111"), None),
        # A hole that is closed by corners only.
        (draw("00100", "01010", "00100"), draw("00100", "01110", "00100")),
        # An object inside another one's hole stays; what is around it belongs to the outer.
        (
            draw("1111111", "1000001", "1022201", "1020201", "1022201", "1000001", "1111111"),
            draw("1111111", "1111111", "1122211", "1122211", "1122211", "1111111", "1111111"),
        ),
        # Two objects that touch inside the hole of a third.
        (
            draw("111111", "100001", "102301", "100001", "111111"),
            draw("111111", "111111", "112311", "111111", "111111"),
        ),
        (np.ones((1, 1), int), None),
        (np.zeros((3, 3), int), None),
        (np.zeros((0, 3), int), None),
    ],
)
def test_hand_drawn_holes(labels, expected):
    filled = fill_object_holes(labels)
    np.testing.assert_array_equal(filled, labels if expected is None else expected)


def plain_watershed(foreground, boundary, options):
    one_or_two = 1 if options.connectivity == 4 else 2
    mask = foreground > options.threshold
    sure = foreground - options.boundary_weight * boundary > options.marker_threshold
    markers = label(mask & sure, connectivity=one_or_two)
    return segmentation.watershed(boundary, markers, mask=mask, connectivity=one_or_two)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("marker_threshold", [-0.1, 0.1, 0.3])
def test_watershed_follows_its_definition(rng, connectivity, marker_threshold):
    options = Segmentation(
        threshold=0.4,
        marker_threshold=marker_threshold,
        boundary_weight=0.7,
        fill_holes=False,
        connectivity=connectivity,
    )
    for _ in range(5):
        foreground, boundary = noise(rng, sigma=3), noise(rng)
        labels = segment(foreground, boundary, options)
        expected = plain_watershed(foreground, boundary, options)
        assert_same_regions(labels, expected)
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
        assert labels.dtype == np.int32


@pytest.mark.parametrize("boundary", ["thick", "inner"])
def test_the_inside_alone_with_a_flood_beside_each_other_is_the_tutorials_watershed(rng, boundary):
    options = Segmentation(reading="inside", flood_corners=False, fill_holes=False)
    objects = differing = 0
    for _ in range(10):
        logits = 4 * np.stack([noise(rng, sigma=1.5) for _ in range(3)])
        prob = np.exp(logits) / np.exp(logits).sum(axis=0)
        prob = (prob - prob.min()) / np.ptp(prob)
        inside, edge = prob[1], prob[2]
        # "Segmentation with U-Net": cores without the edge, flooded inside the inside class.
        cores = label(inside - edge > 0.5)
        expected = segmentation.watershed(edge, cores, mask=inside > 0.5)
        found = segment(*targets.decode(prob, "three-class", boundary, "inside"), options)
        assert_same_regions(found, expected)
        usual = segment(*targets.decode(prob, "three-class", boundary), PLAIN)
        objects, differing = objects + found.max(), differing + (usual != found).sum()
    assert objects > 100
    assert differing > 1000


@pytest.mark.parametrize("connectivity", [4, 8])
def test_settings_from_before_there_was_a_reading_segment_as_they_did(rng, connectivity):
    now = Segmentation(marker_threshold=0.3, boundary_weight=0.5, fill_holes=False)
    now = now.replace(connectivity=connectivity)
    old = {key: value for key, value in now.to_dict().items() if key not in NEW}
    assert len(old) == 8
    foreground, boundary = noise(rng, sigma=1), noise(rng)
    labels = segment(foreground, boundary, Segmentation.from_dict(old))
    assert labels.max() > 20
    assert_same_regions(labels, plain_watershed(foreground, boundary, now))


def test_objects_grow_across_corners_unless_they_are_told_not_to():
    foreground = np.array([[0.9, 0.0], [0.0, 0.6]])
    boundary = np.array([[0.0, 0.0], [0.0, 0.5]])
    assert watershed(foreground, boundary).tolist() == [[1, 0], [0, 1]]
    assert watershed(foreground, boundary, flood_corners=False).tolist() == [[1, 0], [0, 0]]
    # Their markers are connected as before.
    flat = watershed(foreground, 0 * boundary, flood_corners=False)
    assert flat.tolist() == [[1, 0], [0, 1]]


def test_touching_discs_are_parted_along_their_boundary():
    foreground, boundary, owner = discs((30, 50), (15, 12), (15, 26), (14, 38))
    labels = watershed(foreground, boundary)
    assert labels.max() == 3
    assert components(foreground).max() == 1
    np.testing.assert_array_equal(labels > 0, foreground > 0)
    for i in (1, 2, 3):
        found = np.bincount(labels[owner == i]).argmax()
        overlap = ((owner == i) & (labels == found)).sum()
        assert overlap / ((owner == i) | (labels == found)).sum() > 0.9


def test_true_targets_give_the_true_nuclei_back(real_data):
    from unet_core.imaging.matching import Counts, match

    total = Counts()
    for path in sorted((real_data / "dsb2018" / "test" / "masks").glob("*.tif"))[::5]:
        true = tifffile.imread(path)
        inner = segmentation.find_boundaries(true, mode="inner")
        total += match(true, watershed(true > 0, inner, connectivity=4), 0.7)
    assert total.n_true > 300
    assert total.f1 > 0.95


def test_a_region_without_a_marker_is_no_object():
    foreground = np.array([[0.9, 0.9, 0, 0.6, 0.6]])
    boundary = np.array([[0.1, 0.1, 0, 0.4, 0.4]])
    np.testing.assert_array_equal(watershed(foreground, boundary), [[1, 1, 0, 0, 0]])


@pytest.mark.parametrize("method", ["watershed", "components"])
def test_every_object_is_one_connected_region_whatever_the_settings(rng, method):
    n_objects = 0
    for _ in range(150):
        options = Segmentation(
            method=method,
            threshold=rng.uniform(0.2, 0.8),
            marker_threshold=rng.uniform(-0.5, 0.8),
            boundary_weight=rng.uniform(0, 3),
            min_size=rng.integers(0, 20).item(),
            fill_holes=bool(rng.integers(2)),
            drop_border=bool(rng.integers(2)),
            connectivity=4 * rng.integers(1, 3).item(),
            flood_corners=bool(rng.integers(2)),
        )
        labels = segment(noise(rng, sigma=rng.uniform(0.5, 3)), noise(rng), options)
        pieces = label(labels, connectivity=1 if options.connectivity == 4 else 2)
        assert pieces.max() == labels.max(), options
        n_objects += labels.max()
    assert n_objects > 1000


def test_a_marker_that_the_mask_cuts_in_two_makes_two_objects():
    foreground = np.array([[0.9, 0.5, 0.9]])
    cut = {"threshold": 0.6, "marker_threshold": 0.3}
    np.testing.assert_array_equal(watershed(foreground, 0 * foreground, **cut), [[1, 0, 2]])


def test_a_marker_outside_the_mask_leaves_no_gap_in_the_labels():
    foreground = np.array([[0.5, 0, 0.9, 0, 0.9]])
    labels = watershed(foreground, np.zeros((1, 5)), threshold=0.6, marker_threshold=0.3)
    np.testing.assert_array_equal(labels, [[0, 0, 1, 0, 2]])


def test_without_boundary_weight_the_watershed_is_components(rng):
    foreground, boundary = noise(rng), noise(rng)
    for marker_threshold in (0.6, 0.2):
        options = {"threshold": 0.6, "marker_threshold": marker_threshold, "boundary_weight": 0}
        labels = watershed(foreground, boundary, **options)
        np.testing.assert_array_equal(labels, components(foreground, threshold=0.6))


def test_the_steps_are_what_the_result_was_made_of(rng):
    foreground, boundary = noise(rng), noise(rng)
    steps = watershed_steps(
        foreground, boundary, threshold=0.4, marker_threshold=0.2, boundary_weight=0.5, min_size=9
    )
    np.testing.assert_allclose(steps.difference_HW, foreground - 0.5 * boundary, rtol=1e-6)
    sure = (steps.difference_HW > 0.2) & steps.mask_HW
    assert_same_regions(steps.markers_HW, label(sure, connectivity=2))
    np.testing.assert_array_equal(steps.height_HW, boundary)
    np.testing.assert_array_equal(steps.mask_HW, foreground > np.float32(0.4))
    flooded = segmentation.watershed(
        steps.height_HW, steps.markers_HW, mask=steps.mask_HW, connectivity=2
    )
    np.testing.assert_array_equal(steps.labels_HW, drop_small(flooded, 9))


def test_the_watershed_takes_size_hole_and_border_options():
    foreground, boundary, _ = discs((40, 60), (8, 5), (20, 30), (20, 43))
    foreground[20, 30] = boundary[20, 30] = 0
    plain = watershed(foreground, boundary)
    assert plain.max() == 3
    inside = watershed(foreground, boundary, drop_border=True)
    assert_same_regions(inside, np.where(plain == plain[8, 5], 0, plain))
    assert watershed(foreground, boundary, fill_holes=True)[20, 30] == plain[20, 31] > 0
    assert plain[20, 30] == 0
    assert watershed(foreground, boundary, min_size=10**4).max() == 0


def test_segment_obeys_every_option():
    foreground, boundary, _ = discs((40, 60), (8, 5), (20, 30), (20, 43))
    foreground[20, 30] = boundary[20, 30] = 0
    foreground, boundary = 0.9 * foreground, 0.8 * boundary
    for option in (
        {},
        {"threshold": 0.95},
        {"marker_threshold": 0.05},
        {"boundary_weight": 0.1},
        {"min_size": 195},
        {"fill_holes": True},
        {"drop_border": True},
        {"connectivity": 4},
        {"flood_corners": False},
    ):
        expected = watershed(foreground, boundary, **option)
        np.testing.assert_array_equal(
            segment(foreground, boundary, PLAIN.replace(**option)), expected
        )
        if option and not {"connectivity", "flood_corners"} & set(option):
            assert (expected != watershed(foreground, boundary)).any(), option
        for unused in FOR_WATERSHED:
            option.pop(unused, None)
        np.testing.assert_array_equal(
            segment(foreground, None, PLAIN.replace(method="components", **option)),
            components(foreground, **option),
        )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (0, 5), (20, 20)])
@pytest.mark.parametrize("fill_holes", [False, True])
def test_nothing_found_is_an_empty_result(shape, fill_holes):
    nothing = np.zeros(shape, np.float32)
    for labels in (
        components(nothing, fill_holes=fill_holes, drop_border=True, min_size=3),
        watershed(nothing, nothing, fill_holes=fill_holes, drop_border=True, min_size=3),
        watershed(nothing + 1, nothing + 1, fill_holes=fill_holes),
    ):
        assert labels.shape == shape
        assert labels.dtype == np.int32
        assert not labels.any()


def test_one_bright_pixel_is_one_object():
    one = np.ones((1, 1))
    assert components(one).tolist() == watershed(one, 0 * one).tolist() == [[1]]
    assert components(one, drop_border=True).tolist() == [[0]]


def test_booleans_whole_numbers_and_every_float_are_probabilities():
    mask = np.pad(disk(3), 2)
    for dtype in (bool, np.uint8, np.int64, np.float16, np.float32, np.float64):
        assert components(mask.astype(dtype)).max() == 1
        assert watershed(mask.astype(dtype), np.zeros_like(mask, dtype=dtype)).max() == 1


def test_inputs_stay_as_they_were(rng):
    foreground, boundary = noise(rng), noise(rng)
    before = foreground.copy(), boundary.copy()
    watershed(foreground, boundary, fill_holes=True, min_size=5, drop_border=True)
    np.testing.assert_array_equal((foreground, boundary), before)


GOOD = np.zeros((3, 4))


@pytest.mark.parametrize(
    ("foreground", "boundary", "options", "message"),
    [
        (GOOD, GOOD.T, {}, r"same shape, got \(3, 4\) and \(4, 3\)"),
        (GOOD + np.nan, GOOD, {}, "foreground must be finite everywhere"),
        (GOOD, GOOD + np.inf, {}, "boundary must be finite everywhere"),
        (GOOD[None], GOOD[None], {}, "foreground must have two axes"),
        (GOOD.astype(complex), GOOD, {}, "foreground must hold real numbers, got complex128"),
        (GOOD, GOOD, {"connectivity": 6}, "connectivity must be 4 or 8, got 6"),
        (GOOD, GOOD, {"min_size": -1}, "min_size must not be negative, got -1"),
        (GOOD, GOOD, {"threshold": float("nan")}, "threshold must be a finite number"),
        (GOOD, GOOD, {"boundary_weight": float("inf")}, "boundary_weight must be a finite"),
        (GOOD, GOOD, {"marker_threshold": float("nan")}, "marker_threshold must be a finite"),
    ],
)
def test_bad_input_is_refused(foreground, boundary, options, message):
    with pytest.raises(ValueError, match=message):
        watershed(foreground, boundary, **options)


def test_components_refuse_bad_input_too():
    for bad, options in ((GOOD + np.nan, {}), (GOOD[0], {}), (GOOD, {"connectivity": 1})):
        with pytest.raises(ValueError, match="must"):
            components(bad, **options)


def test_a_watershed_without_boundary_channel_says_what_to_do():
    with pytest.raises(ValueError, match="choose the method components"):
        segment(GOOD, None, PLAIN)
