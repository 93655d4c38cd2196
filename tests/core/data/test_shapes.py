import time
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from unet_core.data import datasets, shapes
from unet_core.data.shapes import Shapes


def draw(seed: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    return shapes.draw(np.random.default_rng(seed), Shapes(**options))


def test_the_usual_set_has_the_pixels_that_it_had_before_its_settings_could_be_chosen() -> None:
    # Of the set as runs and cards of earlier versions name it.
    expected = "9ea74e8124959523e7a4a272b7a40e003e043201c3b02bda4a0546d62b141696"
    assert datasets.data_hash("synthetic-shapes") == expected


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others() -> None:
    for a, b, c in zip(draw(3), draw(3), draw(4), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


def test_shapes_have_three_classes_with_grey_away_from_the_background() -> None:
    image_HW, classes_HW = draw(
        1, background=110, contrast=40, noise=15, lines=(4, 4), ellipses=(4, 4)
    )
    assert image_HW.shape == classes_HW.shape == (400, 200)
    assert (image_HW.dtype, classes_HW.dtype) == (np.uint8, np.uint8)
    assert np.unique(classes_HW).tolist() == [0, 1, 2]
    background = image_HW[classes_HW == 0]
    assert background.mean() == pytest.approx(110, abs=1)
    assert background.std() == pytest.approx(15, abs=1)
    # Objects carry a third of the noise: nearly all their pixels stay 40 - 3 * 5 away.
    away = np.abs(image_HW[classes_HW > 0].astype(float) - 110)
    assert np.mean(away > 25) > 0.995


def test_shapes_carry_a_third_of_the_noise() -> None:
    image_HW, classes_HW = draw(
        1, lines=(0, 0), ellipses=(1, 1), noise=15, background=128, contrast=20
    )
    grey = image_HW[classes_HW == 2]
    assert 20 < grey.mean() < 235  # not clipped
    assert grey.std() == pytest.approx(5, abs=0.5)


def test_shapes_are_dark_where_no_lighter_grey_differs_enough() -> None:
    for seed in range(3):
        image_HW, classes_HW = draw(seed, background=200, contrast=100, noise=0)
        assert image_HW[classes_HW > 0].max() <= 100


def test_shapes_keep_to_their_greys_on_both_sides_of_the_background() -> None:
    greys = []
    for seed in range(12):
        image_HW, classes_HW = draw(
            seed, background=120, contrast=30, grey=(60, 180), noise=0, lines=(9, 9)
        )
        greys += image_HW[classes_HW > 0].tolist()
    assert min(greys) >= 60
    assert max(greys) <= 180
    assert not [grey for grey in set(greys) if 91 <= grey <= 149]
    dark = np.mean(np.array(greys) < 120)
    assert 0.25 < dark < 0.75


def test_one_grey_for_all_shapes_is_enough() -> None:
    image_HW, classes_HW = draw(0, grey=(200, 200), noise=0)
    assert set(image_HW[classes_HW > 0].tolist()) == {200}


def test_the_only_ellipse_has_the_area_of_its_axes() -> None:
    areas = [draw(seed, lines=(0, 0), ellipses=(1, 1), semi_axis=(20, 20))[1] for seed in range(8)]
    whole = [
        area
        for area in areas
        if not area[[0, -1]].any() and not area[:, [0, -1]].any()  # not cut by the border
    ]
    assert whole
    for classes_HW in whole:
        assert set(np.unique(classes_HW)) == {0, 2}
        assert (classes_HW == 2).sum() == pytest.approx(np.pi * 20 * 20, rel=0.01)


def test_the_only_line_is_as_thick_as_asked() -> None:
    _, classes_HW = draw(0, lines=(1, 1), ellipses=(0, 0), thickness=(6, 6))
    assert set(np.unique(classes_HW)) == {0, 1}
    deepest = ndimage.distance_transform_edt(classes_HW).max()
    assert 2.5 <= deepest <= 4


def test_an_image_without_shapes_is_background_only() -> None:
    image_HW, classes_HW = draw(0, lines=(0, 0), ellipses=(0, 0))
    assert not classes_HW.any()
    assert image_HW.std() > 0


def test_size_decides_the_size() -> None:
    image_HW, classes_HW = draw(0, rows=32, columns=70)
    assert image_HW.shape == classes_HW.shape == (32, 70)


def test_a_large_image_with_few_shapes_takes_less_than_a_second() -> None:
    start = time.process_time()
    draw(0, rows=2000, columns=2000, lines=(2, 2), train=2)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (Shapes(), "synthetic-shapes"),
        (Shapes(noise=0.5), "synthetic-shapes:noise=0.5"),
        (Shapes(lines=(0, 4), noise=30), "synthetic-shapes:lines=0,4,noise=30"),
        (
            Shapes(train=5, seed=3, thickness=(2.5, 7), grey=(0, 60), background=200.0),
            "synthetic-shapes:train=5,seed=3,thickness=2.5,7,background=200,grey=0,60",
        ),
    ],
)
def test_settings_become_a_name_and_the_name_the_settings(settings: Shapes, name: str) -> None:
    assert settings.name == name
    assert Shapes.from_name(name) == settings
    assert datasets.info(name).name == name


