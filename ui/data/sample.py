"""One sample: image, labels and training target side by side, and the way to the next one."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from ui.shared import html, page, pictures, viewer
from ui.shared.choice import (
    choose,
    read_address,
    replace_unknown,
    show_steps,
    write_address,
)
from unet_core.data import datasets
from unet_core.data.catalogue import DataSet
from unet_core.imaging import class_map, images, overlay, targets, weight_map

STACKS = ("isbi2012",)  # sections in depth, chosen by a slider
STYLES = ("outlines", "colours")
BOUNDARIES = ("thick", "inner", "outer")
WEIGHTS = "border weights"

# What each target shows, for a person who sees it for the first time.
TARGETS = {
    "foreground": "Object or not, for every pixel.",
    "three-class": "Each pixel is one of three: background, inside, boundary.",
    "foreground+boundary": "Two pictures in one: object or not, and boundary or not.",
    "distance": "How deep a pixel lies in its object: from the rim (dark) to the core (yellow).",
    "classes": "Each pixel is one of the set's classes.",
    WEIGHTS: "How much a pixel counts in the loss: 1 (dark) to 11 (yellow) in narrow gaps.",
}
TARGET_HELP = (
    "What the network learns to draw. *border weights* is no target: it can be multiplied with the "
    "loss (Ronneberger et al. 2015)."
)
BOUNDARY_HELP = (
    "inner: the outermost pixels of each object. outer: the pixels around it. thick: both."
)

NOTHING, INSIDE, EDGE, BOTH = (26, 32, 36), (86, 180, 233), (230, 159, 0), (240, 228, 66)


@dataclass(frozen=True)
class Look:
    """How the pictures are drawn."""

    low: float
    high: float
    filled: bool
    target: str
    boundary: str


@dataclass(frozen=True)
class Drawn:
    """A target as a picture: what its colours mean, and the number behind each pixel."""

    png: bytes
    legend: tuple[html.Mark, ...]
    reading: viewer.Reading


@st.fragment
def show(about: DataSet, split: str, names: list[str]) -> None:
    """The sample that the person or the link chooses; only this runs again for another one."""
    with page.guard():
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        with row:
            sample = choose_sample(about, names)
        found = datasets.load(about.name, split, sample)
        with row:
            look = _choose_look(about, has_labels=found.labels_HW is not None)
        show_pictures(about, found, look)
        page.link(
            "segment",
            label="Segment this image",
            icon=page.icon("segment"),
            query={"set": about.name, "split": split, "sample": sample},
        )


def choose_sample(about: DataSet, names: list[str]) -> str:
    """The sample that several tabs look at, with the ways to the previous and the next one."""
    if about.name in STACKS and len(names) > 1:
        replace_unknown("Section", names, "sample", default=names[0], is_quiet=True)
        read_address("sample", names, names[0])
        sample = st.select_slider("Section", names, key="sample", width=300)
        write_address("sample", sample, names[0])
    else:
        sample = choose("Sample", names, "sample", width=300, is_quiet=True)
    show_steps(names, sample)
    return sample


def _choose_look(about: DataSet, *, has_labels: bool) -> Look:
    low, high = st.slider(
        "Contrast",
        0.0,
        100.0,
        (0.5, 99.5),
        0.5,
        format="%g %%",
        key="contrast",
        bind="query-params",
        width=220,
        help="Percentiles of the intensities that are shown black and white. For looking only: "
        "training reads the pixels themselves.",
    )
    options = [name for name in TARGETS if (name == "classes") != (about.labels == "instances")]
    style, target, boundary = STYLES[0], options[0], BOUNDARIES[0]
    if has_labels:
        style = st.segmented_control(
            "Labels as", STYLES, default=style, required=True, key="style", bind="query-params"
        )
        target = choose("Target", options, "target", width=200, help=TARGET_HELP)
        if target in ("three-class", "foreground+boundary"):
            boundary = choose(
                "Boundary", list(BOUNDARIES), "boundary", width=120, help=BOUNDARY_HELP
            )
    return Look(low, high, style == "colours", target, boundary)


def show_pictures(about: DataSet, found: datasets.Sample, look: Look) -> None:
    """Image, labels and target with what the colours mean, all zoomed together."""
    panels, readings, legend = draw(about, found, look)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.caption(" · ".join(_facts(about, found)), width="content")
        if legend:
            st.html(html.legend(legend), width="content")
    viewer.show(
        panels,
        found.image_HW.shape,
        key="sample_pictures",
        revision=f"{about.name} {found.name}",
        readings=readings,
        columns=len(panels),
    )
    st.caption(viewer.HOW)


def _facts(about: DataSet, found: datasets.Sample) -> list[str]:
    rows, columns = found.image_HW.shape
    low, high = int(found.image_HW.min()), int(found.image_HW.max())
    facts = [
        f"{rows} rows × {columns} columns",
        f"{found.image_HW.dtype}, intensities {low} to {high}",
    ]
    if found.pixel_size_um:
        facts.append(f"{found.pixel_size_um:g} µm per pixel")
    if found.labels_HW is None:
        return [*facts, "nobody has labelled it, so there is nothing to learn from"]
    if about.labels == "instances":
        number = int(np.count_nonzero(np.bincount(found.labels_HW.ravel())[1:]))
        facts.append(f"{number} {about.classes[1] if number == 1 else _plural(about)}")
    facts.append(f"{100 * (found.labels_HW > 0).mean():.1f} % foreground")
    return facts


def _plural(about: DataSet) -> str:
    word = about.classes[1]
    return {"nucleus": "nuclei"}.get(word, word + "s")


def draw(
    about: DataSet, found: datasets.Sample, look: Look
) -> tuple[list[viewer.Panel], list[viewer.Reading], tuple[html.Mark, ...]]:
    """The panels, what the pointer reads from them, and the meaning of the target's colours."""
    if look.low >= look.high:
        raise ValueError("The two ends of the contrast must differ: draw them apart.")
    grey = pictures.png(pictures.fit(images.display(found.image_HW, low=look.low, high=look.high)))
    panels = [viewer.Panel((grey,), "Image")]
    readings = [viewer.Reading("intensity", found.image_HW)]
    if found.labels_HW is None:
        return panels, readings, ()
    if about.labels == "instances":
        number_HW = overlay.number_objects(found.labels_HW)
        colours = overlay.OBJECTS
        readings.append(viewer.Reading(about.classes[1], found.labels_HW))
    else:
        colours = class_map.colours(len(about.classes))[1:]
        number_HW = overlay.number_classes(found.labels_HW, len(colours))
        readings.append(viewer.Reading("class", found.labels_HW, about.classes))
    shades = overlay.shades(colours, filled=look.filled, opacity=0.5 if look.filled else 0.9)
    labels = (grey, pictures.layer(pictures.fit(number_HW), shades))
    drawn = draw_target(found.labels_HW, look.target, look.boundary, about.classes)
    panels.append(viewer.Panel(labels, "Labels"))
    title = look.target.capitalize() if look.target == WEIGHTS else f"Target: {look.target}"
    panels.append(viewer.Panel((drawn.png,), title, TARGETS[look.target]))
    if look.target != "classes":
        readings.append(drawn.reading)
    return panels, readings, drawn.legend


