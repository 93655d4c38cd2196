"""All runs at a glance: one look a second serves everybody who uses the app."""

from pathlib import Path

import streamlit as st

from unet_core.base import folders
from unet_core.runs import overview, slots
from unet_core.runs.overview import Seen

OLDEST_SECONDS = 1.0


def all_runs() -> list[Seen]:
    """Every run with its state, the newest first; nobody may change the list.

    What a run reports may be a second old. One that was made, started or deleted is seen at once:
    that changes a folder, and a page that shows no living run does not look again by itself.
    """
    root = folders.runs()
    return _look(root.absolute(), *map(_last_change, (root, slots.queue(root))))


@st.cache_resource(ttl=OLDEST_SECONDS, max_entries=8, show_spinner=False)
def _look(root: Path, *changes: int) -> list[Seen]:
    return overview.look()


def _last_change(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
