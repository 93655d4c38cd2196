"""Which model a page begins with, and what happens when model and data set part."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import cache, models
from unet_core.base import folders
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.network import checkpoint

APP = str(Path(__file__).resolve().parents[3] / "app.py")
SHIPPED = {"membranes": "isbi2012", "nuclei": "dsb2018", "shapes": "synthetic-shapes"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("dsb2018", "nuclei"),
        ("isbi2012", "membranes"),
        ("synthetic-nuclei", "nuclei"),  # the same kind of labels
        ("synthetic-shapes:noise=30", "shapes"),
        ("", "nuclei"),
        ("somebody's own set", "nuclei"),
    ],
)
def test_the_first_model_fits_the_set(data: str, expected: str) -> None:
    assert models.default_for(data, SHIPPED) == expected


def test_an_upload_gets_the_last_used_model_where_it_is_still_there() -> None:
    assert models.default_for("", SHIPPED, last="membranes") == "membranes"
    assert models.default_for("", SHIPPED, last="gone") == "nuclei"
    assert models.default_for("dsb2018", SHIPPED, last="membranes") == "nuclei"


def test_a_model_of_the_very_set_goes_before_one_of_the_same_kind() -> None:
    own = SHIPPED | {"run-1": "synthetic-nuclei"}
    assert models.default_for("synthetic-nuclei", own) == "run-1"
    assert models.default_for("dsb2018", {"broken": "", "run-1": "synthetic-nuclei"}) == "run-1"
    assert models.default_for("isbi2012", {"b": "", "a": "dsb2018"}) == "b"
    assert models.default_for("dsb2018", {}) == ""


def test_a_model_of_other_things_is_told_and_an_unknown_set_is_not_judged() -> None:
    config = ModelConfig(train=TrainConfig.of(data="dsb2018"), outputs=("foreground", "boundary"))
    assert "learnt from DSB 2018" in models.misfit(config, "isbi2012")
    for data in ("dsb2018", "synthetic-nuclei", "", "somebody's own set"):
        assert models.misfit(config, data) == ""


@pytest.fixture
def both(save_cutter: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two shipped models, "a-shapes" and "nuclei"."""
    shipped = tmp_path / "checkpoints"
    shipped.mkdir()
    for name, data in (("a-shapes", "synthetic-shapes"), ("nuclei", "synthetic-nuclei")):
        file = checkpoint.find(save_cutter(data))
        file.rename(shipped / f"{name}.safetensors")
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(folders, "SHIPPED", shipped)
    return "nuclei"


