import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.draw import ellipse
from skimage.measure import label, regionprops_table

from unet_core.imaging.measure import COLUMNS, measure

REGIONPROPS = [
    "label",
    "area",
    "equivalent_diameter_area",
    "eccentricity",
    "solidity",
    "intensity_mean",
    "centroid",
    "bbox",
    "perimeter",
    "orientation",
    "axis_major_length",
    "axis_minor_length",
]


def draw(*rows):
    return np.array([[int(c) for c in row] for row in rows])


def blobs(rng, shape=(80, 90), sigma=2.0, threshold=0.05):
    return label(ndimage.gaussian_filter(rng.normal(size=shape), sigma) > threshold)


def assert_agrees_with_regionprops(labels, pixels):
    table = measure(labels, pixels)
    expected = pd.DataFrame(regionprops_table(labels, pixels, properties=REGIONPROPS))
    for name in expected.columns.drop(["orientation", "eccentricity"]):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-9, err_msg=name)
    # The root takes rounding near a circle from 1e-16 to 1e-8.
    np.testing.assert_allclose(table.eccentricity, expected.eccentricity, atol=1e-6)
    # Round objects have no direction, and a line's two directions are the same one.
    long = expected.eccentricity > 1e-3
    turn = (table.orientation - expected.orientation)[long]
    np.testing.assert_allclose(np.sin(turn), 0, atol=1e-8)
    return table


def test_real_nuclei_measure_as_with_regionprops(real_data):
    seen = 0
    for path in sorted((real_data / "dsb2018" / "test" / "masks").glob("*.tif"))[::6]:
        labels = tifffile.imread(path).astype(np.int32)
        pixels = tifffile.imread(real_data / "dsb2018" / "test" / "images" / path.name)
        seen += len(assert_agrees_with_regionprops(labels, pixels))
    assert seen > 200


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 5])
def test_random_blobs_measure_as_with_regionprops(rng, sigma):
    for _ in range(5):
        labels = blobs(rng, sigma=sigma, threshold=0.05 / sigma)
        pixels = rng.normal(size=labels.shape).astype(np.float32)
        assert_agrees_with_regionprops(labels, pixels.astype(float))


def test_scattered_pixels_of_one_label_measure_as_with_regionprops(rng):
    for _ in range(50):
        labels = rng.integers(0, 3, (12, 15)) * (rng.random((12, 15)) < 0.08)
        labels[0, 0] = 1
        assert_agrees_with_regionprops(labels, rng.random((12, 15)))


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 4, 1.2, np.pi / 2])
def test_a_drawn_ellipse_has_its_axes_and_direction(angle):
    labels = np.zeros((200, 200), int)
    labels[ellipse(100, 90, 60, 25, rotation=angle)] = 7
    row = measure(labels).iloc[0]
    assert (row["centroid-0"], row["centroid-1"]) == pytest.approx((100, 90), abs=0.1)
    assert row.axis_major_length == pytest.approx(120, rel=0.01)
    assert row.axis_minor_length == pytest.approx(50, rel=0.01)
    assert row.eccentricity == pytest.approx(np.sqrt(1 - (25 / 60) ** 2), abs=0.01)
    assert np.sin(row.orientation - angle) == pytest.approx(0, abs=0.01)
    assert row.area == pytest.approx(np.pi * 60 * 25, rel=0.01)
    assert row.solidity > 0.97
    assert not row.touching


def test_hand_measured_objects():
    labels = draw("1110000", "1000022", "1000022")
    pixels = np.arange(21).reshape(3, 7)
    table = measure(labels, pixels)
    assert table.area.tolist() == [5, 4]
    assert table["centroid-0"].tolist() == [0.6, 1.5]
    assert table["centroid-1"].tolist() == [0.6, 5.5]
    assert table[[f"bbox-{i}" for i in range(4)]].values.tolist() == [[0, 0, 3, 3], [1, 5, 3, 7]]
    assert table.intensity_mean.tolist() == [(0 + 1 + 2 + 7 + 14) / 5, (12 + 13 + 19 + 20) / 4]
    # The hull of the L holds the pixel in its inner corner.
    assert table.solidity.tolist() == [5 / 6, 1]
    assert table.perimeter.tolist()[1] == 4
    distance = np.hypot(0.9, 4.9)
    np.testing.assert_allclose(table.nearest_neighbour_distance, [distance, distance])


def test_a_single_pixel_has_a_finite_row():
    table = assert_agrees_with_regionprops(draw("000", "010", "000"), np.ones((3, 3)))
    row = table.iloc[0]
    assert (row.area, row.solidity, row.perimeter, row.eccentricity) == (1, 1, 0, 0)
    assert np.isnan(row.nearest_neighbour_distance)


def test_nearest_neighbours_are_those_of_all_distances(rng):
    table = measure(blobs(rng))
    centroids = table[["centroid-0", "centroid-1"]].to_numpy()
    distances = cdist(centroids, centroids)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(table.nearest_neighbour_distance, distances.min(axis=0))


