"""The little HTML that Streamlit has no widget for; every word in it is escaped."""

import html
from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

# Numbers stand above a picture, which needs the room.
_METRICS = "<style>.st-key-numbers [data-testid=stMetricValue] { font-size: 1.4rem; }</style>"


@dataclass(frozen=True)
class Mark:
    """A colour and what it stands for."""

    colour: tuple[int, ...]  # red, green, blue
    text: str
    fill: str = "filled"  # or "striped", "hollow"


def shrink_numbers() -> None:
    """Make the figures in a container with the key "numbers" small enough for one line."""
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
