import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.segmentation import find_boundaries

from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.cli import main
from unet_core.data import datasets
from unet_core.data.pairs import Pair
from unet_core.data.samples import Sample
from unet_core.imaging import instances, matching
from unet_core.network import checkpoint
from unet_core.scoring import evaluation, ladder

NAMES = [
    "All background",
    "Otsu + components",
    "Otsu + distance watershed",
    "Untrained network",
    "This model + components",
    "This model + watershed",
    "True foreground + components",
    "True target of this model",
]


def config_for(target: str, boundary: str = "thick") -> ModelConfig:
    losses = {"three-class": "cross-entropy", "classes": "cross-entropy"}
    train = TrainConfig.of(target=target, boundary=boundary, loss=losses.get(target, "bce"))
    outputs = {
        "three-class": ("background", "inside", "boundary"),
        "foreground": ("foreground",),
        "classes": ("background", "line", "ellipse"),
        "distance": ("foreground", "distance"),
    }.get(target, ("foreground", "boundary"))
    return ModelConfig(train=train, outputs=outputs)


def test_the_rungs_go_from_nothing_to_the_ceiling_on_the_same_images(
    tiny_data: Path, save_cutter: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_cutter("dsb2018")
    trained = checkpoint.load(model, device="cpu")
    told: list[tuple[str, int, int]] = []
    state = torch.random.get_rng_state()
    rows = ladder.ladder(
        trained, "dsb2018", "train", on_progress=lambda *progress: told.append(progress)
    )
    assert torch.random.get_rng_state().equal(state)
    assert [row["name"] for row in rows] == NAMES
    assert [row["kind"] for row in rows] == ["floor"] * 4 + ["model"] * 2 + ["ceiling"] * 2
    assert all(row["images"] == 6 and row["what"].endswith(".") for row in rows)
    assert [done for _, done, _ in told] == list(range(1, 61))
    assert {total for _, _, total in told} == {60}
    document = evaluation.evaluate(trained, "dsb2018", "train")
    assert rows[4]["pooled"] == rows[5]["pooled"] == document["pooled"]
    assert rows[5]["by_image"] == document["by_image"]
    assert rows[0]["pooled"][0]["recall"] == 0
    words = ["evaluate", "--model", model, "--data", "dsb2018", "--split", "train", "--ladder"]
    assert main.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ladder"] == rows
    assert main.main(words) == 0
    named = [line[:34].strip() for line in capsys.readouterr().out.splitlines()]
    first = named.index(NAMES[0])
    assert named[first : first + len(NAMES)] == NAMES


def test_a_network_without_boundary_has_no_watershed(
    tiny_data: Path, save_cutter: Callable[..., str]
) -> None:
    trained = checkpoint.load(save_cutter("dsb2018", target="foreground"), device="cpu")
    rows = ladder.ladder(trained, "dsb2018", "test")
    assert [row["name"] for row in rows] == [*NAMES[:5], *NAMES[6:]]
    # A binary target is what its components say.
    assert rows[-1]["pooled"][0] == rows[-2]["pooled"][0]


def test_sets_without_objects_have_no_ladder(save_cutter: Callable[..., str]) -> None:
    trained = checkpoint.load(save_cutter(), device="cpu")
    with pytest.raises(ValueError, match="synthetic-shapes has classes, not objects"):
        ladder.ladder(trained, "synthetic-shapes", "val")


def test_the_blank_network_is_the_same_each_time_and_not_the_trained_one(
    save_cutter: Callable[..., str],
) -> None:
    trained = checkpoint.load(save_cutter(), device="cpu")
    first, again = (ladder.blank(trained).network.state_dict() for _ in range(2))
    assert all(first[name].equal(again[name]) for name in first)
    weights = trained.network.state_dict()
    assert not any(first[name].equal(weights[name]) for name in first if name.endswith("weight"))


def test_the_rungs_are_the_known_floors_and_ceilings_of_dsb_2018(real_data: Path) -> None:
    pictures = [
        datasets.load("dsb2018", "test", name) for name in datasets.sample_names("dsb2018", "test")
    ]
    rungs = [*ladder.rules(), *ladder.ceilings(config_for("three-class", "outer"), Segmentation())]
    found = {}
    for rung in rungs:
        scores = evaluation.score(
            Pair(one.name, one.labels_HW, rung.label(one)) for one in pictures
        )
        places = [scores[kind][0] for kind in ("pooled", "by_image")]
        found[rung.name] = [row[name] for row in places for name in ("ap", "f1")]
    assert len(pictures) == 50
    assert found["All background"] == [0, 0, 0, 0]
    assert found["Otsu + components"] == pytest.approx([0.512, 0.678, 0.687, 0.787], abs=1e-3)
    assert found["True foreground + components"] == pytest.approx(
        [0.740, 0.850, 0.835, 0.901], abs=1e-3
    )
    assert min(found["True target of this model"]) > 0.98
    assert np.subtract(found["Otsu + distance watershed"], found["Otsu + components"]).min() > 0


def test_touching_discs_are_cut_where_they_are_narrow() -> None:
    rows, columns = np.indices((60, 90))
    discs = [np.hypot(rows - 30, columns - column) <= 13 for column in (20, 42, 75)]
    labels_HW = ladder.cut_by_distance(np.any(discs, axis=0), apart=5)
    assert labels_HW.max() == 3
    assert labels_HW[30, 31 - 2] != labels_HW[30, 31 + 2]
    for disc, other in zip(discs, (discs[1], discs[0], discs[0]), strict=True):
        assert len(np.unique(labels_HW[disc & ~other])) == 1


def test_a_mask_with_gaps_passes_the_true_mask_which_is_no_bound() -> None:
    labels_HW = np.zeros((40, 60), np.int32)
    labels_HW[5:35, 5:30], labels_HW[5:35, 30:55] = 1, 2
    rung = ladder.ceilings(config_for("foreground"), Segmentation(method="components"))[0]
    joined_HW = rung.label(Sample("", labels_HW, labels_HW, None, None))
    gaps_HW = (labels_HW > 0) & ~find_boundaries(labels_HW, mode="inner")
    assert matching.match(labels_HW, joined_HW).tp < 2
    assert matching.match(labels_HW, instances.components(gaps_HW)).tp == 2
    assert "limit" not in rung.what


def test_every_region_keeps_a_part_and_nothing_else_does(rng: np.random.Generator) -> None:
    for sigma in (0.6, 1.5, 4):
        mask_HW = ndimage.gaussian_filter(rng.normal(size=(80, 90)), sigma) > 0
        regions_HW = instances.components(mask_HW, min_size=21)
        labels_HW = ladder.cut_by_distance(mask_HW, apart=5)
        np.testing.assert_array_equal(labels_HW > 0, regions_HW > 0)
        for label in range(1, labels_HW.max() + 1):
            assert len(np.unique(regions_HW[labels_HW == label])) == 1
    for empty in (np.zeros((5, 6), bool), np.ones((40, 40), bool)):
        assert ladder.cut_by_distance(empty, apart=5).max() == empty.any()


@pytest.mark.parametrize(
    ("target", "boundary"),
    [
        ("foreground+boundary", "thick"),
        ("foreground+boundary", "inner"),
        ("three-class", "outer"),
        ("three-class", "thick"),
        ("distance", "thick"),
    ],
)
def test_a_perfect_answer_gives_the_objects_back(target: str, boundary: str) -> None:
    rows, columns = np.indices((60, 90))
    labels_HW = np.zeros((60, 90), np.int32)
    for number, column in enumerate((20, 40, 70), start=1):
        labels_HW[(np.hypot(rows - 30, columns - column) <= 11) & (labels_HW == 0)] = number
    foreground_HW, boundary_HW = ladder.perfect(labels_HW, config_for(target, boundary))
    assert foreground_HW.dtype == boundary_HW.dtype == np.float32
    settings = Segmentation(threshold=0.5, marker_threshold=0.5, boundary_weight=1.0)
    found_HW = instances.segment(foreground_HW, boundary_HW, settings)
    assert matching.match(labels_HW, found_HW, 0.7).tp == 3
    assert instances.components(foreground_HW).max() < 3 or boundary == "outer"
    assert boundary_HW[find_boundaries(labels_HW, mode="inner")].min() > 0 or boundary == "outer"


def test_a_perfect_answer_has_no_rim_where_the_inside_alone_is_read() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[4:14, 5:15] = 1
    config, settings = config_for("three-class"), Segmentation(reading="inside")
    foreground = ladder.perfect(labels, config, "inside")[0]
    assert foreground.sum() == 8 * 8
    found = ladder.ceilings(config, settings)[-1].label(Sample("a", labels, labels, None, None))
    assert (found > 0).sum() == foreground.sum() < ladder.perfect(labels, config)[0].sum()


@pytest.mark.parametrize("target", ["foreground", "classes"])
def test_a_perfect_answer_without_boundary_is_the_foreground(target: str) -> None:
    labels_HW = np.array([[0, 1, 1], [2, 2, 0]], np.int32)
    foreground_HW, boundary_HW = ladder.perfect(labels_HW, config_for(target))
    np.testing.assert_array_equal(foreground_HW, labels_HW > 0)
    assert not boundary_HW.any()
