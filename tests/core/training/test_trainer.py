import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unet_core.base import device
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.base.device import choose
from unet_core.data import datasets, samples
from unet_core.data.mapped import Mapped
from unet_core.imaging import checkup, class_map, images, metrics
from unet_core.network import checkpoint
from unet_core.network.model import UNet
from unet_core.training import loader, trainer, validator

TINY = TrainConfig.of(
    data="synthetic-nuclei",
    widths=(4, 8),
    crop_size=32,
    batch_size=2,
    epochs=2,
    steps_per_epoch=3,
    val_images=2,
    ema=0.9,
    precision="float32",
    rotate=20.0,
    noise=0.1,
    lr=1e-2,
)


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training draws the whole set first."""
    monkeypatch.setattr(samples, "NUCLEI", (16, 4))


def run(training: trainer.Training) -> list[trainer.Event]:
    return list(training.events())


def new(config: TrainConfig = TINY) -> trainer.Training:
    return trainer.Training(config, device=choose("cpu"))


def curve(events: list[trainer.Event]) -> list[float]:
    """Every number that does not depend on the clock."""
    numbers: list[float] = []
    for event in events:
        if isinstance(event, trainer.Step):
            numbers += [event.step, event.epoch, event.loss, event.lr]
        elif isinstance(event, trainer.Epoch):
            clock = ("seconds", "images_per_second")
            numbers += [value for key, value in event.row.items() if key not in clock]
    return numbers


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    first, again = curve(run(new())), curve(run(new()))
    assert first == again
    assert curve(run(new(TINY.replace(seed=1)))) != first


@pytest.mark.parametrize("stop_after", [1, 3, 4, 6, 8, 9])
def test_a_run_that_was_stopped_anywhere_continues_exactly(stop_after: int) -> None:
    whole = curve(run(new()))
    first = new()
    events = []
    for event in first.events():
        events.append(event)
        if len(events) == stop_after:
            break
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second = new()
    second.load_state(torch.load(file, weights_only=True))
    assert curve(events + run(second)) == whole


def test_state_of_other_settings_is_refused_but_more_epochs_are_not() -> None:
    state = new().state()
    with pytest.raises(ValueError, match="other settings"):
        new(TINY.replace(lr=1e-3)).load_state(state)
    new(TINY.replace(epochs=9)).load_state(state)


@pytest.mark.parametrize(
    ("target", "loss"),
    [
        ("foreground", "bce"),
        ("three-class", "cross-entropy+dice"),
        ("foreground+boundary", "bce+dice"),
        ("distance", "bce"),
    ],
)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_target_learns_with_every_optimiser(target: str, loss: str, optimizer: str) -> None:
    lr = 0.05 if optimizer == "sgd" else 1e-2
    config = TINY.replace(
        target=target, loss=loss, optimizer=optimizer, lr=lr, steps_per_epoch=25, epochs=1, ema=0.0
    )
    losses = [event.loss for event in run(new(config)) if isinstance(event, trainer.Step)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_classes_are_learned_from_a_set_with_classes() -> None:
    config = TINY.replace(
        data="synthetic-shapes", target="classes", loss="cross-entropy", steps_per_epoch=30, ema=0.0
    )
    training = new(config)
    rows = [event.row for event in run(training) if isinstance(event, trainer.Epoch)]
    assert training.model_config.outputs == ("background", "line", "ellipse")
    assert training.model_config.diameter is None
    assert rows[-1]["val_loss"] < np.log(3)


def test_weight_map_raises_the_loss_where_objects_are_close() -> None:
    crowded = TINY.replace(crop_size=96)  # room for two neighbours
    plain = curve(run(new(crowded)))
    weighted = curve(run(new(crowded.replace(weight_map=True))))
    assert weighted[2] > plain[2]  # the first step's loss, on the same crops and weights


def test_the_best_epoch_is_kept_and_patience_ends_the_run() -> None:
    config = TINY.replace(lr=1.0, optimizer="sgd", momentum=0.99, epochs=40, patience=3, ema=0.0)
    training = new(config)
    rows = [event for event in run(training) if isinstance(event, trainer.Epoch)]
    values = [one.row["val_loss"] for one in rows]
    best = int(np.argmin(values))
    assert len(rows) < 40
    assert len(rows) == best + 1 + 3
    assert "no improvement of val_loss for 3 epochs" in training.why_ended
    assert training.trained().config.epoch == best + 1
    assert [one.is_best for one in rows][best]
    now, kept = training.trained(best=False), training.trained()
    assert not torch.equal(now.network.head.weight, kept.network.head.weight)


def test_the_last_epoch_is_kept_on_request_however_good_it_is() -> None:
    config = TINY.replace(lr=1.0, optimizer="sgd", momentum=0.99, epochs=8, patience=1, ema=0.0)
    by_loss, by_rule = new(config.replace(patience=0)), new(config.replace(watch="last"))
    for training in (by_loss, by_rule):
        run(training)
    assert by_loss.trained().config.epoch < 8
    assert by_rule.trained().config.epoch == 8


LABELLED = [
    TINY,
    TINY.replace(crops="on-objects", normalisation="dataset", weight_map=True, weights_follow=True),
    TINY.replace(crops="centroids", normalisation="min-max", val_crops=True),
    TINY.replace(
        data="synthetic-shapes:train=6,test=1,rows=64,columns=64",
        target="classes",
        loss="cross-entropy",
        equalise=True,
        normalisation="given",
        fit_width=48,
        balance=True,
    ),
]


@pytest.mark.parametrize("config", LABELLED)
def test_images_that_are_mapped_from_a_file_give_the_numbers_of_those_in_memory(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = new(config)
    expected = curve(run(held))
    monkeypatch.setattr(loader, "IN_MEMORY", 10_000)
    assert curve(run(new(config))) == expected

    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(datasets, "load", refuse)  # the second run finds the file
    mapped = new(config)
    assert curve(run(mapped)) == expected
    assert mapped.model_config == held.model_config
    assert isinstance(mapped.data.train[0].pixels, Mapped)


def test_given_numbers_normalise_training_images_and_the_network_remembers_them() -> None:
    given = new(TINY.replace(normalisation="given", given_mean=0.25, given_std=0.5))
    assert (given.model_config.mean, given.model_config.std) == (0.25, 0.5)
    sample = datasets.load(TINY.images.data, "train", given.data.train[0].name)
    expected = (images.to_unit(sample.image_HW) - 0.25) / 0.5
    np.testing.assert_allclose(given.data.train[0].take().norm_HW, expected, atol=1e-6)


def test_validation_on_crops_takes_others_each_epoch_and_the_same_when_repeated() -> None:
    checker = new(TINY.replace(val_crops=True)).validator
    first, again, later = (
        [one.take(checker._window(one, i, epoch)).norm_HW for i, one in enumerate(checker.examples)]
        for epoch in (1, 1, 2)
    )
    assert {one.shape for one in first + later} == {(32, 32)}
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(first, later, strict=True))
    (shown, *_) = run(new(TINY.replace(val_crops=True)))[-1].previews
    assert shown.image_HW.shape == (32, 32)


def test_an_epoch_without_a_number_is_best_only_until_there_is_one() -> None:
    training = new()
    training.best["value"] = float("nan")
    assert training._is_best(7.0)
    training.best["value"] = 7.0
    assert not training._is_best(float("nan"))
    assert training._is_best(6.0)
    assert not training._is_best(8.0)


def test_a_loss_that_is_no_number_ends_the_run_with_a_reason() -> None:
    training = new(TINY)
    with torch.no_grad():
        training.network.head.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="no longer a number at step 1: lower the learning rate"):
        run(training)


def test_validation_counts_are_over_all_pixels_of_whole_images() -> None:
    training = new(TINY.replace(ema=0.0))
    row = next(event for event in run(training) if isinstance(event, trainer.Epoch)).row
    again = new(TINY.replace(ema=0.0))
    events = again.events()
    while not isinstance(next(events), trainer.Epoch):
        pass
    shared = size = 0
    softs = []
    for example in again.data.val:
        prob = torch.sigmoid(
            again.validator._logits(again.average.network, example.take().norm_HW)
        )[0, 0].numpy()
        truth = example.labels > 0
        shared += 2 * ((prob > 0.5) & truth).sum()
        size += (prob > 0.5).sum() + truth.sum()
        softs.append(2 * (prob * truth).sum() / (prob.sum() + truth.sum()))
    assert row["val_dice"] == pytest.approx(shared / size, abs=1e-6)
    assert row["val_soft_dice"] == pytest.approx(np.mean(softs), abs=1e-5)


def found_on(training: trainer.Training) -> validator.Validation:
    """What the validation images say of the network as it is."""
    checking = training.validator.check(training.network, 1)
    while True:
        try:
            next(checking)
        except StopIteration as end:
            return end.value


def test_classes_are_scored_and_shown_each_by_itself() -> None:
    config = TINY.replace(data="synthetic-shapes", target="classes", loss="cross-entropy")
    config = config.replace(steps_per_epoch=1, epochs=1, watch="val_miou")
    training = new(config)
    row = run(training)[-1].row  # type: ignore[union-attr]
    table_CC = np.zeros((3, 3), int)
    for example in training.data.val:
        logits = training.validator._logits(training.average.network, example.take().norm_HW)
        pred_HW = logits[0].argmax(0).numpy()
        for true, pred in zip(example.labels.ravel(), pred_HW.ravel(), strict=True):
            table_CC[true, pred] += 1
    hits = np.diag(table_CC)
    ious = hits / (table_CC.sum(0) + table_CC.sum(1) - hits)
    assert [row[f"val_iou_{name}"] for name in ("background", "line", "ellipse")] == list(ious)
    assert row["val_miou"] == training.best["value"] == pytest.approx(ious.mean())
    assert row["val_ap"] is None
    shown = found_on(training).previews[0]
    assert {tuple(one) for one in shown.truth.reshape(-1, 3)} <= set(class_map.colours(3))
    assert shown.prediction.shape == shown.truth.shape


def test_a_pixel_that_is_rather_boundary_than_inside_begins_no_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = new(TINY.replace(target="three-class", boundary="thick", loss="cross-entropy"))
    labels_HW = np.zeros((24, 40), np.int32)
    labels_HW[4:14, 2:12] = 1
    example = loader.Example("drawn", np.zeros((24, 40), np.float32), labels_HW)
    prob_CHW = np.zeros((3, 24, 40), np.float32)
    prob_CHW[:, labels_HW == 0] = [[0.98], [0.01], [0.01]]
    prob_CHW[:, labels_HW == 1] = [[0.07], [0.45], [0.48]]  # undecided, but no background
    prob_CHW[:, 6:12, 4:10] = np.reshape([0.02, 0.96, 0.02], (3, 1, 1))
    prob_CHW[:, 4, 3] = [0.07, 0.48, 0.45]  # one speck of the rim is rather inside
    monkeypatch.setattr(training.validator, "examples", [example])
    logits = torch.from_numpy(prob_CHW).log()[None]
    monkeypatch.setattr(training.validator, "_logits", lambda *_: logits)
    assert found_on(training).ap == 0.5  # the object is found, beside the speck


@pytest.mark.parametrize(
    ("target", "boundary", "loss"),
    [
        ("foreground", "inner", "bce"),
        ("three-class", "outer", "cross-entropy"),
        ("three-class", "thick", "cross-entropy"),
        ("foreground+boundary", "inner", "bce"),
        ("distance", "inner", "bce"),
    ],
)
def test_a_network_that_answers_with_the_truth_has_the_ap_of_its_objects(
    monkeypatch: pytest.MonkeyPatch, target: str, boundary: str, loss: str
) -> None:
    """Objects apart: all are found. Touching ones need a boundary that tells them apart."""
    training = new(TINY.replace(target=target, boundary=boundary, loss=loss))
    labels_HW = np.zeros((24, 40), np.int32)
    labels_HW[4:12, 2:10], labels_HW[4:12, 10:18], labels_HW[14:22, 22:36] = 1, 2, 3
    example = loader.Example("drawn", np.zeros((24, 40), np.float32), labels_HW)
    checker = training.validator
    monkeypatch.setattr(checker, "examples", [example, example])
    wanted = training.criterion.target(torch.from_numpy(labels_HW)[None])
    if not wanted.is_floating_point():
        wanted = torch.nn.functional.one_hot(wanted, 3).movedim(-1, 1).float()
    monkeypatch.setattr(checker, "_logits", lambda *_: 20 * (2 * wanted - 1))
    found = found_on(training)
    is_apart = target != "foreground"
    # A merged pair is half of each: a hit of one of them.
    assert found.ap == (1.0 if is_apart else pytest.approx(2 / 3))
    assert found.mean_iou == 1.0


def test_the_epoch_with_the_best_ap_is_kept_and_a_class_target_has_none() -> None:
    training = new(TINY.replace(watch="val_ap", epochs=3))
    rows = [event.row for event in run(training) if isinstance(event, trainer.Epoch)]
    aps = [row["val_ap"] for row in rows]
    assert training.best["value"] == max(aps)
    assert not any(name.startswith("val_iou_") for name in rows[0])  # channels are no classes
    with pytest.raises(ValueError, match="watch val_ap needs objects"):
        TINY.replace(target="classes", loss="cross-entropy", watch="val_ap")


def test_soft_dice_of_training_is_the_mean_over_the_crops() -> None:
    prob_BHW, true_BHW = torch.rand(3, 5, 5), torch.rand(3, 5, 5) > 0.5
    prob_BHW[0], true_BHW[0] = 0, False
    soft, crops = trainer._soft_dice(prob_BHW, true_BHW)
    each = [metrics.soft_dice(prob_BHW[i].numpy(), true_BHW[i].numpy()) for i in (1, 2)]
    assert (soft, crops) == (pytest.approx(sum(each)), 2)
    row = run(new(TINY.replace(epochs=1)))[-1].row  # type: ignore[union-attr]
    assert 0 < row["train_soft_dice"] < 1


def test_previews_show_four_or_fewer_validation_images() -> None:
    epochs = [event for event in run(new()) if isinstance(event, trainer.Epoch)]
    for preview in epochs[0].previews:
        assert preview.image_HW.dtype == preview.prediction.dtype == np.uint8
        assert preview.image_HW.shape == preview.truth.shape
        assert max(preview.image_HW.shape) <= validator.PREVIEW_SIDE
    assert len(epochs[0].previews) == 2


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0, 1.0, 1.0]),
        ("cosine", [1.0, 0.5, 0.0]),
        ("poly", [1.0, 0.5**0.9, 0.0]),
        ("second-half", [1.0, 1.0, 0.0]),
    ],
)
def test_the_learning_rate_follows_its_schedule(schedule: str, expected: list[float]) -> None:
    config = TINY.replace(schedule=schedule, lr=1.0)
    rates = [trainer.learning_rate(config.optimisation, step, 100) for step in (0, 50, 100)]
    assert rates == pytest.approx(expected)
    assert trainer.learning_rate(config.replace(warmup=9).optimisation, 0, 100) == pytest.approx(
        0.1
    )


def test_a_rate_that_moves_by_epochs_stands_still_within_them() -> None:
    """DL4MIA's (1 - e / 200) ** 0.9, and a tenth every 30 epochs, as in unet-multiclass."""
    config = TINY.replace(lr=1.0, schedule="poly", schedule_by="epoch").optimisation
    steps = (0, 9, 10, 19, 20)
    rates = [trainer.learning_rate(config, step, 200 * 10, steps_per_epoch=10) for step in steps]
    assert rates == pytest.approx([(1 - epoch / 200) ** 0.9 for epoch in (0, 0, 1, 1, 2)])
    config = TINY.replace(lr=1.0, schedule="step", drop_every=30, drop_factor=0.1).optimisation
    rates = [
        trainer.learning_rate(config, 10 * epoch, 1000, steps_per_epoch=10)
        for epoch in (0, 29, 30, 59, 60, 99)
    ]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.001])


