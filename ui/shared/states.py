"""How the states of runs and jobs look: one colour and one icon each, on every page."""

from typing import Any

import streamlit as st

# The badge's colour of a state, as Streamlit names it.
COLORS = {
    "queued": "gray",
    "running": "blue",
    "finished": "green",
    "stopped": "orange",
    "failed": "red",
    "lost": "red",
}
ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/play_arrow:",
    "finished": ":material/check:",
    "stopped": ":material/stop:",
    "failed": ":material/error:",
    "lost": ":material/link_off:",
}


def badge(state: str) -> None:
    """A state as a badge."""
    st.badge(state, color=COLORS[state], icon=ICONS[state])  # type: ignore[arg-type]


def column() -> Any:
    """The column of a table that holds states, each cell a list of one."""
    return st.column_config.MultiselectColumn(
        options=list(COLORS), color=list(COLORS.values()), width="small"
    )
