"""Colour numbers of objects and verdicts, and the picture painted from them."""

import numpy as np
import pytest
from scipy import ndimage

from unet_core.imaging import matching, overlay

N = len(overlay.OBJECTS)


def touching_blobs(rng: np.random.Generator, n: int = 60) -> np.ndarray:
    """Labels of a plane cut into cells around random points, with some background."""
    rows, columns = np.indices((70, 90))
    points = rng.uniform((0, 0), (70, 90), (n, 2))
    nearest_HW = np.argmin(
        (rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2, axis=-1
    )
    return np.where(rng.random(n)[nearest_HW] < 0.2, 0, nearest_HW + 1)


def neighbours(labels_HW: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of labels in one 3x3 window, by looking at every pixel."""
    found = set()
    for row, column in np.argwhere(labels_HW):
        one = labels_HW[row, column]
        window = labels_HW[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        found |= {(int(one), int(other)) for other in np.unique(window) if other not in (0, one)}
    return found


def fill_of(number_HW: np.ndarray) -> np.ndarray:
    return np.where(number_HW > N, number_HW - N, number_HW)


@pytest.mark.parametrize("seed", range(3))
def test_every_object_has_one_colour_and_its_neighbours_have_others(seed: int) -> None:
    labels_HW = touching_blobs(np.random.default_rng(seed))
    fill_HW = fill_of(overlay.number_objects(labels_HW))
    np.testing.assert_array_equal(fill_HW > 0, labels_HW > 0)
    colour = {
        int(one): set(fill_HW[labels_HW == one]) for one in np.unique(labels_HW[labels_HW > 0])
    }
    assert all(len(found) == 1 for found in colour.values())
    pairs = neighbours(labels_HW)
    assert len(pairs) > 100
    assert [pair for pair in pairs if colour[pair[0]] == colour[pair[1]]] == []


def test_outlines_are_the_pixels_beside_something_else(rng: np.random.Generator) -> None:
    labels_HW = touching_blobs(rng)
    lowest, highest = (
        pick(labels_HW, footprint=ndimage.generate_binary_structure(2, 1), mode="nearest")
        for pick in (ndimage.minimum_filter, ndimage.maximum_filter)
    )
    expected_HW = (lowest != highest) & (labels_HW > 0)
    np.testing.assert_array_equal(overlay.number_objects(labels_HW) > N, expected_HW)


def test_huge_labels_with_gaps_need_no_huge_table() -> None:
    labels_HW = np.array([[0, 4_000_000_000, 7]], np.uint32)
    number_HW = overlay.number_objects(labels_HW)
    assert number_HW[0, 0] == 0
    assert number_HW[0, 1] != number_HW[0, 2]


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 0)])
def test_nothing_gives_nothing(shape: tuple[int, int]) -> None:
    number_HW = overlay.number_objects(np.zeros(shape, int))
    assert number_HW.shape == shape
    assert not number_HW.any()


def test_more_neighbours_than_colours_still_get_one_each() -> None:
    labels_HW = np.ones((3, 9), int)
    labels_HW[0] = np.arange(2, 11)  # all touch object 1
    number_HW = overlay.number_objects(labels_HW)
    assert number_HW.min() >= 1
    assert number_HW.max() <= 2 * N


def test_verdicts_of_a_drawn_example() -> None:
    true_HW = np.zeros((12, 30), int)
    true_HW[1:11, 1:11] = 5  # found
    true_HW[1:11, 20:29] = 9  # missed
    pred_HW = np.zeros_like(true_HW)
    pred_HW[1:11, 2:11] = 1
    pred_HW[3:5, 13:16] = 2  # nothing is there
    hits = matching.pairs(true_HW, pred_HW)
    number_HW = overlay.number_verdicts(true_HW, pred_HW, *hits)
    fill_HW = np.where(number_HW > 3, number_HW - 3, number_HW)
    assert set(fill_HW[1:11, 2:11].ravel()) == {1}
    assert set(fill_HW[3:5, 13:16].ravel()) == {2}
    missed_HW = number_HW[1:11, 20:29]
    assert set(missed_HW[0]) == {6}  # the outline is whole
    inside = missed_HW[1:-1, 1:-1]
    assert set(inside.ravel()) == {0, 3}  # striped
    assert 0.3 < (inside == 3).mean() < 0.7
    rest = np.ones(true_HW.shape, bool)
    for box in (np.s_[1:11, 2:11], np.s_[3:5, 13:16], np.s_[1:11, 20:29]):
        rest[box] = False
    assert not number_HW[rest].any()


def test_a_miss_is_seen_on_top_of_the_false_alarm_that_hides_it() -> None:
    true_HW = np.zeros((10, 20), int)
    true_HW[:, :6], true_HW[:, 6:12] = 1, 2
    pred_HW = np.ones((10, 20), int)  # all in one
    number_HW = overlay.number_verdicts(true_HW, pred_HW, *matching.pairs(true_HW, pred_HW))
    assert {2, 3, 6} <= set(number_HW[:, :12].ravel())


def test_outlines_of_a_miss_and_a_false_alarm_on_one_cell_are_both_seen_on_every_side() -> None:
    rows, columns = np.indices((60, 60))
    square_HW = ((abs(rows - 30) < 20) & (abs(columns - 30) < 20)).astype(int)
    diamond_HW = (abs(rows - 30) + abs(columns - 30) < 25).astype(int)
    for cell_HW, sides in (
        (square_HW, (np.s_[11], np.s_[49], np.s_[:, 11], np.s_[:, 49])),
        (diamond_HW, (np.s_[:30, :30], np.s_[:30, 31:], np.s_[31:, :30], np.s_[31:, 31:])),
    ):
        none = np.zeros(0, int)
        number_HW = overlay.number_verdicts(cell_HW, cell_HW, none, none)
        for side in sides:
            outline = number_HW[side][number_HW[side] > 3]
            assert 0.3 < (outline == 6).mean() < 0.7, side
            assert set(outline.tolist()) == {5, 6}


def test_painting_blends_as_by_hand(rng: np.random.Generator) -> None:
    grey_HW = rng.integers(0, 256, (20, 30)).astype(np.uint8)
    number_HW = rng.integers(0, 2 * N + 1, (20, 30)).astype(np.uint8)
    shades = overlay.shades(overlay.OBJECTS, filled=True, opacity=0.3)
    colour, alpha = shades[number_HW][..., :3], shades[number_HW][..., 3:] / 255
    expected = np.rint((1 - alpha) * grey_HW[..., None] + alpha * colour)
    np.testing.assert_array_equal(overlay.paint(grey_HW, number_HW, shades), expected)


def test_where_nothing_is_the_grey_stays() -> None:
    grey_HW = np.arange(12, dtype=np.uint8).reshape(3, 4)
    painted = overlay.paint(grey_HW, np.zeros((3, 4), np.uint8), overlay.shades(overlay.OBJECTS))
    np.testing.assert_array_equal(painted, np.repeat(grey_HW[..., None], 3, axis=2))


def test_outlines_alone_leave_the_inside_free() -> None:
    outlined = overlay.shades(overlay.OBJECTS, filled=False, opacity=0.5)
    assert set(outlined[: N + 1, 3]) == {0}
    assert set(outlined[N + 1 :, 3]) == {128}
    filled = overlay.shades(overlay.OBJECTS, filled=True, opacity=0.5)
    assert (filled[N + 1 :, 3] > filled[1 : N + 1, 3]).all()


@pytest.mark.parametrize("opacity", [-0.1, 1.1, float("nan")])
def test_an_impossible_opacity_is_refused(opacity: float) -> None:
    with pytest.raises(ValueError, match="opacity must be between 0 and 1"):
        overlay.shades(overlay.OBJECTS, opacity=opacity)


def test_a_picture_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        overlay.paint(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), np.zeros((1, 4)))


def brightness(colour: tuple[int, int, int]) -> float:
    return float(np.dot(colour, (0.2126, 0.7152, 0.0722)))


def test_verdicts_differ_for_colour_blind_eyes() -> None:
    # Viénot, Brettel and Mollon 1999: what eyes without red or green cones see, on linear light.
    deuteranope = np.array([[0.292, 0.708, 0], [0.292, 0.708, 0], [-0.022, 0.022, 1]])
    protanope = np.array([[0.112, 0.888, 0], [0.112, 0.888, 0], [0.004, -0.004, 1]])
    linear = (np.array(overlay.VERDICT_COLOURS) / 255) ** 2.2
    for seen_by in (deuteranope, protanope):
        seen = np.clip(linear @ seen_by.T, 0, 1) ** (1 / 2.2) * 255
        for one in range(3):
            for other in range(one):
                assert np.linalg.norm(seen[one] - seen[other]) > 100, (one, other, seen)
    assert min(map(brightness, (*overlay.VERDICT_COLOURS, *overlay.OBJECTS))) > 90  # on black
