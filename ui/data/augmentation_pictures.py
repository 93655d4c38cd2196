"""An augmentation in pictures: the crop with its draws, one of them closer, and a histogram."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui.shared import charts, pictures, viewer
from unet_core.data.catalogue import DataSet
from unet_core.imaging import class_map, overlay

if TYPE_CHECKING:  # it imports torch
    from unet_core.training.augmentation_preview import Draws

VIEWS = ("Image", "Labels", "Both", "Weights")
BEFORE, FIRST_DRAW = "before", "1"
NO_WEIGHTS = "Class labels have no weight map: its border term needs objects that can touch."


def show_tiles(draws: "Draws", about: DataSet, *, revision: str) -> None:
    """The crop before and all draws as what is chosen above them, zoomed together."""
    views = VIEWS if about.labels == "instances" else VIEWS[:3]
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        view = st.segmented_control(
            "The tiles show",
            views,
            default="Both",
            required=True,
            key="aug_view",
            bind="query-params",
            label_visibility="collapsed",
        )
        count = len(draws.norm_BHW)
        is_still = (draws.norm_BHW == draws.norm_HW).all()
        words = (
            "Nothing is switched on: each draw is the crop itself"
            if is_still
            else f"One crop, and {count} draws of it"
        )
        st.caption(f"{words}. {viewer.HOW}", width="content")
    panels = [
        viewer.Panel(draw_layers(draws, index, view, about), name)
        for index, name in zip((None, *range(count)), draw_names(draws), strict=True)
    ]
    viewer.show(panels, draws.norm_HW.shape, key="draw_tiles", revision=revision, columns=3)


def show_closer(draws: "Draws", about: DataSet, *, revision: str) -> None:
    """One draw, or the crop before any change, in all views side by side."""
    chosen = st.segmented_control(
        "Look closer at",
        draw_names(draws),
        default=FIRST_DRAW,
        required=True,
        key="aug_draw",
        bind="query-params",
    )
    index = None if chosen == BEFORE else int(chosen) - 1
    views = VIEWS if about.labels == "instances" else VIEWS[:3]
    sentences = {
        "Image": "Normalised." if index is None else "Normalised, then changed.",
        "Labels": "As they were drawn." if index is None else "Moved with the image.",
        "Both": "Labels must fit the image, also after bending.",
        "Weights": f"1 (dark) to {1 + draws.config.objective.w0:g} (yellow) in narrow gaps.",
    }
    panels = [
        viewer.Panel(draw_layers(draws, index, view, about), view, sentences[view])
        for view in views
    ]
    norm_HW, labels_HW = take(draws, index)
    is_instances = about.labels == "instances"
    readings = [
        viewer.read_values("intensity", norm_HW),
        viewer.Reading(about.classes[1], labels_HW)
        if is_instances
        else viewer.Reading("class", labels_HW, about.classes),
    ]
    if is_instances:
        readings.append(viewer.read_values("weight", draws.weights_HW(index)))
    viewer.show(
        panels,
        norm_HW.shape,
        key="draw_closer",
        revision=revision,
        readings=readings,
        columns=len(panels),
    )
    if not is_instances:
        st.caption(NO_WEIGHTS)


def draw_names(draws: "Draws") -> list[str]:
    """What can be looked at: the crop before, and each draw by its number."""
    return [BEFORE, *(str(index + 1) for index in range(len(draws.norm_BHW)))]


def take(draws: "Draws", index: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels of a draw, or (None) of the crop before."""
    if index is None:
        return draws.norm_HW, draws.labels_HW
    return draws.norm_BHW[index], draws.labels_BHW[index]


def draw_layers(draws: "Draws", index: int | None, view: str, about: DataSet) -> tuple[bytes, ...]:
    """PNGs that lie over each other: one view of one draw.

    Black and white are those of the crop before, so that a change of brightness is seen.
    """
    norm_HW, labels_HW = take(draws, index)
    if view == "Weights":
        return (
            pictures.png(pictures.heat(draws.weights_HW(index), 1, 1 + draws.config.objective.w0)),
        )
    low, high = np.percentile(draws.norm_HW, [0.5, 99.5])
    grey = pictures.png(pictures.grey(norm_HW, low, high))
    if view == "Image":
        return (grey,)
    if about.labels == "instances":
        colours = overlay.OBJECTS
        number_HW = overlay.number_objects(labels_HW)
    else:
        colours = class_map.colours(len(about.classes))[1:]
        number_HW = overlay.number_classes(labels_HW, len(colours))
    if view == "Both":
        return grey, pictures.layer(number_HW, overlay.shades(colours, filled=False, opacity=0.9))
    ground = pictures.png(np.full(labels_HW.shape, 26, np.uint8))
    return ground, pictures.layer(number_HW, overlay.shades(colours, opacity=1.0))


def show_histogram(draws: "Draws") -> None:
    """Intensities before and after: what the network must learn to bear; how much is object."""
    # Chosen below; at first only the address knows.
    asked = st.session_state.get("aug_draw", st.query_params.get("aug_draw"))
    chosen = asked if asked in draw_names(draws) else FIRST_DRAW
    norm_HW, labels_HW = take(draws, None if chosen == BEFORE else int(chosen) - 1)
    fig = charts.histogram(
        intensities(draws, chosen),
        x="intensity after normalising",
        things="pixels",
        bins=60,
        height=230,
    )
    # Most pixels are background: without a logarithm the objects would be flat.
    fig.update_yaxes(type="log", dtick=1, tickformat="~g")
    mean, reach = float(norm_HW.mean()), 2 * float(norm_HW.std())
    for place, words, dash in (
        (mean - reach, "−2σ", "dash"),
        (mean, "mean", "solid"),
        (mean + reach, "+2σ", "dash"),
    ):
        fig.add_vline(place, line={"width": 1, "dash": dash}, annotation_text=words)
    st.plotly_chart(
        fig,
        key="aug_histogram",
        config={"displayModeBar": False},
        alt="Histogram of the crop's intensities before and after augmentation",
    )
    name = chosen if chosen == BEFORE else f"draw {chosen}"
    st.caption(
        f"The lines are mean and mean ± 2σ of {name}. Of its pixels "
        f"{100 * (labels_HW > 0).mean():.1f} % are no background, before "
        f"{100 * (draws.labels_HW > 0).mean():.1f} %."
    )


def intensities(draws: "Draws", chosen: str) -> dict[str, np.ndarray]:
    """The pixels of the crop before, of the chosen draw, and of all draws, by their names."""
    found = {BEFORE: draws.norm_HW.ravel()}
    if chosen != BEFORE:
        found[f"draw {chosen}"] = draws.norm_BHW[int(chosen) - 1].ravel()
    return found | {f"all {len(draws.norm_BHW)} draws": draws.norm_BHW.ravel()}
