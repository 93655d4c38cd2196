import time
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import regionprops

from unet_core.base import cache
from unet_core.data import datasets, statistics
from unet_core.data.statistics import Facts, Labelled

# Two objects that touch at a corner, and one alone; the smallest has 2 pixels.
LABELS_HW = np.array(
    [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 2, 2, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 3],
        [0, 0, 0, 0, 0, 3],
        [0, 0, 0, 0, 0, 3],
    ],
    np.int32,
)
IMAGE_HW = np.arange(42, dtype=np.uint8).reshape(7, 6)
NUCLEI = {"classes": ("background", "nucleus"), "has_instances": True}
SHAPES = {"classes": ("background", "line", "ellipse"), "has_instances": False}


def tables(
    *labelled: Labelled, validation: tuple[str, ...] = (), **options
) -> statistics.Statistics:
    splits = {
        (one.split, one.name): "val" if one.name in validation else one.split for one in labelled
    }
    return statistics.from_arrays(statistics.measure_images(labelled, **options), splits)


def three_images(**options) -> statistics.Statistics:
    empty_HW = np.zeros((7, 6), np.int32)
    return tables(
        Labelled("a", "train", IMAGE_HW, LABELS_HW),
        Labelled("b", "train", IMAGE_HW, empty_HW),
        Labelled("c", "test", np.zeros((9, 6), np.uint8), np.ones((9, 6), np.int32)),
        **(NUCLEI | options),
    )


def test_an_image_row_counts_its_objects_and_their_share() -> None:
    images = three_images().images.set_index("image")
    assert images["objects"].tolist() == [3, 0, 1]
    assert images["smallest_area"].tolist()[0] == 2
    assert images.loc["a", "touching"] == pytest.approx(2 / 3)
    assert np.isnan(images.loc["b", ["smallest_area", "touching"]].astype(float)).all()
    assert images["foreground"].tolist() == pytest.approx([9 / 42, 0, 1])
    assert images["share_background"].tolist() == pytest.approx([33 / 42, 1, 0])
    assert images["share_nucleus"].tolist() == pytest.approx([9 / 42, 0, 1])
    assert images["intensity_mean"].tolist() == pytest.approx([20.5, 20.5, 0])
    assert images.loc["c", ["height", "width", "split"]].tolist() == [9, 6, "test"]


def test_object_rows_name_their_image_and_hold_regionprops() -> None:
    objects = three_images().objects
    assert objects["image"].tolist() == ["a", "a", "a", "c"]
    assert objects["split"].tolist() == ["train"] * 3 + ["test"]
    assert set(objects["class"]) == {"nucleus"}
    rows = objects[objects["image"] == "a"].itertuples()
    for row, expected in zip(rows, regionprops(LABELS_HW, IMAGE_HW), strict=True):
        assert row.area == expected.area
        assert row.intensity_mean == pytest.approx(expected.intensity_mean)
        assert row.equivalent_diameter_area == pytest.approx(expected.equivalent_diameter_area)


def test_a_scheme_renames_training_images_to_val_in_both_tables() -> None:
    found = three_images(validation=("a",))
    assert found.images["split"].tolist() == ["val", "train", "test"]
    assert found.objects["split"].tolist() == ["val", "val", "val", "test"]


def test_regions_of_a_class_are_objects_where_classes_are_labelled() -> None:
    classes_HW = np.zeros((6, 8), np.uint8)
    classes_HW[1:3, 1:3] = 2
    classes_HW[4, :] = 1
    classes_HW[5, 0] = 2  # touches the line, and is another class
    classes_HW[0, 3] = 2  # touches the first ellipse at a corner only
    found = tables(Labelled("a", "train", np.zeros((6, 8), np.uint8), classes_HW), **SHAPES)
    rows = sorted(zip(found.objects["class"], found.objects["area"], strict=True))
    assert rows == [("ellipse", 1), ("ellipse", 5), ("line", 8)]
    shares = found.images.loc[0, ["share_background", "share_line", "share_ellipse"]]
    assert shares.tolist() == pytest.approx([34 / 48, 8 / 48, 6 / 48])


