"""Image by image: the worst first, each to be opened; and scores against size and crowding."""

import hashlib
from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import charts, sentences
from ui.shared import cache, glossary, page, words
from unet_core.data import datasets

Document = dict[str, Any]

# The scores that a table of images can be sorted by.
SCORES = {
    "f1": "F1",
    "ap": "AP",
    "pq": "PQ",
    "mean_iou": "Mean IoU",
    "dice": "Dice",
    "iou": "IoU",
    "accuracy": "Accuracy",
}
FACTS = {
    "n_true": "True objects",
    "n_pred": "Found objects",
    "median_diameter": "Median diameter (px)",
    "touching": "Share that touch",
}
OPEN = "open-image"
GO = "_open_in_segment"


def show(document: Document) -> None:
    """The table of images."""
    table = pd.DataFrame(document["per_image"])
    if table.empty:
        st.info("There are no images in this result.")
        return
    known = {key: label for key, label in SCORES.items() if key in table}
    names = {label: key for key, label in known.items()}
    chosen = st.segmented_control(
        "Worst first by",
        list(names),
        default=next(iter(names)),
        required=True,
        key="worst",
        help=glossary.of(" ".join(names)),
    )
    key = names[str(chosen)]
    table = table.sort_values([key, "name"], na_position="last", ignore_index=True)
    _show_table(document, table, known)
    text = "A dash: no object there, and none found. " if "f1" in known else ""
    text += "*Open* shows the image in Segment with this model and these settings."
    if document.get("crop_multiple"):
        text += " There the image is whole, so its score may differ a little."
    if "f1" in known:
        text = f"Scores of objects at IoU 0.50. {text}"
    st.caption(text, help=glossary.of(text))


def _show_table(document: Document, table: pd.DataFrame, known: dict[str, str]) -> None:
    config = st.column_config
    facts = {key: label for key, label in FACTS.items() if key in table}
    columns = {"name": "Image"} | known | facts
    shown = table[list(columns)].rename(columns=columns)
    places = numbers(document)
    titles = [words.sample_title(name, places.get(name, 0)) for name in table["name"]]
    if places and titles != list(table["name"]):  # bare hashes
        shown["Image"], shown["Name"] = titles, table["name"]
    is_known = can_open(document)
    if is_known:
        shown.insert(0, "Open", "Open")
    order = tuple(table["name"])
    st.dataframe(
        shown,
        # Rows are chosen by their place: in another order, another table.
        key=f"images-{hashlib.sha256(repr(order).encode()).hexdigest()[:12]}",
        hide_index=True,
        height="content" if len(shown) <= 15 else 560,
        placeholder="–",
        column_config={
            "Image": config.TextColumn(width="medium"),
            "Open": config.ButtonColumn(
                "",
                type="tertiary",
                width="small",
                key=OPEN,
                on_click=_remember_row,
                args=(order,),
            ),
            **{label: config.NumberColumn(format="%.3f") for label in known.values()},
            FACTS["median_diameter"]: config.NumberColumn(format="%.1f"),
            FACTS["touching"]: config.NumberColumn(
                format="percent", help="The share of the true objects that touch another one."
            ),
        },
    )
    if is_known and (name := st.session_state.pop(GO, None)):
        st.switch_page(page.named("segment"), query_params=query(document, name))


def numbers(document: Document) -> dict[str, int]:
    """The place of each image in its split, from 1; empty where the set is not here."""
    try:
        names = datasets.sample_names(
            document["data"], document["split"], scheme=document["scheme"]
        )
    except ValueError:
        return {}
    return {name: number for number, name in enumerate(names, start=1)}


def _remember_row(order: tuple[str, ...]) -> None:
    st.session_state[GO] = order[st.session_state[OPEN]["row"]]


def can_open(document: Document) -> bool:
    """Whether its images can be opened in Segment: the model and the set are here."""
    try:
        cache.model_config(document["model"])
    except ValueError:
        return False
    return sentences.is_here(document["data"])