def test_a_name_in_another_order_or_with_usual_values_is_the_same_set() -> None:
    assert datasets.info("synthetic-shapes:seed=3,noise=20,rows=64").name == (
        "synthetic-shapes:seed=3,rows=64"
    )
    assert datasets.info("synthetic-shapes:noise=20") == datasets.info("synthetic-shapes")


def test_a_set_of_its_own_has_its_own_images_splits_and_hash() -> None:
    name = "synthetic-shapes:train=20,test=2,rows=40,columns=48,seed=1"
    assert [len(datasets.sample_names(name, split)) for split in ("train", "val", "test")] == [
        17, 3, 2,
    ]  # fmt: skip
    sample = datasets.load(name, "test", "shapes-test-001")
    assert sample.image_HW.shape == (40, 48)
    assert datasets.used_in(name, None, "shapes-test-001") == "test"
    other = name.replace("seed=1", "seed=2")
    assert (sample.image_HW != datasets.load(other, "test", "shapes-test-001").image_HW).any()
    assert datasets.data_hash(name) != datasets.data_hash(other)
    assert datasets.is_available(name)
    assert datasets.statistics(name).images["split"].value_counts()["train"] == 17


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rows": 8}, "rows must be at least 16, got 8"),
        ({"columns": 5000}, "columns must be at most 4096, got 5000"),
        ({"columns": 20.5}, "columns must be a whole number, got 20.5"),
        ({"train": 1}, "train must be at least 2, got 1"),
        ({"lines": (3, 2)}, "lines must be two rising numbers, got 3, 2"),
        ({"lines": (3,)}, "lines must be two rising numbers, got 3"),
        ({"grey": ()}, "grey must be two rising numbers, got none"),
        ({"ellipses": (-1, 2)}, "ellipses must be at least 0, got -1"),
        ({"thickness": (0, 2)}, "thickness must be at least 1, got 0"),
        ({"semi_axis": (2, 2000)}, "semi_axis must be at most 200, got 2000"),
        ({"background": 300}, "background must be at most 255, got 300"),
        ({"noise": float("nan")}, "noise must be a finite number, got nan"),
        ({"contrast": 101}, "contrast must be at most 100, got 101"),
        (
            {"contrast": 50, "grey": (70, 150)},
            "contrast must leave a grey for the shapes: none from 70 to 150 is 50 away from the "
            "background's 110",
        ),
        (
            {"rows": 4000, "columns": 4000},
            "rows x columns x images must be at most 250 million pixels, got 4000 x 4000 x 110",
        ),
    ],
)
def test_impossible_settings_are_refused_with_a_sentence(wrong: dict, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        Shapes(**wrong)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("synthetic-shapes:size=3", "unknown setting 'size'; known are: train, test, seed, "),
        ("synthetic-shapes:noise", "a setting is written key=value, got 'noise'"),
        ("synthetic-shapes:noise=loud", "noise must be a number, got 'loud'"),
        ("synthetic-nuclei:noise=3", "data set must be one of .*, got 'synthetic-nuclei:noise=3'"),
    ],
)
def test_a_name_that_says_nonsense_is_refused_with_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        datasets.sample_names(name, "train")


def test_the_name_of_another_set_says_no_settings() -> None:
    with pytest.raises(ValueError, match="the name must begin with synthetic-shapes, got 'dsb'"):
        Shapes.from_name("dsb")
