"""The scores of objects: the usual figures, each over the IoU, and published ones beside ours."""

from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import charts, outlines, sentences
from ui.evaluate.sentences import AVERAGES, MEASURES
from ui.shared import glossary
from ui.shared.words import number
from unet_core.scoring import published
from unet_core.scoring.published import Published

Document = dict[str, Any]
OURS = "This model"
KINDS = ("pooled", "by_image")


def show(document: Document) -> None:
    """Figures, chart and tables of objects."""
    _show_figures(document)
    with st.container(horizontal=True):
        measure = _choose_measure()
        rows = _published(document, measure)
        kinds = _choose_average() if rows else KINDS
    left, right = st.columns([3, 2], gap="large")
    label = MEASURES[measure]
    with left:
        same = [row for row in rows if row.average in kinds]
        fig = charts.over_iou(document, measure, label=label, kinds=kinds, rows=same)
        st.plotly_chart(fig, key=f"iou-{measure}-{kinds}", config={"displaylogo": False})
    with right:
        st.dataframe(
            _columns(document, measure),
            hide_index=True,
            height="content",
            placeholder="–",
            column_config={
                name: st.column_config.NumberColumn(format="%.3f")
                for name in (f"{label} pooled", "By image")
            },
        )
        st.caption(sentences.ABOUT_AVERAGES)
    outlines.show_shape(document)
    outlines.show_one_pixel(document)
    _show_published(document, measure, rows)


def _choose_measure() -> str:
    names = {label: key for key, label in MEASURES.items()}
    chosen = st.segmented_control(
        "Score over IoU",
        list(names),
        default="AP",
        required=True,
        key="over",
        bind="query-params",
        help=glossary.explain(names),
    )
    return names[str(chosen)]


def _choose_average() -> tuple[str, ...]:
    """Of the curves: a published one is only drawn beside ours of the same average."""
    names = {AVERAGES[kind].capitalize(): kind for kind in KINDS}
    chosen = st.segmented_control(
        "Average", list(names), default="Pooled", required=True, key="curves", bind="query-params"
    )
    return (names[str(chosen)],)


def _show_figures(document: Document) -> None:
    """The figures at the usual IoU, with the formula."""
    pooled, by_image = (sentences.row_at(document[kind]) for kind in KINDS)
    with st.container(horizontal=True, gap="medium", key="numbers"):
        st.metric("True objects", f"{pooled['tp'] + pooled['fn']:,}", width="content")
        for key in ("f1", "ap", "pq"):
            for kind, row in zip(KINDS, (pooled, by_image), strict=True):
                label = f"{MEASURES[key]} {AVERAGES[kind]}"
                st.metric(label, number(row[key]), help=glossary.SCORES[key], width="content")
    scored = by_image["n_scored"]
    text = sentences.formula(pooled)
    if scored < document["images"]:
        text += (
            f" By image is the mean of {scored} of {document['images']} images: the others hold "
            "no object, and none was found."
        )
    st.markdown(text, help=glossary.of("IoU"))


def table(document: Document) -> pd.DataFrame:
    """Every score of every IoU threshold, a row for each average."""
    return pd.concat(
        [pd.DataFrame(document[kind]).assign(average=kind) for kind in KINDS],
        ignore_index=True,
    )


def _columns(document: Document, measure: str) -> pd.DataFrame:
    """The chosen score over IoU, with the counts that the pooled one is made of."""
    pairs = zip(document["pooled"], document["by_image"], strict=True)
    return pd.DataFrame(
        [
            {
                "IoU": f"{pooled['iou']:.2f}",
                f"{MEASURES[measure]} pooled": pooled[measure],
                "By image": by_image[measure],
                "Hits": pooled["tp"],
                "False alarms": pooled["fp"],
                "Misses": pooled["fn"],
            }
            for pooled, by_image in pairs
        ]
    )


def _published(document: Document, measure: str) -> list[Published]:
    known = (document["data"], document["split"])
    scheme = document["scheme"]
    rows = published.find(*known, scheme=scheme)
    return [row for row in rows if row.metric == measure]


def _show_published(document: Document, measure: str, rows: list[Published]) -> None:
    if not rows:
        return
    label = MEASURES[measure]
    st.subheader(f"Published {label} on the same images", anchor=False)
    st.caption(
        "Compare pooled with pooled and by image with by image. A dash: nobody has told it. "
        "Their thresholds and training differ, and are described at the source."
    )
    ours = [
        _line(OURS, kind, {row["iou"]: row[measure] for row in document[kind]}) for kind in KINDS
    ]
    theirs = [
        _line(
            row.method,
            row.average,
            {iou: score for iou, score in row.values if iou is not None},
            parameters=row.parameters,
            source=row.source + (f"; {row.note}" if row.note else ""),
        )
        for row in rows
    ]
    # Like stands with like: first all that is pooled, ours on top.
    places = list(AVERAGES.values())
    lines = sorted(ours + theirs, key=lambda line: places.index(line["Average"]))
    frame = pd.DataFrame(lines)
    st.dataframe(
        frame.style.apply(_emphasise, axis=1),
        hide_index=True,
        height="content",
        column_config={
            "Parameters": st.column_config.TextColumn(help="Of the network, in millions.")
        },
    )


def _line(
    method: str,
    average: str,
    scores: dict[float, float | None],
    *,
    parameters: float | None = None,
    source: str = "",
) -> dict[str, str]:
    ious = [round(0.5 + 0.05 * step, 2) for step in range(9)]
    return {
        "Method": method,
        "Average": AVERAGES[average],
        **{f"{iou:.2f}": number(scores.get(iou)) for iou in ious},
        "Parameters": "–" if parameters is None else f"{parameters:g} M",
        "Source": source,
    }


def _emphasise(row: pd.Series) -> list[str]:
    return ["font-weight: bold" if row["Method"] == OURS else ""] * len(row)
