"""Many images at once: choosing them, the work in the background, and what came out of each.

The address holds the batch (`batch=`) and the image of it that is opened (`open=FILE:PLANE`).
"""

import contextlib
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import streamlit as st

from ui.segment import controls, gallery
from ui.shared import background, cache, html, page, states, words
from ui.shared.cache import Treatment
from ui.shared.models import Model
from ui.shared.uploads import IMAGE_HELP, IMAGE_TYPES, Chosen
from unet_core.base import folders
from unet_core.base.config import Segmentation
from unet_core.data import datasets
from unet_core.imaging import images
from unet_core.imaging.stacks import Channel
from unet_core.predict.recipe import Recipe, where_tuned
from unet_core.runs import batches
from unet_core.runs.batches import Batch
from unet_core.runs.jobs import JobStatus

TICK_SECONDS = 1.0
UPLOAD, FOLDER = "Upload", "Folder on the server"
MOST_FOLDERS = 500
CHANNELS: dict[str, Channel | None] = {
    "grey mix": "grey",
    "red, or the first": 0,
    "green, or the second": 1,
    "blue, or the third": 2,
    "the fourth": 3,
}
_SEEN = "_batch"  # whose settings the controls have taken


# Which batch and image the address names ----------------------------------------------------------


def read_address() -> Batch | None:
    """The batch that the address names; the controls take its settings when it is seen first."""
    asked = st.query_params.get("batch", "")
    if not asked:
        return None
    try:
        batch = batches.find(asked)
        recipe = batch.recipe
    except ValueError:
        st.warning(
            f"There are no many images “{words.plain(asked[:80])}”: they were deleted, or the link "
            "is incomplete.",
            icon=":material/link_off:",
        )
        return None
    if st.session_state.get(_SEEN) != batch.id:
        # A link may bring other thresholds.
        settings = recipe.segmentation.to_dict()
        _take({name: one for name, one in settings.items() if name not in st.query_params}, batch)
    return batch


def _take(settings: dict[str, object], batch: Batch) -> None:
    st.session_state.update({**settings, _SEEN: batch.id})


def opened() -> str:
    """The image that is opened, as the address holds it; empty for none."""
    return st.query_params.get("open", "")


def is_image_open() -> bool:
    """Whether one image of a batch is opened, and not all of them are shown."""
    return bool(st.query_params.get("batch") and opened())


def close() -> None:
    """Back from one image to all of its batch."""
    st.query_params.pop("open", None)


def read_image(batch: Batch) -> Chosen:
    """The image that is opened. Raises ValueError where it cannot be read any more."""
    name, _, plane = opened().rpartition(":")
    row = batch.results.rows().get((name, int(plane) if plane.isdecimal() else -1))
    if row is None:
        raise ValueError(f"There is no image {opened()!r} among these.")
    plan = batch.results.plan()
    is_stack = int(row["planes"] or 0) > 1
    picture, data = gallery.read_picture(plan, row)
    notes = (f"{name}, plane {row['plane']} of {row['planes']}" if is_stack else name,)
    return Chosen(
        stem=Path(name).stem,
        file=Path(name).name,
        file_sha256=images.sha256(data),
        source=data,
        pixels_HW=picture.pixels,
        pixels_sha256=datasets.pixel_hash(picture.pixels),
        pixel_size_um=picture.pixel_size_um,
        plane=int(row["plane"]) if is_stack else None,
        channel=plan.recipe.channel,  # type: ignore[arg-type]  # the recipe has checked it
        notes=(*notes, *picture.notes),
    )


# The page -----------------------------------------------------------------------------------------


def show(model: Model | None, treatment: Treatment) -> None:
    """Settings on the left; a new batch, or the one that the address names, on the right."""
    batch = read_address()
    if batch is not None:
        _show_batch(batch)
        return
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
        st.session_state[_SEEN] = batch.id  # the controls hold its settings already
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


def _leave() -> None:
    for name in ("batch", "open"):
        st.query_params.pop(name, None)


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
    close()
    with contextlib.suppress(ValueError):  # the page says that it is not there
        _take(batch.recipe.segmentation.to_dict(), batch)


def _describe(batch: Batch) -> dict[str, object]:
    status = _status(batch)
    text = f"{100 * status.share:.0f} %" if status.is_alive else status.reason
    return {
        "State": [status.state],
        "Images": batch.title,
        "Progress": text,
        "Started": time.strftime("%d %b %H:%M", time.localtime(batch.created)),
        "Open": "Open",
    }


def _status(batch: Batch) -> JobStatus:
    job = batch.job()
    return job.status() if job else JobStatus(state="stopped")


# One batch ----------------------------------------------------------------------------------------


def _show_batch(batch: Batch) -> None:
    status, recipe = _status(batch), batch.recipe
    _show_head(batch, status, recipe)
    left, right = html.beside(3.4)
    with left, page.guard():
        _show_settings(batch, status, recipe)
    # Places of their own: the gallery must not move, and so stand there twice, when the work ends.
    above, below = right.container(), right.container()
    with above, page.guard():
        if status.is_alive:
            # The browser asks again every second, but only while something moves.
            st.fragment(_show_progress, run_every=TICK_SECONDS)(batch)
        elif status.state != "finished":
            _show_end(batch, status)
    with below, page.guard():
        if batch.results.exists():
            gallery.show(batch)


def _show_head(batch: Batch, status: JobStatus, recipe: Recipe) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.button(":material/arrow_back: Many images", key="leave-batch", on_click=_leave)
            st.subheader(words.plain(batch.title), width="content", anchor=False)
            states.badge(status.state)
            st.caption(f"by {words.plain(recipe.model)}", width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if status.is_alive:
                st.button("Pause", icon=":material/pause:", key="pause", on_click=batch.pause)
            label = "Cancel …" if status.is_alive else "Delete …"
            with st.popover(label, icon=":material/delete:", key="delete-question"):
                st.markdown("Delete these results, and the images that were uploaded for them?")
                if st.button("Delete for good", key="delete", type="primary"):
                    with page.guard(), st.spinner("Ending the work …"):
                        batch.delete()
                        _leave()
                        st.rerun()


@page.guard()
def _show_progress(batch: Batch) -> None:
    job = batch.job()
    if job is None:
        st.rerun()
    background.follow(job)
    st.caption("It goes on when you close the browser: come back with the link to this page.")


def _show_end(batch: Batch, status: JobStatus) -> None:
    """Why it is not finished, and how to go on."""
    if status.state == "stopped":
        st.info("Paused. What is finished is kept, and Resume goes on after it.")
    else:
        background.tell_bad_end(status, missing="some images are not finished")
    if st.button("Resume", icon=":material/play_arrow:", key="resume", type="primary"):
        batch.start()
        st.rerun()


def _show_settings(batch: Batch, status: JobStatus, recipe: Recipe) -> None:
    """The thresholds, with a button that moves them for all."""
    if batch.results.exists():
        config = batch.results.plan().config
    else:
        config = cache.model_config(recipe.model)
    place = st.container()  # in view, whatever the settings' height
    options, _ = controls.draw(Model(recipe.model, recipe.model_sha256, config), has_truth=False)
    if place.button(
        "Re-label all",
        icon=":material/refresh:",
        key="relabel",
        type="primary",
        disabled=status.state != "finished" or options == recipe.segmentation,
        help="Makes the objects of all images anew by these settings, from the stored "
        "probabilities, without the network. For when all are finished, and a setting has changed.",
        width="stretch",
    ):
        batch.relabel(options)
        st.rerun()
