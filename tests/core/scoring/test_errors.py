import dataclasses
import itertools

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label

from unet_core.imaging.matching import Counts, match, pairs
from unet_core.scoring import errors
from unet_core.scoring.errors import find, mend

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.95)


def draw(*rows):
    return np.array([[int(c) for c in row] for row in rows])


def mosaics(rng):
    """Two label images of squares that overlap in every way, with gaps in the numbers."""
    true = np.kron(rng.integers(0, 8, (6, 6)), np.ones((3, 3), int))
    pred = np.kron(rng.integers(0, 9, (9, 9)), np.ones((2, 2), int))
    return true * 3, np.where(pred > 2, pred, 0)


def blobs(rng):
    """Nuclei, and a worse picture of the same."""
    noise = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 2)
    worse = noise + ndimage.gaussian_filter(rng.normal(size=noise.shape), 2) * 0.7
    return label(noise > 0.05), label(np.roll(worse, 1, 0) > 0.06)


def test_what_errors_miss_and_have_false_are_the_fn_and_fp_of_matching(rng):
    for make, iou in itertools.product((mosaics, blobs), THRESHOLDS):
        for _ in range(20):
            true, pred = make(rng)
            counts, found = match(true, pred, iou), find(true, pred, iou)
            assert sum(one.n_missed for one in found) == counts.fn
            assert sum(one.n_false for one in found) == counts.fp


def test_every_object_that_is_no_hit_is_in_exactly_one_error_and_no_hit_in_two(rng):
    for make, iou in itertools.product((mosaics, blobs), THRESHOLDS):
        true, pred = make(rng)
        found = find(true, pred, iou)
        for labels, hits, key in zip(
            (true, pred), pairs(true, pred, iou), ("true_labels", "pred_labels"), strict=True
        ):
            named = [number for one in found for number in getattr(one, key)]
            assert len(named) == len(set(named))
            assert set(named) >= set(np.unique(labels)) - {0} - set(hits.tolist())


def groups_by_definition(true, pred, iou):
    """The groups with an object that is no hit, found by looking at every pair of objects."""
    hits = list(zip(*(ids.tolist() for ids in pairs(true, pred, iou)), strict=True))
    nodes = [("t", one) for one in np.unique(true) if one]
    nodes += [("p", one) for one in np.unique(pred) if one]
    groups = [{node} for node in nodes]
    for t, p in itertools.product(np.unique(true)[1:], np.unique(pred)[1:]):
        shared = ((true == t) & (pred == p)).sum()
        if (t, p) in hits or shared > (true == t).sum() / 2 or shared > (pred == p).sum() / 2:
            joined = [one for one in groups if ("t", t) in one or ("p", p) in one]
            groups = [one for one in groups if one not in joined] + [set().union(*joined)]
    right = {("t", t) for t, _ in hits} | {("p", p) for _, p in hits}
    return {frozenset(one) for one in groups if one - right}


def test_groups_are_those_of_the_definition(rng):
    for iou in THRESHOLDS:
        for _ in range(5):
            true, pred = mosaics(rng)
            ours = {
                frozenset(
                    [("t", number) for number in one.true_labels]
                    + [("p", number) for number in one.pred_labels]
                )
                for one in find(true, pred, iou)
            }
            assert ours == groups_by_definition(true, pred, iou)


@pytest.mark.parametrize(
    ("kind", "true", "pred", "n_missed", "n_false"),
    [
        ("miss", "0110000", "0000000", 1, 0),
        ("false alarm", "0000000", "0110000", 0, 1),
        ("merge", "1112220", "5555550", 1, 0),  # half of it is each: one of them is hit
        ("merge", "1122330", "5555550", 3, 1),
        ("merge", "1111120", "5555550", 1, 0),  # a small one beside a hit
        ("split", "5555550", "1122330", 1, 3),
        ("split", "5555550", "1111120", 0, 1),
        ("bad outline", "1111110", "2200000", 1, 1),
        ("bad outline", "1100000", "2222220", 1, 1),
        # The second true object is taken in part by the first predicted one: the border is off.
        ("bad outline", "1111222220", "3333333440", 1, 1),
    ],
)
def test_each_kind_as_drawn(kind, true, pred, n_missed, n_false):
    (found,) = find(draw(true), draw(pred), 0.5)
    assert (found.kind, found.n_missed, found.n_false) == (kind, n_missed, n_false)


def test_an_error_tells_where_it_is_how_large_and_how_near_to_a_hit():
    true = draw("0000000", "0110220", "0110220", "0000000")
    pred = draw("0000000", "0444440", "0444440", "0000000")
    (found,) = find(true, pred, 0.5)
    assert found == errors.Error("merge", 2, 1, 0.4, 8, 10, (1, 1, 3, 6), (1, 2), (4,))


def test_swapping_truth_and_prediction_swaps_the_kinds(rng):
    swapped = {"miss": "false alarm", "false alarm": "miss", "merge": "split", "split": "merge"}
    for _ in range(20):
        true, pred = mosaics(rng)
        there, back = find(true, pred, 0.6), find(pred, true, 0.6)
        assert sorted((one.box, swapped.get(one.kind, one.kind)) for one in there) == sorted(
            (one.box, one.kind) for one in back
        )
        assert sum(one.n_missed for one in there) == sum(one.n_false for one in back)


