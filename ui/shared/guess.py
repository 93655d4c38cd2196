"""Guess first: before a page shows a figure of a lesson, the learner may set a guess.

A guess is asked for only on pages that a lesson has opened, and can be switched off there.
"""

import streamlit as st

from ui.shared import learner

HELP = (
    "On the pages of a lesson scores, best thresholds and the effect of augmentation stay hidden "
    "until you have guessed, or asked to see them."
)
_GUESSES = "_guesses"
_OFF = "off"


def choose() -> None:
    """The switch, on the page of a lesson; this browser's choice is remembered."""
    st.toggle(
        "Guess first",
        value=_OFF not in learner.noted(learner.GUESS),
        key="guess-first",
        on_change=_remember,
        help=HELP,
    )


def _remember() -> None:
    learner.note(learner.GUESS, _OFF, is_on=not st.session_state["guess-first"])


def is_wanted() -> bool:
    """Whether the learner is in a lesson, and has not switched guessing off."""
    return learner.follow_step() is not None and _OFF not in learner.noted(learner.GUESS)


def first(
    name: str,
    question: str,
    answer: float | None,
    *,
    low: float,
    high: float,
    step: float,
) -> bool:
    """Whether the answer may be shown: without a wish to guess, after a guess, or after giving up.

    `name` is of this answer alone, for it is asked once. Before, this draws the question with a
    field for the guess, from `low` to `high`; after, how far off it was.
    Raises ValueError for a guess out of the range.
    """
    if answer is None or not is_wanted():
        return True
    guesses = st.session_state.setdefault(_GUESSES, {})
    if name in guesses:
        if guesses[name]:
            st.info(guesses[name], icon=":material/psychology:")
        return True
    with st.container(border=True, key="guess"):
        st.markdown(f":material/psychology: **Guess first.** {question}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            guess = st.number_input(
                f"Your guess, {low:g} to {high:g}",
                min_value=low,
                max_value=high,
                value=None,
                step=step,
                key=f"guess-{name}",
                width=200,
            )
            asked = st.button("Show the answer", key=f"guess-go-{name}")
            given_up = st.button("Skip", key=f"guess-skip-{name}", type="tertiary")
    if asked and guess is not None:
        guesses[name] = judge(guess, answer, low=low, high=high)
    elif asked:
        st.caption("Put a number into the field first, or skip.")
    elif given_up:
        guesses[name] = ""
    if name in guesses:
        st.rerun()
    return False


def judge(guess: float, answer: float, *, low: float, high: float) -> str:
    """One sentence on how far off a guess was, told by the share of the range.

    Raises ValueError for a guess out of the range.
    """
    if not low <= guess <= high:
        raise ValueError(f"A guess must be from {low:g} to {high:g}, got {guess:g}")
    off = abs(guess - answer)
    share = off / (high - low)
    figures = f"You guessed {guess:g}; it is {answer:.3g}"
    if share < 0.02:
        return f"{figures}: very well guessed."
    side = "more" if answer > guess else "less"
    kind = "that is close" if share < 0.1 else "a surprise, and those are what one remembers"
    return f"{figures}, {off:.2g} {side}: {kind}."
