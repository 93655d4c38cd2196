"""Scores of pixels: Dice, IoU and accuracy, each class, and the membranes of neurons."""

from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import charts, sentences
from ui.evaluate.sentences import AVERAGES
from ui.shared import glossary
from ui.shared.words import number
from unet_core.scoring import published

Document = dict[str, Any]

SCORES = {
    "dice": ("Dice", glossary.DICE),
    "iou": ("IoU", "Overlap / pixels in either, of the foreground."),
    "mean_iou": ("Mean IoU", "The IoU of every class, background too, and the mean of these."),
    "accuracy": ("Accuracy", "Share of pixels with the right class. Easy where one class rules."),
    "three_class_accuracy": (
        "Accuracy of 3 classes",
        "Share of pixels with the right one of background, inside and boundary.",
    ),
    "patch_mean_iou": ("Mean IoU on patches", "As mean IoU, on patches cut out of the images."),
}

MEMBRANES = {
    "v_rand": ("V_rand", glossary.V_RAND),
    "v_info": ("V_info", glossary.V_INFO),
    "pixel_error": ("Pixel error", "0 is perfect. Share of pixels on the wrong side."),
    "rand_error": ("Rand error", "0 is perfect. Before borders are thinned, as in 2012."),
}

ABOUT_PIXEL_AVERAGES = (
    "**Pooled** counts the pixels of all images together. **By image** scores each image and takes "
    "the mean. **Middle**, where it was asked for, is by image, too, but looks only at a square in "
    "the middle of each, as tutorials do whose network answers for no more. Compare only like "
    "with like."
)


def show(document: Document) -> None:
    """The scores of pixels beside published ones, and each class."""
    if sentences.has_objects(document):
        st.caption(
            "Every pixel counts, not every object: two objects that run into one cost next to "
            "nothing here, and much in the scores of objects. A pixel is foreground above 0.5."
        )
    else:
        st.caption("Every pixel counts, and belongs to its most probable class.")
    rows = _rows(document)
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    st.caption(ABOUT_PIXEL_AVERAGES)
    _show_published(document, {row["Score"] for row in rows})
    classes, curve = (document["pixels"].get(key) for key in ("classes", "curve"))
    left, right = st.columns(2, gap="large")
    if classes:
        with left:
            st.markdown("**Each class, pooled over all images**")
            fig = charts.classes(classes)
            st.plotly_chart(fig, key="classes", config={"displaylogo": False})
    middle = document["pixels"].get("middle") or {}
    curves = {"pooled": curve, "the mean of the middles": middle.get("curve")}
    if curve:
        with right:
            for average, points in curves.items():
                if points:
                    st.markdown(f"**Other thresholds than 0.5, {average}**")
                    fig = charts.pixels_over_threshold(points)
                    key = f"curve-{average}"
                    st.plotly_chart(fig, key=key, config={"displaylogo": False})
            st.caption(
                "Read the best threshold off validation images, and then its scores off the test "
                "images: the best of the test images itself is too kind."
            )


def _rows(document: Document) -> list[dict[str, str]]:
    pixels = document["pixels"]
    by_image, middle = pixels.get("by_image") or {}, pixels.get("middle") or {}
    column = f"By image, middle {middle['side']} px" if middle else ""
    return [
        {
            "Score": label,
            "Pooled": number(pixels.get(key)),
            "By image": number(by_image.get(key)),
            **({column: number(middle.get(key))} if middle else {}),
            "What it is": what,
        }
        for key, (label, what) in SCORES.items()
        if pixels.get(key) is not None or by_image.get(key) is not None
    ]


def _show_published(document: Document, shown: set[str]) -> None:
    """Published values of the scores above."""
    known = published.find(document["data"], document["split"], scheme=document["scheme"])
    rows = [row for row in known if SCORES.get(row.metric, ("",))[0] in shown]
    if not rows:
        return
    st.markdown("**Published on the same images**")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Method": row.method,
                    "Score": SCORES[row.metric][0],
                    "Average": AVERAGES[row.average],
                    "Value": number(row.values[0][1]),
                    "Source": row.source + (f"; {row.note}" if row.note else ""),
                }
                for row in rows
            ]
        ),
        hide_index=True,
        height="content",
    )


def show_membranes(document: Document) -> None:
    """The challenge's scores at their best threshold, with what was split and what was merged."""
    found = document["membranes"]
    with st.container(horizontal=True, gap="medium", key="numbers"):
        for key, (label, help) in MEMBRANES.items():
            row = found
            if key.endswith("error"):
                row = min(found["curve"], key=lambda row: row[key])
            text = f"{help} Best at threshold {row['threshold']:g}."
            st.metric(label, number(row[key]), help=text, width="content")
    st.caption(
        f"V at threshold {found['threshold']:g}, the errors each at their own. The maximum over "
        "thresholds is the challenge's convention: the threshold is chosen on the very sections "
        "that are scored, so these figures are a little too kind."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        fig = charts.over_threshold(found["curve"], found["threshold"])
        st.plotly_chart(fig, key="membranes", config={"displaylogo": False})
    with right:
        st.dataframe(pd.DataFrame(_split_and_merge(found)), hide_index=True, height="content")
        st.caption(
            "**Split** falls when one cell is cut into several, **merge** when several cells run "
            "together; V is their harmonic mean. Borders are thinned first, so their width does "
            "not matter. The published figures are of the challenge's own 30 sections, whose "
            "truth nobody else has: they cannot stand beside these."
        )


def _split_and_merge(found: Document) -> list[dict[str, str]]:
    return [
        {
            "Score": label,
            "Together": number(found.get(key)),
            "Split": number(found.get(f"{key}_split")),
            "Merge": number(found.get(f"{key}_merge")),
        }
        for key, label in (("v_rand", "V_rand"), ("v_info", "V_info"))
    ]
