"""What came out of many images: numbers, downloads, and each image with its outlines."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
import tifffile

from ui.shared import cache, pictures, words
from unet_core.imaging import images
from unet_core.predict.results import DONE, FAILED, Plan, Results, Row
from unet_core.runs.batches import Batch

PER_PAGE, COLUMNS = 24, 6
SIDE = 240  # pixels of a thumbnail
ORDERS = {
    "most doubt": ("doubt", False),
    "most objects": ("objects", False),
    "fewest objects": ("objects", True),
    "file": ("file", True),
}
_ORDER = "_many-order"
DOUBT = (
    "How unsure the network is of the objects that it found: 1 minus the mean probability of their "
    "pixels, averaged over the objects. 0 is certain."
)
# Over a small picture they would hide what stands above it; "Open" shows it large.
NO_TOOLBARS = "<style>.st-key-gallery [data-testid=stElementToolbar] { display: none; }</style>"


def show(batch: Batch) -> None:
    """The numbers of all, the files that failed, and a page of images in the chosen order."""
    found = batch.results
    table = found.images()
    done, failed = table[table["state"] == DONE], table[table["state"] == FAILED]
    with st.container(horizontal=True, vertical_alignment="bottom", key="numbers-many"):
        st.metric("Images", f"{len(done):,}", width="content")
        st.metric("Objects", f"{int(done['objects'].sum()):,}", width="content")
        st.metric(
            "Mean doubt", words.number(done["doubt"].mean(), "{:.2f}"), help=DOUBT, width="content"
        )
        _offer_downloads(batch, found)
    if len(failed):
        with st.expander(
            f"{words.many(len(failed), 'file')} could not be done", icon=":material/error:"
        ):
            why = failed["error"].map(words.hide_folders)
            st.dataframe(pd.DataFrame({"File": failed["file"], "Why": why}), hide_index=True)
    if len(done):
        _show_images(batch, done)


def _offer_downloads(batch: Batch, found: Results) -> None:
    stem = f"{batch.id}-{batch.recipe.digest()[:8]}"
    st.download_button(
        "Results as zip",
        data=found.pack,
        # Its own name for each content: a browser must not take one for the other.
        file_name=f"{stem}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
        key="many_zip",
        help="Labels, both tables and the recipe.",
    )
    for name in ("objects", "images"):
        st.download_button(
            f"{name}.csv",
            data=(found.path / f"{name}.csv").read_bytes,
            file_name=f"{stem}-{name}.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/table:",
            key=f"many_{name}",
        )


def _show_images(batch: Batch, done: pd.DataFrame) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        order = st.segmented_control(
            "Order",
            list(ORDERS),
            default=next(iter(ORDERS)),
            required=True,
            key="many_order",
            help=DOUBT,
        )
        n_pages = -(-len(done) // PER_PAGE)
        if st.session_state.get("many_page", 1) > n_pages:
            st.session_state["many_page"] = n_pages
        number = st.pagination(n_pages, key="many_page") if n_pages > 1 else 1
    st.session_state[_ORDER] = order  # for the way from one opened image to the next
    done = _sort(done, str(order))
    rows = done.iloc[(number - 1) * PER_PAGE : number * PER_PAGE].to_dict("records")
    plan = batch.results.plan()
    st.html(NO_TOOLBARS)
    with st.container(key="gallery"):
        for start in range(0, len(rows), COLUMNS):
            places = st.columns(COLUMNS, gap="small")
            for place, row in zip(places, rows[start : start + COLUMNS], strict=False):
                with place:
                    _show_image(batch, plan, row)


def _sort(done: pd.DataFrame, order: str) -> pd.DataFrame:
    column, rising = ORDERS[order]
    by, ascending = [column, "file", "plane"], [rising, True, True]
    return done.sort_values(by, ascending=ascending, ignore_index=True)


def names(batch: Batch) -> list[str]:
    """The finished images in the order in which they were looked at, as the address names them."""
    table = batch.results.images()
    order = st.session_state.get(_ORDER, next(iter(ORDERS)))
    done = _sort(table[table["state"] == DONE], order)
    return [f"{file}:{plane}" for file, plane in zip(done["file"], done["plane"], strict=True)]


def _show_image(batch: Batch, plan: Plan, row: Row) -> None:
    key = f"{row['file']}:{row['plane']}"
    plane = f", plane {row['plane']}" if row["planes"] > 1 else ""
    title = words.sample_title(Path(row["file"]).stem, 0).replace("image 0", row["file"][:12] + "…")
    st.image(thumbnail(batch, plan, row), width="stretch")
    st.caption(
        f"**{words.plain(title)}{plane}**  \n{words.many(int(row['objects']), 'object')}, "
        f"doubt {words.number(row['doubt'], '{:.2f}')}"
    )
    st.button(
        "Open",
        key=f"open-{key}",
        type="tertiary",
        on_click=st.query_params.update,
        args=({"open": key},),
    )


def thumbnail(batch: Batch, plan: Plan, row: Row) -> bytes:
    """An image small, with the outlines of its objects; on black where its file is gone."""
    path = batch.results.path / row["labels"]
    about = path.stat()

    def draw() -> bytes:
        labels_HW = tifffile.imread(path).astype(np.int32)
        try:
            pixels_HW = read_picture(plan, row)[0].pixels
        except ValueError:
            pixels_HW = np.zeros(labels_HW.shape, np.uint8)
        if pixels_HW.shape != labels_HW.shape:  # another picture has taken the file's place
            pixels_HW = np.zeros(labels_HW.shape, np.uint8)
        return pictures.thumbnail(pixels_HW, labels_HW, side=SIDE)

    key = ("many", str(path), about.st_mtime_ns, about.st_ino)
    return cache.shelf("thumbnails").get(key, draw)


def read_picture(plan: Plan, row: Row) -> tuple[images.Image, bytes]:
    """An image of a batch, and the bytes of its file. Raises ValueError as `images.read_image`."""
    path = Path(plan.root) / row["file"]
    data = images.read_bytes(path)
    image = cache.shelf("uploads").get(
        ("many", str(path), os.stat(path).st_mtime_ns, len(data)), lambda: images.read_image(data)
    )
    taken = images.take_plane(
        image,
        plane=int(row["plane"]),
        channel=plan.recipe.channel,  # type: ignore[arg-type]  # the recipe has checked it
    )
    return taken, data
