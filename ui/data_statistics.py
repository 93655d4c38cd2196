"""What a data set is like in numbers, and what each number means for a training."""

import pandas as pd
import streamlit as st

from ui import charts, data_jobs
from ui.data_download import TICK_SECONDS, show_progress
from unet_core import datasets
from unet_core.catalogue import DataSet
from unet_core.statistics import Facts, Statistics, meaning, summary

PATIENCE_SECONDS = 0.6  # tables that were computed before come within that time
VIEWS = ("Distributions", "Images", "Objects")
ORDER = ("train", "val", "test")

# key of the sentence, title, column, table, axis, logarithmic
DISTRIBUTIONS = (
    ("objects", "Objects per image", "objects", "images", "objects", False),
    ("area", "Area", "area", "objects", "square pixels", True),
    (
        "equivalent_diameter_area",
        "Equivalent diameter",
        "equivalent_diameter_area",
        "objects",
        "pixels",
        False,
    ),
    (
        "nearest_neighbour_distance",
        "Distance to the nearest neighbour",
        "nearest_neighbour_distance",
        "objects",
        "pixels, between centres",
        False,
    ),
    ("eccentricity", "Eccentricity", "eccentricity", "objects", "0 circle, 1 line", False),
    ("solidity", "Solidity", "solidity", "objects", "area / area of the convex hull", False),
    ("intensity_mean", "Mean intensity", "intensity_mean", "images", "grey value", False),
    ("foreground", "Foreground", "foreground", "images", "share of the pixels", False),
    ("touching", "Objects that touch", "touching", "images", "share of an image's objects", False),
    ("smallest_area", "Smallest object", "smallest_area", "images", "square pixels", True),
)


def show(about: DataSet, scheme: str) -> None:
    """Distributions and tables of all labelled images; a progress bar while they are computed."""
    tables = _compute(about.name, scheme)
    if tables is None:
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
        show_distributions(tables)
    else:
        show_table(about.name, view.lower(), tables.images if view == "Images" else tables.objects)


def _compute(name: str, scheme: str) -> Statistics | None:
    """The tables, or None while they are computed: then the page shows how far that is."""
    key = ("statistics", name)

    def work(report: data_jobs.Report) -> None:
        datasets.statistics(
            name,
            scheme=scheme,
            on_progress=lambda done, total: report(
                f"Measuring every object: {done} of {total} images", done / total
            ),
        )

    job = data_jobs.find(key)
    if job is None or not (job.is_alive or job.error):
        job = data_jobs.start(key, work)
    if not job.wait(PATIENCE_SECONDS):
        st.fragment(show_progress, run_every=TICK_SECONDS)(job)
        st.caption("This takes some seconds once. Afterwards it is there at once, for everybody.")
        return None
    data_jobs.forget(key)
    if job.error:
        raise job.error
    return datasets.statistics(name, scheme=scheme)


def show_distributions(tables: Statistics) -> None:
    """The numbers of each split, then a chart and a sentence for each measure."""
    facts = summary(tables)
    # What the network learns from decides; the other splits are drawn for comparison.
    words = meaning(facts.get("train") or next(iter(facts.values())))
    glance, shapes = st.columns([3, 2], gap="large")
    with glance:
        st.subheader("At a glance", anchor=False)
        st.dataframe(at_a_glance(facts), width="stretch")
    with shapes:
        st.subheader("Image shapes", anchor=False)
        st.dataframe(image_shapes(facts), width="stretch", hide_index=True)
        st.markdown(words["shapes"])
    splits = [split for split in ORDER if split in facts]
    cards = st.container()
    with cards:
        columns = st.columns(2, gap="large")
        place = 0
        for key, title, column, table, axis, is_log in DISTRIBUTIONS:
            if key not in words:
                continue
            frame = getattr(tables, table)
            values = {split: frame.loc[frame["split"] == split, column] for split in splits}
            with columns[place % 2], st.container(border=True):
                st.subheader(title, anchor=False)
                st.markdown(words[key])
                st.plotly_chart(
                    charts.histogram(values, x=axis, things=table, log=is_log, height=230),
                    key=f"chart-{key}",
                    config={"displayModeBar": False},
                )
            place += 1
        with columns[place % 2], st.container(border=True):
            st.subheader("Class balance", anchor=False)
            st.markdown(words["classes"])
            st.plotly_chart(
                charts.shares({split: facts[split].class_shares for split in splits}, height=230),
                key="chart-classes",
                config={"displayModeBar": False},
            )


def at_a_glance(facts: dict[str, Facts]) -> pd.DataFrame:
    """A row per measure, a column per split, as text: whole numbers and shares in one table."""
    rows = {
        "Images": lambda one: f"{one.images:,}",
        "Images without objects": lambda one: f"{one.empty_images:,}",
        "Objects": lambda one: f"{one.objects:,}",
        "Objects per image, median": lambda one: f"{one.objects_per_image:.0f}",
        "Smallest object": lambda one: _pixels(one.smallest_area),
        "Median object": lambda one: _pixels(one.median_area),
        "Largest object": lambda one: _pixels(one.largest_area),
        "Typical diameter": lambda one: _pixels(one.diameter, ".1f"),
        "Objects that touch": lambda one: _share(one.touching),
        "Foreground": lambda one: _share(one.foreground),
    }
    return pd.DataFrame(
        {split: {row: tell(one) for row, tell in rows.items()} for split, one in facts.items()}
    )


def _pixels(value: float, form: str = ",.0f") -> str:
    return "–" if value != value else f"{value:{form}} px"


def _share(value: float) -> str:
    return "–" if value != value else f"{value:.1%}"


def image_shapes(facts: dict[str, Facts]) -> pd.DataFrame:
    """A row per shape of an image, the most frequent first, with the images of each split."""
    counts = pd.DataFrame({split: one.shapes for split, one in facts.items()}).fillna(0).astype(int)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    names = [f"{rows} × {columns}" for rows, columns in counts.index]
    counts.insert(0, "rows × columns", names)
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
    st.dataframe(table, width="stretch", height=560, hide_index=True, lazy=True)