def test_a_training_applies_its_schedule_by_epochs() -> None:
    config = TINY.replace(schedule="step", drop_every=1, drop_factor=0.5, epochs=3)
    events = run(new(config))
    rates = [event.lr for event in events if isinstance(event, trainer.Step)]
    assert rates == pytest.approx([1e-2] * 3 + [5e-3] * 3 + [2.5e-3] * 3)
    rows = [event.row["lr"] for event in events if isinstance(event, trainer.Epoch)]
    assert rows == pytest.approx([1e-2, 5e-3, 2.5e-3])


@pytest.mark.parametrize(
    ("target", "loss"), [("three-class", "cross-entropy+dice"), ("foreground+boundary", "bce+dice")]
)
def test_float64_trains_in_double_and_hands_out_a_float32_network(target: str, loss: str) -> None:
    config = TINY.replace(target=target, loss=loss, weight_map=True)
    single, double = new(config), new(config.replace(precision="float64"))
    losses = []
    for training in (single, double):
        events = run(training)
        losses += [events[0].loss]  # type: ignore[union-attr]
        assert events[-1].row["val_loss"] > 0  # type: ignore[union-attr]
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert {one.dtype for one in double.network.parameters()} == {torch.float64}
    assert {one.dtype for one in double.state()["average"].values() if one.ndim} == {torch.float64}
    assert {one.dtype for one in double.trained().network.parameters()} == {torch.float32}


