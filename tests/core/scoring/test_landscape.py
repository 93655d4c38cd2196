import threading
import time

import numpy as np
import pytest
from scipy import ndimage

from unet_core.base import device
from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.data.pairs import Pair
from unet_core.imaging import instances, matching, targets
from unet_core.scoring import evaluation, landscape
from unet_core.scoring.landscape import Aim, Grid, Landscape
from unet_core.scoring.predictions import Predicted

CONFIG = ModelConfig(train=TrainConfig(), outputs=("foreground", "boundary"))
BASE = Segmentation(threshold=0.5, marker_threshold=0.3, boundary_weight=1.0, min_size=4)


def draw(rng: np.random.Generator, shape: tuple[int, int], name: str) -> Predicted:
    """Blobs and a guess of them: soft, noisy, with a boundary."""
    field_HW = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    true_HW = ndimage.label(field_HW > np.quantile(field_HW, 0.7))[0].astype(np.int32)
    soft_HW = ndimage.gaussian_filter((true_HW > 0).astype(np.float32), 1)
    foreground_HW = np.clip(soft_HW + rng.normal(0, 0.15, shape), 0, 1).astype(np.float32)
    boundary_HW = np.clip(1 - np.abs(2 * soft_HW - 1), 0, 1).astype(np.float32)
    return Predicted(name, foreground_HW, boundary_HW, true_HW)


def draw_split(rng: np.random.Generator) -> list[Predicted]:
    """Three images of different sizes, and one without any object."""
    shapes = ((40, 60), (70, 50), (30, 30))
    found = [draw(rng, shape, str(index)) for index, shape in enumerate(shapes)]
    empty_HW = np.zeros((20, 20), np.float32)
    return [*found, Predicted("empty", empty_HW, empty_HW, empty_HW.astype(np.int32))]


@pytest.mark.parametrize("method", ["watershed", "components"])
def test_every_cell_is_what_segmenting_and_scoring_the_split_gives(
    rng: np.random.Generator, method: str
) -> None:
    split, base = draw_split(rng), BASE.replace(method=method)
    columns = (-0.2, 0.1, 0.6) if method == "watershed" else (0, 12, 30)
    second = "marker_threshold" if method == "watershed" else "min_size"
    grid = Grid(base, (0.3, 0.5, 0.7, 0.9), columns)
    counts = landscape.count(split, grid, (0.5, 0.75))
    for row, column in np.ndindex(4, 3):
        settings = base.replace(threshold=grid.thresholds[row], **{second: columns[column]})
        labels = [instances.segment(one.foreground_HW, one.boundary_HW, settings) for one in split]
        document = evaluation.score(
            Pair(one.name, one.true_HW, found) for one, found in zip(split, labels, strict=True)
        )
        for average in ("pooled", "by_image"):
            for iou, index in ((0.5, 0), (0.75, 5)):
                for measure in ("f1", "ap"):
                    aim = Aim(iou=iou, measure=measure, average=average)
                    found = landscape.from_counts(counts, grid, (0.5, 0.75), aim)
                    expected = document[average][index][measure]
                    assert found.values_RK[row, column] == pytest.approx(expected, abs=1e-12)
    assert len(np.unique(found.values_RK)) > 6  # the cells do differ


def test_one_call_gives_the_document_of_the_best_place(rng: np.random.Generator) -> None:
    told: list[tuple[int, int]] = []
    config = CONFIG.replace(segmentation=BASE, tuned_on="something")
    document = landscape.landscape(
        draw_split(rng),
        config,
        iou=0.7,
        measure="ap",
        average="by_image",
        thresholds=(0.3, 0.5, 0.9),
        markers=(0.1, 0.3),
        on_progress=lambda *progress: told.append(progress),
    ).to_dict()
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (document["iou"], document["measure"], document["average"]) == (0.7, "ap", "by_image")
    assert (document["images"], document["thresholds"]) == (4, [0.3, 0.5, 0.9])
    assert (document["markers"], document["min_sizes"]) == ([0.1, 0.3], [])
    best = document["best"]
    assert best["value"] == max(map(max, document["values"]))
    assert document["values"][best["row"]][best["column"]] == best["value"]
    assert best["segmentation"] == BASE.to_dict() | {
        "threshold": best["threshold"],
        "marker_threshold": best["marker_threshold"],
    }
    base = document["base"]
    assert (base["threshold"], base["marker_threshold"]) == (0.5, 0.3)
    assert base["segmentation"] == BASE.to_dict()


def hill(values: list[list[float]], base: Segmentation = BASE) -> Landscape:
    """Planted scores at thresholds 0.3, 0.4 ... and marker thresholds 0.1, 0.2 ..."""
    rows, columns = np.shape(values)
    thresholds = tuple(round(0.3 + 0.1 * row, 1) for row in range(rows))
    grid = Grid(base, thresholds, tuple(round(0.1 + 0.1 * one, 1) for one in range(columns)))
    return Landscape(grid, Aim(), 3, np.array(values))


