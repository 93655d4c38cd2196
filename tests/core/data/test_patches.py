import numpy as np
import pytest

from unet_core.data import patches
from unet_core.data.patches import Patches


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def one_pixel(shape: tuple[int, int], row: int, column: int) -> np.ndarray:
    classes_HW = np.zeros(shape, np.uint8)
    classes_HW[row, column] = 2
    return classes_HW


def holding(classes_HW: np.ndarray, side: int) -> set[tuple[int, int]]:
    """Brute force: all places whose square holds something."""
    rows, columns = (length - side + 1 for length in classes_HW.shape)
    return {
        (row, column)
        for row in range(rows)
        for column in range(columns)
        if classes_HW[row : row + side, column : column + side].any()
    }


@pytest.mark.parametrize("side", [1, 3, 5])
def test_patches_that_must_contain_something_lie_at_every_place_that_does_and_nowhere_else(
    side: int,
) -> None:
    classes_HW = (generator(1).random((9, 12)) > 0.93).astype(np.uint8)
    places = patches.cut(classes_HW, count=3000, side=side, must_contain=True, rng=generator())
    assert set(places) == holding(classes_HW, side)


def test_patches_that_need_nothing_lie_at_every_place_of_the_image_and_in_no_other() -> None:
    places = patches.cut(np.zeros((5, 7)), count=2000, side=4, must_contain=False, rng=generator())
    assert set(places) == {(row, column) for row in range(2) for column in range(4)}


def test_a_patch_can_be_as_large_as_the_image() -> None:
    classes_HW = one_pixel((6, 6), 0, 5)
    for must_contain in (True, False):
        places = patches.cut(
            classes_HW, count=2, side=6, must_contain=must_contain, rng=generator()
        )
        assert places == [(0, 0), (0, 0)]


def test_the_same_generator_cuts_at_the_same_places_and_another_elsewhere() -> None:
    classes_HW = one_pixel((90, 90), 40, 40)

    def cut(seed: int) -> list[tuple[int, int]]:
        return patches.cut(classes_HW, count=9, side=32, must_contain=True, rng=generator(seed))

    assert cut(3) == cut(3) != cut(4)


def test_an_image_of_background_only_has_no_place_for_a_patch_that_must_contain_something() -> None:
    empty_HW = np.zeros((20, 20), np.uint8)
    assert patches.cut(empty_HW, count=3, side=8, must_contain=True, rng=generator()) == []


def test_the_corners_are_reached() -> None:
    for row, column in ((0, 0), (0, 10), (8, 0), (8, 10)):
        classes_HW = one_pixel((9, 11), row, column)
        (place,) = set(patches.cut(classes_HW, count=5, side=1, must_contain=True, rng=generator()))
        assert place == (row, column)


def test_flips_are_the_patch_itself_and_three_mirrored_copies() -> None:
    patch_HW = np.array([[1, 2], [3, 4]])
    assert [flip.tolist() for flip in patches.flips(patch_HW)] == [
        [[1, 2], [3, 4]],
        [[2, 1], [4, 3]],
        [[3, 4], [1, 2]],
        [[4, 3], [2, 1]],
    ]


def test_a_taken_patch_begins_at_its_place() -> None:
    image_HW = np.arange(30).reshape(5, 6)
    assert patches.take(image_HW, (2, 3), 2).tolist() == [[15, 16], [21, 22]]


@pytest.mark.parametrize("side", [0, 11, 12])
def test_a_patch_larger_than_the_image_is_refused_with_the_sizes(side: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 10 pixels for images of 10 rows .* got {side}"):
        patches.cut(np.ones((10, 12)), count=1, side=side, must_contain=False, rng=generator())


def test_no_patches_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        patches.cut(np.ones((9, 9)), count=0, side=3, must_contain=True, rng=generator())


@pytest.mark.parametrize("wrong", [{"count": 0}, {"side": 4}, {"side": 9000}, {"count": 20_000}])
def test_settings_out_of_their_limits_are_named(wrong: dict[str, int]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} must be at (least|most) .* got"):
        Patches(**wrong)
