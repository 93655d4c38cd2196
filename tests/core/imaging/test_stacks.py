"""Which plane and which channel of a picture are meant."""

import numpy as np
import pytest

from unet_core.imaging.formats import Image
from unet_core.imaging.stacks import channels, planes, replace_non_finite, take_plane


def stack(axes: str, shape: tuple[int, ...], dtype: str = "u2") -> Image:
    return Image(np.arange(np.prod(shape)).reshape(shape).astype(dtype), axes, 0.5, ("a note",))


def rgb(*channels_HW: np.ndarray) -> Image:
    return Image(np.stack(channels_HW, axis=-1), "YXC")


RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)
EMPTY = np.zeros((3, 4), np.uint8)


def test_planes_are_named_by_what_their_axes_mean() -> None:
    assert planes(stack("YX", (3, 4))) == [""]
    assert planes(stack("YXC", (3, 4, 2))) == [""]
    assert planes(stack("QYX", (3, 3, 4))) == ["plane 0", "plane 1", "plane 2"]
    assert planes(stack("ZYX", (2, 3, 4))) == ["Z 0", "Z 1"]
    assert planes(stack("TZYXC", (2, 2, 3, 4, 2))) == [
        "T 0, Z 0",
        "T 0, Z 1",
        "T 1, Z 0",
        "T 1, Z 1",
    ]


def test_every_plane_of_a_stack_can_be_taken_in_the_order_of_its_name() -> None:
    image = stack("TZYX", (2, 3, 4, 5))
    for number, (t, z) in enumerate(np.ndindex(2, 3)):
        taken = take_plane(image, plane=number)
        np.testing.assert_array_equal(taken.pixels, image.pixels[t, z])
        assert (taken.axes, taken.pixel_size_um, taken.notes) == ("YX", 0.5, ("a note",))
        assert taken.pixels.dtype == image.pixels.dtype


def test_a_stack_without_a_choice_says_what_there_is() -> None:
    with pytest.raises(
        ValueError, match=r"stack of 6 planes: choose one of 0 to 5 \(T 0, Z 0 to T 1, Z 2\)\.$"
    ):
        take_plane(stack("TZYX", (2, 3, 4, 5)))
    with pytest.raises(ValueError, match="no plane 6: the stack has 0 to 5"):
        take_plane(stack("TZYX", (2, 3, 4, 5)), plane=6)
    with pytest.raises(ValueError, match="no plane -1"):
        take_plane(stack("ZYX", (2, 3, 4)), plane=-1)
    with pytest.raises(ValueError, match="no plane 1: the picture has only plane 0"):
        take_plane(stack("YX", (3, 4)), plane=1)


def test_a_plain_picture_may_be_asked_for_plane_0_and_channel_0() -> None:
    image = stack("YX", (3, 4))
    for channel in (None, 0, "grey"):
        np.testing.assert_array_equal(
            take_plane(image, plane=0, channel=channel).pixels, image.pixels
        )
    with pytest.raises(ValueError, match="channel must be 0"):
        take_plane(image, channel=1)


def test_only_filled_and_different_channels_count() -> None:
    assert channels(stack("YX", (3, 4))) == [0]
    assert channels(rgb(RAMP, RAMP, RAMP)) == [0]
    assert channels(rgb(EMPTY, RAMP, EMPTY)) == [1]
    assert channels(rgb(EMPTY, RAMP, RAMP + 1)) == [1, 2]
    assert channels(rgb(EMPTY + 255, EMPTY, EMPTY)) == [0]


def test_the_only_filled_channel_is_taken_with_a_note() -> None:
    taken = take_plane(rgb(EMPTY, EMPTY, RAMP))
    np.testing.assert_array_equal(taken.pixels, RAMP)
    assert taken.notes == ("Only channel 2 holds something: it is used.",)
    grey = take_plane(rgb(RAMP, RAMP, RAMP))
    np.testing.assert_array_equal(grey.pixels, RAMP)
    assert grey.notes == ()


def test_several_filled_channels_ask_for_a_choice() -> None:
    image = rgb(RAMP, EMPTY, RAMP + 1, EMPTY, RAMP + 2)
    with pytest.raises(ValueError, match='3 filled channels: choose channel 0, 2 or 4, or "grey"'):
        take_plane(image)
    np.testing.assert_array_equal(take_plane(image, channel=2).pixels, RAMP + 1)
    np.testing.assert_array_equal(take_plane(image, channel=1).pixels, EMPTY)
    for wrong in (5, -1, "red"):
        with pytest.raises(ValueError, match='channel must be 0 to 4 or "grey", got'):
            take_plane(image, channel=wrong)


def test_grey_is_luminance_for_three_channels_and_the_mean_for_others() -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    from skimage.color import rgb2gray

    grey = take_plane(Image(colours, "YXC"), channel="grey").pixels
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(grey, np.rint(rgb2gray(colours) * 255))
    two = take_plane(Image(colours[..., :2].astype(np.float32), "YXC"), channel="grey").pixels
    np.testing.assert_allclose(two, colours[..., :2].mean(axis=-1))


def test_channels_are_judged_on_the_plane_that_is_taken() -> None:
    pixels = np.zeros((2, 3, 4, 2), np.uint8)
    pixels[0, ..., 0], pixels[1, ..., 1] = RAMP, RAMP
    image = Image(pixels, "ZYXC")
    assert channels(image) == [0, 1]
    np.testing.assert_array_equal(take_plane(image, plane=1).pixels, RAMP)


def test_numbers_that_are_not_finite_become_the_median_with_a_note() -> None:
    pixels = np.array([[1, 2, np.nan], [3, np.inf, -np.inf]], np.float32)
    clean, note = replace_non_finite(pixels)
    np.testing.assert_array_equal(clean, np.array([[1, 2, 2], [3, 2, 2]], np.float32))
    assert clean.dtype == np.float32
    assert note.startswith("3 pixels were no finite numbers")
    taken = take_plane(Image(pixels, "YX"))
    np.testing.assert_array_equal(taken.pixels, clean)
    assert taken.notes == (note,)


def test_numbers_beyond_all_measure_count_as_not_finite() -> None:
    clean, note = replace_non_finite(np.array([[1.0, 1e300, -1e300, 3.0]]))
    np.testing.assert_array_equal(clean, [[1, 2, 2, 3]])
    assert note


def test_finite_pixels_pass_untouched() -> None:
    for pixels in (RAMP, RAMP.astype(np.float64)):
        clean, note = replace_non_finite(pixels)
        assert clean is pixels
        assert note == ""


def test_a_picture_without_a_finite_pixel_is_refused() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="No pixel of the picture is a finite number"):
            take_plane(Image(np.full((3, 4), value), "YX"))


def test_half_precision_has_infinite_numbers_too() -> None:
    pixels, note = replace_non_finite(np.array([[1, np.nan, 65504], [3, np.inf, 3]], np.float16))
    np.testing.assert_array_equal(pixels, np.array([[1, 3, 65504], [3, 3, 3]], np.float16))
    assert note.startswith("2 pixels")
