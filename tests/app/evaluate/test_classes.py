"""The evaluate page where pixels are scored: classes, and the membranes of neurons."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ui.evaluate import charts, images, sentences
from unet_core.base import folders
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.cli import main
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.runs import jobs, runs
from unet_core.runs.jobs import Job, JobStatus
from unet_core.scoring import connectomics

APP = str(Path(__file__).resolve().parents[3] / "app.py")
SET = "synthetic-shapes:train=8,test=3,rows=64,columns=96"
NAMES = ("background", "line", "ellipse")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A network of three classes that was never trained, in a run."""
    import torch

    torch.manual_seed(1)
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    train = TrainConfig.of(
        data=SET, target="classes", loss="cross-entropy", widths=(4, 8), crop_size=32
    )
    config = ModelConfig(train=train, outputs=NAMES)
    run = runs.create(train)
    checkpoint.save(run.path / "best.safetensors", Trained(config, checkpoint.build(config)))
    return run.id


def evaluate(model: str, *more: str) -> dict[str, Any]:
    words = ["evaluate", "--model", model, "--data", SET, "--split", "test", *more, "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main.main(words) == 0
    return json.loads(printed.getvalue())


def test_a_protocol_measures_a_drawn_set_as_the_model_knows_it(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--model", model, "--protocol", "shapes", "--window", "32", "--json"]
    assert main.main([*words, "--patches", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == SET


def make_job(result: dict[str, Any]) -> Job:
    job = Job(jobs.folder() / f"20260101-000000-evaluate-{len(jobs.list_jobs()):012x}")
    job.path.mkdir(parents=True)
    about = {"words": ["evaluate"], "kind": "evaluate", "title": "it", "created": 1.0}
    (job.path / "job.json").write_text(json.dumps(about))
    status = JobStatus(state="finished", pid=1)
    (job.path / "progress.json").write_text(json.dumps(status.to_dict()))
    (job.path / "result.json").write_text(json.dumps(result))
    return job


def open_page(page: str = "evaluate", **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    assert [one.value for one in app.error] == []
    return app


def test_the_form_offers_the_set_that_the_model_was_trained_on(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda words, log: started.append(words))
    app = open_page(model=model, split="test", window="64", patches="5", **{"crop-multiple": "16"})
    assert app.selectbox(key="set").value == SET
    app.button(key="start-evaluate").click().run()
    assert not app.exception
    arguments = main.build_parser().parse_args(started[0][3:-2])
    assert (arguments.data, arguments.window, arguments.crop_multiple) == (SET, 64, 16)
    assert (arguments.rotations, arguments.ladder, arguments.patches) == (0, False, 5)
    assert arguments.threshold is None  # classes have no thresholds


def test_classes_have_scores_of_pixels_and_no_objects(model: str) -> None:
    document = evaluate(model, "--window", "64")
    job = make_job(document)
    app = open_page(job=job.id)
    assert [tab.label for tab in app.tabs] == ["Pixels", "Images"]
    table = next(one.value for one in app.dataframe if "Pooled" in one.value)
    shown = dict(zip(table["Score"], table["Pooled"], strict=True))
    pixels = document["pixels"]
    assert shown["Mean IoU"] == f"{pixels['mean_iou']:.3f}"
    assert shown["Accuracy"] == f"{pixels['accuracy']:.3f}"
    figure = charts.classes(pixels["classes"])
    assert list(figure.data[0].y) == list(NAMES)
    assert list(figure.data[0].x) == [row["iou"] for row in pixels["classes"]]
    assert f"{pixels['mean_iou']:.3f}" in sentences.headline(document)
    # The images, worst first by the mean IoU of their classes; each opens as it was measured.
    app = open_page(job=job.id, show="Images")
    table = next(one.value for one in app.dataframe if "Image" in one.value)
    scores = {row["name"]: row["mean_iou"] for row in document["per_image"]}
    assert table["Image"].tolist() == sorted(scores, key=lambda name: (scores[name], name))
    segment = open_page("segment", **images.query(document, table["Image"][0]))
    assert segment.selectbox(key="sample").value == table["Image"][0]
    assert segment.selectbox(key="window").value == "64"


def test_a_tutorial_s_protocol_is_chosen_by_its_name_and_its_figures_stand_beside_ours(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda words, log: started.append(words))
    app = open_page(model=model, split="test", protocol="shapes")
    assert any("a window of 96 px" in one.value for one in app.caption)
    app.button(key="start-evaluate").click().run()
    arguments = main.build_parser().parse_args(started[0][3:-2])
    assert (arguments.protocol, arguments.patches, arguments.window) == ("shapes", 0, 0)
    document = evaluate(model, "--protocol", "shapes", "--window", "32", "--patches", "1")
    # Their images are not ours: this set has settings of its own.
    document["protocol"]["figures"][0]["theirs"] = 0.98
    app = open_page(job=make_job(document).id)
    table = next(one.value for one in app.dataframe if "Tutorial" in one.value)
    assert table["Tutorial"].tolist() == ["0.9800", "–"]
    assert table["This model"][1] == f"{document['pixels']['mean_iou']:.4f}"
    assert any("Not as printed here: window, patches." in one.value for one in app.caption)


def test_a_protocol_of_other_images_is_one_sentence_and_cannot_be_started(model: str) -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params |= {"model": model, "split": "test", "protocol": "dl4mia"}
    app.switch_page("pages/evaluate.py").run()
    assert not app.exception
    (error,) = (one.value for one in app.error)
    assert error.startswith("Protocol dl4mia is for dsb2018, got synthetic-shapes")
    assert app.button(key="start-evaluate").disabled


def test_the_middle_of_images_has_a_column_of_its_own(model: str) -> None:
    document = evaluate(model, "--middle", "40")
    app = open_page(job=make_job(document).id, show="Pixels")
    table = next(one.value for one in app.dataframe if "Pooled" in one.value)
    shown = dict(zip(table["Score"], table["By image, middle 40 px"], strict=True))
    assert shown["Mean IoU"] == f"{document['pixels']['middle']['mean_iou']:.3f}"
    assert any("looks only at a square" in one.value for one in app.caption)


def test_a_model_of_classes_is_refused_where_it_does_not_fit(model: str) -> None:
    config = checkpoint.read_config(model)
    assert sentences.mismatch(config, SET) == ""
    assert "has objects, but this model" in sentences.mismatch(config, "synthetic-nuclei")
    two = config.replace(outputs=NAMES[:2])
    assert "has 3 classes, but this model tells 2" in sentences.mismatch(two, SET)


def test_membranes_show_split_and_merge_at_the_best_threshold(model: str, rng) -> None:
    labels_HW = np.zeros((24, 24), np.int32)
    labels_HW[:, :11], labels_HW[:, 13:] = 1, 2
    inside_HW = np.clip((labels_HW > 0) * 0.8 + rng.normal(0, 0.2, labels_HW.shape), 0, 1)
    found = connectomics.curve([(labels_HW, inside_HW)])
    app = open_page(job=make_job(evaluate(model) | {"membranes": found}).id, show="Membranes")
    shown = {one.label: one.value for one in app.metric}
    assert shown["V_rand"] == f"{found['v_rand']:.3f}"
    smallest = min(row["pixel_error"] for row in found["curve"])
    assert shown["Pixel error"] == f"{smallest:.3f}"
    table = next(one.value for one in app.dataframe if "Split" in one.value)
    assert table["Merge"].tolist() == [
        f"{found[f'{key}_merge']:.3f}" for key in ("v_rand", "v_info")
    ]
    assert any("the challenge's convention" in one.value for one in app.caption)
    figure = charts.over_threshold(found["curve"], found["threshold"])
    assert len(figure.data[0].x) == 11
