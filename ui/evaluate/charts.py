"""Plotly figures of evaluations. Documents and tables come in, a figure comes out."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ui.evaluate.sentences import AVERAGES
from ui.shared.charts import BLUE, GREEN, ORANGE, PINK, QUIET, RED, SKY
from unet_core.scoring.published import Published

# Our two averages have a colour each, on all figures of the page.
OURS = {"pooled": BLUE, "by_image": ORANGE}
OTHERS = (GREEN, PINK, SKY, RED, "#8C8C8C", "#B8860B")
KINDS = {"floor": "#8C8C8C", "model": BLUE, "ceiling": GREEN}


def _frame(fig: go.Figure, *, height: int, x: str, y: str, top: int = 36) -> go.Figure:
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": top, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        uirevision="keep",
    )
    fig.update_xaxes(title=x)
    fig.update_yaxes(title=y)
    return fig


def over_iou(
    document: Mapping[str, Any],
    metric: str,
    *,
    label: str,
    kinds: Sequence[str] = tuple(OURS),
    rows: Sequence[Published] = (),
) -> go.Figure:
    """A score over the IoU from which an object is a hit: our averages, and published ones."""
    fig = go.Figure()
    for place, row in enumerate(rows):
        ious, scores = zip(*row.values, strict=True)
        fig.add_scatter(
            x=ious,
            y=scores,
            name=f"{row.method}, {AVERAGES[row.average]}",
            mode="lines+markers",
            line={"color": OTHERS[place % len(OTHERS)], "width": 1.3, "dash": "dot"},
            marker={"symbol": "diamond-open" if row.average == "by_image" else "circle-open"},
            hovertemplate="%{y:.3f}",
        )
    for kind in kinds:
        fig.add_scatter(
            x=[one["iou"] for one in document[kind]],
            y=[one[metric] for one in document[kind]],
            name=f"this model, {AVERAGES[kind]}",
            mode="lines+markers",
            line={"color": OURS[kind], "width": 3},
            marker={"symbol": "diamond" if kind == "by_image" else "circle", "size": 8},
            hovertemplate="%{y:.3f}",
        )
    _frame(fig, height=420 if rows else 380, x="IoU from which a found object is a hit", y=label)
    fig.update_layout(hovermode="x unified", legend_traceorder="reversed")
    fig.update_xaxes(dtick=0.1, range=[0.48, 0.97])
    fig.update_yaxes(rangemode="tozero")
    return fig


def per_image(
    table: pd.DataFrame, x: str, y: str, *, x_label: str, y_label: str, log: bool
) -> go.Figure:
    """A point for each image: its score over what the image is like."""
    fig = go.Figure()
    fig.add_scatter(
        x=table[x],
        y=table[y],
        mode="markers",
        marker={"color": BLUE, "size": 8, "opacity": 0.65},
        customdata=table["name"].map(html.escape),
        hovertemplate="%{customdata}<br>" + f"{x_label}: %{{x:.4g}}<br>{y_label}: %{{y:.3f}}"
        "<extra></extra>",
    )
    _frame(fig, height=320, x=x_label, y=y_label, top=12)
    fig.update_layout(hovermode="closest", showlegend=False)
    fig.update_yaxes(range=[-0.04, 1.04])
    if log:
        # All in full size: Plotly writes the digits between powers of ten very small.
        fig.update_xaxes(type="log", tickvals=[a * 10**b for b in range(5) for a in (1, 2, 5)])
    return fig


def by_group(names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, x: str) -> go.Figure:
    """Recall and mean IoU of groups of true objects, a pair of bars for each."""
    fig = go.Figure()
    for key, name, colour in (("recall", "recall", BLUE), ("mean_iou", "mean IoU of hits", SKY)):
        fig.add_bar(
            x=list(names),
            y=[row[key] for row in rows],
            name=name,
            marker={"color": colour},
            customdata=[row["n_true"] for row in rows],
            hovertemplate="%{y:.3f} (%{customdata} true objects)",
        )
    _frame(fig, height=320, x=x, y="", top=12)
    fig.update_layout(hovermode="x unified", barmode="group", bargap=0.3)
    fig.update_xaxes(type="category")
    fig.update_yaxes(range=[0, 1.04])
    return fig


def ladder(rungs: Sequence[Mapping[str, Any]], metric: str, iou: float, *, label: str) -> go.Figure:
    """A pair of bars for each rung: the score pooled (full) and by image (striped)."""
    fig = go.Figure()
    names = [rung["name"] for rung in rungs]
    colours = [KINDS[rung["kind"]] for rung in rungs]
    # Striped, since the legend's squares have the first rung's colour, and no other difference.
    for kind, pattern in (("pooled", ""), ("by_image", "/")):
        scores = [
            next((row[metric] for row in rung[kind] if row["iou"] == iou), None) for rung in rungs
        ]
        fig.add_bar(
            x=scores,
            y=names,
            name=AVERAGES[kind],
            orientation="h",
            marker={"color": colours, "pattern": {"shape": pattern, "fillmode": "replace"}},
            text=["–" if score is None else f"{score:.3f}" for score in scores],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.4f}",
        )
    _frame(fig, height=90 + 54 * len(rungs), x=f"{label} at IoU {iou:.2f}", y="")
    fig.update_layout(hovermode="closest", barmode="group", bargap=0.25)
    fig.update_xaxes(range=[0, 1.12], tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1])
    fig.update_yaxes(autorange="reversed")
    return fig


def difference(document: Mapping[str, Any]) -> go.Figure:
    """B minus A with its interval, zero, and the range that the seeds alone may make."""
    fig = go.Figure()
    value, low, high = (document[key] for key in ("difference", "low", "high"))
    noise = document["noise"]
    if noise is not None:
        fig.add_vrect(x0=-noise, x1=noise, fillcolor="#8C8C8C", opacity=0.25, line_width=0)
        fig.add_scatter(  # for the legend: a rectangle has none
            x=[None],
            y=[None],
            mode="markers",
            name=f"noise of the seeds, up to {noise:.3f}",
            marker={"symbol": "square", "size": 14, "color": "rgba(140, 140, 140, 0.45)"},
        )
    fig.add_vline(x=0, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    fig.add_scatter(
        x=[value],
        y=[0],
        name="B minus A with its 95 % interval",
        mode="markers",
        marker={"color": BLUE, "size": 13, "symbol": "diamond"},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "color": BLUE,
            "thickness": 3,
            "width": 10,
        },
        hovertemplate=f"%{{x:+.4f}}, from {low:+.4f} to {high:+.4f}<extra></extra>",
    )
    _frame(fig, height=190, x=f"difference of {document['title']}", y="")
    fig.update_layout(hovermode="closest", showlegend=True)
    fig.update_yaxes(visible=False, range=[-1, 1])
    # Zero is always in sight, so that a small difference looks small.
    ends = [abs(one) for one in (low, high, noise or 0.0)]
    fig.update_xaxes(range=[-1.15 * max(ends), 1.15 * max(ends)] if max(ends) else [-1, 1])
    return fig


def over_threshold(rows: Sequence[Mapping[str, Any]], best: float | None) -> go.Figure:
    """V_rand and V_info of membranes over the threshold on the probability of being inside."""
    fig = _over_threshold(rows, {"v_rand": ("V_rand", BLUE), "v_info": ("V_info", ORANGE)})
    fig.update_xaxes(title="threshold on the probability of being inside a cell")
    if best is not None:
        _mark_threshold(fig, best, "largest V_rand")
    return fig


def pixels_over_threshold(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Scores of pixels over the threshold on the foreground's probability."""
    lines = {
        "mean_iou": ("Mean IoU", BLUE),
        "dice": ("Dice", SKY),
        "accuracy": ("Accuracy", ORANGE),
    }
    fig = _over_threshold(rows, lines)
    fig.update_xaxes(title="threshold on the probability of foreground")
    known = [row for row in rows if row.get("mean_iou") is not None]
    if known:
        best = max(known, key=lambda row: row["mean_iou"])
        _mark_threshold(fig, best["threshold"], "largest mean IoU")
    return fig