def test_float64_on_an_apple_gpu_is_refused_in_a_sentence() -> None:
    apple = replace(choose("cpu"), name="mps")
    with pytest.raises(ValueError, match="float64 is not to be had on an Apple GPU: choose device"):
        trainer.Training(TINY.replace(precision="float64"), device=apple)
    with pytest.raises(ValueError, match="precision float64 needs device cpu or cuda"):
        TINY.replace(precision="float64", device="mps")


def test_what_does_not_fit_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match="has classes: choose the target classes"):
        new(TINY.replace(data="synthetic-shapes"))
    with pytest.raises(ValueError, match="needs a data set with classes"):
        new(TINY.replace(target="classes", loss="cross-entropy"))
    with pytest.raises(ValueError, match="class_weights must hold 3 numbers"):
        new(
            TINY.replace(
                data="synthetic-shapes",
                target="classes",
                loss="cross-entropy",
                class_weights=(1.0, 2.0),
            )
        )


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_label_beyond_the_classes_is_refused_wherever_it_is(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TINY.replace(
        data="synthetic-shapes:train=8", target="classes", loss="cross-entropy", val_images=0
    )
    load, [bad, *_] = datasets.load, datasets.sample_names(config.images.data, split)

    def load_with_a_mistake(data: str, split: str, sample: str) -> datasets.Sample:
        found = load(data, split, sample)
        return replace(found, labels_HW=found.truth_HW + 7) if sample == bad else found

    monkeypatch.setattr(datasets, "load", load_with_a_mistake)
    with pytest.raises(ValueError, match=r"says that it has 3 classes, but a label is [789]"):
        loader.load(config)


@pytest.mark.parametrize(("batch_size", "accumulate"), [(8, 1), (3, 4), (1, 1), (64, 2)])
def test_every_place_is_seen_once_in_each_epoch(batch_size: int, accumulate: int) -> None:
    config = TINY.replace(
        steps_per_epoch=0, batch_size=batch_size, accumulate=accumulate, crop_size=32
    )
    tagged = [
        loader.Example(str(index), np.full((32, 32), index, np.float32), np.zeros((32, 32), int))
        for index in range(53)
    ]
    model_config = ModelConfig(train=config, outputs=("foreground",))
    places = [loader.Place(index) for index in range(53)]
    data = loader.TrainingData(config, model_config, tagged, [], places, ())
    assert data.steps_per_epoch == -(-53 // (batch_size * accumulate))
    for epoch in range(3):
        first = epoch * data.steps_per_epoch
        steps = [list(data.batches(first + step)) for step in range(data.steps_per_epoch)]
        seen = [int(one[0, 0]) for step in steps for batch in step for one in batch.norm_BHW]
        assert sorted(seen) == list(range(53))
        sizes = [len(batch.norm_BHW) for step in steps for batch in step]
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1
        assert all(sum(batch.share for batch in step) == pytest.approx(1) for step in steps)


def test_a_crop_of_a_small_image_is_mirrored_and_on_objects_holds_one() -> None:
    labels = np.zeros((200, 20), np.int32)
    labels[150:154, 5:9] = 3
    image = np.arange(4000.0, dtype=np.float32).reshape(200, 20)

    def crops(where: str) -> list[loader.Batch]:
        data = only(image, labels, TINY.replace(crop_size=32, crops=where, batch_size=1))
        return [batch_of(data, index) for index in range(40)]

    mirrored = np.pad(image, ((0, 0), (6, 6)), mode="symmetric")
    for batch in crops("on-objects"):
        assert (batch.labels_BHW == 3).any()
        row = int(batch.norm_BHW[0, 0, 6]) // 20
        assert (batch.norm_BHW[0] == mirrored[row : row + 32]).all()
    assert not all((batch.labels_BHW == 3).any() for batch in crops("random"))


def batch_of(data: loader.TrainingData, step: int) -> loader.Batch:
    """The only batch of a step."""
    (found,) = data.batches(step)
    return found


def only(image: np.ndarray, labels: np.ndarray, config: TrainConfig) -> loader.TrainingData:
    """Training data of one image."""
    measured = loader.measure(image, labels, config, name="a", split="train").arrays
    example = loader.Example(
        "a", image, labels, objects=measured["objects"], border=measured.get("border")
    )
    model_config = ModelConfig(train=config, outputs=("foreground",))
    places = loader.find_places(config.images, [labels])
    return loader.TrainingData(config, model_config, [example], [], places, ())


def test_centred_crops_hold_every_object_once_in_the_middle() -> None:
    labels = np.zeros((100, 100), np.int32)
    for label, (row, column) in enumerate([(50, 40), (30, 60), (2, 97)], start=1):
        labels[row : row + 3, column : column + 3] = label
    config = TINY.replace(crop_size=32, crops="centred", batch_size=1, steps_per_epoch=0)
    data = only(labels.astype(np.float32), labels, config)
    assert data.steps_per_epoch == 3
    cut = [batch_of(data, index).labels_BHW[0] for index in range(3)]
    middles = sorted(one[16, 16] for one in cut)
    assert middles == [0, 1, 2]  # the third lies in the image's corner
    assert any((one[2:5, 29:32] == 3).all() for one in cut)


def test_patches_are_cut_at_the_same_places_in_every_epoch_with_their_mirror_images() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((64, 80)) < 0.01).astype(np.int32)
    config = TINY.replace(
        crop_size=32, crops="patches", patches=3, batch_size=12, steps_per_epoch=0
    )
    data = only(rng.random((64, 80)).astype(np.float32), labels, config)
    assert data.steps_per_epoch == 1
    first, second = ({one.tobytes() for one in batch_of(data, epoch).norm_BHW} for epoch in (0, 1))
    assert first == second
    assert len(first) == 12
    one = batch_of(data, 0).norm_BHW[0]
    assert {np.flip(one, axes).tobytes() for axes in ((0,), (1,), (0, 1))} < first


def test_without_objects_centred_crops_are_refused() -> None:
    with pytest.raises(ValueError, match="crops centred finds no object"):
        loader.find_places(TINY.replace(crops="centred").images, [np.zeros((64, 64), np.int32)])


def test_valid_crops_are_learned_with_their_real_surroundings() -> None:
    image = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    config = TINY.replace(padding="valid", widths=(4, 8, 8), crop_size=33, batch_size=1)
    batch = batch_of(only(image, image.astype(np.int32), config), 0)
    before, after = loader.read_around(config)
    read = 33 + before + after
    assert batch.norm_BHW.shape == batch.labels_BHW.shape == (1, read, read)
    network = UNet(1, 1, config.network.widths, padding="valid")
    assert network(torch.zeros(1, 1, read, read)).shape[-1] == network.fit(33)
    training = new(config)
    middle = training._middle(torch.from_numpy(batch.norm_BHW))
    assert middle.shape == (1, 33, 33)
    assert float(middle[0, 0, 0]) == float(batch.norm_BHW[0, before, before])
    assert [type(event) for event in training.events()][:1] == [trainer.Step]


def test_accumulated_batches_are_one_large_batch() -> None:
    """With a loss that is a mean over pixels, and without BatchNorm."""
    both = []
    for batch_size, accumulate in ((4, 1), (1, 4)):
        config = TINY.replace(
            norm="group", loss="bce", batch_size=batch_size, accumulate=accumulate, ema=0.0,
            flip=False, transpose=False, rotate90=False, rotate=0.0, noise=0.0, crops="centred",
        )  # fmt: skip
        training = new(config)
        step = training.train_step()
        both.append((step.loss, training.network.head.weight.detach().numpy()))
    assert both[0][0] == pytest.approx(both[1][0], rel=1e-5)
    assert both[0][1] == pytest.approx(both[1][1], rel=1e-3, abs=1e-5)


def test_a_stop_inside_a_step_counts_none_of_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TINY.replace(accumulate=3, epochs=1, norm="group")
    whole = next(one.row for one in run(new(config)) if isinstance(one, trainer.Epoch))
    stopped, seen = new(config), []
    add = trainer.Training._add_gradient

    def add_until_the_fifth(training: trainer.Training, batch: loader.Batch) -> object:
        seen.append(batch)
        if len(seen) == 5:  # the second part of the second step
            raise InterruptedError
        return add(training, batch)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Training, "_add_gradient", add_until_the_fifth)
        with pytest.raises(InterruptedError):
            run(stopped)
    resumed = new(config)
    resumed.load_state(stopped.state())
    assert resumed.step == 1
    again = next(one.row for one in run(resumed) if isinstance(one, trainer.Epoch))
    assert again["train_dice"] == whole["train_dice"]
    assert again["train_loss"] == whole["train_loss"]


