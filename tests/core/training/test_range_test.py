"""Rates with planted answers, and short tests of a real network."""

import json
import math
from typing import Any

import numpy as np
import pytest

from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.cli import main
from unet_core.cli.range_test import CURVE
from unet_core.runs import jobs, runs
from unet_core.training import range_test, trainer
from unet_core.training.range_test import Sweep, find_divergence, show_rate, smooth, suggest

RATES = Sweep().rates
CPU = device.choose("cpu")


def descend(curvature: float, *, rates: np.ndarray = RATES) -> list[float]:
    """Gradient descent on `1 + curvature x^2 / 2` from x = 1, one step for each rate.

    It takes about 1 / rate steps of one rate to get down, and grows from 2 / curvature on.
    """
    x, losses = 1.0, []
    for rate in rates:
        losses.append(min(1 + curvature * x**2 / 2, 1e300))
        x -= rate * curvature * x
    return losses


@pytest.mark.parametrize("curvature", [0.5, 5.0, 50.0])
def test_a_parabola_gets_a_rate_below_its_known_limit_that_brings_it_down(
    curvature: float,
) -> None:
    found = suggest(RATES, descend(curvature))
    assert found.lr is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.lr < found.high
    assert found.high < 2 / curvature  # above it, descent on this parabola diverges
    assert (1 - found.lr * curvature) ** 200 < 0.02  # 200 steps with it arrive


def test_the_suggestion_scales_with_the_problem() -> None:
    flat, steep = suggest(RATES, descend(0.5)).lr, suggest(RATES, descend(50.0)).lr
    assert flat is not None
    assert steep is not None
    assert 30 < flat / steep < 300


def is_near(rate: float | None, planted: float) -> bool:
    """Whether two rates differ by no more than three steps of the test."""
    return rate is not None and abs(math.log(rate / planted)) <= 3 * math.log(RATES[1] / RATES[0])


def test_a_valley_is_read_where_it_was_planted() -> None:
    # Falls from 1 to 0.2 between 1e-4 and 1e-2, stays, and grows without bound from 1 on.
    falling = np.interp(np.log10(RATES), [-4, -2], [1.0, 0.2])
    losses = np.where(RATES < 1, falling, 1e3 * RATES)
    found = suggest(RATES, losses)
    assert is_near(found.lr, 1e-3)
    assert is_near(found.low, 10**-3.8)  # there, a tenth of the fall is made
    assert is_near(found.high, 1e-2 / 3)
    assert is_near(found.diverged, 1.0)
    assert found.lr is not None
    assert found.diverged is not None
    assert found.reason.startswith(f"{show_rate(found.lr)} is about a tenth of ")
    assert found.reason.endswith(f"and grows beyond bounds at {show_rate(found.diverged)}")


def test_noise_of_a_tenth_moves_the_suggestion_little(rng: np.random.Generator) -> None:
    falling = np.interp(np.log10(RATES), [-4, -2, 0, 1], [1.0, 0.2, 0.2, 5.0])
    found = [suggest(RATES, falling * (1 + rng.normal(0, 0.1, 50))).lr for _ in range(30)]
    assert all(lr is not None and 3e-4 < lr < 1e-2 for lr in found)


def test_the_beginning_of_a_wide_floor_counts_and_not_its_lowest_point() -> None:
    falling = np.interp(np.log10(RATES), [-4, -2, 0.9], [1.0, 0.2, 0.19])
    assert is_near(suggest(RATES, falling).lr, 1e-3)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (np.ones(50), "the loss did not change clearly between 1e-6 and 10; try higher rates"),
        (np.linspace(1, 0.97, 50), "the loss did not change clearly"),
        (np.geomspace(1, 3, 50), "the loss did not change clearly"),
        (np.r_[1.0, 8.0, 90.0, 900.0], "the loss did not fall before it grew beyond bounds at"),
        (np.r_[np.ones(30), 1e3, 1e6], "the loss did not fall before it grew beyond bounds at"),
        (np.r_[1.0, math.nan], "the loss did not fall before it grew beyond bounds at 1.4e-6"),
        ([math.inf], "the loss did not fall before it grew beyond bounds at 1e-6"),
        (np.linspace(1, 0.5, 9), "9 steps are too few, take at least 10"),
        ([0.7], "1 step is too few, take at least 10"),
        ([], "0 steps are too few"),
    ],
)  # fmt: skip
def test_where_nothing_is_sure_there_is_a_sentence_instead_of_a_rate(
    losses: Any, reason: str
) -> None:
    found = suggest(RATES[: len(losses)], list(losses))
    assert (found.lr, found.low, found.high) == (None, None, None)
    assert found.reason.startswith(f"no suggestion: {reason}")


def test_noise_alone_hardly_ever_makes_a_suggestion() -> None:
    found = [
        suggest(RATES, 1 + np.random.default_rng(seed).normal(0, 0.2, 50)).lr for seed in range(100)
    ]
    assert sum(lr is not None for lr in found) <= 15


def test_rates_that_grow_too_fast_are_told_how_many_steps_it_takes() -> None:
    rates = Sweep(steps=12).rates
    found = suggest(rates, np.linspace(1, 0.2, 12))
    assert found.lr is None
    assert "grows 4.3-fold at each step" in found.reason
    assert "take 3 times as many steps" in found.reason
    better = Sweep(steps=36).rates
    assert suggest(better, np.linspace(1, 0.2, 36)).lr is not None


