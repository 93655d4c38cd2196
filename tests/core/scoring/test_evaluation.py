import json

import numpy as np
import pytest

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.data import datasets, patches, samples
from unet_core.data.pairs import Pair
from unet_core.imaging import images, metrics, targets
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained, build
from unet_core.predict import inference
from unet_core.scoring import errors, evaluation, outlines
from unet_core.scoring.predictions import View


def squares(*starts: int, side: int = 6) -> np.ndarray:
    labels = np.zeros((20, 60), np.int32)
    for number, start in enumerate(starts, start=1):
        labels[5 : 5 + side, start : start + side] = number
    return labels


def test_pooled_adds_counts_and_by_image_averages_the_images_that_have_a_score() -> None:
    empty = np.zeros((20, 60), np.int32)
    document = evaluation.score(
        [
            Pair("both", squares(0, 10, 20), squares(0, 10, 40)),  # tp 2, fp 1, fn 1
            Pair("none", empty, empty),
            Pair("only true", squares(0), empty),
            Pair("right", squares(5), squares(5)),
        ]
    )
    pooled, by_image = document["pooled"][0], document["by_image"][0]
    assert document["images"] == 4
    assert (pooled["iou"], pooled["tp"], pooled["fp"], pooled["fn"]) == (0.5, 3, 1, 2)
    assert pooled["f1"] == 6 / 9
    assert pooled["ap"] == 3 / 6
    assert by_image["n_scored"] == 3
    assert by_image["f1"] == pytest.approx((4 / 6 + 0 + 1) / 3)
    assert [row["iou"] for row in document["pooled"]] == [
        0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95
    ]  # fmt: skip
    none = document["per_image"][1]
    assert none == {"name": "none", "n_true": 0, "n_pred": 0, "f1": None, "ap": None, "pq": None}
    assert document["per_image"][2]["f1"] == 0


def test_labels_that_skip_numbers_score_as_those_that_do_not() -> None:
    true, pred = squares(0, 6, 20), squares(1, 20, 40)
    skipping = np.array([0, 7, 70_000, 3])
    first, other = (
        evaluation.score([Pair("a", numbers[true], numbers[pred])])
        for numbers in (np.arange(4), skipping)
    )
    assert first == other
    for target in ("foreground+boundary", "three-class", "distance"):
        np.testing.assert_array_equal(
            targets.encode(skipping[true], target, "inner"), targets.encode(true, target, "inner")
        )


def test_scores_of_nothing_do_not_exist() -> None:
    empty = np.zeros((4, 4), np.int32)
    for pairs in ([], [Pair("a", empty, empty)]):
        document = evaluation.score(pairs)
        assert document["pooled"][0]["f1"] is None
        assert document["by_image"][0]["ap"] is None
        assert len(document["by_image"]) == 10


def model(target: str, outputs: tuple[str, ...], data: str) -> Trained:
    """An untrained network."""
    softmax = target in ("classes", "three-class")
    train = TrainConfig.of(
        data=data,
        widths=(4, 8),
        target=target,
        loss="cross-entropy" if softmax else "bce",
        scheme="default",
    )
    config = ModelConfig(train=train, outputs=outputs)
    return Trained(config, build(config).eval())


def test_classes_are_scored_by_their_pixels() -> None:
    trained = model("classes", ("background", "line", "ellipse"), "synthetic-shapes")
    found = evaluation.evaluate(trained, "synthetic-shapes", "test", view=View(window=96))
    assert (found["images"], found["pooled"], found["by_image"]) == (10, [], [])
    table = np.zeros((3, 3), np.int64)
    for name in datasets.sample_names("synthetic-shapes", "test"):
        sample = datasets.load("synthetic-shapes", "test", name)
        prob = inference.predict(trained, sample.image_HW, window=96)
        table += metrics.confusion(sample.labels_HW, prob.argmax(0), 3)
    assert found["pixels"]["mean_iou"] == pytest.approx(metrics.iou_per_class(table).mean())
    assert found["pixels"]["accuracy"] == pytest.approx(metrics.pixel_accuracy(table))
    np.testing.assert_array_equal(
        sum(np.array(row["confusion"]) for row in found["per_image"]), table
    )


