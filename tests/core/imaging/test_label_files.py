"""All forms of labels side by side; what each of them holds is tested with its module."""

import numpy as np
import pytest

from unet_core.imaging import images, label_files

LABELS = np.array([[1, 1, 0], [0, 0, 2]])


def encode(*names: str, pixel_size_um: float | None = None) -> dict[str, bytes]:
    return label_files.encode(
        names, LABELS, stem="a b", file="a b.png", pixel_size_um=pixel_size_um
    )


def test_each_format_has_a_file_name_of_its_own_and_the_same_bytes_each_time() -> None:
    found = encode(*label_files.FORMATS)
    assert len(found) == len(label_files.FORMATS)
    assert all(name.startswith("a b_labels.") for name in found)
    assert found == encode(*label_files.FORMATS)


@pytest.mark.parametrize("name", ["tiff", "ome-tiff"])
def test_label_images_keep_the_pixel_size(name: str) -> None:
    for size in (None, 0.25):
        (content,) = encode(name, pixel_size_um=size).values()
        assert images.read_image(content).pixel_size_um == size


def test_coco_names_the_file_of_the_image() -> None:
    assert b'"file_name":"a b.png"' in encode("coco")["a b_labels.coco.json"]


def test_formats_are_taken_once_and_unknown_ones_refused() -> None:
    assert label_files.check(["coco", "tiff", "coco"]) == ("coco", "tiff")
    with pytest.raises(ValueError, match="among tiff, ome-tiff, rois, geojson, coco, got 'svg'"):
        encode("svg")