DRAWN = (
    ("0110000", "0000000"), ("0000000", "0110000"), ("1112220", "5555550"), ("1122330", "5555550"),
    ("5555550", "1122330"), ("5555550", "1111120"), ("1111110", "2200000"), ("1111222", "3333344"),
    ("1111000", "1111000"),
)  # fmt: skip


def test_mending_is_what_matching_says_of_the_mended_labels(rng):
    for _ in range(30):
        lines = [DRAWN[number] for number in rng.integers(0, len(DRAWN), 12)]
        true, pred = (draw(*side) for side in zip(*lines, strict=True))
        number_H1 = 10 * np.arange(12)[:, None]
        true, pred = (np.where(labels, labels + number_H1, 0) for labels in (true, pred))
        for kind in errors.KINDS:
            chosen = [one for one in find(true, pred) if one.kind == kind]
            mended = pred.copy()
            for one in chosen:
                mended[np.isin(pred, one.pred_labels)] = 0
                here = np.isin(true, one.true_labels)
                mended[here] = true[here] + 1000
            ours, expected = mend(match(true, pred), chosen), match(true, mended)
            assert (ours.tp, ours.fp, ours.fn) == (expected.tp, expected.fp, expected.fn)


def test_mending_everything_is_perfect(rng):
    true, pred = blobs(rng)
    ours = mend(match(true, pred), find(true, pred))
    assert (ours.f1, ours.n_true) == (1.0, match(true, pred).n_true)


def test_a_split_adds_up_counts_over_images_and_puts_the_costly_first():
    tally = errors.Tally()
    tally.add("a", draw("1122330", "0000000"), draw("5555550", "0000000"))
    tally.add("b", draw("1110000", "0000022"), draw("1110000", "0000000"))
    tally.add("c", draw("1111110"), draw("1111102"))
    document = tally.document()
    assert document["iou"] == 0.5
    assert [(row["image"], row["kind"]) for row in document["rows"]] == [
        ("a", "merge"), ("b", "miss"), ("c", "false alarm")
    ]  # fmt: skip
    kinds = {row["kind"]: row for row in document["kinds"]}
    # 2 hits, 2 false, 4 missed: F1 4 / 10.
    assert tally.counts.f1 == 0.4
    merged = {"kind": "merge", "errors": 1, "n_missed": 3, "n_false": 1, "f1_if_mended": 10 / 12}
    assert kinds["merge"] == merged
    assert kinds["miss"]["f1_if_mended"] == 6 / 11
    assert kinds["false alarm"]["f1_if_mended"] == 4 / 9
    assert kinds["split"]["f1_if_mended"] == 0.4
    table = errors.table(document["rows"])
    assert table["true_labels"].tolist() == ["1 2 3", "2", ""]
    assert table.iloc[0][["bbox-0", "bbox-1", "bbox-2", "bbox-3"]].tolist() == [0, 0, 1, 6]


def test_nothing_has_no_errors_and_the_table_keeps_its_columns():
    empty = np.zeros((3, 4), np.uint8)
    assert find(empty, empty) == []
    tally = errors.Tally()
    tally.add("a", empty, empty)
    assert all(row["f1_if_mended"] is None for row in tally.document()["kinds"])
    assert list(errors.table([])) == list(errors.table(_rows_of_one()))
    assert mend(Counts(), []) == Counts()


def _rows_of_one():
    (found,) = find(draw("10"), draw("00"))
    return [{"image": "a", **dataclasses.asdict(found)}]


def test_large_labels_have_the_places_of_small_ones():
    true, pred = draw("0110220"), draw("0110000")
    few = find(true, pred)
    many = find(true * 1_000_000_000, pred.astype(np.uint64) * 4_000_000_000)
    assert [one.box for one in many] == [one.box for one in few] == [(0, 4, 1, 6)]
    assert many[0].true_labels == (2_000_000_000,)


@pytest.mark.parametrize(
    ("true", "pred", "iou", "sentence"),
    [
        (draw("10"), draw("100"), 0.5, "same shape"),
        (draw("10"), draw("10") * 0.5, 0.5, "whole numbers"),
        (draw("10"), draw("10"), 0, r"iou must be in \(0, 1\], got 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(true, pred, iou, sentence):
    with pytest.raises(ValueError, match=sentence):
        find(true, pred, iou)


def test_a_document_lists_no_more_than_it_can_hold_and_counts_all(monkeypatch):
    monkeypatch.setattr(errors, "MOST_ROWS", 2)
    tally = errors.Tally()
    tally.add("a", draw("1022011"), draw("0000000"))
    tally.add("b", draw("1022033"), draw("0000000"))
    document = tally.document()
    assert [(row["image"], row["true_area"]) for row in document["rows"]] == [("a", 3), ("a", 2)]
    assert document["left_out"] == 3
    assert document["kinds"][0]["errors"] == 5