def test_calibrated_sets_get_columns_in_micrometres() -> None:
    objects = three_images(pixel_size_um=0.5).objects
    assert objects["area_um2"].tolist() == (objects["area"] / 4).tolist()
    assert "area_um2" not in three_images().objects


def test_progress_is_told_image_by_image() -> None:
    seen: list[int] = []
    three_images(on_image=seen.append)
    assert seen == [1, 2, 3]


def test_a_test_image_with_the_name_of_a_validation_image_stays_in_the_test_split() -> None:
    pixels_HW, labels_HW = np.ones((4, 4), np.uint8), np.eye(4, dtype=np.int32)
    arrays = statistics.measure_images(
        [Labelled("a", split, pixels_HW, labels_HW) for split in ("train", "test")], **NUCLEI
    )
    found = statistics.from_arrays(arrays, {("train", "a"): "val", ("test", "a"): "test"})
    assert list(found.images["split"]) == ["val", "test"]
    assert list(found.objects["split"]) == ["val", "test"]


# --- what it means -------------------------------------------------------------------------------


def test_the_summary_holds_the_facts_of_each_split() -> None:
    facts = statistics.summary(three_images())
    assert list(facts) == ["train", "test"]
    train = facts["train"]
    assert (train.images, train.objects, train.empty_images) == (2, 3, 1)
    assert train.shapes == {(7, 6): 2}
    assert (train.smallest_area, train.median_area, train.largest_area) == (2, 3, 4)
    assert train.diameter == pytest.approx(np.sqrt(4 * 3 / np.pi))
    assert (train.longest_side, train.objects_per_image) == (3, 1.5)
    assert train.touching == pytest.approx(2 / 3)
    assert train.foreground == pytest.approx(9 / 84)


def test_contrast_is_an_objects_brightness_over_that_of_its_own_image() -> None:
    bright, dark = np.full((4, 10), 10, np.uint8), np.full((4, 10), 100, np.uint8)
    labels = np.zeros((4, 10), np.int32)
    labels[:2, :2] = 1
    bright[:2, :2] = 90  # the image's mean is then 18, and 90 / 18 = 5
    dark[:2, :2] = 0
    facts = statistics.summary(
        tables(
            Labelled("a", "train", bright, labels), Labelled("b", "test", dark, labels), **NUCLEI
        )
    )
    assert facts["train"].contrast == pytest.approx(5)
    assert facts["test"].contrast == 0


def facts_with(**changes: object) -> Facts:
    return Facts(**(vars(statistics.summary(three_images())["train"]) | changes))


@pytest.mark.parametrize(
    ("longest", "shapes", "side"),
    [
        (95, {(256, 256): 3}, 192),
        (96, {(256, 256): 3}, 192),
        (97, {(256, 256): 3}, 224),
        (400, {(512, 512): 2, (260, 347): 1}, 256),
        (4, {(200, 400): 1}, 32),
        (np.nan, {(200, 400): 1}, 32),
    ],
)
def test_a_crop_holds_the_longest_object_twice_or_fits_the_smallest_image(longest, shapes, side):
    assert statistics.crop_side(facts_with(longest_side=longest, shapes=shapes)) == side


def test_class_weights_balance_the_shares() -> None:
    shares = {"background": 0.8, "line": 0.04, "ellipse": 0.16, "nothing": 0.0}
    weights = statistics.class_weights(facts_with(class_shares=shares))
    assert weights == pytest.approx({"background": 1, "line": 20, "ellipse": 5, "nothing": 0})


def test_the_sentences_carry_the_numbers() -> None:
    facts = facts_with(
        longest_side=95.0, shapes={(256, 256): 3, (300, 400): 1}, small=7.0, large=50.0,
        diameter=21.0, distance=28.0, smallest_area=21.0, touching=0.27,
        class_shares={"background": 0.86, "nucleus": 0.14}, foreground=0.14,
        darkest=5.0, brightest=24.0, contrast=3.0, faint=1.5,
    )  # fmt: skip
    told = statistics.meaning(facts)
    assert "2 sizes and the shortest side is 256 px" in told["shapes"]
    assert "longest spans 95 px: use crops of at least 192 px" in told["equivalent_diameter_area"]
    assert "28 px away, 1.3 diameters" in told["nearest_neighbour_distance"]
    assert "27 % of the objects touch another: learn a boundary" in told["touching"]
    assert "a minimum area of 21 px²" in told["smallest_area"]
    assert "every pixel background already has a pixel accuracy of 86 %" in told["foreground"]
    assert "4.8 times as bright" in told["intensity_mean"]
    assert "percentiles" in told["intensity_mean"]
    assert told["classes"].endswith(
        "background, nucleus count alike, use the class weights 1, 6.14."
    )
    assert "1 have none" in told["objects"]
    assert "3.0 times as bright" in told["contrast"]
    assert "at most 1.5 times: the faintest are missed first" in told["contrast"]


