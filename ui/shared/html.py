"""The little HTML that Streamlit has no widget for; every word in it is escaped."""

import html
from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# The theme's colours that our own styles use. Streamlit gives them to components only.
_COLOURS = {"primary-color": "primaryColor", "background-color": "backgroundColor",
            "border-color": "borderColor"}  # fmt: skip

# Streamlit tints the menu's link that the keyboard is on, hardly more than the background.
_FOCUS = """:is([data-testid=stTopNavLink], [data-testid=stSidebarNavLink]):focus-visible {
outline: 2px solid var(--st-primary-color); outline-offset: -2px; }"""

# In a window so narrow that columns stand below each other, settings stay in view in a box that
# scrolls by itself, with the picture that they change below it.
_BESIDE = """<style>@media (max-width: 640px) {
[data-testid=stColumn]:has(.st-key-settings) { position: sticky; top: 3.5rem; z-index: 2;
  background: var(--st-background-color); border-bottom: 1px solid var(--st-border-color); }
.st-key-settings { max-height: 34vh; overflow-y: auto; padding: 0.25rem 0.5rem 0.5rem 0.25rem; }
}</style>"""

# Numbers stand above a picture, which needs the room.
_METRICS = (
    "<style>[class*=st-key-numbers] [data-testid=stMetricValue] { font-size: 1.4rem; }</style>"
)


@dataclass(frozen=True)
class Mark:
    """A colour and what it stands for."""

    colour: tuple[int, ...]  # red, green, blue
    text: str
    fill: str = "filled"  # or "striped", "hollow"


def style_page() -> None:
    """What our styles need on every page: the theme's colours, and to see where the keyboard is."""
    lines = [
        f"--st-{name}: light-dark("
        f"{st.get_option(f'theme.light.{option}')}, {st.get_option(f'theme.dark.{option}')});"
        for name, option in _COLOURS.items()
    ]
    st.html(f"<style>:root {{ {' '.join(lines)} }} {_FOCUS}</style>")


def beside(width: float) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Places for settings and, so many times as wide, for the picture that they change at once."""
    st.html(_BESIDE)
    left, right = st.columns([1, width], gap="medium")
    return left.container(key="settings"), right


def shrink_numbers() -> None:
    """Make the figures in containers whose keys begin with "numbers" small enough for one line."""
    st.html(_METRICS)


def legend(marks: Iterable[Mark], *, note: str = "") -> str:
    """Colours with their words in a line, and a note behind them in bold."""
    parts = [_draw(mark) for mark in marks]
    if note:
        parts.append(f"<b>{html.escape(note)}</b>")
    return (
        '<div style="font-size:.9rem;display:flex;flex-wrap:wrap;align-items:center;gap:0 1.4em">'
        f"{''.join(parts)}</div>"
    )


def _draw(mark: Mark) -> str:
    rgb = f"rgb{tuple(mark.colour)}"
    fill = {
        "filled": rgb,
        "striped": f"repeating-linear-gradient(135deg, {rgb} 0 3px, transparent 3px 6px)",
        "hollow": "transparent",
    }[mark.fill]
    border = "1px solid #8888" if mark.fill == "filled" else f"2px solid {rgb}"
    return (
        '<span style="display:inline-flex;align-items:center;gap:.4em">'
        f'<span style="width:1em;height:1em;border-radius:2px;background:{fill};border:{border}">'
        f"</span>{html.escape(mark.text)}</span>"
    )
