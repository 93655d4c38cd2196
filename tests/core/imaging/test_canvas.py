"""What becomes of objects that a label image cannot hold as they were drawn."""

import numpy as np
import pytest

from unet_core.imaging.canvas import Canvas


def box(top: float, left: float, bottom: float, right: float) -> list[np.ndarray]:
    return [np.array([(top, left), (top, right), (bottom, right), (bottom, left)], float)]


def test_of_overlapping_objects_the_smaller_one_lies_on_top_whatever_their_order() -> None:
    large, small = box(0, 0, 4, 6), box(2, 2, 4, 4)
    for order in ((large, small), (small, large)):
        canvas = Canvas((4, 6))
        for polygon in order:
            canvas.draw([polygon], "x")
        found = canvas.truth()
        assert (found.labels_HW == 1 + (order[1] is small)).sum() == 4
        assert found.notes == ("Objects overlap, in 4 pixels: there the smaller one lies on top.",)


def test_of_two_equal_objects_the_first_one_stays_and_the_other_is_told() -> None:
    canvas = Canvas((4, 6))
    canvas.draw([box(0, 0, 2, 2)], "a")
    canvas.put(*np.nonzero(np.pad(np.ones((2, 2)), ((0, 2), (0, 4)))))
    canvas.draw([box(3, 3, 4, 4)], "c")
    found = canvas.truth()
    assert np.unique(found.labels_HW).tolist() == [0, 1, 3]
    assert "and 1 of them are wholly covered" in found.notes[0]


def test_an_object_of_several_polygons_is_one_object() -> None:
    canvas = Canvas((4, 6))
    canvas.draw([box(0, 0, 1, 1), box(3, 3, 4, 6)], "x")
    assert np.bincount(canvas.truth().labels_HW.ravel()).tolist() == [20, 4]


def test_what_holds_no_pixel_centre_is_left_out_and_told() -> None:
    canvas = Canvas((4, 6))
    canvas.draw([box(1.6, 1.6, 2.4, 2.4)], "a speck")
    canvas.draw([], "nothing")
    canvas.draw([box(0, 0, 1, 1)], "x")
    found = canvas.truth()
    assert np.unique(found.labels_HW).tolist() == [0, 3]
    assert found.notes == ("Too small to hold the centre of a pixel, and left out: 2.",)


def test_what_reaches_beyond_the_edge_is_cut_off_and_told_from_two_pixels_on() -> None:
    canvas = Canvas((4, 6))
    canvas.draw([box(-1, -1, 1, 7)], "x")
    assert canvas.truth().notes == ()
    canvas.draw([box(2, 5, 6, 6)], "y")
    assert canvas.truth().notes == ("One object reaches beyond the image: cut off at its edge.",)
    assert (canvas.truth().labels_HW == 2).sum() == 2


@pytest.mark.parametrize("place", [(4, 0, 5, 1), (-2, 0, 0, 1), (0, 6, 1, 9), (0, -9, 1, 0)])
def test_an_object_beside_the_image_tells_that_it_was_another_image(place: tuple) -> None:
    with pytest.raises(ValueError, match=r"Cell 7 lies beside the image, .* of another size\."):
        Canvas((4, 6)).draw([box(*place)], "Cell 7")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_corners_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="x has corners that are no numbers"):
        Canvas((4, 6)).draw([box(0, 0, value, 1)], "x")


def test_objects_that_cover_a_large_image_again_and_again_are_refused() -> None:
    canvas = Canvas((1000, 1000))
    zigzag = np.array([(1e9 * (place % 2), place) for place in range(200_000)])
    with pytest.raises(ValueError, match="more than 100 times over"):
        canvas.draw([[zigzag]], "x")
    canvas = Canvas((200, 200))
    for _ in range(98):
        canvas.draw([box(0, 0, 200, 200)], "x")
    everywhere = [box(0, 0, 200, 200)] * 5
    with pytest.raises(ValueError, match="more than 100 times over"):
        canvas.draw(everywhere, "x")
