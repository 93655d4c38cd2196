from collections import Counter
from typing import Any

import numpy as np
import pytest

import unet_core
from unet_core.base.config import TrainConfig
from unet_core.runs import recipes, runs

SMALL: dict[str, Any] = {
    "crop_size": 32,
    "widths": [4, 8],
    "batch_size": 2,
    "epochs": 2,
    "steps_per_epoch": 3,
    "val_images": 2,
    "device": "cpu",
}


@pytest.mark.usefixtures("tiny_data")
def test_a_training_tells_every_event_and_gives_a_run_that_segments() -> None:
    events: list[Any] = []
    told: list[str] = []
    run = unet_core.train("quick", on_event=events.append, report=told.append, **SMALL)
    assert [run.path for run in runs.list_runs()] == [run.path]
    assert run.status().state == "finished"
    assert run.config.network.widths == (4, 8)
    kinds = Counter(type(event) for event in events)
    # Two epochs of three steps, each validated on the one image that is held out.
    assert kinds == {unet_core.Step: 6, unet_core.Checking: 2, unet_core.Epoch: 2}
    rows = [event.row for event in events if isinstance(event, unet_core.Epoch)]
    assert rows == run.metrics().rows
    assert any("Epoch 2 of 2" in line for line in told)
    assert run.load(device="cpu").segment(np.eye(48)).shape == (48, 48)


def test_without_its_data_quick_trains_on_synthetic_nuclei_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    run = unet_core.train(**SMALL | {"epochs": 1})
    assert run.config.images.data == "synthetic-nuclei"
    assert "dsb2018 is not downloaded" in run.status().note
    assert "dsb2018 is not downloaded" in capsys.readouterr().out


def test_another_data_set_brings_its_target_along() -> None:
    config, note = recipes.choose("quick", "synthetic-shapes")
    assert (config.images.data, config.objective.target) == ("synthetic-shapes", "classes")
    assert "the target is classes" in note


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"preset": "qiuck"}, "unknown preset 'qiuck'; there are: quick, "),
        ({"data": "dsb"}, "data set must be one of .*, got 'dsb'"),
        ({"epoch": 3}, "unknown setting 'epoch'; known are: "),
        ({"epochs": "3"}, "epochs must be a whole number, got '3'"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"scheme": "sections"}, "scheme of dsb2018 must be one of "),
    ],
    ids=lambda one: str(one)[:20],
)
@pytest.mark.usefixtures("tiny_data")
def test_a_wrong_name_or_value_is_one_sentence_and_leaves_no_run(
    wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        unet_core.train(**wrong)
    assert runs.list_runs() == []


def test_what_ends_a_training_is_raised_and_the_run_keeps_its_log(tiny: TrainConfig) -> None:
    def fail(event: Any) -> None:
        raise ZeroDivisionError("in the notebook")

    with pytest.raises(ZeroDivisionError, match="in the notebook"):
        unet_core.train(on_event=fail, report=None, **SMALL)
    (run,) = runs.list_runs()
    assert run.status().state == "failed"
    assert "in the notebook" in run.log()
