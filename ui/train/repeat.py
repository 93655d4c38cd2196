"""A repeat on the screen, live: one recipe with several seeds, and what of a score is chance."""

from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import page, states, words
from ui.shared.charts import BLUE, ORANGE
from ui.train import curves, state, view
from unet_core.runs import repeats
from unet_core.runs.repeats import Repeat
from unet_core.runs.status import Status
from unet_core.scoring import spread
from unet_core.scoring.spread import Spread

TICK_SECONDS = 2.0
# The column of a curve that a choice stands for, and its colour.
MEASURES = {f"Validation {name}": (one.column, ORANGE) for name, one in view.SCORES.items()}
MEASURES |= {"Validation loss": ("val_loss", ORANGE), "Training loss": ("train_loss", BLUE)}
NOISE = (
    "The difference of two runs deviates √2 times as much as one run; beyond two such deviations "
    "lies one of twenty pairs by chance alone. For two means of n seeds it is √n times less."
)
SAME = (
    "The seed decides the first weights (unless it starts from a model's), the order of the "
    "images, where crops and patches are cut, and how they are augmented. The images for training, "
    "validation and test are the same for all."
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
    frames = [pd.DataFrame(run.metrics().rows) for run in repeat.runs]
    measure = _choose_measure(repeat, frames)
    scores = [
        state.best_row(frame, status.best_epoch).get(MEASURES[measure][0])
        for frame, status in zip(frames, statuses, strict=True)
    ]
    _show_scores(measure, statuses, scores)
    _show_curves(repeat, statuses, measure, frames)
    _show_seeds(repeat, statuses, measure, scores)


def _choose_measure(repeat: Repeat, frames: list[pd.DataFrame]) -> str:
    """What is drawn and summed up: at first what chooses the best epoch."""
    known = [
        name
        for name, (column, _) in MEASURES.items()
        if column == "val_dice" or any(state.has_values(frame, column) for frame in frames)
    ]
    first = f"Validation {view.first_score(repeat.runs[0], frames[0])}"
    chosen = st.segmented_control(
        "Score",
        known,
        default=first,
        required=True,
        # What is known grows: with other options, another control.
        key=f"measure-{repeat.name}-{first}-{len(known)}",
    )
    return str(chosen)


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


def _show_scores(measure: str, statuses: list[Status], scores: list[float | None]) -> None:
    """The scores of the seeds that have finished, and what of them is noise."""
    found = spread.spread(
        score for score, status in zip(scores, statuses, strict=True) if status.state == "finished"
    )
    if found is None:
        return
    st.metric(
        f"{measure}, {words.many(found.n, 'finished seed')}",
        score_text(found),
        help="Mean ± deviation over the seeds, each at its best epoch.",
        width="content",
    )
    st.markdown(noise(found), help=NOISE)


def score_text(found: Spread) -> str:
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


def _show_curves(
    repeat: Repeat, statuses: list[Status], measure: str, frames: list[pd.DataFrame]
) -> None:
    column, color = MEASURES[measure]
    names = [f"seed {repeats.seed(run)}" for run in repeat.runs]
    option = curves.band(
        spread.band([frame.to_dict("records") for frame in frames], column),
        dict(zip(names, frames, strict=True)),
        column,
        y=measure,
        color=color,
        epochs=max(status.epochs for status in statuses),
    )
    st.echarts_chart(option, key="repeat-chart", height=340, renderer="svg")
    st.caption(
        "Thick: the mean of the seeds that have reached an epoch. Shaded: from the lowest to the "
        "highest of them. Thin: each seed."
    )


def _show_seeds(
    repeat: Repeat, statuses: list[Status], measure: str, scores: list[float | None]
) -> None:
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
                    measure: score,
                    "Time": words.duration(status.seconds),
                    "Open": "Open",
                    "Name": run.id,
                }
                for run, status, score in zip(repeat.runs, statuses, scores, strict=True)
            ]
        ),
        key="seeds",
        hide_index=True,
        placeholder="–",
        column_config={
            "State": states.column(),
            "Progress": config.ProgressColumn(max_value=100, format="%d %%"),
            measure: config.NumberColumn(format="%.4f", help=view.BEST),
            "Open": config.ButtonColumn(
                "", type="tertiary", width="small", key="open-seed", on_click=_open, args=(ids,)
            ),
        },
    )


def _open(ids: tuple[str, ...]) -> None:
    """Show the seed whose button was pressed; its button back leads here."""
    st.query_params["run"] = ids[st.session_state["open-seed"]["row"]]