def test_a_run_keeps_the_precision_that_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TINY.replace(precision="auto")
    monkeypatch.setattr(device, "bfloat16_pays", lambda name: False)
    begun = new(config)
    monkeypatch.setattr(device, "bfloat16_pays", lambda name: True)
    resumed = new(config)
    assert (begun.bfloat16, resumed.bfloat16) == (False, True)
    resumed.load_state(begun.state())
    assert resumed.bfloat16 is False
    assert resumed.validator.bfloat16 is False


def test_balance_gives_every_class_the_same_weight_in_all() -> None:
    training = new(TINY.replace(balance=True))
    labels = torch.cat([torch.from_numpy(one.labels).ravel() for one in training.data.train])
    weights = training.criterion.weights(labels[None, None])[0, 0]
    assert float(weights.mean()) == pytest.approx(1, rel=1e-3)
    objects, background = (float(weights[part].sum()) for part in (labels > 0, labels == 0))
    assert objects == pytest.approx(background, rel=1e-3)


def test_a_weight_map_that_follows_is_that_of_the_whole_image_moved_along() -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[:, :30], labels[:, 32:] = 1, 2
    config = TINY.replace(
        weight_map=True, weights_follow=True, crop_size=32, crops="centred", batch_size=1
    )
    batch = batch_of(only(labels.astype(np.float32), labels, config), 0)
    gap = batch.labels_BHW == 0
    assert (batch.border_BHW[gap] > 5).all()
    assert (batch.border_BHW[~gap] == 0).all()


