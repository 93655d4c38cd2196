"""Evaluations in the background: a table to open them again, and one as it goes on or has ended."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import background, learner, page, states, words
from unet_core.runs import jobs
from unet_core.runs.jobs import Job, JobStatus

TICK_SECONDS = 1.0
PER_PAGE = 20
ALL = ":material/arrow_back: All evaluations"

Show = Callable[[Job, dict[str, Any]], None]


def start(kind: str, words: Sequence[str], *, title: str, token: str) -> None:
    """Start a job (the same token gives the same one) and open it; ends this run of the page."""
    job = jobs.start(kind, list(words), title=title, token=token)
    learner.note(learner.JOB, job.id)
    open_job(job.id)
    st.rerun()


def open_job(job_id: str) -> None:
    """Show this job on the next run of the page."""
    st.query_params["job"] = job_id


def leave() -> None:
    """Back to the forms."""
    st.query_params.pop("job", None)


def show(job_id: str, results: Mapping[str, Show]) -> None:
    """The job of a link; `results` draws what came out, for each kind of job."""
    try:
        job = jobs.find(job_id)
    except ValueError:
        st.warning(
            f"There is no evaluation “{words.plain(job_id[:80])}”: it was deleted, or the link is "
            "incomplete. Its figures come back when it is started again.",
            icon=":material/link_off:",
        )
        st.button(ALL, on_click=leave, key="leave")
        return
    status = job.status()
    _show_head(job, status)
    if status.is_alive:
        # The browser asks again every second, but only while something moves.
        st.fragment(_show_progress, run_every=TICK_SECONDS)(job)
        return
    if status.state != "finished":
        _show_bad_end(job, status)
        return
    result = _read_result(job)
    if result is None:
        st.error(
            "Its result cannot be read: delete it and start it again.", icon=":material/error:"
        )
    elif job.kind not in results:
        st.info("This job does not belong to this page: open it where it was started.")
    else:
        results[job.kind](job, result)


def _read_result(job: Job) -> dict[str, Any] | None:
    try:
        return job.result()
    except ValueError:
        return None


def _show_head(job: Job, status: JobStatus) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.button(ALL, on_click=leave, key="leave")
            st.subheader(words.plain(job.title or job.id), width="content", anchor=False)
            states.badge(status.state)
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            with st.popover("The same as a command", icon=":material/terminal:", type="tertiary"):
                st.code(job.command, language="bash", wrap_lines=True)
            if status.is_alive:
                st.button("Stop", icon=":material/stop:", key="stop", on_click=job.stop)
            else:
                _offer_deleting(job)


def _offer_deleting(job: Job) -> None:
    with st.popover("Delete …", icon=":material/delete:", key="delete-question"):
        st.markdown("Delete these figures? The model stays, and the command can be run again.")
        if st.button("Delete for good", key="delete", type="primary"):
            with page.guard():
                job.delete()
                leave()
                st.rerun()


@page.guard()
def _show_progress(job: Job) -> None:
    background.follow(job)
    st.caption(
        "It goes on when you close the browser: come back with the link, or from the list of "
        "all evaluations."
    )


def _show_bad_end(job: Job, status: JobStatus) -> None:
    """Why there are no figures, and what to do."""
    background.tell_bad_end(status, missing="there are no figures")
    token = f"again-{job.id}"
    if st.button("Start again", icon=":material/replay:", key="again", type="primary"):
        with page.guard():
            start(job.kind, job.words, title=job.title, token=token)
    if log := job.log().strip():
        with st.expander("Log"):
            st.code(words.hide_folders(log[-4000:]), language=None, wrap_lines=True)


def show_all(kind: str, headline: Callable[[dict[str, Any]], str]) -> None:
    """The jobs of a kind as a table, the newest first; `headline` is the figure of a result."""
    st.subheader("So far", anchor=False)
    found = jobs.list_jobs(kind)
    if not found:
        st.info(
            "None yet. Each one is kept here with its figures until somebody deletes it, to open "
            "again or to send to somebody as a link.",
            icon=":material/history:",
        )
        return
    alive = any(job.status().is_alive for job in _page(found, kind))
    st.fragment(_show_table, run_every=TICK_SECONDS if alive else None)(kind, alive, headline)


def _page(found: list[Job], kind: str) -> list[Job]:
    """The jobs of the page that was chosen, or of the last one where some were deleted."""
    number = min(st.session_state.get(f"page-{kind}", 1), _count_pages(found))
    return found[(number - 1) * PER_PAGE : number * PER_PAGE]


def _count_pages(found: list[Job]) -> int:
    return max(1, -(-len(found) // PER_PAGE))


@page.guard()
def _show_table(kind: str, was_alive: bool, headline: Callable[[dict[str, Any]], str]) -> None:
    if "job" in st.query_params:  # one was opened: a fragment's button runs the fragment alone
        st.rerun()
    every, key = jobs.list_jobs(kind), f"page-{kind}"
    if (n_pages := _count_pages(every)) > 1:
        if st.session_state.get(key, 1) > n_pages:
            st.session_state[key] = n_pages
        st.pagination(n_pages, key=key)
    found = _page(every, kind)
    statuses = [job.status() for job in found]
    if any(status.is_alive for status in statuses) != was_alive:
        st.rerun()
    ids = tuple(job.id for job in found)
    config = st.column_config
    st.dataframe(
        pd.DataFrame(
            [_row(job, status, headline) for job, status in zip(found, statuses, strict=True)]
        ),
        # Rows are chosen by their place: with another list, another table.
        key=f"jobs-{hashlib.sha256(repr(ids).encode()).hexdigest()[:12]}",
        hide_index=True,
        placeholder="–",
        column_config={
            "State": states.column(),
            "Open": config.ButtonColumn(
                "",
                type="tertiary",
                width="small",
                key=f"open-{kind}",
                on_click=_open_row,
                args=(f"open-{kind}", ids),
            ),
        },
    )


def _open_row(key: str, ids: tuple[str, ...]) -> None:
    """Open the job whose button was pressed, of those that the table showed then."""
    open_job(ids[st.session_state[key]["row"]])


def _row(job: Job, status: JobStatus, headline: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    result = _read_result(job) if status.state == "finished" else None
    if status.is_alive:
        text = f"{100 * status.share:.0f} %, {status.doing}" if status.total else status.doing
    else:
        text = headline(result) if result else status.reason
    return {
        "State": [status.state],
        "What": job.title,
        "Result": text,
        "Took": words.duration(status.seconds or None),
        "Started": time.strftime("%d %b %H:%M", time.localtime(job.created)),
        "Open": "Open",
    }
