"""How large a pixel is, as far as a TIFF says: OME metadata, ImageJ's unit, resolution tags."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

# Micrometres in one unit, under the names that OME and ImageJ use ("\\u00B5m" is how ImageJ writes
# the micro sign).
_UM = {
    **dict.fromkeys(["µm", "μm", "um", "micron", "microns", "micrometer", r"\u00b5m"], 1.0),
    **{"pm": 1e-6, "å": 1e-4, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6},
    **dict.fromkeys(["inch", "inches", "in"], 25_400.0),
}
# A fifth of an atom, and a decimetre; beyond, the resolution tags that we write run out, too.
SMALLEST_UM, LARGEST_UM = 1e-5, 1e5
_TAG_UNITS = {2: "inch", 3: "cm"}
# Resolutions of screens and printers, which programs write without knowing any.
_PRINT_DPI = (72, 96, 100, 120, 144, 150, 180, 200, 240, 300, 350, 360, 400, 600, 720, 1200, 2400)


def pixel_size_um(tiff: Any) -> tuple[float | None, tuple[str, ...]]:
    """Edge of a square pixel in micrometres of an open tifffile.TiffFile, and what to know.

    None when the file does not say, says it in print resolution (300 dpi is a habit of programs,
    not a calibration), and with a note when rows and columns differ by more than 1 % or when what
    the file says is no number.
    """
    try:
        sizes = _from_ome(tiff) or _from_tags(tiff)
    except (TypeError, ValueError):  # such as "0,5": the picture is good all the same
        return None, ("The pixel size in the file is no number: lengths stay in pixels.",)
    if sizes is None:
        return None, ()
    x, y = sizes
    if abs(x - y) > 0.01 * max(x, y):
        return None, (f"The pixels are not square ({x:.4g} x {y:.4g} µm): lengths stay in pixels.",)
    return x, ()


def _from_ome(tiff: Any) -> tuple[float, float] | None:
    text = tiff.pages[0].description
    if not text.rstrip().endswith("OME>"):
        return None
    try:
        pixels = ElementTree.fromstring(text.encode()).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    if pixels is None:
        return None
    sizes = []
    for side in "XY":
        value = pixels.get(f"PhysicalSize{side}", "")
        um = _UM.get(pixels.get(f"PhysicalSize{side}Unit", "µm").lower())
        sizes.append(_believable(float(value) * um) if value and um else None)
    return _pair(sizes)


def _from_tags(tiff: Any) -> tuple[float, float] | None:
    tags = tiff.pages[0].tags
    unit = _TAG_UNITS.get(int(tags.valueof(296, 2)))
    if tiff.is_imagej:
        unit = str((tiff.imagej_metadata or {}).get("unit", "")).strip().lower()
    um = _UM.get(unit or "")
    if um is None:
        return None
    sizes = []
    for code in (282, 283):
        pixels, units = tags.valueof(code, (0, 1))
        sizes.append(_believable(units * um / pixels) if pixels else None)
    pair = _pair(sizes)
    if pair and unit in ("inch", "cm"):
        dpi = _UM["inch"] / pair[0]
        if dpi < _PRINT_DPI[0] or min(abs(dpi - usual) for usual in _PRINT_DPI) < 0.1:
            return None
    return pair


def _pair(sizes: list[float | None]) -> tuple[float, float] | None:
    """Both sizes; one that is missing is taken for the other."""
    x, y = sizes
    if x is None and y is None:
        return None
    return (x or y or 0.0), (y or x or 0.0)


def _believable(size: float) -> float | None:
    return size if SMALLEST_UM <= size <= LARGEST_UM else None
