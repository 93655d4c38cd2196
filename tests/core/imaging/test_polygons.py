"""Outlines along the sides of pixels: shapely says whether they are right."""

import numpy as np
import pytest
import shapely

from unet_core.imaging import polygons


def as_shapely(found: list[polygons.Polygon]) -> shapely.MultiPolygon:
    return shapely.MultiPolygon(
        [shapely.Polygon(outer[:, ::-1], [hole[:, ::-1] for hole in holes])
         for outer, *holes in found]
    )  # fmt: skip


def draw(polygon: polygons.Polygon, shape: tuple[int, int]) -> np.ndarray:
    found, mask_HW = polygons.fill(polygon, shape), np.zeros(shape, bool)
    height, width = found.mask_HW.shape
    mask_HW[found.row : found.row + height, found.column : found.column + width] = found.mask_HW
    return mask_HW


def test_outlines_are_valid_and_their_areas_are_numbers_of_pixels(any_labels: np.ndarray) -> None:
    found = polygons.trace(any_labels)
    assert list(found) == np.unique(any_labels[any_labels > 0]).tolist()
    for number, parts in found.items():
        shape = as_shapely(parts)
        assert shape.is_valid, shapely.is_valid_reason(shape)
        assert shape.area == (any_labels == number).sum()


def test_drawn_outlines_are_the_objects_again(any_labels: np.ndarray) -> None:
    again = np.zeros_like(any_labels)
    for number, parts in polygons.trace(any_labels).items():
        for polygon in parts:
            again[draw(polygon, any_labels.shape)] += number
    np.testing.assert_array_equal(again, any_labels)


def test_outer_rings_run_one_way_and_holes_the_other(any_labels: np.ndarray) -> None:
    for parts in polygons.trace(any_labels).values():
        for outer, *holes in parts:
            assert shapely.LinearRing(outer[:, ::-1]).is_ccw
            assert not any(shapely.LinearRing(hole[:, ::-1]).is_ccw for hole in holes)


def test_an_outline_turns_at_each_of_its_corners(any_labels: np.ndarray) -> None:
    for parts in polygons.trace(any_labels).values():
        for ring in (ring for polygon in parts for ring in polygon):
            steps = np.roll(ring, -1, axis=0) - ring
            after = np.roll(steps, -1, axis=0)
            assert (np.abs(steps[:, 0] * after[:, 1] - steps[:, 1] * after[:, 0]) > 0).all()


def test_a_hole_belongs_to_the_part_around_it() -> None:
    labels_HW = np.zeros((7, 12), int)
    labels_HW[1:6, 1:6] = labels_HW[1:6, 7:10] = 1
    labels_HW[2:4, 2:4] = 0
    (left, hole), (right,) = polygons.trace(labels_HW)[1]
    assert left.tolist() == [[1, 6], [6, 6], [6, 1], [1, 1]]
    assert sorted(hole.tolist()) == [[2, 2], [2, 4], [4, 2], [4, 4]]
    assert right[:, 1].min() == 7


@pytest.mark.parametrize("seed", range(8))
def test_filling_takes_the_pixels_whose_centres_lie_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angle, reach = np.sort(rng.uniform(0, 2 * np.pi, 9)), rng.uniform(3, 16, 9)
    outer = np.stack([np.sin(angle), np.cos(angle)], axis=1) * reach[:, None] + (10, 9)
    hole = outer * 0.4 + (6, 5.4)
    rows, columns = np.mgrid[:20, :17] + 0.5
    expected = shapely.contains_xy(as_shapely([[outer]]), columns, rows)
    expected ^= shapely.contains_xy(as_shapely([[hole]]), columns, rows)
    np.testing.assert_array_equal(draw([outer, hole], (20, 17)), expected)


def test_polygons_that_share_a_side_through_pixel_centres_share_no_pixel() -> None:
    left = np.array([[0.5, 0.5], [0.5, 4.5], [6.5, 2.5], [6.5, 0.5]])
    right = np.array([[0.5, 4.5], [0.5, 8.5], [6.5, 8.5], [6.5, 2.5]])
    drawn = draw([left], (8, 9)).astype(int) + draw([right], (8, 9))
    assert set(drawn.ravel()) == {0, 1}
    assert drawn.sum() == 6 * 8


def test_what_lies_beyond_the_image_is_cut_off() -> None:
    wide = np.array([[-1e9, -1e9], [-1e9, 1e9], [1e9, 1e9], [1e9, -1e9]])
    assert draw([wide], (3, 4)).all()
    assert not draw([wide + 3e9], (3, 4)).any()
    assert not draw([], (3, 4)).any()


def test_outlines_are_asked_of_labels_alone() -> None:
    with pytest.raises(ValueError, match="labels_HW must hold whole numbers, got float64"):
        polygons.trace(np.ones((3, 3)))
