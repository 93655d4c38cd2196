"""Comparing two on the evaluate page, against a real document of the command."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui.evaluate import charts, compare
from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.cli import main
from unet_core.data import samples
from unet_core.runs import jobs, repeats, runs
from unet_core.runs.jobs import Job, JobStatus

APP = str(Path(__file__).resolve().parents[3] / "app.py")


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, save_cutter: Callable[..., str]
) -> Iterator[dict[str, Any]]:
    """A model, a repeat with one failed seed, and what the command says of the two."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNET_RUNS", str(folder / "runs"))
        patch.setenv("UNET_CACHE", str(folder / "cache"))
        patch.setattr(samples, "NUCLEI", (20, 4))
        model = save_cutter()
        repeat = repeats.create(TrainConfig.of(data="synthetic-nuclei"), 3, preset="quick")
        for place, state in enumerate(("finished", "finished", "failed")):
            run = repeat.runs[place]
            about = {"state": state, "reason": "no memory" if state == "failed" else ""}
            runs.write_status(run, run.status().replace(pid=1, started_at=1.0, **about))
            other = folders.runs() / save_cutter(
                target=("foreground+boundary", "foreground")[place % 2]
            )
            shutil.move(other / "best.safetensors", run.path / "best.safetensors")
            shutil.rmtree(other)
        words = ["compare", model, repeat.name, "--split", "test"]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main.main([*words, "--json"]) == 0
        document = json.loads(printed.getvalue())
        yield {"folder": folder / "runs", "model": model, "repeat": repeat.name, "found": document}


@pytest.fixture
def here(world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The same for one test alone, on a machine without downloads and shipped models."""
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    shutil.copytree(world["folder"], tmp_path / "runs")
    return world


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been started; no process begins."""
    found: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda words, log: found.append(words))
    return found


def make_job(result: dict[str, Any]) -> Job:
    """A finished comparison as its process leaves it."""
    job = Job(jobs.folder() / "20260101-000000-compare-000000000000")
    job.path.mkdir(parents=True)
    about = {
        "words": ["compare", "a", "b"],
        "kind": "compare",
        "title": "b against a",
        "created": 1,
    }
    (job.path / "job.json").write_text(json.dumps(about))
    status = JobStatus(state="finished", pid=1, created_at=1.0)
    (job.path / "progress.json").write_text(json.dumps(status.to_dict()))
    (job.path / "result.json").write_text(json.dumps(result))
    return job


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page("pages/evaluate.py").run()


def texts(app: AppTest) -> str:
    assert not app.exception
    kinds = (app.error, app.warning, app.info, app.markdown, app.caption)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def test_two_names_make_one_job_with_a_command_that_parses(
    here: dict[str, Any], started: list[list[str]]
) -> None:
    app = open_page(task="Compare two", a=here["repeat"])
    assert app.selectbox(key="b").value != here["repeat"]  # something that can be compared
    app = open_page(task="Compare two", a=here["model"], b=here["repeat"])
    assert not app.exception
    assert here["repeat"] in app.selectbox(key="b").options
    app.selectbox(key="two-split").set_value("test").run()
    app.button(key="start-compare").click().run()
    (job,) = jobs.list_jobs("compare")
    arguments = main.build_parser().parse_args(started[0][3:-2])
    assert (arguments.first, arguments.second) == (here["model"], here["repeat"])
    assert (arguments.split, arguments.scheme, arguments.measure) == ("test", "fraction", "f1")
    assert app.query_params["job"] == job.id


def test_the_same_name_twice_is_one_sentence(here: dict[str, Any]) -> None:
    app = open_page(task="Compare two", a=here["model"], b=here["model"])
    assert "choose two different ones" in texts(app)
    assert "start-compare" not in [button.key for button in app.button]


def test_classes_cannot_be_measured_on_objects(here: dict[str, Any]) -> None:
    app = open_page(task="Compare two", a=here["model"], b=here["repeat"], set="synthetic-shapes")
    assert "has classes to tell apart, but this model tells objects" in texts(app)
    assert app.button(key="start-compare").disabled
    assert app.selectbox(key="two-score").options == ["Mean IoU"]


def test_without_two_models_the_form_says_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    assert "It takes two trained models" in texts(open_page(task="Compare two"))


def test_a_comparison_shows_the_difference_its_interval_and_the_failed_seed(
    here: dict[str, Any],
) -> None:
    found = here["found"]
    app = open_page(job=make_job(found).id)
    text = texts(app)
    assert "2 of 3 seeds finished: seed 2 failed: no memory." in text
    assert "95 % interval, bootstrap over 4 images" in text
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["B minus A"] == f"{found['difference']:+.3f}"
    assert shown["Noise of the seeds, up to"] == f"{found['noise']:.3f}"
    assert shown[f"B: {here['repeat']}"].count("±") == 1
    assert "±" not in shown[f"A: {here['model']}"]
    point = charts.difference(found).data[-1]
    assert point.x[0] == found["difference"]
    assert all(isinstance(one, (int, float)) for one in point.y)  # on the axis that is drawn
    assert point.x[0] + point.error_x["array"][0] == pytest.approx(found["high"])
    assert point.x[0] - point.error_x["arrayminus"][0] == pytest.approx(found["low"])
    app = open_page(task="Compare two")
    assert app.dataframe[0].value["Result"][0] == compare.headline(found)


def test_terms_of_a_comparison_are_explained(
    here: dict[str, Any], unexplained: Callable[[AppTest], list[str]]
) -> None:
    assert unexplained(open_page(job=make_job(here["found"]).id)) == []


def test_single_runs_say_that_the_noise_is_not_known(here: dict[str, Any]) -> None:
    app = open_page(job=make_job(here["found"] | {"noise": None}).id)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Noise of the seeds, up to"] == "not known"
    assert "train repeats to learn it" in texts(app)


@pytest.mark.usefixtures("here")
def test_a_comparison_of_another_version_is_one_sentence() -> None:
    job = make_job({"difference": 0.1})
    assert "made by another version and cannot be shown" in texts(open_page(job=job.id))
    app = open_page(task="Compare two")
    assert app.dataframe[0].value["Result"][0] == "made by another version"