def test_two_objects_with_one_centre_are_at_distance_nought():
    table = measure(draw("111", "121", "111"))
    assert table.nearest_neighbour_distance.tolist() == [0, 0]
    assert table.touching.tolist() == [True, True]


@pytest.mark.parametrize(
    ("labels", "touching"),
    [
        (draw("1100", "0022"), [True, True]),
        (draw("1020", "0000"), [False, False]),
        (draw("0120", "0000", "0003"), [True, True, False]),
        (draw("1000", "0000", "0200", "0030"), [False, True, True]),
        # The last pixel of a row is no neighbour of the first one of the next.
        (draw("0001", "2000"), [False, False]),
        (draw("1111", "1111"), [False]),
    ],
)
def test_touching_counts_corners_but_not_the_own_pixels(labels, touching):
    assert measure(labels).touching.tolist() == touching


def test_touching_equals_a_dilation_per_object(rng):
    labels = blobs(rng, sigma=1)
    labels[:, ::2] += (labels[:, ::2] > 0) * 1000
    table = measure(labels)
    for row in table.sample(30, random_state=0).itertuples():
        grown = ndimage.binary_dilation(labels == row.label, np.ones((3, 3)))
        assert row.touching == bool(set(np.unique(labels[grown])) - {0, row.label})
    assert table.touching.mean() > 0


def test_columns_keep_their_order_and_types_also_without_objects(rng):
    pixels = rng.random((20, 20))
    full = measure(blobs(rng, (20, 20)), pixels, pixel_size_um=0.5)
    for labels in (np.zeros((20, 20), np.uint16), np.zeros((20, 20), int)):
        empty = measure(labels, pixels, pixel_size_um=0.5)
        assert len(empty) == 0
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()
        assert list(empty.columns) == list(full.columns)
    assert tuple(measure(np.zeros((20, 20), int), pixels).columns) == COLUMNS
    without = [name for name in COLUMNS if name != "intensity_mean"]
    assert list(measure(np.zeros((0, 4), int)).columns) == without


def test_micrometres_come_only_with_a_pixel_size(rng):
    labels = blobs(rng)
    plain, scaled = measure(labels), measure(labels, pixel_size_um=0.5)
    assert not [name for name in plain.columns if "_um" in name]
    assert [name for name in scaled.columns if name not in plain.columns] == [
        "equivalent_diameter_area_um",
        "perimeter_um",
        "axis_major_length_um",
        "axis_minor_length_um",
        "nearest_neighbour_distance_um",
        "area_um2",
    ]
    pd.testing.assert_frame_equal(scaled[plain.columns], plain)
    np.testing.assert_allclose(scaled.perimeter_um, plain.perimeter / 2)
    np.testing.assert_allclose(scaled.area_um2, plain.area / 4)
    np.testing.assert_allclose(
        scaled.equivalent_diameter_area_um, 2 * np.sqrt(scaled.area_um2 / np.pi)
    )


def test_label_values_do_not_change_the_measurements(rng):
    labels = blobs(rng)
    far = labels.astype(np.int64) * 10**9
    table = measure(far)
    assert table.label.tolist() == (np.arange(1, labels.max() + 1) * 10**9).tolist()
    pd.testing.assert_frame_equal(
        table.drop(columns="label"), measure(labels).drop(columns="label")
    )


def test_moving_an_object_changes_nothing_but_its_place(rng):
    labels = np.pad(blobs(rng, (30, 30)), 1)
    moved = np.pad(labels, ((1000, 0), (7, 3)))
    places = [name for name in COLUMNS if name.startswith(("centroid", "bbox"))]
    one, other = measure(labels), measure(moved)
    np.testing.assert_allclose(other["centroid-0"], one["centroid-0"] + 1000)
    assert (other["bbox-1"] == one["bbox-1"] + 7).all()
    pd.testing.assert_frame_equal(
        one.drop(columns=places), other.drop(columns=places), rtol=1e-7, atol=1e-6
    )


GOOD = np.ones((2, 3), int)


@pytest.mark.parametrize(
    ("labels", "pixels", "pixel_size_um", "message"),
    [
        (GOOD * 1.0, None, None, "labels_HW must hold whole numbers"),
        (-GOOD, None, None, "labels_HW must not hold negative labels"),
        (GOOD[0], None, None, "labels_HW must have two axes"),
        (GOOD, np.ones((2, 3, 3)), None, r"shape of labels_HW, got \(2, 3, 3\) and \(2, 3\)"),
        (GOOD, None, 0, "pixel_size_um must be above 0, got 0"),
        (GOOD, None, float("nan"), "pixel_size_um must be above 0, got nan"),
    ],
)
def test_bad_input_is_refused(labels, pixels, pixel_size_um, message):
    with pytest.raises(ValueError, match=message):
        measure(labels, pixels, pixel_size_um=pixel_size_um)
