"""The network that the Model page draws: where it starts from, and its settings.

Every field is bound to the address, so that a link brings the same picture back.
"""

import contextlib
from typing import Any

import streamlit as st

from ui.shared import cache, forms, models, page
from ui.shared.choice import choose, take_over_link
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.network import anatomy
from unet_core.network.anatomy import Design
from unet_core.training import presets

PAPER = "the paper's, 572 → 388"
RECIPE, MODEL = "recipe ", "model "
FROM_HELP = (
    "The network of Ronneberger, Fischer and Brox (2015), of a training recipe, or of a model that "
    "is trained already. Sets all fields beside it."
)
ROWS = (
    ("widths", "padding", "norm"),
    ("skip", "up", "up_relu"),
    ("height", "width", "in_channels", "out_channels"),
)


def choose_design() -> Design | None:
    """The chosen network; None, with a sentence on what to correct, where it is impossible."""
    design: Design | None = None
    take_over_link("net_channels", "net_widths")
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with page.guard():
        with row:
            start = choose(
                "Start from",
                options(),
                "net_from",
                width=230,
                help=FROM_HELP,
                on_change=_start_anew,
            )
        base = load(start)
        entered: dict[str, str] = {}
        for names in ROWS:
            with row:
                entered |= {name: _draw_field(base, name) for name in names}
            row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        entry = forms.check(base, entered)
        if note := st.session_state.pop("_net_note", ""):
            st.caption(f":material/info: {note}")
        if entry.config is None:
            _say_what_to_correct(entry, entered)
        design = entry.config
    return design


def options() -> list[str]:
    """What one can start from: the paper, the recipes, the shipped checkpoints and the runs."""
    recipes = [RECIPE + name for name in presets.of_kind("ours", "original")]
    return [PAPER, *recipes, *(MODEL + name for name in models.names())]


def load(start: str) -> Design:
    """The network of an option.

    Raises ValueError for a model that cannot be read, or has more levels than can be drawn.
    """
    if start == PAPER:
        return Design()
    if start.startswith(RECIPE):
        config = presets.preset(start.removeprefix(RECIPE)).config
        about = datasets.info(config.images.data)
        classes = about.classes if about.labels == "classes" else ()
        return anatomy.from_training(
            config, len(targets.channel_names(config.objective.target, classes))
        )
    known = read_model(start)
    return anatomy.from_training(known.train, len(known.outputs))


def read_model(start: str) -> ModelConfig:
    """What the model of an option was trained for. Raises ValueError where it cannot be read."""
    return cache.model_config(start.removeprefix(MODEL))


def _start_anew() -> None:
    """Set all fields to those of what was chosen."""
    with contextlib.suppress(ValueError):  # the page says it when it reads the model
        base = load(st.session_state["net_from"])
        st.session_state.update(_widgets(base))


def _widgets(design: Design) -> dict[str, Any]:
    """What each field holds for a design, by its key."""
    values = design.to_dict() | {"widths": forms.as_text(design.widths)}
    return {f"net_{name}": value for name, value in values.items()}


def _draw_field(base: Design, name: str) -> str:
    """One field; gives what it holds as text, as from a command line."""
    look: dict[str, Any] = {}
    if not Design.options()[name].metadata["choices"]:
        look["width"] = {"widths": 260, "up_relu": "content"}.get(name, 150)
    if name in ("widths", "padding"):
        look["on_change"] = _refit
    if name in ("height", "width"):
        look["step"] = base.step
    value, key = getattr(base, name), f"net_{name}"
    found = forms.draw(Design, name, value, key=key, is_live=True, bind="query-params", **look)
    return forms.as_text(found)


def _refit() -> None:
    """Take the next size that fits, where levels or padding have changed, and say so."""
    state = st.session_state
    levels = len([one for one in state["net_widths"].split(",") if one.strip()])
    if not 1 <= levels <= anatomy.MOST_LEVELS:
        return
    padding = state["net_padding"]
    changed = []
    for name in ("net_height", "net_width"):
        side = state[name]
        [(near, _)] = anatomy.sides_near(side, levels, padding, 1)
        if near != side and anatomy.explain_side(side, levels, padding):
            state[name] = near
            changed.append(f"{side} → {near}")
    if changed:
        state["_net_note"] = (
            f"The size was moved to the nearest one that fits: {', '.join(sorted(set(changed)))}."
        )


def _say_what_to_correct(entry: forms.Entry[Design], entered: dict[str, str]) -> None:
    lines = "\n".join(f"- {sentence}" for sentence in entry.sentences)
    st.error(f"This network cannot be drawn:\n{lines}", icon=":material/info:")
    sizes = {name for name in entry.reasons if name in ("height", "width")}
    if set(entry.reasons) <= {"height", "width"}:
        fits = _sizes_that_fit(entered, sizes)
        with st.container(horizontal=True):
            for number, sides in enumerate(fits):
                st.button(
                    "Take " + " × ".join(str(sides[name]) for name in ("height", "width")),
                    key=f"net_take{number}",
                    on_click=st.session_state.update,
                    args=({f"net_{name}": sides[name] for name in sizes},),
                )


def _sizes_that_fit(entered: dict[str, str], wrong: set[str]) -> list[dict[str, int]]:
    """The next smaller and the next larger size, both sides at once; the smallest where it is one.

    Sides that are right already stay as they are.
    """
    levels, padding = len(entered["widths"].split(",")), entered["padding"]
    found: list[dict[str, int]] = []
    for which in (0, 1):
        sides = {name: int(entered[name]) for name in ("height", "width")}
        for name in wrong:
            sides[name] = anatomy.neighbours(sides[name], levels, padding)[which]
        if sides not in found:
            found.append(sides)
    return found
