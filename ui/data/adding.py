"""Somebody's own images become a data set: choose files, look at the pairs, divide, add.

Nothing is stored before the last step. What was found is kept in the session, for reading hundreds
of files takes seconds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from ui.data import adding_form, own_set
from ui.shared import page
from unet_core.base import folders
from unet_core.data import importing, sources
from unet_core.data.importing import Plan
from unet_core.data.sources import Files

MOST_PLACES = 1000  # folders and zips on the server to choose from
UPLOADS, FOLDER, SERVER = "Files or a zip", "A folder", "A folder on the server"
SAME = "in the same place"
PAIRS_HELP = """
Labels belong to an image when they have

- the same name, or that name and `_mask`, `_masks`, `_label`, `_labels`, `-labels` or `_gt`;
- the same name in a folder `masks` or `labels` beside a folder `images`;
- a folder for each image with `images` and `masks` in it, a mask for each object (Kaggle's layout).

Outlines are labels, too: a zip of ImageJ's ROIs or a GeoJSON of QuPath named as its image, or one
COCO file for all images.

Folders called `train`, `val` and `test` are taken for splits. A label image gives every object
its own number; a mask of two values, or colours that mean classes, are recognised, too.
"""


def show() -> None:
    """All of it, from the files to the button, and what was deleted before."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("Add a data set of your own", anchor=False)
        st.button("Back to the data sets", icon=":material/arrow_back:", on_click=leave, key="back")
    with page.guard():
        plan = _choose_plan()
        if plan is not None:
            key = st.session_state["_plan"][0]
            adding_form.show_plan(plan, key)
            st.divider()
            if added := adding_form.show_form(plan):
                leave()
                own_set.tell(added=added)
    with page.guard():
        own_set.show_trash()


def is_open() -> bool:
    """Whether the address asks for this, instead of a set."""
    return st.query_params.get("add") == "1"


def enter() -> None:
    """Ask for it; for a button's click."""
    st.query_params["add"] = "1"


def leave() -> None:
    """Back to the sets; for a button's click. What was found is forgotten."""
    st.query_params.pop("add", None)
    st.session_state.pop("_plan", None)


# --- where from ----------------------------------------------------------------------------------


def _choose_plan() -> Plan | None:
    """What was found in the files that somebody chose; None while nothing is chosen."""
    root = folders.imports()
    places = [UPLOADS, FOLDER, *([SERVER] if root else [])]
    place = st.segmented_control(
        "Your images are in",
        places,
        default=UPLOADS,
        required=True,
        key="add_from",
        help=PAIRS_HELP,
    )
    if place == SERVER and root is not None:
        return _choose_on_server(root)
    st.caption(
        "PNG, JPEG or TIFF, grey or colour (colour images are brought to grey), up to "
        f"{st.get_option('server.maxUploadSize')} MB for each file. They go to the computer that "
        "this app runs on, and nowhere else."
    )
    if place == FOLDER:
        files = st.file_uploader(
            "The folder with images and labels",
            accept_multiple_files="directory",
            key="add_folder",
            help=PAIRS_HELP,
        )
        return _remember(files, []) if files else None
    left, right = st.columns(2)
    with left:
        files = st.file_uploader(
            "Images, or one zip with images and labels",
            accept_multiple_files=True,
            key="add_images",
            help=PAIRS_HELP,
        )
    with right:
        labels = st.file_uploader(
            "Their labels, where they are not among them",
            accept_multiple_files=True,
            key="add_labels",
            help=PAIRS_HELP,
        )
    return _remember(files, labels) if files else None


def _remember(files: list[Any], labels: list[Any]) -> Plan:
    key = tuple(tuple(one.file_id for one in some) for some in (files, labels))

    def open_all() -> tuple[Files, Files | None]:
        found = [
            sources.of_uploads({one.name: one.getvalue() for one in some})
            for some in (files, labels)
        ]
        return found[0], found[1] if labels else None

    return _look(key, open_all)


def _choose_on_server(root: Path) -> Plan | None:
    found = _places(root)
    if not found:
        st.info(
            "There is no folder and no zip in the place that this server allows (`UNET_IMPORT`)."
        )
        return None
    left, right = st.columns(2)
    with left:
        chosen = st.selectbox("Folder or zip", found, index=None, key="add_place")
    with right:
        labels = st.selectbox("Its labels are", [SAME, *found], key="add_place_labels")
    if chosen is None:
        return None
    key = (chosen, labels, _last_change(root / chosen))
    return _look(
        key,
        lambda: importing.open_paths(
            root / chosen, None if labels == SAME else root / labels, within=root
        ),
    )


def _places(root: Path) -> list[str]:
    """Folders and zips in the allowed folder, two levels deep; nothing hidden, no links."""
    found = []
    for pattern in ("*", "*/*"):
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            is_hidden = any(part.startswith(".") for part in name.split("/"))
            if not is_hidden and (path.is_dir() or path.suffix.lower() == ".zip"):
                found.append(name)
    return sorted(found)[:MOST_PLACES]


def _last_change(path: Path) -> int:
    return path.stat().st_mtime_ns


def _look(key: object, open_all: Callable[[], tuple[Files, Files | None]]) -> Plan:
    """The plan for these files; looked at once, with a bar that says how far it is."""
    known = st.session_state.get("_plan")
    if known is not None and known[0] == key:
        return known[1]
    st.session_state.pop("_plan", None)
    with adding_form.bar("Looking at image") as tell:
        plan = importing.look(*open_all(), on_progress=tell)
    st.session_state["_plan"] = (key, plan)
    for field in ("add_kind", "add_take", "add_leave", "add_page"):  # those were for other files
        st.session_state.pop(field, None)
    return plan
