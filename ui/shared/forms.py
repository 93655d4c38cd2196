"""Widgets for settings: each option of a config becomes a field with its own tooltip.

Nothing is decided here about what is allowed. What a person enters goes to the config as text,
as from the command line, and its sentences come back to the field that they are about.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st

from ui.shared import glossary
from ui.shared.words import plain
from unet_core.base.settings import Settings

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Entry(Generic[S]):
    """What a form holds: a config when all of it is possible, else a reason for each bad field."""

    kind: type[S]
    config: S | None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> list[str]:
        """The reasons as shown to a person, each with the field's label in front."""
        return [
            f"**{label(self.kind, name)}**: {plain(why)}." for name, why in self.reasons.items()
        ]


def label(kind: type[Settings], name: str) -> str:
    """The words that stand over an option's field, with its unit."""
    about = kind.options()[name].metadata
    words = about["label"] or name.replace("_", " ").capitalize()
    return f"{words} ({about['unit']})" if about["unit"] else words


def tooltip(about: Field, flag: str = "") -> str:
    """The option's help, its limits, its name on the command line, and terms among its choices."""
    low, high = about.metadata["low"], about.metadata["high"]
    limits = ""
    if low is not None and high is not None:
        limits = f" From {low:g} to {high:g}."
    elif low is not None:
        limits = f" At least {low:g}."
    text = f"{about.metadata['help']}{limits} Command line: `{flag or about.name}`"
    terms = glossary.of(" ".join(map(str, about.metadata["choices"])))
    return f"{text}\n\n{terms}" if terms else text


def as_text(value: Any) -> str:
    """A value as it is written on the command line; `with_text` reads the same value back."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def field_value(kind: type[Settings], name: str, value: Any) -> Any:
    """A setting's value as its field holds it: `draw_field` shows lists as text."""
    hint = kind.hints()[name]
    if kind.options()[name].metadata["choices"] or hint in (bool, int):
        return value
    return float(value) if hint is float else as_text(value)


def check(base: S, entered: Mapping[str, str]) -> Entry[S]:
    """The base config with the entered texts, or every reason why that cannot be.

    The config names one fault at a time. Each faulty field is set aside and the rest tried again,
    so that a person sees all of them at once.
    """
    left = dict(entered)
    reasons: dict[str, str] = {}
    while True:
        try:
            config = base.with_text([f"{name}={text}" for name, text in left.items()])
        except ValueError as error:
            reason = str(error)
            # A sentence of the config begins with the name of the option that it is about.
            name = reason.split(maxsplit=1)[0]
            if name not in left:
                return Entry(type(base), None, reasons | {name: reason})
            reasons[name] = reason
            del left[name]
            continue
        return Entry(type(base), None if reasons else config, reasons)


def changes(config: Settings, base: Settings) -> list[str]:
    """What was changed, as `key=value` for the command line."""
    before, after = base.to_dict(), config.to_dict()
    return [
        f"{name}={as_text(value).replace(' ', '')}"
        for name, value in after.items()
        if value != before[name]
    ]


def step(value: float, low: float | None, high: float | None) -> float:
    """What one press of + adds to a number: a power of ten, finer than the value or the range."""
    reach = abs(value) or ((high or 1.0) - (low or 0.0)) or 1.0
    return 10.0 ** (math.floor(math.log10(reach)) - 1)


def slider_step(top: float) -> float:
    """What a slider moves by: a power of ten, at least forty steps to its end."""
    return 10.0 ** math.floor(math.log10(top / 40))


def groups(config: Settings, *, skip: Iterable[str] = ()) -> dict[str, list[Field]]:
    """The options by their group, in the order of the config."""
    found: dict[str, list[Field]] = {}
    for about in config.options().values():
        if about.metadata and about.name not in skip:
            found.setdefault(about.metadata["group"], []).append(about)
    return found


def edit(
    base: S,
    *,
    key: str,
    skip: Iterable[str] = (),
    choices: Mapping[str, tuple[Any, ...]] | None = None,
    idle: Callable[[S], Mapping[str, str]] | None = None,
    columns: int = 3,
) -> Entry[S]:
    """Draw every option in folded groups and give back what a person made of them.

    `key` names the form: another key starts afresh from its base. `skip` leaves options out,
    `choices` narrows one to the values that fit here, and `idle` says which have no effect in a
    config, and why: those are greyed out.
    """
    by_group = groups(base, skip=skip)
    abouts = [about for members in by_group.values() for about in members]
    # Known before any widget is drawn: a fold must say how many faults and changes lie inside.
    entered = {about.name: _entered(base, about, key) for about in abouts}
    entry = check(base, entered)
    greyed = idle(entry.config) if idle and entry.config is not None else {}
    folds = st.container(gap="xxsmall")
    for group, members in by_group.items():
        names = [about.name for about in members]
        changed = sum(entered[name] != as_text(base.get(name)) for name in names)
        wrong = sum(name in entry.reasons for name in names)
        with folds.expander(
            _fold_label(group, changed, wrong), key=f"{key}-{group}", type="compact"
        ):
            _draw_group(base, members, entry, key, choices or {}, greyed, columns)
    return entry