def test_a_given_learning_rate_is_used_instead_of_the_schedule() -> None:
    training = new()
    assert training.train_step(lr=0.0123).lr == 0.0123
    assert training.optimizer.param_groups[0]["lr"] == 0.0123
    assert training.train_step().lr == pytest.approx(
        trainer.learning_rate(TINY.optimisation, 1, training.planned_steps)
    )


def test_a_schedule_may_be_planned_for_more_epochs_than_are_trained() -> None:
    training = new(TINY.replace(schedule="poly", schedule_epochs=200))
    assert training.planned_steps == 200 * training.steps_per_epoch


def saved_model(tmp_path: Path, **changes: object) -> Path:
    """A model of a tiny training, in a file."""
    training = new(TINY.replace(**changes))
    with torch.no_grad():
        training.network.head.bias.fill_(0.25)
    checkpoint.save(tmp_path / "first.safetensors", training.trained(best=False))
    return tmp_path / "first.safetensors"


def test_a_training_begins_with_the_weights_of_another_model(tmp_path: Path) -> None:
    file = saved_model(tmp_path, seed=5, ema=0.0)
    begun = new(TINY.replace(init_from=str(file)))
    source = checkpoint.load(file, device="cpu").network.state_dict()
    for network in (begun.network, begun.average.network):
        assert all(torch.equal(value, source[key]) for key, value in network.state_dict().items())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert begun.trained().config.started_from == f"first, sha256 {digest}"

    next(iter(begun.events()))
    state = begun.state()
    file.unlink()
    with pytest.raises(ValueError, match="there is no model"):
        new(begun.config)
    resumed = trainer.Training(begun.config, device=choose("cpu"), resumes=True)
    resumed.load_state(state)
    assert resumed.trained().config.started_from == f"first, sha256 {digest}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"widths": (4, 16)}, "its widths is 4,8, and here it is 4,16"),
        ({"norm": "none"}, "its norm is batch, and here it is none"),
    ],
)
def test_weights_of_another_network_are_refused_by_the_setting_that_differs(
    tmp_path: Path, changes: dict, sentence: str
) -> None:
    file = saved_model(tmp_path)
    with pytest.raises(ValueError, match=f"init_from .*first.safetensors does not fit.*{sentence}"):
        new(TINY.replace(init_from=str(file), **changes))


