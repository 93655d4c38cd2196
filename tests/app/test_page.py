"""What every page begins with: one sentence for an error, the menu also without app.py."""

import logging
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "app.py"


def raise_in_guard(kind: str) -> None:
    import streamlit as st

    from ui import page

    with page.guard():
        if kind == "mistake":
            raise ValueError("threshold must be in (0, 1], got 1.7")
        if kind == "disk":
            raise OSError(28, "No space left on device", "runs/x/steps.jsonl")
        if kind == "bug":
            raise KeyError("secret detail")
        if kind == "stop":
            st.stop()
    st.write("the rest of the page")


def sentence(kind: str) -> str:
    app = AppTest.from_function(raise_in_guard, args=(kind,)).run()
    assert not app.exception
    assert [one.value for one in app.markdown] == ["the rest of the page"]
    [error] = app.error
    return error.value


def test_a_mistake_is_shown_in_its_own_words() -> None:
    assert sentence("mistake") == "threshold must be in (0, 1], got 1.7"


def test_a_full_disk_is_named_with_the_file() -> None:
    text = sentence("disk")
    assert "No space left on device" in text
    assert "steps.jsonl" in text


def test_a_bug_is_one_kind_sentence_and_a_trace_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, logger="unet_workbench"):
        text = sentence("bug")
    assert "secret detail" not in text
    code = re.search(r"under (\w{6})\.$", text)
    assert code
    assert code[1] in caplog.text
    assert "KeyError: 'secret detail'" in caplog.text


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
