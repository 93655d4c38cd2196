import io
import json
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest

from unet_core.base.config import TrainConfig
from unet_core.cli import main
from unet_core.data import datasets, patch_set, patches
from unet_core.data.patches import Patches
from unet_core.data.shapes import Shapes
from unet_core.imaging import images
from unet_core.training import loader

SMALL = Shapes(train=4, test=2, rows=64, columns=80, semi_axis=(3.0, 8.0)).name
EMPTY = Shapes(train=3, test=1, rows=40, columns=40, lines=(0, 0), ellipses=(0, 0)).name


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        return {name: container.read(name) for name in container.namelist()}


def pixels(data: bytes) -> np.ndarray:
    return images.read_image(data).pixels


def test_whole_images_have_masks_of_equal_stems_and_their_own_pixels() -> None:
    found = unpack(patch_set.pack(SMALL, "test").content)
    assert sorted(found) == [
        "images/shapes-test-000.png",
        "images/shapes-test-001.png",
        "masks/shapes-test-000.png",
        "masks/shapes-test-001.png",
        "settings.json",
    ]
    sample = datasets.load(SMALL, "test", "shapes-test-001")
    np.testing.assert_array_equal(pixels(found["images/shapes-test-001.png"]), sample.image_HW)
    np.testing.assert_array_equal(pixels(found["masks/shapes-test-001.png"]), sample.labels_HW)


@pytest.mark.parametrize("flips", [False, True])
def test_patches_are_the_squares_that_a_training_with_the_same_settings_cuts(flips: bool) -> None:
    cut = Patches(count=3, side=32, seed=7, flips=flips)
    config = TrainConfig.of(
        data=SMALL, target="classes", loss="cross-entropy", crops="patches", patches=3,
        crop_size=32, seed=7, patch_flips=flips, patches_on_objects=True, widths=(4, 8),
        batch_size=1,
    )  # fmt: skip
    data = loader.load(config)
    learned = sorted(
        batch.labels_BHW[0].astype(np.uint8).tobytes()
        for step in range(data.steps_per_epoch)
        for batch in data.batches(step)
    )
    pairs = list(patch_set.pairs(SMALL, "train", cut=cut))
    assert len(pairs) == 3 * 3 * (4 if flips else 1)
    assert sorted(pair.mask_HW.tobytes() for pair in pairs) == learned


def test_image_and_mask_of_a_patch_are_cut_and_mirrored_alike() -> None:
    sample = datasets.load(SMALL, "train", "shapes-train-000")
    twin = datasets.Sample(sample.name, sample.labels_HW, sample.labels_HW, None, None)
    for pair in patch_set.cut_pairs(twin, 0, Patches(count=4, side=24)):
        np.testing.assert_array_equal(pair.image_HW, pair.mask_HW)
        assert pair.mask_HW.any()


def test_the_settings_repeat_the_zip_to_the_byte() -> None:
    first = patch_set.pack(SMALL, "train", scheme="leaky", cut=Patches(count=2, side=16)).content
    told = json.loads(unpack(first)["settings.json"])
    assert told["classes"] == {"0": "background", "1": "line", "2": "ellipse"}
    cut = Patches.from_dict(told["patches"])
    assert (
        patch_set.pack(told["data"], told["split"], scheme=told["scheme"], cut=cut).content == first
    )


def test_progress_ends_below_the_promised_number() -> None:
    seen: list[tuple[int, int]] = []
    patch_set.pack(
        SMALL, "train", cut=Patches(count=20, side=16), on_progress=lambda *step: seen.append(step)
    )
    assert [done for done, _ in seen] == [50, 100, 150, 200]
    assert {total for _, total in seen} == {3 * 20 * 4}


def test_patches_that_must_hold_a_shape_of_images_without_any_are_refused_with_a_sentence() -> None:
    cut = Patches(count=2, side=16)
    with pytest.raises(ValueError, match="no image of train holds a shape, so there is no patch"):
        patch_set.pack(EMPTY, "train", cut=cut)
    assert len(list(patch_set.pairs(EMPTY, "train", cut=cut.replace(must_contain=False)))) == 16


def test_a_patch_larger_than_the_images_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"1 to 64 pixels for images of 64 rows .* got 65"):
        patch_set.pack(SMALL, "test", cut=Patches(side=65))


def test_more_images_than_a_zip_may_hold_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="a zip holds at most 9999 images, got 12000: "):
        patch_set.check(SMALL, "train", cut=Patches(count=1000, side=16))


def test_more_pixels_than_a_zip_may_hold_are_refused_with_both_numbers() -> None:
    large = Shapes(rows=2000, columns=1100, train=100, test=10).name
    with pytest.raises(ValueError, match="at most 250 million pixels, got 1020: "):
        patch_set.check(large, "train", cut=Patches(count=3, side=1000))


def test_a_split_without_images_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="val has no image under scheme every-20th: choose"):
        patch_set.pack(SMALL, "val", scheme="every-20th")


def test_nuclei_can_be_packed_and_their_masks_hold_the_objects() -> None:
    found = unpack(patch_set.pack("synthetic-nuclei", "test").content)
    sample = datasets.load("synthetic-nuclei", "test", "nuclei-test-002")
    np.testing.assert_array_equal(pixels(found["masks/nuclei-test-002.png"]), sample.labels_HW)


def test_only_synthetic_sets_are_packed() -> None:
    with pytest.raises(ValueError, match="dsb2018 must be a synthetic set: the others are files"):
        patch_set.pack("dsb2018", "test")


def test_the_command_makes_the_same_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cut = Patches(count=2, side=16, seed=4, flips=False)
    told = patch_set.command(SMALL, "train", cut=cut)
    assert main.main([*shlex.split(told)[3:], "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["images"] == 6
    made = Path(patch_set.file_name(SMALL, "train", cut=cut))
    assert document["path"] == str(made)
    assert made.read_bytes() == patch_set.pack(SMALL, "train", cut=cut).content


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--patches", "side=500"], "the side of a patch must be 1 to 64 pixels for images of "),
        (["--patches", "sides=8"], "unknown setting 'sides'; known are: count, side, "),
        (["--patches", "count=none"], "count must be a whole number, got 'none'"),
        (["--split", "all"], "split of synthetic-shapes:"),
    ],
)
def test_the_command_tells_a_mistake_in_one_line(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["data", "pack", SMALL, "--out", str(tmp_path / "a.zip"), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {sentence}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_nobody_labelled_has_no_mask() -> None:
    sample = datasets.Sample("section-00", np.zeros((9, 9), np.uint8), None, None, None)
    with pytest.raises(ValueError, match="nobody has labelled section-00: it has no mask"):
        list(patch_set.cut_pairs(sample, 0, Patches(side=8)))


def test_outlines_lie_on_the_rim_of_their_squares_and_later_ones_above() -> None:
    number_HW = patches.mark((6, 7), [(0, 0), (2, 2)], 4)
    assert number_HW.tolist() == [
        [1, 1, 1, 1, 0, 0, 0],
        [1, 0, 0, 1, 0, 0, 0],
        [1, 0, 2, 2, 2, 2, 0],
        [1, 1, 2, 1, 0, 2, 0],
        [0, 0, 2, 0, 0, 2, 0],
        [0, 0, 2, 2, 2, 2, 0],
    ]