def query(document: Document, sample: str) -> dict[str, str]:
    """What the Segment page must be asked for, to show an image as it was measured here."""
    data = document["data"]
    # That page divides by the set's own scheme, and finds a sample under the split it has there.
    split = datasets.used_in(data, None, sample) or document["split"]
    settings = document.get("thresholds") or {}
    asked = {"input": "Sample", "set": data, "split": split, "sample": sample}
    asked |= {"model": document["model"]}
    asked |= {name: _as_text(value) for name, value in settings.items()}
    # All of its treatment is named, so that nothing stays from an earlier visit.
    asked |= {"invert": "false", "size": "as it is", "window": str(document.get("window") or "no")}
    asked |= {"flips": _as_text(bool(document.get("flips")))}
    return asked | {"rotations": str(document.get("rotations") or 0)}


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_groups(document: Document) -> None:
    """Which objects are found, by their size and their neighbours; and which images are hard."""
    _show_bars(document)
    table = pd.DataFrame(document["per_image"])
    scores = {label: key for key, label in SCORES.items() if key in table}
    facts = {label: key for key, label in FACTS.items() if key in table and key != "n_pred"}
    if len(table) < 2 or not facts:
        return
    st.subheader("Images", anchor=False)
    with st.container(horizontal=True):
        y = st.segmented_control(
            "Score",
            list(scores),
            default=next(iter(scores)),
            required=True,
            key="group-score",
            help=glossary.of(" ".join(scores)),
        )
        x = st.segmented_control(
            "against", list(facts), default=next(iter(facts)), required=True, key="group-fact"
        )
    column = facts[str(x)]
    fig = charts.per_image(
        table.dropna(subset=[column, scores[str(y)]]),
        column,
        scores[str(y)],
        x_label=str(x),
        y_label=str(y),
        log=column in ("n_true", "median_diameter") and bool((table[column] > 0).all()),
    )
    st.plotly_chart(fig, key=f"scatter-{column}-{scores[str(y)]}", config={"displaylogo": False})
    st.caption("A point is an image; point at it to read its name. Its row is under *Images*.")


def _show_bars(document: Document) -> None:
    sizes = [row for row in document.get("by_size") or [] if row["n_true"]]
    touching = [row for row in document.get("by_touching") or [] if row["n_true"]]
    if not sizes and not touching:
        st.info("There are no true objects in these images, so there is nothing to group.")
        return
    st.subheader("True objects", anchor=False)
    left, right = st.columns([3, 2], gap="large")
    with left:
        names = [f"{row['from_px']:.3g}–{row['to_px']:.3g}" for row in sizes]
        fig = charts.by_group(names, sizes, x="equivalent diameter of the object (px)")
        st.plotly_chart(fig, key="by-size", config={"displaylogo": False})
    with right:
        names = ["touches another" if row["touching"] else "stands alone" for row in touching]
        fig = charts.by_group(names, touching, x="")
        st.plotly_chart(fig, key="by-touching", config={"displaylogo": False})
    st.caption(
        "**Recall** is the share of these true objects that were found (IoU ≥ 0.50), **mean IoU** "
        f"how well those that were found fit. {_hardest(sizes, touching)}",
        help=glossary.of("Recall IoU"),
    )


def _hardest(sizes: list[Document], touching: list[Document]) -> str:
    """The group with the lowest recall, in a sentence."""
    text = ""
    known = [row for row in sizes if row["recall"] is not None]
    if len(known) > 1:
        worst = min(known, key=lambda row: row["recall"])
        count = words.many(worst["n_true"], "object")
        text = (
            f"Hardest are those of {worst['from_px']:.3g} to {worst['to_px']:.3g} px: "
            f"{worst['recall']:.0%} of {count} found."
        )
    both = {row["touching"]: row["recall"] for row in touching if row["recall"] is not None}
    if len(both) == 2:
        text += (
            f" Of those that touch, {both[True]:.0%} are found; of the others, {both[False]:.0%}."
        )
    return text
