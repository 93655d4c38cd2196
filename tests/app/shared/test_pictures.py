"""Pictures for the browser: exact PNGs, what the pointer finds, and the shelves that keep them."""

import io
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image as PillowImage

from ui.shared import cache, pictures
from unet_core.imaging import matching, overlay


def read(content: bytes, mode: str | None = None, kind: str = "PNG") -> np.ndarray:
    picture = PillowImage.open(io.BytesIO(content))
    assert picture.format == kind
    return np.asarray(picture.convert(mode) if mode else picture)


def some_labels(rng: np.random.Generator, shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    labels_HW = np.zeros(shape, np.int32)
    for label, (row, column) in enumerate(rng.integers(0, 34, (12, 2)), start=3):
        labels_HW[row : row + 6, column : column + 6] = label
    return labels_HW


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3), (7, 9, 4)])
def test_a_png_holds_exactly_the_pixels(rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(read(pictures.png(pixels)), pixels)
    np.testing.assert_array_equal(read(pictures.png(pixels[::2, ::-1])), pixels[::2, ::-1])


def test_a_layer_has_the_colour_and_opacity_of_each_number(rng: np.random.Generator) -> None:
    shades = overlay.shades(overlay.OBJECTS, filled=True, opacity=0.3)
    number_HW = rng.integers(0, len(shades), (20, 30)).astype(np.uint8)
    np.testing.assert_array_equal(
        read(pictures.layer(number_HW, shades), "RGBA"), shades[number_HW]
    )


@pytest.mark.parametrize("largest", [0, 255, 256, 65_536, 2**24 - 1])
def test_numbers_come_back_from_their_colours(largest: int) -> None:
    number_HW = np.array([[0, 1, largest]], np.int64)
    red, green, blue = np.moveaxis(read(pictures.number_png(number_HW)).astype(int), -1, 0)
    np.testing.assert_array_equal(red + 256 * green + 65536 * blue, number_HW)


@pytest.mark.parametrize(
    ("side", "every"), [(1, 1), (2048, 1), (2049, 2), (4096, 2), (4097, 3), (10_000, 5)]
)
def test_no_side_is_longer_than_the_browser_gets(side: int, every: int) -> None:
    pixels_HW = np.broadcast_to(np.arange(side), (3, side))
    assert pictures.step(pixels_HW.shape) == every
    np.testing.assert_array_equal(pictures.fit(pixels_HW)[0], np.arange(0, side, every))


def test_heat_rises_in_brightness_and_stays_in_its_range() -> None:
    values_HW = np.linspace(-1, 2, 400)[None]
    brightness = pictures.heat(values_HW)[0].astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(brightness) > -1).all()
    assert brightness[-1] - brightness[0] > 150
    outside = pictures.heat(np.array([[-5.0, 0.0, 1.0, 9.0]]))[0].tolist()
    assert outside[0] == outside[1]
    assert outside[2] == outside[3]
    low = pictures.heat(np.array([[-2.0, 1.0]]), -2.0)[0].tolist()
    assert low == [outside[1], outside[2]]


@pytest.mark.parametrize("shape", [(20, 30), (300, 100), (100, 900), (1, 1)])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_thumbnail_fits_and_keeps_its_proportions(shape: tuple[int, int], labelled: bool) -> None:
    labels_HW = np.ones(shape, int) if labelled else None
    small = read(pictures.thumbnail(np.ones(shape, np.uint16), labels_HW, side=120), kind="JPEG")
    height, width = small.shape[:2]
    assert max(height, width) == min(120, max(shape))
    assert height / width == pytest.approx(
        shape[0] / shape[1], abs=0.05 * shape[0] / shape[1] + 0.01
    )
    assert small.ndim == (3 if labelled else 2)


def test_objects_know_their_labels_areas_and_pixels(rng: np.random.Generator) -> None:
    labels_HW = some_labels(rng)
    found = pictures.find_objects(labels_HW)
    ids, areas = np.unique(labels_HW[labels_HW > 0], return_counts=True)
    np.testing.assert_array_equal(found.label_N, ids)
    np.testing.assert_array_equal(found.area_N, areas)
    np.testing.assert_allclose(np.pi / 4 * found.diameter_N**2, areas)
    back_HW = np.append(0, found.label_N)[found.index_HW]
    np.testing.assert_array_equal(back_HW, labels_HW)


def test_without_objects_there_is_nothing_under_the_pointer() -> None:
    for shape in ((4, 5), (0, 0)):
        found = pictures.find_objects(np.zeros(shape, int))
        assert len(found.label_N) == len(found.area_N) == 0
        assert not found.index_HW.any()


