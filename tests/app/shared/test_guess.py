"""Guess first: asked in lessons only, once, within its range, and never in the way."""

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import guess

CODE = "0123456789abcdef"


def ask() -> None:
    import streamlit as st

    from ui.shared import guess, page

    guess.choose()
    with page.guard():
        if guess.first("it", "How good?", 0.66, low=0.0, high=1.0, step=0.01):
            st.markdown("the answer")


def open_it(*, in_lesson: bool = True) -> AppTest:
    app = AppTest.from_function(ask, default_timeout=30)
    app.session_state["_learner"] = CODE
    if in_lesson:
        app.query_params["step"] = "a-lesson/2"
    return app.run()


def is_shown(app: AppTest) -> bool:
    return "the answer" in [one.value for one in app.markdown]


def test_outside_of_lessons_nobody_is_asked() -> None:
    app = open_it(in_lesson=False)
    assert is_shown(app)
    assert not app.number_input


def test_in_a_lesson_the_answer_waits_for_a_guess_and_is_then_judged() -> None:
    app = open_it()
    assert not is_shown(app)
    app.number_input[0].set_value(0.9).run()
    assert not is_shown(app)
    app.button("guess-go-it").click().run()
    assert is_shown(app)
    assert [one.value for one in app.info] == [
        "You guessed 0.9; it is 0.66, 0.24 less: a surprise, and those are what one remembers."
    ]
    assert not app.run().number_input  # asked once


def test_one_may_skip_and_without_a_number_nothing_is_told() -> None:
    app = open_it()
    app.button("guess-go-it").click().run()
    assert not is_shown(app)
    assert "Put a number" in app.caption[0].value
    app.button("guess-skip-it").click().run()
    assert is_shown(app)
    assert not app.info


def test_it_is_switched_off_for_this_browser() -> None:
    app = open_it()
    app.toggle("guess-first").set_value(False).run()
    assert is_shown(app)
    again = open_it()
    assert is_shown(again)
    again.toggle("guess-first").set_value(True).run()
    assert not is_shown(again)


@pytest.mark.parametrize("wrong", [-0.1, 1.5])
def test_a_guess_out_of_the_range_gets_a_sentence(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"A guess must be from 0 to 1, got"):
        guess.judge(wrong, 0.5, low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "very well guessed"), (0.45, "0.05 more: that is close"), (0.9, "0.4 less: a surpr")],
)
def test_the_sentence_says_how_far_off_and_on_which_side(value: float, words: str) -> None:
    assert words in guess.judge(value, 0.5, low=0.0, high=1.0)


def test_a_missing_answer_is_not_asked_for() -> None:
    assert guess.first("none", "How good?", None, low=0.0, high=1.0, step=0.1)


def test_the_lesson_is_left_on_request() -> None:
    def leave() -> None:
        import streamlit as st

        from ui.shared import learner

        st.markdown(str(learner.follow_step()))
        learner.leave_lesson()

    app = AppTest.from_function(leave)
    app.query_params["step"] = "a-lesson/2"
    app.run()
    assert app.markdown[0].value == "('a-lesson', '2')"
    del app.query_params["step"]
    assert app.run().markdown[0].value == "None"
