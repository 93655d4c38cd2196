"""The list of errors on the pages Evaluate and Segment: filters, pictures, and what mending pays.

Documents are those of `unet_core.scoring.errors.Tally`.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st

from ui.shared import html, pictures, words

PER_PAGE = 12
ROW_HEIGHT = 116  # pixels, of a picture
# Areas in px² between which one can choose; beyond the last there is no limit.
AREAS = (0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
NO_LIMIT = "no limit"

Row = dict[str, Any]
Picture = Callable[[Row], bytes | None]

ABOUT = {
    "miss": "A true object that nothing was found for.",
    "false alarm": "A found object where no true one is.",
    "merge": "Several true objects that were found as one, or as too few.",
    "split": "A true object that was found in pieces.",
    "bad outline": "Found, but the outline is too far off to be a hit.",
}
HELP = (
    "Objects belong together when more than half of one lies in the other. Each object has part in "
    "one error at the most, so missed and false objects add up to the misses and false alarms of "
    "F1: of a merge, one true object may be a hit and the others missed."
)


def show_kinds(document: dict[str, Any]) -> None:
    """How many errors of each kind there are, and F1 without them."""
    frame = pd.DataFrame(
        [
            {
                "Kind": row["kind"].capitalize(),
                "What it is": ABOUT[row["kind"]],
                "Number": row["errors"],
                "Missed": row["n_missed"],
                "False": row["n_false"],
                "F1 if mended": row["f1_if_mended"],
            }
            for row in document["kinds"]
        ]
    )
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            "Missed": st.column_config.Column(help=f"True objects that are no hits. {HELP}"),
            "False": st.column_config.Column(help=f"Found objects that are no hits. {HELP}"),
            "F1 if mended": st.column_config.NumberColumn(
                format="%.3f",
                help="Pooled F1 if no error of this kind had been made: its missed objects are "
                "hits, its false ones are not there, and all else stays as it is.",
            ),
        },
    )
    if sentence := advice(document):
        st.markdown(sentence)


def advice(document: dict[str, Any]) -> str:
    """The kind that pays most, in a sentence; empty where there is no error."""
    known = [row for row in document["kinds"] if row["errors"]]
    if not known:
        return ""
    best = max(known, key=lambda row: row["f1_if_mended"])
    number = "the one" if best["errors"] == 1 else f"all {best['errors']:,}"
    return (
        f"Mending {number} of the kind *{best['kind']}* would give F1 "
        f"**{best['f1_if_mended']:.3f}**, more than any other kind."
        if len(known) > 1
        else f"Mending {number} of the kind *{best['kind']}* would give F1 1, for there is no "
        "other error."
    )


def size(row: Row) -> int:
    """The area that an error is filtered by: of its true objects, else of what was found."""
    return row["true_area"] or row["pred_area"]


def choose(rows: Sequence[Row], key: str) -> list[Row]:
    """The rows of the kinds and sizes that a person chooses."""
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in ABOUT}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kinds = st.pills(
            "Kinds",
            [kind for kind, count in counts.items() if count],
            selection_mode="multi",
            format_func=lambda kind: f"{kind} ({counts[kind]:,})",
            key=f"{key}-kinds",
            help="None chosen: all kinds.",
        )
        low, high = st.select_slider(
            "Area (px²)",
            [*AREAS, NO_LIMIT],
            value=(AREAS[0], NO_LIMIT),
            format_func=lambda area: f"{area:,}" if isinstance(area, int) else area,
            key=f"{key}-area",
            width=320,
            help="Of the true objects; of a false alarm, of what was found.",
        )
    least, most = (float("inf") if one == NO_LIMIT else int(str(one)) for one in (low, high))
    return [
        row for row in rows if (not kinds or row["kind"] in kinds) and least <= size(row) <= most
    ]


def show_list(
    rows: Sequence[Row],
    *,
    key: str,
    picture: Picture,
    action: str,
    titles: Callable[[str], str] | None = None,
    height: int | Literal["content"] = "content",
) -> Row | None:
    """A page of errors as a table; gives the row whose button `action` was pressed just now.

    `picture` is called for the rows of the page alone. `titles` says what an image is called; None
    for a page that shows one image. Without `action` there is no button.
    """
    if not rows:
        st.info("No error is of these kinds and sizes.", icon=":material/filter_alt:")
        return None
    n_pages = -(-len(rows) // PER_PAGE)
    if st.session_state.get(f"{key}-page", 1) > n_pages:
        st.session_state[f"{key}-page"] = n_pages
    number = 1
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if n_pages > 1:
            number = st.pagination(n_pages, key=f"{key}-page", max_visible_pages=5)
        st.html(LEGEND, width="content")
    shown = list(rows[(number - 1) * PER_PAGE : number * PER_PAGE])
    st.dataframe(
        _frame(shown, picture, titles, action),
        # Rows are chosen by their place: with other rows, another table.
        key=f"{key}-{hashlib.sha256(repr(shown).encode()).hexdigest()[:12]}",
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=height,
        placeholder="–",
        column_config=_columns(key, shown),
    )
    if n_pages > 1:
        first = (number - 1) * PER_PAGE
        st.caption(f"{first + 1} to {first + len(shown)} of {words.many(len(rows), 'error')}")
    return st.session_state.pop(f"_{key}-pressed", None)


LEGEND = html.legend(
    (html.Mark(pictures.TRUE, "true outline", "hollow"),
     html.Mark(pictures.FOUND, "found outline", "hollow"))
)  # fmt: skip


def _frame(
    rows: Sequence[Row], picture: Picture, titles: Callable[[str], str] | None, action: str
) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                **({"Open": action} if action else {}),
                "Place": _source(picture(row)),
                "Kind": row["kind"],
                "Area": size(row),
                "Missed": row["n_missed"],
                "False": row["n_false"],
                "IoU": row["iou"],
                **({"Image": titles(row["image"])} if titles else {}),
            }
            for row in rows
        ]
    )


def _columns(key: str, rows: Sequence[Row]) -> dict[str, Any]:
    config = st.column_config
    return {
        "Open": config.ButtonColumn(
            "", type="tertiary", width="small", key=f"{key}-open", on_click=_press,
            args=(key, rows),
        ),
        "Place": config.ImageColumn(width=ROW_HEIGHT + 16, help="Press it to see it larger."),
        "Area": config.NumberColumn("Area (px²)", format="localized"),
        "Missed": config.NumberColumn(help=f"True objects that are no hits. {HELP}"),
        "False": config.NumberColumn(help=f"Found objects that are no hits. {HELP}"),
        "IoU": config.NumberColumn(
            format="%.2f", help="The largest that one of these objects reaches."
        ),
        "Image": config.TextColumn(width="medium"),
    }  # fmt: skip


def _press(key: str, rows: Sequence[Row]) -> None:
    st.session_state[f"_{key}-pressed"] = rows[st.session_state[f"{key}-open"]["row"]]


def _source(png: bytes | None) -> str | None:
    return None if png is None else "data:image/png;base64," + base64.b64encode(png).decode()