def test_the_pointer_finds_hits_false_alarms_and_misses() -> None:
    true_HW = np.zeros((6, 30), int)
    true_HW[:, :8], true_HW[:, 10:14], true_HW[:, 20:28] = 4, 5, 6
    pred_HW = np.zeros_like(true_HW)
    pred_HW[:, :7], pred_HW[:, 12:20] = 1, 2
    judged = pictures.judge_objects(true_HW, pred_HW, *matching.pairs(true_HW, pred_HW))
    # Column 13 holds a false alarm in front of the missed object 5, column 11 that object alone.
    told = {}
    for column in (3, 7, 11, 13, 18, 25):
        index = judged.index_HW[2, column] - 1
        told[column] = (
            (int(judged.label_N[index]), int(judged.area_N[index]), judged.word_N[index].split()[0])
            if index >= 0
            else None
        )
    assert told == {
        3: (1, 42, "hit"),
        7: None,
        11: (5, 24, "missed"),
        13: (2, 48, "false"),
        18: (2, 48, "false"),
        25: (6, 48, "missed"),
    }


def test_a_shelf_makes_each_value_once_and_counts_bytes() -> None:
    shelf = cache.Shelf(1000)
    made = []

    def make(name: str, size: int) -> np.ndarray:
        def build() -> np.ndarray:
            made.append(name)
            return np.zeros(size, np.uint8)

        return shelf.get(name, build)

    make("a", 400), make("b", 400), make("a", 400)
    assert made == ["a", "b"]
    make("c", 400)  # b was used longest ago
    assert "a" in shelf
    assert "b" not in shelf
    assert make("huge", 5000).size == 5000
    assert "huge" not in shelf
    assert len(shelf) == 2


def test_an_error_is_not_kept_and_the_next_try_may_succeed() -> None:
    shelf = cache.Shelf(1000)
    with pytest.raises(ValueError, match="no"):
        shelf.get("key", lambda: (_ for _ in ()).throw(ValueError("no")))
    assert shelf.get("key", lambda: "yes") == "yes"


def test_what_is_shared_cannot_be_changed() -> None:
    @dataclass(frozen=True)
    class Pair:
        pixels_HW: np.ndarray
        more: tuple[np.ndarray, ...]

    kept = cache.Shelf(10_000).get("key", lambda: Pair(np.zeros((3, 4)), (np.ones(5),)))
    for array in (kept.pixels_HW, kept.more[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert cache.n_bytes(kept) >= 3 * 4 * 8 + 5 * 8


def test_two_that_ask_at_once_wait_for_one_making() -> None:
    shelf, made = cache.Shelf(1000), []
    started, go_on = threading.Event(), threading.Event()

    def make() -> str:
        made.append(1)
        started.set()
        assert go_on.wait(10)
        return "value"

    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(shelf.get("key", make))) for _ in "ab"]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert got == ["value", "value"]
    assert len(made) == 1


def test_the_shelf_of_thumbnails_is_bounded() -> None:
    assert cache.shelf("thumbnails").most_bytes <= 100_000_000
    first = cache.thumbnail("synthetic-nuclei", "test", "nuclei-test-000")
    assert read(first, kind="JPEG").shape == (160, 160, 3)
    assert cache.thumbnail("synthetic-nuclei", "test", "nuclei-test-000") is first
    assert cache.thumbnail("synthetic-nuclei", "test", "nuclei-test-001") != first


def test_the_picture_of_a_place_shows_both_outlines_and_others_faintly():
    grey = np.full((60, 80), 100, np.uint8)
    true, pred = np.zeros((2, 60, 80), int)
    true[20:30, 20:30], true[40:45, 20:25] = 1, 2
    pred[20:30, 35:45] = 7
    picture = read(pictures.outlines(grey, true, pred, (20, 20, 30, 45), (1,), (7,)))
    assert picture.shape[0] == picture.shape[1]  # a square, enlarged by a whole number
    assert 150 <= picture.shape[0] <= 250
    colours = {tuple(one) for one in np.unique(picture.reshape(-1, 3), axis=0).tolist()}
    assert {pictures.TRUE, pictures.FOUND, (100, 100, 100)} <= colours
    # Only the box and its margin, and at the image's edge as much as there is.
    edge = read(pictures.outlines(grey, true, pred, (0, 0, 5, 5), (), ()))
    assert edge.shape[0] == edge.shape[1]
    large = read(pictures.outlines(grey.repeat(40, 0).repeat(40, 1),
                                   *(one.repeat(40, 0).repeat(40, 1) for one in (true, pred)),
                                   (0, 0, 2400, 3200), (1,), ()))  # fmt: skip
    assert max(large.shape) < 400


def test_outlines_that_fall_together_take_turns():
    labels = np.zeros((40, 40), int)
    labels[10:30, 10:30] = 3
    grey = np.zeros((40, 40), np.uint8)
    picture = read(pictures.outlines(grey, labels, labels, (10, 10, 30, 30), (3,), (3,)))
    counts = [(picture == colour).all(axis=2).sum() for colour in (pictures.TRUE, pictures.FOUND)]
    assert min(counts) > 0.3 * max(counts)
