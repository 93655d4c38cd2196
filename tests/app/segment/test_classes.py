"""The Segment page with a model of classes: its map, what each class takes, and the truth."""

import dataclasses
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ui.segment import classes, input
from unet_core.base import folders
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.data import datasets
from unet_core.imaging import images, metrics
from unet_core.imaging.class_map import ClassMap
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export
from unet_core.predict.recipe import Recipe
from unet_core.runs import runs

APP = str(Path(__file__).resolve().parents[3] / "app.py")
NAMES = ("background", "line", "ellipse")
SET = "synthetic-shapes:rows=64,columns=96"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A network of three classes that was never trained, in a run: it finds all of them."""
    import torch

    torch.manual_seed(1)
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    train = TrainConfig.of(
        data="synthetic-shapes", target="classes", loss="cross-entropy", widths=(4, 8),
        device="cpu", precision="float32",
    )  # fmt: skip
    run = runs.create(train)
    config = ModelConfig(train=train, outputs=NAMES)
    checkpoint.save(run.path / "best.safetensors", Trained(config, checkpoint.build(config)))
    return run.id


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page("pages/segment.py").run()


def drawn(app: AppTest) -> dict:
    (component,) = app.get("bidi_component")
    return json.loads(component.proto.json)


def legend(app: AppTest) -> str:
    return next(one.proto.body for one in app.get("html") if "background " in one.proto.body)


def test_the_page_shows_the_class_map_with_the_share_and_the_iou_of_each_class(model: str) -> None:
    app = open_page(set=SET, split="test", model=model)
    assert not app.exception
    assert not app.error
    assert [panel["title"] for panel in drawn(app)["panels"]] == [
        "Image and classes", "Classes", "Truth",
    ]  # fmt: skip
    found = datasets.load(SET, "test", "shapes-test-000")
    classes_HW = export.predict(
        checkpoint.load(model, device="cpu"), found.image_HW
    ).classes.classes_HW
    ious = metrics.iou_per_class(metrics.confusion(found.labels_HW, classes_HW, 3))
    words = re.sub("<[^>]*>", " ", legend(app))
    for number, name in enumerate(NAMES):
        assert (
            f"{name} {100 * np.mean(classes_HW == number):.1f} % · IoU {ious[number]:.3f}" in words
        )
    assert f"mean IoU {np.nanmean(ious):.3f}" in words

    app.segmented_control(key="result").set_value("Probabilities").run()
    assert not app.error
    assert [panel["title"] for panel in drawn(app)["panels"]] == [
        "Image", "Background", "Line", "Ellipse",
    ]  # fmt: skip


def test_a_model_of_objects_has_no_classes_to_show_even_if_a_link_asks_for_them(
    save_cutter: Callable[..., str],
) -> None:
    app = open_page(set="synthetic-nuclei", split="test", model=save_cutter(), result="Classes")
    assert not app.exception
    assert not app.error
    assert "Classes" not in app.segmented_control(key="result").options
    assert len(drawn(app)["panels"]) == 1


def test_another_model_of_another_kind_can_be_chosen_while_classes_are_shown(
    model: str, save_cutter: Callable[..., str]
) -> None:
    other = save_cutter()
    app = open_page(set=SET, split="test", model=model, result="Classes")
    app.selectbox(key="model").set_value(other).run()
    assert not app.exception
    assert len(drawn(app)["panels"]) == 1


def test_a_sliding_window_goes_into_the_command(model: str) -> None:
    app = open_page(set=SET, split="test", model=model, window="64")
    assert not app.error
    assert " --window 64 " in app.code[0].value


def test_rotations_go_into_the_command_but_not_beside_a_window(model: str) -> None:
    asked = {"set": SET, "split": "test", "model": model, "rotations": "3"}
    app = open_page(**asked)
    assert not app.error
    assert " --rotations 3 " in app.code[0].value
    both = open_page(**asked, window="64")
    assert not both.error
    assert both.number_input(key="rotations").disabled
    assert "--rotations" not in both.code[0].value


def test_classes_that_are_not_the_models_are_not_compared_and_both_are_named() -> None:
    chosen = input.load_sample(SET, "test", "shapes-test-000")
    found = ClassMap(np.zeros((64, 96), np.uint8), ("background", "cell"))
    sentence = classes.disagreement(chosen, found)
    assert (
        "The model knows 2 classes (background, cell), the truth has 3 (background, line"
        in sentence
    )
    assert not classes.disagreement(chosen, dataclasses.replace(found, names=NAMES))
    assert "IoU" not in classes.legend(found, None)


def test_the_download_holds_the_class_map(model: str) -> None:
    found = datasets.load(SET, "test", "shapes-test-001")
    trained = checkpoint.load(model, device="cpu")
    recipe = Recipe(
        files=("a.tif",), files_sha256=("0" * 64,), model=model, model_sha256="",
        segmentation=trained.config.segmentation,
    )  # fmt: skip
    segmented = export.segment(trained, found.image_HW, recipe)
    packed = export.archive("a", found.image_HW, segmented, recipe, channel_names=NAMES, source=b"")
    with zipfile.ZipFile(io.BytesIO(packed)) as container:
        names = set(container.namelist())
        stored_HW = images.read_image(container.read("a_classes.tif")).pixels
    assert {"a_labels.tif", "a_classes.tif", "a_classes.png", "a_classes.csv"} <= names
    np.testing.assert_array_equal(stored_HW, segmented.classes.classes_HW)