def draw_target(
    labels_HW: np.ndarray, target: str, boundary: str, classes: tuple[str, ...]
) -> Drawn:
    """What the network is asked to draw for these labels."""
    if target == WEIGHTS:
        weights_HW = weight_map.weight_map(labels_HW)
        hundredths_HW = np.rint(100 * weights_HW).astype(np.int32)
        return _heat(weights_HW, 1, 11, viewer.Reading("weight", hundredths_HW, scale=0.01))
    words: tuple[str, ...]
    table: tuple[tuple[int, int, int], ...]
    encoded = targets.encode(labels_HW, target, boundary)
    if target == "distance":
        percent_HW = np.rint(100 * encoded[1]).astype(np.int32)
        return _heat(encoded[1], 0, 1, viewer.Reading("depth in %", percent_HW))
    if target == "foreground+boundary":
        number_HW = encoded[0] + 2 * encoded[1]
        words = ("neither", "foreground", "boundary", "foreground and boundary")
        table = (NOTHING, INSIDE, EDGE, BOTH)
    elif target == "three-class":
        number_HW, words = encoded, targets.channel_names(target)
        table = (NOTHING, INSIDE, EDGE)
    elif target == "classes":
        number_HW, words = encoded, classes
        table = (NOTHING, *class_map.colours(len(classes))[1:])
    else:
        number_HW, words, table = encoded[0], ("background", "foreground"), (NOTHING, INSIDE)
    number_HW = number_HW.astype(np.uint8)
    shades = np.array([(*colour, 255) for colour in table], np.uint8)
    present = np.unique(number_HW).tolist()
    return Drawn(
        pictures.layer(pictures.fit(number_HW), shades),
        tuple(html.Mark(table[number], words[number]) for number in present),
        viewer.Reading("target", number_HW, words),
    )


def _heat(values_HW: np.ndarray, low: float, high: float, reading: viewer.Reading) -> Drawn:
    return Drawn(pictures.png(pictures.heat(pictures.fit(values_HW), low, high)), (), reading)
