"""All lessons with what is done of each, and what is wrong with those that cannot be read."""

import streamlit as st

from ui.learn import past, progress
from ui.learn.lessons import Lesson
from ui.learn.progress import Past
from ui.shared import glossary, learner, page
from ui.shared.words import plain


def show(found: list[Lesson], faults: list[str]) -> None:
    """A card for each lesson, and a sentence on each file that is none yet."""
    learner.leave_lesson()
    if asked := st.query_params.get("lesson"):
        st.warning(f"There is no lesson “{plain(asked[:80])}”: choose one of these.")
    place = st.container()
    for sentence in faults:
        st.error(plain(f"This lesson cannot be shown: {sentence}."), icon=":material/edit_off:")
    counted = past.choose()
    above = ""
    for lesson in found:
        with place.container(border=True):
            _show_card(lesson, counted, above)
        above += lesson.teaches


def _show_card(lesson: Lesson, past: Past, above: str) -> None:
    n_done, n_steps = progress.count_done(past, lesson), len(lesson.steps)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.button(
            f":primary[**{lesson.title}**]",
            icon=":material/check_circle:" if n_done == n_steps else page.icon("learn"),
            key=f"open-{lesson.name}",
            type="tertiary",
            # A link from a page to itself would lose what is asked for.
            on_click=_open,
            args=(lesson.name,),
        )
        st.caption(
            f"about {lesson.minutes} min · {n_done} of {n_steps} steps done", width="content"
        )
    st.markdown(lesson.teaches, help=glossary.of(lesson.teaches, before=above))
    st.progress(n_done / n_steps)


def _open(name: str) -> None:
    st.query_params["lesson"] = name
