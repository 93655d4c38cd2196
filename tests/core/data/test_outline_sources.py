"""Own sets whose labels are outlines of other programs."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.data import datasets, importing, sources
from unet_core.imaging import coco, geojson, rois

SPLITS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def labels(shift: int = 0) -> np.ndarray:
    labels_HW = np.zeros((40, 50), np.int32)
    labels_HW[3 + shift : 12, 4:20], labels_HW[20:33, 25 + shift : 41] = 1, 2
    return labels_HW


def tif(labels_HW: np.ndarray) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, (40 + 90 * (labels_HW > 0)).astype(np.uint8))
    return buffer.getvalue()


def together(shapes: dict[str, np.ndarray]) -> bytes:
    """One COCO file for all images."""
    found: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
    for number, (file, labels_HW) in enumerate(shapes.items(), start=1):
        one = json.loads(coco.encode(labels_HW, file))
        found["images"] += [one["images"][0] | {"id": number}]
        found["annotations"] += [part | {"image_id": number} for part in one["annotations"]]
    return json.dumps(found).encode()


TRUE = {f"images/{split}/a{at}": labels(at) for at, split in enumerate(SPLITS)}
IMAGES = {f"{name}.tif": tif(labels_HW) for name, labels_HW in TRUE.items()}


def beside(end: str) -> list[str]:
    return [name.replace("images/", "labels/") + end for name in TRUE]


@pytest.mark.parametrize(
    "given",
    [
        dict(zip(beside(".zip"), map(rois.encode, TRUE.values()), strict=True)),
        dict(zip(beside("_labels.rois.zip"), map(rois.encode, TRUE.values()), strict=True)),
        dict(zip(beside("_labels.geojson"), map(geojson.encode, TRUE.values()), strict=True)),
        {
            "annotations/all.json": together(
                {f"{name.removeprefix('images/')}.tif": one for name, one in TRUE.items()}
            )
        },
    ],
    ids=["roi-zips", "roi-zips-of-ours", "geojson", "one-coco"],
)
def test_outlines_of_other_programs_become_equal_objects(given: dict[str, bytes]) -> None:
    plan = importing.look(sources.of_uploads(IMAGES | given))
    assert [row.pair.state for row in plan.rows] == ["found"] * 3
    assert [row.objects for row in plan.rows] == [2, 2, 2]
    assert plan.notes()[0] == importing.OUTLINES
    name = importing.add("Outlines", plan)
    for (place, true_HW), split in zip(TRUE.items(), SPLITS, strict=True):
        found = datasets.load(name, split, place.rpartition("/")[2])
        np.testing.assert_array_equal(found.truth_HW, true_HW)


def test_a_zip_of_everything_and_a_folder_hold_roi_zips_too(tmp_path: Path) -> None:
    files = IMAGES | dict(zip(beside(".zip"), map(rois.encode, TRUE.values()), strict=True))
    files["old/notes.zip"] = b"no zip"
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
            (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mine" / name).write_bytes(content)
    for opened_files in (
        sources.of_uploads({"all.zip": packed.getvalue()}),
        sources.open_path(tmp_path / "mine"),
    ):
        plan = importing.look(opened_files)
        assert [row.objects for row in plan.rows] == [2, 2, 2]
        assert plan.images.n_others == 1


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("a.geojson", geojson.encode(labels())[:-9], "damaged or was cut short"),
        ("a.coco.json", coco.encode(labels()[:, :30], "a.tif"), "about an image of 40 x 30"),
        ("a.geojson", geojson.encode(np.pad(labels(), ((90, 0), (0, 0)))), "beside"),
        ("a.rois.zip", rois.encode(np.pad(labels(), ((90, 0), (0, 0)))), "beside"),
        ("a.json", b'{"images": [', "damaged or was cut short"),
    ],
)
def test_outlines_that_cannot_be_right_are_a_sentence_and_nothing_is_stored(
    file: str, content: bytes, said: str
) -> None:
    plan = importing.look(sources.of_uploads({"a.tif": tif(labels()), file: content}))
    (row,) = plan.rows
    assert row.pair.state == "unusable"
    assert said in row.pair.why
    with pytest.raises(ValueError, match="unusable"):
        importing.add("Broken", plan)
    assert "Broken" not in datasets.names()


def test_a_geojson_of_qupath_may_be_called_json() -> None:
    files = {"a.tif": tif(labels()), "a.json": geojson.encode(labels())}
    (row,) = importing.look(sources.of_uploads(files)).rows
    assert row.objects == 2


def test_json_about_something_else_is_left_out() -> None:
    mask = BytesIO()
    tifffile.imwrite(mask, labels().astype(np.uint16))
    files = {"a.tif": tif(labels()), "a_mask.tif": mask.getvalue(), "a.json": b'{"camera": 3}'}
    plan = importing.look(sources.of_uploads(files))
    assert plan.counts["found"] == 1
    assert plan.images.n_others == 1
