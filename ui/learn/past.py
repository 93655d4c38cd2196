"""Whose runs and evaluations count: this browser's, or on request everybody's."""

import streamlit as st

from ui.learn.progress import Past
from ui.shared import learner, overview
from unet_core.runs import jobs

HELP = (
    "Off: only what this browser has started counts. On: every run and evaluation on this computer "
    "does, also those of the command line and of other people."
)


def choose() -> Past:
    """What counts for the ticks and figures; a toggle, kept in the address, widens it."""
    st.toggle("Count all runs on this computer", key="all", bind="query-params", help=HELP)
    return read()


def read() -> Past:
    """The runs and jobs that count, as they are now, and the steps opened and ticked."""
    is_wide = st.session_state["all"]
    runs, own_jobs = learner.noted(learner.RUN), learner.noted(learner.JOB)
    return Past(
        runs=tuple(one for one in overview.all_runs() if is_wide or one.run.id in runs),
        jobs=tuple(job for job in jobs.list_jobs() if is_wide or job.id in own_jobs),
        opened=frozenset(learner.noted(learner.OPENED)),
        ticked=frozenset(learner.noted(learner.TICK)),
    )
