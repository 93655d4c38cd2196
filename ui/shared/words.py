"""Numbers, amounts and times as people read them, and text that somebody else has written."""

import contextlib
import math
import re

import pandas as pd

from unet_core.data import datasets

# What Markdown reads; a round bracket means nothing without a square one, nor _ inside a word.
_MARKS = re.compile(r"[\\`*\[\]<>$~#&|!]|(?<![^\W_])_|_(?![^\W_])")
# What Streamlit reads as a link, an icon, a colour, an arrow or a list, even behind a backslash.
_SIGNS = re.compile(r"(?:[:@]|\bwww)(?=\S)|(?<!\S)[-<>~](?=[-=>])|^(?=[-+]|\d+[.)])", re.I)
_JOINER = "\u2060"  # of no width: it parts the sign
# The folders of a path from the root, which is neither a fraction nor a link.
_FOLDERS = re.compile(r"(?<![\w./:\\])(?:/|[A-Za-z]:[/\\]|\\\\)(?:[^/\\\s'\"]+[/\\])+")


def number(value: float | None, form: str = "{:.3f}") -> str:
    """A number in a format, a score's at first, and a dash where there is none."""
    return "–" if value is None or pd.isna(value) else form.format(value)


def many(count: int, word: str) -> str:
    """An amount and its word: "1 image", "1,067 images", "2 misses"."""
    return f"{count:,} {word}" + ("" if count == 1 else "es" if word.endswith("s") else "s")


def large_count(count: float) -> str:
    """A count as people say it: 31.0 million."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= 0.9995 * size:
            return f"{count / size:#.3g}".rstrip(".") + f" {word}"
    return f"{count:,.0f}"


def duration(seconds: float | None) -> str:
    """A time as people say it: `48 s`, `3 min 20 s`, `2 h 05 min`; a dash where there is none."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def plain(text: str) -> str:
    """Text from a link, a file or an error, as Markdown that shows just these characters.

    Whoever sends a link writes nothing into a page: no link, icon, colour, formula or picture.
    Folders are hidden as by `hide_folders`, and lines become one.
    """
    text = " ".join(hide_folders(text).split())
    return _MARKS.sub(r"\\\g<0>", _SIGNS.sub(rf"\g<0>{_JOINER}", text))


def hide_folders(text: str) -> str:
    """Text in which `/home/me/runs/x` is `…/x`: pages do not tell where the server keeps things."""
    return _FOLDERS.sub("…/", text)


def span(low: float, high: float) -> str:
    """A range of times, rounded outwards: `40 to 90 s`, `1 to 3 min`, `up to 2 h`."""
    size, unit = (3600, "h") if high >= 5400 else (60, "min") if high >= 90 else (1, "s")
    step = 5 if high / size >= 20 else 0.5 if unit == "h" and high / size < 5 else 1
    first, last = math.floor(low / size / step) * step, math.ceil(high / size / step) * step
    return f"{first:g} to {last:g} {unit}" if first else f"up to {last:g} {unit}"


def sample_title(name: str, number: int) -> str:
    """What a sample is called: `image 3` where its name is nothing but a hash."""
    return f"image {number}" if re.fullmatch(r"[0-9a-f]{16,}", name) else name


def set_title(name: str) -> str:
    """What a data set is called in text and lists; its bare name when it is not known here."""
    with contextlib.suppress(ValueError):
        return datasets.info(name).title
    return name
