from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from unet_core.base.config import Segmentation
from unet_core.data import datasets, samples
from unet_core.imaging import instances, matching
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import inference, model
from unet_core.scoring import evaluation, ladder, landscape, predictions, tuning
from unet_core.scoring.predictions import View


@pytest.fixture
def trained(tiny_data: Path, save_cutter: Callable[..., str]) -> Trained:
    return checkpoint.load(save_cutter("dsb2018"), device="cpu")


def test_probabilities_are_computed_once_and_are_those_of_the_network(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    view = View(flips=True)
    answers = predictions.predict_each(trained, "dsb2018", "test", ["0", "1"], view)
    expected = [predictions.decode(one, trained.config) for one in answers]
    for _ in range(2):
        found = predictions.predict_split(
            trained, "dsb2018", "test", view=view, on_progress=lambda *now: told.append(now)
        )
        monkeypatch.delattr(predictions, "predict_each", raising=False)  # needed only once
        assert [one.name for one in found] == ["0", "1"]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.foreground_HW, other.foreground_HW)
            np.testing.assert_array_equal(one.boundary_HW, other.boundary_HW)
            np.testing.assert_array_equal(one.true_HW, other.true_HW)
            assert one.foreground_HW.max() > 0.5 > one.foreground_HW.min()
    assert told == [(1, 2), (2, 2)]


def test_all_that_makes_objects_follows_the_reading(
    save_cutter: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "NUCLEI", (20, 2))  # blurred, so that there is a rim
    monkeypatch.setattr(landscape, "THRESHOLDS", (0.4,))
    monkeypatch.setattr(landscape, "MARKERS", (0.6,))
    monkeypatch.setattr(tuning, "WIDENINGS", 0)
    settings = Segmentation(reading="inside", marker_threshold=0.2)
    run = save_cutter(target="three-class", segmentation=settings, tuned_on="hand")
    trained, asked = checkpoint.load(run, device="cpu"), ("synthetic-nuclei", "test")
    total, usual = matching.Counts(), matching.Counts()
    for name in datasets.sample_names(*asked):
        sample = datasets.load(*asked, name)
        prob_CHW = inference.predict(trained, sample.image_HW)
        labels_HW = instances.segment(prob_CHW[1], prob_CHW[2], settings)
        np.testing.assert_array_equal(labels_HW, model.load(run).segment(sample.image_HW))
        total += matching.match(sample.labels_HW, labels_HW, 0.9)
        whole_HW = instances.segment(prob_CHW[1] + prob_CHW[2], prob_CHW[2], settings)
        usual += matching.match(sample.labels_HW, whole_HW, 0.9)
    assert total != usual
    scores = [evaluation.evaluate(trained, *asked)["pooled"][8]]
    rungs = ladder.ladder(trained, *asked)
    scores += [one["pooled"][8] for one in rungs if one["name"] == "This model + watershed"]
    for one in scores:
        assert (one["tp"], one["fp"], one["fn"]) == (total.tp, total.fp, total.fn)
    aim = landscape.Aim(iou=0.9)
    found = tuning.tune(trained, *asked, aim, on_test=True).landscape
    assert found.values_RK[found.grid.base_cell()] == total.f1
    assert found.settings.reading == "inside"


def test_the_key_holds_all_that_decides_the_probabilities_and_nothing_else(
    trained: Trained, tiny_data: Path
) -> None:
    def key(split: str = "test", *, config: object = trained.config, **options: object) -> str:
        return predictions.key(Trained(config, trained.network), "dsb2018", split, **options)

    first, config = key(), trained.config
    settings = Segmentation(threshold=0.7)
    assert key(config=config.replace(segmentation=settings, tuned_on="3 images")) == first
    others = [
        key(view=View(flips=True)),
        key(view=View(window=16)),
        key("val"),
        key("train"),
        key(config=config.replace(mean=0.5)),
    ]
    images = tiny_data / "dsb2018" / "test" / "images"
    (images / "0.tif").write_bytes((images / "1.tif").read_bytes())
    others.append(key())
    with torch.no_grad():
        trained.network.head.bias += 1
    others.append(key())
    assert len({first, *others}) == 8


@pytest.mark.parametrize(
    ("data", "split", "words"),
    [
        ("synthetic-shapes", "val", "synthetic-shapes has classes, not objects"),
        ("dsb2018", "nothing", "split of dsb2018 must be one of"),
        ("mice", "val", "data set must be one of"),
    ],
)
def test_splits_without_objects_are_refused(
    trained: Trained, data: str, split: str, words: str
) -> None:
    for function in (predictions.names, predictions.predict_split, predictions.key):
        with pytest.raises(ValueError, match=words):
            function(trained, data, split)


def test_a_split_without_truth_is_refused(trained: Trained, real_data: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNET_DATA", str(real_data))
        with pytest.raises(ValueError, match="isbi2012 unlabelled has no truth"):
            predictions.names(trained, "isbi2012", "unlabelled")


def test_a_set_with_one_image_has_none_to_validate(trained: Trained, tiny_data: Path) -> None:
    for path in (tiny_data / "dsb2018" / "train").rglob("[1-6].tif"):
        path.unlink()
    assert predictions.names(trained, "dsb2018", "train") == ["0"]
    with pytest.raises(ValueError, match="dsb2018 val has no images: choose another split"):
        predictions.names(trained, "dsb2018", "val")


def test_the_models_own_scheme_is_taken_for_its_own_data_only(trained: Trained) -> None:
    config = trained.config.replace(train=trained.config.train.replace(scheme="every-20th"))
    model = Trained(config, trained.network)
    assert predictions.own_scheme(model, "dsb2018", None) == "every-20th"
    assert predictions.own_scheme(model, "dsb2018", "fraction") == "fraction"
    assert predictions.own_scheme(model, "isbi2012", None) == "sections"


def test_images_are_cut_to_multiples_before_they_are_looked_at(trained: Trained) -> None:
    whole = predictions.predict_split(trained, "dsb2018", "test")
    sides = [max(side // 16 * 16, 16) for side in whole[0].true_HW.shape]
    cut = predictions.predict_split(trained, "dsb2018", "test", view=View(crop_multiple=16))
    assert cut[0].true_HW.shape == cut[0].foreground_HW.shape == tuple(sides)
    np.testing.assert_array_equal(
        cut[0].true_HW, whole[0].true_HW[tuple(slice(side) for side in sides)]
    )


def test_a_negative_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="crop_multiple must be 0 or more, got -1"):
        View(crop_multiple=-1)
