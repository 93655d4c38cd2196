"""Plotly figures that several pages show. Numbers come in, a figure comes out.

Curves that grow while one looks at them are in curves.py.
"""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

# Okabe and Ito's colours, which colour-blind people can tell apart and which show on white and
# on black.
BLUE, ORANGE, GREEN, PINK, SKY, RED = "#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00".split()
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, "#8C8C8C")
QUIET = "rgba(128, 128, 128, 0.8)"


def _figure(fig: go.Figure, *, height: int, x: str, y: str) -> go.Figure:
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
        # Keeps the reader's zoom through a rerun that changes nothing.
        uirevision="keep",
    )
    fig.update_xaxes(title=x)
    fig.update_yaxes(title=y)
    return fig


def _say(fig: go.Figure, text: str) -> None:
    """Words in the middle of an empty figure."""
    place = {"x": 0.5, "y": 0.5, "xref": "x domain", "yref": "y domain"}
    fig.add_annotation(text=text, showarrow=False, font={"color": QUIET}, **place)


def _bin_edges(values: np.ndarray, bins: int, log: bool) -> np.ndarray:
    low, high = values.min(), values.max()
    whole = bool(np.all(values == np.round(values)))
    if log and low > 0:
        return np.geomspace(low, max(high, low * 1.01), bins + 1)
    if whole:
        # Bins of equal whole width: with others, some would hold one more value and stand out.
        width = max(1, int(np.ceil((high - low + 1) / bins)))
        return np.arange(low - 0.5, high + width, width)
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def histogram(
    values_by_split: Mapping[str, Sequence[float] | np.ndarray],
    *,
    x: str,
    things: str = "objects",
    bins: int = 40,
    log: bool = False,
    height: int = 260,
) -> go.Figure:
    """How a quantity is distributed: a bar is the share of a split's things that fall into it.

    The first split has bars, the others steps over them. Shares, because splits differ in size.
    `log` gives bins of equal ratio. Values that are not finite are left out. Only the bars travel
    to the browser, not the values.
    """
    fig = go.Figure()
    found = {name: np.asarray(values, dtype=float) for name, values in values_by_split.items()}
    found = {name: values[np.isfinite(values)] for name, values in found.items()}
    found = {name: values for name, values in found.items() if len(values)}
    _figure(fig, height=height, x=x, y=f"% of {things}")
    fig.update_layout(hovermode="closest", bargap=0)
    if not found:
        _say(fig, "no values")
        return fig
    edges = _bin_edges(np.concatenate(list(found.values())), bins, log)
    for place, (name, values) in enumerate(found.items()):
        counts = np.histogram(values, edges)[0]
        common = {
            "y": 100 * counts / len(values),
            "name": f"{name} ({len(values)})",
            "customdata": np.stack([edges[:-1], edges[1:], counts], axis=1),
            "hovertemplate": "%{customdata[0]:.4g} to %{customdata[1]:.4g}: "
            "%{y:.2f} % (%{customdata[2]:.0f})",
        }
        colour = SERIES[place % len(SERIES)]
        middle = (edges[:-1] + edges[1:]) / 2
        if place == 0:
            marker = {"color": colour, "opacity": 0.45, "line": {"width": 0}}
            fig.add_bar(x=middle, width=np.diff(edges), marker=marker, **common)
        else:
            # Steps over the bars: three splits of transparent bars would mix to one brown.
            x = np.sqrt(edges[:-1] * edges[1:]) if log and edges[0] > 0 else middle
            line = {"color": colour, "width": 2, "shape": "hvh"}
            fig.add_scatter(x=x, mode="lines", line=line, **common)
    if log:
        fig.update_xaxes(type="log", dtick="D2")
    fig.update_layout(showlegend=len(found) > 1)
    return fig


def shares(shares_by_split: Mapping[str, Mapping[str, float]], *, height: int = 260) -> go.Figure:
    """The share of the pixels that each class has, a bar per split."""
    fig = go.Figure()
    for place, (name, share_of) in enumerate(shares_by_split.items()):
        percent = [100 * share for share in share_of.values()]
        fig.add_bar(
            x=percent,
            y=[html.escape(name) for name in share_of],  # Plotly draws tags, links too
            name=name,
            orientation="h",
            marker={"color": SERIES[place % len(SERIES)]},
            text=[f"{value:.1f} %" for value in percent],
            textposition="auto",
            hovertemplate="%{y}: %{x:.2f} %",
        )
    _figure(fig, height=height, x="% of pixels", y="")
    fig.update_layout(hovermode="closest", showlegend=len(shares_by_split) > 1)
    fig.update_yaxes(autorange="reversed")
    return fig
