"""Pixel arithmetic between the file and the network, and label files."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.transform import resize as resize_by_skimage

from unet_core.imaging import images


def noise(dtype: str, shape: tuple[int, ...] = (37, 53)) -> np.ndarray:
    rng = np.random.default_rng(3)
    if np.dtype(dtype).kind == "f":
        return rng.normal(100, 30, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


# --- Ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8"])
def test_unsigned_integers_come_to_the_unit_range(dtype: str) -> None:
    largest = np.iinfo(dtype).max
    unit = images.to_unit(np.array([[0, largest // 2, largest]], dtype))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [[0, 0.5, 1]], atol=0.002)
    assert unit[0, 0] == 0
    assert unit[0, 2] == 1


def test_bool_and_floats_keep_their_values() -> None:
    np.testing.assert_array_equal(images.to_unit(np.array([[True, False]])), [[1, 0]])
    np.testing.assert_array_equal(images.to_unit(np.array([[-3.5, 70.0]])), [[-3.5, 70]])
    assert images.to_unit(np.array([[0.5]], np.float64)).dtype == np.float32


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "f2", "f4", "f8"])
def test_percentile_normalisation_is_stardists(dtype: str) -> None:
    pixels = noise(dtype)
    low, high = np.percentile(pixels.astype(np.float64), (1, 99.8))
    expected = (pixels.astype(np.float64) - low) / (high - low)
    normed = images.normalise(pixels, method="percentile")
    assert normed.dtype == np.float32
    np.testing.assert_allclose(normed, expected, rtol=2e-3 if dtype == "f2" else 1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (37, 53), (1100, 1000)])
def test_percentiles_from_the_histogram_equal_numpys(dtype: str, shape: tuple[int, int]) -> None:
    pixels = noise(dtype, shape) // 3
    percents = (0, 0.1, 1, 25, 50, 99.5, 99.8, 100)
    found = images._percentiles(pixels, percents)
    np.testing.assert_allclose(found, np.percentile(pixels, percents), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_percentiles_between_negative_and_positive_do_not_wrap_around(dtype: str) -> None:
    ends = np.iinfo(dtype)
    pixels = np.array([[ends.min, ends.max]], dtype)
    norm = images.normalise(pixels, method="percentile", low=25, high=75)
    np.testing.assert_allclose(norm, [[-0.5, 1.5]], rtol=1e-5)


def test_normalisation_does_not_depend_on_brightness_and_contrast() -> None:
    pixels = noise("u1").astype(np.float32)
    np.testing.assert_allclose(
        images.normalise(pixels, method="percentile"),
        images.normalise(pixels * 7 + 300, method="percentile"),
        atol=1e-4,
    )


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_picture_becomes_zeros(value: int) -> None:
    for shape in ((1, 1), (9, 8)):
        for pixels in (np.full(shape, value, np.uint8), np.full(shape, value / 3, np.float32)):
            assert not images.normalise(pixels, method="percentile").any()
            assert not images.display(pixels).any()


def test_a_few_bright_pixels_on_black_stay_in_range() -> None:
    pixels = np.zeros((100, 100), np.uint16)
    pixels[5, 5:8] = 4000
    normed = images.normalise(pixels, method="percentile")
    assert (normed.min(), normed.max()) == (0, 1)
    assert images.display(pixels)[5, 5] == 255


def test_wide_numbers_keep_their_differences() -> None:
    pixels = (np.arange(1000).reshape(20, 50) + 4_000_000_000).astype(np.uint32)
    expected = (np.arange(1000).reshape(20, 50) - 9.99) / (997.002 - 9.99)
    np.testing.assert_allclose(
        images.normalise(pixels, method="percentile"), expected, rtol=1e-5, atol=1e-6
    )


def test_data_set_normalisation_is_minus_mean_by_deviation_of_the_unit_range() -> None:
    pixels = np.array([[0, 51, 255]], np.uint8)
    normed = images.normalise(pixels, method="dataset", mean=0.2, std=0.5)
    np.testing.assert_allclose(normed, [[-0.4, 0, 1.6]], atol=1e-6)
    assert normed.dtype == np.float32


def test_min_max_normalisation_takes_the_darkest_and_the_brightest_pixel() -> None:
    pixels = np.array([[10, 20, 20, 20, 50]], np.uint8)
    normed = images.normalise(pixels, method="min-max")
    np.testing.assert_allclose(normed, [[0, 0.25, 0.25, 0.25, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"method": "minmax"},
            "method must be percentile, min-max, dataset or given, got 'minmax'",
        ),
        ({"method": "percentile", "low": 60, "high": 40}, "low and high must be 0 <= low < high"),
        ({"method": "percentile", "low": -1}, "got -1 and 99.8"),
        ({"method": "percentile", "high": 101}, "got 1.0 and 101"),
        ({"method": "dataset", "std": 0}, "std must be above 0, got 0"),
    ],
)
def test_impossible_normalisation_is_refused(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        images.normalise(noise("u1"), **options)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "u4", "f4"])
def test_inverting_mirrors_within_the_same_range_and_twice_is_nothing(dtype: str) -> None:
    pixels = noise(dtype)
    inverse = images.invert(pixels)
    assert inverse.dtype == pixels.dtype
    if np.dtype(dtype).kind != "f":
        assert (inverse.min(), inverse.max()) == (pixels.min(), pixels.max())
    assert inverse.ravel()[pixels.argmin()] == pixels.max()
    np.testing.assert_allclose(images.invert(inverse), pixels, rtol=1e-6, atol=1e-4)
    order = np.argsort(pixels.ravel(), kind="stable")
    assert (np.diff(inverse.ravel()[order].astype(np.float64)) <= 0).all()


def test_inverting_a_mask_swaps_its_values() -> None:
    np.testing.assert_array_equal(images.invert(np.array([[True, False]])), [[False, True]])


def test_display_clips_at_the_percentiles() -> None:
    pixels = np.arange(1001, dtype=np.float32).reshape(7, 143)
    shown = images.display(pixels, low=10, high=90)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, np.rint(((pixels - 100) / 800).clip(0, 1) * 255))
    with pytest.raises(ValueError, match="low < high"):
        images.display(pixels, low=99, high=1)


# --- Size -----------------------------------------------------------------------------------------


def test_enlarging_is_linear_between_pixel_centres() -> None:
    pixels = noise("f4", (20, 31))
    expected = resize_by_skimage(pixels, (50, 62), order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(images.resize(pixels, (50, 62)), expected, rtol=1e-4)


def test_making_smaller_averages_fine_patterns_away() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (40, 40))
    small = images.resize(stripes, (10, 20))
    np.testing.assert_allclose(small[:, 1:-1], 0.5, atol=1e-6)
    wave = np.sin(np.linspace(0, 6, 120, dtype=np.float32))[:, None].repeat(90, axis=1)
    middles = wave.reshape(40, 3, 30, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(images.resize(wave, (40, 30))[1:-1], middles[1:-1], atol=0.01)


def test_resizing_keeps_the_range_the_channels_and_a_constant() -> None:
    prob_CHW = np.random.default_rng(0).random((3, 24, 30), np.float32)
    out = images.resize(prob_CHW, (17, 41))
    assert out.shape == (3, 17, 41)
    assert out.dtype == np.float32
    assert out.min() >= 0
    assert out.max() <= 1
    np.testing.assert_array_equal(out[1], images.resize(prob_CHW[1], (17, 41)))
    np.testing.assert_allclose(images.resize(np.full((1, 1), 7, np.uint16), (5, 6)), 7)
    assert images.resize(np.ones((500, 3), bool), (1, 1)).item() == pytest.approx(1)


def test_the_same_shape_changes_no_pixel() -> None:
    pixels = noise("u2")
    same = images.resize(pixels, pixels.shape)
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, pixels)


def test_a_shape_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1, got \(0, 5\)"):
        images.resize(noise("u1"), (0, 5))


# --- Label files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 0.325, 20.0])
@pytest.mark.parametrize(("top", "dtype"), [(0, "u2"), (65_535, "u2"), (65_536, "u4")])
def test_written_labels_are_read_back_with_their_calibration(
    tmp_path: Path, top: int, dtype: str, size: float | None
) -> None:
    labels = np.zeros((9, 11), np.int32)
    labels[2, 3], labels[4, 4], labels[7, 7:] = 1, 2, top
    path, buffer = tmp_path / "a.tif", io.BytesIO()
    images.write_labels(path, labels, size)
    images.write_labels(buffer, labels, size)
    assert path.read_bytes() == buffer.getvalue()
    image = images.read_image(path)
    assert image.pixels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(image.pixels, labels)
    assert image.pixel_size_um == (None if size is None else pytest.approx(size, rel=1e-6))
    np.testing.assert_array_equal(images.read_truth(path).labels_HW, labels)


def test_written_labels_have_what_imagej_needs() -> None:
    buffer = io.BytesIO()
    images.write_labels(buffer, np.eye(5, dtype=np.int64), 0.5)
    with tifffile.TiffFile(io.BytesIO(buffer.getvalue())) as file:
        tags = file.pages[0].tags
        numerator, denominator = tags["XResolution"].value
        assert numerator / denominator == pytest.approx(20_000)
        assert tags["ResolutionUnit"].value == 3  # centimetre
        assert tags["Compression"].value == 8  # deflate
        assert tags["PhotometricInterpretation"].value == 1


@pytest.mark.parametrize("size", [None, 0.325])
def test_ome_labels_tell_other_programs_their_axes_and_their_pixel_size(size: float | None) -> None:
    labels = np.zeros((9, 11), np.int32)
    labels[2, 3], labels[4, 4] = 70_000, 2
    first, second = io.BytesIO(), io.BytesIO()
    images.write_labels(first, labels, size, ome=True)
    images.write_labels(second, labels, size, ome=True)
    assert first.getvalue() == second.getvalue()
    with tifffile.TiffFile(io.BytesIO(first.getvalue())) as file:
        series = file.series[0]
        assert (series.kind, series.axes, series.dtype) == ("ome", "YX", np.uint32)
        np.testing.assert_array_equal(series.asarray(), labels)
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    sides = [(pixels.get(f"PhysicalSize{side}"), pixels.get(f"PhysicalSize{side}Unit"))
             for side in "XY"]  # fmt: skip
    assert sides == [(size, None if size is None else "µm")] * 2
    assert images.read_image(first.getvalue()).pixel_size_um == size
    np.testing.assert_array_equal(images.read_truth(first.getvalue()).labels_HW, labels)


def test_what_are_no_labels_is_not_written() -> None:
    for labels, words in (
        (np.zeros((3, 4, 5), np.uint8), r"two axes, got uint8 with shape \(3, 4, 5\)"),
        (np.zeros((3, 4)), "whole numbers with two axes, got float64"),
        (np.full((3, 4), -1), "from 0 to 4294967295, got -1 to -1"),
        (np.full((3, 4), 2**32), "got 4294967296"),
    ):
        buffer = io.BytesIO()
        with pytest.raises(ValueError, match=words):
            images.write_labels(buffer, labels)
        assert buffer.getvalue() == b""


def test_sha256_is_the_hexadecimal_digest() -> None:
    assert images.sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()


def test_importing_it_loads_none_of_the_large_packages() -> None:
    code = (
        "import sys, unet_core.imaging.images;"
        "print([m for m in ('tifffile', 'PIL', 'skimage', 'scipy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
