import time

import numpy as np
import pytest
from scipy import ndimage

from unet_core.data import synthetic

EIGHT = np.ones((3, 3))


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others() -> None:
    first, again, other = (synthetic.nuclei(generator(seed)) for seed in (3, 3, 4))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@pytest.mark.parametrize("seed", range(6))
def test_every_nucleus_is_one_region_and_numbers_have_no_gaps(seed: int) -> None:
    _, labels_HW = synthetic.nuclei(generator(seed), (200, 280))
    numbers, areas = np.unique(labels_HW[labels_HW > 0], return_counts=True)
    assert labels_HW.dtype == np.int32
    assert labels_HW.shape == (200, 280)
    assert numbers.tolist() == list(range(1, len(numbers) + 1))
    assert areas.min() >= synthetic.SMALLEST_VISIBLE
    for number in numbers:
        assert ndimage.label(labels_HW == number, EIGHT)[1] == 1


def test_crowded_long_nuclei_still_are_one_region_each_and_mostly_visible() -> None:
    for seed in range(4):
        _, labels_HW = synthetic.nuclei(
            generator(seed), count=150, radius=(7, 7), elongation=(3, 4), touching=1.0
        )
        for number in range(1, labels_HW.max() + 1):
            assert ndimage.label(labels_HW == number, EIGHT)[1] == 1
        # Three quarters of the smallest size that is drawn, unless the border cuts it off.
        rim = np.concatenate([labels_HW[0], labels_HW[-1], labels_HW[:, 0], labels_HW[:, -1]])
        areas = np.delete(np.bincount(labels_HW.ravel()), np.unique([0, *rim]))
        assert areas.min() > 0.75 * np.pi * (0.55 * 7) ** 2


def test_labels_lie_where_the_light_is() -> None:
    image_HW, labels_HW = synthetic.nuclei(
        generator(0), out_of_focus=0.0, illumination=0.0, touching=0.0, texture=0.0, blur=(1, 1)
    )
    grey = image_HW.astype(float)
    rim_HW = ndimage.binary_dilation(labels_HW > 0, EIGHT, iterations=4)
    background = grey[~rim_HW]
    for number in range(1, labels_HW.max() + 1):
        inside = ndimage.binary_erosion(labels_HW == number, EIGHT)
        assert grey[inside].mean() > background.mean() + 5 * background.std()


def test_touching_nuclei_touch_and_lonely_ones_mostly_do_not() -> None:
    def touching(share: float) -> int:
        _, labels_HW = synthetic.nuclei(generator(1), count=12, radius=(8, 8), touching=share)
        highest = ndimage.maximum_filter(labels_HW, 3)
        lowest = ndimage.minimum_filter(np.where(labels_HW == 0, 10**6, labels_HW), 3)
        return len(np.unique(labels_HW[(labels_HW > 0) & (lowest < highest)]))

    assert touching(1.0) >= 8
    assert touching(0.0) <= 4


def test_count_and_radius_decide_how_many_and_how_large() -> None:
    _, labels_HW = synthetic.nuclei(
        generator(2), (512, 512), count=20, radius=(10, 10), elongation=(1, 1), touching=0
    )
    areas = np.bincount(labels_HW.ravel())[1:]
    assert len(areas) == 20
    assert np.median(areas) == pytest.approx(np.pi * 10**2, rel=0.2)


def test_no_nuclei_leave_an_empty_noisy_image() -> None:
    image_HW, labels_HW = synthetic.nuclei(generator(0), count=0)
    assert not labels_HW.any()
    assert image_HW.std() > 0


def test_sixteen_bits_hold_more_grey_levels_than_eight() -> None:
    image8_HW, _ = synthetic.nuclei(generator(5), bits=8)
    image16_HW, _ = synthetic.nuclei(generator(5), bits=16)
    assert (image8_HW.dtype, image16_HW.dtype) == (np.uint8, np.uint16)
    assert 255 < image16_HW.max() <= 4095


def test_fewer_photons_give_more_noise() -> None:
    def noise(photons: float) -> float:
        image_HW, _ = synthetic.nuclei(generator(0), photons=(photons, photons), background=(0, 0))
        fine = image_HW - ndimage.gaussian_filter(image_HW.astype(float), 2)
        return float(fine.std())

    assert noise(30) > 2 * noise(3000)


def test_an_image_of_256_pixels_takes_less_than_30_ms() -> None:
    def seconds(seed: int) -> float:
        start = time.process_time()
        synthetic.nuclei(generator(seed))
        return time.process_time() - start

    assert min(seconds(seed) for seed in range(12)) < 0.03


@pytest.mark.parametrize(
    "option",
    [
        {"shape": (8, 256)},
        {"shape": (256,)},
        {"count": -1},
        {"radius": (9, 6)},
        {"radius": (1, 6)},
        {"elongation": (0.5, 2)},
        {"touching": 1.5},
        {"texture": -0.1},
        {"blur": (1, 50)},
        {"out_of_focus": 2},
        {"illumination": 1.0},
        {"background": (0.1, 1.1)},
        {"photons": (0, 10)},
        {"read_noise": -1},
        {"bits": 12},
    ],
)
def test_a_bad_option_for_nuclei_is_named(option: dict) -> None:
    (name,) = option
    with pytest.raises(ValueError, match=f"^{name} must be .* got"):
        synthetic.nuclei(generator(0), **option)
