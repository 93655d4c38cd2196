import numpy as np
import pytest
from scipy import ndimage

from unet_core.base import cache
from unet_core.data import datasets, samples
from unet_core.imaging import matching
from unet_core.scoring import one_pixel


def test_growing_and_shrinking_move_each_outline_by_one_pixel(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 2)
    labels = ndimage.label(noise > 0.08)[0]
    cross = ndimage.generate_binary_structure(2, 1)
    grown, shrunk = one_pixel.grow(labels), one_pixel.shrink(labels)
    np.testing.assert_array_equal(grown > 0, ndimage.binary_dilation(labels > 0, cross))
    np.testing.assert_array_equal(grown[labels > 0], labels[labels > 0])
    # Beyond the image there is no background.
    inside = ndimage.binary_erosion(labels > 0, cross, border_value=1)
    np.testing.assert_array_equal(shrunk, np.where(inside, labels, 0))


def test_objects_that_touch_keep_their_border_when_grown_and_part_when_shrunk():
    labels = np.zeros((7, 12), int)
    labels[1:6, 1:6], labels[1:6, 6:11] = 1, 2
    grown, shrunk = one_pixel.grow(labels), one_pixel.shrink(labels)
    np.testing.assert_array_equal(grown[1:6, 1:11], labels[1:6, 1:11])
    assert [(shrunk == one).sum() for one in (1, 2)] == [9, 9]
    np.testing.assert_array_equal(one_pixel.shrink(np.eye(5, dtype=int)), np.zeros((5, 5)))


def test_the_scores_are_those_of_the_moved_truth_and_are_computed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(samples, "NUCLEI", (20, 2))
    told: list[tuple[int, int]] = []
    rows = one_pixel.measure("synthetic-nuclei", "test", on_progress=lambda *n: told.append(n))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [row["change"] for row in rows] == ["grown", "shrunk"]
    names = datasets.sample_names("synthetic-nuclei", "test")
    truths = [datasets.load("synthetic-nuclei", "test", name).truth_HW for name in names]
    for row, change in zip(rows, (one_pixel.grow, one_pixel.shrink), strict=True):
        counts = sum(
            (matching.match(truth, change(truth), 0.8) for truth in truths), matching.Counts()
        )
        assert row["pooled"][6]["iou"] == 0.8
        assert row["pooled"][6]["f1"] == counts.f1
        assert row["shape"]["n_hits"] == row["pooled"][0]["tp"]
        masks = [(truth > 0, change(truth) > 0) for truth in truths]
        overlap = sum((a & b).sum() for a, b in masks)
        assert row["pixels"]["dice"] == 2 * overlap / sum(a.sum() + b.sum() for a, b in masks)
    assert rows[0]["shape"]["area_error"] > 0 > rows[1]["shape"]["area_error"]
    cache._memory.clear()
    monkeypatch.delattr(one_pixel, "_measure")
    assert one_pixel.measure("synthetic-nuclei", "test") == rows


@pytest.mark.parametrize(
    ("data", "split", "scheme", "sentence"),
    [
        ("synthetic-shapes", "test", None, "classes, not objects"),
        ("synthetic-nuclei", "val", "all", "has no val images under this scheme"),
        ("mice", "test", None, "data set must be one of"),
    ],
)
def test_a_split_without_objects_is_refused(data, split, scheme, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        one_pixel.measure(data, split, scheme=scheme)


def test_a_split_that_nobody_has_labelled_is_refused(real_data) -> None:
    with pytest.raises(ValueError, match="nobody has labelled"):
        one_pixel.measure("isbi2012", "unlabelled")
