"""A data set that is not on this computer: its licence, the download, and the way by hand."""

import streamlit as st

from ui.shared import background, page
from ui.shared.words import hide_folders
from unet_core.data.catalogue import DataSet
from unet_core.runs import jobs
from unet_core.runs.jobs import Job, JobStatus

KIND = "download"
TICK_SECONDS = 0.5


def words(name: str) -> list[str]:
    """The command that downloads a set whose licence was accepted."""
    return ["data", "fetch", name, "--accept-licence"]


def show(about: DataSet) -> None:
    """What the set is, under which licence, and a button that downloads it."""
    job = jobs.latest(KIND, words(about.name))
    status = job.status() if job else None
    with st.container(border=True):
        st.subheader("Not on this computer yet", anchor=False, icon=":material/download:")
        st.markdown(f"**Licence.** {about.licence}")
        if job and status and status.is_alive:
            # The browser asks again by itself, but only while something moves.
            st.fragment(_show_progress, run_every=TICK_SECONDS)(job)
        else:
            _show_start(about, status)
        if not (status and status.state == "failed"):  # whose sentence says the same
            st.caption(
                f"Without a connection: put {about.by_hand} into the folder `{about.name}` "
                "of the data folder (`UNET_DATA`, else `data`) and reload this page."
            )


def _show_progress(job: Job) -> None:
    background.follow(job)
    st.button("Cancel", icon=":material/close:", key="cancel", on_click=job.stop)


def _show_start(about: DataSet, last: JobStatus | None) -> None:
    if last and last.state == "stopped":
        st.info("Cancelled. What has arrived is kept: the next download goes on from there.")
    elif last and last.state == "failed":
        # Its sentence is ours, and names the place where the files are.
        st.error(hide_folders(f"{last.reason.rstrip('.')}."), icon=":material/cloud_off:")
    elif last and last.state == "lost":
        background.tell_bad_end(last, missing="the set is not here")
    accepted = True
    if about.must_accept:
        accepted = st.checkbox(
            "I have read the licence and keep to it.",
            key=f"accepted-{about.name}",
            persist_state="page",  # also while the progress takes its place
        )
    clicked = st.button(
        "Download",
        icon=":material/download:",
        type="primary",
        key="download",
        disabled=not accepted,
        help=None if accepted else "Accept the licence first.",
    )
    if clicked:
        with page.guard():
            jobs.join(KIND, words(about.name), title=f"Download of {about.name}")
            st.rerun()
