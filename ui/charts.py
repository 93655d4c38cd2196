"""Plotly figures that several pages show. Numbers come in, a figure comes out; no streamlit here.

Blue is training and orange is validation, everywhere.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

# Okabe and Ito's colours, which colour-blind people can tell apart and which show on white and
# on black.
BLUE, ORANGE, GREEN, PINK, SKY, RED = "#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00".split()
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, "#8C8C8C")
DASHES = ("solid", "dash", "dot", "dashdot")
FADED = "rgba(86, 180, 233, 0.55)"
QUIET = "rgba(128, 128, 128, 0.8)"

# A line on the screen has about this many pixels; more points cost traffic and show nothing.
MOST_POINTS = 1200


def _figure(fig: go.Figure, *, height: int, x: str, y: str) -> go.Figure:
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
        # Keeps the reader's zoom while new points arrive.
        uirevision="keep",
    )
    fig.update_xaxes(title=x)
    fig.update_yaxes(title=y)
    return fig


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A column as floats, NaN for null; all NaN where the column does not exist."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)


def thin(x: np.ndarray, y: np.ndarray, *, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points of a curve, each the mean of its neighbours; short ones as they are."""
    if len(x) <= most:
        return x, y
    group = np.arange(len(x)) * most // len(x)
    count = np.bincount(group)
    return np.bincount(group, x) / count, np.bincount(group, y) / count


def _mark_best(fig: go.Figure, metrics: pd.DataFrame, best: int | None, column: str) -> None:
    """A star on the best epoch's value and a line down to the axis."""
    if best is None or "epoch" not in metrics or best not in set(metrics["epoch"]):
        return
    value = _column(metrics[metrics["epoch"] == best], column)[-1]
    fig.add_vline(x=best, line={"color": QUIET, "width": 1, "dash": "dot"})
    if not np.isfinite(value):
        return
    fig.add_scatter(
        x=[best],
        y=[value],
        mode="markers",
        name=f"best: epoch {best}",
        marker={"symbol": "star", "size": 13, "color": ORANGE, "line": {"width": 1}},
        hoverinfo="skip",
    )


def loss(
    metrics: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    steps_per_epoch: float,
    best: int | None = None,
    log: bool = False,
    height: int = 340,
) -> go.Figure:
    """The loss over epochs: validation and training once an epoch, and the step's as it runs.

    `metrics` has a row per epoch (epoch, train_loss, val_loss), `steps` one per second or so
    (step, loss). An epoch's values stand at its end, where its last step stands, too.
    """
    fig = go.Figure()
    if len(steps):
        x, y = thin(_column(steps, "step") / max(steps_per_epoch, 1.0), _column(steps, "loss"))
        fig.add_scatter(
            x=x,
            y=y,
            name="training, each step",
            mode="lines" if len(x) > 1 else "markers",
            line={"color": FADED, "width": 1.5},
            hovertemplate="%{y:.4g}",
        )
    for column, name, color in (
        ("train_loss", "training", BLUE),
        ("val_loss", "validation", ORANGE),
    ):
        _add_epochs(fig, metrics, column, name, color)
    _mark_best(fig, metrics, best, "val_loss")
    _figure(fig, height=height, x="epoch", y="loss")
    fig.update_yaxes(type="log" if log else "linear")
    if not log:
        fig.update_yaxes(rangemode="tozero")
    fig.update_xaxes(rangemode="tozero")
    fig.update_layout(showlegend=True)
    return fig


def _add_epochs(
    fig: go.Figure, metrics: pd.DataFrame, column: str, name: str, color: str, dash: str = "solid"
) -> None:
    values = _column(metrics, column)
    if not np.isfinite(values).any():
        return
    fig.add_scatter(
        x=metrics["epoch"],
        y=values,
        name=name,
        mode="lines+markers",
        line={"color": color, "width": 2.5, "dash": dash},
        marker={"size": 6},
        hovertemplate="%{y:.4g}",
    )


