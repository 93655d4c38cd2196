"""What label files mean, told from their pixels."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from unet_core.imaging import coding
from unet_core.imaging.coding import ClassCode


def tif(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def recognise(*files: bytes) -> coding.Coding:
    return coding.recognise([coding.glance(one) for one in files])


def squares(values: list[int], dtype: type = np.uint16) -> np.ndarray:
    """A square of each value on a background of 0, none of them touching."""
    labels_HW = np.zeros((12, 8 * len(values) + 2), dtype)
    for index, value in enumerate(values):
        labels_HW[2:8, 8 * index + 2 : 8 * index + 7] = value
    return labels_HW


def painted(values: list[int], colours: dict[int, tuple[int, int, int]]) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    for value, colour in colours.items():
        table[value] = colour
    return table[squares(values)]


RED, GREEN = (255, 0, 0), (0, 255, 0)


def test_a_number_for_each_object_is_a_label_image() -> None:
    found = recognise(tif(squares([1, 2, 3])), tif(squares([1, 2, 3, 4, 5])))
    assert (found.kind, found.sentence) == (
        "objects",
        "Label images: each object has its own number.",
    )


@pytest.mark.parametrize("value", [1, 255])
def test_two_values_are_masks_also_where_one_is_empty_or_saved_in_colour(value: int) -> None:
    mask_HW = squares([value] * 3, np.uint8)
    found = recognise(png(mask_HW), png(0 * mask_HW), png(np.stack([mask_HW] * 3, axis=-1)))
    assert (found.kind, found.sentence) == (
        "objects",
        "Masks of two values: each connected part is an object.",
    )


def test_few_numbers_in_many_pieces_are_classes() -> None:
    found = recognise(tif(squares([1, 2] * 6)))
    assert found.kind == "classes"
    assert list(found.counts) == ["0", "1", "2"]
    assert "0, 1, 2" in found.sentence


def test_greys_far_apart_that_come_again_are_classes() -> None:
    assert recognise(tif(squares([127, 255])), tif(squares([255, 127]))).kind == "classes"


def test_colours_that_come_again_are_classes_and_black_is_the_background() -> None:
    files = [png(painted(values, {1: RED, 2: GREEN})) for values in ([1, 2], [2, 1, 2])]
    found = recognise(*files)
    assert (found.kind, list(found.counts)) == ("classes", ["#000000", "#00ff00", "#ff0000"])
    assert coding.class_codes(found) == (
        ClassCode("background", "#000000"),
        ClassCode("green", "#00ff00"),
        ClassCode("red", "#ff0000"),
    )


def test_a_colour_for_each_object_is_objects() -> None:
    colours = {value: (value * 5 % 256, 200 - value, value) for value in range(1, 31)}
    files = [png(painted(list(range(start, start + 15)), colours)) for start in (1, 16)]
    assert recognise(*files).kind == "objects"
    assert recognise(png(painted([1, 2, 3], colours))).kind == "objects"


def test_an_empty_mask_among_coloured_ones_changes_nothing() -> None:
    file = png(painted([1, 2] * 6, {1: RED, 2: GREEN}))
    empty = png(np.zeros((12, 20), np.uint8))
    assert recognise(file, empty).counts["#ff0000"] == recognise(file).counts["#ff0000"]
    assert recognise(file, empty).kind == "classes"


def test_classes_are_read_by_colour_and_by_number() -> None:
    expected_HW = squares([1, 2])
    codes = ["#000000", "#ff0000", "#00ff00"]
    coloured = png(painted([1, 2], {1: RED, 2: GREEN}))
    np.testing.assert_array_equal(coding.read_classes(coloured, codes), expected_HW)
    numbers = tif(squares([127, 255]))
    np.testing.assert_array_equal(coding.read_classes(numbers, ["0", "127", "255"]), expected_HW)
    # The order of the codes is that of the classes.
    swapped_HW = coding.read_classes(coloured, ["#000000", "#00ff00", "#ff0000"])
    assert set(np.unique(swapped_HW[:, :8])) == {0, 2}


def test_a_colour_that_is_no_class_is_named_with_its_pixels() -> None:
    file = png(painted([1, 2], {1: RED, 2: (255, 1, 0)}))
    with pytest.raises(ValueError, match=r"30 pixels .* no class: #ff0100"):
        coding.read_classes(file, ["#000000", "#ff0000"])
    with pytest.raises(ValueError, match=r"30 pixels .* no class: 7"):
        coding.read_classes(tif(squares([1, 7])), ["0", "1"])


def test_masks_of_one_object_each_are_merged_and_overlaps_are_counted() -> None:
    first_HW, second_HW = np.zeros((2, 6, 6), np.uint8)
    first_HW[:3], second_HW[2:] = 255, 255
    found = coding.merge_masks(map(png, [first_HW, 0 * first_HW, second_HW]))
    assert found.labels_HW[:, 0].tolist() == [1, 1, 1, 3, 3, 3]
    assert found.notes == (
        "empty mask files: 1",
        "6 pixels belong to two masks, the first one keeps them",
    )
    with pytest.raises(ValueError, match="must have one shape"):
        coding.merge_masks(map(png, [first_HW, second_HW[:4]]))


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (squares([1, 2]).astype(np.float32), "float32 numbers"),
        (squares([-3, 2], np.int16), "negative labels"),
        (np.zeros((6, 6, 3), np.uint16) + np.array([0, 300, 5], np.uint16), "16 bits"),
    ],
)
def test_what_cannot_be_labels_is_a_sentence(pixels: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        coding.glance(tif(pixels))


def test_too_many_values_or_a_single_one_are_no_classes() -> None:
    with pytest.raises(ValueError, match="more than 32 values"):
        coding.class_codes(recognise(tif(squares(list(range(1, 60))))))
    with pytest.raises(ValueError, match="one value"):
        coding.class_codes(recognise(tif(squares([0]))))


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["a=0"], "2 to 32 classes, got 1"),
        (["a=0", "a=1"], "name of its own"),
        (["a=0", "b=0"], "value of its own"),
        (["a=0", "b=#ff0000"], "all be colours"),
        (["a=red", "b=blue"], "all be colours"),
        (["a=0", "<b>=1"], "letters, digits"),
        (["a=0", "b"], "NAME=VALUE"),
    ],
)
def test_classes_that_are_none_are_refused(texts: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        coding.check_classes([coding.read_class(text) for text in texts])


def test_unlisted_colours_are_named_with_how_often_and_where() -> None:
    pixels_HWC = np.zeros((4, 5, 3), np.uint8)
    pixels_HWC[2, 3:] = (255, 0, 1)
    pixels_HWC[3, 0] = (7, 7, 7)
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels_HWC).save(buffer, "PNG")
    said = r"3 pixels .*: #ff0001 \(2, first at row 2, column 3\), #070707 \(1, first at row 3, col"
    with pytest.raises(ValueError, match=said):
        coding.read_classes(buffer.getvalue(), ["#000000", "#ff0000"])
