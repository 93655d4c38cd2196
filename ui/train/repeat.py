"""A repeat on the screen, live: one recipe with several seeds, and what of a score is chance."""

from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import glossary, page, states, words
from ui.shared.charts import BLUE, ORANGE
from ui.train import curves, state, view
from unet_core.runs import repeats
from unet_core.runs.repeats import Repeat
from unet_core.runs.status import Status
from unet_core.scoring import spread
from unet_core.scoring.spread import Spread

TICK_SECONDS = 2.0
MEASURES = {
    "Validation Dice": ("val_dice", ORANGE),
    "Validation loss": ("val_loss", ORANGE),
    "Training loss": ("train_loss", BLUE),
}
NOISE = (
    "The difference of two runs deviates √2 times as much as one run; beyond two such deviations "
    "lies one of twenty pairs by chance alone. For two means of n seeds it is √n times less."
)
SAME = (
    "The seed decides the first weights, the order of the images, where crops and patches are cut "
    "and how they are augmented. The images for training, validation and test are the same for all."
)


def show(name: str) -> None:
    """The repeat of a link: its state, its scores with mean and deviation, its curves and runs."""
    try:
        repeat = repeats.find(name)
    except ValueError:
        st.warning(
            f"There is no repeat “{words.plain(name[:80])}”: its runs were deleted, or the link is "
            "incomplete."
        )
        _leave_button()
        return
    statuses = repeat.statuses()
    is_alive = any(status.is_alive for status in statuses)
    _show_head(repeat, statuses, is_alive)
    # The browser asks again, but only while there is something to see.
    st.fragment(_show_live, run_every=TICK_SECONDS if is_alive else None)(repeat, is_alive)
    view.show_settings(repeat.runs[0])


def _leave_button() -> None:
    st.button("All runs", icon=":material/arrow_back:", on_click=leave, key="leave")


def leave() -> None:
    """Back to all runs and the form."""
    st.query_params.pop("repeat", None)


def _show_head(repeat: Repeat, statuses: list[Status], is_alive: bool) -> None:
    row: dict[str, Any] = {"horizontal": True, "vertical_alignment": "center"}
    first = repeat.runs[0]
    title = f"{state.recipe(first)} × {words.many(len(statuses), 'seed')}"
    with st.container(**row, horizontal_alignment="distribute"):
        with st.container(**row, width="content"):
            _leave_button()
            st.subheader(words.plain(title), width="content", anchor=False)
        with st.container(**row, width="content"):
            _show_actions(repeat, statuses, is_alive)
    data = "" if first.fault else f"{words.plain(words.set_title(first.config.images.data))} · "
    with st.container(**row):
        st.caption(f"{data}repeat {words.plain(repeat.name)}", width="content", help=SAME)
        if not is_alive:
            _offer_deleting(repeat)
    if statuses[0].note:
        st.caption(f":material/info: {words.plain(statuses[0].note)}")


def _show_actions(repeat: Repeat, statuses: list[Status], is_alive: bool) -> None:
    if is_alive:
        st.button(
            "Stop all seeds",
            icon=":material/stop:",
            key="stop",
            on_click=repeat.stop,
            help="Ends within seconds and keeps the weights; you can resume later.",
        )
    if any(status.state == "finished" for status in statuses):
        query = {"task": "Compare two", "a": repeat.name}
        page.link("evaluate", label="Compare with another", icon=":material/balance:", query=query)
    can_go_on = any(
        not status.is_alive and status.state != "finished" and not run.fault
        for run, status in zip(repeat.runs, statuses, strict=True)
    )
    if can_go_on and st.button(
        "Resume",
        icon=":material/play_arrow:",
        key="resume",
        type="secondary" if is_alive else "primary",
        help="Every seed that has not finished goes on where it ended, or begins again.",
    ):
        with page.guard():
            repeat.start()
            st.rerun()


def _offer_deleting(repeat: Repeat) -> None:
    """Far from Stop, whose second click of a double click must not meet it."""
    with st.popover("Delete …", icon=":material/delete:", type="tertiary", key="delete-question"):
        st.markdown("Delete all seeds with their weights and curves? This cannot be undone.")
        if st.button("Delete for good", key="delete", type="primary"):
            with page.guard():
                repeat.delete()
                leave()
                st.rerun()


def _show_live(repeat: Repeat, was_alive: bool) -> None:
    """All that changes while the seeds go."""
    statuses = repeat.statuses()
    if any(status.is_alive for status in statuses) != was_alive:
        st.rerun()  # other buttons, and another timer or none
    _show_state(repeat, statuses)
    _show_scores(repeat, statuses)
    _show_curves(repeat, statuses)
    _show_seeds(repeat, statuses)


