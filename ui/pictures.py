"""Arrays as pictures for the browser: PNG bytes, and figures that zoom.

Axes: H rows, W columns, C colour channels. What a PNG shows is exact: no JPEG, no resampling but
the one announced in `fit`. Rows and columns in a figure count as in the arrays, 0 at the upper
left, with the centre of the first pixel at 0.5.
"""

import base64
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from PIL import Image as PillowImage

from unet_core import images, overlay

MOST_SIDE = 2048  # pixels: larger pictures are sent to the browser coarser
HOVER_COLOUR = "rgba(255, 255, 255, 0.01)"
# Dark blue over teal to yellow: rises evenly in brightness, for all kinds of eyes (viridis).
_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


@dataclass(frozen=True)
class Objects:
    """Where objects are and how large, for the pointer; rows and columns are centres."""

    label_N: np.ndarray
    area_N: np.ndarray
    row_N: np.ndarray
    column_N: np.ndarray

    @property
    def diameter_N(self) -> np.ndarray:
        """Diameters of the circles of the same areas, in pixels."""
        return np.sqrt(4 / np.pi * self.area_N)


@dataclass(frozen=True)
class Panel:
    """One of several pictures that zoom together."""

    title: str
    sentence: str
    layers: tuple[bytes, ...]


def png(pixels: np.ndarray) -> bytes:
    """A grey [H, W] or coloured [H, W, 3 or 4] uint8 picture as PNG, quickly packed."""
    return _save(PillowImage.fromarray(np.ascontiguousarray(pixels)))


def layer(number_HW: np.ndarray, shades_N4: np.ndarray) -> bytes:
    """A picture of colour numbers as a PNG that lies, partly transparent, over another one."""
    picture = PillowImage.fromarray(np.ascontiguousarray(number_HW))
    picture.putpalette(shades_N4[:, :3].tobytes())
    return _save(picture, transparency=shades_N4[:, 3].tobytes())


def _save(picture: PillowImage.Image, **options: bytes) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1, **options)
    return buffer.getvalue()


