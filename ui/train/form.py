"""A new run: recipe, data, settings, what it will take, and the button that starts it."""

import secrets
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.shared import forms, learner, models, overview, page, takeover, words
from ui.train import costs, range_test
from unet_core.base import device
from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.network import checkpoint
from unet_core.runs import repeats, runs
from unet_core.training import presets

FIRST_PRESET = "quick"
KINDS = {"ours": "Ours", "original": "The tutorials' own", "broken": "Broken on purpose"}
KIND_WORDS = {
    "ours": "What we would do, for a first try and for each tutorial's data.",
    "original": "Each tutorial setting by setting; docs/tutorials says what is the same and what "
    "is not.",
    "broken": "Recipes that fail in a known way: train one, find out why, and mend one setting.",
}
LOOK_SECONDS = 5.0
# Where the columns stand beside each other; what is higher than the window scrolls by itself.
STAYS = """<style>@media (min-width: 641px) {
.st-key-beside { max-height: calc(100vh - 5rem); overflow-y: auto; }
:has(> .st-key-beside) { position: sticky; top: 4.5rem; }
}</style>"""
TIME = (
    "From a few small steps of this network here, and from how long finished runs took beside what "
    "was expected of them. Other work makes it longer, stopping early makes it shorter."
)
MEMORY = "With a batch of crops, or with the largest validation image, which is seen as a whole."
ROUGH = "Something else computes just now, so this is rough. It is measured again until it is not."


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
    """The form, and beside it the start: it judges the settings, so it stays in view with them."""
    with page.guard():
        _take_link()
    left, right = st.columns([3, 2], gap="large")
    with left:
        choice = _choose()
        st.caption("Settings: the recipe's, unless you change them.")
        about = datasets.info(choice.base.images.data)
        choices = {
            "scheme": ("default", *about.schemes),
            "target": _targets(about.labels),
            "init_from": ("", *models.names()),
        }
        left_out = takeover.fill_form(choice.form, choices)
        entry = forms.edit(
            choice.base, key=choice.form, skip=("data",), choices=choices, idle=_idle, columns=2
        )
    st.html(STAYS)
    with right, st.container(key="beside"):
        card, test = st.container(border=True), st.container()
    config = _show_card(card, choice, entry, left_out)
    command = range_test.words(choice.preset, choice.base, config) if config else None
    with card:
        range_test.show_button(command)
    range_test.show(test, command, choice.form)


def _take_link() -> None:
    """Begin as the address asks, `?preset=quick&data=synthetic-nuclei&epochs=2`, on arrival only.

    Raises ValueError for a recipe, a data set or a setting that is not there.
    """
    asked = {
        name: text
        for name, text in st.query_params.items()
        if name == "preset" or name in TrainConfig.options()
    }
    is_taken = "preset" in st.session_state and st.session_state.get("_link") == asked
    if not asked or is_taken:
        return
    st.session_state["_link"] = dict(asked)
    preset, data = asked.pop("preset", FIRST_PRESET), asked.pop("data", None)
    base = presets.preset(preset).config
    changed = base.with_text(f"{name}={text}" for name, text in asked.items())
    changes = {name: changed.get(name) for name in asked}
    takeover.offer(changes, source="the link", data=data)
    st.session_state["preset"] = preset


def _choose() -> Choice:
    available = datasets.available()
    preset = _choose_preset()
    base, note = presets.preset(preset).config, ""
    if preset == FIRST_PRESET:
        # Made for a first minute: it must run on a machine without any data.
        base, note = presets.fall_back(base, available)
    takeover.fill_data(f"data-{preset}")
    # A generated set with settings of its own has a name of its own, which is in no list.
    names = list(dict.fromkeys([*datasets.names(), base.images.data, *takeover.data_names()]))
    data = st.selectbox(
        "Data set",
        names,
        index=names.index(base.images.data),
        format_func=lambda name: _name_set(name, available),
        key=f"data-{preset}",
        help="Synthetic sets are drawn by the computer and need no download.",
    )
    about = datasets.info(data)
    st.caption(words.plain(about.sentence))
    own = base.images.data
    base, moved = presets.move(base, data, has_classes=about.labels == "classes")
    notes = tuple(one for one in (note if data == own else "", moved) if one)
    return Choice(preset, base, notes, _why_not(data))


