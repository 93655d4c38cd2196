"""How objects and classes are drawn over the image."""

from dataclasses import dataclass

import streamlit as st

STYLES = ("outlines", "filled")


@dataclass(frozen=True)
class Look:
    """How objects are drawn over the image."""

    filled: bool
    opacity: float


def choose_look() -> Look:
    """The look, behind a button."""
    with st.popover("Display", icon=":material/palette:"):
        style = st.segmented_control(
            "Draw objects", STYLES, default=STYLES[0], required=True, key="draw",
            bind="query-params",
        )  # fmt: skip
        opacity = st.slider("Opacity", 0.0, 1.0, 0.7, 0.05, key="opacity", bind="query-params")
    return Look(style == "filled", opacity)