def step(shape: Sequence[int]) -> int:
    """Every how many-th row and column is shown, so that no side exceeds `MOST_SIDE`."""
    return max(1, -(-max(shape) // MOST_SIDE))


def fit(pixels_HW: np.ndarray) -> np.ndarray:
    """Pixels as they are, or every n-th where the picture is too large for the browser."""
    every = step(pixels_HW.shape)
    return pixels_HW[::every, ::every]


def heat(values_HW: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Values as colours from dark blue (low) to yellow (high): uint8 [H, W, 3]."""
    places = np.linspace(0, 255, len(_VIRIDIS))
    table = np.stack(
        [np.interp(np.arange(256), places, channel) for channel in zip(*_VIRIDIS, strict=True)],
        axis=1,
    ).astype(np.uint8)
    span = max(high - low, 1e-9)
    return table[(np.clip((values_HW - low) / span, 0, 1) * 255).astype(np.uint8)]


def thumbnail(image_HW: np.ndarray, labels_HW: np.ndarray | None, *, side: int) -> bytes:
    """A small PNG at most `side` wide and high, objects outlined where there are labels."""
    factor = min(1.0, side / max(image_HW.shape))
    rows, columns = (
        (np.arange(max(1, round(length * factor))) / factor).astype(int).clip(max=length - 1)
        for length in image_HW.shape
    )
    grey_HW = images.display(image_HW)
    shape = (len(rows), len(columns))
    small_HW = np.asarray(PillowImage.fromarray(grey_HW).resize(shape[::-1], PillowImage.BOX))
    if labels_HW is None:
        return png(small_HW)
    number_HW = overlay.number_objects(labels_HW[np.ix_(rows, columns)])
    shades = overlay.shades(overlay.OBJECTS, filled=False, opacity=0.8)
    return png(overlay.paint(small_HW, number_HW, shades))


def locate(labels_HW: np.ndarray) -> Objects:
    """The objects of labels, by counting pixels: a few milliseconds for hundreds of objects."""
    rows, columns = np.nonzero(labels_HW)
    label_P = labels_HW[rows, columns]
    if label_P.size == 0:
        empty = np.zeros(0)
        return Objects(empty.astype(int), empty.astype(int), empty, empty)
    label_N, place_P = np.unique(label_P, return_inverse=True)
    area_N = np.bincount(place_P)
    return Objects(
        label_N,
        area_N,
        np.bincount(place_P, rows) / area_N + 0.5,
        np.bincount(place_P, columns) / area_N + 0.5,
    )


def figure(
    layers: Sequence[bytes],
    shape: tuple[int, int],
    *,
    objects: Objects | None = None,
    words: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    height: int = 620,
) -> go.Figure:
    """Pictures lying over each other, to zoom and drag, and objects that answer the pointer.

    `shape` is that of the full picture. `words` adds a line for each object, such as its verdict.
    """
    fig = go.Figure()
    _add_layers(fig, layers, shape, "x", "y")
    if objects is None:
        objects = locate(np.zeros((1, 1), int))
    fig.add_trace(_hover_trace(objects, words, pixel_size_um))
    fig.update_xaxes(_axis(0, shape[1], constrain="domain"))
    fig.update_yaxes(_axis(shape[0], 0, scaleanchor="x", constrain="domain"))
    return _finish(fig, height)


def panels(parts: Sequence[Panel], shape: tuple[int, int], *, columns: int = 3) -> go.Figure:
    """Several pictures of one place, each with a title and a sentence; they zoom as one."""
    columns = min(columns, len(parts))
    n_rows = -(-len(parts) // columns)
    gap, above = 0.02, 74  # share of the width; pixels for title and sentence
    inner = min(420.0, 800 / columns * shape[0] / shape[1])
    height = n_rows * (inner + above)
    fig = go.Figure()
    for index, part in enumerate(parts):
        row, column = divmod(index, columns)
        name = "" if index == 0 else str(index + 1)
        left = column * (1 + gap) / columns
        bottom = 1 - ((row + 1) * (inner + above)) / height
        x = [left, left + (1 - gap * (columns - 1)) / columns]
        y = [bottom, bottom + inner / height]
        _add_layers(fig, part.layers, shape, f"x{name}", f"y{name}")
        # A figure draws its axes only where there is a trace.
        fig.add_scatter(x=[], y=[], xaxis=f"x{name}", yaxis=f"y{name}", hoverinfo="skip")
        follow = {} if index == 0 else {"matches": "x"}
        follow_y = {} if index == 0 else {"matches": "y"}
        fig.layout[f"xaxis{name}"] = _axis(0, shape[1], domain=x, constrain="domain", **follow)
        fig.layout[f"yaxis{name}"] = _axis(
            shape[0], 0, domain=y, scaleanchor=f"x{name}", constrain="domain", **follow_y
        )
        _add_caption(fig, part, x[0], y[1], width=round(115 / columns))
    return _finish(fig, round(height))


def _add_layers(
    fig: go.Figure, layers: Sequence[bytes], shape: tuple[int, int], x: str, y: str
) -> None:
    for content in layers:
        fig.add_layout_image(
            source="data:image/png;base64," + base64.b64encode(content).decode(),
            x=0,
            y=0,
            xref=x,
            yref=y,
            sizex=shape[1],
            sizey=shape[0],
            sizing="stretch",
            layer="below",
        )


def _add_caption(fig: go.Figure, part: Panel, x: float, y: float, *, width: int) -> None:
    lines = "<br>".join(textwrap.wrap(part.sentence, width))
    fig.add_annotation(
        text=f"<b>{part.title}</b><br>{lines}",
        x=x,
        y=y,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        align="left",
        showarrow=False,
        font={"size": 12},
    )


def _hover_trace(
    objects: Objects, words: Sequence[str] | None, pixel_size_um: float | None
) -> go.Scattergl:
    size, unit = pixel_size_um or 1.0, "µm" if pixel_size_um else "px"
    columns = [objects.label_N, objects.area_N * size**2, objects.diameter_N * size]
    text = [f"<br>{word}" for word in words] if words else [""] * len(objects.label_N)
    return go.Scattergl(
        x=objects.column_N,
        y=objects.row_N,
        customdata=np.stack(columns, axis=1),
        text=text,
        mode="markers",
        marker={"size": 12, "color": HOVER_COLOUR},
        hovertemplate="<b>object %{customdata[0]:.0f}</b>%{text}"
        f"<br>area %{{customdata[1]:,.4~g}} {unit}²"
        f"<br>diameter %{{customdata[2]:,.3~g}} {unit}<extra></extra>",
    )


def _axis(start: float, stop: float, **more: object) -> dict[str, object]:
    return {"range": [start, stop], "visible": False, "autorange": False, **more}


def _finish(fig: go.Figure, height: int) -> go.Figure:
    fig.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        dragmode="pan",
        hovermode="closest",
        hoverdistance=30,
        showlegend=False,
        # Keeps the zoom while thresholds change.
        uirevision="keep",
    )
    return fig
