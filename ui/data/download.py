"""A data set that is not on this computer: its licence, the download, and the way by hand."""

from collections.abc import Callable

import streamlit as st

from ui.data import jobs
from ui.shared import page
from ui.shared.words import hide_folders
from unet_core.data import datasets
from unet_core.data.catalogue import DataSet

TICK_SECONDS = 0.5


def show(about: DataSet) -> None:
    """What the set is, under which licence, and a button that downloads it."""
    job = jobs.find(("download", about.name))
    with st.container(border=True):
        st.subheader("Not on this computer yet", anchor=False, icon=":material/download:")
        st.markdown(f"**Licence.** {about.licence}")
        if job and job.is_alive:
            # The browser asks again by itself, but only while something moves.
            st.fragment(show_progress, run_every=TICK_SECONDS)(job, job.cancel)
        else:
            _show_start(about, job)
        if not (job and job.error):  # whose sentence says the same
            st.caption(
                f"Without a connection: put {about.by_hand} into the folder `{about.name}` "
                "of the data folder (`UNET_DATA`, else `data`) and reload this page."
            )


def _show_start(about: DataSet, last: jobs.Job | None) -> None:
    if last and last.error:
        with page.guard():
            _show_failure(last.error)
    elif last and last.is_cancelled:
        st.info("Cancelled. What has arrived is kept: the next download goes on from there.")
    accepted = True
    if about.must_accept:
        accepted = st.checkbox(
            "I have read the licence and keep to it.",
            key=f"accepted-{about.name}",
            persist_state="page",  # also while the progress takes its place
        )
    st.button(
        "Download",
        icon=":material/download:",
        type="primary",
        key="download",
        disabled=not accepted,
        help=None if accepted else "Accept the licence first.",
        on_click=start,
        args=(about.name,),
    )


def _show_failure(error: Exception) -> None:
    from unet_core.data.download import DownloadError  # requests is not needed to look at data

    if not isinstance(error, DownloadError):
        raise error
    st.error(hide_folders(f"{error}."), icon=":material/cloud_off:")


def start(name: str) -> None:
    """Begin the download, or join the one under way. The caller has accepted the licence."""

    def fetch(report: jobs.Report) -> None:
        datasets.fetch(
            name,
            accept_licence=True,
            on_progress=lambda progress: report(progress.text, progress.share),
        )

    jobs.start(("download", name), fetch)


def show_progress(job: jobs.Job, cancel: Callable[[], None] | None = None) -> None:
    """A bar for a fragment that runs again and again; the page runs once more at the end."""
    if not job.is_alive:
        st.rerun()
    st.progress(job.share or 0.0, text=job.text or "Connecting …")
    if cancel:
        st.button("Cancel", icon=":material/close:", key="cancel", on_click=cancel)
