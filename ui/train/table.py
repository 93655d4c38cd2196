"""All runs side by side: a table to choose from, and the chosen ones compared."""

import time
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import states, words
from ui.train import curves, state
from unet_core.runs import runs
from unet_core.runs.runs import Run
from unet_core.runs.status import Status

MEASURES = {
    "Validation Dice": "val_dice",
    "Validation loss": "val_loss",
    "Training loss": "train_loss",
}
TICK_SECONDS = 2.0


def show() -> None:
    """The table of all runs; each can be opened, several are compared."""
    st.subheader("Runs", anchor=False)
    found = runs.list_runs()
    if not found:
        st.info(
            "No run yet. Choose a recipe above and press **Start training**; `quick` takes about "
            "two minutes.",
            icon=":material/show_chart:",
        )
        return
    # The browser asks again only while something happens.
    alive = any(run.status().is_alive for run in found)
    st.fragment(_show_table, run_every=TICK_SECONDS if alive else None)(alive)


def _show_table(was_alive: bool) -> None:
    found = runs.list_runs()
    ids = tuple(run.id for run in found)
    statuses = [run.status() for run in found]
    if any(status.is_alive for status in statuses) != was_alive:
        st.rerun()
    event: Any = st.dataframe(
        pd.DataFrame([_row(*pair) for pair in zip(found, statuses, strict=True)]),
        # Rows are chosen by their place: with another list, another table.
        key=f"runs-{hash(ids)}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        column_config=_columns(ids),
    )
    chosen = [found[index] for index in event["selection"]["rows"]]
    if len(chosen) < 2:
        st.caption("Tick two or more runs to compare them.")
    else:
        _compare(chosen)


def _row(run: Run, status: Status) -> dict[str, object]:
    metrics = pd.DataFrame(run.metrics().rows)
    return {
        "State": [status.state],
        "Recipe": state.recipe(run),
        "Data": "–" if run.fault else run.config.images.data,
        "Progress": round(100 * state.share(status)),
        "Epochs": f"{status.epoch} / {status.epochs}",
        "Dice": state.best_row(metrics, status.best_epoch).get("val_dice"),
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
