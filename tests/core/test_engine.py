import copy
import io

import numpy as np
import pytest
import torch

from unet_core import batches, engine, targets
from unet_core.config import TrainConfig
from unet_core.device import choose

TINY = TrainConfig(
    data="synthetic-nuclei",
    channels=(4, 8),
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


def run(training: engine.Training) -> list[engine.Event]:
    return list(training.events())


def new(config: TrainConfig = TINY) -> engine.Training:
    return engine.Training(config, device=choose("cpu"))


def curve(events: list[engine.Event]) -> list[float]:
    """Every number that does not depend on the clock."""
    numbers: list[float] = []
    for event in events:
        if isinstance(event, engine.Step):
            numbers += [event.step, event.epoch, event.loss, event.lr]
        elif isinstance(event, engine.Epoch):
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
    losses = [event.loss for event in run(new(config)) if isinstance(event, engine.Step)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_classes_are_learned_from_a_set_with_classes() -> None:
    config = TINY.replace(
        data="synthetic-shapes", target="classes", loss="cross-entropy", steps_per_epoch=30, ema=0.0
    )
    training = new(config)
    rows = [event.row for event in run(training) if isinstance(event, engine.Epoch)]
    assert training.model_config.outputs == ("background", "line", "ellipse")
    assert training.model_config.diameter is None
    assert rows[-1]["val_loss"] < np.log(3)


def test_weight_map_raises_the_loss_where_objects_are_close() -> None:
    plain = curve(run(new()))
    weighted = curve(run(new(TINY.replace(weight_map=True))))
    assert weighted[2] > plain[2]  # the first step's loss, on the same crops and weights


def test_the_best_epoch_is_kept_and_patience_ends_the_run() -> None:
    config = TINY.replace(lr=1.0, optimizer="sgd", momentum=0.99, epochs=40, patience=3, ema=0.0)
    training = new(config)
    rows = [event for event in run(training) if isinstance(event, engine.Epoch)]
    values = [one.row["val_loss"] for one in rows]
    best = int(np.argmin(values))
    assert len(rows) < 40
    assert len(rows) == best + 1 + 3
    assert "no improvement of val_loss for 3 epochs" in training.why_ended
    assert training.trained().config.epoch == best + 1
    assert [one.is_best for one in rows][best]
    now, kept = training.trained(best=False), training.trained()
    assert not torch.equal(now.network.head.weight, kept.network.head.weight)


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
    row = next(event for event in run(training) if isinstance(event, engine.Epoch)).row
    again = new(TINY.replace(ema=0.0))
    events = again.events()
    while not isinstance(next(events), engine.Epoch):
        pass
    shared = size = 0
    softs = []
    for example in again.data.val:
        prob = torch.sigmoid(again._logits(example.norm_HW))[0, 0].numpy()
        truth = example.labels_HW > 0
        shared += 2 * ((prob > 0.5) & truth).sum()
        size += (prob > 0.5).sum() + truth.sum()
        softs.append(2 * (prob * truth).sum() / (prob.sum() + truth.sum()))
    assert row["val_dice"] == pytest.approx(shared / size, abs=1e-6)
    assert row["val_soft_dice"] == pytest.approx(np.mean(softs), abs=1e-5)


def test_previews_show_four_or_fewer_validation_images() -> None:
    epochs = [event for event in run(new()) if isinstance(event, engine.Epoch)]
    for preview in epochs[0].previews:
        assert preview.image_HW.dtype == preview.foreground_HW.dtype == np.uint8
        assert preview.image_HW.shape == preview.truth_HW.shape
        assert max(preview.image_HW.shape) <= engine.PREVIEW_SIDE
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
    rates = [engine.learning_rate(config, step, 100) for step in (0, 50, 100)]
    assert rates == pytest.approx(expected)
    assert engine.learning_rate(config.replace(warmup=9), 0, 100) == pytest.approx(0.1)


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


def test_every_image_is_seen_once_in_an_epoch() -> None:
    data = batches.load(TINY.replace(steps_per_epoch=0, batch_size=3))
    assert data.steps_per_epoch == -(-len(data.train) // 3)
    tagged = [
        batches.Example(str(index), np.full((32, 32), index, np.float32), np.zeros((32, 32), int))
        for index in range(len(data.train))
    ]
    data = copy.copy(data)
    object.__setattr__(data, "train", tagged)
    seen = np.concatenate([data.crops(step)[0][:, 0, 0] for step in range(data.steps_per_epoch)])
    assert set(seen[: len(tagged)]) == set(range(len(tagged)))


def test_a_crop_of_a_small_image_is_mirrored_and_on_objects_holds_one() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((200, 20), np.int32)
    labels[150:154, 5:9] = 3
    example = batches.Example("a", np.arange(4000.0, dtype=np.float32).reshape(200, 20), labels)
    for _ in range(20):
        norm, cut = batches.crop(example, 32, "on-objects", rng)
        assert norm.shape == cut.shape == (32, 32)
        assert (cut == 3).any()
    found = [(batches.crop(example, 32, "random", rng)[1] == 3).any() for _ in range(40)]
    assert not all(found)
    whole = targets.encode(labels, "foreground")
    assert whole.sum() == 16
