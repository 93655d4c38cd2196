"""Many images at once: choosing them, and the list of all batches so far."""

import contextlib
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import streamlit as st

from ui.segment import controls, opened, whole
from ui.shared import html, page, states, words
from ui.shared.cache import Treatment
from ui.shared.models import Model
from ui.shared.uploads import IMAGE_HELP, IMAGE_TYPES
from unet_core.base import folders
from unet_core.base.config import Segmentation
from unet_core.imaging.stacks import Channel
from unet_core.predict.recipe import Recipe, where_tuned
from unet_core.runs import batches
from unet_core.runs.batches import Batch

UPLOAD, FOLDER = "Upload", "Folder on the server"
MOST_FOLDERS = 500
CHANNELS: dict[str, Channel | None] = {
    "grey mix": "grey",
    "red, or the first": 0,
    "green, or the second": 1,
    "blue, or the third": 2,
    "the fourth": 3,
}


def show(model: Model | None, treatment: Treatment) -> None:
    """Settings on the left; a new batch, or the one that the address names, on the right."""
    batch = opened.read_address()
    if batch is not None:
        whole.show(batch)
        return
    if asked := st.query_params.get("batch"):
        st.warning(
            f"There are no many images “{words.plain(asked[:80])}”: they were deleted, or the link "
            "is incomplete.",
            icon=":material/link_off:",
        )
    left, right = html.beside(3.4)
    if model is not None:
        with left:
            options, _ = controls.draw(model, has_truth=False)
        with right, page.guard():
            _show_form(model, treatment, options)
    with right, page.guard():
        _show_all()


def _show_form(model: Model, treatment: Treatment, options: Segmentation) -> None:
    st.subheader("Many images at once", anchor=False)
    root, kind = folders.imports(), UPLOAD
    if root is not None:
        kind = st.segmented_control(
            "From", (UPLOAD, FOLDER), default=UPLOAD, required=True, key="many_from"
        )
    files, folder, recursive = [], None, False
    if root is None or kind == UPLOAD:
        files = st.file_uploader(
            "Images, or zips of them",
            [*IMAGE_TYPES, "zip"],
            accept_multiple_files=True,
            key="many_files",
            help=f"{IMAGE_HELP} Of a stack, all planes are segmented.",
        )
    else:
        folder = st.selectbox(
            "Folder",
            list_folders(root),
            index=None,
            key="many_folder",
            help="Folders that this server offers. The images stay where they are.",
        )
        recursive = st.checkbox("With its subfolders", key="many_recursive")
    channel = st.selectbox(
        "Channel of colour images",
        list(CHANNELS),
        key="many_channel",
        width=260,
        help="Images with one channel are taken as they are.",
    )
    if st.button(
        "Segment all",
        icon=":material/play_arrow:",
        type="primary",
        key="many_start",
        disabled=not (files or folder),
    ):
        recipe = Recipe(
            files=(),
            files_sha256=(),
            model=model.name,
            model_sha256=model.sha256,
            segmentation=options,
            tuned_on=where_tuned(model.config, options),
            channel=CHANNELS[channel],
            **asdict(treatment),
        )
        with st.spinner("Storing the images …"):
            if folder:
                batch = batches.of_folder(folder, recipe, recursive=recursive)
            else:
                batch = batches.of_uploads(((one.name, one.getvalue()) for one in files), recipe)
        batch.start()
        st.query_params["batch"] = batch.id
        st.session_state[opened.SEEN] = batch.id  # the controls hold its settings already
        st.rerun()
    st.caption(
        "The work goes on in the background when you close the browser. A file that cannot be read "
        "is named, and the others go on. Thresholds can be moved for all afterwards."
    )


def list_folders(root: Path) -> list[str]:
    """Folders below the one that the server allows, two levels deep, by their paths from it."""
    root = root.resolve()
    found = [
        path.relative_to(root).as_posix()
        for pattern in ("*", "*/*")
        for path in root.glob(pattern)
        if path.is_dir() and path.resolve() == path  # behind no link
    ]
    return sorted(one for one in found if not one.startswith(".") and "/." not in one)[
        :MOST_FOLDERS
    ]


def _show_all() -> None:
    """Every batch, the newest first."""
    found = batches.list_batches()
    if not found:
        return
    st.subheader("So far", anchor=False)
    table = pd.DataFrame([_describe(batch) for batch in found])
    config = st.column_config
    st.dataframe(
        table,
        key=f"batches-{found[0].id}-{len(found)}",  # rows are chosen by their place
        hide_index=True,
        column_config={
            "State": states.column(),
            "Open": config.ButtonColumn(
                "",
                type="tertiary",
                width="small",
                key="open-batch",
                on_click=_open_row,
                args=(tuple(batch.id for batch in found),),
            ),
        },
    )


def _open_row(ids: tuple[str, ...]) -> None:
    """Open the batch whose button was pressed, with its settings in the controls."""
    batch = batches.Batch(batches.folder() / ids[st.session_state["open-batch"]["row"]])
    st.query_params["batch"] = batch.id
    opened.close()
    with contextlib.suppress(ValueError):  # the page says that it is not there
        opened.take_settings(batch, batch.recipe.segmentation.to_dict())


def _describe(batch: Batch) -> dict[str, object]:
    status = whole.status_of(batch)
    text = f"{100 * status.share:.0f} %" if status.is_alive else status.reason
    return {
        "State": [status.state],
        "Images": batch.title,
        "Progress": text,
        "Started": time.strftime("%d %b %H:%M", time.localtime(batch.created)),
        "Open": "Open",
    }
