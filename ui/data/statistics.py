"""What a data set is like in numbers, and what each number means for a training."""

import math
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ui.data.download import TICK_SECONDS
from ui.shared import background, cache, charts, columns, glossary
from unet_core.data import datasets
from unet_core.data.catalogue import DataSet
from unet_core.data.statistics import Facts, Statistics, meaning, summary
from unet_core.runs import jobs

KIND = "statistics"
VIEWS = ("Distributions", "Images", "Objects")
ORDER = ("train", "val", "test")
CHART_HEIGHT = 230


@dataclass(frozen=True)
class Measure:
    """One chart: its title, where its values are, and the key of its sentence in `meaning`."""

    title: str
    table: str
    column: str
    axis: str
    is_log: bool = False
    key: str = ""


MEASURES = (
    Measure("Objects per image", "images", "objects", "objects"),
    Measure("Area", "objects", "area", "px²", is_log=True),
    Measure("Equivalent diameter", "objects", "equivalent_diameter_area", "px"),
    Measure(
        "Distance to the nearest neighbour",
        "objects",
        "nearest_neighbour_distance",
        "px between centres",
    ),
    Measure("Eccentricity", "objects", "eccentricity", "0 is a circle, near 1 a line"),
    Measure("Solidity", "objects", "solidity", "area / area of the convex hull"),
    Measure("Mean intensity of objects", "objects", "intensity_mean", "grey value", key="contrast"),
    Measure("Mean intensity of images", "images", "intensity_mean", "grey value"),
    Measure("Objects that touch", "images", "touching", "share of an image's objects"),
    Measure("Smallest object", "images", "smallest_area", "px²", is_log=True),
    Measure("Foreground", "images", "foreground", "share of an image's pixels"),
)


@dataclass(frozen=True)
class Findings:
    """The tables of a set under a scheme, and what is drawn of them."""

    tables: Statistics
    facts: dict[str, Facts]  # of each split
    about_shapes: str
    cards: tuple[tuple[str, str, go.Figure], ...]  # title, sentence, chart


