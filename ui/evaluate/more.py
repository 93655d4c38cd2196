"""What only some evaluations need, behind a button that says what is on."""

from typing import Any

import streamlit as st

from ui.shared import choice, forms
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.imaging import targets
from unet_core.predict.recipe import MOST_ROTATIONS, flag

# The number fields: the flag of the command, label, largest value, help. 0 is off.
LOOKING = {
    "rotations": (
        "Average over rotations",
        MOST_ROTATIONS,
        "That many rotations by equal angles; Ronneberger and others took 7. 0 is off. "
        "Not together with a sliding window.",
    ),
    "crop-multiple": (
        "Cut images to multiples of (px)",
        1024,
        "As a tutorial does, which takes 16. The rest of each image is not scored. 0 is off.",
    ),
    "middle": (
        "Score the middle, too (px)",
        4096,
        "The pixels of a square in the middle of each image, by image: so UNet-PyTorch scores the "
        "388 px that its network answers for. 0 is off.",
    ),
    "patches": (
        "Score patches, too: this many per image",
        1000,
        "Squares of the size that the model was trained on, each seen alone. 0 is off.",
    ),
}
SHORT = {"crop-multiple": "multiples of", "min_size": "at least"}  # on the button
WAYS = ("method", "connectivity", "reading")
BY_HAND = ("threshold", "marker_threshold", "min_size")


def choose(usual: Segmentation, config: ModelConfig, *, has_objects: bool) -> list[str]:
    """The options that were chosen, as words of the command; `usual` is what holds without them."""
    state = st.session_state
    ways = [name for name in WAYS if has_objects and _is_free(name, config)]
    asked = {name: choice.asked_for(_key(name)) for name in ways}
    known = {name: map(str, Segmentation.options()[name].metadata["choices"]) for name in ways}
    chosen = {name: value for name, value in asked.items() if value in known[name]}
    changed = usual.with_text(f"{name}={value}" for name, value in chosen.items())
    window = state.get("window", choice.NO_WINDOW)
    looking = [name for name in LOOKING if name != "patches" or not has_objects]
    by_hand = [name for name in BY_HAND if has_objects and _has_effect(name, changed)]
    on = {"window": int(window)} if window != choice.NO_WINDOW else {}
    on |= {name: state[name] for name in looking if state.get(name)}
    on |= {name: state[_key(name)] for name in by_hand if state.get(_key(name)) is not None}
    words = [f"{_short(name)} {value:g}" for name, value in on.items()]
    text = ", ".join([*words, *(f"{_short(name)} {value}" for name, value in chosen.items())])
    with st.popover(text[:1].upper() + text[1:] or "More", icon=":material/tune:"):
        given: dict[str, Any] = {"window": _choose_window()}
        given |= {name: _choose_count(name, is_idle=_is_idle(name, given)) for name in looking}
        given = {name: value for name, value in given.items() if value}
        if by_hand:
            st.markdown("**Objects by hand**")
            given |= _choose_ways(usual, ways)
            given |= _choose_numbers(usual, by_hand)
    return [word for name, value in given.items() for word in flag(name, value)]


def _is_free(name: str, config: ModelConfig) -> bool:
    """Whether a model leaves any choice: one without a boundary has one way to make objects."""
    objective = config.train.objective
    if name == "reading":
        return targets.has_rim(objective.target, objective.boundary)
    return name != "method" or targets.has_boundary(objective.target)


def _choose_ways(usual: Segmentation, names: list[str]) -> dict[str, str]:
    """Other ways to make objects than the usual ones."""
    found = {}
    for name in names:
        about = Segmentation.options()[name]
        known = [str(one) for one in about.metadata["choices"]]
        chosen = st.selectbox(
            forms.label(Segmentation, name),
            [f"{getattr(usual, name)}, as usual", *known],
            key=_key(name),
            bind="query-params",
            help=forms.tooltip(about, _flag(name)),
        )
        if chosen in known:
            found[name] = chosen
    return found


def _choose_window() -> int:
    chosen = st.selectbox(
        "Sliding window (px)",
        choice.WINDOWS,
        key="window",
        bind="query-params",
        help="The network sees squares of this side that overlap by half; their probabilities "
        "are averaged.",
    )
    return 0 if chosen == choice.NO_WINDOW else int(chosen)


def _is_idle(name: str, given: dict[str, Any]) -> bool:
    return name == "rotations" and bool(given["window"])


def _choose_count(name: str, *, is_idle: bool) -> int:
    label, high, help = LOOKING[name]
    value = st.number_input(
        label,
        min_value=0,
        max_value=high,
        value=0,
        step=1,
        key=name,
        bind="query-params",
        disabled=is_idle,
        help=help,
    )
    return 0 if is_idle else value


def _choose_numbers(usual: Segmentation, names: list[str]) -> dict[str, float]:
    """Other thresholds and sizes than the usual ones; an empty field leaves them."""
    found = {}
    for name in names:
        about, own = Segmentation.options()[name].metadata, getattr(usual, name)
        value = forms.draw(
            Segmentation,
            name,
            None,
            key=_key(name),
            flag=_flag(name),
            min_value=about["low"],
            max_value=about["high"],
            placeholder=f"{own:g}, if left empty",
            bind="query-params",
        )
        if value is not None:
            found[name] = value
    return found


def _has_effect(name: str, usual: Segmentation) -> bool:
    return name != "marker_threshold" or usual.method == "watershed"


def _key(name: str) -> str:
    """Not the name alone: that is the Segment page's."""
    return f"at-{name}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _short(name: str) -> str:
    return SHORT.get(name, name.replace("_", " "))
