"""ROI zips, as roifile and ImageJ understand them.

`imagej.zip` was written by ImageJ 1.52i: a ROI of each kind that has an area, a line and a point.
ImageJ itself, asked once for the masks of zips that `encode` wrote, gave the labels back.
"""

import io
import struct
import sys
import zipfile
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import roifile
import shapely

from unet_core.imaging import rois

IMAGEJ = Path(__file__).with_name("imagej.zip")
AREAS = {  # pixels that ImageJ 1.52i filled
    "1-Rectangle": 70, "2-Oval": 89, "3-Freehand": 289, "4-Composite": 229, "5-Freehand": 246,
    "6-Freehand": 187, "7-Straight Line": 0, "8-Point": 0, "9-Oval": 9, "10-Rectangle": 130,
    "11-Oval": 514,
}  # fmt: skip


def packed(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in files.items():
            container.writestr(f"{name}.roi", content)
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        return {Path(name).stem: container.read(name) for name in container.namelist()}


def renumbered(labels_HW: np.ndarray) -> np.ndarray:
    return np.unique(np.append(0, labels_HW), return_inverse=True)[1][1:].reshape(labels_HW.shape)


def outline(*corners: tuple[float, float]) -> bytes:
    return roifile.ImagejRoi.frompoints(np.array(corners)).tobytes()


SQUARE = outline((1, 1), (3, 1), (3, 3), (1, 3))


def test_roifile_reads_outlines_of_equal_areas(any_labels: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(rois.encode(any_labels))
    members = unpacked(path.read_bytes())
    assert [int(name) for name in members] == np.unique(any_labels[any_labels > 0]).tolist()
    for name, content in members.items():
        found = roifile.ImagejRoi.frombytes(content)
        rings = [shapely.Polygon(ring) for ring in found.coordinates(multi=True)]
        # As ImageJ fills a composite: where an odd number of rings surround.
        area = reduce(shapely.symmetric_difference, rings).area
        assert area == (any_labels == int(name)).sum()
        rows, columns = np.nonzero(any_labels == int(name))
        box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert (found.top, found.left, found.bottom, found.right) == box
        assert found.composite == (len(rings) > 1)


def test_labels_come_back_in_the_order_of_the_file(any_labels: np.ndarray) -> None:
    content = rois.encode(any_labels)
    found = rois.read(content, any_labels.shape)
    np.testing.assert_array_equal(found.labels_HW, renumbered(any_labels))
    assert found.notes == ()
    assert content == rois.encode(any_labels)


def test_rois_of_every_kind_cover_the_pixels_that_imagej_fills() -> None:
    members = unpacked(IMAGEJ.read_bytes())
    found = {name: rois.read(content, (80, 100)) for name, content in members.items()}
    assert {name: int((one.labels_HW > 0).sum()) for name, one in found.items()} == AREAS


def test_points_and_lines_are_left_out_and_told() -> None:
    found = rois.read(IMAGEJ, (80, 100))
    assert found.labels_HW.max() == 9
    assert found.notes == ("Points, lines and texts have no area, and were left out: 2.",)


def test_an_outline_with_more_corners_than_16_bits_count_comes_back() -> None:
    comb_HW = np.zeros((33_000, 3), int)
    comb_HW[:, 0] = comb_HW[::2] = 1
    content = rois.encode(comb_HW)
    assert roifile.ImagejRoi.frombytes(unpacked(content)["1"]).n_coordinates > 2**16
    np.testing.assert_array_equal(rois.read(content, comb_HW.shape).labels_HW, comb_HW)


def test_overlapping_rois_are_told() -> None:
    content = packed(a=SQUARE, b=outline((2, 2), (9, 2), (9, 9), (2, 9)))
    found = rois.read(content, (12, 12))
    assert np.bincount(found.labels_HW.ravel()).tolist() == [144 - 4 - 48, 4, 48]
    assert "overlap, in 1 pixels" in found.notes[0]


def test_rois_of_another_image_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"The ROI b lies beside the image, at rows 50 to 52"):
        rois.read(packed(a=SQUARE, b=outline((5, 50), (7, 50), (7, 52))), (40, 40))


def test_what_macos_adds_to_a_zip_is_no_roi() -> None:
    content = packed(a=SQUARE, **{"__MACOSX/._a": b"attributes"})
    assert rois.read(content, (9, 9)).labels_HW.max() == 1


def no_number() -> bytes:
    content = bytearray(outline((1.5, 1), (4, 3), (4, 4)))
    assert struct.unpack(">f", content[76:80]) == (1.5,)  # behind three pairs of whole numbers
    content[76:80] = struct.pack(">f", np.nan)
    return bytes(content)


def huge_zip() -> bytes:
    return packed(**{f"{number}": bytes(90_000_000) for number in range(3)})


def locked_zip() -> bytes:
    content = bytearray(packed(a=SQUARE))
    content[6] |= 1  # in the file's own head
    content[content.find(b"PK\1\2") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed(**{"__MACOSX/._a": b"x"}), "holds no ROI"),
        (b"PK, but no zip", "no zip of ImageJ's ROIs"),
        (packed(a=SQUARE)[:-30], "no zip of ImageJ's ROIs"),
        (packed(a=b"hello"), "ROI a is damaged"),
        (packed(a=SQUARE[:70]), "ROI a is damaged"),
        (packed(a=SQUARE[:16] + b"\xff\xff" + SQUARE[18:]), "ROI a is damaged"),
        (packed(a=no_number()), "The ROI a has corners that are no numbers"),
        (huge_zip(), r"unpacks to 3 ROIs of 257 MiB, more than"),
        (locked_zip(), "protected by a password"),
        (b"", "empty"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_is_no_zip_of_rois_is_refused_in_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        rois.read(content, (9, 9))
    assert "\n" not in str(caught.value)


def test_a_damaged_composite_is_refused() -> None:
    ring_HW = np.ones((3, 3), int)
    ring_HW[1, 1] = 0
    content = bytearray(unpacked(rois.encode(ring_HW))["1"])
    assert struct.unpack(">f", content[64:68]) == (0.0,)
    content[64:68] = struct.pack(">f", 9.0)
    with pytest.raises(ValueError, match="ROI a is damaged"):
        rois.read(packed(a=bytes(content)), (9, 9))


def test_an_image_beyond_the_reach_of_rois_is_told_before_anything_is_written() -> None:
    with pytest.raises(ValueError, match="reach to 60535 pixels"):
        rois.encode(np.zeros((1, 60_536), np.uint8))


def test_without_roifile_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "roifile", None)
    assert rois.encode(np.ones((2, 2), int))
    with pytest.raises(ValueError, match=r"needs the package roifile: pip install roifile"):
        rois.read(packed(a=SQUARE), (9, 9))
