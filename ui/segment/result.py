"""What came out of segmenting, in numbers, and what to know before believing them."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui.shared import cache, charts, glossary, pictures
from ui.shared.cache import Treatment
from ui.shared.models import Model
from ui.shared.uploads import Chosen
from ui.shared.words import many, number, set_title
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.data import datasets
from unet_core.imaging import checkup, matching
from unet_core.imaging.checkup import Finding
from unet_core.predict import export
from unet_core.predict.recipe import is_marked

SCORES = {"f1": "F1", "precision": "Precision", "recall": "Recall", "ap": "AP", "pq": "PQ"}


@dataclass(frozen=True)
class Result:
    """The objects found with the present settings, and how they agree with the truth."""

    chosen: Chosen
    model: Model
    options: Segmentation
    segmented: export.Segmented
    counts: tuple[matching.Counts, ...]  # at matching.IOUS; empty without a truth
    iou: float

    @property
    def labels_HW(self) -> np.ndarray:
        """The objects found."""
        return self.segmented.labels_HW

    @property
    def count(self) -> matching.Counts:
        """The counts at the chosen IoU."""
        return self.counts[matching.IOUS.index(self.iou)]

    @cached_property
    def objects(self) -> pictures.Objects:
        """The objects found, as a list."""
        return pictures.find_objects(self.labels_HW)


def find(
    chosen: Chosen, model: Model, prediction: export.Prediction, options: Segmentation, iou: float
) -> Result:
    """Objects and scores from cached probabilities, in milliseconds."""
    segmented = export.find_objects(prediction, options)
    counts = []
    if chosen.truth_HW is not None:
        counts = matching.match_many(chosen.truth_HW, segmented.labels_HW)
    return Result(chosen, model, options, segmented, tuple(counts), iou)


def show_numbers(result: Result) -> None:
    """How many objects, and with a truth how well they agree, with the formula."""
    with st.container(horizontal=True, gap="medium", key="numbers"):
        st.metric("Objects found", f"{len(result.objects.label_N):,}", width="content")
        if not result.counts:
            return
        count = result.count
        st.metric("Objects in truth", f"{count.n_true:,}", width="content")
        for name, label in SCORES.items():
            value = number(getattr(count, name))
            st.metric(label, value, help=glossary.SCORES[name], width="content")
    st.markdown(formula(count, result.iou))


def formula(count: matching.Counts, iou: float) -> str:
    """F1 with its numbers, in Markdown."""
    if math.isnan(count.f1):
        return "Neither the truth nor the result holds an object: there is no score."
    tp, fp, fn = count.tp, count.fp, count.fn
    return (
        f"`F1 = 2*{tp} / (2*{tp} + {fp} + {fn}) = {count.f1:.3f}` at IoU ≥ {iou:.2f}: "
        f"{many(tp, 'hit')}, {many(fp, 'false alarm')}, {many(fn, 'miss')}, this image alone."
    )


def show_curve(result: Result) -> None:
    """The scores over the IoU from which an object is a hit."""
    lines = [
        {
            "type": "scatter",
            "x": matching.IOUS,
            "y": [getattr(count, name) for count in result.counts],
            "name": name.upper(),
            "mode": "lines+markers",
            "line": {"color": colour},
            "hovertemplate": "%{y:.3f}",
        }
        for name, colour in (("f1", charts.BLUE), ("ap", charts.ORANGE), ("pq", charts.GREEN))
    ]
    chosen = {
        "type": "line",
        "x0": result.iou,
        "x1": result.iou,
        "xref": "x",
        "y0": 0,
        "y1": 1,
        "yref": "y domain",
        "line": {"color": charts.QUIET, "dash": "dot", "width": 1},
    }
    layout = {
        "height": 280,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {
            "title": "IoU from which a found object is a hit",
            "tickvals": matching.IOUS,
        },
        "yaxis": {"title": "score of this image", "range": [0, 1.03]},
        "shapes": [chosen],
    }
    # All at once: it is drawn at each move of a slider, and part by part takes six times as long.
    st.plotly_chart(go.Figure(lines, layout), key="curve", config={"displaylogo": False})


def warnings(result: Result, treatment: Treatment) -> list[Finding]:
    """What a person should know before believing the result, also of the image itself."""
    config, sentences = result.model.config, []
    if result.counts:
        sentences.append(use_warning(result.chosen, config))
        sentences.append(test_warning(config, result.options))
    sentences += result.segmented.notes
    found = [Finding(severity="doubt", what=sentence) for sentence in sentences if sentence]
    found += cache.check_up(
        result.chosen.pixels_HW, result.chosen.pixels_sha256, result.model.name, treatment
    )
    return found + size_warning(result.objects.diameter_N, config, treatment.scale)


def use_warning(chosen: Chosen, config: ModelConfig) -> str:
    """Whether the model has learnt from this very image; empty when it has not."""
    train = config.train
    try:
        sample = chosen.sample if chosen.data == datasets.info(train.images.data).name else ""
        if not chosen.data and datasets.is_available(train.images.data):
            sample = datasets.pixel_index(train.images.data).get(chosen.pixels_sha256, "")
        used = datasets.used_in(train.images.data, train.images.scheme, sample) if sample else None
    except ValueError:  # the set is no longer there, so nothing is known
        return ""
    if used == "train":
        return (
            f"This model was trained on this very image (of {set_title(train.images.data)}): "
            "the score says nothing about new images."
        )
    if used == "val":
        return (
            "This image helped to choose this model's weights and settings "
            f"(validation of {set_title(train.images.data)}): the score is a little too kind."
        )
    return ""


def test_warning(config: ModelConfig, options: Segmentation) -> str:
    """Whether test images have chosen the present settings; empty when they have not."""
    if options != config.segmentation or not is_marked(config.tuned_on):
        return ""
    return f"These settings were chosen on {config.tuned_on}: scores on them are too good."


def size_warning(diameter_N: np.ndarray, config: ModelConfig, scale: float) -> list[Finding]:
    """Whether the objects found are of another size than those of the training; else nothing."""
    wanted = checkup.rescaling(config, diameter_N * scale)
    if wanted == 1:
        return []
    median = float(np.median(diameter_N))
    seen = "" if scale == 1 else f" ({median * scale:.0f} px after resizing)"
    what = (
        f"The objects found are typically {median:.0f} px wide{seen}, outside the "
        f"{config.small:.0f} to {config.large:.0f} px that this model learnt from."
    )
    return [
        Finding(
            severity="doubt",
            what=what,
            advice="If they look wrong, let the image be resized, or give their true diameter "
            "under “Adjust”.",
            action="rescale",
            scale=wanted * scale,
        )
    ]
