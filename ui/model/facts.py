"""What the chosen network amounts to: its numbers, its layers, the sizes that fit, its costs.

What needs torch is made away from the page, and nobody waits for it.
"""

import functools
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
import streamlit as st

from ui.shared import html, page, takeover, words
from unet_core.base import device
from unet_core.network import anatomy
from unet_core.network.anatomy import Block, Design

if TYPE_CHECKING:  # they import torch
    from unet_core.network.costs import Costs
    from unet_core.network.model import Layer

T = TypeVar("T")


WORK_HELP = (
    "Multiplications and additions for one image of this size, forward only. A training step is "
    "about three times as much."
)
SEES_HELP = (
    "The receptive field: the side of the square of image pixels that can change one pixel of the "
    "output, at most; it depends a little on where that pixel lies in the grid of the lower "
    "levels. An object that is larger is never seen as a whole."
)
TIME_HELP = (
    "Measured just now with two steps of this network on a small image, and scaled by the "
    "multiply-adds. While something else computes here, it seems longer."
)
KINDS = {
    "Conv2d": "convolution",
    "ConvTranspose2d": "up-convolution",
    "Upsample": "bilinear upsampling",
    "BatchNorm2d": "batch normalisation",
    "GroupNorm": "group normalisation",
    "ReLU": "ReLU",
}
PARTS = {"down": "way down", "up": "upsampling", "rectify": "upsampling", "merge": "way up"}

_worker = ThreadPoolExecutor(1, thread_name_prefix="model-facts")


def show_numbers(design: Design, blocks: tuple[Block, ...]) -> None:
    """Parameters, work, reach and output size in one line."""
    html.shrink_numbers()
    layers = _finding_layers(design)
    head = blocks[-1]
    with st.container(horizontal=True, gap="large", key="numbers"):
        st.metric("Output", f"{head.shape_CHW[1]} × {head.shape_CHW[2]} px", width="content")
        st.metric("One pixel sees", f"{head.sees} px", help=SEES_HELP, width="content")
        _when_done(layers, _show_totals, st.caption, "Counting the weights …")


@page.guard()
def _show_totals(found: "Future[list[Layer]]") -> None:
    layers = found.result()
    parameters = sum(layer.parameters for layer in layers)
    work = sum(layer.multiply_adds for layer in layers)
    st.metric("Parameters", words.large_count(parameters), help=f"{parameters:,}", width="content")
    st.metric("Multiply-adds", words.large_count(work), help=WORK_HELP, width="content")


def _when_done(
    found: "Future[T]",
    show: Callable[["Future[T]"], None],
    wait: Callable[[str], object],
    words: str,
) -> None:
    """Show a result, or say that it is being made and show the page again when it is there."""
    if found.done():
        show(found)
        return

    def look() -> None:
        if found.done():
            st.rerun()
        wait(f":material/timer: {words}")

    st.fragment(look, run_every=0.5)()


@functools.lru_cache(maxsize=64)
def _finding_layers(design: Design) -> "Future[list[Layer]]":
    return _worker.submit(_find_layers, design)


def _find_layers(design: Design) -> "list[Layer]":
    from unet_core.network import features  # imports torch

    return features.layers(design)


def show_takeover(design: Design) -> None:
    """The button that takes the network to the Train page."""
    changes = {
        name: design.get(name) for name in ("widths", "norm", "padding", "skip", "up", "up_relu")
    }
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Use this network for training",
            icon=page.icon("train"),
            key="net_use",
            help="Hands over how the network is built. Images are grey there, and what is to be "
            "learned decides how many maps come out.",
        ):
            takeover.offer(changes, source="the Model page")
            st.session_state["net_used"] = changes
        if st.session_state.get("net_used") == changes:
            page.link("train", label="Taken over: go on to Train", icon=page.icon("train"))


def show_layers(design: Design) -> None:
    """The table of all layers."""
    _when_done(_finding_layers(design), _show_table, st.caption, "Making the table …")