def test_a_head_with_other_outputs_begins_anew_and_the_rest_is_taken_over(tmp_path: Path) -> None:
    file = saved_model(tmp_path, seed=5, ema=0.0)
    source = checkpoint.load(file, device="cpu").network.state_dict()
    training = new(TINY.replace(init_from=str(file), target="distance", loss="bce"))
    assert "answers with foreground, boundary, and here it is" in training.begun_anew
    for key, value in training.network.state_dict().items():
        assert torch.equal(value, source[key]) == (not key.startswith("head.")), key
    assert not new(TINY.replace(init_from=str(file))).begun_anew


def test_a_frozen_encoder_stays_as_the_model_had_it(tmp_path: Path) -> None:
    file = saved_model(tmp_path, seed=5)
    frozen = TINY.replace(init_from=str(file), freeze_encoder=True, weight_decay=0.1)
    training = new(frozen)
    before = {key: value.clone() for key, value in training.network.state_dict().items()}
    training.train_step()
    for network in (training.network, training.average.network):
        for key, value in network.state_dict().items():
            if key.startswith("down."):
                assert torch.equal(value, before[key]), key
    moved = [key for key, value in training.network.named_parameters() if value.requires_grad]
    assert any(key.startswith("merge.") for key in moved)
    assert not any(torch.equal(training.network.get_parameter(key), before[key]) for key in moved)
    with pytest.raises(ValueError, match="freeze_encoder keeps the weights of a model"):
        TINY.replace(freeze_encoder=True)


