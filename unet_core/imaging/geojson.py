"""Objects as GeoJSON for QuPath, and the GeoJSON of QuPath as labels.

GeoJSON is RFC 7946; QuPath adds `objectType` and `name` to the properties and counts in pixels of
the full image, (0, 0) the outer corner of the first one. Axes: H rows, W columns; corners as in
`polygons`, columns first in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from unet_core.imaging.canvas import Canvas
from unet_core.imaging.other_json import parse
from unet_core.imaging.polygons import Polygon, trace
from unet_core.imaging.truth import Truth

_BROKEN = "The GeoJSON file is broken at {}: export it again."


def encode(labels_HW: np.ndarray) -> bytes:
    """A FeatureCollection with a detection for every object, named by its label.

    An object of several parts is a MultiPolygon; holes are the further rings of a polygon. Every
    geometry is valid and its area is the object's number of pixels.

    Raises ValueError for labels that are no 2-D array of integers >= 0.
    """
    features = [
        {
            "type": "Feature",
            "geometry": _geometry(polygons),
            "properties": {"objectType": "detection", "name": str(number)},
        }
        for number, polygons in trace(labels_HW).items()
    ]
    document = {"type": "FeatureCollection", "features": features}
    return json.dumps(document, separators=(",", ":")).encode()


def _geometry(polygons: list[Polygon]) -> dict[str, Any]:
    # The first corner closes a ring once more.
    found = [
        [[*ring[:, ::-1].tolist(), ring[0, ::-1].tolist()] for ring in polygon]
        for polygon in polygons
    ]
    if len(found) == 1:
        return {"type": "Polygon", "coordinates": found[0]}
    return {"type": "MultiPolygon", "coordinates": found}


def read(path_or_bytes: str | Path | bytes, shape: tuple[int, int]) -> Truth:
    """The labels of the features of a GeoJSON file, in an image of this shape (rows, columns).

    Polygons and MultiPolygons become objects in the order of the file, numbered from 1, whatever
    class they have; of a cell, the outline of the cell, not that of its nucleus. Points and lines
    have no area: they are left out, and the notes say how many, and what became of overlapping
    ones (see `Canvas`). The file does not say how large its image was: that it was another one is
    seen only where an object lies beside the image.

    Raises ValueError, one sentence: what `other_json.parse` refuses, no GeoJSON, a broken outline,
    another image.
    """
    canvas, n_left_out = Canvas(shape), 0
    for number, feature in enumerate(_features(parse(path_or_bytes, "GeoJSON")), start=1):
        name = f"feature {number}"
        try:
            polygons = list(_polygons(feature["geometry"]))
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(_BROKEN.format(name)) from error
        if polygons:
            canvas.draw(polygons, name.capitalize())
        else:
            n_left_out += 1
    found = canvas.truth()
    if n_left_out:
        note = f"Points and lines have no area, and were left out: {n_left_out}."
        return Truth(found.labels_HW, (*found.notes, note))
    return found


def _features(document: Any) -> list[Any]:
    """The features of a collection, of a bare list of them, or the only one."""
    if isinstance(document, list):
        return document
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection" and isinstance(document.get("features"), list):
        return document["features"]
    if kind == "Feature":
        return [document]
    raise ValueError(
        "The file is no GeoJSON of objects: in QuPath, take File » Export objects as GeoJSON."
    )


def _polygons(geometry: Any) -> Iterator[Polygon]:
    """Those of a geometry; raises whatever a broken one leads to."""
    if geometry is None:
        return
    kind = geometry["type"]
    if kind == "GeometryCollection":
        for one in geometry["geometries"]:
            yield from _polygons(one)
    elif kind in ("Polygon", "MultiPolygon"):
        found = geometry["coordinates"]
        for rings in [found] if kind == "Polygon" else found:
            yield [_ring(ring) for ring in rings]
    elif kind not in ("Point", "MultiPoint", "LineString", "MultiLineString"):
        raise ValueError(kind)


def _ring(corners: Any) -> np.ndarray:
    """Rows before columns; a height that some programs add is left out."""
    return np.array([(corner[1], corner[0]) for corner in corners], float).reshape(-1, 2)