def test_the_plateau_is_what_lies_within_half_a_percent_of_the_best() -> None:
    found = hill([[0.8, 0.895, 0.3], [0.7, 0.9, 0.8949], [0.898, 0.2, 0.1]]).to_dict()
    assert (found["best"]["row"], found["best"]["column"]) == (1, 1)
    plateau = found["plateau"]
    assert plateau["cells"] == [[0, 1], [1, 1], [2, 0]]
    assert (plateau["threshold"], plateau["marker_threshold"]) == ([0.3, 0.5], [0.1, 0.2])


def test_among_equal_scores_the_one_nearest_to_the_base_is_the_best() -> None:
    values = [[0.9, 0.1, 0.9], [0.1, 0.1, 0.1], [0.1, 0.9, 0.1]]
    near = hill(values, BASE.replace(threshold=0.5, marker_threshold=0.3))
    assert near.best == (2, 1)
    assert hill(values, BASE.replace(threshold=0.3, marker_threshold=0.3)).best == (0, 2)
    assert near.settings == BASE.replace(threshold=0.5, marker_threshold=0.2)


@pytest.mark.parametrize(
    ("best", "beyond"),
    [
        ((1, 1), {}),
        ((0, 1), {"threshold": (0.15, 0.2, 0.25)}),
        ((2, 1), {"threshold": (0.55, 0.6, 0.65)}),
        ((1, 0), {"marker_threshold": (-0.2, -0.1, 0.0)}),
        ((2, 2), {"threshold": (0.55, 0.6, 0.65), "marker_threshold": (0.4, 0.5, 0.6)}),
    ],
)
def test_beyond_the_edge_lie_three_more_steps(
    best: tuple[int, int], beyond: dict[str, tuple[float, ...]]
) -> None:
    values = np.zeros((3, 3))
    values[best] = 0.9
    found = hill(values.tolist())
    assert found.beyond == beyond
    wide = landscape.join([found.grid, *found.strips])
    assert wide.n_cells == found.grid.n_cells + sum(one.n_cells for one in found.strips)


def test_where_a_setting_can_go_no_further_there_is_no_edge() -> None:
    sizes = BASE.replace(method="components")
    for thresholds, columns, expected in (
        ((0.9, 1.0), (0, 9), {}),
        ((0.9, 0.95), (0, 9), {"threshold": (1.0,)}),
    ):
        grid = Grid(sizes, thresholds, columns)
        assert Landscape(grid, Aim(), 3, np.array([[0.1, 0.1], [0.9, 0.1]])).beyond == expected
    grid = Grid(sizes, (0.4, 0.5, 0.6), (0, 9))
    largest = Landscape(grid, Aim(), 3, np.array([[0.1, 0.1], [0.1, 0.9], [0.1, 0.1]]))
    assert largest.beyond == {"min_size": (18, 36, 72)}


@pytest.mark.parametrize("average", ["pooled", "by_image"])
def test_a_gain_counts_on_images_that_did_not_choose(
    rng: np.random.Generator, average: str
) -> None:
    grid, aim = Grid(BASE, (0.4, 0.5), (0.2, 0.3)), Aim(average=average)
    chance = rng.integers(5, 15, (2, 2, 9, 1, 3))  # no cell is better than another
    gains_D = landscape.from_counts(chance, grid, (0.5,), aim).gains_D
    assert len(gains_D) > 190
    assert (gains_D > 0).mean() < 0.9
    better = np.full((2, 2, 9, 1, 3), 10)
    better[0, 0, ..., 1:] = 5  # fewer mistakes on every image
    found = landscape.from_counts(better, grid, (0.5,), aim)
    assert found.to_dict()["gain"]["better"] == 1
    expected = found.values_RK[0, 0] - found.values_RK[1, 1]
    np.testing.assert_allclose(found.gains_D, expected)
    alone = landscape.from_counts(better[:, :, :1], grid, (0.5,), aim)
    assert alone.to_dict()["gain"] is None


def test_without_any_object_there_is_no_score_and_the_base_stays() -> None:
    empty_HW = np.zeros((8, 8), np.float32)
    split = [Predicted("empty", empty_HW, empty_HW, empty_HW.astype(np.int32))]
    for average in ("pooled", "by_image"):
        found = landscape.landscape(
            split, CONFIG, base=BASE, average=average, thresholds=(0.4, 0.5), markers=(0.3,)
        )
        document = found.to_dict()
        assert document["values"] == [[None], [None]]
        assert found.settings == BASE
        assert document["plateau"]["cells"] == []
        assert document["plateau"]["threshold"] is None


def test_the_usual_grid_holds_the_models_own_settings() -> None:
    own = BASE.replace(threshold=0.47, marker_threshold=-0.3)
    grid = landscape.make_grid(own)
    assert grid.settings(*grid.base_cell()) == own
    assert grid.n_cells >= 100
    assert grid.n_cells == np.prod(grid.shape)
    sizes = landscape.make_grid(own.replace(method="components", min_size=17))
    assert sizes.second == "min_size"
    assert sizes.settings(*sizes.base_cell()).min_size == 17