@page.guard()
def _show_table(found: "Future[list[Layer]]") -> None:
    layers = found.result()
    total = sum(layer.parameters for layer in layers)
    table = pd.DataFrame(
        {
            "Name": [layer.name for layer in layers],
            "Part": [describe_part(layer.name) for layer in layers],
            "Layer": [KINDS[layer.kind] for layer in layers],
            "Output": [" × ".join(map(str, layer.output_CHW)) for layer in layers],
            "Parameters": [layer.parameters for layer in layers],
            "Share": [layer.parameters / total for layer in layers],
            "Multiply-adds": [layer.multiply_adds for layer in layers],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        height=430,
        column_config={
            "Name": st.column_config.TextColumn(help="The name in the checkpoint."),
            "Output": st.column_config.TextColumn(help="channels × rows × columns"),
            "Parameters": st.column_config.NumberColumn(format="localized"),
            "Share": st.column_config.ProgressColumn(
                help="Of all parameters.", format="percent", max_value=1.0
            ),
            "Multiply-adds": st.column_config.NumberColumn(format="compact"),
        },
    )
    work = sum(layer.multiply_adds for layer in layers)
    st.caption(
        f"{len(layers)} layers, {total:,} parameters, {work:,} multiply-adds. Most weights lie "
        "where the maps are small and many; most work is done where they are large."
    )


def describe_part(name: str) -> str:
    """Where in the picture a layer stands."""
    kind, _, rest = name.partition(".")
    if kind == "head":
        return "output"
    return f"level {int(rest.split('.')[0]) + 1}, {PARTS[kind]}"


def show_sizes(design: Design) -> None:
    """From input to output and back, and the sizes that fit."""
    levels, padding = design.levels, design.padding
    st.markdown(_about_sizes(design))
    left, right, table = st.columns([1, 1, 1.3], gap="large")
    with left, page.guard():
        side = st.number_input("An image has a side of (px)", value=design.width, key="net_have")
        if reason := anatomy.explain_side(side, levels, padding):
            st.error(f"The side {reason}.", icon=":material/info:")
        else:
            output = anatomy.output_side(side, levels, padding)
            st.metric("Its output has", f"{output} px")
    with right, page.guard():
        wanted = st.number_input("I want an output of at least (px)", value=388, key="net_want")
        if not 1 <= wanted <= anatomy.MOST_SIDE:
            raise ValueError(f"An output has 1 to {anatomy.MOST_SIDE} pixels a side, not {wanted}.")
        needed = anatomy.smallest_input(wanted, levels, padding)
        output = anatomy.output_side(needed, levels, padding)
        st.metric("The smallest image is", f"{needed} px")
        st.caption(f"It gives {output} px." if output != wanted else "It gives exactly that.")
    with table:
        near = anatomy.sides_near(min(side, anatomy.MOST_SIDE), levels, padding)
        st.markdown(f"**Sizes that fit near {side} px**")
        st.dataframe(pd.DataFrame(near, columns=["Image (px)", "Output (px)"]), hide_index=True)


def _about_sizes(design: Design) -> str:
    if design.levels == 1 and design.padding == "same":
        return "Without pooling, every size fits, and none changes."
    if design.padding == "same":
        return (
            f"Each of the {design.levels - 1} poolings halves the sides, so they must be multiples "
            f"of **{design.step}**. Training and Segment take any size all the same: they add "
            "mirrored pixels and cut them off again. Very large images are cut into tiles that "
            f"overlap by {anatomy.overlap(design.levels, design.up)} px: a pixel sees at most "
            f"{anatomy.reach(design.levels, design.up)} px to either side, so no tile shows its "
            "edge"
            + (", but GroupNorm adapts to each tile on its own." if design.norm == "group" else ".")
        )
    least = anatomy.smallest_input(1, design.levels, "valid")
    lost = least - (anatomy.output_side(least, design.levels, "valid") or 0)
    return (
        f"Valid convolutions take **{lost} pixels** from each side length, and what is left before "
        f"each pooling must be even: from {least} px on, every {design.step}th size fits. Training "
        "and Segment take any image all the same: they mirror it at its border, so that the output "
        "is as large as the image."
    )


def show_costs(design: Design) -> None:
    """Time and memory on this computer, measured."""
    with page.guard():
        batch = st.number_input(
            "Images in a training batch", 1, 1024, 8, key="net_batch", width=220
        )
        if not page.finding_device().done():
            _when_done(page.finding_device(), lambda _: None, st.caption, "Looking for a GPU …")
            return
        found = _measuring(design, batch, int(time.monotonic() // 60))
        _when_done(found, functools.partial(_show_costs, batch), st.caption, "Trying it out …")


def briefly(seconds: float) -> str:
    """A measured time with two digits, for it is an estimate: 35 ms, 1.2 s, 3 min."""
    if seconds < 0.9995:
        return f"{float(f'{1000 * seconds:.2g}'):g} ms"
    return f"{float(f'{seconds:.2g}'):g} s" if seconds < 100 else f"{seconds / 60:.2g} min"


@functools.lru_cache(maxsize=32)
def _measuring(design: Design, batch: int, minute: int) -> "Future[tuple[device.Device, Costs]]":
    return _worker.submit(_measure, design, batch)


def _measure(design: Design, batch: int) -> "tuple[device.Device, Costs]":
    from unet_core.network import costs  # imports torch

    chosen = device.choose()
    return chosen, costs.measure(design, device=chosen, batch_size=batch)


@page.guard()
def _show_costs(batch: int, found: "Future[tuple[device.Device, Costs]]") -> None:
    chosen, costs = found.result()
    with st.container(horizontal=True, gap="large"):
        step = briefly(batch * costs.train_seconds)
        st.metric(f"A training step, batch of {batch}", step, help=TIME_HELP, width="content")
        memory = f"{costs.train_bytes / 1e9:.2g} GB"
        st.metric("Memory in training", memory, width="content")
        one = briefly(costs.predict_seconds)
        st.metric("One image segmented", one, help=TIME_HELP, width="content")
        st.metric("Memory for that", f"{costs.predict_bytes / 1e9:.2g} GB", width="content")
    st.caption(
        f"On {chosen.title}, without the 0.5 GB that Python and PyTorch take. Training keeps every "
        "layer's output for the way back, so its memory grows with the batch and the image size; "
        "the weights alone are a small part of it."
    )