def dice(metrics: pd.DataFrame, *, best: int | None = None, height: int = 340) -> go.Figure:
    """Dice over epochs: hard on training and validation, and the soft one of validation."""
    fig = go.Figure()
    for column, name, color, dash in (
        ("train_dice", "training", BLUE, "solid"),
        ("val_dice", "validation", ORANGE, "solid"),
        ("val_soft_dice", "validation, soft", ORANGE, "dot"),
    ):
        _add_epochs(fig, metrics, column, name, color, dash)
    _mark_best(fig, metrics, best, "val_dice")
    _figure(fig, height=height, x="epoch", y="Dice")
    fig.update_xaxes(rangemode="tozero")
    if not fig.data:
        fig.update_layout(xaxis_range=[0, 1.05], yaxis_range=[0, 1])
        _say(fig, "comes after the first epoch")
    return fig


def pace(steps: pd.DataFrame, *, steps_per_epoch: float, height: int = 260) -> go.Figure:
    """Learning rate and images per second, side by side over the epochs."""
    titles = ("learning rate", "images per second")
    fig = make_subplots(cols=2, subplot_titles=titles, horizontal_spacing=0.1)
    at = _column(steps, "step") / max(steps_per_epoch, 1.0)
    for place, (column, color) in enumerate((("lr", GREEN), ("images_per_second", PINK)), start=1):
        x, y = thin(at, _column(steps, column))
        fig.add_scatter(
            x=x,
            y=y,
            col=place,
            row=1,
            name=titles[place - 1],
            mode="lines" if len(x) > 1 else "markers",
            line={"color": color, "width": 2},
            hovertemplate="%{y:.4g}",
            showlegend=False,
        )
    _figure(fig, height=height, x="epoch", y="")
    fig.update_xaxes(rangemode="tozero")
    fig.update_yaxes(rangemode="tozero", exponentformat="power")
    return fig


def compare(
    metrics: Mapping[str, pd.DataFrame],
    column: str,
    *,
    y: str,
    log: bool = False,
    height: int = 340,
) -> go.Figure:
    """One column of several runs over epochs, a line for each run that has values."""
    fig = go.Figure()
    for place, (name, frame) in enumerate(metrics.items()):
        color = SERIES[place % len(SERIES)]
        dash = DASHES[place // len(SERIES) % len(DASHES)]
        _add_epochs(fig, frame, column, name, color, dash)
    _figure(fig, height=height, x="epoch", y=y)
    fig.update_yaxes(type="log" if log else "linear")
    fig.update_xaxes(rangemode="tozero")
    fig.update_layout(showlegend=True)
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

    Shares, because splits differ in size. `log` gives bins of equal ratio. Values that are not
    finite are left out. Only the bars travel to the browser, not the values.
    """
    fig = go.Figure()
    found = {name: np.asarray(values, dtype=float) for name, values in values_by_split.items()}
    found = {name: values[np.isfinite(values)] for name, values in found.items()}
    found = {name: values for name, values in found.items() if len(values)}
    _figure(fig, height=height, x=x, y=f"% of {things}")
    fig.update_layout(hovermode="closest", barmode="overlay", bargap=0)
    if not found:
        _say(fig, "no values")
        return fig
    edges = _bin_edges(np.concatenate(list(found.values())), bins, log)
    for place, (name, values) in enumerate(found.items()):
        counts = np.histogram(values, edges)[0]
        fig.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=100 * counts / len(values),
            width=np.diff(edges),
            name=f"{name} ({len(values)})",
            marker={"color": SERIES[place % len(SERIES)], "line": {"width": 0}},
            opacity=0.6 if len(found) > 1 else 0.9,
            customdata=np.stack([edges[:-1], edges[1:], counts], axis=1),
            hovertemplate="%{customdata[0]:.4g} to %{customdata[1]:.4g}: "
            "%{y:.2f} % (%{customdata[2]:.0f})",
        )
    if log:
        fig.update_xaxes(type="log")
    fig.update_layout(showlegend=len(found) > 1)
    return fig
