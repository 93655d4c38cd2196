import time
from collections.abc import Callable

import numpy as np
import pytest

from unet_core.base.config import TrainConfig
from unet_core.base.device import choose
from unet_core.data import datasets
from unet_core.training import estimate as estimates
from unet_core.training.estimate import BASE_BYTES, START_SECONDS, Costs, estimate

CONFIG = TrainConfig.of(data="synthetic-nuclei", widths=(8, 16), crop_size=64, epochs=10)


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "_known", {})


def measured(factor: float = 1.0) -> Callable[..., Costs]:
    """A measurement without a network."""
    return lambda *_: Costs(train=factor * 1e-6, infer=factor * 1e-7)


def test_twice_the_epochs_take_twice_the_time_beyond_the_start() -> None:
    device = choose("cpu")
    once, twice = (
        estimate(CONFIG.replace(epochs=count), device=device, measure=measured())
        for count in (10, 20)
    )
    assert twice.training_seconds == pytest.approx(2 * once.training_seconds)
    assert twice.start_seconds == once.start_seconds > START_SECONDS
    assert twice.memory_bytes == once.memory_bytes


def test_what_other_work_made_slow_is_mended_as_soon_as_the_machine_is_free() -> None:
    device = choose("cpu")

    def ask(factor: float, *, is_busy: bool) -> tuple[float, bool]:
        found = estimate(CONFIG, device=device, measure=measured(factor), is_busy=lambda: is_busy)
        return round(found.training_seconds / honest, 6), found.is_rough

    honest = 1.0
    honest = ask(1.0, is_busy=False)[0]
    estimates._known.clear()
    assert ask(20.0, is_busy=True) == (20.0, True)
    assert ask(30.0, is_busy=True) == (20.0, True)  # the quickest counts
    assert ask(0.9, is_busy=True) == (0.9, True)
    assert ask(1.0, is_busy=False) == (1.0, False)
    assert ask(0.9, is_busy=True) == (1.0, False)  # and stays


def test_while_others_compute_only_the_work_of_this_process_is_counted() -> None:
    clocks = []

    def measure(*asked) -> Costs:  # type: ignore[no-untyped-def]
        clocks.append(asked[-1])
        return Costs(1e-6, 1e-7)

    for is_busy in (True, False):
        estimate(CONFIG, device=choose("cpu"), measure=measure, is_busy=lambda: is_busy)  # noqa: B023
    waiting, wall = clocks
    assert waiting() <= time.process_time() < wall() <= time.perf_counter()


def test_work_that_begins_while_it_is_measured_makes_it_rough() -> None:
    answers = iter([False, True])
    found = estimate(
        CONFIG, device=choose("cpu"), measure=measured(), is_busy=lambda: next(answers)
    )
    assert found.is_rough


def test_the_largest_validation_image_counts_for_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Predicting 4096 x 4096 pixels with 32 features holds five maps of them: 10.7 GB."""
    load, large_HW = datasets.load, np.zeros((4096, 4096), np.uint8)
    largest = datasets.sample_names(CONFIG.images.data, "val")[-1]

    def with_a_large_one(data: str, split: str, name: str) -> datasets.Sample:
        found = load(data, split, name)
        return datasets.Sample(name, large_HW, large_HW, None, None) if name == largest else found

    config = CONFIG.replace(widths=(32, 64), precision="float32")
    monkeypatch.setattr(estimates, "free_bytes", lambda _: None)
    without = estimate(config, device=choose("cpu"), measure=measured()).memory_bytes
    monkeypatch.setattr(datasets, "load", with_a_large_one)
    found = estimate(config, device=choose("cpu"), measure=measured()).memory_bytes
    assert without < 2e9
    assert found > 5 * 32 * 4096**2 * 4
    monkeypatch.setattr(estimates, "free_bytes", lambda _: 8_000_000_000)
    with pytest.raises(ValueError, match="validation image of 4096 × 4096 pixels"):
        estimate(config, device=choose("cpu"), measure=measured())


def test_larger_batches_and_networks_need_more_memory() -> None:
    device = choose("cpu")
    small = estimate(CONFIG, device=device, measure=measured()).memory_bytes
    assert small > BASE_BYTES
    assert (
        estimate(CONFIG.replace(batch_size=64), device=device, measure=measured()).memory_bytes
        > small
    )
    wide = CONFIG.replace(widths=(64, 128, 256, 512, 1024))
    extra = estimate(wide, device=device, measure=measured()).memory_bytes - small
    assert extra > 31_000_000 * 4 * 4  # weights, gradients and the two moments of Adam


def test_data_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="not downloaded"):
        estimate(CONFIG.replace(data="dsb2018"), device=choose("cpu"))


def test_a_run_that_no_memory_holds_is_refused_before_it_is_tried() -> None:
    huge = CONFIG.replace(widths=(4096,) * 6, crop_size=2048, batch_size=1024)
    with pytest.raises(ValueError, match=r"needs about .* GB of memory, and .* GB are free"):
        estimate(huge, device=choose("cpu"))


@pytest.mark.parametrize(("levels", "crop_size"), [(8, 256), (10, 512)])
def test_a_deep_network_is_estimated_like_any_other(levels: int, crop_size: int) -> None:
    deep = CONFIG.replace(widths=(1,) * levels, crop_size=crop_size)
    assert estimate(deep, device=choose("cpu")).training_seconds > 0