def _fold_label(group: str, changed: int, wrong: int) -> str:
    marks = []
    if changed:
        marks.append(f":primary[{changed} changed]")
    if wrong:
        marks.append(f":red[:material/error: {wrong} to correct]")
    return " · ".join([group, *marks])


def _entered(base: Settings, about: Field, key: str) -> str:
    return as_text(st.session_state.get(f"{key}-{about.name}", base.get(about.name)))


def _draw_group(
    base: Settings,
    members: list[Field],
    entry: Entry,
    key: str,
    choices: Mapping[str, tuple[Any, ...]],
    idle: Mapping[str, str],
    columns: int,
) -> None:
    hints = base.hints()
    # Switches stand together below the fields: beside a labelled field they would hang askew.
    switches = [about for about in members if hints[about.name] is bool]
    others = [about for about in members if hints[about.name] is not bool]
    for start in range(0, len(others), columns):
        for place, about in zip(st.columns(columns), others[start : start + columns], strict=False):
            with place:
                draw(
                    type(base),
                    about.name,
                    base.get(about.name),
                    key=f"{key}-{about.name}",
                    choices=choices.get(about.name, ()),
                    idle=idle.get(about.name, ""),
                )
                if about.name in entry.reasons:
                    st.caption(f":red[{plain(entry.reasons[about.name])}]")
    if switches:
        with st.container(horizontal=True, gap="medium"):
            for about in switches:
                value = base.get(about.name)
                draw(type(base), about.name, value, key=f"{key}-{about.name}")
        for about in switches:
            if about.name in entry.reasons:
                st.caption(f":red[{plain(entry.reasons[about.name])}]")


def draw(
    kind: type[Settings],
    name: str,
    value: Any,
    *,
    key: str,
    choices: tuple[Any, ...] = (),
    idle: str = "",
    flag: str = "",
    is_live: bool = False,
    **look: Any,
) -> Any:
    """One option as the widget that suits its type, and what it holds.

    In a form, choices unfold and numbers are typed; `is_live`, where a picture follows at once,
    they are buttons and sliders. A number that is None is a field left empty. `choices` narrows
    the option's own, `idle` says why it has no effect now, `flag` is its name on the command line,
    and `look` goes to the widget as it is.

    Typed numbers have no limits in the widget: a browser would keep a bad one to itself, and Start
    would run with the last good one.
    """
    about, hint = kind.options()[name], kind.hints()[name]
    help = tooltip(about, flag)
    words: dict[str, Any] = {
        "label": label(kind, name),
        "key": key,
        "help": f"{help}\n\n{idle}" if idle else help,
        "disabled": bool(idle),
    }
    options = choices or about.metadata["choices"]
    widget: Any
    if options and is_live:
        widget = st.segmented_control
        own = {"options": options, "default": value, "required": True, "wrap": True}
    elif options:
        index = options.index(value) if value in options else 0
        words["format_func"] = lambda one: str(one) or "–"
        widget, own = st.selectbox, {"options": options, "index": index}
    elif hint is bool:
        widget, own = st.toggle, {"value": value}
    elif hint is int:
        widget, own = st.number_input, {"value": value, "step": 1}
    elif is_live and hint in (float, tuple[float, float], tuple[int, int]):
        widget, own = st.slider, _slider(about, value, key, whole=hint == tuple[int, int])
    elif hint is float:
        start: Any = about.default if value is None else value
        size = about.metadata["step"] or step(start, about.metadata["low"], about.metadata["high"])
        first = None if value is None else float(value)
        widget, own = st.number_input, {"value": first, "step": size, "format": "%g"}
    else:
        widget, own = st.text_input, {"value": as_text(value)}
    return widget(**words | own | look)


def _slider(about: Field, value: Any, key: str, *, whole: bool) -> dict[str, Any]:
    """The ends, the value and the step of a slider for a number, or for the two of a range.

    It ends where it is usual to, or farther for a value from a link or a model.
    """
    ends = value if isinstance(value, tuple) else (value,)
    low, high, usual = (about.metadata[name] for name in ("low", "high", "top"))
    known = [usual or high, *ends]
    with contextlib.suppress(TypeError, ValueError):
        known.append(float(st.session_state.get(key, st.query_params.get(key))))
    end = max(known) if high is None else min(max(known), high)
    one = int if whole else float
    size = 1 if whole else about.metadata["step"] or slider_step(end)
    return {
        "min_value": one(low),
        "max_value": one(end),
        "value": tuple(map(one, ends)) if isinstance(value, tuple) else one(value),
        "step": one(size),
        "format": "%g",
    }
