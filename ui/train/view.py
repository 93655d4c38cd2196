"""One run on the screen, live: it reads the run's directory and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import glossary, models, page, states, words
from ui.train import broken, curves, state
from unet_core.runs import event_file, runs
from unet_core.runs.runs import Run
from unet_core.runs.status import Status

TICK_SECONDS = 1.0
PICTURES = 4  # the fixed validation images
LOG_LINES = 40  # of its end, where the news is
BEST = "Of the best epoch so far, whose weights are kept."
ABOUT_DICE = (
    "**Training**: the epoch's augmented crops, while the network changes. **Validation**: all "
    "pixels of the whole images, after it. Both count pixels above one half; **soft** takes the "
    "probabilities themselves, image by image, and is lower while the network is unsure."
)
ABOUT_IOU = (
    "Of all validation pixels together: those that a class has in the answer and in the truth, "
    "over those that it has in either. Where only objects are learned, background and foreground "
    "are the classes."
)
ABOUT_AP = (
    "Objects of a few validation images, found by their regions above one half: hits at IoU 0.5 "
    "over hits, false alarms and misses, image by image. Quick and rough: thresholds are chosen "
    "at the end."
)


@dataclass(frozen=True)
class Measure:
    """A score of the validation images: its column of the curve, its chart, what it says."""

    column: str
    draw: Callable[..., curves.Option]
    about: str
    explanation: str


SCORES = {
    "Dice": Measure("val_dice", curves.dice, ABOUT_DICE, glossary.DICE),
    "Mean IoU": Measure("val_miou", curves.mean_iou, ABOUT_IOU, glossary.IOU),
    "AP": Measure("val_ap", curves.ap, ABOUT_AP, glossary.AP),
}


def show(run_id: str) -> None:
    """The run of a link: its state, what can be done with it, its curves and predictions."""
    try:
        run = runs.find(run_id)
    except ValueError:
        st.warning(
            f"There is no run “{words.plain(run_id[:80])}”: it was deleted, or the link is "
            "incomplete."
        )
        _leave_button()
        return
    status = run.status()
    _show_head(run, status)
    # The browser asks again every second, but only while there is something to see.
    st.fragment(_show_live, run_every=TICK_SECONDS if status.is_alive else None)(
        run, status.is_alive
    )
    broken.show(run)
    show_settings(run)


def _leave_button() -> None:
    # Opened from its repeat, a run leads back there.
    label = "Back to the repeat" if "repeat" in st.query_params else "All runs"
    st.button(label, icon=":material/arrow_back:", on_click=leave, key="leave")


def leave() -> None:
    """Back to where it was opened: to all runs and the form, or to its repeat."""
    st.query_params.pop("run", None)


def open_repeat(name: str) -> None:
    """Show the repeat of that name."""
    leave()
    st.query_params["repeat"] = name


def _show_head(run: Run, status: Status) -> None:
    row: dict[str, Any] = {"horizontal": True, "vertical_alignment": "center"}
    with st.container(**row, horizontal_alignment="distribute"):
        with st.container(**row, width="content"):
            _leave_button()
            st.subheader(words.plain(state.recipe(run)), width="content", anchor=False)
        with st.container(**row, width="content"):
            _show_actions(run, status)
    data = "" if run.fault else f"{words.plain(words.set_title(run.config.images.data))} · "
    device = f" · {status.device}" if status.device else ""
    with st.container(**row):
        st.caption(f"{data}run {words.plain(run.id)}{device}", width="content")
        if status.repeat and "repeat" not in st.query_params:
            st.button(
                f"One seed of {status.repeat}",
                icon=":material/repeat:",
                key="to-repeat",
                type="tertiary",
                on_click=open_repeat,
                args=(status.repeat,),
            )
        if not status.is_alive:
            _offer_deleting(run)
    if status.note:
        st.caption(f":material/info: {words.plain(status.note)}")


def _show_actions(run: Run, status: Status) -> None:
    """Use it when there are weights; at the end of the row stop while it goes, or else go on."""
    if status.is_alive:
        st.button(
            "Stop",
            icon=":material/stop:",
            key="stop",
            on_click=run.stop,
            help="Ends within seconds and keeps the weights; you can resume later.",
        )
        return
    if run.has_weights():
        query = {"model": run.id}
        page.link(
            "segment", label="Segment with this model", icon=page.icon("segment"), query=query
        )
        page.link("evaluate", label="Evaluate this model", icon=page.icon("evaluate"), query=query)
        models.link_fine_tuning(run.id)
    if status.state == "finished" and run.can_resume() and not run.fault:
        _offer_more_epochs(run)
    if status.state != "finished" and not run.fault:
        has_past = run.can_resume()
        if st.button(
            "Resume" if has_past else "Start again",
            icon=":material/play_arrow:",
            key="resume",
            type="primary",
            help="Continues the curve where it ended."
            if has_past
            else "It ended before anything was saved, so it begins at the first step.",
        ):
            with page.guard():
                runs.start(run, resume=True)
                st.rerun()


def _offer_more_epochs(run: Run) -> None:
    """Go on with a run that has come to its end."""
    had = run.config.optimisation.epochs
    with st.popover("More epochs …", icon=":material/add:", key="more-question"):
        st.markdown("Train on from where it ended, with the same settings.")
        wanted = st.number_input(
            "Epochs, all together",
            value=2 * had,
            step=1,
            key="more-epochs",
            help=f"It has had {had}. A schedule is planned anew for all of them, so that its "
            "learning rate may rise again.",
        )
        if st.button("Go on", key="more", type="primary", icon=":material/play_arrow:"):
            with page.guard():
                runs.extend(run, int(wanted))
                runs.start(run, resume=True)
                st.rerun()


def _offer_deleting(run: Run) -> None:
    """Far from Stop, whose second click of a double click must not meet it."""
    with st.popover("Delete …", icon=":material/delete:", type="tertiary", key="delete-question"):
        st.markdown("Delete this run with its weights and curves? This cannot be undone.")
        if st.button("Delete for good", key="delete", type="primary"):
            with page.guard():
                run.delete()
                leave()
                st.rerun()


def _show_live(run: Run, was_alive: bool) -> None:
    """All that changes while a run goes; called every second."""
    status = run.status()
    if status.is_alive != was_alive:
        st.rerun()  # other buttons, and another timer or none
    metrics = _curve(run, "metrics").follow(run.metrics)
    steps = _curve(run, "steps").follow(run.steps)
    _show_state(run, status)
    if steps.empty and metrics.empty:
        if status.state == "running":
            st.info(
                "Reading the images; the first point of the curve comes in a few seconds.",
                icon=":material/hourglass_top:",
            )
    else:
        _show_numbers(run, status, metrics, steps)
        _show_curves(run, status, metrics, steps)
        _show_predictions(run)
    _show_log(run)


def _curve(run: Run, kind: str) -> state.Curve:
    """What this browser has read of a run so far; only of the run that it shows."""
    kept = st.session_state.get("_curves")
    if kept is None or kept[0] != run.id:
        kept = (run.id, {"metrics": state.Curve(), "steps": state.Curve()})
        st.session_state["_curves"] = kept
    return kept[1][kind]


def _show_state(run: Run, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        states.badge(status.state)
        st.markdown(state.progress(status), width="content")
    if status.state == "queued":
        for line in state.ahead(run, status):
            st.caption(words.plain(line))
    else:
        st.progress(state.share(status))
    if status.state in ("failed", "lost"):
        st.error(words.plain(_sentence(status, run)), icon=states.ICONS[status.state])
    elif status.reason:
        st.caption(f":material/info: {words.plain(status.reason)}")


def _sentence(status: Status, run: Run) -> str:
    """Why it ended, and what to do."""
    reason = (status.reason or "The reason is in the log below.").rstrip(".")
    if reason.partition(" ")[0].isalpha():  # the name of a file or setting stays as it is
        reason = reason[:1].upper() + reason[1:]
    if run.fault:
        return f"{reason}. It can only be deleted."
    if status.state == "lost":
        what = "go on from the last saved state" if run.can_resume() else "begin again"
        return f"{reason}. Press the button above to {what}."
    return f"{reason}."


def _show_numbers(run: Run, status: Status, metrics: pd.DataFrame, steps: pd.DataFrame) -> None:
    best, last = state.best_row(metrics, status.best_epoch), state.last_row(steps)
    name = first_score(run, metrics)
    score = SCORES[name]
    about = {
        f"Validation {name}": f"{score.explanation} {BEST}",
        "Validation loss": BEST,
    }
    texts = {
        f"Validation {name}": words.number(best.get(score.column), "{:.3f}"),
        "Validation loss": words.number(best.get("val_loss"), "{:.3g}"),
        "Learning rate": words.number(last.get("lr"), "{:.2g}"),
        "Images per second": words.number(last.get("images_per_second"), "{:.3g}"),
        "Trained for": words.duration(status.seconds),
        "Time left": words.duration(status.seconds_left if status.is_alive else None),
    }
    for place, (name, text) in zip(st.columns(len(texts)), texts.items(), strict=True):
        place.metric(name, text, help=about.get(name))


def _known_scores(metrics: pd.DataFrame) -> list[str]:
    """The scores that the curve holds; Dice before there is any."""
    known = [name for name, one in SCORES.items() if state.has_values(metrics, one.column)]
    return known or ["Dice"]


def first_score(run: Run, metrics: pd.DataFrame) -> str:
    """What chooses the best epoch, or else what the target is judged by, where it is known."""
    known = _known_scores(metrics)
    if run.fault:
        return known[0]
    by_column = {one.column: name for name, one in SCORES.items()}
    is_classes = run.config.objective.target == "classes"
    usual = "Mean IoU" if is_classes else "Dice"
    wanted = by_column.get(run.config.optimisation.watch, usual)
    return wanted if wanted in known else known[0]


def _show_curves(run: Run, status: Status, metrics: pd.DataFrame, steps: pd.DataFrame) -> None:
    per_epoch = status.steps / status.epochs if status.epochs else 0.0
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        log = st.toggle(
            "Logarithmic loss",
            key="log-loss",
            help="Equal ratios take equal room: small late gains become visible.",
        )
        with st.container(horizontal=True, width="content", gap="small"):
            st.download_button(
                "Curve as CSV",
                data=lambda: metrics.to_csv(index=False),
                file_name=f"{run.id}-curve.csv",
                mime="text/csv",
                key="curve-csv",
                icon=":material/download:",
                on_click="ignore",
                disabled=metrics.empty,
            )
            st.download_button(
                "For TensorBoard",
                data=lambda: event_file.encode(run),
                file_name=event_file.file_name(run),
                mime="application/octet-stream",
                key="curve-events",
                icon=":material/download:",
                on_click="ignore",
                help="An event file with all curves. Put it into a folder, one for each run, and "
                "call `tensorboard --logdir` with the folder around them.",
            )
    left, right = st.columns(2)
    planned: dict[str, Any] = {"epochs": status.epochs, "best": status.best_epoch}
    drawn = curves.loss(metrics, steps, steps_per_epoch=per_epoch, log=log, **planned)
    with left:
        _draw(drawn, "loss-chart")
    with right:
        known, first = _known_scores(metrics), first_score(run, metrics)
        name = first
        if len(known) > 1:
            chosen = st.segmented_control(
                "Score",
                known,
                default=first,
                required=True,
                key=f"score-{run.id}-{len(known)}",
                label_visibility="collapsed",
            )
            name = str(chosen)
        _draw(SCORES[name].draw(metrics, **planned), "score-chart")
        st.caption(SCORES[name].about)
    fold = st.expander("Learning rate and speed", key="pace", on_change="rerun")
    if fold.open:
        for place, column in zip(fold.columns(2), ("lr", "images_per_second"), strict=True):
            with place:
                drawn = curves.pace(steps, column, steps_per_epoch=per_epoch, epochs=status.epochs)
                _draw(drawn, f"{column}-chart")


def _draw(option: curves.Option, key: str) -> None:
    st.echarts_chart(option, key=key, height=340, renderer="svg")


def _show_predictions(run: Run) -> None:
    epochs = run.preview_epochs()
    if not epochs:
        return
    st.subheader("Predictions on fixed validation images", anchor=False)
    epoch = _choose_epoch(run, epochs) if len(epochs) > 1 else epochs[-1]
    is_classes = not run.fault and run.config.objective.target == "classes"
    how = (
        "each pixel in the colour of its class"
        if is_classes
        else ("the brighter, the surer of an object")
    )
    rows: dict[str, str | int] = {
        "Image": "image",
        "Truth": "truth",
        f"Prediction after epoch {epoch}: {how}": epoch,
    }
    for title, kind in rows.items():
        left, *places = st.columns([2, *[3] * PICTURES], gap="small")
        left.caption(title)
        for index, place in enumerate(places):
            if (path := run.preview(kind, index)) is not None:
                place.image(path.read_bytes(), width="stretch", output_format="PNG")


def _choose_epoch(run: Run, epochs: list[int]) -> int:
    """The epoch to show: the newest, until a person goes back to another one.

    While it follows, each new epoch brings a new slider: a browser sends the value that the page
    has set back as if a person had chosen it, and too late.
    """
    newest = epochs[-1]
    anchor, last = st.session_state.get(f"_epoch-{run.id}", (newest, newest))
    chosen = st.session_state.get(f"epoch-{run.id}-{anchor}", last)
    if chosen == last or chosen not in epochs:
        anchor = newest
    st.session_state[f"_epoch-{run.id}"] = (anchor, newest)
    return st.select_slider(
        "Epoch",
        epochs,
        value=newest,
        key=f"epoch-{run.id}-{anchor}",
        help="Go back through the epochs; at the right end the newest is shown.",
    )


def _show_log(run: Run) -> None:
    fold = st.expander("Log", key="log", on_change="rerun")
    if fold.open:
        lines = run.log().splitlines()[-LOG_LINES:]
        fold.code(
            words.hide_folders("\n".join(lines)) or "Nothing yet.", language=None, wrap_lines=True
        )


def show_settings(run: Run) -> None:
    """Every setting of a run, folded."""
    if run.fault:
        return
    with st.expander("Settings", key="run-settings"):
        st.dataframe(state.settings_table(run.config), hide_index=True, height=320)