def planted(target: str, background: float) -> tuple[list[Predicted], ModelConfig]:
    """Touching squares whose probabilities need settings other than the defaults."""
    labels_HW = np.zeros((20, 60), np.int32)
    for number, left in enumerate((0, 6, 12, 30, 45), start=1):
        labels_HW[5:11, left : left + 6] = number
    encoded = targets.encode(labels_HW, target, "inner")
    foreground_HW, boundary_HW = targets.decode(encoded, target, "inner")
    train = TrainConfig.of(target=target, loss="bce")
    config = ModelConfig(train=train, outputs=targets.channel_names(target))
    noisy_HW = np.maximum(foreground_HW * 0.9, background)
    return [Predicted("a", noisy_HW, boundary_HW, labels_HW)], config


def hits(split: list[Predicted], settings: Segmentation) -> matching.Counts:
    """At the strictest IoU that chooses."""
    [one] = split
    labels_HW = instances.segment(one.foreground_HW, one.boundary_HW, settings)
    return matching.match(one.true_HW, labels_HW, max(landscape.CHOICE_IOUS))


def test_choosing_finds_planted_thresholds() -> None:
    split, config = planted("foreground+boundary", background=0.55)
    chosen = landscape.choose(split, config)
    assert hits(split, landscape.defaults(config)).f1 < 0.5
    assert hits(split, chosen).f1 == 1.0
    assert 0.55 <= chosen.threshold < 0.9
    assert chosen.method == "watershed"


def test_choosing_keeps_objects_as_wide_as_they_are() -> None:
    """Every threshold below .8 hits at IoU .5, but only those above .6 leave the rim out."""
    split, config = planted("foreground+boundary", background=0.0)
    rim_HW = ndimage.binary_dilation(split[0].true_HW > 0) & (split[0].true_HW == 0)
    split[0].foreground_HW[rim_HW] = 0.6
    assert hits(split, landscape.defaults(config)).f1 < 1.0
    assert hits(split, landscape.choose(split, config)).f1 == 1.0


def test_choosing_drops_dirt_but_no_object() -> None:
    split, config = planted("foreground+boundary", background=0.0)
    split[0].foreground_HW[0, 0] = 0.9
    chosen = landscape.choose(split, config)
    assert hits(split, chosen).f1 == 1.0
    assert chosen.min_size == 5  # the smallest that does it


def test_a_network_without_boundary_is_given_components() -> None:
    split, config = planted("foreground", background=0.0)
    chosen = landscape.choose(split, config)
    assert chosen.method == "components"
    assert hits(split, chosen).tp == 2  # three squares touch: one object


def test_without_images_or_objects_the_defaults_are_chosen() -> None:
    _, config = planted("foreground+boundary", 0.0)
    empty_HW = np.zeros((8, 8), np.float32)
    nothing = Predicted("empty", empty_HW, empty_HW, empty_HW.astype(np.int32))
    for split in ([], [nothing]):
        assert landscape.choose(split, config) == landscape.defaults(config)


def test_a_model_that_nobody_has_tuned_starts_from_what_its_target_needs() -> None:
    train = TrainConfig.of(target="foreground", loss="bce")
    config = ModelConfig(train=train, outputs=("foreground",))
    assert landscape.start(config).method == "components"
    assert landscape.start(CONFIG).method == "watershed"
    assert landscape.start(CONFIG.replace(segmentation=BASE, tuned_on="some")) == BASE


def test_impossible_wishes_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="predicted must hold at least one image"):
        landscape.landscape([], CONFIG)
    with pytest.raises(ValueError, match="measure must be f1 or ap, got dice"):
        Aim(measure="dice")
    with pytest.raises(ValueError, match="average must be pooled or by_image, got mean"):
        Aim(average="mean")
    for iou in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"iou must be in \(0, 1\]"):
            Aim(iou=iou)
    for thresholds in ((), (0.5, 0.4), (0.5, 0.5)):
        with pytest.raises(ValueError, match="thresholds must be rising values"):
            Grid(BASE, thresholds, (0.1,))
    with pytest.raises(ValueError, match="columns must be rising values"):
        Grid(BASE, (0.5,), ())
    with pytest.raises(ValueError, match="threshold must be at most 1"):
        Grid(BASE, (0.5, 1.5), (0.1,))


def test_an_interruption_ends_the_threads_at_once(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_calls = []
    monkeypatch.setattr(device, "count_cores", lambda: 2)

    def segment(foreground_HW: np.ndarray, *others: object) -> np.ndarray:
        if foreground_HW.shape == (30, 30):
            slow_calls.append(1)
            time.sleep(0.02)
        return np.zeros(foreground_HW.shape, np.int32)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(landscape.instances, "segment", segment)
    split = [
        Predicted("", *np.zeros((2, side, side), np.float32), np.ones((side, side), np.int32))
        for side in (30, 40, 30, 30)
    ]
    grid = landscape.make_grid(BASE)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        landscape.count(split, grid, (0.5,), on_progress=interrupt)
    assert threading.active_count() == before
    assert len(slow_calls) < grid.n_cells  # not even one of the others was finished
