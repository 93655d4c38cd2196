"""A landscape of scores over two settings: its best point, how broad the top is, what to do."""

import hashlib
import json
from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import charts, images, jobs, sentences
from ui.evaluate.result import offer
from ui.evaluate.sentences import AVERAGES, MEASURES
from ui.shared import forms, glossary, guess, html, page
from ui.shared.words import number, plain
from unet_core.base.config import Segmentation
from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.predict.recipe import MARK
from unet_core.runs.jobs import Job

Document = dict[str, Any]


def show(job: Job, document: Document) -> None:
    """All of a finished landscape."""
    html.shrink_numbers()
    _say_first(document)
    label = f"{MEASURES[document['measure']]} {AVERAGES[document['average']]}"
    is_shown = guess.first(
        f"threshold-{job.id}",
        f"From which probability on should a pixel belong to an object, so that {label} is best?",
        document["best"].get("threshold"),
        low=0.0,
        high=1.0,
        step=0.05,
    )
    if not is_shown:
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        second = forms.label(Segmentation, document["second"])
        fig = charts.landscape(document, label=label, second=second.lower())
        st.plotly_chart(fig, key="landscape", config={"displaylogo": False})
        st.caption(
            "Bright is good. The star is the best point, the square the settings from before; a "
            f"dot marks what is within {document['plateau']['within']:g} of the best."
        )
    with right, page.guard():
        _show_figures(document, label)
        st.markdown(f"{sentences.plateau(document)} {sentences.gain(document)}")
        if document["best"]["value"] is not None:
            _show_settings(document)
            _offer_use(job, document)
    with page.guard():
        _show_downloads(job, document)


def _say_first(document: Document) -> None:
    text = f"Tuned on {plain(document['tuned_on'])}"
    if document["on_test"]:
        st.error(plain(sentences.tuned_on_test(document["tuned_on"])), icon=":material/block:")
    else:
        st.caption(
            text + (" · averaged over flips and rotations" if document["flips"] else ""),
            help=glossary.of(text),
        )
    for note in document["notes"]:
        if not document["on_test"] or "Test images" not in note:
            st.warning(plain(note), icon=":material/info:")
    if document["stored"]:
        st.success(
            f"These settings are stored in {plain(document['model'])}: Segment, Evaluate and the "
            "command line start from them.",
            icon=":material/check:",
        )


def _show_figures(document: Document, label: str) -> None:
    best, base = document["best"]["value"], document["base"]["value"]
    is_better = best is not None and base is not None and best - base >= 0.0005
    gain = f"{best - base:+.3f}" if is_better else None
    with st.container(horizontal=True, gap="medium", key="numbers"):
        st.metric(f"{label}, best", number(best), delta=gain, width="content")
        st.metric("before", number(base), width="content")
        st.metric("A hit from IoU", f"{document['iou']:.2f}", width="content")


def _show_settings(document: Document) -> None:
    """The two settings that were varied, before and after; the others stay."""
    best, base = document["best"], document["base"]
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Setting": forms.label(Segmentation, name),
                    "Before": f"{base[name]:g}",
                    "Best": f"{best[name]:g}",
                }
                for name in ("threshold", document["second"])
            ]
        ),
        hide_index=True,
        height="content",
    )


def _offer_use(job: Job, document: Document) -> None:
    """Try the best settings on an image, or keep them in the model."""
    if document["on_test"]:
        st.error(f"**{MARK}** chose these.", icon=":material/block:")
    with st.container(horizontal=True):
        if sentences.is_here(document["data"]):
            names = datasets.sample_names(
                document["data"], document["split"], scheme=document["scheme"]
            )
            asked = document | {"thresholds": document["best"]["segmentation"]}
            # Loose settings carry no mark: what test images chose is used from a model that does.
            is_loose = document["on_test"] and not document["stored"]
            if st.button(
                "Use these",
                icon=page.icon("segment"),
                type="primary",
                key="use",
                disabled=is_loose,
                help="What test images chose can only be used once it is stored with a model of "
                "your own, which says so everywhere."
                if is_loose
                else "Opens the first of these images in Segment with the best settings.",
            ):
                st.switch_page(page.named("segment"), query_params=images.query(asked, names[0]))
        _offer_storing(job, document)


def _offer_storing(job: Job, document: Document) -> None:
    if document["stored"]:
        return
    is_shipped = document["model"] in checkpoint.names()
    clicked = st.button(
        "Store with the model",
        icon=":material/save:",
        key="store",
        disabled=is_shipped,
        help="A shipped model stays as it is for everybody: “Use these”, or train a run of your "
        "own."
        if is_shipped
        else "Segment, Evaluate and the command line will start from these settings.",
    )
    if clicked:
        with page.guard():
            # The counts are in the cache: this takes as long as opening the model.
            words = [*job.words, "--store"]
            title = f"{job.title}, stored"
            jobs.start("tune", words, title=title, token=f"store-{job.id}")


def table(document: Document) -> pd.DataFrame:
    """The landscape as rows: both settings and the score."""
    columns = document["markers"] or document["min_sizes"]
    return pd.DataFrame(
        [
            {"threshold": threshold, document["second"]: column, document["measure"]: value}
            for threshold, line in zip(document["thresholds"], document["values"], strict=True)
            for column, value in zip(columns, line, strict=True)
        ]
    ).assign(average=document["average"], iou=document["iou"], tuned_on=document["tuned_on"])


def _show_downloads(job: Job, document: Document) -> None:
    st.subheader("Take it home", anchor=False)
    text = json.dumps(document, indent=1)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    stem = f"{sentences.file_stem(document)}-landscape-{digest}"
    if document["on_test"]:
        stem = f"{MARK.replace(' ', '-')}-{stem}"
    with st.container(horizontal=True):
        offer("Everything as JSON", text, f"{stem}.json", "application/json")
        offer("Landscape as CSV", table(document).to_csv(index=False), f"{stem}.csv", "text/csv")
    st.caption("The same from the command line; add `--store` to keep the best settings:")
    st.code(job.command, language="bash", wrap_lines=True)
