"""Repeats on the Train page, against run directories as their processes leave them."""

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from ui.train import curves
from ui.train import repeat as repeat_view
from ui.train import table as run_table
from unet_core.cli import main
from unet_core.runs import overview, repeats, runs
from unet_core.runs.repeats import Repeat
from unet_core.scoring import spread
from unet_core.training import presets

APP = Path(__file__).resolve().parents[3] / "app.py"
QUICK = presets.preset("quick").config.replace(data="synthetic-nuclei")


def make_repeat(*states: str, epochs: int = 2) -> Repeat:
    """A repeat whose seeds are in these states; each that began has trained some epochs."""
    repeat = repeats.create(QUICK, len(states), preset="quick")
    for seed, (run, state) in enumerate(zip(repeat.runs, states, strict=True)):
        done = epochs if state not in ("queued", "failed") else 0
        for epoch in range(1, done + 1):
            row = {"epoch": epoch, "val_dice": 0.7 + 0.1 * seed, "val_loss": 0.5, "train_loss": 0.4}
            with open(run.path / "metrics.jsonl", "a") as file:
                file.write(json.dumps(row) + "\n")
        about = {"state": state, "epoch": done, "epochs": epochs, "step": done, "steps": epochs}
        if state == "finished":
            about |= {"best_epoch": 1, "best_dice": 0.7 + 0.1 * seed, "seconds": 60.0}
        if state == "running":
            about |= {"seconds": 10.0, "seconds_left": 50.0}
        if state == "failed":
            about |= {"reason": "the loss is no longer a number at step 3: lower the rate"}
        runs.write_status(
            run, runs.last_status(run).replace(started_at=time.time(), pid=1, **about)
        )
    return repeat