def _choose_preset() -> str:
    """A recipe of one kind at a time: there are more than can be overlooked."""
    # The recipe leads, for a link may have brought it.
    kind = presets.preset(st.session_state.setdefault("preset", FIRST_PRESET)).kind
    st.session_state["kind"] = kind
    st.segmented_control(
        "Recipes", list(KINDS), format_func=KINDS.__getitem__, key="kind", on_change=_change_kind
    )
    st.caption(KIND_WORDS[kind])
    known = presets.of_kind(kind)
    return st.radio(
        "Recipe",
        list(known),
        captions=[recipe.sentence for recipe in known.values()],
        key="preset",
    )


def _change_kind() -> None:
    if kind := st.session_state["kind"]:  # None where the chosen one was pressed again
        st.session_state["preset"] = next(iter(presets.of_kind(kind)))


def _name_set(name: str, available: list[str]) -> str:
    about = datasets.info(name)
    is_here = about.is_synthetic or name in available
    return about.title if is_here else f"{about.title} (not downloaded)"


def _why_not(data: str) -> str:
    """Why a data set cannot be trained on, and what to do; empty when it can."""
    try:
        datasets.training_names(data)
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
    if config.optimisation.schedule != "step":
        for name in ("drop_every", "drop_factor"):
            idle[name] = "Without effect now: the schedule is not step."
    if config.optimisation.schedule in ("constant", "step"):
        idle["schedule_by"] = "Without effect now: this schedule does not move with each step."
    if config.network.init_from:
        idle["init"] = "Without effect now: the first weights are those of a model."
    else:
        idle["freeze_encoder"] = "Without effect now: there is no model to start from."
    if config.objective.target not in ("three-class", "foreground+boundary"):
        idle["boundary"] = "Without effect now: this target has no boundary."
    if config.images.normalisation != "percentile":
        for name in ("low_percentile", "high_percentile"):
            idle[name] = "Without effect now: normalisation is not by percentiles."
    if config.images.normalisation != "given":
        for name in ("given_mean", "given_std"):
            idle[name] = "Without effect now: normalisation is not by given numbers."
    if not config.objective.weight_map:
        for name in ("w0", "sigma"):
            idle[name] = "Without effect now: the weight map is off."
    if config.augmentation.elastic_alpha[1] == 0:
        idle["elastic_blur"] = "Without effect now: the elastic strength α is 0."
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
        if config is not None:
            if anew := checkpoint.check_fit(config, _outputs(config)):
                st.caption(f":material/info: {words.plain(anew)}")
            _show_costs(config)
        seeds = _choose_seeds()
        _show_queue()
        _start_button(choice, config, seeds)
        if entry.config is not None:
            with st.popover("The same as a command", icon=":material/terminal:", type="tertiary"):
                text = command(choice, entry.config, seeds)
                st.code(text, language="bash", wrap_lines=True)
    return config


def _outputs(config: TrainConfig) -> tuple[str, ...]:
    """The names of what the network will answer with."""
    about = datasets.info(config.images.data)
    classes = about.classes if about.labels == "classes" else ()
    return targets.channel_names(config.objective.target, classes)


def _why_not_here(config: TrainConfig) -> str:
    """What this data set or this machine does not allow; empty when nothing stands against it."""
    names = _outputs(config)
    if config.objective.class_weights and len(config.objective.class_weights) != len(names):
        return (
            f"class_weights must hold {len(names)} numbers for {', '.join(names)}, "
            f"got {len(config.objective.class_weights)}"
        )
    try:
        checkpoint.check_fit(config, names)
    except ValueError as error:
        return str(error)
    # Until the search for the device is over, torch is being imported: too slow to wait for.
    if config.optimisation.device != "auto" and page.finding_device().done():
        try:
            device.choose(config.optimisation.device)
        except ValueError as error:
            return str(error)
    return ""