def test_a_loss_that_still_falls_at_the_end_says_so() -> None:
    found = suggest(RATES, np.linspace(1, 0.2, 50))
    assert found.lr is not None
    assert found.reason.endswith("and still falls at 10: higher rates may be possible")


def test_divergence_is_four_times_the_best_and_above_the_beginning() -> None:
    assert find_divergence([1.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.7, 0.7]) is None  # below 1
    falls_and_grows = [1.0] * 5 + [0.2] * 20 + [0.9] * 5 + [1.5] * 10
    smoothed = smooth(falls_and_grows)
    first = find_divergence(falls_and_grows)
    assert first is not None
    limit = max(range_test.DIVERGED * smoothed[:first].min(), 1.0)
    assert smoothed[first] > limit >= smoothed[first - 1]
    assert find_divergence([1.0, math.nan, 1.0]) == 1


def test_smoothing_has_no_bias_at_the_beginning_and_equals_its_sum() -> None:
    losses = np.random.default_rng(0).uniform(1, 2, 20)
    keep = range_test.SMOOTHING
    for count, value in enumerate(smooth(losses), start=1):
        weights = keep ** np.arange(count)[::-1]
        assert value == pytest.approx(np.average(losses[:count], weights=weights))
    assert smooth([3.0, 3.0, 3.0]) == pytest.approx([3, 3, 3])


def test_mismatched_and_falling_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="losses must be one for each of 50 rates, got 1"):
        suggest(RATES, [1.0])
    with pytest.raises(ValueError, match="lrs must grow"):
        suggest([1e-3, 1e-4], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"low must be below high \(0.1\), got 1"):
        Sweep(low=1.0, high=0.1)


def test_rates_are_written_as_people_write_them() -> None:
    rates = (1e-6, 2.7e-5, 3e-3, 0.05, 0.1, 0.3, 2.7, 10.0)
    texts = ["1e-6", "2.7e-5", "0.003", "0.05", "0.1", "0.3", "2.7", "10"]
    assert [show_rate(rate) for rate in rates] == texts


def test_a_real_test_begins_at_the_untrained_loss_falls_and_repeats(tiny: TrainConfig) -> None:
    config = tiny.replace(batch_size=4)
    seen: list[range_test.Point] = []
    points, found = range_test.run(config, device=CPU, sweep=Sweep(steps=30), on_point=seen.append)
    assert seen == points
    assert points[0].loss == points[0].untrained
    assert points[0].relative == 1.0
    assert [one.lr for one in points] == pytest.approx(Sweep(steps=30).rates[: len(points)])
    assert min(one.smoothed for one in points) < 0.9
    assert found.lr is not None
    assert 1e-4 < found.lr < 1
    # The network of the first step is the one that a run of the same settings begins with.
    assert trainer.Training(config, device=CPU).train_step().loss == points[0].loss
    # Neither the rate nor the schedule plays a part, and the numbers repeat.
    other = config.replace(lr=0.5, schedule="cosine", epochs=1, ema=0.0)
    assert range_test.run(other, device=CPU, sweep=Sweep(steps=30))[0] == points


def test_a_rate_that_breaks_the_network_ends_the_test_as_a_divergence(tiny: TrainConfig) -> None:
    config = tiny.replace(norm="none", optimizer="sgd", loss="bce")
    sweep = Sweep(low=1e2, high=1e3, steps=40)
    points, found = range_test.run(config, device=CPU, sweep=sweep)
    assert len(points) < 40
    assert found.lr is None
    assert found.diverged == points[-1].lr


def test_a_fault_that_is_no_divergence_is_not_taken_for_one(
    tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_(*_: object) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(trainer.Training, "_add_gradient", break_)
    with pytest.raises(ValueError, match="something else"):
        range_test.run(tiny, device=CPU, sweep=Sweep(steps=3))


def command(tiny: TrainConfig, *more: str) -> list[str]:
    names = ("scheme", "crop_size", "batch_size", "device", "precision")
    changes = [f"--set={name}={tiny.get(name)}" for name in names]
    return ["lr-test", "--preset=quick", "--data=dsb2018", "--set=channels=4,8", *changes, *more]


def test_the_command_prints_one_document_and_leaves_runs_alone(
    tiny: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.create(tiny, preset="quick")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert main.main(command(tiny, "--steps=30", "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["low"], document["high"], document["steps"]) == (1e-6, 10.0, 30)
    assert document["settings"]["widths"] == [4, 8]
    assert set(document["suggestion"]) == {"lr", "low", "high"}
    assert document["reason"]
    first = document["points"][0]
    assert (first["step"], first["lr"], first["relative"]) == (1, 1e-6, 1.0)
    assert runs.list_runs() == [run]
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("--low=20", "low must be below high (10), got 20"),
        ("--steps=many", "steps must be a whole number, got 'many'"),
        ("--set=target=three-class", "target three-class has exclusive classes"),
        ("--data=dsb2019", "data set must be one of"),
    ],
)
def test_mistakes_are_one_line(
    tiny: TrainConfig, capsys: pytest.CaptureFixture[str], word: str, sentence: str
) -> None:
    assert main.main(command(tiny, word)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_a_job_leaves_its_curve_and_its_result(
    tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command(tiny, "--steps=12")
    monkeypatch.setattr(runs, "launch", lambda command, log: log.touch())
    job = jobs.start("lr-test", words)
    assert main.main([*words, "--job", str(job.path)]) == 0
    rows = [json.loads(line) for line in (job.path / CURVE).read_text().splitlines()]
    assert rows == job.result()["points"]
    status = job.status()
    assert (status.state, status.done, status.total) == ("finished", len(rows), 12)
