"""The weight map of one label image: heights, distances and weights along a line."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ui.data import weight_pictures
from ui.data.sample import choose_sample
from ui.data.weight_pictures import Formula, Labels, heaviest
from ui.shared import cache, forms, html, page, takeover
from ui.shared.uploads import STAYS, TRUTH_HELP, TRUTH_TYPES, choose_plane, file_name
from ui.shared.words import plain
from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.data.catalogue import DataSet
from unet_core.imaging import images, weight_map

SOURCES = ("Sample", "Upload")
LINES = ("Row", "Column", "Two points")
REACH = 40  # pixels: half of a slanting line, at first

EQUATION = r"w(x) = w_c(x) + w_0 \exp\left(-\frac{(d_1 + d_2)^2}{2\sigma^2}\right)"
ABOUT = (
    "How much a pixel counts in the loss. Where two objects are close, the background between them "
    "counts most, so that the network learns to keep them apart: $d_1$ and $d_2$ are the distances "
    "from a background pixel to the nearest and to the second nearest object "
    "(Ronneberger et al. 2015, equation 2)."
)
BALANCE_HELP = (
    "Divides by how frequent background and objects are, so that both count alike. A training "
    "counts the pixels of all its images, here it is this one."
)
NO_OBJECTS = "There is no object here, so there is no gap either: the border term is 0 everywhere."
ONE_OBJECT = (
    "There is one object, and the border term needs two: without a second nearest object there is "
    "no gap to keep open, so it is 0 everywhere."
)
CLASSES = (
    "The labels of {title} are classes, not single objects, so nobody knows which of them touch: "
    "the border term, and with it the weight map, needs objects. Choose another data set, or "
    "upload a label image."
)


@st.fragment
def show(about: DataSet, split: str, names: list[str]) -> None:
    """Labels, weight map and the profile along a line; only this runs again for a slider."""
    with page.guard():
        labels = _choose_labels(about, split, names)
        if labels is None:
            return
        controls, right = html.beside(2.4)
        with controls:
            formula, is_balanced = _choose_formula(labels.labels_HW)
        weights_HW, seconds = _make(labels.labels_HW, formula)
        with controls:
            start, stop = _choose_line(labels, weights_HW)
            _offer(labels, formula, is_balanced)
        profile = weight_map.profile(
            labels.labels_HW, start, stop, formula.w0, formula.sigma,
            class_weights=formula.class_weights,
        )  # fmt: skip
        with right:
            for note in (*labels.notes, explain(labels.labels_HW)):
                if note:
                    st.info(note, icon=":material/info:")
            weight_pictures.show(labels, weights_HW, formula, seconds, (start, stop))
            weight_pictures.show_profile(profile, formula)


def _choose_labels(about: DataSet, split: str, names: list[str]) -> Labels | None:
    """The label image; None, with a sentence, where there is none."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with row:
        source = st.segmented_control(
            "Label image",
            SOURCES,
            default=SOURCES[0],
            required=True,
            key="labels_from",
            bind="query-params",
        )
    if source == "Upload":
        return _upload()
    if about.labels == "classes":
        st.info(CLASSES.format(title=plain(about.title)), icon=":material/info:")
        return None
    with row:
        sample = choose_sample(about, names)
    found = datasets.load(about.name, split, sample)
    if found.labels_HW is None:
        st.info(
            "Nobody has labelled this image, so it has no weights: choose one of the training "
            "images.",
            icon=":material/info:",
        )
        return None
    return Labels(f"{about.name} {sample}", found.labels_HW, about.name)


def _upload() -> Labels | None:
    file = st.file_uploader(
        "A label image: PNG or TIFF", TRUTH_TYPES, key="labels_file", help=TRUTH_HELP
    )
    st.caption(STAYS)
    if file is None:
        return None
    data = file.getvalue()
    sha256 = images.sha256(data)
    plane = choose_plane(cache.uploaded(data, sha256))
    truth = cache.uploaded_truth(data, sha256, plane)
    return Labels(Path(file_name(file.name)).stem, truth.labels_HW, None, truth.notes)