def test_centroids_are_those_of_filled_objects_and_middle_is_that_of_the_image() -> None:
    labels = np.zeros((200, 200), np.int32)
    labels[60:100, 60:100] = 1
    labels[70:100, 60:90] = 0  # an angle: its box and its mass have different middles
    ring = np.zeros((200, 200), np.int32)
    ring[80:120, 80:120] = 1
    ring[82:118, 82:110] = 0  # off the middle, but a hole: filled
    rows, columns = np.nonzero(labels)
    source = TINY.replace(crops="centroids").images
    (first, second) = loader.find_places(source, [labels, ring])
    assert first.start == (int(rows.mean()) - 16, int(columns.mean()) - 16)
    assert second.start == (99 - 16, 99 - 16)
    assert loader.find_places(TINY.replace(crops="centred").images, [labels])[0].start != (
        first.start
    )
    (middle,) = loader.find_places(TINY.replace(crops="middle").images, [labels])
    assert middle.start == (84, 84)


def test_places_drawn_with_replacement_leave_some_out() -> None:
    every = loader._order(0, 0, 100, False)
    drawn = loader._order(0, 0, 100, True)
    assert sorted(every) == list(range(100))
    assert 50 < len(set(drawn.tolist())) < 80  # 1 - 1 / e of them
    assert drawn.tolist() != loader._order(0, 1, 100, True).tolist()


