import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from unet_core.data import pairs
from unet_core.imaging import coco, geojson, rois
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


def as_read(true: Path, pred: Path) -> dict[str, tuple[list[int], list[int]]]:
    """The numbers of pixels of each object, by image: true and predicted."""
    return {
        one.name: tuple(np.bincount(labels.ravel())[1:].tolist()
                        for labels in (one.true_HW, one.pred_HW))
        for one in pairs.read_pairs(true, pred)
    }  # fmt: skip


def test_outlines_stand_in_place_of_label_images_on_either_side(tmp_path: Path) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    for stem in "abcd":
        write(pred, f"{stem}_labels.tif", squares(0, 10).astype(np.uint16))
    true.mkdir()
    (true / "a.zip").write_bytes(rois.encode(squares(0)))
    (true / "b_labels.GEOJSON").write_bytes(geojson.encode(squares(0)))
    (true / "c.roi").write_bytes(zipfile.ZipFile(true / "a.zip").read("1.roi"))
    (true / "d.coco.json").write_bytes(coco.encode(squares(0), "folder/d.png"))
    expected = dict.fromkeys("abcd", ([36], [36, 36]))
    assert as_read(true, pred) == expected
    assert as_read(pred, true) == {name: both[::-1] for name, both in expected.items()}


def test_a_coco_file_is_about_many_images_and_other_json_about_none(tmp_path: Path) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    both = [json.loads(coco.encode(squares(*starts), name))
            for starts, name in (((0, 10), "a.png"), ((5,), "b.png"))]  # fmt: skip
    for number, one in enumerate(both):
        one["images"][0]["id"] = number
        for annotation in one["annotations"]:
            annotation["image_id"] = number
    merged = {key: both[0][key] + both[1][key] for key in ("images", "annotations")}
    true.mkdir()
    (true / "instances.json").write_text(json.dumps(merged))
    (true / "recipe.json").write_text("{}")
    write(pred, "a.tif", squares(0).astype(np.uint16))
    write(pred, "b.tif", squares(0).astype(np.uint16))
    assert as_read(true, pred) == {"a": ([36, 36], [36]), "b": ([36], [36])}
    (pred / "b.tif").unlink()
    with pytest.raises(ValueError, match=r"b in .*instances\.json has no prediction"):
        as_read(true, pred)


def test_a_picture_beside_its_outlines_is_no_label_image(tmp_path: Path) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    write(true, "a.tif", np.full((20, 60), 99, np.uint8))
    (true / "a.zip").write_bytes(rois.encode(squares(0)))
    write(pred, "a.tif", squares(0, 10).astype(np.uint16))
    assert as_read(true, pred) == {"a": ([36], [36, 36])}


def test_of_all_files_that_say_the_same_the_label_image_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    write(folder, "a_labels.tif", squares(0).astype(np.uint16))
    write(folder, "a_labels.ome.tif", squares(0, 10).astype(np.uint16))
    (folder / "a_labels.rois.zip").write_bytes(rois.encode(squares(0, 10)))
    (folder / "a_labels.geojson").write_bytes(geojson.encode(squares(0, 10)))
    (folder / "a_labels.coco.json").write_bytes(coco.encode(squares(0, 10), "a.tif"))
    assert as_read(folder, folder) == {"a": ([36], [36])}
    (folder / "a_labels.tif").unlink()
    for name in ("a_labels.rois.zip", "a_labels.geojson", "a_labels.coco.json"):
        (folder / name).unlink()
    assert as_read(folder, folder) == {"a": ([36, 36], [36, 36])}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.zip", rois.encode(squares(50)), r"a\.zip: The ROI 1 lies beside the image"),
        ("a.zip", b"nothing", r"a\.zip: The file is no zip of ImageJ's ROIs"),
        ("a.geojson", b"{", r"a\.geojson: The GeoJSON file is damaged"),
        ("a.json", b"{", r"a\.json: The COCO file is damaged"),
        ("a.json", coco.encode(squares(0), "a.tif"), r"a\.json: .* about an image of 20 x 60"),
        ("a.json", b'{"images": [1], "annotations": []}', r"a\.json: .* broken at image 1"),
    ],
)
def test_outlines_that_do_not_fit_are_refused_with_their_file(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    true, pred = tmp_path / "true", tmp_path / "pred"
    write(true, "a.tif", squares(0)[:, :40].astype(np.uint16))
    pred.mkdir()
    (pred / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        as_read(true, pred)


def test_two_outlines_are_no_pair_for_nobody_knows_the_size(tmp_path: Path) -> None:
    for folder in ("true", "pred"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.geojson").write_bytes(geojson.encode(squares(0)))
    with pytest.raises(ValueError, match=r"both outlines.* one of them must be a label image"):
        as_read(tmp_path / "true", tmp_path / "pred")
    (tmp_path / "true" / "a.zip").write_bytes(rois.encode(squares(0)))
    with pytest.raises(ValueError, match="have the same name"):
        as_read(tmp_path / "true", tmp_path / "pred")
