"""A new run: recipe, data, settings, what it will take, and the button that starts it."""

import functools
import secrets
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.shared import forms, overview, page, takeover, words
from ui.train import range_test
from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.runs import runs
from unet_core.training import presets

if TYPE_CHECKING:  # it imports torch
    from unet_core.training.estimate import Estimate

    Costs = tuple[device.Device, Estimate]

FIRST_PRESET = "quick"
TIME = (
    "Measured just now with two small steps of this network. While something else computes here, "
    "it seems longer. Stopping early makes it shorter."
)

_worker = ThreadPoolExecutor(1, thread_name_prefix="estimate")


@dataclass(frozen=True)
class Choice:
    """A recipe on a data set, before a person changes its settings."""

    preset: str
    base: TrainConfig
    notes: tuple[str, ...]
    missing: str  # why the data cannot be used; empty when it can

    @property
    def form(self) -> str:
        """The key of the form: each recipe on each data set has fields of its own."""
        return f"new-{self.preset}-{self.base.images.data}"


def show() -> None:
    """The form, with the start beside the recipes: most people change nothing."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        choice = _choose()
    # Drawn first and filled last: it stands above the settings that it depends on.
    card, test = right.container(border=True), right.container()
    st.caption("Settings: the recipe's, unless you change them.")
    about = datasets.info(choice.base.images.data)
    choices = {"scheme": ("default", *about.schemes), "target": _targets(about.labels)}
    left_out = takeover.fill_form(choice.form, choices)
    entry = forms.edit(choice.base, key=choice.form, skip=("data",), choices=choices, idle=_idle)
    config = _show_card(card, choice, entry, left_out)
    command = range_test.words(choice.preset, choice.base, config) if config else None
    with card:
        range_test.show_button(command)
    range_test.show(test, command, choice.form)


def _choose() -> Choice:
    available = datasets.available()
    preset = st.radio(
        "Recipe",
        list(presets.PRESETS),
        captions=[recipe.sentence for recipe in presets.PRESETS.values()],
        key="preset",
    )
    base, note = presets.preset(preset).config, ""
    if preset == FIRST_PRESET:
        # Made for a first minute: it must run on a machine without any data.
        base, note = presets.fall_back(base, available)
    takeover.fill_data(f"data-{preset}")
    # A generated set with settings of its own has a name of its own, which is in no list.
    names = list(dict.fromkeys([*datasets.NAMES, base.images.data, *takeover.data_names()]))
    data = st.selectbox(
        "Data set",
        names,
        index=names.index(base.images.data),
        format_func=lambda name: _name_set(name, available),
        key=f"data-{preset}",
        help="Synthetic sets are drawn by the computer and need no download.",
    )
    about = datasets.info(data)
    st.caption(about.sentence)
    own = base.images.data
    base, moved = presets.move(base, data, has_classes=about.labels == "classes")
    notes = tuple(one for one in (note if data == own else "", moved) if one)
    return Choice(preset, base, notes, _why_not(data))


def _name_set(name: str, available: list[str]) -> str:
    about = datasets.info(name)
    is_here = about.is_synthetic or name in available
    return about.title if is_here else f"{about.title} (not downloaded)"


def _why_not(data: str) -> str:
    """Why a data set cannot be trained on, and what to do; empty when it can."""
    try:
        datasets.sample_names(data, "train")
    except ValueError as error:
        return f"{error}."
    return ""


def _targets(labels: str) -> tuple[str, ...]:
    """The targets that labels can teach."""
    if labels == "classes":
        return ("classes",)
    return ("foreground", "three-class", "foreground+boundary", "distance")


def _idle(config: TrainConfig) -> dict[str, str]:
    """The settings that have no effect in a configuration, each with the reason."""
    idle = {}
    if config.optimisation.optimizer != "sgd":
        idle["momentum"] = "Without effect now: only SGD has momentum."
    if config.objective.target not in ("three-class", "foreground+boundary"):
        idle["boundary"] = "Without effect now: this target has no boundary."
    if config.images.normalisation != "percentile":
        for name in ("low_percentile", "high_percentile"):
            idle[name] = "Without effect now: normalisation is by data set."
    if not config.objective.weight_map:
        for name in ("w0", "sigma"):
            idle[name] = "Without effect now: the weight map is off."
    if config.augmentation.elastic == 0:
        idle["elastic_sigma"] = "Without effect now: elastic bending is 0."
    return idle


def _show_card(
    card: DeltaGenerator,
    choice: Choice,
    entry: forms.Entry[TrainConfig],
    left_out: dict[str, Any],
) -> TrainConfig | None:
    """What stands for or against a start; gives the settings when it is possible."""
    with card:
        takeover.show(choice.form, base=choice.base)
        if left_out:
            text = f"Not possible with {choice.base.images.data}: {takeover.describe(left_out)}."
            st.warning(words.plain(text))
        for note in choice.notes:
            st.info(note, icon=":material/info:")
        if choice.missing:
            st.warning(words.plain(choice.missing), icon=":material/download:")
            page.link(
                "data",
                label="Open the Data page",
                icon=":material/photo_library:",
                query={"set": choice.base.images.data},
            )
        if entry.reasons:
            lines = "\n".join(f"- {sentence}" for sentence in entry.sentences)
            st.error(f"Before it can start, correct in the settings below:\n{lines}")
        config = None if choice.missing else entry.config
        if config is not None and (unfit := _why_not_here(config)):
            st.error(f"Before it can start: {words.plain(unfit)}.")
            config = None
        _show_costs(config)
        _show_queue()
        _start_button(choice, config)
        if entry.config is not None:
            with st.popover("The same as a command", icon=":material/terminal:", type="tertiary"):
                st.code(command(choice, entry.config), language="bash", wrap_lines=True)
    return config


def _why_not_here(config: TrainConfig) -> str:
    """What this data set or this machine does not allow; empty when nothing stands against it."""
    about = datasets.info(config.images.data)
    names = targets.channel_names(
        config.objective.target, about.classes if about.labels == "classes" else ()
    )
    if config.objective.class_weights and len(config.objective.class_weights) != len(names):
        return (
            f"class_weights must hold {len(names)} numbers for {', '.join(names)}, "
            f"got {len(config.objective.class_weights)}"
        )
    # Until the search for the device is over, torch is being imported: too slow to wait for.
    if config.optimisation.device != "auto" and page.finding_device().done():
        try:
            device.choose(config.optimisation.device)
        except ValueError as error:
            return str(error)
    return ""


def _show_costs(config: TrainConfig | None) -> None:
    """What the run will take, as soon as it is known; nobody waits for it."""
    if config is None:
        return
    costs = _estimating(config, int(time.monotonic() // 60))
    if costs.done():
        _draw_costs(costs)
    else:
        st.fragment(_wait_for_costs, run_every=0.5)(costs)


def _wait_for_costs(costs: "Future[Costs]") -> None:
    if costs.done():
        st.rerun()
    st.caption(":material/timer: Estimating time and memory …")


@page.guard()
def _draw_costs(costs: "Future[Costs]") -> None:
    chosen, found = costs.result()
    with st.container(horizontal=True, gap="medium"):  # which wraps, where columns would cut
        st.metric("Time", words.about(found.seconds), help=TIME, width="content")
        st.metric("Memory", f"{found.memory_bytes / 1e9:.1f} GB", width="content")
    st.caption(f"On {chosen.title}: {chosen.reason}.")


@functools.lru_cache(maxsize=32)
def _estimating(config: TrainConfig, minute: int) -> "Future[Costs]":
    """The estimate that is being made in this minute, one after another, away from any page."""
    return _worker.submit(_estimate, config)


def _estimate(config: TrainConfig) -> "Costs":
    from unet_core.training import estimate  # imports torch

    chosen = device.choose(config.optimisation.device)
    return chosen, estimate.estimate(config, device=chosen)


def _show_queue() -> None:
    alive = sum(one.status.is_alive for one in overview.all_runs())
    if alive:
        others = "Another run is" if alive == 1 else f"{alive} other runs are"
        st.caption(
            f":material/hourglass_empty: {others} going: yours will wait for its turn. Meanwhile "
            "the machine is busy, and the time above is an overestimate."
        )


def _start_button(choice: Choice, config: TrainConfig | None) -> None:
    """Start, once: a second click of a double click finds the first one's run by the token."""
    token = st.session_state.setdefault("_token", secrets.token_hex(8))
    clicked = st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        disabled=config is None,
        key="start",
        width="stretch",
    )
    if clicked and config is not None:
        with page.guard():
            note = " ".join(choice.notes)
            run = runs.create(config, preset=choice.preset, note=note, token=token)
            runs.start(run)
            st.session_state["_used_token"] = token
            st.query_params["run"] = run.id
            st.rerun()
    elif st.session_state.get("_used_token") == token:
        # The form is shown again after a start: the next click is meant as another run.
        st.session_state["_token"] = secrets.token_hex(8)


def command(choice: Choice, config: TrainConfig) -> str:
    """The command that trains the same."""
    words = ["python -m unet_core train", f"--preset {choice.preset}"]
    if config.images.data != presets.preset(choice.preset).config.images.data:
        words.append(f"--data {config.images.data}")
    words += [f"--set {change}" for change in forms.changes(config, choice.base)]
    return " ".join(words)
