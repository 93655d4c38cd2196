"""What is said of a background job while it goes, and when it ended badly."""

import streamlit as st

from ui.shared import states, words
from unet_core.runs.jobs import Job, JobStatus


def follow(job: Job) -> None:
    """What is being done, how much of it, for how long and how long still; at the end the page runs
    once more.

    For a fragment that runs again and again.
    """
    status = job.status()
    if not status.is_alive:
        st.rerun()
    doing = status.doing[:1].upper() + status.doing[1:] if status.doing else "Starting"
    left = status.seconds_left
    about = f", about {words.duration(left)} left" if left and status.total else ""
    took = words.duration(status.seconds)
    st.progress(status.share, text=f"{words.plain(doing)} … {took}{about}")


def tell_bad_end(status: JobStatus, *, missing: str) -> None:
    """Why there is no result; `missing` says what: "there are no figures"."""
    if status.state == "stopped":
        st.info(f"It was stopped before it was done, so {missing}.")
    elif status.state == "lost":
        st.error(
            "Its process ended without a word: perhaps the computer was switched off, or memory "
            "ran out. Start it again.",
            icon=states.ICONS["lost"],
        )
    else:
        reason = words.plain(status.reason.rstrip("."))
        st.error(f"It failed: {reason}.", icon=states.ICONS["failed"])