def _show_state(repeat: Repeat, statuses: list[Status]) -> None:
    whole, told = repeats.state(statuses), words.plain(repeats.summary(repeat, statuses))
    left = repeats.seconds_left(statuses)
    has_failed = any(status.state in ("failed", "lost") for status in statuses)
    with st.container(horizontal=True, vertical_alignment="center"):
        states.badge(whole)
        if not has_failed:
            st.markdown(told, width="content")
        if left is not None:
            st.markdown(f"{words.duration(left)} left for all", width="content")
    shares = [state.share(status) for status in statuses]
    st.progress(sum(shares) / len(shares))
    if has_failed:
        st.error(told, icon=states.ICONS["failed"])


def _show_scores(repeat: Repeat, statuses: list[Status]) -> None:
    """The scores of the seeds that have finished, and what of them is noise."""
    ended = [
        (run, status)
        for run, status in zip(repeat.runs, statuses, strict=True)
        if status.state == "finished"
    ]
    found = spread.spread(state.best_dice(run, status) for run, status in ended)
    if found is None:
        return
    st.metric(
        f"Validation Dice, {words.many(found.n, 'finished seed')}",
        score(found),
        help=f"{glossary.DICE} Mean ± deviation over the seeds, each at its best epoch.",
        width="content",
    )
    st.markdown(noise(found), help=NOISE)


def score(found: Spread) -> str:
    """Mean and deviation: `0.812 ± 0.004`."""
    deviation = "" if found.deviation is None else f" ± {found.deviation:.4f}"
    return f"{found.mean:.4f}{deviation}"


def noise(found: Spread) -> str:
    """What of a difference is chance, and how well that is known."""
    if found.noise_of_runs is None or found.noise_of_means is None or found.roughness is None:
        return "One seed tells nothing about chance: the deviation comes with the second one."
    low, high = found.roughness
    text = (
        f"**Differences below {found.noise_of_runs:.4f} are noise** between two single runs of "
        f"this recipe (2√2 × deviation), below {found.noise_of_means:.4f} between two means of "
        f"{found.n} seeds."
    )
    if found.n < spread.FEW:
        text += (
            f" This is rough: from {found.n} seeds the true deviation may well be {low:.1f} to "
            f"{high:.0f} times as large. More seeds make it sharper."
        )
    return text


def _show_curves(repeat: Repeat, statuses: list[Status]) -> None:
    measure = st.segmented_control(
        "Curve", list(MEASURES), default="Validation Dice", required=True, key="repeat-measure"
    )
    column, color = MEASURES[str(measure)]
    rows = [run.metrics().rows for run in repeat.runs]
    names = [f"seed {repeats.seed(run)}" for run in repeat.runs]
    option = curves.band(
        spread.band(rows, column),
        dict(zip(names, map(pd.DataFrame, rows), strict=True)),
        column,
        y=str(measure),
        color=color,
        epochs=max(status.epochs for status in statuses),
    )
    st.echarts_chart(option, key="repeat-chart", height=340, renderer="svg")
    st.caption(
        "Thick: the mean of the seeds that have reached an epoch. Shaded: from the lowest to the "
        "highest of them. Thin: each seed."
    )


def _show_seeds(repeat: Repeat, statuses: list[Status]) -> None:
    ids = tuple(run.id for run in repeat.runs)
    config = st.column_config
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Seed": repeats.seed(run),
                    "State": [status.state],
                    "Progress": round(100 * state.share(status)),
                    "Epochs": f"{status.epoch} / {status.epochs}",
                    "Best epoch": status.best_epoch,
                    "Dice": state.best_dice(run, status),
                    "Time": words.duration(status.seconds),
                    "Open": "Open",
                    "Name": run.id,
                }
                for run, status in zip(repeat.runs, statuses, strict=True)
            ]
        ),
        key="seeds",
        hide_index=True,
        placeholder="–",
        column_config={
            "State": states.column(),
            "Progress": config.ProgressColumn(max_value=100, format="%d %%"),
            "Dice": config.NumberColumn(format="%.4f", help=view.BEST),
            "Open": config.ButtonColumn(
                "", type="tertiary", width="small", key="open-seed", on_click=_open, args=(ids,)
            ),
        },
    )


def _open(ids: tuple[str, ...]) -> None:
    """Show the seed whose button was pressed; its button back leads here."""
    st.query_params["run"] = ids[st.session_state["open-seed"]["row"]]
