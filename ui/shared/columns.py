"""What the columns of measurements are called on the screen, with their units.

The tables keep their code names, which are scikit-image's, and so do the files made of them.
"""

from typing import Any

import pandas as pd
import streamlit as st

_WORDS = {
    "image": "Image",
    "split": "Split",
    "class": "Class",
    "height": "Rows (px)",
    "width": "Columns (px)",
    "objects": "Objects",
    "smallest_area": "Smallest area (px²)",
    "foreground": "Foreground (share)",
    "label": "Object",
    "area": "Area (px²)",
    "area_um2": "Area (µm²)",
    "equivalent_diameter_area": "Diameter (px)",
    "eccentricity": "Eccentricity",
    "solidity": "Solidity",
    "intensity_mean": "Mean intensity",
    "centroid-0": "Centre: row",
    "centroid-1": "Centre: column",
    "bbox-0": "First row",
    "bbox-1": "First column",
    "bbox-2": "Last row + 1",
    "bbox-3": "Last column + 1",
    "perimeter": "Perimeter (px)",
    "orientation": "Orientation (rad)",
    "axis_major_length": "Longer axis (px)",
    "axis_minor_length": "Shorter axis (px)",
    "nearest_neighbour_distance": "Nearest neighbour (px)",
    "touching": "Touches another",
}
_HELP = {
    "equivalent_diameter_area": "Of a circle with the same area.",
    "eccentricity": "0 is a circle, near 1 a line.",
    "solidity": "Area over the area of the convex hull: 1 has no dents.",
    "axis_major_length": "Of the ellipse that is spread like the object.",
    "axis_minor_length": "Of the ellipse that is spread like the object.",
    "nearest_neighbour_distance": "From centre to centre.",
    "orientation": "From the direction of the rows' numbers to the longer axis, -π/2 to π/2.",
}


def words(name: str) -> str:
    """What a column is called."""
    if name.startswith("share_"):
        return f"{name.removeprefix('share_').capitalize()} (share)"
    if name.endswith("_um"):
        return words(name.removesuffix("_um")).replace("(px)", "(µm)")
    return _WORDS.get(name, name)


def config(table: pd.DataFrame) -> dict[str, Any]:
    """The columns of a table for `st.dataframe`, by their code names."""
    known = {name: (words(name), _help(name)) for name in map(str, table.columns)}
    return {
        name: st.column_config.Column(label, help=help, width="small" if name == "image" else None)
        for name, (label, help) in known.items()
    }


def _help(name: str) -> str:
    text = _HELP.get(name.removesuffix("_um"), "")
    return f"{text} In files: `{name}`".lstrip()