@pytest.mark.parametrize(
    ("target", "outputs", "data"),
    [
        ("foreground", ("foreground",), "synthetic-nuclei"),
        ("classes", ("background", "line", "ellipse"), "synthetic-shapes"),
    ],
)
def test_the_middle_of_images_is_scored_on_its_own(
    target: str, outputs: tuple[str, ...], data: str
) -> None:
    trained = model(target, outputs, data)
    found = evaluation.evaluate(trained, data, "test", middle=100)["pixels"]
    ious = []
    for name in datasets.sample_names(data, "test"):
        sample = datasets.load(data, "test", name)
        prob = inference.predict(trained, sample.image_HW)
        top, left = ((side - 100) // 2 for side in sample.image_HW.shape)
        pred, true = (
            one[top : top + 100, left : left + 100]
            for one in (prob[0] > 0.5 if len(outputs) == 1 else prob.argmax(0), sample.labels_HW)
        )
        classes = max(2, len(outputs))
        table = metrics.confusion(true if classes > 2 else true > 0, pred, classes)
        ious.append(np.nanmean(metrics.iou_per_class(table)))
    assert found["middle"]["mean_iou"] == pytest.approx(np.mean(ious))
    assert found["middle"]["mean_iou"] != pytest.approx(found["by_image"]["mean_iou"])
    assert ("curve" in found["middle"]) == (len(outputs) == 1)


def test_three_classes_have_an_accuracy_of_their_own() -> None:
    trained = model("three-class", ("background", "inside", "boundary"), "synthetic-nuclei")
    found = evaluation.evaluate(trained, "synthetic-nuclei", "test", view=View(crop_multiple=32))
    table = np.zeros((3, 3), np.int64)
    for name in datasets.sample_names("synthetic-nuclei", "test"):
        sample = datasets.load("synthetic-nuclei", "test", name)
        rows, columns = (side // 32 * 32 for side in sample.image_HW.shape)
        prob = inference.predict(trained, sample.image_HW[:rows, :columns])
        wanted = targets.encode(sample.labels_HW[:rows, :columns], "three-class", "inner")
        table += metrics.confusion(wanted, prob.argmax(0), 3)
    assert found["pixels"]["three_class_accuracy"] == pytest.approx(metrics.pixel_accuracy(table))
    assert {"dice", "accuracy", "f1"} < set(found["per_image"][0])


@pytest.mark.parametrize(
    ("target", "outputs", "data", "options", "words"),
    [
        ("foreground", ("foreground",), "synthetic-shapes", {}, "has classes, not objects"),
        ("classes", ("a", "b", "c"), "synthetic-nuclei", {}, "has objects, but this model"),
        ("classes", ("a", "b"), "synthetic-shapes", {}, "has 3 classes, but the model 2"),
        ("foreground", ("foreground",), "synthetic-nuclei", {"n_patches": 2}, "leave them out"),
        ("classes", ("a", "b", "c"), "synthetic-shapes", {"n_patches": -1}, "0 or more, got -1"),
        ("foreground", ("foreground",), "synthetic-nuclei", {"middle": -1}, "0 or more, got -1"),
        ("classes", ("a", "b", "c"), "synthetic-shapes", {"middle": 388}, "got 388 for 400 x 200"),
        (
            "foreground",
            ("foreground",),
            "synthetic-nuclei",
            {"view": View(crop_multiple=5000)},
            "crop_multiple 5000 leaves nothing of an image of 256 x 256 px",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    target: str, outputs: tuple[str, ...], data: str, options: dict, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        evaluation.evaluate(model(target, outputs, data), data, "test", **options)


def test_patches_are_scored_as_the_training_sees_them() -> None:
    trained = model("classes", ("background", "line", "ellipse"), "synthetic-shapes")
    trained = Trained(
        trained.config.replace(train=trained.config.train.replace(crop_size=64)), trained.network
    )
    found = evaluation.evaluate(trained, "synthetic-shapes", "test", n_patches=2)
    table = np.zeros((3, 3), np.int64)
    for index, name in enumerate(datasets.sample_names("synthetic-shapes", "test")):
        sample = datasets.load("synthetic-shapes", "test", name)
        whole = images.normalise_for(trained.config, sample.image_HW)
        for row, column in patches.places(
            sample.labels_HW, index, patches.Patches(count=2, side=64)
        ):
            cut = (slice(row, row + 64), slice(column, column + 64))
            prob = inference.predict_normalised(trained.network, whole[cut], softmax=True)
            table += metrics.confusion(sample.labels_HW[cut], prob.argmax(0), 3)
    expected = metrics.iou_per_class(table).mean()
    assert found["pixels"]["patch_mean_iou"] == pytest.approx(expected)
    assert found["patches"] == 2


def test_errors_and_outlines_are_those_of_the_labels_that_are_told(
    save_cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "NUCLEI", (20, 3))
    trained, labels = checkpoint.load(save_cutter(), device="cpu"), {}
    found = evaluation.evaluate(
        trained, "synthetic-nuclei", "test", on_labels=lambda name, one: labels.update({name: one})
    )
    wrong, shape = errors.Tally(), outlines.Tally()
    for name in datasets.sample_names("synthetic-nuclei", "test"):
        truth_HW = datasets.load("synthetic-nuclei", "test", name).truth_HW
        wrong.add(name, truth_HW, labels[name])
        shape.add(truth_HW, labels[name])
    assert found["errors"] == wrong.document()
    assert found["shape"] == shape.document()
    pooled = found["pooled"][0]
    assert pooled["fn"] + pooled["fp"] > 0
    assert sum(row["n_missed"] for row in found["errors"]["kinds"]) == pooled["fn"]
    assert sum(row["n_false"] for row in found["errors"]["rows"]) == pooled["fp"]
    assert json.loads(json.dumps(found["errors"], allow_nan=False)) == found["errors"]