def show(about: DataSet, scheme: str) -> None:
    """Distributions and tables of all labelled images; a progress bar while they are computed."""
    if about.splits == ("unlabelled",):
        st.info("Nobody has labelled these images: there is nothing to measure.")
        return
    found = _find(about.name, scheme)
    if found is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        view = st.segmented_control(
            "View",
            VIEWS,
            default=VIEWS[0],
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
    if view == VIEWS[0]:
        show_distributions(found)
    else:
        table = found.tables.images if view == "Images" else found.tables.objects
        show_table(about.name, view.lower(), table)


def _find(name: str, scheme: str) -> Findings | None:
    """What is known, or None while a job computes it: then the page shows how far that is.

    It is kept for everybody until a file of the set changes.
    """
    kept, known = cache.shelf("statistics"), (datasets.fingerprint(name), scheme)
    if known in kept or datasets.has_statistics(name):
        return kept.get(known, lambda: _study(name, scheme))
    words = ["data", "stats", name]
    job = jobs.latest(KIND, words) or jobs.join(KIND, words, title=f"Statistics of {name}")
    status = job.status()
    if status.is_alive:
        st.fragment(background.follow, run_every=TICK_SECONDS)(job)
        st.caption("This takes some seconds once. Afterwards it is there at once, for everybody.")
    elif status.state == "finished":  # and what it computed was not kept, or is not for these files
        with st.spinner("Measuring every object …"):
            return kept.get(known, lambda: _study(name, scheme))
    else:
        background.tell_bad_end(status, missing="there are no statistics")
        job.delete()  # whoever looks again begins anew
    return None


def _study(name: str, scheme: str) -> Findings:
    """The tables, and a chart with its sentence for each measure."""
    tables = datasets.statistics(name, scheme=scheme)
    facts = summary(tables)
    # What the network learns from decides; the other splits are drawn for comparison.
    words = meaning(facts.get("train") or next(iter(facts.values())))
    splits = [split for split in ORDER if split in facts]
    cards = [
        (
            one.title,
            words[one.key or one.column],
            charts.histogram(
                _by_split(getattr(tables, one.table), one.column, splits),
                x=one.axis,
                things=one.table,
                log=one.is_log,
                height=CHART_HEIGHT,
            ),
        )
        for one in MEASURES
        if (one.key or one.column) in words
    ]
    shares = charts.shares({name: facts[name].class_shares for name in splits}, height=CHART_HEIGHT)
    cards.append(("Class balance", words["classes"], shares))
    return Findings(tables, facts, words["shapes"], tuple(cards))


def show_distributions(found: Findings) -> None:
    """The numbers of each split, then a chart and a sentence for each measure."""
    glance, shapes = st.columns([3, 2], gap="large")
    with glance:
        st.subheader("At a glance", anchor=False)
        st.table(at_a_glance(found.facts))
    with shapes:
        st.subheader("Image shapes", anchor=False)
        st.table(image_shapes(found.facts))
        st.markdown(found.about_shapes)
    for start in range(0, len(found.cards), 2):
        for place, card in zip(st.columns(2), found.cards[start : start + 2], strict=False):
            with place, st.container(border=True, height="stretch"):
                _show_card(*card)


def _show_card(title: str, sentence: str, fig: go.Figure) -> None:
    st.subheader(title, anchor=False)
    st.markdown(sentence, help=glossary.of(sentence))
    st.plotly_chart(fig, key=f"chart-{title}", config={"displayModeBar": False}, alt=sentence)


def _by_split(table: pd.DataFrame, column: str, splits: list[str]) -> dict[str, pd.Series]:
    return {split: table.loc[table["split"] == split, column] for split in splits}


def at_a_glance(facts: dict[str, Facts]) -> pd.DataFrame:
    """A row per measure, a column per split, as text: whole numbers and shares in one table."""
    rows = {
        "Images": lambda one: f"{one.images:,}",
        "Images without objects": lambda one: f"{one.empty_images:,}",
        "Objects": lambda one: f"{one.objects:,}",
        "Objects per image, median": lambda one: f"{one.objects_per_image:.0f}",
        "Smallest object": lambda one: _amount(one.smallest_area, "px²"),
        "Median object": lambda one: _amount(one.median_area, "px²"),
        "Largest object": lambda one: _amount(one.largest_area, "px²"),
        "Typical diameter": lambda one: _amount(one.diameter, "px"),
        "Objects that touch": lambda one: _share(one.touching),
        "Foreground": lambda one: _share(one.foreground),
    }
    return pd.DataFrame(
        {split: {row: tell(one) for row, tell in rows.items()} for split, one in facts.items()}
    )


def _amount(value: float, unit: str) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}".removesuffix(".0") + f" {unit}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def image_shapes(facts: dict[str, Facts]) -> pd.DataFrame:
    """A row per shape of an image, the most frequent first, with the images of each split."""
    counts = pd.DataFrame({split: one.shapes for split, one in facts.items()}).fillna(0).astype(int)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    counts.index = pd.Index(
        [f"{rows} × {columns}" for rows, columns in counts.index], name="rows × columns"
    )
    return counts


def show_table(name: str, what: str, table: pd.DataFrame) -> None:
    """All rows, sortable; they travel to the browser as it scrolls."""
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.markdown(
            f"{len(table):,} {what}. A click on a column's name sorts by it.", width="content"
        )
        st.download_button(
            "Download CSV",
            data=lambda: table.to_csv(index=False).encode(),
            file_name=f"{name}-{what}.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            key=f"csv-{what}",
        )
    st.dataframe(
        table,
        width="stretch",
        height=560,
        hide_index=True,
        lazy=True,
        column_config=columns.config(table),
    )
