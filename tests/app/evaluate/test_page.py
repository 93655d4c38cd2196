"""The evaluate page against real documents of the commands, in job directories made by hand."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from ui.evaluate import charts, errors, images, ladder, outlines
from ui.evaluate import jobs as evaluate_jobs
from ui.shared import errors as error_list
from unet_core.base import folders
from unet_core.cli import main
from unet_core.data import datasets, samples
from unet_core.imaging import matching
from unet_core.network import checkpoint
from unet_core.predict import recipe
from unet_core.runs import jobs, runs, worker
from unet_core.runs.jobs import Job, JobStatus
from unet_core.scoring import errors as errors_core
from unet_core.scoring import evaluation, published

APP = str(Path(__file__).resolve().parents[3] / "app.py")
ALL = ("--data", "synthetic-nuclei", "--split", "test", "--scheme", "fraction")


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, save_cutter: Callable[..., str]
) -> Iterator[dict[str, Any]]:
    """A folder of runs with one model, and what the commands say about it on a small set."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNET_RUNS", str(folder / "runs"))
        patch.setenv("UNET_CACHE", str(folder / "cache"))
        patch.setattr(samples, "NUCLEI", (20, 4))
        model = save_cutter()
        yield {
            "folder": folder / "runs",
            "model": model,
            "evaluate": command("evaluate", "--model", model, *ALL, "--ladder"),
            "tune": command("tune", "--model", model, *ALL[:2]),
        }


def command(*words: str) -> dict[str, Any]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main.main([*words, "--json"]) == 0
    return json.loads(printed.getvalue())


@pytest.fixture
def model(world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same model for one test alone, on a machine without downloads and shipped models."""
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    shutil.copytree(world["folder"], tmp_path / "runs")
    return world["model"]


def make_job(
    kind: str, result: dict[str, Any] | None = None, *, words: tuple[str, ...] = (), **about: Any
) -> Job:
    """A job as its process leaves it."""
    job = Job(jobs.folder() / f"20260101-000000-{kind}-{len(jobs.list_jobs()):012x}")
    job.path.mkdir(parents=True)
    described = {"words": [kind, *words], "kind": kind, "title": f"{kind} it", "created": 1.0}
    (job.path / "job.json").write_text(json.dumps(described))
    status = JobStatus(**{"state": "finished", "pid": 1, "created_at": 1.0} | about)
    (job.path / "progress.json").write_text(json.dumps(status.to_dict()))
    if result is not None:
        (job.path / "result.json").write_text(json.dumps(result))
    return job


def open_page(page: str = "evaluate", **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py").run()


def texts(app: AppTest) -> str:
    assert not app.exception
    kinds = (app.error, app.warning, app.info, app.success, app.markdown, app.caption)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def start_without_a_process(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Jobs are written but no process begins; gives the commands that would have been run."""
    started: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda words, log: started.append(words))
    return started


def numbers(app: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in app.metric}


def test_without_models_and_jobs_the_page_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    found = texts(open_page())
    assert "There is no model yet" in found
    assert "Each one is kept here with its figures until somebody deletes it" in found


@pytest.mark.parametrize("show", ["Objects", "Pixels", "Images", "Size and crowding", "Ladder"])
def test_terms_of_an_evaluation_are_explained(
    world: dict[str, Any], model: str, show: str, unexplained: Callable[[AppTest], list[str]]
) -> None:
    job = make_job("evaluate", world["evaluate"])
    assert unexplained(open_page(job=job.id, show=show)) == []


def test_terms_of_a_landscape_and_of_the_lists_are_explained(
    world: dict[str, Any], model: str, unexplained: Callable[[AppTest], list[str]]
) -> None:
    job = make_job("tune", world["tune"])
    make_job("evaluate", world["evaluate"])
    for query in ({"job": job.id}, {}, {"task": "Tune thresholds"}):
        assert unexplained(open_page(**query)) == []


@pytest.mark.parametrize(("kind", "key"), [("evaluate", "f1"), ("tune", "threshold")])
def test_in_a_lesson_a_result_waits_for_a_guess(
    world: dict[str, Any], model: str, kind: str, key: str
) -> None:
    job = make_job(kind, world[kind])
    assert numbers(open_page(job=job.id))
    app = open_page(job=job.id, step="a-lesson/1")
    assert not numbers(app)
    app.number_input(key=f"guess-{key}-{job.id}").set_value(0.4).run()
    app.button(key=f"guess-go-{key}-{job.id}").click().run()
    assert numbers(app)
    assert "You guessed 0.4" in texts(app)


