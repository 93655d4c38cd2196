"""What this browser has started and looked at, for the lessons; nothing before one is opened.

There are no accounts, and all runs lie in one folder, so that a run says nothing about who wants to
see it. The page Learn gives a browser a random code in a cookie. From then on the pages write into
a file of that code, among the runs, which runs and jobs it has started and which steps of lessons
it has opened: this outlives a reload and the server, and nobody else's run counts.
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import streamlit as st

from unet_core.base import folders, records

COOKIE = "unet-learner"
DAYS = 365
_CODE, _STEP = "_learner", "_step"
# What a line of the file is about.
RUN, JOB, OPENED, TICK, GUESS = "run", "job", "opened", "tick", "guess"


def begin() -> None:
    """Know this browser from now on; only the page Learn asks for it."""
    if not code():
        st.session_state[_CODE] = secrets.token_hex(8)
    if st.context.cookies.get(COOKIE) != code():
        age = DAYS * 24 * 3600
        cookie = f"{COOKIE}={code()}; max-age={age}; path=/; samesite=lax"
        st.html(f"<script>document.cookie = {cookie!r};</script>", unsafe_allow_javascript=True)


def code() -> str:
    """This browser's code; empty for one that has never opened a lesson."""
    known = str(st.session_state.get(_CODE) or st.context.cookies.get(COOKIE) or "")
    return known if re.fullmatch(r"[0-9a-f]{16}", known) else ""


def note(what: str, name: str, *, is_on: bool = True) -> None:
    """Remember that this browser has started or opened something, or that it has not (a tick)."""
    if not code() or _state(what).get(name, False) == is_on:
        return
    _file().parent.mkdir(parents=True, exist_ok=True)
    records.append_row(_file(), {"what": what, "name": name, "is_on": is_on})


def noted(what: str) -> set[str]:
    """The names that were noted, and not taken back since."""
    return {name for name, is_on in _state(what).items() if is_on}


def follow_step() -> tuple[str, str] | None:
    """The lesson and the step that this browser is at: of the page's address, or from before.

    Opening a step's link is noted. None outside of lessons.
    """
    asked = re.fullmatch(r"([\w-]{1,80})/(\d{1,3})", st.query_params.get("step", ""))
    if asked and st.session_state.get(_STEP) != asked.groups():
        st.session_state[_STEP] = (asked[1], asked[2])
        note(OPENED, asked[0])
    return st.session_state.get(_STEP)


def leave_lesson() -> None:
    """Forget the step: the pages are looked at for themselves."""
    st.session_state.pop(_STEP, None)


def _state(what: str) -> dict[str, bool]:
    return {name: is_on for kind, name, is_on in _lines() if kind == what}


def _lines() -> Iterator[tuple[str, str, bool]]:
    if code():
        for row in records.read_rows(_file()).rows:
            yield str(row.get("what")), str(row.get("name")), row.get("is_on") is True


def _file() -> Path:
    return folders.runs() / ".learners" / f"{code()}.jsonl"
