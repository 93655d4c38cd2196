"""What every page begins with: one sentence for an error, the menu also without app.py."""

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from unet_core.predict import export

APP = Path(__file__).resolve().parents[3] / "app.py"


def raise_in_guard(kind: str, truth: bytes = b"") -> None:
    import numpy as np
    import streamlit as st

    from ui.shared import page, uploads
    from unet_core.base.config import Segmentation
    from unet_core.runs import runs

    with page.guard():
        if kind == "mistake":
            Segmentation(threshold=1.7)
        if kind == "misfit":
            uploads.read_truth("truth.tif", truth, None, (5, 5))
        if kind == "numpy":
            np.zeros(2) + np.zeros(3)
        if kind == "link":
            runs.find("x` [Sign in](https://a.b)")
        if kind == "disk":
            raise OSError(28, "No space left on device", "/home/me/runs/steps.jsonl")
        if kind == "bug":
            raise KeyError("secret detail")
        if kind == "stop":
            st.stop()
    st.write("the rest of the page")


def sentence(kind: str, *more: bytes) -> str:
    app = AppTest.from_function(raise_in_guard, args=(kind, *more)).run()
    assert not app.exception
    assert [one.value for one in app.markdown] == ["the rest of the page"]
    [error] = app.error
    return error.value


def test_a_mistake_is_shown_in_its_own_words() -> None:
    assert sentence("mistake") == "threshold must be at most 1, got 1.7"


def test_a_mistake_that_the_page_itself_finds_is_shown_in_its_own_words() -> None:
    truth = export.plane_tiff(np.ones((4, 4), np.uint8))
    assert sentence("misfit", truth).startswith("The truth must have the image's size")


def test_a_full_disk_is_named_with_the_file() -> None:
    text = sentence("disk")
    assert "No space left on device" in text
    assert "(…/steps.jsonl)" in text


def test_a_sentence_about_a_link_shows_it_plainly_and_tells_no_folder(tmp_path: Path) -> None:
    assert sentence("link") == "there is no run 'x\\` \\[Sign in\\](https:\u2060//a.b)' in …/runs"


@pytest.mark.parametrize(("page", "key"), [("train", "run"), ("evaluate", "job")])
def test_a_link_to_nothing_writes_nothing_into_the_page(page: str, key: str) -> None:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params[key] = "x` [Sign in](https://a.b)"
    app.switch_page(f"pages/{page}.py").run()
    [warning] = app.warning
    assert "x\\` \\[Sign in\\](https:\u2060//a.b)”: it was deleted" in warning.value


@pytest.mark.parametrize(
    ("kind", "detail", "trace"),
    [
        ("bug", "secret detail", "KeyError: 'secret detail'"),
        ("numpy", "broadcast", "ValueError: operands could not be broadcast"),
    ],
)
def test_a_bug_is_one_kind_sentence_and_a_trace_in_the_log(
    caplog: pytest.LogCaptureFixture, kind: str, detail: str, trace: str
) -> None:
    with caplog.at_level(logging.ERROR, logger="unet_workbench"):
        text = sentence(kind)
    assert detail not in text
    code = re.search(r"under (\w{6})\.$", text)
    assert code
    assert code[1] in caplog.text
    assert trace in caplog.text


def test_a_script_that_stops_itself_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    app = AppTest.from_function(raise_in_guard, args=("stop",)).run()
    assert not app.markdown
    assert not app.error
    assert [one for one in caplog.records if one.name == "unet_workbench"] == []


def test_a_page_alone_still_has_title_device_and_explanation() -> None:
    app = AppTest.from_file(str(APP.parent / "pages" / "home.py"), default_timeout=30).run()
    assert not app.exception
    assert len(app.title) == 1
    assert any(":material/memory:" in one.value for one in app.caption)
    assert [one.label for one in app.expander] == ["What is on this page?"]


def test_a_cold_deep_link_ends_up_in_the_app_with_its_menu() -> None:
    app = AppTest.from_file(str(APP), default_timeout=30).switch_page("pages/home.py").run()
    assert app.session_state["_menu"] is True
    assert not app.exception


def test_no_run_ends_with_a_look_at_all_objects_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(APP.parent)
    config.get_config_options(force_reparse=True)
    assert config.get_option("runner.postScriptGC") is False