def _over_threshold(
    rows: Sequence[Mapping[str, Any]], lines: Mapping[str, tuple[str, str]]
) -> go.Figure:
    fig = go.Figure()
    for key, (name, colour) in lines.items():
        fig.add_scatter(
            x=[row["threshold"] for row in rows],
            y=[row.get(key) for row in rows],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            hovertemplate="%{y:.4f}",
        )
    _frame(fig, height=340, x="", y="")
    fig.update_layout(hovermode="x unified")
    return fig


def _mark_threshold(fig: go.Figure, at: float, text: str) -> None:
    fig.add_vline(
        x=at,
        line={"color": QUIET, "dash": "dot", "width": 1},
        annotation={"text": text, "font": {"color": QUIET}},
        annotation_position="bottom right" if at < 0.5 else "bottom left",
    )


def classes(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """IoU and Dice of each class."""
    fig = go.Figure()
    for key, name, colour in (("iou", "IoU", BLUE), ("dice", "Dice", SKY)):
        values = [row.get(key) for row in rows]
        fig.add_bar(
            x=values,
            y=[html.escape(row["name"]) for row in rows],  # Plotly draws tags, links too
            name=name,
            orientation="h",
            marker={"color": colour},
            text=["–" if value is None else f"{value:.3f}" for value in values],
            textposition="auto",
            hovertemplate="%{y}: %{x:.4f}",
        )
    _frame(fig, height=110 + 50 * len(rows), x="", y="")
    fig.update_layout(hovermode="closest", barmode="group", bargap=0.25)
    fig.update_xaxes(range=[0, 1.04])
    fig.update_yaxes(autorange="reversed")
    return fig


def landscape(document: Mapping[str, Any], *, label: str, second: str) -> go.Figure:
    """A score for every pair of settings: the best one starred, those as good framed."""
    columns = [f"{value:g}" for value in document["markers"] or document["min_sizes"]]
    rows = [f"{value:g}" for value in document["thresholds"]]
    known = [value for line in document["values"] for value in line if value is not None]
    top = max(known, default=1.0)
    fig = go.Figure()
    fig.add_heatmap(
        x=columns,
        y=rows,
        z=document["values"],
        # The hill's foot would use up the colours that the top needs.
        zmin=max(min(known, default=0.0), top - 0.2),
        zmax=top,
        colorscale="Cividis",
        colorbar={"title": {"text": label, "side": "right"}, "thickness": 14},
        hovertemplate=f"foreground %{{y}}<br>{second} %{{x}}<br>{label} %{{z:.4f}}<extra></extra>",
    )
    cells = document["plateau"]["cells"] if known else []
    fig.add_scatter(
        x=[columns[column] for _, column in cells],
        y=[rows[row] for row, _ in cells],
        mode="markers",
        name=f"within {document['plateau']['within']:g} of the best",
        marker={"symbol": "circle", "size": 7, "color": RED},
        hoverinfo="skip",
    )
    for key, name, marker in (
        ("base", "before", {"symbol": "square-open", "size": 17, "line": {"width": 2.5}}),
        ("best", "best", {"symbol": "star", "size": 19, "line": {"width": 1, "color": "#FFFFFF"}}),
    ):
        if known:
            cell = document[key]
            fig.add_scatter(
                x=[columns[cell["column"]]],
                y=[rows[cell["row"]]],
                mode="markers",
                name=name,
                marker={"color": RED} | marker,
                hoverinfo="skip",
            )
    _frame(fig, height=max(360, 90 + 25 * len(rows)), x=second, y="foreground threshold")
    fig.update_layout(hovermode="closest")
    fig.update_xaxes(type="category", showgrid=False)
    fig.update_yaxes(type="category", showgrid=False)
    return fig
