"""The ladder: the same images by simple rules, by this model, and by a network without a fault."""

from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import charts
from ui.evaluate.sentences import MEASURES
from ui.shared import glossary
from ui.shared.words import number
from unet_core.imaging import matching

Document = dict[str, Any]
KINDS = {"floor": "Floor", "model": "This model", "ceiling": "Truth"}

LESSONS = {
    "All background": "It finds nothing and scores 0, however many pixels are background: a high "
    "share of right pixels proves little.",
    "Otsu + components": "A network must beat this to be worth its training.",
    "Otsu + distance watershed": "How far the shape alone tells touching objects apart.",
    "Untrained network": "What the network can do, it has learnt: its form alone knows nothing.",
    "This model + components": "What its foreground alone is worth: objects that touch stay one, "
    "unless it leaves a gap between them.",
    "This model + watershed": "What its boundaries add to that.",
    "True foreground + components": "Even a perfect mask joins what touches. This is no upper "
    "bound: a network that leaves gaps between touching objects scores more, although its mask is "
    "worse.",
    "True target of this model": "The model's own target without a mistake, read back in the same "
    "way. What a model scores less are its mistakes. Only where the target is a mere mask can gaps "
    "between touching objects score more.",
}

LEGEND = (
    ":gray-badge[Floor] what is possible without learning · :blue-badge[This model] · "
    ":green-badge[Truth] what the truth itself scores when it is written as a network's output"
)


def show(document: Document) -> None:
    """Bars and a table, with a sentence for every rung; how to get them where there are none."""
    rungs = document.get("ladder") or []
    if not rungs:
        st.info(
            "This evaluation was made without the ladder. Start it again with the switch **With "
            "the ladder** to see what rules without learning score on the same images, and what "
            "the truth scores as the model's kind of output.",
            icon=":material/stairs:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = {MEASURES[key]: key for key in ("f1", "ap", "pq")}
        label = st.segmented_control(
            "Score",
            list(labels),
            default="F1",
            required=True,
            key="ladder-score",
            help=glossary.explain(labels),
        )
        iou = st.select_slider(
            "A hit from IoU",
            matching.IOUS,
            format_func=lambda value: f"{value:.2f}",
            key="ladder-iou",
            width=300,
            help=glossary.HIT,
        )
    metric = labels[str(label)]
    left, right = st.columns([3, 2], gap="large")
    with left:
        fig = charts.ladder(rungs, metric, iou, label=str(label))
        st.plotly_chart(fig, key=f"ladder-{metric}-{iou}", config={"displaylogo": False})
    with right:
        st.markdown(LEGEND)
        for rung in rungs:
            lesson = LESSONS.get(rung["name"], rung["what"])
            help = "\n\n".join(filter(None, [rung["what"], glossary.of(rung["name"])]))
            st.markdown(f"**{rung['name']}.** {lesson}", help=help)
    with st.expander("As a table"):
        st.dataframe(_shown(rungs, iou), hide_index=True, height="content")


def _shown(rungs: list[Document], iou: float) -> pd.DataFrame:
    found = table(rungs)
    found = found[found["iou"] == iou]
    pooled = found[found["average"] == "pooled"].set_index("name")
    by_image = found[found["average"] == "by_image"].set_index("name")
    return pd.DataFrame(
        [
            {
                "Rung": rung["name"],
                "Kind": KINDS[rung["kind"]],
                **{
                    f"{MEASURES[key]} {words}": number(_plain(frame.loc[rung["name"], key]))
                    for words, frame in (("pooled", pooled), ("by image", by_image))
                    for key in MEASURES
                },
            }
            for rung in rungs
        ]
    )


def _plain(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def table(rungs: list[Document]) -> pd.DataFrame:
    """Every score of every rung, a row for each IoU threshold and average."""
    return pd.DataFrame(
        [
            {"name": rung["name"], "kind": rung["kind"], "average": average, **row}
            for rung in rungs
            for average in ("pooled", "by_image")
            for row in rung[average]
        ]
    )