def test_start_makes_one_job_with_a_command_that_parses(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_without_a_process(monkeypatch)
    app = open_page(model=model, set="synthetic-nuclei", split="test", ladder="true")
    assert "4 images of Synthetic nuclei, test" in texts(app)
    app.button(key="start-evaluate").click().run()
    (job,) = jobs.list_jobs("evaluate")
    assert job.words == ["evaluate", "--model", model, *ALL, "--ladder"]
    assert started[0][3:-2] == job.words
    arguments = main.build_parser().parse_args(job.words)
    assert (arguments.model, arguments.split, arguments.ladder) == (model, "test", True)
    assert app.query_params["job"] == job.id
    assert app.button(key="stop")
    # Back to the form: the next click is another job.
    app.button(key="leave").click().run()
    app.button(key="start-evaluate").click().run()
    assert len(jobs.list_jobs("evaluate")) == 2


def test_thresholds_by_hand_take_the_place_of_the_models(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_without_a_process(monkeypatch)
    app = open_page(model=model, split="test", **{"at-threshold": "0.45"})
    app.number_input(key="at-min_size").set_value(21).run()
    app.button(key="start-evaluate").click().run()
    assert not app.exception
    arguments = main.build_parser().parse_args(started[0][3:-2])
    assert (arguments.threshold, arguments.min_size) == ("0.45", "21")
    assert arguments.marker_threshold is None  # an empty field keeps the model's own


def test_the_way_to_make_objects_is_chosen_by_hand(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_without_a_process(monkeypatch)
    app = open_page(model=model, split="test", **{"at-connectivity": "4"})
    app.selectbox(key="at-method").set_value("components").run()
    # Components have no markers, so that the field for these goes.
    assert not any(one.key == "at-marker_threshold" for one in app.number_input)
    app.button(key="start-evaluate").click().run()
    assert not app.exception
    arguments = main.build_parser().parse_args(started[0][3:-2])
    assert (arguments.method, arguments.connectivity) == ("components", "4")
    assert arguments.reading is None


def test_empty_fields_say_what_holds_without_them(model: str) -> None:
    for query, size in (({}, "20"), ({"protocol": "dl4mia"}, "21")):
        app = open_page(model=model, split="test", **query)
        assert app.number_input(key="at-min_size").placeholder == f"{size}, if left empty"


def test_a_running_job_shows_its_progress_and_can_be_stopped(model: str) -> None:
    job = make_job("evaluate", state="running", done=3, total=12, doing="image 3 of 12")
    with FileLock(job.path / "lock"):
        app = open_page(job=job.id)
        assert not app.exception
        (bar,) = app.get("progress")
        assert bar.proto.value == 25
        assert bar.proto.text.startswith("Image 3 of 12")
        app.button(key="stop").click().run()
    assert (job.path / "stop").exists()


def test_every_evaluation_is_kept_and_found_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_jobs, "PER_PAGE", 2)
    for _ in range(3):
        make_job("evaluate", state="stopped")
    newest = [job.id for job in jobs.list_jobs("evaluate")]
    app = open_page()
    assert len(app.dataframe[0].value) == 2
    app.pagination(key="page-evaluate").set_value(2).run()
    assert len(app.dataframe[0].value) == 1
    jobs.find(newest[0]).delete()
    app.run()
    assert len(app.dataframe[0].value) == 2  # all that are left
    assert not app.exception


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"state": "failed", "reason": "no disk space"}, "It failed: no disk space."),
        ({"state": "stopped"}, "It was stopped before it was done"),
        ({"state": "running"}, "Its process ended without a word"),
        ({"state": "finished"}, "Its result cannot be read"),
    ],
)
def test_a_job_that_ended_badly_says_so_and_starts_again(
    about: dict[str, Any], sentence: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_without_a_process(monkeypatch)
    job = make_job("evaluate", words=("--model", model, *ALL), **about)
    app = open_page(job=job.id)
    assert sentence in texts(app)
    if about["state"] != "finished":
        app.button(key="again").click().run()
        assert jobs.list_jobs()[0].words == job.words
        assert len(started) == 1
    app = open_page(job=job.id)
    app.button(key="delete").click().run()
    assert job.id not in [one.id for one in jobs.list_jobs()]


def test_an_unknown_job_is_told_and_one_of_another_page_too(model: str) -> None:
    app = open_page(job="20260101-000000-evaluate-000000000000")
    assert "There is no evaluation" in texts(app)
    app.button(key="leave").click().run()
    assert app.button(key="start-evaluate")
    assert "does not belong to this page" in texts(open_page(job=make_job("other", {"a": 1}).id))


def test_the_figures_are_those_of_the_command(world: dict[str, Any], model: str) -> None:
    document = world["evaluate"]
    job = make_job("evaluate", document, words=("--model", model, *ALL))
    app = open_page(job=job.id)
    found = texts(app)
    pooled, by_image = document["pooled"][0], document["by_image"][0]
    shown = numbers(app)
    assert 0.3 < pooled["f1"] < 1
    assert shown["F1 pooled"] == f"{pooled['f1']:.3f}"
    assert shown["F1 by image"] == f"{by_image['f1']:.3f}"
    assert shown["AP by image"] == f"{by_image['ap']:.3f}"
    assert f"2*{pooled['tp']}" in found
    assert "threshold off validation images" in texts(open_page(job=job.id, show="Pixels"))
    curve = document["pixels"]["curve"]
    figure = charts.pixels_over_threshold(curve)
    assert list(figure.data[0].y) == [row["mean_iou"] for row in curve]
    assert figure.layout.shapes[0].x0 == max(curve, key=lambda row: row["mean_iou"])["threshold"]
    named = charts.classes([{"name": "<a href='//x'>cell</a>", "iou": 0.5}])
    assert list(named.data[0].y) == ["&lt;a href=&#x27;//x&#x27;&gt;cell&lt;/a&gt;"]
    assert "Published" not in found  # nobody has measured on these images
    table = next(one.value for one in app.dataframe if "AP pooled" in one.value)
    assert table["AP pooled"].tolist() == [row["ap"] for row in document["pooled"]]
    assert table["Misses"].tolist() == [row["fn"] for row in document["pooled"]]
    assert job.command in [one.value for one in app.code]
    labels = {one.proto.label for one in app.get("download_button")}
    assert labels >= {"Everything as JSON", "Images as CSV", "Scores as CSV", "Ladder as CSV"}
    # In the list it is told by its figures.
    (recent,) = (one.value for one in open_page().dataframe)
    assert recent["Result"][0].startswith(f"F1 {pooled['f1']:.3f} pooled")


def test_published_scores_stand_beside_ours_only_on_the_same_images(
    world: dict[str, Any], model: str
) -> None:
    same = world["evaluate"] | {"data": "dsb2018", "split": "test", "scheme": "stardist"}
    app = open_page(job=make_job("evaluate", same).id)
    assert not app.exception
    table = next(one.value for one in app.dataframe if "Method" in one.value)
    found = {(row["Method"], row["Average"]): row["0.50"] for _, row in table.iterrows()}
    assert found["StarDist 2018", "pooled"] == "0.864"
    assert found["PatchPerPix", "by image"] == "0.868"
    ours = world["evaluate"]["pooled"][0]["ap"]
    assert found["This model", "pooled"] == f"{ours:.3f}"
    figure = charts.over_iou(same, "ap", label="AP", rows=published.find("dsb2018", "test"))
    assert any(trace.name == "EmbedSeg, by image" for trace in figure.data)
    val = make_job("evaluate", same | {"split": "val"})
    tables = [one.value for one in open_page(job=val.id).dataframe]
    assert tables
    assert all("Method" not in table for table in tables)


def test_images_come_worst_first_and_open_with_the_same_score(
    world: dict[str, Any], model: str
) -> None:
    document = world["evaluate"]
    app = open_page(job=make_job("evaluate", document).id, show="Images")
    table = next(one.value for one in app.dataframe if "Image" in one.value)
    scores = {row["name"]: row["f1"] for row in document["per_image"]}
    assert table["Image"].tolist() == sorted(scores, key=lambda name: (scores[name], name))
    worst = table["Image"][0]
    # Segment's own settings are moved away, so that equal scores mean that the link was obeyed.
    changed = document["thresholds"] | {"threshold": 0.9, "fill_holes": False}
    same = open_page("segment", **images.query(document, worst))
    other = open_page("segment", **images.query(document | {"thresholds": changed}, worst))
    assert [*same.exception, *same.error, *other.exception, *other.error] == []
    assert numbers(same)["F1"] == f"{scores[worst]:.3f}"
    assert other.slider(key="threshold").value == 0.9
    assert not other.toggle(key="fill_holes").value
    turned = images.query(document | {"rotations": 7}, worst)
    assert turned == images.query(document, worst) | {"rotations": "7"}


def test_groups_of_objects_tell_which_are_hardest(world: dict[str, Any], model: str) -> None:
    document = world["evaluate"]
    app = open_page(job=make_job("evaluate", document).id, show="Size and crowding")
    found = texts(app)
    worst = min(document["by_size"], key=lambda row: row["recall"])
    assert f"Hardest are those of {worst['from_px']:.3g} to {worst['to_px']:.3g} px" in found
    both = {row["touching"]: row["recall"] for row in document["by_touching"]}
    assert f"Of those that touch, {both[True]:.0%} are found" in found
    assert len(app.get("plotly_chart")) == 3
    figure = charts.by_group(["a"], document["by_touching"][:1], x="")
    assert list(figure.data[0].y) == [document["by_touching"][0]["recall"]]
    empty = document | {"by_size": [], "by_touching": []}
    app = open_page(job=make_job("evaluate", empty).id, show="Size and crowding")
    assert "There are no true objects" in texts(app)


def test_a_model_that_is_gone_leaves_its_figures(world: dict[str, Any], model: str) -> None:
    job = make_job("evaluate", world["evaluate"] | {"model": "gone"})
    app = open_page(job=job.id, show="Images")
    assert "The model gone is no longer there" in texts(app)
    assert app.dataframe
    assert all("Open" not in one.value for one in app.dataframe)


def test_the_ladder_shows_every_rung_with_a_lesson(world: dict[str, Any], model: str) -> None:
    rungs = world["evaluate"]["ladder"]
    job = make_job("evaluate", world["evaluate"])
    found = texts(open_page(job=job.id, show="Ladder"))
    assert len(rungs) == 8
    for rung in rungs:
        assert rung["name"] in ladder.LESSONS
        assert f"**{rung['name']}.** {ladder.LESSONS[rung['name']]}" in found
    frame = ladder.table(rungs)
    assert len(frame) == len(rungs) * 2 * len(matching.IOUS)
    figure = charts.ladder(rungs, "f1", 0.5, label="F1")
    assert list(figure.data[0].x) == [rung["pooled"][0]["f1"] for rung in rungs]
    without = {key: value for key, value in world["evaluate"].items() if key != "ladder"}
    found = texts(open_page(job=make_job("evaluate", without).id, show="Ladder"))
    assert "made without the ladder" in found


def test_images_that_made_the_model_are_told_kindly(model: str) -> None:
    said = {
        split: texts(open_page(model=model, set="synthetic-nuclei", split=split))
        for split in ("train", "val", "test")
    }
    assert "trained on these 17 images" in said["train"]
    assert "These 3 images chose this model's best epoch" in said["val"]
    for sentence in ("trained on", "chose this model"):
        assert sentence not in said["test"]


def test_what_cannot_be_measured_is_refused_before_it_starts(model: str) -> None:
    app = open_page(model=model, set="synthetic-shapes", split="test")
    assert "has classes to tell apart, but this model" in texts(app)
    assert app.button(key="start-evaluate").disabled
    found = texts(open_page(model=model, set="dsb2018"))
    assert "is not on this computer yet" in found


@pytest.mark.parametrize(("task", "start"), [("", "evaluate"), ("Tune thresholds", "tune")])
def test_a_split_without_images_is_told_and_cannot_start(model: str, task: str, start: str) -> None:
    chosen = {"task": task} if task else {}
    app = open_page(model=model, set="synthetic-nuclei", scheme="all", **chosen)
    assert "Scheme all leaves no image for val: choose another scheme or split." in texts(app)
    assert app.button(key=f"start-{start}").disabled


def test_the_landscape_shows_its_best_point_and_its_plateau(
    world: dict[str, Any], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_without_a_process(monkeypatch)
    document = world["tune"]
    job = make_job("tune", document, words=("--model", model, *ALL[:2]))
    app = open_page(job=job.id)
    found = texts(app)
    assert numbers(app)["F1 pooled, best"] == f"{document['best']['value']:.3f}"
    assert "within 0.005 of the best" in found
    figure = charts.landscape(document, label="F1", second="markers")
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["best"].y) == [f"{document['best']['threshold']:g}"]
    assert len(by_name["within 0.005 of the best"].x) == len(document["plateau"]["cells"])
    assert recipe.MARK not in found
    best = document["best"]["segmentation"]
    used = open_page(job=job.id).button(key="use").click().run()
    assert not used.exception
    assert used.query_params["threshold"] == str(best["threshold"])
    app.button(key="store").click().run()
    assert started[0][3:-2] == [*job.words, "--store"]
    stored = make_job("tune", document | {"stored": True})
    assert "are stored in" in texts(open_page(job=stored.id))


def test_tuning_on_test_images_needs_a_wish_and_leaves_a_mark(
    world: dict[str, Any], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_without_a_process(monkeypatch)
    query = {"task": "Tune thresholds", "model": model, "set": "synthetic-nuclei"}
    app = open_page(**query, **{"tune-split": "test"})
    assert "These are test images" in texts(app)
    assert app.button(key="start-tune").disabled
    app.checkbox(key="on-test").check().run()
    app.button(key="start-tune").click().run()
    assert "--on-test" in started[0]
    main.build_parser().parse_args(jobs.list_jobs("tune")[0].words)
    mark = f"{recipe.MARK} of synthetic-nuclei (4, scheme fraction)"
    marked = world["tune"] | {"on_test": True, "tuned_on": mark}
    app = open_page(job=make_job("tune", marked).id)
    assert any(mark in one.value for one in app.error)
    assert app.button(key="use").disabled  # as loose settings they would lose the mark
    stored = open_page(job=make_job("tune", marked | {"stored": True}).id)
    assert not stored.button(key="use").disabled
    recent = open_page(**query).dataframe[0].value
    assert any(text.startswith(recipe.MARK) for text in recent["Result"])
    # An evaluation with such thresholds is marked, too.
    evaluated = make_job("evaluate", world["evaluate"] | {"tuned_on": mark})
    assert any(mark in one.value for one in open_page(job=evaluated.id).error)


def test_tuning_on_validation_starts_at_once(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started = start_without_a_process(monkeypatch)
    app = open_page(task="Tune thresholds", model=model, set="synthetic-nuclei", hit="0.70")
    assert not app.exception
    app.button(key="start-tune").click().run()
    arguments = main.build_parser().parse_args(started[0][3:-2])
    assert (arguments.split, arguments.iou, arguments.average) == ("val", "0.70", "pooled")
    assert not arguments.on_test
    # Classes have no thresholds.
    found = texts(open_page(task="Tune thresholds", model=model, set="synthetic-shapes"))
    assert "no thresholds to tune" in found


def test_of_many_jobs_only_those_in_the_list_are_read(
    world: dict[str, Any], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        make_job("evaluate", world["evaluate"])
    read, result = [], Job.result
    monkeypatch.setattr(Job, "result", lambda job: read.append(job.id) or result(job))
    app = open_page()
    assert len(app.dataframe[0].value) == 20
    assert len(read) == len(set(read)) == 20


def test_errors_are_listed_with_pictures_and_open_at_their_place(
    world: dict[str, Any], model: str
) -> None:
    document, labels = world["evaluate"], {}
    trained = checkpoint.load(model, device="cpu")
    evaluation.evaluate(
        trained, "synthetic-nuclei", "test", scheme="fraction", on_labels=labels.__setitem__
    )
    job = make_job("evaluate", document, words=("--model", model, *ALL))
    worker.write_labels(job.path, labels)
    app = open_page(job=job.id, show="Errors")
    found = texts(app)
    kinds, listed = (one.value for one in app.dataframe)
    rows = document["errors"]["rows"]
    assert kinds["F1 if mended"].tolist() == [
        row["f1_if_mended"] for row in document["errors"]["kinds"]
    ]
    assert kinds["Missed"].sum() == document["pooled"][0]["fn"]
    assert kinds["False"].sum() == document["pooled"][0]["fp"]
    best = max(document["errors"]["kinds"], key=lambda row: row["f1_if_mended"])
    assert f"would give F1 **{best['f1_if_mended']:.3f}**" in found
    assert listed["Kind"].tolist() == [row["kind"] for row in rows[:12]]
    assert listed["Place"].str.startswith("data:image/png;base64,").all()
    # A rerun with other filters draws no picture that was drawn before.
    chosen = rows[0]["kind"]
    app.pills(key="errors-kinds").set_value([chosen]).run()
    alike = [row for row in rows if row["kind"] == chosen]
    assert set(app.dataframe[1].value["Kind"]) == {chosen}
    app.select_slider(key="errors-area").set_value((100, 200)).run()
    wanted = [row for row in alike if 100 <= error_list.size(row) <= 200]
    shown = app.dataframe[1].value["Area"].tolist() if wanted else []
    assert shown == [error_list.size(row) for row in wanted[:12]]
    # The place opens in Segment, with the same objects.
    query = errors.query(document, rows[0])
    assert query["place"] == ",".join(map(str, [rows[0]["image"], *rows[0]["box"]]))
    segment = open_page("segment", **query)
    assert not segment.exception
    assert segment.selectbox(key="sample").value == rows[0]["image"]
    assert "not in this image" not in texts(segment)
    labels_of = {one.proto.label for one in app.get("download_button")}
    assert "Errors as CSV" in labels_of


def test_pictures_are_drawn_once(
    world: dict[str, Any], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job("evaluate", world["evaluate"])
    row = world["evaluate"]["errors"]["rows"][0]
    sample = datasets.load("synthetic-nuclei", "test", row["image"])
    worker.write_labels(job.path, {row["image"]: sample.truth_HW})
    first = errors.Pictures(job, world["evaluate"]).draw(row)
    monkeypatch.delattr(Job, "labels")
    assert errors.Pictures(job, world["evaluate"]).draw(row) == first


@pytest.mark.parametrize("with_labels", [False, True])
def test_places_without_labels_or_of_another_size_have_no_picture_and_the_list_stays(
    world: dict[str, Any], model: str, with_labels: bool
) -> None:
    job = make_job("evaluate", world["evaluate"])
    names = [row["name"] for row in world["evaluate"]["per_image"]]
    if with_labels:
        worker.write_labels(job.path, {name: np.zeros((999, 9), int) for name in names})
    app = open_page(job=job.id, show="Errors")
    told = "another size now" if with_labels else "keeps no objects of the image"
    assert "There are no pictures: " in texts(app)
    assert told in texts(app)
    assert len(app.dataframe[1].value)


def test_an_older_evaluation_says_how_to_get_errors_and_outlines(
    world: dict[str, Any], model: str
) -> None:
    new = ("errors", "shape", "one_pixel")
    old = {key: value for key, value in world["evaluate"].items() if key not in new}
    job = make_job("evaluate", old)
    found = texts(open_page(job=job.id, show="Errors"))
    assert "from before errors were kept. Start it again" in found
    app = open_page(job=job.id)
    assert "from before this was measured: start it again" in texts(app)
    labels = {one.proto.label for one in app.get("download_button")}
    assert "Errors as CSV" not in labels
    assert "Scores as CSV" in labels


def test_an_evaluation_without_an_error_says_so(world: dict[str, Any], model: str) -> None:
    none = errors_core.Tally()
    none.add("a", np.eye(3, dtype=int), np.eye(3, dtype=int))
    job = make_job("evaluate", world["evaluate"] | {"errors": none.document()})
    assert "Not one error" in texts(open_page(job=job.id, show="Errors"))


def test_errors_that_are_not_listed_are_counted(world: dict[str, Any], model: str) -> None:
    found = world["evaluate"]["errors"] | {"left_out": 1234}
    job = make_job("evaluate", world["evaluate"] | {"errors": found})
    assert "the other 1,234 are counted" in texts(open_page(job=job.id, show="Errors"))


def test_outlines_and_one_pixel_stand_beside_the_scores(world: dict[str, Any], model: str) -> None:
    document = world["evaluate"]
    app = open_page(job=make_job("evaluate", document).id)
    shown, shape = numbers(app), document["shape"]
    assert shown["Boundary F1 within 1 px"] == f"{shape['boundary_f1']:.3f}"
    assert shown["Hausdorff 95 %"] == f"{shape['hausdorff_95_px']:.2f} px"
    assert shown["Area error"].startswith(f"{100 * shape['area_error']:+.1f} %")
    assert "Nobody draws an outline exactly to the pixel" in texts(app)
    table = outlines.one_pixel(document).set_index("Score")
    grown, shrunk = document["one_pixel"]
    assert table.loc["F1 pooled, IoU 0.75"].tolist() == [
        f"{one['pooled'][5]['f1']:.3f}" for one in (document, grown, shrunk)
    ]
    assert table.loc["Dice of pixels", "Truth grown by 1 px"] == f"{grown['pixels']['dice']:.3f}"
    known = document | {"shape": shape | {"hausdorff_95_um": 0.25}}
    app = open_page(job=make_job("evaluate", known).id)
    assert numbers(app)["Hausdorff 95 %"].endswith("= 0.250 µm")