SHAPES = TINY.replace(
    data="synthetic-shapes:train=4,test=1,rows=64,columns=64",
    target="classes",
    loss="cross-entropy",
)


def test_leaky_patches_validate_on_mirror_images_of_patches_that_are_trained_on() -> None:
    data = loader.load(SHAPES.replace(scheme="leaky", crops="patches", patches=5, val_images=0))
    assert (len(data.places), len(data.val)) == (72, 8)  # 4 images x 5 patches x 4 mirrored
    trained = {
        data.train[place.example]
        .take()
        .norm_HW[place.start[0] : place.start[0] + 32, place.start[1] : place.start[1] + 32]
        .tobytes()
        for place in data.places
        if place.start
    }
    for one in data.val:
        norm_HW = one.take().norm_HW
        copies = [norm_HW, norm_HW[::-1], norm_HW[:, ::-1], norm_HW[::-1, ::-1]]
        assert any(np.ascontiguousarray(copy).tobytes() in trained for copy in copies)


def test_images_are_resized_and_equalised_before_they_are_learned() -> None:
    plain, small = (
        loader.load(SHAPES.replace(fit_width=width, equalise=bool(width))) for width in (0, 48)
    )
    assert plain.train[0].take().norm_HW.shape == (64, 64)
    assert small.train[0].take().norm_HW.shape == small.train[0].take().labels_HW.shape == (48, 48)
    assert set(np.unique(small.train[0].take().labels_HW)) <= {0, 1, 2}
    sorted_HW = np.sort(
        loader.load(SHAPES.replace(equalise=True, normalisation="given"))
        .train[0]
        .take()
        .norm_HW.ravel()
    )
    even = np.linspace(0, 1, sorted_HW.size)
    assert np.abs(sorted_HW - even).max() < 0.1


def test_each_mistake_is_made_where_it_says_and_nowhere_else() -> None:
    right, shifted, leaked, raw = (
        loader.load(TINY.replace(mistake=one))
        for one in ("none", "shifted-labels", "test-in-training", "raw-prediction")
    )
    np.testing.assert_array_equal(
        shifted.train[0].take().labels_HW[8:, 8:], right.train[0].take().labels_HW[:-8, :-8]
    )
    np.testing.assert_array_equal(shifted.val[0].take().labels_HW, right.val[0].take().labels_HW)
    test = set(datasets.sample_names(TINY.images.data, "test"))
    assert {one.name for one in leaked.train} == {one.name for one in right.train} | test
    np.testing.assert_array_equal(raw.train[0].take().norm_HW, right.train[0].take().norm_HW)
    assert raw.val[0].take().norm_HW.max() > 50 > right.val[0].take().norm_HW.max()


def test_a_trained_network_remembers_what_its_training_images_look_like() -> None:
    config = new().model_config
    unseen = datasets.load("synthetic-nuclei", "test", "nuclei-test-000").image_HW
    assert checkup.check_for(config, unseen) == []
    assert checkup.check_for(config, images.invert(unseen))
