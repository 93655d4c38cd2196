import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.imaging import coco, geojson, images, rois
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export, files, inference
from unet_core.predict.recipe import Recipe


@pytest.fixture
def model(tmp_path: Path) -> str:
    """An untrained network on disk: it finds something everywhere."""
    import torch

    torch.manual_seed(0)
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8), device="cpu"), outputs=("foreground", "boundary")
    )
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, Trained(config, checkpoint.build(config)))
    return str(path)


@pytest.fixture
def recipe(model: str) -> Recipe:
    return Recipe(
        files=(),
        files_sha256=(),
        model=model,
        model_sha256="",
        segmentation=Segmentation(threshold=0.4, marker_threshold=0.0),
    )


def picture(path: Path, rng: np.random.Generator, shape: tuple[int, ...] = (40, 50)) -> Path:
    tifffile.imwrite(path, rng.integers(0, 255, shape).astype(np.uint8))
    return path


def test_good_files_are_finished_and_bad_ones_named(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    good = [picture(tmp_path / name, rng) for name in ("a.tif", "b.tif")]
    bad = tmp_path / "bad.png"
    bad.write_text("hello")
    stack = picture(tmp_path / "stack.tif", rng, (5, 40, 50))
    found = files.segment_files(
        [good[0], bad, stack, good[1]], tmp_path / "out", recipe, device="cpu"
    )
    assert [one.file for one in found.done] == [str(path) for path in good]
    assert list(found.failed) == [str(bad), str(stack)]
    assert "not a PNG" in found.failed[str(bad)]
    assert "stack of 5 planes" in found.failed[str(stack)]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(
        [f"{stem}{ending}" for stem in "ab" for ending in files.ENDINGS] + ["recipe.json"]
    )
    written = json.loads((tmp_path / "out" / "recipe.json").read_bytes())
    assert Recipe.from_dict(written).files == tuple(map(str, good))
    for one in found.done:
        labels_HW = tifffile.imread(one.written[0])
        assert labels_HW.shape == one.shape == (40, 50)
        assert labels_HW.max() == one.objects


def test_labels_are_also_written_in_the_formats_asked_for_and_hold_the_same_objects(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    path, out = picture(tmp_path / "a b.tif", rng), tmp_path / "out"
    found = files.segment_files(
        [path], out, recipe, device="cpu", formats=("geojson", "rois", "coco", "ome-tiff")
    )
    labels_HW = tifffile.imread(out / "a b_labels.tif")
    assert labels_HW.max() > 1
    assert [Path(one).name for one in found.done[0].written[3:]] == [
        "a b_labels.geojson", "a b_labels.rois.zip", "a b_labels.coco.json", "a b_labels.ome.tif",
    ]  # fmt: skip
    again = [
        geojson.read(out / "a b_labels.geojson", labels_HW.shape),
        rois.read(out / "a b_labels.rois.zip", labels_HW.shape),
        coco.read(out / "a b_labels.coco.json")["a b.tif"].labels(labels_HW.shape),
        images.read_truth(out / "a b_labels.ome.tif"),
    ]
    for one in again:
        np.testing.assert_array_equal(one.labels_HW, labels_HW)


def test_a_format_that_nobody_knows_is_refused_before_any_work(
    tmp_path: Path, recipe: Recipe
) -> None:
    with pytest.raises(ValueError, match=r"formats must be among tiff, .* got 'svg'"):
        files.segment_files([tmp_path / "none.tif"], tmp_path, recipe, formats=("rois", "svg"))


def test_a_format_never_overwrites_a_picture(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    paths = [picture(tmp_path / name, rng) for name in ("a.tif", "a_labels.ome.tif")]
    with pytest.raises(ValueError, match=r"would overwrite a_labels\.ome\.tif"):
        files.segment_files(paths, tmp_path, recipe, formats=("ome-tiff",))


def test_a_file_too_large_for_the_network_is_named_and_the_next_one_done(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    good = [picture(tmp_path / name, rng) for name in ("a.tif", "z.tif")]
    big = picture(tmp_path / "big.tif", rng, (1500, 1000))  # 600 megapixels after scaling
    found = files.segment_files(
        [good[0], big, good[1]], tmp_path / "out", recipe.replace(scale=20.0), device="cpu"
    )
    assert [one.file for one in found.done] == [str(path) for path in good]
    assert list(found.failed) == [str(big)]
    assert "scale" in found.failed[str(big)]
    assert found.recipe.files == tuple(map(str, good))
    assert (tmp_path / "out" / "recipe.json").is_file()
    assert not list((tmp_path / "out").glob("big*"))


def test_the_labels_are_those_of_the_pages_own_path(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    path = picture(tmp_path / "a.tif", rng)
    found = files.segment_files([path], tmp_path / "out", recipe, device="cpu")
    expected = export.segment(
        checkpoint.load(recipe.model, device="cpu"), tifffile.imread(path), recipe
    )
    assert found.done[0].objects > 0
    np.testing.assert_array_equal(tifffile.imread(found.done[0].written[0]), expected.labels_HW)


def test_the_hash_is_that_of_the_pixels_segmented_also_when_the_file_is_replaced_meanwhile(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture(tmp_path / "a.tif", rng)
    before, segment = path.read_bytes(), export.segment

    def replace_file(*arguments: Any) -> export.Segmented:
        path.write_bytes(b"another picture")
        return segment(*arguments)

    monkeypatch.setattr(export, "segment", replace_file)
    found = files.segment_files([path], tmp_path / "out", recipe, device="cpu")
    assert found.done[0].sha256 == images.sha256(before)


def test_without_a_good_file_nothing_is_written_and_no_model_is_loaded(
    tmp_path: Path, recipe: Recipe
) -> None:
    bad = tmp_path / "bad.png"
    bad.touch()
    lost = recipe.replace(model="nowhere")
    found = files.segment_files([bad], tmp_path / "out", lost, device="cpu")
    assert (found.done, list(found.failed)) == ([], [str(bad)])
    assert not (tmp_path / "out").exists()
    assert found.to_dict()["command"] is None


def test_two_files_of_one_name_are_refused(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    (tmp_path / "other").mkdir()
    paths = [picture(tmp_path / "a.tif", rng), picture(tmp_path / "other" / "a.tif", rng)]
    with pytest.raises(ValueError, match="one stem"):
        files.segment_files(paths, tmp_path / "out", recipe)


def test_a_result_never_overwrites_a_picture(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator
) -> None:
    first = picture(tmp_path / "a.tif", rng)
    second = tmp_path / "a_labels.tif"
    shutil.copy(first, second)
    with pytest.raises(ValueError, match=r"would overwrite a_labels\.tif"):
        files.segment_files([first, second], tmp_path, recipe)
    before = second.read_bytes()
    assert before == first.read_bytes()


def test_an_image_of_one_value_gives_no_object_and_a_notice(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "flat.tif"
    tifffile.imwrite(path, np.full((40, 50), 7, np.uint16))
    found = files.segment_files([path], tmp_path / "out", recipe, device="cpu")
    assert found.done[0].objects == 0
    assert found.done[0].notes == (export.CONSTANT,)


def test_tiles_that_change_the_answer_are_told(
    tmp_path: Path, recipe: Recipe, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8), norm="group"), outputs=("foreground", "boundary")
    )
    checkpoint.save(Path(recipe.model), Trained(config, checkpoint.build(config)))
    monkeypatch.setattr(inference, "WHOLE_FEATURES", 4 * 64 * 64)
    paths = [picture(tmp_path / "small.tif", rng), picture(tmp_path / "large.tif", rng, (70, 70))]
    found = files.segment_files(paths, tmp_path / "out", recipe, device="cpu")
    assert found.done[0].notes == ()
    assert "GroupNorm" in found.done[1].notes[0]
    assert "GroupNorm" in found.lines()[-1]