@pytest.fixture
def alive() -> Iterator[Repeat]:
    """A repeat of which one seed has finished, one trains and one waits."""
    repeat = make_repeat("finished", "running", "queued")
    with FileLock(repeat.runs[1].path / "lock"), FileLock(repeat.runs[2].path / "lock"):
        yield repeat


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been started; no process begins."""
    started: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda command, log: started.append(command))
    return started


def open_train(**query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    for name, text in query.items():
        app.query_params[name] = text
    app.switch_page("pages/train.py").run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_start_makes_as_many_runs_as_seeds_and_shows_the_repeat(launched: list[list[str]]) -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    app.number_input(key="seeds").set_value(3).run()
    assert "3 runs, one after another" in texts(app)
    words = shlex.split(app.code[0].value)
    assert main.build_parser().parse_args(words[3:]).repeats == 3
    token = app.session_state["_token"]
    app.button(key="start").click().run()
    repeat = repeats.find(app.query_params["repeat"])
    assert [run.config.images.seed for run in repeat.runs] == [0, 1, 2]
    assert repeat.runs[0].config == QUICK
    assert len(launched) == 3
    # The second click of a double click comes with the form as it was at the first.
    del app.query_params["repeat"]
    del app.session_state["_used_token"]
    app.session_state["_token"] = token
    app.run().number_input(key="seeds").set_value(3).run()
    app.button(key="start").click().run()
    assert app.query_params["repeat"] == repeat.name
    assert len(runs.list_runs()) == len(launched) == 3
    assert not app.exception


def test_a_seed_too_large_for_the_last_run_is_one_sentence(launched: list[list[str]]) -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    app.number_input(key="seeds").set_value(2).run()
    app.number_input(key="new-quick-synthetic-nuclei-seed").set_value(2**31 - 1).run()
    app.button(key="start").click().run()
    assert any("seed must be at most" in error.value for error in app.error)
    assert runs.list_runs() == launched == []


def test_a_living_repeat_says_which_seed_runs_and_the_time_for_all(alive: Repeat) -> None:
    app = open_train(repeat=alive.name)
    assert "1 of 3 seeds finished: seed 1 is running; 1 seed waits" in texts(app)
    assert "1 min 50 s left for all" in texts(app)  # 50 s and a whole one of 60 s
    assert labels(app) == ["All runs", "Stop all seeds"]
    app.button(key="stop").click().run()
    assert [(run.path / "stop").is_file() for run in alive.runs] == [False, True, True]
    assert open_train(repeat=alive.name).button(key="stop")  # a reload does no harm


def test_scores_have_mean_and_deviation_and_say_what_is_noise() -> None:
    app = open_train(repeat=make_repeat("finished", "finished", "finished").name)
    assert app.metric[0].value == "0.8000 ± 0.1000"
    assert app.metric[0].label == "Validation Dice, 3 finished seeds"
    text = texts(app)
    assert "Differences below 0.2828 are noise" in text
    assert "below 0.1633 between two means of 3 seeds" in text
    assert "from 3 seeds the true deviation may well be 0.5 to 6 times as large" in text
    table = app.dataframe[0].value
    assert list(table["Seed"]) == [0, 1, 2]
    assert list(table["Validation Dice"]) == pytest.approx([0.7, 0.8, 0.9])
    option = json.loads(app.get("echarts_chart")[0].proto.spec)
    assert [one if isinstance(one, str) else one["name"] for one in option["legend"]["data"]] == [
        "mean of 3 seeds",
        "lowest to highest seed",
    ]


def test_what_chooses_the_best_epoch_is_summed_up_first_and_others_on_a_click() -> None:
    repeat = make_repeat("finished", "finished")
    for seed, run in enumerate(repeat.runs):
        config = run.config.replace(watch="val_ap").to_dict()
        (run.path / "config.json").write_text(json.dumps(config))
        row = {"epoch": 1, "val_dice": 0.9, "val_ap": 0.5 + 0.1 * seed, "val_loss": 0.25}
        (run.path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    app = open_train(repeat=repeat.name)
    assert (app.metric[0].label, app.metric[0].value) == (
        "Validation AP, 2 finished seeds", "0.5500 ± 0.0707",
    )  # fmt: skip
    control = app.get("button_group")[0]
    assert "Validation Mean IoU" not in control.options
    control.set_value("Validation loss").run()
    assert app.metric[0].value == "0.2500 ± 0.0000"


def test_five_seeds_are_not_called_rough_and_one_tells_nothing() -> None:
    five = spread.Spread(n=5, mean=0.8, deviation=0.01)
    assert "rough" not in repeat_view.noise(five)
    one = spread.Spread(n=1, mean=0.8, deviation=None)
    assert repeat_view.noise(one).startswith("One seed tells nothing about chance")
    assert repeat_view.score_text(one) == "0.8000"


def test_a_failed_seed_is_one_sentence_the_others_count_and_resume_starts_it(
    launched: list[list[str]],
) -> None:
    repeat = make_repeat("finished", "failed", "finished")
    app = open_train(repeat=repeat.name)
    assert app.error[0].value == (
        "2 of 3 seeds finished: seed 1 failed: the loss is no longer a number at step 3: "
        "lower the rate."
    )
    assert app.metric[0].label == "Validation Dice, 2 finished seeds"
    assert labels(app) == ["All runs", "Resume", "Delete for good"]
    app.button(key="resume").click().run()
    assert [command[5] for command in launched] == [str(repeat.runs[1].path.absolute())]


def test_the_table_has_one_row_for_a_repeat_that_opens_it() -> None:
    single = runs.create(QUICK, preset="quick")
    repeat = make_repeat("finished", "finished", "failed")
    app = open_train()
    table = app.dataframe[0].value.set_index("Name")
    assert set(table.index) == {single.id, repeat.name}
    row = table.loc[repeat.name]
    assert list(row["State"]) == ["failed"]
    assert row["Recipe"] == "quick × 3 seeds"
    assert row["Dice"] == pytest.approx(0.75)
    assert row["Epochs"] == "4 / 6"
    assert row["Changed settings"] == ""
    entries = run_table.group(overview.look())
    assert [one.name for one in run_table.find(entries, repeat.name)] == [repeat.name]
    assert [one.name for one in run_table.find(entries, "failed")] == [repeat.name]
    assert [one.repeat for one in entries if one.name == single.id] == [""]


def test_two_ticked_rows_lead_to_the_comparison_of_their_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    single, repeat = runs.create(QUICK, preset="quick"), make_repeat("finished", "failed")
    (single.path / "best.safetensors").write_bytes(b"weights")
    bare = runs.create(QUICK, preset="quick")
    entries = {one.name: one for one in run_table.group(overview.look())}
    assert entries[single.id].has_scores
    assert entries[repeat.name].has_scores
    assert not entries[bare.id].has_scores

    def ticked(*args: object, **about: object) -> dict[str, object]:
        order = [one.name for one in run_table.group(overview.look())]
        return {"selection": {"rows": [order.index(single.id), order.index(repeat.name)]}}

    monkeypatch.setattr(run_table.st, "dataframe", ticked)
    (link,) = [one for one in open_train().get("page_link") if "chance" in one.proto.label]
    for name in (single.id, repeat.name):
        assert name in link.proto.query_string


def test_a_seed_leads_to_its_repeat_and_back() -> None:
    repeat = make_repeat("finished", "finished")
    app = open_train(run=repeat.runs[1].id)
    app.button(key="to-repeat").click().run()
    assert app.query_params["repeat"] == repeat.name
    assert "run" not in app.query_params
    app = open_train(run=repeat.runs[1].id, repeat=repeat.name)
    assert app.button(key="leave").label == "Back to the repeat"
    app.button(key="leave").click().run()
    assert app.metric[0].label == "Validation Dice, 2 finished seeds"
    app.button(key="leave").click().run()
    assert app.radio(key="preset").value == "quick"


def test_delete_asks_first_and_removes_every_seed() -> None:
    repeat = make_repeat("finished", "stopped")
    app = open_train(repeat=repeat.name)
    app.button(key="delete").click().run()
    assert runs.list_runs() == []
    assert "repeat" not in app.query_params


def test_a_link_to_a_repeat_that_is_gone_is_one_sentence() -> None:
    app = open_train(repeat="quick-x3-00000000")
    assert "There is no repeat" in app.warning[0].value
    assert labels(app) == ["All runs"]


def test_a_broken_seed_is_told_and_the_page_stays() -> None:
    repeat = make_repeat("finished", "finished")
    (repeat.runs[0].path / "config.json").write_text("{")
    app = open_train(repeat=repeat.name)
    assert "seed unknown failed: config.json cannot be used" in app.error[0].value
    assert list(open_train().dataframe[0].value["Name"]) == [repeat.name]
    assert not app.exception


def test_the_band_stands_on_the_lowest_seed_and_is_as_wide_as_they_lie_apart() -> None:
    frames = {
        "seed 0": pd.DataFrame({"epoch": [1, 2, 3], "val_dice": [0.5, 0.6, None]}),
        "seed 1": pd.DataFrame({"epoch": [1, 2], "val_dice": [0.7, 0.8]}),
        "seed 2": pd.DataFrame(),
    }
    rows = spread.band([frame.to_dict("records") for frame in frames.values()], "val_dice")
    about = {"y": "Validation Dice", "color": "#E69F00", "epochs": 4}
    option = json.loads(json.dumps(curves.band(rows, frames, "val_dice", **about)))
    found = {line["name"]: line["data"] for line in option["series"]}
    assert option["xAxis"]["data"] == ["1", "2", "3", "4"]
    assert found["lowest seed"] == [0.5, 0.6, None, None]
    assert found["lowest to highest seed"] == [0.2, 0.2, None, None]
    assert found["mean of 2 seeds"] == [0.6, 0.7, None, None]
    assert found["seed 0"] == [0.5, 0.6, None, None]
    assert found["seed 2"] == [None] * 4
    empty = curves.band([], {"seed 0": pd.DataFrame()}, "val_dice", **about)
    assert empty["title"]["text"] == "comes after the first epoch"
