"""COCO's JSON, as pycocotools understands it."""

import contextlib
import io
import json
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as pycoco
from pycocotools.coco import COCO

from unet_core.imaging import coco

# pycocotools was compiled for an older numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def renumbered(labels_HW: np.ndarray) -> np.ndarray:
    return np.unique(np.append(0, labels_HW), return_inverse=True)[1][1:].reshape(labels_HW.shape)


def opened(document: dict[str, Any]) -> COCO:
    found = COCO()
    found.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        found.createIndex()
    return found


def document(*annotations: Any, **image: Any) -> bytes:
    about = {"id": 7, "file_name": "a.png", "height": 5, "width": 6, **image}
    return json.dumps({"images": [about], "annotations": annotations, "categories": []}).encode()


def annotation(segmentation: Any, **more: Any) -> dict[str, Any]:
    return {"id": 3, "image_id": 7, "segmentation": segmentation, **more}


SQUARE = [[1, 1, 3, 1, 3, 3, 1, 3]]


def labels(content: bytes, shape: tuple[int, int] = (5, 6)) -> np.ndarray:
    return coco.read(content)["a.png"].labels(shape).labels_HW


def test_pycocotools_reads_the_very_pixels_and_their_areas(any_labels: np.ndarray) -> None:
    written = json.loads(coco.encode(any_labels, "a.png"))
    reader = opened(written)
    assert sorted(reader.anns) == np.unique(any_labels[any_labels > 0]).tolist()
    for number, one in reader.anns.items():
        mask_HW = reader.annToMask(one)
        np.testing.assert_array_equal(mask_HW, any_labels == number)
        assert one["area"] == mask_HW.sum()
        assert one["bbox"] == pycoco.toBbox(reader.annToRLE(one)).tolist()


def test_labels_come_back_in_the_order_of_the_file(any_labels: np.ndarray) -> None:
    content = coco.encode(any_labels, "a.png")
    found = coco.read(content)["a.png"].labels(any_labels.shape)
    np.testing.assert_array_equal(found.labels_HW, renumbered(any_labels))
    assert found.notes == ()
    assert content == coco.encode(any_labels, "a.png")


def test_the_packed_runs_of_pycocotools_are_read(any_labels: np.ndarray) -> None:
    written = json.loads(coco.encode(any_labels, "a.png"))
    reader = opened(written)
    for one in written["annotations"]:
        runs = reader.annToRLE(one)
        one["segmentation"] = {"size": runs["size"], "counts": runs["counts"].decode()}
    content = json.dumps(written).encode()
    np.testing.assert_array_equal(labels(content, any_labels.shape), renumbered(any_labels))


def test_an_object_with_a_hole_has_runs_and_others_polygons() -> None:
    labels_HW = np.array([[1, 1, 1, 0, 2], [1, 0, 1, 0, 0], [1, 1, 1, 0, 2]])
    ring, parts = json.loads(coco.encode(labels_HW, "a.png"))["annotations"]
    assert ring["segmentation"] == {"size": [3, 5], "counts": [0, 4, 1, 4, 6]}
    assert parts["segmentation"] == [[5, 0, 5, 1, 4, 1, 4, 0], [5, 2, 5, 3, 4, 3, 4, 2]]


def test_polygons_of_other_programs_cover_the_pixels_whose_centres_they_surround() -> None:
    assert (
        labels(document(annotation([[0.6, 0.6, 2.4, 0.6, 2.4, 3.6, 0.6, 3.6]]))) == 1
    ).sum() == 3


def test_crowds_are_left_out_and_told() -> None:
    content = document(annotation(SQUARE, iscrowd=1), annotation(SQUARE))
    found = coco.read(content)["a.png"].labels((5, 6))
    assert np.bincount(found.labels_HW.ravel()).tolist() == [26, 4]
    assert found.notes == ("Crowds are no single objects, and were left out: 1.",)


def test_overlapping_objects_are_told() -> None:
    content = document(annotation(SQUARE), annotation([[2, 2, 6, 2, 6, 5, 2, 5]]))
    found = coco.read(content)["a.png"].labels((5, 6))
    assert "overlap, in 1 pixels" in found.notes[0]


def test_annotations_of_another_image_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of 5 x 6 pixels \(rows x columns\), but .* has 6 x 5"):
        labels(document(annotation(SQUARE)), (6, 5))


def test_each_image_has_its_own_annotations() -> None:
    content = json.loads(document(annotation(SQUARE), annotation(SQUARE, image_id=8)))
    content["images"].append({"id": 8, "file_name": "b.png", "height": 9, "width": 9})
    found = coco.read(json.dumps(content).encode())
    assert {name: one.labels(one.shape).labels_HW.sum() for name, one in found.items()} == {
        "a.png": 4,
        "b.png": 4,
    }


RUNS = {"size": [5, 6], "counts": [1, 2, 27]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (document()[:-4], "COCO file is damaged or was cut short, at line 1"),
        (b"[]", "no lists of images and annotations: it is no COCO"),
        (b'{"images": [], "annotations": 3}', "it is no COCO"),
        (document(height=None), "broken at image 1"),
        (document(id=[]), "broken at image 1"),
        (document(annotation(SQUARE, image_id=9)), "broken at annotation 1 of the list"),
        (document("x"), "broken at annotation 1 of the list"),
        (document(annotation(None)), "broken at annotation 3"),
        (document(annotation([["a", 1]])), "broken at annotation 3"),
        (document(annotation([[1, 2, 3]])), "broken at annotation 3"),
        (document(annotation(3)), "broken at annotation 3"),
        (document(annotation({})), "broken at annotation 3"),
        (document(annotation(RUNS | {"size": [6, 5]})), "broken at annotation 3"),
        (document(annotation(RUNS | {"counts": [1, 2]})), "broken at annotation 3"),
        (document(annotation(RUNS | {"counts": [-1, 4, 27]})), "broken at annotation 3"),
        (document(annotation(RUNS | {"counts": []})), "broken at annotation 3"),
        (document(annotation(RUNS | {"counts": "P" * 99})), "broken at annotation 3"),
        (document(annotation(RUNS | {"counts": "ü"})), "broken at annotation 3"),
        (document(annotation([[9, 9, 12, 9, 12, 12]])), "Annotation 3 lies beside the image"),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else "",
)
def test_what_is_no_coco_is_refused_in_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        labels(content)
    assert "\n" not in str(caught.value)


def test_two_images_of_one_name_are_refused() -> None:
    content = json.loads(document())
    content["images"].append({**content["images"][0], "id": 8})
    with pytest.raises(ValueError, match="broken at image 2"):
        coco.find(content)
