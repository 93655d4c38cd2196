"""Settings that another page or tool has found, on their way into the form for a new run.

They live in the browser's session beside the form: another recipe or data set brings other fields,
and what was taken over is put into those, too. What a person then changes by hand counts more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ui.shared import forms
from ui.shared.words import plain
from unet_core.base.config import TrainConfig
from unet_core.data import datasets

_OFFERS, _COUNT = "_takeover", "_takeover-count"


@dataclass(frozen=True)
class Offer:
    """Changes that one source made; a larger number is a later offer."""

    number: int
    source: str
    changes: Mapping[str, Any]
    data: str | None = None


def offer(changes: Mapping[str, Any], *, source: str, data: str | None = None) -> None:
    """Let the form for a new run start with these changes of its recipe, and on this data set.

    An earlier offer of the same source is replaced; those of other sources stay, and the latest
    counts where two disagree. Call it from a button, and link to the Train page then. Whether the
    changes go together with the recipe is said there, beside the fields.

    Raises ValueError for an unknown data set, an unknown setting, or a value that it cannot have.
    """
    if data is not None:
        datasets.info(data)
    if "data" in changes:
        raise ValueError("changes must not hold data: give the data set as data=...")
    for name, value in changes.items():
        TrainConfig.check_option(name, value)
    number = st.session_state.get(_COUNT, 0) + 1
    st.session_state[_COUNT] = number
    kept = [one for one in offers() if one.source != source]
    st.session_state[_OFFERS] = [*kept, Offer(number, source, dict(changes), data)]


def offers() -> list[Offer]:
    """What has been taken over and not dropped, the latest last."""
    return st.session_state.get(_OFFERS, [])


def data_names() -> list[str]:
    """The data sets that were offered."""
    return [one.data for one in offers() if one.data]


def describe(changes: Mapping[str, Any]) -> str:
    """The changes in words: "elastic 2, noise 0.1, weight_map on"."""
    return ", ".join(f"{name} {_describe_value(value)}" for name, value in changes.items())


def _describe_value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return (forms.as_text(value) or "none").replace(", ", ",")


def fill_data(key: str) -> None:
    """Give the choice of the data set what was offered, unless a person has chosen since."""
    known = [one for one in offers() if one.data]
    if known and (key not in st.session_state or known[-1].number > _seen(key)):
        st.session_state[key] = known[-1].data
    _note_seen(key)


def fill_form(key: str, choices: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Put what was offered into the fields of the form `key`, unless changed by hand since.

    `choices` are those of the form. Gives the changes that are none of them, and so left out.
    """
    left_out = {}
    # A field that is drawn anew has lost what was in it: it gets every offer again.
    held = {str(name) for name in st.session_state}
    for one in offers():
        for name, value in one.changes.items():
            if value not in choices.get(name, (value,)):
                left_out[name] = value
            elif one.number > _seen(key) or f"{key}-{name}" not in held:
                st.session_state[f"{key}-{name}"] = _field_value(name, value)
    _note_seen(key)
    return left_out


def show(key: str, *, base: TrainConfig) -> None:
    """Say what the form `key` holds of each source, with a button that drops it.

    Then its fields go back to `base`. The data set stays: with it, all fields would begin again.
    """
    for one in offers():
        held = {name: value for name, value in one.changes.items() if _is_held(key, name, value)}
        if not held:
            continue  # changed by hand since, or impossible here
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            new = {name: value for name, value in held.items() if value != base.get(name)}
            text = describe(new) or "the same values as the recipe's"
            st.markdown(f":material/input: From {one.source}: {plain(text)}", width="content")
            st.button(
                "Drop",
                icon=":material/close:",
                type="tertiary",
                key=f"drop-{one.source}",
                help="Back to the recipe's values.",
                on_click=_drop,
                args=(one, key, base),
            )


def _drop(dropped: Offer, key: str, base: TrainConfig) -> None:
    """Forget an offer; fields that still hold it get what they would hold without it."""
    st.session_state[_OFFERS] = [one for one in offers() if one != dropped]
    others = {name: value for one in offers() for name, value in one.changes.items()}
    for name, value in dropped.changes.items():
        if _is_held(key, name, value):
            other = others.get(name, base.get(name))
            st.session_state[f"{key}-{name}"] = _field_value(name, other)


def _seen(key: str) -> int:
    """The latest offer that had been made when `key` was filled last."""
    return st.session_state.get(f"_seen-{key}", 0)


def _note_seen(key: str) -> None:
    st.session_state[f"_seen-{key}"] = st.session_state.get(_COUNT, 0)


def _field_value(name: str, value: Any) -> Any:
    return forms.field_value(TrainConfig, name, value)


def _is_held(key: str, name: str, value: Any) -> bool:
    return st.session_state.get(f"{key}-{name}") == _field_value(name, value)
