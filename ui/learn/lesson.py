"""One lesson: what to expect beside the own figures, the steps with their ticks, the questions."""

import streamlit as st

from ui.learn import measures, past, progress
from ui.learn.lessons import BY_HAND, OPENED, Figure, Lesson, Rule
from ui.learn.progress import Past
from ui.shared import glossary, guess, learner, page
from ui.shared.words import duration

TICK_SECONDS = 2.0
NOT_YET = "This link opens as soon as you have trained a model of your own in a step above."


def show(lesson: Lesson) -> None:
    """All of a lesson; the steps look again by themselves while something trains."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All lessons", icon=":material/arrow_back:", key="leave", on_click=_leave)
        st.header(lesson.title, anchor=False, width="content")
    st.markdown(lesson.teaches, help=glossary.of(lesson.teaches))
    if lesson.text:
        st.markdown(lesson.text, help=glossary.of(lesson.text, before=lesson.teaches))
    with st.container(horizontal=True, gap="medium"):
        guess.choose()
        is_going = past.choose().is_going
    st.fragment(_show_live, run_every=TICK_SECONDS if is_going else None)(lesson, is_going)
    if lesson.questions:
        st.subheader("Questions", anchor=False)
        st.caption("Think of an answer first, then open ours.")
    above = _written(lesson, len(lesson.steps))
    for question in lesson.questions:
        with st.expander(question.text):
            words = f"{question.text}\n{question.answer}"
            st.markdown(question.answer, help=glossary.of(words, before=above))
            above += words


def _written(lesson: Lesson, n_steps: int) -> str:
    """All that stands above the step behind the first `n_steps`: its terms are explained there."""
    parts = [lesson.teaches, lesson.text, *(figure.measure for figure in lesson.figures)]
    parts += [lesson.measured, *(f"{step.title}\n{step.text}" for step in lesson.steps[:n_steps])]
    return "\n".join(parts)


def _leave() -> None:
    st.query_params.pop("lesson", None)


@page.guard()
def _show_live(lesson: Lesson, was_going: bool) -> None:
    now = past.read()
    if now.is_going != was_going:
        st.rerun()
    _show_figures(lesson, now)
    n_done = progress.count_done(now, lesson)
    st.subheader(f"Steps: {n_done} of {len(lesson.steps)} done", anchor=False)
    for number in range(1, len(lesson.steps) + 1):
        _show_step(lesson, number, now)


def _show_figures(lesson: Lesson, now: Past) -> None:
    """What to expect, and the learner's own."""
    with st.container(horizontal=True, gap="medium"):
        _show_pair("Time for the lesson", f"{lesson.minutes} min", None)
        for figure in lesson.figures:
            own = progress.best(now, figure)
            text = None if own is None else f"{own:.3f}"
            _show_pair(figure.measure, f"{figure.expected:.3f}", text, figure)
        if lesson.training:
            own = progress.best(now, lesson.training)
            text = None if own is None else duration(60 * own)
            expected = duration(60 * lesson.training.expected)
            _show_pair("Training", expected, text, lesson.training)
    measures_above = " ".join(figure.measure for figure in lesson.figures)
    above = f"{lesson.teaches}\n{lesson.text}\n{measures_above}"
    st.caption(f"Expected: {lesson.measured}", help=glossary.of(lesson.measured, before=above))


def _show_pair(label: str, expected: str, own: str | None, figure: Figure | None = None) -> None:
    with st.container(width="content", gap=None):
        help = None
        if figure is not None:
            which = "newest" if figure.measure == measures.MINUTES else "best"
            help = f"Yours is the {which} of each {describe(figure.rule)}."
            help = "\n\n".join(filter(None, [glossary.of(label), help]))
        st.metric(f"{label[:1].upper()}{label[1:]}, expected", expected, help=help, width="content")
        if figure is not None:
            st.markdown(f"**yours: {own}**" if own else "yours: none yet", width="content")


def describe(rule: Rule) -> str:
    """A rule in words: "run finished with the recipe quick"."""
    words = {
        "preset": "the recipe",
        "data": "the data set",
        "split": "the split",
        "protocol": "the protocol",
    }
    parts = [f"{words[key]} {' or '.join(values)}" for key, values in rule.conditions.items()]
    return " and ".join([f"{rule.kind} with {parts[0]}", *parts[1:]]) if parts else rule.kind


def _when(rule: Rule) -> str:
    if rule.kind == OPENED:
        return "Ticked when you have opened the link."
    return f"Ticked by itself: {describe(rule)}."


def _show_step(lesson: Lesson, number: int, now: Past) -> None:
    step, name = lesson.steps[number - 1], progress.step_name(lesson, number)
    is_done = progress.is_done(now, lesson, number)
    with st.container(border=True, key=f"step-{number}"):
        icon = ":material/check_circle:" if is_done else ":material/radio_button_unchecked:"
        state = "done" if is_done else "to do"
        above = _written(lesson, number - 1)
        st.markdown(
            f"{icon} **{number}. {step.title}** :small[({state})]",
            help=glossary.of(step.title, before=above),
        )
        st.markdown(step.text, help=glossary.of(step.text, before=above + step.title))
        query = progress.resolve(now, lesson, step.link)
        if query is None:
            st.caption(f":material/lock: {NOT_YET}")
        else:
            page.link(
                step.link.page,
                label=f":primary[**{step.link.label}**]",
                icon=page.icon(step.link.page),
                query=query | {"step": name},
            )
        if step.rule.kind == BY_HAND:
            st.checkbox(
                "I have done this",
                value=is_done,
                key=f"tick-{name}",
                on_change=_tick,
                args=(name,),
            )
        else:
            st.caption(_when(step.rule))


def _tick(name: str) -> None:
    learner.note(learner.TICK, name, is_on=st.session_state[f"tick-{name}"])