def _choose_formula(labels_HW: np.ndarray) -> tuple[Formula, bool]:
    st.latex(EQUATION)
    st.caption(ABOUT)
    w0, sigma = (
        forms.draw(
            TrainConfig,
            name,
            TrainConfig().get(name),
            key=name,
            is_live=True,
            bind="query-params",
            label=label,
        )
        for name, label in (("w0", "Height w0"), ("sigma", "Width σ (px)"))
    )
    is_balanced = st.toggle(
        "Balance the classes", key="balance", bind="query-params", help=BALANCE_HELP
    )
    share = float(np.mean(labels_HW > 0))
    weights = (1.0, 1.0)
    if is_balanced:
        background, inside = weight_map.balance((1 - share, share))
        weights = (background, inside)
    st.caption(
        f"$w_c$: background **{weights[0]:.3g}**, objects **{weights[1]:.3g}** "
        f"({100 * share:.1f} % of the pixels)"
    )
    return Formula(w0, sigma, weights), is_balanced


def _make(labels_HW: np.ndarray, formula: Formula) -> tuple[np.ndarray, float]:
    """The weight map and the seconds that it took when it was made."""
    key = (datasets.pixel_hash(labels_HW), formula)

    def make() -> tuple[np.ndarray, float]:
        with st.spinner("Making the weight map …", show_time=True):
            start = time.perf_counter()
            weights_HW = weight_map.weight_map(
                labels_HW, formula.w0, formula.sigma, class_weights=formula.class_weights
            )
            return weights_HW, time.perf_counter() - start

    return cache.shelf("weights").get(key, make)


def _choose_line(labels: Labels, weights_HW: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two ends, (row, column) each; at first through the heaviest pixel of the image."""
    kind = st.segmented_control(
        "Profile along",
        LINES,
        default=LINES[0],
        required=True,
        key="line",
        bind="query-params",
    )
    rows, columns = weights_HW.shape
    row, column = heaviest(labels.labels_HW, weights_HW)
    start, stop = through(row, column, weights_HW.shape)
    if st.session_state.setdefault("_line_of", labels.name) != labels.name:
        st.session_state["_line_of"] = labels.name
        for key in ("row", "column", "row1", "column1", "row2", "column2"):
            st.session_state.pop(key, None)
    if kind == "Row":
        at = _slide("Row", "row", rows, row)
        return (at, 0), (at, columns - 1)
    if kind == "Column":
        at = _slide("Column", "column", columns, column)
        return (0, at), (rows - 1, at)
    left, right = st.columns(2, gap="small")
    with left:
        start = (
            _slide("From row", "row1", rows, start[0]),
            _slide("From column", "column1", columns, start[1]),
        )
    with right:
        stop = (
            _slide("To row", "row2", rows, stop[0]),
            _slide("To column", "column2", columns, stop[1]),
        )
    return start, stop


def through(
    row: int, column: int, shape: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The ends of a slanting line through a pixel, as far as the image goes."""
    before = min(REACH, row, column)
    after = min(REACH, shape[0] - 1 - row, shape[1] - 1 - column)
    return (row - before, column - before), (row + after, column + after)


def _slide(label: str, key: str, length: int, first: int) -> int:
    if length < 2:
        return 0
    if st.session_state.get(key, 0) >= length:
        del st.session_state[key]
    return st.slider(label, 0, length - 1, first, 1, key=key, bind="query-params")


def _offer(labels: Labels, formula: Formula, is_balanced: bool) -> None:
    if st.button("Use w0 and σ in training", icon=page.icon("train"), key="use_weights"):
        takeover.offer(
            changes(formula, is_balanced), source="the weight-map explorer", data=labels.data
        )
        st.session_state["_used_weights"] = changes(formula, is_balanced)
    if st.session_state.get("_used_weights") == changes(formula, is_balanced):
        page.link("train", label="Taken over: go on to Train", icon=page.icon("train"))


def changes(formula: Formula, is_balanced: bool) -> dict[str, Any]:
    """What training takes over; the class weights themselves come from its own images."""
    found = {"weight_map": True, "w0": formula.w0, "sigma": formula.sigma}
    return found | ({"balance": True} if is_balanced else {})


def explain(labels_HW: np.ndarray) -> str:
    """Why there is no border term; empty where there is one."""
    count = len(np.unique(labels_HW[labels_HW > 0]))
    return {0: NO_OBJECTS, 1: ONE_OBJECT}.get(count, "")
