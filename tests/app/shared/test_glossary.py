"""Every term is explained where it first stands on a page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.learn import lessons
from ui.shared import glossary, page
from unet_core.data import datasets

APP = str(Path(__file__).resolve().parents[3] / "app.py")
SET = {"set": "synthetic-nuclei"}
TABS = ("Overview", "Sample", "Statistics", "Augmentation", "Weight map")
PARTS = ("Layers", "Sizes", "Time and memory", "Stretching")
VIEWS = ("Objects", "Hits and misses", "Probabilities", "Steps", "Table")
PLACES = [
    ("home", {}),
    ("learn", {}),
    *(("learn", {"lesson": one.name}) for one in lessons.load()[0]),
    *(("data", {**SET, "tab": tab}) for tab in TABS),
    ("data", {"set": "synthetic-shapes", "tab": "Generator"}),
    *(("model", {"part": part}) for part in PARTS),
    ("train", {}),
    *(("segment", {**SET, "model": "nuclei", "result": view}) for view in VIEWS),
    ("evaluate", {}),
    ("evaluate", {"task": "Tune thresholds"}),
    ("evaluate", {"task": "Compare two"}),
]


@pytest.fixture(scope="module", autouse=True)
def _torch_is_here() -> None:
    """Else a page would show less than it has."""
    page.finding_device().result(timeout=120)


@pytest.mark.parametrize(("name", "query"), PLACES, ids=str)
def test_terms_are_explained_where_they_first_stand(
    name: str, query: dict[str, str], unexplained: Callable[[AppTest], list[str]]
) -> None:
    if query.get("tab") == "Statistics":
        datasets.statistics(query["set"])  # else the page begins to measure
    app = AppTest.from_file(APP, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    assert unexplained(app.switch_page(f"pages/{name}.py").run()) == []


def test_a_term_without_explanation_is_found(unexplained: Callable[[AppTest], list[str]]) -> None:
    def draw() -> None:
        import streamlit as st

        from ui.shared import glossary

        st.markdown("The IoU is told.", help=glossary.of("IoU"))
        st.caption("F1 is not, and IoU was.")
        st.metric("PQ", 0.5, help="It is so and so.")
        st.metric("AP", 0.5)

    found = unexplained(AppTest.from_function(draw).run())
    assert [one.partition(":")[0] for one in found] == ["F1", "AP"]


def test_words_are_found_whole_and_abbreviations_in_capitals() -> None:
    assert glossary.find("a map with a dice, F10 and ap") == []
    assert glossary.find("AP and F1 after a softmax, then watershed.") == [
        "F1",
        "AP",
        "Watershed",
        "Softmax",
    ]


def test_what_was_told_above_is_not_told_again() -> None:
    assert glossary.of("F1 and AP", before="F1") == f"**AP**: {glossary.AP}"
    assert glossary.of("F1", before="F1 and AP") is None
    assert glossary.of("nothing") is None
