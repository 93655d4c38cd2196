"""One batch of many images: how far it is, its settings for all, and what came out."""

import streamlit as st

from ui.segment import controls, gallery, opened
from ui.shared import background, cache, html, page, states, words
from ui.shared.models import Model
from unet_core.predict.recipe import Recipe
from unet_core.runs.batches import Batch
from unet_core.runs.jobs import JobStatus

TICK_SECONDS = 1.0


def status_of(batch: Batch) -> JobStatus:
    """How far its job is; one without a job is stopped."""
    job = batch.job()
    return job.status() if job else JobStatus(state="stopped")


def show(batch: Batch) -> None:
    """Its state, the settings to move for all on the left, and what came out on the right."""
    status, recipe = status_of(batch), batch.recipe
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
            st.button(":material/arrow_back: Many images", key="leave-batch", on_click=opened.leave)
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
                        opened.leave()
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
