"""The most likely class of every pixel, beside the image and, where it is known, the truth."""

import math

import numpy as np
import streamlit as st

from ui.segment.look import Look
from ui.segment.result import Result
from ui.shared import html, pictures, viewer
from ui.shared.uploads import Chosen
from ui.shared.viewer import Panel
from ui.shared.words import plain
from unet_core.imaging import class_map, metrics, overlay
from unet_core.imaging.class_map import ClassMap


def show(result: Result, base: bytes, look: Look, revision: str) -> None:
    """The class map over the image, alone, and beside the true one; what each class takes."""
    found, true = result.segmented.classes, result.chosen.true_classes
    assert found is not None  # the view is offered only then
    count = len(found.names)
    if reason := disagreement(result.chosen, found):
        st.caption(f":material/info: {plain(reason)}")
        true = None
    st.html(legend(found, true))
    number_HW = overlay.number_classes(pictures.fit(found.classes_HW), count - 1)
    shades = overlay.shades(class_map.colours(count)[1:], filled=look.filled, opacity=look.opacity)
    panels = [
        Panel((base, pictures.layer(number_HW, shades)), "Image and classes"),
        Panel((_paint(found),), "Classes", "The most likely class of each pixel."),
    ]
    readings = [viewer.Reading("class", found.classes_HW, found.names)]
    if true is not None:
        panels.append(Panel((_paint(true),), "Truth", "What the pixels really are."))
        readings.append(viewer.Reading("truth", true.classes_HW, true.names))
    viewer.show(panels, found.classes_HW.shape, key="picture", revision=revision, readings=readings)


def disagreement(chosen: Chosen, found: ClassMap) -> str:
    """Why the true classes cannot be compared with those of the model; empty when they can."""
    true = chosen.true_classes
    if true is None or true.names == found.names:
        return ""
    return (
        f"The model knows {len(found.names)} classes ({', '.join(found.names)}), the truth has "
        f"{len(true.names)} ({', '.join(true.names)}): they cannot be compared, so there is no "
        "IoU of classes. Choose a model that was trained on this set."
    )


def legend(found: ClassMap, true: ClassMap | None) -> str:
    """Each class with its colour, its share of the image and, with a truth, its IoU, as HTML."""
    ious = np.full(len(found.names), np.nan)
    if true is not None:
        counts_CC = metrics.confusion(true.classes_HW, found.classes_HW, len(found.names))
        ious = metrics.iou_per_class(counts_CC)
    marks = []
    for (name, share), colour, iou in zip(
        class_map.shares(found).items(), class_map.colours(len(found.names)), ious, strict=True
    ):
        score = "" if math.isnan(iou) else f" · IoU {iou:.3f}"
        marks.append(html.Mark(colour, f"{name} {100 * share:.1f} %{score}"))
    is_scored = true is not None and not np.isnan(ious).all()
    note = f"mean IoU {np.nanmean(ious):.3f}, this image alone" if is_scored else ""
    return html.legend(marks, note=note)


def _paint(found: ClassMap) -> bytes:
    return pictures.png(pictures.fit(class_map.paint(found)))
