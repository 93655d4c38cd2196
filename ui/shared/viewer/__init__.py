"""Pictures in the browser that zoom together and name the object under the pointer.

A component of our own, since a plotly chart is built anew, without its zoom, whenever its content
changes: whoever looks closely at two nuclei must not lose the place when a threshold moves.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from ui.shared import pictures

HERE = Path(__file__).resolve().parent
HOW = "Wheel: zoom. Drag: move. Double click: whole image."

_mount = st.components.v2.component(
    "unet_viewer",
    html='<div class="viewer" tabindex="0" role="img" aria-label="Picture: plus and minus zoom, '
    'arrows move, 0 shows all"><div class="panels"></div><div class="tip" hidden></div>'
    '<button type="button" title="Full screen" aria-label="Full screen">'
    '<svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" '
    'stroke-width="2"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg></button></div>',
    css=(HERE / "viewer.css").read_text(encoding="utf-8"),
    js=(HERE / "viewer.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Panel:
    """PNGs lying over each other, with a title and a sentence where there are several panels."""

    layers: tuple[bytes, ...]
    title: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Reading:
    """A whole number at each pixel, below 2**24, that the pointer reads.

    The number's entry in `words` is shown, or where there is none `offset` + number * `scale`.
    """

    name: str
    number_HW: np.ndarray
    words: tuple[str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0


def read_values(name: str, values_HW: np.ndarray, scale: float = 0.01) -> Reading:
    """A reading of any finite numbers, as exact as `scale`."""
    low = float(values_HW.min(initial=0.0))
    number_HW = np.rint((values_HW - low) / scale).astype(np.int32)
    return Reading(name, number_HW, scale=scale, offset=low)


def show(
    panels: Sequence[Panel],
    shape: tuple[int, int],
    *,
    key: str,
    revision: str,
    objects: pictures.Objects | None = None,
    readings: Sequence[Reading] = (),
    pixel_size_um: float | None = None,
    columns: int = 3,
    focus: Sequence[int] | None = None,
) -> None:
    """Draw the panels. The zoom stays for as long as `key`, `revision` and `focus` are the same.

    `focus` is a box to zoom to: first row, first column, last row + 1, last column + 1. `shape` is
    the picture's own, whatever coarser size the PNGs have.
    """
    about = None
    if objects is not None:
        about = {
            "label": objects.label_N.tolist(),
            "area": objects.area_N.tolist(),
            "word": objects.word_N,
            "size": pixel_size_um or 1.0,
            "unit": "µm" if pixel_size_um else "px",
        }
    _mount(
        key=key,
        data={
            "revision": revision,
            "height": shape[0],
            "width": shape[1],
            "focus": focus,
            "columns": min(columns, len(panels)),
            "panels": [
                {
                    "title": panel.title,
                    "sentence": panel.sentence,
                    "layers": [_source(layer) for layer in panel.layers],
                }
                for panel in panels
            ],
            "ids": _source(pictures.number_png(objects.index_HW)) if objects else None,
            "objects": about,
            "readings": [
                {
                    "name": reading.name,
                    "source": _source(pictures.number_png(pictures.fit(reading.number_HW))),
                    "words": reading.words,
                    "scale": reading.scale,
                    "offset": reading.offset,
                }
                for reading in readings
            ],
        },
    )


def _source(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
