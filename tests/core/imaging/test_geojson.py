"""GeoJSON, as shapely and QuPath understand it."""

import json
from typing import Any

import numpy as np
import pytest
import shapely

from unet_core.imaging import geojson


def renumbered(labels_HW: np.ndarray) -> np.ndarray:
    return np.unique(np.append(0, labels_HW), return_inverse=True)[1][1:].reshape(labels_HW.shape)


def polygon(*corners: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


SQUARE = polygon((1, 1), (3, 1), (3, 3), (1, 3))


def collection(*geometries: Any) -> bytes:
    features = [{"type": "Feature", "geometry": one, "properties": {}} for one in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_shapely_reads_valid_geometries_of_equal_areas(any_labels: np.ndarray) -> None:
    document = json.loads(geojson.encode(any_labels))
    names = [one["properties"]["name"] for one in document["features"]]
    assert names == [str(number) for number in np.unique(any_labels[any_labels > 0])]
    for feature in document["features"]:
        found = shapely.from_geojson(json.dumps(feature["geometry"]))
        is_object_HW = any_labels == int(feature["properties"]["name"])
        assert found.is_valid
        assert found.area == is_object_HW.sum()
        rows, columns = np.mgrid[: any_labels.shape[0], : any_labels.shape[1]] + 0.5
        np.testing.assert_array_equal(shapely.contains_xy(found, columns, rows), is_object_HW)
        assert feature["properties"]["objectType"] == "detection"


def test_labels_come_back_in_the_order_of_the_file(any_labels: np.ndarray) -> None:
    content = geojson.encode(any_labels)
    found = geojson.read(content, any_labels.shape)
    np.testing.assert_array_equal(found.labels_HW, renumbered(any_labels))
    assert found.notes == ()
    assert content == geojson.encode(any_labels)


def test_holes_and_parts_are_written_as_rfc_7946_wants_them() -> None:
    labels_HW = np.zeros((5, 9), int)
    labels_HW[1:4, 1:4] = labels_HW[1, 6] = 4
    labels_HW[2, 2] = 0
    (feature,) = json.loads(geojson.encode(labels_HW))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    (outer, hole), (right,) = feature["geometry"]["coordinates"]
    assert outer[0] == outer[-1]
    assert shapely.LinearRing(outer).is_ccw
    assert not shapely.LinearRing(hole).is_ccw
    assert right == [[7, 1], [7, 2], [6, 2], [6, 1], [7, 1]]


def test_a_list_of_features_and_a_single_one_are_read_as_a_collection_is() -> None:
    expected = geojson.read(collection(SQUARE), (5, 5)).labels_HW
    assert (expected == 1).sum() == 4
    features = json.loads(collection(SQUARE))["features"]
    for document in (features, features[0]):
        found = geojson.read(json.dumps(document).encode(), (5, 5))
        np.testing.assert_array_equal(found.labels_HW, expected)


def test_of_a_cell_its_outline_is_read_and_not_that_of_its_nucleus() -> None:
    feature = {"type": "Feature", "geometry": SQUARE, "properties": {"objectType": "cell"}}
    feature["nucleusGeometry"] = polygon((1, 1), (2, 1), (2, 2))
    found = geojson.read(json.dumps(feature).encode(), (5, 5))
    assert (found.labels_HW == 1).sum() == 4


def test_points_and_lines_are_left_out_and_told() -> None:
    point = {"type": "Point", "coordinates": [1, 1]}
    both = {"type": "GeometryCollection", "geometries": [SQUARE, point]}
    found = geojson.read(collection(point, both, None), (5, 5))
    assert (found.labels_HW == 1).sum() == 4
    assert found.notes == ("Points and lines have no area, and were left out: 2.",)


def test_overlapping_objects_are_told() -> None:
    found = geojson.read(collection(SQUARE, polygon((2, 2), (5, 2), (5, 5), (2, 5))), (5, 5))
    assert "overlap, in 1 pixels" in found.notes[0]


def test_outlines_of_another_image_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Feature 2 lies beside the image, at rows 9 to 12"):
        geojson.read(collection(SQUARE, polygon((1, 9), (1, 12), (4, 12))), (5, 5))


def test_a_height_behind_the_two_coordinates_is_left_out() -> None:
    found = geojson.read(collection(polygon((1, 1, 5), (3, 1, 5), (3, 3, 5), (1, 3, 5))), (5, 5))
    assert (found.labels_HW == 1).sum() == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (collection(SQUARE)[:-9], r"damaged or was cut short, at line 1, column \d+"),
        (b"{", "cut short, at line 1, column 2"),
        (b"\xff\xfe{}", "no text in UTF-8"),
        (b"[" * 100_000, "GeoJSON file is no such file"),
        (b'{"type": "FeatureCollection", "features": [' + b"9" * 5000 + b"]}", "no such file"),
        (b'{"type": "Topology"}', "no GeoJSON of objects"),
        (b"7", "no GeoJSON of objects"),
        (b"[1]", "broken at feature 1"),
        (b"[{}]", "broken at feature 1"),
        (collection(SQUARE, {"type": "Polygon"}), "broken at feature 2"),
        (collection({"type": "Circle"}), "broken at feature 1"),
        (collection({"type": "Polygon", "coordinates": [[1, 2]]}), "broken at feature 1"),
        (collection({"type": "Polygon", "coordinates": [[[1]]]}), "broken at feature 1"),
        (collection(polygon((10**400, 1), (2, 2))), "broken at feature 1"),
        (collection(polygon((float("nan"), 1), (2, 2))), "Feature 1 has corners that are no"),
        (b"", "empty"),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else "",
)
def test_what_is_no_geojson_is_refused_in_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        geojson.read(content, (5, 5))
    assert "\n" not in str(caught.value)


def test_a_file_too_large_to_be_parsed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unet_core.imaging.other_json.MOST_BYTES", 2**20)
    with pytest.raises(ValueError, match="has 2 MiB, more than the 1 MiB that are read"):
        geojson.read(b" " * 2**21, (5, 5))
