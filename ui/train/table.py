"""All runs side by side: a table to choose from, and the chosen ones compared."""

import time
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import overview, page, states, words
from ui.train import curves, state
from unet_core.runs import repeats, runs
from unet_core.runs.overview import Seen
from unet_core.runs.runs import Run
from unet_core.runs.status import Status
from unet_core.scoring import spread

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


@dataclass(frozen=True)
class Entry:
    """A row of the table: a run, or the runs of a repeat by their seeds."""

    seen: tuple[Seen, ...]
    repeat: str = ""

    @property
    def name(self) -> str:
        """What it is called in links: of a run its id."""
        return self.repeat or self.seen[0].run.id

    @property
    def runs(self) -> list[Run]:
        """Its runs."""
        return [one.run for one in self.seen]

    @property
    def statuses(self) -> list[Status]:
        """The states of its runs, in the same order."""
        return [one.status for one in self.seen]

    @property
    def has_scores(self) -> bool:
        """Whether its scores can be compared: a run has weights, a repeat a finished seed."""
        if self.repeat:
            return any(status.state == "finished" for status in self.statuses)
        return self.seen[0].has_weights


def group(seen: list[Seen]) -> list[Entry]:
    """The rows of these runs: a repeat stands where its newest run would stand."""
    found: dict[str, list[Seen]] = {}
    for one in seen:
        found.setdefault(one.status.repeat or f"/{one.run.id}", []).append(one)
    return [
        Entry(tuple(members))
        if name.startswith("/")
        else Entry(tuple(sorted(members, key=lambda one: repeats.by_seed(one.run))), name)
        for name, members in found.items()
    ]


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
    entries = group(seen)
    shown = _choose(entries) if len(entries) > PER_PAGE else entries
    if not shown:
        return
    ids = tuple(("repeat" if one.repeat else "run", one.name) for one in shown)
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
    ticked = [shown[index] for index in event["selection"]["rows"]]
    chosen = [run for one in ticked for run in one.runs]
    if len(ticked) == 2 and all(one.has_scores for one in ticked):
        query = {"task": "Compare two", "a": ticked[0].name, "b": ticked[1].name}
        label = "Is the one better than the other, or is it chance?"
        page.link("evaluate", label=label, icon=":material/balance:", query=query)
    if len(chosen) < 2:
        st.caption("Tick two or more runs to compare them.")
    else:
        _compare(chosen)


def _choose(seen: list[Entry]) -> list[Entry]:
    """The rows of a page, of those that are looked for."""
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


def find(entries: list[Entry], text: str) -> list[Entry]:
    """The rows that hold all words of a text, or of one of its parts between commas."""
    wanted = [needed for part in text.lower().split(",") if (needed := part.split())]
    return [one for one in entries if _has(one, wanted)] if wanted else entries


def _has(entry: Entry, wanted: list[list[str]]) -> bool:
    lines = (_line(one, entry.repeat) for one in entry.seen)
    return any(all(word in line for word in needed) for line in lines for needed in wanted)


def _line(seen: Seen, repeat: str) -> str:
    data = "" if seen.run.fault else seen.run.config.images.data
    words = (seen.status.state, seen.run.id, repeat, data, state.changed(seen.run))
    return " ".join(words).lower()


def rows(entries: list[Entry]) -> pd.DataFrame:
    """What the table says of some runs and repeats."""
    return pd.DataFrame([_row(one) for one in entries])


def _row(entry: Entry) -> dict[str, object]:
    first, statuses = entry.runs[0], entry.statuses
    shares = [state.share(status) for status in statuses]
    count = f" × {words.many(len(statuses), 'seed')}" if entry.repeat else ""
    return {
        "State": [repeats.state(statuses)],
        "Recipe": state.recipe(first) + count,
        "Data": "–" if first.fault else first.config.images.data,
        "Progress": round(100 * sum(shares) / len(shares)),
        "Epochs": f"{sum(one.epoch for one in statuses)} / {sum(one.epochs for one in statuses)}",
        "Dice": _dice(entry),
        "Time": words.duration(sum(one.seconds for one in statuses)),
        "Changed settings": state.changed(first),
        "Created": _when(statuses[0].created_at),
        "Open": "Open",
        "Name": entry.name,
    }


def _dice(entry: Entry) -> float | None:
    scores = map(state.best_dice, entry.runs, entry.statuses)
    if not entry.repeat:
        return next(scores)
    found = spread.spread(scores)
    return found.mean if found else None


def _when(moment: float | None) -> str:
    return "–" if moment is None else time.strftime("%d %b %H:%M", time.localtime(moment))


def _columns(ids: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    config = st.column_config
    return {
        "State": states.column(),
        "Progress": config.ProgressColumn(max_value=100, format="%d %%"),
        "Dice": config.NumberColumn(
            format="%.3f",
            help="On validation, at the best epoch, whose weights are kept. Of a repeat, the mean "
            "over its seeds so far.",
        ),
        "Changed settings": config.TextColumn(help="What differs from the recipe."),
        "Open": config.ButtonColumn(
            "", type="tertiary", width="small", key="open-run", on_click=_open, args=(ids,)
        ),
        "Name": config.TextColumn(help="For links, and for `--model` on the command line."),
    }


def _open(ids: tuple[tuple[str, str], ...]) -> None:
    """Show the run or repeat whose button was pressed, of those that the table showed then."""
    kind, name = ids[st.session_state["open-run"]["row"]]
    st.query_params[kind] = name


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
