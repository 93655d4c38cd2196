from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from unet_core.data import pairs
from unet_core.scoring import evaluation


def squares(*starts: int) -> np.ndarray:
    labels = np.zeros((20, 60), np.int32)
    for number, start in enumerate(starts, start=1):
        labels[5:11, start : start + 6] = number
    return labels


def write(folder: Path, name: str, array: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    if name.endswith(".png"):
        Picture.fromarray(array).save(folder / name)
    else:
        tifffile.imwrite(folder / name, array)


def test_folders_are_paired_by_stem_and_pictures_and_tables_are_skipped(tmp_path: Path) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    write(true, "a.tif", squares(0, 10).astype(np.uint16))
    write(true, "b.png", squares(0).astype(np.uint8))
    write(pred, "a_labels.tif", squares(0, 10).astype(np.uint16))
    write(pred, "b_labels.tif", squares(30).astype(np.uint16))
    write(pred, "a_overlay.png", np.zeros((20, 60, 3), np.uint8))
    write(pred, "picture.png", np.zeros((20, 60, 3), np.uint8))
    write(pred, "a_probabilities.tif", np.zeros((2, 20, 60), np.float32))
    (pred / "a_measurements.csv").write_text("label\n1\n")
    (pred / "recipe.json").write_text("{}")
    document = evaluation.score(pairs.read_pairs(true, pred))
    assert [(row["name"], row["f1"]) for row in document["per_image"]] == [("a", 1.0), ("b", 0.0)]


def test_labels_written_beside_their_picture_are_the_labels(tmp_path: Path) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    write(true, "a.tif", squares(0).astype(np.uint16))
    write(pred, "a.tif", np.full((20, 60), 99, np.uint8))
    write(pred, "a_labels.tif", squares(0).astype(np.uint16))
    document = evaluation.score(pairs.read_pairs(true, pred))
    assert [row["f1"] for row in document["per_image"]] == [1.0]


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("b.tif", squares(0).astype(np.uint16), "b.tif has no truth of the same name"),
        ("a.png", squares(0).astype(np.uint8), "have the same name"),
        ("a.tif", squares(0).astype(np.float32), "labels must be whole numbers"),
        ("a.tif", squares(0).astype(np.int16) - 1, "negative labels"),
        ("a.tif", squares(0)[:9].astype(np.uint16), "must have one shape"),
        ("a.tif", np.zeros((5, 20, 60), np.uint16), "a.tif is no label image"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    tmp_path: Path, name: str, array: np.ndarray, words: str
) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    for folder in (true, pred):
        write(folder, "a.tif", squares(0).astype(np.uint16))
    write(pred, name, array)
    with pytest.raises(ValueError, match=words):
        evaluation.score(pairs.read_pairs(true, pred))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    for folder in ("true", "pred"):
        write(tmp_path / folder, "a.tif", squares(0).astype(np.uint16))
        (tmp_path / folder / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b\.png: The file is not a PNG"):
        list(pairs.read_pairs(tmp_path / "true", tmp_path / "pred"))


def test_folders_that_are_not_there_or_empty_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        list(pairs.read_pairs(tmp_path / "no", tmp_path))
    with pytest.raises(ValueError, match="no label images"):
        list(pairs.read_pairs(tmp_path, tmp_path))
