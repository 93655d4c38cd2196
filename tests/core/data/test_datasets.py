import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.data import datasets


def write_pairs(folder: Path, stems: str, *, shape: tuple[int, int] = (20, 24)) -> None:
    for part, dtype in (("images", np.uint8), ("masks", np.uint16)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for number, stem in enumerate(stems):
            pixels_HW = np.full(shape, number + 1, dtype)
            tifffile.imwrite(folder / part / f"{stem}.tif", pixels_HW)


@pytest.fixture
def small_dsb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set in the layout of dsb2018 with 8 training and 2 test images."""
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    write_pairs(tmp_path / "dsb2018" / "train", "abcdefgh")
    write_pairs(tmp_path / "dsb2018" / "test", "xy")
    return tmp_path / "dsb2018"


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load_all(name: str, split: str, scheme: str | None = None) -> list[datasets.Sample]:
    names = datasets.sample_names(name, split, scheme=scheme)
    return [datasets.load(name, split, sample) for sample in names]


# --- real data: the published facts --------------------------------------------------------------


def test_dsb_has_the_published_images_shapes_and_objects(real_data: Path) -> None:
    pool = load_all("dsb2018", "train") + load_all("dsb2018", "val")
    assert Counter(sample.image_HW.shape for sample in pool) == {
        (256, 256): 276, (360, 360): 78, (520, 696): 77, (512, 640): 11, (260, 347): 3,
        (256, 320): 2,
    }  # fmt: skip
    areas = np.concatenate([np.bincount(sample.labels_HW.ravel())[1:] for sample in pool])
    areas = areas[areas > 0]
    assert (len(pool), len(areas)) == (447, 19372)
    assert areas.mean() == pytest.approx(515.4253561841833, rel=1e-12)
    assert areas.min() == 21
    assert {sample.image_HW.dtype for sample in pool} == {np.dtype(np.uint8)}
    assert {sample.labels_HW.dtype for sample in pool} == {np.dtype(np.int32)}


def test_dsb_test_images_are_the_published_ones(real_data: Path) -> None:
    test = load_all("dsb2018", "test")
    assert Counter(sample.image_HW.shape for sample in test) == {
        (256, 256): 26, (520, 696): 11, (360, 360): 10, (512, 640): 2, (256, 320): 1,
    }  # fmt: skip
    areas = np.concatenate([np.bincount(sample.labels_HW.ravel())[1:] for sample in test])
    areas = areas[areas > 0]
    assert (len(test), len(areas), int(np.median(areas)), areas.max()) == (50, 2460, 397, 6074)
    foreground = np.mean([np.mean(sample.labels_HW > 0) for sample in test])
    assert round(100 * foreground, 1) == 14.5


def test_dsb_schemes_divide_as_published(real_data: Path) -> None:
    def count(scheme: str) -> tuple[int, int]:
        parts = [datasets.sample_names("dsb2018", part, scheme=scheme) for part in ("train", "val")]
        assert not set(parts[0]) & set(parts[1])
        assert len(set(parts[0]) | set(parts[1])) == 447
        return len(parts[0]), len(parts[1])

    assert count("every-20th") == (425, 22)
    assert count("stardist") == (380, 67)
    assert count("dl4mia") == (380, 67)
    assert count("fraction") == (380, 67)
    objects = [
        len(np.unique(sample.labels_HW)) - 1 for sample in load_all("dsb2018", "val", "stardist")
    ]
    assert sum(objects) == 2543


def test_every_20th_takes_the_20th_40th_and_so_on(real_data: Path) -> None:
    files = sorted(path.stem for path in (real_data / "dsb2018/train/images").glob("*.tif"))
    assert datasets.sample_names("dsb2018", "val", scheme="every-20th") == files[19::20]


def test_isbi_has_the_published_mean_deviation_and_share_of_white(real_data: Path) -> None:
    labelled = [
        sample for split in ("train", "val", "test") for sample in load_all("isbi2012", split)
    ]
    pixels = np.stack([sample.image_HW for sample in labelled]) / 255
    inside = np.stack([sample.labels_HW for sample in labelled]) > 0
    assert pixels.shape == (30, 512, 512)
    assert (round(pixels.mean(), 4), round(pixels.std(), 4)) == (0.4948, 0.1726)
    assert round(100 * inside.mean(), 1) == 78.0
    assert {sample.pixel_size_um for sample in labelled} == {0.004}


def test_isbi_sections_are_divided_in_depth(real_data: Path) -> None:
    names = {
        split: datasets.sample_names("isbi2012", split)
        for split in datasets.info("isbi2012").splits
    }
    assert names["train"] == [f"section-{index:02d}" for index in range(24)]
    assert names["val"] == ["section-24", "section-25", "section-26"]
    assert names["test"] == ["section-27", "section-28", "section-29"]
    assert len(names["unlabelled"]) == 30
    section = datasets.load("isbi2012", "unlabelled", names["unlabelled"][0])
    assert section.labels_HW is None
    volume = tifffile.imread(real_data / "isbi2012" / "test-volume.tif")
    np.testing.assert_array_equal(section.image_HW, volume[0])


def test_isbi_objects_are_4_connected_white_regions(real_data: Path) -> None:
    from skimage.measure import label

    sample = datasets.load("isbi2012", "train", "section-05")
    white = tifffile.imread(real_data / "isbi2012" / "train-labels.tif")[5] == 255
    np.testing.assert_array_equal(sample.labels_HW > 0, white)
    assert sample.labels_HW.max() == label(white, connectivity=1).max()


def test_an_image_of_the_set_is_recognised_by_its_pixels(real_data: Path) -> None:
    index = datasets.pixel_index("dsb2018")
    sample = load_all("dsb2018", "test")[3]
    assert len(index) == 497
    assert index[datasets.pixel_hash(sample.image_HW.copy())] == sample.name
    changed = sample.image_HW.copy()
    changed[0, 0] ^= 1
    assert datasets.pixel_hash(changed) not in index


# --- synthetic sets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "train", "val", "test"),
    [("synthetic-nuclei", 51, 9, 12), ("synthetic-shapes", 85, 15, 10)],
)
def test_synthetic_sets_are_there_without_any_file(no_data, name, train, val, test) -> None:
    assert datasets.available() == ["synthetic-nuclei", "synthetic-shapes"]
    assert datasets.folder(name) is None
    counts = [len(datasets.sample_names(name, split)) for split in ("train", "val", "test")]
    assert counts == [train, val, test]
    sample = datasets.load(name, "test", datasets.sample_names(name, "test")[0])
    assert sample.labels_HW.max() >= 1
    assert sample.path is None


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [
        (10, 4, [0, 3, 6, 9]),
        (7, 3, [0, 3, 6]),
        (8, 2, [0, 7]),
        (5, 1, [0]),
        (3, 3, [0, 1, 2]),
        (3, 9, [0, 1, 2]),
        (3, 0, [0, 1, 2]),
        (0, 4, []),
    ],
)
def test_some_of_many_are_picked_at_equal_distances(
    count: int, limit: int, expected: list[int]
) -> None:
    assert datasets.pick_evenly(range(count), limit) == expected


def test_a_synthetic_sample_does_not_depend_on_what_was_loaded_before() -> None:
    alone = datasets.load("synthetic-nuclei", "train", "nuclei-train-007")
    datasets.load("synthetic-nuclei", "train", "nuclei-train-006")
    again = datasets.load("synthetic-nuclei", "val", "nuclei-train-007")
    np.testing.assert_array_equal(alone.image_HW, again.image_HW)
    other = datasets.load("synthetic-nuclei", "test", "nuclei-test-007")
    assert (alone.image_HW != other.image_HW).any()


def test_synthetic_nuclei_come_in_several_sizes() -> None:
    shapes = {sample.image_HW.shape for sample in load_all("synthetic-nuclei", "test")}
    assert shapes == {(256, 256), (320, 256), (360, 360)}


def test_every_synthetic_image_has_its_own_pixels() -> None:
    assert len(datasets.pixel_index("synthetic-shapes")) == 110


# --- where a set lies, and hashes ----------------------------------------------------------------


def test_a_set_is_found_in_the_working_folder_when_the_variable_names_another(
    small_dsb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = small_dsb.parent / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    shutil.move(small_dsb, elsewhere / "data" / "dsb2018")
    monkeypatch.chdir(elsewhere)
    assert datasets.folder("dsb2018") == Path("data/dsb2018")
    assert "dsb2018" in datasets.available()


def test_the_hash_sees_pixels_and_names_but_not_compression(small_dsb: Path) -> None:
    before = datasets.data_hash("dsb2018")
    path = small_dsb / "train" / "images" / "a.tif"
    pixels_HW = tifffile.imread(path)
    tifffile.imwrite(path, pixels_HW, compression="zlib")
    assert datasets.data_hash("dsb2018") == before
    pixels_HW[3, 3] += 1
    tifffile.imwrite(path, pixels_HW)
    changed = datasets.data_hash("dsb2018")
    assert changed != before
    for part in ("images", "masks"):
        os.rename(small_dsb / "test" / part / "x.tif", small_dsb / "test" / part / "z.tif")
    assert datasets.data_hash("dsb2018") not in (before, changed)


def test_byte_order_does_not_change_a_pixel_hash() -> None:
    pixels_HW = np.arange(12, dtype="<u2").reshape(3, 4)
    assert datasets.pixel_hash(pixels_HW) == datasets.pixel_hash(pixels_HW.astype(">u2"))
    assert datasets.pixel_hash(pixels_HW) != datasets.pixel_hash(pixels_HW.reshape(4, 3))
    expected = hashlib.sha256(b"uint16 (3, 4) " + pixels_HW.tobytes()).hexdigest()
    assert datasets.pixel_hash(pixels_HW) == expected


def test_used_in_names_the_split_under_the_scheme(small_dsb: Path) -> None:
    (val,) = datasets.sample_names("dsb2018", "val", scheme="stardist")
    assert datasets.used_in("dsb2018", "stardist", val) == "val"
    assert datasets.used_in("dsb2018", "every-20th", val) == "train"
    assert datasets.used_in("dsb2018", None, "x") == "test"
    assert datasets.used_in("dsb2018", None, "unknown") is None


def test_used_in_knows_nothing_of_a_set_that_is_not_there(no_data: Path) -> None:
    assert datasets.used_in("dsb2018", None, "nuclei-train-003") is None


def test_a_single_training_image_is_not_taken_for_validation(small_dsb: Path) -> None:
    for stem in "bcdefgh":
        for part in ("images", "masks"):
            (small_dsb / "train" / part / f"{stem}.tif").unlink()
    assert datasets.sample_names("dsb2018", "train") == ["a"]
    assert datasets.sample_names("dsb2018", "val") == []


# --- mistakes ------------------------------------------------------------------------------------


def test_a_missing_set_says_how_to_get_it(no_data: Path) -> None:
    with pytest.raises(
        ValueError, match=r"dsb2018 is not downloaded: run .* data fetch dsb2018`, or put"
    ):
        datasets.sample_names("dsb2018", "train")
    with pytest.raises(ValueError, match=r"isbi2012 is not downloaded: .*nothing/isbi2012$"):
        datasets.load("isbi2012", "train", "section-00")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.info("dsb"), "data set must be one of dsb2018, .* got 'dsb'"),
        (lambda: datasets.sample_names("dsb2018", "dev"), "split of dsb2018 must be .* got 'dev'"),
        (
            lambda: datasets.sample_names("dsb2018", "val", scheme="sections"),
            "scheme of dsb2018 must be .* got 'sections'",
        ),
        (lambda: datasets.load("dsb2018", "train", "x"), "there is no sample 'x'"),
        (lambda: datasets.load("dsb2018", "train", "../../test/images/x"), "there is no sample"),
        (
            lambda: datasets.load("synthetic-nuclei", "train", "nuclei-train-060"),
            "there is no sample 'nuclei-train-060': nuclei-train-000 to nuclei-train-059 exist",
        ),
    ],
)
def test_a_wrong_name_is_told_with_the_right_ones(small_dsb: Path, call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("masks/c.tif", "the image c.tif in .* has no mask$"),
        ("images/c.tif", "the mask c.tif in .* has no image$"),
    ],
)
def test_a_file_without_its_partner_is_named(small_dsb: Path, lost: str, message: str) -> None:
    (small_dsb / "train" / lost).unlink()
    with pytest.raises(ValueError, match=message):
        datasets.sample_names("dsb2018", "train")


def test_several_files_without_partners_are_counted(small_dsb: Path) -> None:
    for stem in "bcd":
        (small_dsb / "train" / "masks" / f"{stem}.tif").unlink()
    with pytest.raises(ValueError, match=r"image b.tif .* no mask, and 2 more files"):
        datasets.sample_names("dsb2018", "train")


def test_a_set_without_images_says_so(small_dsb: Path) -> None:
    shutil.rmtree(small_dsb / "train" / "images")
    with pytest.raises(ValueError, match=r"must have a folder images: there is none"):
        datasets.sample_names("dsb2018", "train")
    (small_dsb / "train" / "images").mkdir()
    with pytest.raises(ValueError, match=r"holds no .tif file"):
        datasets.sample_names("dsb2018", "train")


def test_image_and_mask_of_different_shapes_are_refused(small_dsb: Path) -> None:
    tifffile.imwrite(small_dsb / "train" / "masks" / "a.tif", np.zeros((20, 25), np.uint16))
    with pytest.raises(
        ValueError, match=r"of a must have one shape, got \(20, 24\) and \(20, 25\)"
    ):
        datasets.load("dsb2018", "train", "a")


def test_a_mask_that_vanished_after_listing_is_named(small_dsb: Path) -> None:
    (small_dsb / "train" / "masks" / "a.tif").unlink()
    with pytest.raises(ValueError, match=r"the image a.tif in .* has no mask"):
        datasets.load("dsb2018", "train", "a")


@pytest.mark.parametrize("value", [0.5, np.int16(-1)])
def test_a_mask_that_holds_no_labels_is_named(small_dsb: Path, value: float) -> None:
    mask = small_dsb / "train" / "masks" / "a.tif"
    tifffile.imwrite(mask, np.full((20, 24), value))
    with pytest.raises(ValueError, match=r"masks/a.tif must hold labels, whole numbers from 0"):
        datasets.load("dsb2018", "train", "a")


def test_a_file_that_is_no_grey_tiff_is_named(small_dsb: Path) -> None:
    path = small_dsb / "train" / "images" / "a.tif"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"a.tif cannot be read: "):
        datasets.load("dsb2018", "train", "a")
    tifffile.imwrite(path, np.zeros((20, 24, 3), np.uint8), photometric="rgb")
    with pytest.raises(ValueError, match=r"a.tif cannot be read: it must be a grey plane"):
        datasets.load("dsb2018", "train", "a")


def test_isbi_with_missing_or_short_stacks_says_which(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    (tmp_path / "isbi2012").mkdir()
    for file in ("train-volume.tif", "test-volume.tif"):
        tifffile.imwrite(
            tmp_path / "isbi2012" / file, np.zeros((4, 16, 16), np.uint8), photometric="minisblack"
        )
    with pytest.raises(ValueError, match=r"train-labels.tif is missing in .*isbi2012$"):
        datasets.sample_names("isbi2012", "train")
    shutil.copy(tmp_path / "isbi2012/test-volume.tif", tmp_path / "isbi2012/train-labels.tif")
    with pytest.raises(
        ValueError, match=r"train-volume.tif cannot be read: it holds 4 planes, not 6"
    ):
        datasets.load("isbi2012", "train", "section-05")


def test_the_notebooks_sections_are_its_test_and_all_others_train_or_validate(
    real_data: Path,
) -> None:
    splits = [
        datasets.sample_names("isbi2012", split, scheme="13-2-28")
        for split in ("train", "val", "test")
    ]
    assert splits[2] == ["section-13", "section-02", "section-28"]
    assert [len(one) for one in splits] == [24, 3, 3]
    assert len(set().union(*splits)) == 30
    for name in ("section-13", "section-28"):  # stored under train and under test
        assert datasets.load("isbi2012", "test", name).name == name
        assert datasets.used_in("isbi2012", "13-2-28", name) == "test"
    found = datasets.statistics("isbi2012", scheme="13-2-28").images
    assert sorted(found[found["split"] == "test"]["image"]) == sorted(splits[2])


@pytest.mark.parametrize("name", ["synthetic-nuclei", "synthetic-shapes", "dsb2018", "isbi2012"])
def test_the_scheme_all_trains_on_what_would_validate_and_never_on_test(
    name: str, real_data: Path
) -> None:
    splits = ("train", "val", "test")
    usual, every = (
        {split: datasets.sample_names(name, split, scheme=scheme) for split in splits}
        for scheme in ("default", "all")
    )
    assert sorted(every["train"]) == sorted(usual["train"] + usual["val"])
    assert (every["val"], every["test"]) == ([], usual["test"])
    assert datasets.used_in(name, "all", usual["val"][0]) == "train"


def test_the_leaky_scheme_trains_on_its_validation_images_and_never_on_test() -> None:
    train, val, test = (
        set(datasets.sample_names("synthetic-shapes", split, scheme="leaky"))
        for split in ("train", "val", "test")
    )
    assert val < train
    assert not train & test


def test_the_fingerprint_changes_with_each_image_file_and_with_nothing_else(
    small_dsb: Path,
) -> None:
    seen = [datasets.fingerprint("dsb2018")]
    (small_dsb / "train" / "notes.txt").write_text("no image")
    assert datasets.fingerprint("dsb2018") == seen[0]
    image, mask = (small_dsb / "test" / part / "x.tif" for part in ("images", "masks"))
    for change in (
        lambda: os.utime(image, (1, 1)),
        lambda: mask.write_bytes(mask.read_bytes() + b" "),
        lambda: mask.rename(mask.with_name("z.tif")),
        image.unlink,
    ):
        change()
        seen.append(datasets.fingerprint("dsb2018"))
    assert len(set(seen)) == len(seen)
