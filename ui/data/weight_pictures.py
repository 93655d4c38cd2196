"""A weight map in pictures, and equation 2 of the U-Net paper along a line through it.

Axes: H rows, W columns, P points of the line.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image as PillowImage
from PIL import ImageDraw

from ui.shared import charts, pictures, viewer
from unet_core.imaging import overlay
from unet_core.imaging.weight_map import Profile

LINE_SIDE = 1024  # pixels of the picture that holds nothing but the line
HALO, LINE = (0, 0, 0, 150), (255, 255, 255, 255)


@dataclass(frozen=True)
class Labels:
    """A label image and where it is from; `data` is its data set, None for a person's own."""

    name: str
    labels_HW: np.ndarray
    data: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Formula:
    """The numbers of equation 2."""

    w0: float
    sigma: float
    class_weights: tuple[float, float]

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest weight that there can be."""
        background, inside = self.class_weights
        return min(self.class_weights), max(background + self.w0, inside)


def show(
    labels: Labels,
    weights_HW: np.ndarray,
    formula: Formula,
    seconds: float,
    ends: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    """Labels and weight map side by side, the line in both, and what the colours mean."""
    low, high = formula.range
    line = draw_line(*ends, weights_HW.shape)
    number_HW = overlay.number_objects(labels.labels_HW)
    objects = pictures.layer(pictures.fit(number_HW), overlay.shades(overlay.OBJECTS, opacity=1.0))
    ground = pictures.png(np.full(pictures.fit(number_HW).shape, 26, np.uint8))
    heat = pictures.png(pictures.heat(pictures.fit(weights_HW), low, high))
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.caption(describe(labels.labels_HW, weights_HW, seconds), width="content")
        st.html(colour_bar(low, high), width="content")
    viewer.show(
        [
            viewer.Panel((ground, objects, line), "Labels"),
            viewer.Panel((heat, line), "Weight map"),
        ],
        weights_HW.shape,
        key="weight_pictures",
        revision=labels.name,
        readings=[
            viewer.Reading("object", labels.labels_HW, ("background",)),
            viewer.read_values("weight", weights_HW),
        ],
        columns=2,
    )
    st.caption(viewer.HOW)


def describe(labels_HW: np.ndarray, weights_HW: np.ndarray, seconds: float) -> str:
    """Size, objects, the heaviest gap between two of them, and how long the map took."""
    count = len(np.unique(labels_HW[labels_HW > 0]))
    facts = [
        f"{weights_HW.shape[0]} × {weights_HW.shape[1]} pixels",
        f"{count} object{'' if count == 1 else 's'}",
    ]
    if count > 1:
        row, column = heaviest(labels_HW, weights_HW)
        most = weights_HW[row, column]
        facts.append(f"heaviest gap {most:.2f} at row {row}, column {column}")
    taken = f"{max(1, round(1000 * seconds))} ms" if seconds < 1 else f"{seconds:.1f} s"
    facts.append(f"made in {taken}")
    return " · ".join(facts)


def colour_bar(low: float, high: float) -> str:
    """The colours of the weights with their ends, as HTML."""
    shades = pictures.heat(np.linspace(0, 1, 9))
    stops = ", ".join(f"rgb({r}, {g}, {b})" for r, g, b in shades.tolist())
    middle = (low + high) / 2
    return (
        '<div style="font-size:.8rem;width:14rem">'
        f'<div style="height:.7rem;border-radius:3px;background:linear-gradient(90deg, {stops})">'
        '</div><div style="display:flex;justify-content:space-between">'
        f"<span>{low:.3g}</span><span>weight {middle:.3g}</span><span>{high:.3g}</span></div></div>"
    )


def draw_line(start: tuple[int, int], stop: tuple[int, int], shape: tuple[int, ...]) -> bytes:
    """A PNG with nothing but the line, finer than the image, so that it stays thin."""
    rows, columns = shape
    factor = LINE_SIDE / max(rows, columns)
    size = max(1, round(columns * factor)), max(1, round(rows * factor))
    picture = PillowImage.new("P", size)
    pen = ImageDraw.Draw(picture)
    (y0, x0), (y1, x1) = [[(at + 0.5) * factor for at in end] for end in (start, stop)]
    for number, width in ((1, 8), (2, 3)):
        pen.line([(x0, y0), (x1, y1)], fill=number, width=width)
    return pictures.layer(np.asarray(picture), np.array([(0, 0, 0, 0), HALO, LINE], np.uint8))


def heaviest(labels_HW: np.ndarray, weights_HW: np.ndarray) -> tuple[int, int]:
    """The background pixel that counts most, the first of several; the middle of an even map."""
    gaps_HW = np.where(labels_HW == 0, weights_HW, -np.inf)
    if gaps_HW.max() <= weights_HW[labels_HW == 0].min(initial=np.inf):
        return weights_HW.shape[0] // 2, weights_HW.shape[1] // 2
    row, column = np.unravel_index(gaps_HW.argmax(), gaps_HW.shape)
    return int(row), int(column)


def show_profile(profile: Profile, formula: Formula) -> None:
    """The curves along the line, and equation 2 with the numbers of its heaviest pixel."""
    st.plotly_chart(
        draw_profile(profile),
        key="profile",
        config={"displayModeBar": False},
        alt="Weight and distances along the line",
    )
    if example := work_out(profile, formula):
        st.markdown(example)


def objects_along(label_P: np.ndarray) -> list[tuple[int, int]]:
    """First and last point of each run of one object along the line."""
    starts = np.flatnonzero(np.diff(label_P, prepend=label_P[0] - 1))
    stops = np.append(starts[1:], len(label_P))
    return [(int(a), int(b) - 1) for a, b in zip(starts, stops, strict=True) if label_P[a] > 0]


def draw_profile(profile: Profile) -> go.Figure:
    """Weight above, d1 and d2 below; grey where the line crosses an object."""
    row_P, column_P = profile.row_P, profile.column_P
    is_row, is_column = row_P[0] == row_P[-1], column_P[0] == column_P[-1]
    along_P = np.hypot(row_P - row_P[0], column_P - column_P[0])
    x_P, name = (along_P, "pixels from the first point")
    if is_row:
        x_P, name = column_P, f"column, in row {row_P[0]}"
    elif is_column:
        x_P, name = row_P, f"row, in column {column_P[0]}"
    fig = go.Figure()
    curves = (
        ("weight", profile.weight_P, charts.ORANGE, "y2"),
        ("d1: to the nearest object", profile.nearest_P, charts.BLUE, "y"),
        ("d2: to the second nearest", profile.second_P, charts.SKY, "y"),
    )
    for title, values_P, colour, axis in curves:
        fig.add_scatter(
            x=x_P,
            y=[float(value) if np.isfinite(value) else None for value in values_P],
            name=title,
            yaxis=axis,
            mode="lines",
            line={"color": colour, "width": 2},
            hovertemplate="%{y:.2f}",
        )
    for first, last in objects_along(profile.label_P):
        half = 0.5 if is_row or is_column else 0.0
        ends = sorted((float(x_P[first]), float(x_P[last])))
        fig.add_shape(
            type="rect", x0=ends[0] - half, x1=ends[1] + half, y0=0, y1=1, yref="paper",
            fillcolor=charts.QUIET, opacity=0.2, line_width=0, layer="below",
        )  # fmt: skip
    fig.update_layout(
        height=330,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
        uirevision="keep",
        xaxis={"title": name, "anchor": "y"},
        yaxis={"title": "distance (px)", "domain": [0, 0.46], "rangemode": "tozero"},
        yaxis2={"title": "weight", "domain": [0.54, 1], "rangemode": "tozero"},
    )
    return fig


def work_out(profile: Profile, formula: Formula) -> str:
    """Equation 2 with numbers, at the heaviest background pixel of the line; empty without any."""
    between_P = (profile.label_P == 0) & np.isfinite(profile.second_P)
    if not between_P.any():
        return ""
    at = int(np.where(between_P, profile.weight_P, -np.inf).argmax())
    d1, d2 = profile.nearest_P[at], profile.second_P[at]
    return (
        f"At row {profile.row_P[at]}, column {profile.column_P[at]}, the heaviest gap of the line: "
        rf"$w = {formula.class_weights[0]:.3g} + {formula.w0:g} \cdot "
        rf"e^{{-({d1:.1f} + {d2:.1f})^2 / (2 \cdot {formula.sigma:g}^2)}} "
        rf"= {profile.weight_P[at]:.2f}$"
    )
