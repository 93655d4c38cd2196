"""All runs side by side: a table to choose from, and the chosen ones compared."""

import time
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import overview, states, words
from ui.train import curves, state
from unet_core.runs import runs
from unet_core.runs.overview import Seen
from unet_core.runs.runs import Run
from unet_core.runs.status import Status

MEASURES = {
    "Validation Dice": "val_dice",
    "Mean IoU": "val_miou",
    "AP": "val_ap",
    "Validation loss": "val_loss",
    "Training loss": "train_loss",
}
TICK_SECONDS = 2.0
PER_PAGE = 50
FIND_HELP = (
    "Words that a row holds: a state, recipe, data set, setting or name, such as "
    "`finished lr=0.01`. A comma stands for *or*: `9f66ca, fb967b` puts two runs side by side."
)


def show() -> None:
    """The table of all runs; each can be opened, several are compared."""
    st.subheader("Runs", anchor=False)
    seen = overview.all_runs()
    if not seen:
        st.info(
            "No run yet. Choose a recipe above and press **Start training**; `quick` takes about "
            "two minutes.",
            icon=":material/show_chart:",
        )
        return
    # The browser asks again only while something happens.
    alive = _is_any_alive(seen)
    st.fragment(_show_table, run_every=TICK_SECONDS if alive else None)(alive)


def _is_any_alive(seen: list[Seen]) -> bool:
    return any(one.status.is_alive for one in seen)


def _show_table(was_alive: bool) -> None:
    seen = overview.all_runs()
    if _is_any_alive(seen) != was_alive:
        st.rerun()
    shown = _choose(seen) if len(seen) > PER_PAGE else seen
    if not shown:
        return
    ids = tuple(one.run.id for one in shown)
    event: Any = st.dataframe(
        rows(shown),
        # Rows are chosen by their place: with another list, another table.
        key=f"runs-{hash(ids)}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        column_config=_columns(ids),
    )
    chosen = [shown[index].run for index in event["selection"]["rows"]]
    if len(chosen) < 2:
        st.caption("Tick two or more runs to compare them.")
    else:
        _compare(chosen)


def _choose(seen: list[Seen]) -> list[Seen]:
    """The runs of a page, of those that are looked for."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"
    ):
        text = st.text_input("Find", key="find-runs", width=320, help=FIND_HELP)
        found = find(seen, text)
        n_pages = max(1, -(-len(found) // PER_PAGE))
        if st.session_state.get("runs-page", 1) > n_pages:
            st.session_state["runs-page"] = n_pages
        number = st.pagination(n_pages, key="runs-page")
        first = (number - 1) * PER_PAGE
        shown = found[first : first + PER_PAGE]
        place = f"{first + 1} to {first + len(shown)} of {len(found)} runs"
        st.caption(place if shown else "No run has these words.", width="content")
    return shown


def find(seen: list[Seen], text: str) -> list[Seen]:
    """The runs whose row holds all words of a text, or of one of its parts between commas."""
    wanted = [needed for part in text.lower().split(",") if (needed := part.split())]
    return [one for one in seen if _has(one, wanted)] if wanted else seen


def _has(seen: Seen, wanted: list[list[str]]) -> bool:
    data = "" if seen.run.fault else seen.run.config.images.data
    line = f"{seen.status.state} {seen.run.id} {data} {state.changed(seen.run)}".lower()
    return any(all(word in line for word in needed) for needed in wanted)


def rows(seen: list[Seen]) -> pd.DataFrame:
    """What the table says of some runs."""
    return pd.DataFrame([_row(one.run, one.status) for one in seen])


def _row(run: Run, status: Status) -> dict[str, object]:
    return {
        "State": [status.state],
        "Recipe": state.recipe(run),
        "Data": "–" if run.fault else run.config.images.data,
        "Progress": round(100 * state.share(status)),
        "Epochs": f"{status.epoch} / {status.epochs}",
        "Dice": state.best_dice(run, status),
        "Time": words.duration(status.seconds),
        "Changed settings": state.changed(run),
        "Created": _when(status.created_at),
        "Open": "Open",
        "Name": run.id,
    }


def _when(moment: float | None) -> str:
    return "–" if moment is None else time.strftime("%d %b %H:%M", time.localtime(moment))


def _columns(ids: tuple[str, ...]) -> dict[str, Any]:
    config = st.column_config
    return {
        "State": states.column(),
        "Progress": config.ProgressColumn(max_value=100, format="%d %%"),
        "Dice": config.NumberColumn(
            format="%.3f", help="On validation, at the best epoch, whose weights are kept."
        ),
        "Changed settings": config.TextColumn(help="What differs from the recipe."),
        "Open": config.ButtonColumn(
            "", type="tertiary", width="small", key="open-run", on_click=_open, args=(ids,)
        ),
        "Name": config.TextColumn(help="For links, and for `--model` on the command line."),
    }


def _open(ids: tuple[str, ...]) -> None:
    """Show the run whose button was pressed, of those that the table showed then."""
    st.query_params["run"] = ids[st.session_state["open-run"]["row"]]


def _compare(chosen: list[Run]) -> None:
    """The curves of several runs in one chart, and only those settings that are not equal."""
    names = state.short_names(chosen)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = st.segmented_control(
            "Compare", list(MEASURES), default="Validation Dice", required=True, key="measure"
        )
        log = st.toggle("Logarithmic", key="log-compare")
    tables = [pd.DataFrame(run.metrics().rows) for run in chosen]
    option = curves.compare(
        dict(zip(names, tables, strict=True)), MEASURES[str(measure)], y=str(measure), log=log
    )
    st.echarts_chart(option, key="compare-chart", height=340, renderer="svg")
    unequal = runs.differences(chosen)
    if not unequal:
        st.caption("These runs have the same settings.")
        return
    st.caption("The settings in which they differ; all others are equal.")
    rows = {name: [state.value(one) for one in row] for name, row in unequal.items()}
    st.dataframe(pd.DataFrame.from_dict(rows, orient="index", columns=names))
