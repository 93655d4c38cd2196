"""A learning rate for the settings of the form: the test in the background, and what it found."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.shared import background, forms, learner, overview, page, takeover
from ui.shared.words import plain
from ui.train import range_chart
from unet_core.base import records
from unet_core.base.config import TrainConfig
from unet_core.cli.range_test import CURVE
from unet_core.runs import jobs
from unet_core.runs.jobs import Job, JobStatus

KIND = "lr-test"
SOURCE = "the learning-rate test"
LINK = "lr_test"  # in the address: a reload finds the test again
TICK_SECONDS = 1.0
LOW, HIGH = 1e-6, 10.0  # what the command tries by itself

# What a test of single steps cannot know: it stays out, so that a new rate is no new setting.
NO_PART = {"lr", "schedule", "schedule_epochs", "warmup", "epochs", "ema", "patience", "watch"}

READING = (
    "At every step the rate grows. Too small, and nothing happens; then the loss falls; too "
    "large, and it grows. Each batch is also given to the untrained network, whose loss counts as "
    "1: so hard and easy batches can be compared. Green is safe."
)


def words(preset: str, base: TrainConfig, config: TrainConfig) -> list[str]:
    """The command that tests the settings of a form."""
    found = [KIND, "--preset", preset, "--data", config.images.data]
    for change in forms.changes(config, base):
        if change.partition("=")[0] not in NO_PART:
            found += ["--set", change]
    return found


def show_button(command: Sequence[str] | None) -> None:
    """The button that starts the test of a command; greyed without one, or while one goes."""
    job = _shown_job()
    is_going = job is not None and job.status().is_alive
    clicked = st.button(
        "Find a learning rate",
        icon=":material/query_stats:",
        key="lr-test",
        disabled=command is None or is_going,
        width="stretch",
        help="Trains a new network with these settings for 50 steps, each with a larger rate, and "
        "sees where the loss falls. No run is made.",
    )
    if any(one.status.is_alive for one in overview.all_runs()):
        st.caption(
            ":material/hourglass_empty: A test does not wait for its turn: beside a run that "
            "trains, both are slow."
        )
    if clicked and command is not None and not is_going:
        with page.guard():
            job = jobs.start(KIND, command, title=_title(command), token=_token())
            learner.note(learner.JOB, job.id)
            _open(job)
            st.rerun()


def _title(command: Sequence[str]) -> str:
    """The settings that are tested: `quick on dsb2018, batch_size=4`."""
    changes = [word for word in command[5:] if word != "--set"]
    return ", ".join([f"{command[2]} on {command[4]}", *changes])


def _token() -> str:
    """Another one after each test: the second click of a double click gives the same test."""
    browser = st.session_state.setdefault("_lr-test-browser", secrets.token_hex(8))
    last = st.session_state.get("_lr-test-last", "")
    return hashlib.sha256(f"{browser} {last}".encode()).hexdigest()


def _open(job: Job) -> None:
    st.session_state["_lr-test-last"] = st.session_state["_lr-test"] = job.id
    st.query_params[LINK] = job.id


def _close() -> None:
    st.session_state.pop("_lr-test", None)
    st.query_params.pop(LINK, None)


def _shown_job() -> Job | None:
    """The test of the address, or the one that this browser looked at before."""
    name = st.query_params.get(LINK) or st.session_state.get("_lr-test")
    try:
        return jobs.find(name) if name else None
    except ValueError:
        return None


def show(place: DeltaGenerator, command: Sequence[str] | None, form: str) -> None:
    """The test that was started or is linked to, in `place`; nothing where there is none.

    `command` is that of the form as it stands, and `form` its key.
    """
    job = _shown_job()
    if job is None or job.kind != KIND:
        return
    st.query_params[LINK] = job.id
    status = job.status()
    with place.container(border=True), page.guard():
        _show_head(job, status)
        if command is not None and list(command) != job.words:
            st.caption(
                ":material/info: The form has other settings now: this rate is not for them."
            )
        if status.is_alive:
            st.fragment(_follow, run_every=TICK_SECONDS)(job)
        elif status.state == "finished":
            _show_result(job, job.result(), form)
        else:
            _show_bad_end(job, status)


def _show_head(job: Job, status: JobStatus) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("Learning-rate test", width="content", anchor=False)
        if status.is_alive:
            st.button("Stop", icon=":material/stop:", key="lr-test-stop", on_click=job.stop)
        else:
            st.button(
                "Close",
                icon=":material/close:",
                key="lr-test-close",
                type="tertiary",
                on_click=_close,
            )
    st.caption(plain(job.title))


@page.guard()
def _follow(job: Job) -> None:
    """Progress and the curve so far; called every second."""
    background.follow(job)
    _draw(range_chart.loss(_points(job), low=LOW, high=HIGH))
    st.caption("It goes on when you close the browser: come back with the link.")


def _points(job: Job) -> list[dict[str, Any]]:
    return records.read_rows(job.path / CURVE).rows


def _draw(option: range_chart.Option) -> None:
    st.echarts_chart(option, key="lr-test-chart", height=270, renderer="svg")


def _show_result(job: Job, result: dict[str, Any], form: str) -> None:
    from unet_core.training.range_test import show_rate  # imports torch

    found, lr = result["suggestion"], result["suggestion"]["lr"]
    sentence = f"{result['reason'][:1].upper()}{result['reason'][1:]}."
    if lr is None:
        st.warning(sentence, icon=":material/help:")
    _draw(
        range_chart.loss(
            result["points"],
            low=result["low"],
            high=result["high"],
            suggestion=found,
            diverged=result["diverged"],
        )
    )
    if lr is not None:
        is_used = st.session_state.get(f"{form}-lr") == lr
        st.button(
            f"{show_rate(lr)} is in the form" if is_used else f"Use {show_rate(lr)}",
            icon=":material/check:" if is_used else ":material/input:",
            type="primary",
            key="lr-test-use",
            disabled=is_used,
            on_click=takeover.offer,
            args=({"lr": lr},),
            kwargs={"source": SOURCE},
            width="stretch",
        )
        st.markdown(f"{sentence} Safe: {show_rate(found['low'])} to {show_rate(found['high'])}.")
    st.caption(READING)
    with st.popover("The same as a command", icon=":material/terminal:", type="tertiary"):
        st.code(job.command, language="bash", wrap_lines=True)


def _show_bad_end(job: Job, status: JobStatus) -> None:
    """Why there is no rate, and what was seen until then."""
    background.tell_bad_end(status, missing="there is no suggestion")
    if points := _points(job):
        _draw(range_chart.loss(points, low=LOW, high=HIGH))
