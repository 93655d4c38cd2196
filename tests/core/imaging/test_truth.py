"""True objects, in every form in which people draw them."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from scipy import ndimage

from unet_core.imaging.truth import read_truth


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.shape[-1:] == (3,) else "minisblack")
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def encoded(pixels: np.ndarray | PillowImage.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    if isinstance(pixels, np.ndarray):
        pixels = PillowImage.fromarray(pixels)
    pixels.save(buffer, kind, **options)
    return buffer.getvalue()


def blobs(seed: int = 0) -> np.ndarray:
    """True objects, some of them touching."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(96, 128)), 4)
    stripe = np.arange(128) % 32 < 16
    left, count = ndimage.label((field > 0.03) & stripe, np.ones((3, 3)))
    right, _ = ndimage.label((field > 0.03) & ~stripe, np.ones((3, 3)))
    return np.where(right > 0, right + count, left).astype(np.uint16)


def same_objects(a: np.ndarray, b: np.ndarray) -> bool:
    """The same partition into objects and background, whatever the numbers."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    unique = all(len(np.unique(side)) == pairs.shape[1] for side in pairs)
    return unique and np.array_equal(a == 0, b == 0)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "i8"])
def test_label_images_keep_their_numbers(dtype: str) -> None:
    labels = blobs().astype(dtype)
    truth = read_truth(tiff(labels, compression="lzw"))
    assert truth.labels_HW.dtype == np.int32
    np.testing.assert_array_equal(truth.labels_HW, labels)
    assert truth.notes == ()


def test_label_png_of_8_and_16_bits_keeps_its_numbers() -> None:
    for dtype in (np.uint8, np.uint16):
        labels = blobs().astype(dtype)
        np.testing.assert_array_equal(read_truth(encoded(labels)).labels_HW, labels)


@pytest.mark.parametrize("value", [1, 7, 255])
def test_masks_of_any_two_values_become_components_and_say_so(value: int) -> None:
    mask = blobs() > 0
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    for data in (
        tiff((mask * value).astype(np.uint8)),
        encoded((mask * value).astype(np.uint8)),
        tiff((mask * value).astype(np.int16)),
    ):
        truth = read_truth(data)
        assert same_objects(truth.labels_HW, expected)
        assert f"two values (0 and {value})" in truth.notes[0]
        assert f"{count} connected part" in truth.notes[0]


def test_one_bit_masks_become_components() -> None:
    mask = blobs() > 0
    expected, _ = ndimage.label(mask, np.ones((3, 3)))
    for data in (
        encoded(mask),
        tiff(mask),
        tiff(mask, photometric="miniswhite"),
        encoded(mask, "TIFF", compression="group4"),
    ):
        assert same_objects(read_truth(data).labels_HW, expected)


def test_parts_that_touch_at_a_corner_are_one_object() -> None:
    assert read_truth(tiff(np.eye(6, dtype=np.uint8))).labels_HW.max() == 1


def test_an_empty_and_a_full_truth_are_fine() -> None:
    empty = read_truth(tiff(np.zeros((5, 6), np.uint8)))
    assert empty.labels_HW.max() == 0
    assert empty.notes == ()
    full = read_truth(tiff(np.full((5, 6), 255, np.uint8)))
    assert (full.labels_HW == 1).all()
    assert read_truth(tiff(np.ones((1, 1), np.uint8))).labels_HW.tolist() == [[1]]


def colours_of(labels: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    table = np.random.default_rng(5).integers(1, np.iinfo(dtype).max, (labels.max() + 1, 3))
    table[0] = 0
    return table[labels].astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_coloured_picture_gives_its_objects_and_says_so(dtype: type) -> None:
    labels = blobs()
    truth = read_truth(tiff(colours_of(labels, dtype)))
    assert same_objects(truth.labels_HW, labels)
    assert f"{truth.labels_HW.max()} regions of equal colour" in truth.notes[0]
    assert "black for the background" in truth.notes[0]


def test_a_coloured_png_with_palette_or_transparency_gives_its_objects() -> None:
    labels = blobs()
    picture = PillowImage.fromarray(colours_of(labels))
    palette = picture.convert("P", palette=PillowImage.Palette.ADAPTIVE, colors=256)
    assert same_objects(read_truth(encoded(palette)).labels_HW, labels)
    assert same_objects(read_truth(encoded(picture.convert("RGBA"))).labels_HW, labels)


def test_without_black_the_most_frequent_colour_is_background() -> None:
    labels = blobs()
    coloured = colours_of(labels)
    coloured[labels == 0] = (250, 250, 250)
    truth = read_truth(encoded(coloured))
    assert same_objects(truth.labels_HW, labels)
    assert "the most frequent colour for the background" in truth.notes[0]


def test_grey_labels_saved_as_rgb_are_labels() -> None:
    labels = blobs().astype(np.uint8)
    truth = read_truth(encoded(np.dstack([labels] * 3)))
    np.testing.assert_array_equal(truth.labels_HW, labels)


def test_labels_beyond_31_bits_are_numbered_anew() -> None:
    labels = blobs().astype(np.uint32)
    labels[labels > 0] += 3_000_000_000
    truth = read_truth(tiff(labels))
    assert same_objects(truth.labels_HW, labels)
    assert truth.labels_HW.max() == len(np.unique(labels)) - 1
    assert "numbered anew" in truth.notes[0]
    full = np.array([[2**31, 2**31 + 1], [2**31 + 2, 2**31]], np.uint32)
    assert read_truth(tiff(full)).labels_HW.tolist() == [[1, 2], [3, 1]]


def test_a_stack_needs_a_plane() -> None:
    volume = np.stack([blobs(seed) for seed in range(5)])
    with pytest.raises(ValueError, match="stack of 5 planes: choose one of 0 to 4"):
        read_truth(tiff(volume))
    np.testing.assert_array_equal(read_truth(tiff(volume), plane=2).labels_HW, volume[2])
    with pytest.raises(ValueError, match="no plane 5"):
        read_truth(tiff(volume), plane=5)


def test_equal_colours_that_lie_apart_are_objects_of_their_own() -> None:
    picture = np.zeros((5, 9, 3), np.uint8)
    picture[1:4, 1:4] = picture[1:4, 5:8] = (200, 10, 10)
    truth = read_truth(tiff(picture))
    assert truth.labels_HW.max() == 2
    assert truth.labels_HW[2, 2] != truth.labels_HW[2, 6]


def test_colours_of_16_bits_are_told_apart_by_all_their_bits() -> None:
    picture = np.zeros((4, 6, 3), np.uint16)
    picture[1:3, 1:3], picture[1:3, 3:5] = (1, 0, 0), (0, 256, 0)
    assert read_truth(tiff(picture)).labels_HW.max() == 2


def test_a_picture_that_is_hardly_a_label_image_is_noted() -> None:
    photograph = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    truth = read_truth(encoded(photograph))
    np.testing.assert_array_equal(truth.labels_HW, photograph)
    assert truth.notes[0].startswith("The 255 values of the truth lie in")


def smeared() -> bytes:
    """A coloured picture that went through JPEG and was saved as PNG afterwards."""
    jpeg = encoded(colours_of(blobs()), "JPEG")
    return encoded(PillowImage.open(io.BytesIO(jpeg)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(blobs().astype(np.float32)), "float32 numbers: save the labels as whole numbers"),
        (tiff(np.full((5, 6), np.nan, np.float64)), "float64 numbers"),
        (tiff(blobs().astype(np.int16) - 1), r"negative labels \(down to -1\)"),
        (encoded(colours_of(blobs()), "JPEG"), "JPEG cannot be the truth"),
        (encoded((blobs() > 0).astype(np.uint8) * 255, "JPEG"), "JPEG cannot be the truth"),
        (smeared(), "colours of the truth are smeared"),
        (tiff(np.where(np.eye(6), 2, 1).astype(np.uint8)), "two values 1 and 2 and no 0"),
        (
            tiff(np.arange(320).reshape(8, 8, 5).astype(np.uint8), planarconfig="contig"),
            "5 channels: save the labels as a grey picture",
        ),
        (b"", "empty"),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else "",
)
def test_what_cannot_be_the_truth_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_truth(data)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_the_real_masks_keep_their_numbers(real_data: Path) -> None:
    paths = sorted((real_data / "dsb2018" / "test" / "masks").glob("*.tif"))
    count = 0
    for path in paths:
        truth = read_truth(path)
        np.testing.assert_array_equal(truth.labels_HW, tifffile.imread(path))
        count += len(np.unique(truth.labels_HW)) - 1
    assert (len(paths), count) == (50, 2460)


def test_the_real_membrane_labels_are_a_mask(real_data: Path) -> None:
    truth = read_truth(real_data / "isbi2012" / "train-labels.tif", plane=7)
    section = tifffile.imread(real_data / "isbi2012" / "train-labels.tif", key=7)
    assert same_objects(truth.labels_HW, ndimage.label(section, np.ones((3, 3)))[0])
    assert "two values (0 and 255)" in truth.notes[0]