def test_the_advice_turns_with_the_data() -> None:
    lonely = facts_with(touching=0.0, distance=np.nan, darkest=100.0, brightest=120.0)
    told = statistics.meaning(lonely)
    assert "0.0 % of the objects touch another: the foreground alone" in told["touching"]
    assert "no neighbours" in told["nearest_neighbour_distance"]
    assert "one mean and deviation" in told["intensity_mean"]
    tight = statistics.meaning(facts_with(longest_side=400.0, shapes={(512, 512): 1}))
    assert "use crops of 512 px, the largest that fit" in tight["equivalent_diameter_area"]
    uniform = statistics.meaning(facts_with(small=10.0, large=12.0))
    assert "sizes are uniform" in uniform["equivalent_diameter_area"]
    mixed = statistics.meaning(facts_with(contrast=1.1, faint=0.4))
    assert "some are darker than what is around them" in mixed["contrast"]
    several = statistics.meaning(facts_with(class_shares={"a": 0.5, "b": 0.3, "c": 0.2}))
    assert "the network itself draws the line" in several["touching"]


def test_a_split_without_objects_has_sentences_on_its_images_only() -> None:
    empty = tables(
        Labelled("a", "train", np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.int32)), **NUCLEI
    )
    facts = statistics.summary(empty)["train"]
    assert (facts.objects, facts.empty_images) == (0, 1)
    assert np.isnan([facts.diameter, facts.smallest_area, facts.longest_side]).all()
    told = statistics.meaning(facts)
    assert set(told) == {"shapes", "objects", "foreground", "intensity_mean", "classes"}
    assert not [sentence for sentence in told.values() if "nan" in sentence]


# --- the real set, and the cache -----------------------------------------------------------------


def test_dsb_statistics_reproduce_the_published_facts_and_load_at_once(real_data: Path) -> None:
    seen: list[tuple[int, int]] = []
    start = time.process_time()  # of this process: others may use the cores
    found = datasets.statistics("dsb2018", on_progress=lambda *step: seen.append(step))
    assert time.process_time() - start < 15
    assert seen[-1] == (497, 497)
    pool = found.objects[found.objects["split"] != "test"]
    assert len(pool) == 19372
    assert pool["area"].mean() == pytest.approx(515.4253561841833, rel=1e-12)
    test = statistics.summary(found)["test"]
    assert (test.objects, int(test.median_area), test.largest_area) == (2460, 397, 6074)
    assert round(100 * test.foreground, 1) == 14.5
    assert (found.objects["split"] == "val").sum() == 2543

    cache._memory.clear()  # as after a restart
    start = time.process_time()
    again = datasets.statistics("dsb2018", scheme="every-20th")
    assert time.process_time() - start < 2
    assert (again.images["split"] == "val").sum() == 22
    assert again.objects["area"].equals(found.objects["area"])


def test_shapes_have_objects_of_both_classes() -> None:
    found = datasets.statistics("synthetic-shapes")
    assert set(found.objects["class"]) == {"line", "ellipse"}
    assert len(found.images) == 110
    assert list(statistics.summary(found)) == ["train", "val", "test"]


def test_isbi_neurites_are_measured_in_micrometres(real_data: Path) -> None:
    found = datasets.statistics("isbi2012")
    assert len(found.images) == 30
    assert 100 * found.images["foreground"].mean() == pytest.approx(78.0, abs=0.05)
    ratio = found.objects["area_um2"] / found.objects["area"]
    np.testing.assert_allclose(ratio, 16e-6)
