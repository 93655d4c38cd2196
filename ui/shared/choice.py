"""Choices that a link restores."""

import contextlib
from collections.abc import Callable
from typing import Literal

import streamlit as st

from ui.shared.words import plain, set_title
from unet_core.data import datasets

NO_WINDOW = "no"
WINDOWS = (NO_WINDOW, "64", "96", "128", "256", "512")
_KEPT = "_kept-"  # before a key: what was chosen last
MOST_GENERATED = 8  # generated sets that the choice still offers


def choose(
    label: str,
    options: list[str],
    key: str,
    *,
    default: str | None = None,
    width: int | Literal["stretch"] = "stretch",
    help: str | None = None,
    on_change: Callable[[], None] | None = None,
    is_quiet: bool = False,
    title: Callable[[str], str] = str,
) -> str:
    """One of the options, kept in the address by its name; a link to something else is told so.

    At first the default, or the first option where that is not among them. An earlier choice that
    is no longer among the options gives way to the same, which is told unless `is_quiet`. `title`
    is what a person reads in place of an option's name.
    """
    default = default if default in options else next(iter(options), None)
    replace_unknown(label, options, key, default=default, is_quiet=is_quiet)
    read_address(key, options, default)
    chosen = st.selectbox(
        label,
        options,
        key=key,
        format_func=title,
        width=width,
        help=help,
        on_change=on_change,
    )
    write_address(key, chosen, default)
    return chosen


def read_address(key: str, options: list[str], default: str | None) -> None:
    """Let a choice that comes now, with this key, start with what the address asks for.

    Not by Streamlit's `bind`: on the way to another page that clears from a link whatever the page
    that is left has bound, and pages share names such as "sample".
    """
    state, asked = st.session_state, st.query_params.get(key)
    before = state.get(_KEPT + key)
    if asked in options and (key not in state or asked != before):
        state[key] = asked
    elif key not in state:
        state[key] = before if before in options else default


def held(key: str) -> str | None:
    """What a choice with this key holds on this page, or held on the one before."""
    return st.session_state.get(key, st.session_state.get(_KEPT + key))


def write_address(key: str, chosen: str, default: str | None) -> None:
    """Keep a choice in the address, the default only where something stands there already.

    It is kept in the session, too, so that it is found again on the way back to the page.
    """
    if st.query_params.get(key, default) != chosen:
        st.query_params[key] = chosen
    st.session_state[_KEPT + key] = chosen


def enter_page() -> None:
    """Forget the widgets of the page that was left: those of this page may have the same names."""
    for name in [str(name) for name in st.session_state]:
        if name.startswith(_KEPT):
            st.session_state.pop(name.removeprefix(_KEPT), None)


def take_over_link(old: str, new: str) -> None:
    """Let links work that were made when a choice had another name in the address."""
    if old in st.query_params:
        st.session_state.setdefault(new, st.query_params[old])
        del st.query_params[old]


def choose_set(
    names: list[str],
    *,
    default: str | None = None,
    width: int,
    on_change: Callable[[], None] | None = None,
) -> str:
    """One of the data sets, shown by its title; a link may name one as it was called before."""
    asked = st.query_params.get("set")
    if asked is not None and asked not in names:
        with contextlib.suppress(ValueError):  # there is none: it is said below
            if (present := datasets.info(asked).name) in names:
                st.query_params["set"] = present
    return choose(
        "Data set", names, "set", default=default, width=width, on_change=on_change, title=set_title
    )


def replace_unknown(
    label: str, options: list[str], key: str, *, default: str | None, is_quiet: bool = False
) -> None:
    """Say that a link asks for what is not here; an earlier choice that is gone gives way.

    `is_quiet` is for what nobody expects to stay, such as the sample when the set has changed.
    """
    asked = st.query_params.get(key)
    if key in st.session_state:
        kept = st.session_state[key]
        if kept not in options:
            # Not deleted: the browser would go on showing it, and send it again.
            st.session_state[key] = default
            if not is_quiet:
                gone, taken = plain(str(kept)), plain(str(default))
                st.toast(f"There is no {label.lower()} {gone} here: {taken} takes its place.")
    elif asked is not None and asked not in options:
        st.toast(f"The link asks for {label.lower()} “{plain(asked[:80])}”, which is not here.")


def asked_for(key: str) -> str:
    """What a choice holds that is drawn later, from before or from a link; empty for neither."""
    return str(st.session_state.get(key) or st.query_params.get(key) or held(key) or "")


def tell_empty(split: str, scheme: str) -> None:
    """Say that a split holds no image, as validation under the scheme "all"."""
    st.info(
        f"Scheme {scheme} leaves no image for {split}: choose another scheme or split.",
        icon=":material/info:",
    )


def _go_to(sample: str) -> None:
    st.session_state["sample"] = sample


def show_steps(names: list[str], sample: str, go: Callable[[str], None] = _go_to) -> None:
    """Buttons to the sample before and the one behind, and which of them it is: a name is often
    nothing but a hash. `go` chooses one; without it, in the choice with the key "sample".
    """
    at = names.index(sample)
    for step, icon, words in ((-1, "chevron_left", "Previous"), (1, "chevron_right", "Next")):
        st.button(
            "",
            icon=f":material/{icon}:",
            help=f"{words} image",
            key=f"go{step}",
            disabled=not 0 <= at + step < len(names),
            on_click=go,
            args=(names[(at + step) % len(names)],),
        )
    st.caption(f"image {at + 1} of {len(names)}", width="content")


def set_names(names: list[str], key: str) -> list[str]:
    """The data sets to choose from, and the generated ones that were made or that a link names."""
    asked = st.query_params.get(key, "")
    if ":" in asked:
        with contextlib.suppress(ValueError):  # `choose` says that the link asks for nothing known
            datasets.info(asked)
            add_generated_set(asked)
    return [*names, *(one for one in generated_sets() if one not in names)]


def generated_sets() -> list[str]:
    """The names of generated sets that were looked at in this session."""
    return st.session_state.get("_generated_sets", [])


def add_generated_set(name: str) -> None:
    """Offer a generated set wherever a data set is chosen."""
    kept = [one for one in generated_sets() if one != name]
    st.session_state["_generated_sets"] = [*kept, name][-MOST_GENERATED:]
