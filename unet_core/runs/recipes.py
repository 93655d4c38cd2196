"""From the name of a recipe to its settings on a data set, and to a run in this process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.runs import process, runs
from unet_core.runs.runs import Run
from unet_core.training import presets

FINE_TUNING = 0.1  # of the rate that a model was trained with
# 200 steps, however few images there are: an epoch through five images would be over in five.
SHORT = {"epochs": 8, "steps_per_epoch": 25, "schedule_epochs": 0, "warmup": 20, "ema": 0.98}

if TYPE_CHECKING:
    from unet_core.training.trainer import Event


def choose(preset: str, data: str = "") -> tuple[TrainConfig, str]:
    """The settings of a recipe on a data set, and a note on what had to change for it.

    Without a name the set is the recipe's own; only `quick`, made for a first minute, takes
    synthetic nuclei where its own is not downloaded. Raises ValueError for an unknown name.
    """
    config = presets.preset(preset).config
    if data:
        has_classes = datasets.info(data).labels == "classes"
        return presets.move(config, data, has_classes=has_classes)
    if preset == "quick":
        return presets.fall_back(config, datasets.available())
    return config, ""


def fine_tune(model: str, data: str = "") -> tuple[TrainConfig, str]:
    """The settings to train a model on, from its own weights, and a note as from `choose`.

    They are those it was trained with, at a tenth of the rate, for 200 steps, some minutes: a large
    step would forget what the model knows, and what it knows need not be learned again. Without a
    name the data set is the model's own. Raises ValueError for an unknown model or set.
    """
    config = checkpoint.read_config(model).train
    lr = float(f"{FINE_TUNING * config.optimisation.lr:.6g}")  # not 0.00020000000000000004
    config = config.replace(init_from=model, lr=lr, mistake="none", **SHORT)
    if not data or data == config.images.data:
        return config, ""
    return presets.move(config, data, has_classes=datasets.info(data).labels == "classes")


def train(
    preset: str = "quick",
    data: str = "",
    *,
    on_event: Callable[["Event"], None] | None = None,
    report: Callable[[str], None] | None = print,
    **settings: Any,
) -> Run:
    """Train a new run to its end in this process, as the command `train` does; gives the run.

    Its `load()` is the trained model, `metrics().rows` the curve. Ctrl-C, or the Stop button of a
    notebook, ends it and keeps the weights: then `status().state` is "stopped".

    Args:
        preset: the recipe.
        data: the data set; empty takes the recipe's own (see `choose`).
        on_event: is called with each `Step`, `Checking` and `Epoch`.
        report: takes the lines of the log; None is silent.
        settings: what to change, by the names in `TrainConfig`, such as `epochs=5`.

    Raises:
        ValueError: an unknown name, an impossible value, or data that are not there.
        Exception: whatever ended the training; the run and its log stay.
    """
    config, note = choose(preset, data)
    lists = {name: tuple(value) for name, value in settings.items() if isinstance(value, list)}
    config = config.replace(**settings | lists)
    datasets.training_names(config.images.data, scheme=config.images.scheme)
    if note and report is not None:
        report(note)
    run = runs.create(config, preset=preset, note=note)
    outcome = process.train(run, report=report, on_event=on_event)
    if outcome.error is not None:
        raise outcome.error
    return run