def _show_costs(config: TrainConfig) -> None:
    """What the run will take, as soon as it is known, and anew until it is known well."""
    answer = costs.ask(config)
    st.fragment(_follow_costs, run_every=_pause(answer))(config, answer)


def _follow_costs(config: TrainConfig, drawn: "Future[costs.Costs] | None") -> None:
    answer = costs.ask(config)
    if answer is not drawn:
        st.rerun()  # with another pause
    if answer is None:
        st.caption(":material/timer: Estimating time and memory …")
    else:
        _draw_costs(answer)


def _pause(answer: "Future[costs.Costs] | None") -> float | None:
    """Seconds until the page looks again; None when what it shows stays."""
    if answer is None:
        return 0.5
    is_rough = answer.exception() is None and answer.result().estimate.is_rough
    return LOOK_SECONDS if is_rough else None


@page.guard()
def _draw_costs(answer: "Future[costs.Costs]") -> None:
    found = answer.result()
    with st.container(horizontal=True, gap="medium"):  # which wraps, where columns would cut
        st.metric("Time", words.span(*found.span), help=TIME, width="content")
        gigabytes = found.estimate.memory_bytes / 1e9
        st.metric("Memory", f"{gigabytes:.1f} GB", help=MEMORY, width="content")
    st.caption(f"On {found.device.title}: {found.device.reason}.")
    if found.estimate.is_rough:
        st.caption(f":material/hourglass_top: {ROUGH}")


def _expected_seconds(config: TrainConfig) -> float | None:
    """What the run will be compared with when it has finished; None where it is not known well."""
    answer = costs.ask(config)
    if answer is None or answer.exception() is not None or answer.result().estimate.is_rough:
        return None
    return answer.result().estimate.training_seconds


def _choose_seeds() -> int:
    """How often the recipe is trained, each time with another seed."""
    seeds = st.number_input(
        "Repeat with n seeds",
        min_value=1,
        max_value=repeats.MOST,
        value=1,
        step=1,
        key="seeds",
        width=200,
        help="1 is a single run. With more, the same recipe is trained with seeds that follow each "
        "other, and you see how far chance alone moves the score. 3 is a beginning, 5 are better.",
    )
    if seeds > 1:
        st.caption(
            f":material/repeat: {seeds} runs, one after another: together about {seeds} times as "
            "long as one."
        )
    return seeds


def _show_queue() -> None:
    alive = sum(one.status.is_alive for one in overview.all_runs())
    if alive:
        others = "Another run is" if alive == 1 else f"{alive} other runs are"
        st.caption(f":material/hourglass_empty: {others} going: yours will wait for its turn.")


def _start_button(choice: Choice, config: TrainConfig | None, seeds: int) -> None:
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
            about: dict[str, Any] = {
                "preset": choice.preset,
                "note": " ".join(choice.notes),
                "token": token,
                "expected_seconds": _expected_seconds(config),
            }
            if seeds == 1:
                run = runs.create(config, **about)
                learner.note(learner.RUN, run.id)
                runs.start(run)
                st.query_params["run"] = run.id
            else:
                repeat = repeats.create(config, seeds, **about)
                for run in repeat.runs:
                    learner.note(learner.RUN, run.id)
                repeat.start()
                st.query_params["repeat"] = repeat.name
            st.session_state["_used_token"] = token
            st.rerun()
    elif st.session_state.get("_used_token") == token:
        # The form is shown again after a start: the next click is meant as another run.
        st.session_state["_token"] = secrets.token_hex(8)


def command(choice: Choice, config: TrainConfig, seeds: int = 1) -> str:
    """The command that trains the same."""
    words = ["python -m unet_core train", f"--preset {choice.preset}"]
    if config.images.data != presets.preset(choice.preset).config.images.data:
        words.append(f"--data {config.images.data}")
    words += [f"--set {change}" for change in forms.changes(config, choice.base)]
    if seeds > 1:
        words.append(f"--repeats {seeds}")
    return " ".join(words)