def open_page(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py").run()


def told(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(one.value for one in app.toast)


def test_another_set_brings_its_model_and_settings_until_one_is_chosen_by_hand(both: str) -> None:
    app = open_page("segment")
    assert app.selectbox(key="model").value == "nuclei"
    app.slider(key="threshold").set_value(0.9).run()
    app.selectbox(key="set").set_value("synthetic-shapes").run()
    assert app.selectbox(key="model").value == "a-shapes"
    assert "Model a-shapes takes the place of nuclei" in told(app)
    assert app.slider(key="threshold").value == 0.5
    app.selectbox(key="model").set_value("nuclei").run()
    assert app.selectbox(key="set").value == "synthetic-shapes"  # the image stays
    assert any("one of their kind does better" in one.value for one in app.caption)
    app.selectbox(key="split").set_value("val").run()
    assert app.selectbox(key="model").value == "nuclei"
    # An upload takes the model that was used last.
    app.segmented_control(key="input").set_value("Upload").run()
    assert app.selectbox(key="model").value == "nuclei"


def test_a_model_chosen_by_hand_stays_for_a_set_of_its_kind_and_else_gives_way(
    both: str, save_cutter: Callable[..., str]
) -> None:
    run = save_cutter("dsb2018")
    app = open_page("segment", set="synthetic-shapes")
    app.selectbox(key="model").set_value(run).run()
    app.selectbox(key="set").set_value("synthetic-nuclei").run()
    assert app.selectbox(key="model").value == run
    app.selectbox(key="set").set_value("synthetic-shapes").run()
    assert app.selectbox(key="model").value == "a-shapes"


def test_a_model_chosen_by_hand_is_there_again_after_another_page(both: str) -> None:
    app = open_page("segment", set="synthetic-shapes")
    app.selectbox(key="model").set_value("nuclei").run()
    app.switch_page("pages/home.py").run()
    app.query_params.clear()  # as the menu's links ask for nothing
    app.switch_page("pages/segment.py").run()
    for _ in range(2):  # what was restored is not replaced as if nobody had chosen it
        assert app.selectbox(key="model").value == "nuclei"
        assert app.selectbox(key="set").value == "synthetic-shapes"
        app.selectbox(key="split").set_value("val").run()


def test_a_link_wins_over_the_default_and_keeps_its_model(both: str) -> None:
    app = open_page("segment", set="synthetic-shapes", model="nuclei")
    assert app.selectbox(key="model").value == "nuclei"
    app.selectbox(key="split").set_value("train").run()
    assert app.selectbox(key="model").value == "nuclei"


def test_evaluate_begins_with_what_fits_and_moves_the_other_choice(both: str) -> None:
    app = open_page("evaluate", set="synthetic-shapes")
    assert app.selectbox(key="model").value == "a-shapes"
    app.selectbox(key="model").set_value("nuclei").run()
    assert app.selectbox(key="set").value == "synthetic-nuclei"
    assert "Data set synthetic-nuclei takes the place of synthetic-shapes" in told(app)
    app.selectbox(key="set").set_value("synthetic-shapes").run()
    assert app.selectbox(key="model").value == "a-shapes"
    assert not app.exception


def test_feature_maps_begin_with_a_model_that_fits(both: str) -> None:
    app = open_page("model", part="Feature maps", set="synthetic-shapes")
    assert app.selectbox(key="model").value == "a-shapes"
    app.selectbox(key="set").set_value("synthetic-nuclei").run()
    assert app.selectbox(key="model").value == "nuclei"


@pytest.mark.parametrize("page", ["data", "evaluate"])
def test_a_scheme_that_a_set_does_not_have_gives_way_and_that_is_told(
    both: str, real_data: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("UNET_DATA", str(real_data))
    app = open_page(page, set="isbi2012", scheme="13-2-28")
    assert app.selectbox(key="scheme").value == "13-2-28"
    app.selectbox(key="set").set_value("synthetic-nuclei").run()
    assert app.selectbox(key="scheme").value == "fraction"
    assert "There is no scheme 13-2-28 here: fraction takes its place." in told(app)
    # What the browser is told to show; without it the old one would come back.
    assert app.selectbox(key="scheme").proto.raw_value == "fraction"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "runs/x", "..", "", "a\n", ".hidden"])
def test_a_page_takes_no_path_for_a_model(
    both: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "best.safetensors").write_bytes(b"")
    monkeypatch.setattr(checkpoint, "safe_open", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(ValueError, match=r"there is no model .* here"):
        cache.model_config(name)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x"])
@pytest.mark.parametrize("page", ["segment", "evaluate"])
def test_a_link_to_a_path_is_told_that_it_is_not_here(both: str, page: str, name: str) -> None:
    app = open_page(page, model=name)
    assert "which is not here" in told(app)
    assert app.selectbox(key="model").value == "nuclei"


def test_pages_reach_models_only_by_name() -> None:
    """A function that takes paths, too, is called in one place, behind `checkpoint.named`."""
    root = Path(APP).parent
    for file in (*root.glob("ui/**/*.py"), *root.glob("pages/*.py")):
        if file != Path(cache.__file__):
            assert not re.search(r"checkpoint\.(find|load|read_config)\(", file.read_text()), file
