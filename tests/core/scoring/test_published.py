"""Published scores: typed in by hand, so what can be checked about them is."""

import pytest

from unet_core.data.catalogue import SETS
from unet_core.scoring import published


def test_every_row_names_images_a_metric_an_average_and_a_source() -> None:
    for row in published.ROWS:
        known = SETS[row.data]
        assert row.split in (*known.splits, "challenge")
        assert row.scheme in ("", *known.schemes)
        assert row.metric in published.METRICS
        assert row.average in published.AVERAGES
        assert row.source
        assert row.values


def test_scores_are_shares_and_fall_as_the_overlap_grows() -> None:
    for row in published.ROWS:
        scores = [score for _, score in row.values]
        assert all(0 < score < 1 for score in scores)
        assert scores == sorted(scores, reverse=True)
        ious = [iou for iou, _ in row.values if iou is not None]
        assert ious == sorted(set(ious))


def test_a_mean_that_was_printed_beside_the_scores_comes_out() -> None:
    found = {row.method: row for row in published.find("dsb2018", "test", metric="ap")}
    scores = dict(found["PatchPerPix"].values)
    assert sum(scores.values()) / len(scores) == pytest.approx(0.693, abs=5e-4)
    # The table's own order of methods at the usual threshold.
    at_half = {name: dict(row.values)[0.5] for name, row in found.items()}
    order = ["U-Net, 2 classes", "U-Net, 3 classes", "Mask R-CNN", "StarDist 2018"]
    assert sorted(order, key=at_half.__getitem__) == order


def test_only_the_same_images_are_compared() -> None:
    assert published.find("dsb2018", "val") == []
    assert published.find("isbi2012", "test", scheme="13-2-28") == []
    found = published.find("isbi2012", "test", scheme="sections")
    assert {row.metric for row in found} == {"mean_iou", "accuracy"}
    by_image = published.find("dsb2018", "test", metric="ap", average="by_image")
    assert {row.method for row in by_image} == {
        "PatchPerPix", "EmbedSeg", "DL4MIA 2022, 3 classes",
    }  # fmt: skip


def test_an_unknown_metric_or_average_is_refused() -> None:
    with pytest.raises(ValueError, match=r"metric must be one of ap, f1, .*, got 'dice'"):
        published.find("dsb2018", "test", metric="dice")
    with pytest.raises(ValueError, match=r"average must be one of pooled, .*, got 'mean'"):
        published.find("dsb2018", "test", average="mean")
