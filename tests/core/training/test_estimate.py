import pytest

from unet_core.base.config import TrainConfig
from unet_core.base.device import choose
from unet_core.training.estimate import BASE_BYTES, START_SECONDS, estimate

CONFIG = TrainConfig.of(data="synthetic-nuclei", widths=(8, 16), crop_size=64, epochs=10)


def test_twice_the_epochs_take_twice_the_time_beyond_the_start() -> None:
    device = choose("cpu")
    once, twice = (
        estimate(CONFIG.replace(epochs=count), device=device, clock=lambda: 0.0)
        for count in (10, 20)
    )
    fixed = START_SECONDS + 60 * 0.005
    assert twice.seconds - fixed == pytest.approx(2 * (once.seconds - fixed), rel=0.01)
    assert twice.memory_bytes == once.memory_bytes


def test_larger_batches_and_networks_need_more_memory() -> None:
    device = choose("cpu")
    small = estimate(CONFIG, device=device).memory_bytes
    assert small > BASE_BYTES
    assert estimate(CONFIG.replace(batch_size=64), device=device).memory_bytes > small
    wide = CONFIG.replace(widths=(64, 128, 256, 512, 1024))
    extra = estimate(wide, device=device).memory_bytes - small
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


def test_a_network_is_measured_again_after_a_minute() -> None:
    device = choose("cpu")
    first, same, later = (
        estimate(CONFIG, device=device, clock=clock).seconds
        for clock in (lambda: 0.0, lambda: 59.0, lambda: 60.0)
    )
    assert first == same != later


@pytest.mark.parametrize(("levels", "crop_size"), [(8, 256), (10, 512)])
def test_a_deep_network_is_estimated_like_any_other(levels: int, crop_size: int) -> None:
    deep = CONFIG.replace(widths=(1,) * levels, crop_size=crop_size)
    assert estimate(deep, device=choose("cpu")).seconds > START_SECONDS
