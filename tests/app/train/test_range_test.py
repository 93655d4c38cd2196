"""The learning-rate test on the train page, against job directories as its process leaves them."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from ui.train import range_chart, range_test
from unet_core.base import records
from unet_core.cli import main, train
from unet_core.cli.range_test import CURVE
from unet_core.runs import jobs, runs
from unet_core.training import presets

APP = Path(__file__).resolve().parents[3] / "app.py"
QUICK = presets.preset("quick").config.replace(data="synthetic-nuclei")
LR = "new-quick-synthetic-nuclei-lr"
POINTS = [
    {"step": step, "lr": 10 ** (step / 2 - 6.5), "relative": 1 / step, "smoothed": 1.1 / step}
    for step in range(1, 13)
]


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are made, and carried out by hand."""
    monkeypatch.setattr(runs, "launch", lambda command, log: log.touch())


@pytest.fixture
def job() -> jobs.Job:
    """A test of `quick` on synthetic nuclei that has just been started."""
    command = range_test.words("quick", QUICK, QUICK)
    return jobs.start(range_test.KIND, command, title="quick on synthetic-nuclei")


@pytest.fixture
def alive(job: jobs.Job) -> Iterator[jobs.Job]:
    """That test while it goes: this process holds its lock."""
    for point in POINTS[:5]:
        records.append_row(job.path / CURVE, point)
    with FileLock(job.path / "lock"):
        job.update(pid=1, doing="step 5 of 12, rate 1e-4", done=5, total=12)
        yield job


def finish(job: jobs.Job, lr: float | None, reason: str) -> None:
    suggestion = {"lr": lr, "low": lr and lr / 10, "high": lr and lr * 3}
    found = {"suggestion": suggestion, "reason": reason, "diverged": None, "points": POINTS}
    records.write_json(job.path / "result.json", {"low": 1e-6, "high": 1.0, **found})
    job.update(state="finished", pid=1)


def open_train(**query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    for name, text in query.items():
        app.query_params[name] = text
    app.switch_page("pages/train.py").run()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.warning, app.error, app.info)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def chart(app: AppTest) -> dict[str, Any]:
    (found,) = app.get("echarts_chart")
    return json.loads(found.proto.spec)


def test_the_command_holds_what_a_test_can_see_and_no_more() -> None:
    config = QUICK.replace(lr=0.5, epochs=3, schedule="poly", widths=(8, 16), batch_size=4)
    words = range_test.words("quick", QUICK, config)
    assert words == [
        "lr-test", "--preset", "quick", "--data", "synthetic-nuclei",
        "--set", "widths=8,16", "--set", "batch_size=4",
    ]  # fmt: skip
    tested, _ = train.configure(main.build_parser().parse_args(words))
    assert tested == QUICK.replace(widths=(8, 16), batch_size=4)


def test_the_button_starts_one_test_of_the_settings_and_is_grey_until_it_ends() -> None:
    app = open_train()
    app.number_input(key="new-quick-synthetic-nuclei-batch_size").set_value(4).run()
    app.button(key="lr-test").click().run()
    (job,) = jobs.list_jobs(range_test.KIND)
    assert job.words[5:] == ["--set", "batch_size=4"]
    assert job.title == "quick on synthetic-nuclei, batch_size=4"
    assert app.query_params[range_test.LINK] in (job.id, [job.id])
    assert app.button(key="lr-test").disabled
    assert runs.list_runs() == []


def test_a_link_shows_a_test_that_goes_with_its_curve_so_far_and_stops_it(alive: jobs.Job) -> None:
    app = open_train(**{range_test.LINK: alive.id})
    assert [one for one, _ in chart(app)["series"][1]["data"]] == [one["lr"] for one in POINTS[:5]]
    assert "come back with the link" in texts(app)
    app.button(key="lr-test-stop").click().run()
    assert (alive.path / "stop").is_file()


def test_one_click_takes_the_rate_into_the_form_and_its_command(job: jobs.Job) -> None:
    finish(job, 0.004, "0.004 is about a tenth of 0.04")
    app = open_train(**{range_test.LINK: job.id})
    assert "0.004 is about a tenth of 0.04. Safe: 4e-4 to 0.012." in texts(app)
    assert app.button(key="lr-test-use").label == "Use 0.004"
    app.button(key="lr-test-use").click().run()
    assert app.number_input(key=LR).value == 0.004
    assert "--set lr=0.004" in app.code[0].value
    assert "From the learning-rate test: lr 0.004" in texts(app)
    # The rate itself is no other setting.
    assert "other settings" not in texts(app)
    assert app.button(key="lr-test-use").disabled
    app.number_input(key="new-quick-synthetic-nuclei-crop_size").set_value(64).run()
    assert "The form has other settings now" in texts(app)
    app.button(key="lr-test-close").click().run()
    assert not app.get("echarts_chart")
    assert range_test.LINK not in app.query_params


def test_a_test_without_a_suggestion_says_why_and_offers_no_rate(job: jobs.Job) -> None:
    finish(job, None, "no suggestion: the loss did not change clearly")
    app = open_train(**{range_test.LINK: job.id})
    assert app.warning[0].value == "No suggestion: the loss did not change clearly."
    assert "lr-test-use" not in [button.key for button in app.button]


def test_a_failed_test_and_a_link_to_none_are_sentences(job: jobs.Job) -> None:
    job.update(state="failed", pid=1, reason="The memory is full: choose a smaller batch size.")
    app = open_train(**{range_test.LINK: job.id})
    assert app.error[0].value == "It failed: The memory is full: choose a smaller batch size."
    job.delete()
    assert "Learning-rate test" not in texts(app.run())


def test_beside_a_run_that_trains_the_page_says_that_both_are_slow() -> None:
    run = runs.create(QUICK, preset="quick")
    with FileLock(run.path / "lock"):
        runs.write_status(run, run.status().replace(state="running", pid=1))
        assert "beside a run that trains, both are slow" in texts(open_train())


def test_the_chart_marks_the_safe_range_the_rate_and_the_divergence() -> None:
    points = [*POINTS, {"step": 13, "lr": 1.0, "relative": None, "smoothed": None}]
    found = {"lr": 0.004, "low": 0.001, "high": 0.02}
    option = range_chart.loss(points, low=1e-6, high=1.0, suggestion=found, diverged=1.0)
    each, smoothed = option["series"]
    assert [mark["xAxis"] for mark in smoothed["markLine"]["data"]] == [0.004, 1.0]
    assert smoothed["markArea"]["data"] == [[{"xAxis": 0.001}, {"xAxis": 0.02}]]
    assert each["data"][-1] == [1.0, None]
    assert option["yAxis"]["min"] <= min(one["smoothed"] for one in POINTS)
    assert option["yAxis"]["max"] > 1


def test_without_points_or_suggestion_the_chart_is_empty_and_has_its_axes() -> None:
    option = range_chart.loss([], low=1e-6, high=10.0)
    assert "markArea" not in option["series"][1]
    assert option["series"][1]["markLine"]["data"] == []
    assert option["yAxis"]["min"] < 1 < option["yAxis"]["max"]
    assert math.isfinite(option["yAxis"]["max"])
