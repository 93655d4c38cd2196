"""What a trained network's blocks make of an image: their feature maps, side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui.model.start import MODEL
from ui.shared import cache, models, page, pictures, viewer
from ui.shared.choice import asked_for, choose, choose_set, set_names
from ui.shared.uploads import IMAGE_HELP, IMAGE_TYPES, STAYS, choose_plane
from unet_core.data import datasets
from unet_core.imaging import images
from unet_core.network import anatomy

if TYPE_CHECKING:  # it imports torch
    from unet_core.network.features import Features

COLUMNS = 6
PER_PAGE = 4 * COLUMNS - 1  # the image itself is the first picture
ORDERS = ("strongest first", "channel number")
ORDER_HELP = "Strongest first: by the mean of all pixels of a map, its mean activation."
WAYS = {"down": "way down", "up": "upsampling", "merge": "way up, with the skip"}


@dataclass(frozen=True)
class Shown:
    """The image that the network looks at."""

    pixels_HW: np.ndarray
    sha256: str
    name: str


@st.fragment
def show() -> None:
    """Choice of model, block and image, and the maps; only this runs again for another one."""
    with page.guard():
        names = models.names()
        if not names:
            models.say_how_to_get_one()
            return
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        with row:
            drawn = asked_for("net_from").removeprefix(MODEL)
            kind = st.segmented_control(
                "Image",
                ("Sample", "Upload"),
                default="Sample",
                required=True,
                key="input",
                bind="query-params",
            )
        with page.guard():
            own = cache.model_config(drawn).train.images.data if drawn in names else ""
            shown = _choose_sample(row, own) if kind == "Sample" else _choose_upload()
            if shown is not None:
                with row:
                    data = asked_for("set") if kind == "Sample" else ""
                    model = models.choose(data, names, prefer=drawn, width=250)
                _show_model(row, model, shown)


def _choose_sample(row: st.delta_generator.DeltaGenerator, own: str) -> Shown:
    with row:
        sets = set_names(datasets.available(), "set")
        name = choose_set(sets, default=own, width=230)
        splits = list(datasets.info(name).splits)
        split = choose("Split", splits, "split", default="val", width=110)
        names = datasets.sample_names(name, split)
        sample = choose("Sample", names, "sample", width=230, is_quiet=True)
    found = datasets.load(name, split, sample)
    return Shown(found.image_HW, datasets.pixel_hash(found.image_HW), sample)


def _choose_upload() -> Shown | None:
    file = st.file_uploader(
        "Your image: PNG, JPEG or TIFF", IMAGE_TYPES, key="map_file", help=IMAGE_HELP
    )
    st.caption(STAYS)
    if file is None:
        return None
    data = file.getvalue()
    image = cache.uploaded(data, images.sha256(data))
    several = len(images.channels(image)) > 1
    taken = images.take_plane(image, plane=choose_plane(image), channel="grey" if several else None)
    return Shown(taken.pixels, datasets.pixel_hash(taken.pixels), "upload")


def _show_model(row: st.delta_generator.DeltaGenerator, model: str, shown: Shown) -> None:
    config = cache.model_config(model)
    train = config.train
    blocks = anatomy.shown_blocks(len(train.network.widths))
    with row:
        # The words of the block, so that a link can be read; "level 1, way down" is down.0.
        words = {describe(block): block for block in blocks}
        block = words[choose("Block", list(words), "block", width=250)]
        order = choose("Order", list(ORDERS), "order", width=160, help=ORDER_HELP)
    if not page.finding_device().done():
        st.fragment(page.wait_for_torch, run_every=0.5)()
        return
    with st.spinner("The network looks at the image …"):
        found = cache.features(shown.pixels_HW, shown.sha256, model, block)
    network = train.network
    sees = anatomy.receptive_field(block, network.levels, network.padding, network.up)
    _describe_maps(found, sees)
    with row:
        chosen = _choose_page(pick(found, order))
    outputs = config.outputs if block == "head" else ()
    viewer.show(
        panels(found, chosen, outputs),
        found.pixels_HW.shape,
        key="feature_maps",
        revision=f"{shown.sha256} {model}",
        columns=COLUMNS,
    )
    st.caption(viewer.HOW + " The button in the corner fills the screen.")


def describe(block: str) -> str:
    """A block in words: "level 1, way down"."""
    kind, _, level = block.partition(".")
    if kind == "head":
        return "output"
    return f"level {int(level) + 1}, {WAYS[kind]}"


def _describe_maps(found: "Features", sees: int) -> None:
    count, rows, columns = found.maps_CHW.shape
    step = found.step
    silent = int(found.silent_C.sum())
    facts = [
        f"**{count} map{'s' * (count != 1)} of {rows} × {columns} pixels**",
        f"each pixel covers **{step} × {step}** pixels of the image and sees {sees} × {sees}",
        "every map from its smallest value (black) to its largest (white)",
    ]
    if silent:
        facts.append(f"{silent} silent: the same value everywhere")
    if found.is_middle:
        facts.append(f"only the middle {' × '.join(map(str, found.pixels_HW.shape))} of the image")
    st.markdown(" · ".join(facts))


def pick(found: "Features", order: str) -> np.ndarray:
    """The numbers of the maps in the order of showing."""
    if order == ORDERS[0]:
        return np.argsort(-found.mean_C, kind="stable")
    return np.arange(len(found.maps_CHW))


def _choose_page(order_C: np.ndarray) -> np.ndarray:
    """Those maps that fit onto the screen at once."""
    count = -(-len(order_C) // PER_PAGE)
    if count < 2:
        return order_C
    pages = [
        f"{first + 1} to {min(first + PER_PAGE, len(order_C))}"
        for first in range(0, len(order_C), PER_PAGE)
    ]
    at = pages.index(choose("Maps", pages, "maps", width=160))
    return order_C[at * PER_PAGE : (at + 1) * PER_PAGE]


def panels(
    found: "Features", chosen_N: np.ndarray, outputs: tuple[str, ...] = ()
) -> list[viewer.Panel]:
    """The image and the chosen maps, each with its number (from 0) and its mean activation."""
    image = pictures.png(images.display(found.pixels_HW))
    drawn = [viewer.Panel((image,), "image", "what the network sees")]
    for number in chosen_N.tolist():
        map_HW = found.maps_CHW[number]
        low, high = float(map_HW.min()), float(map_HW.max())
        title = outputs[number] if outputs else f"map {number}"
        words = "silent" if found.silent_C[number] else f"mean {found.mean_C[number]:.2g}"
        png = pictures.png(pictures.grey(map_HW, low, high))
        drawn.append(viewer.Panel((png,), title, words))
    return drawn
