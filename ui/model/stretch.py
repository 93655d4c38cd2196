"""A demonstration: what becomes of membranes when a smaller answer is stretched over the image."""

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui.model.start import MODEL
from ui.shared import cache, models, page, pictures, viewer
from ui.shared.choice import asked_for, choose, choose_set, set_names
from unet_core.data import datasets
from unet_core.imaging import images

if TYPE_CHECKING:  # it imports torch
    from unet_core.predict.stretch_demo import Answers

ABOUT = (
    "**A demonstration of a mistake: do not do this.** A network with valid convolutions answers "
    "for the middle of what it reads. One tutorial stretches that smaller answer to the size of "
    "the image. Then every object lies in the wrong place, the further from the centre the more, "
    "and has the wrong size. The right way mirrors the image at its border and reads it in "
    "overlapping tiles."
)


@st.fragment
def show() -> None:
    """Choice of a network with valid convolutions and of an image, and both answers."""
    st.warning(ABOUT, icon=":material/warning:")
    with page.guard():
        names = [one for one in models.names() if _has_valid_convolutions(one)]
        if not names:
            st.markdown(
                "**There is no network with valid convolutions yet.** The preset *isbi-valid* "
                "trains one."
            )
            page.link("train", label="Train a U-Net", icon=page.icon("train"))
            return
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            drawn = asked_for("net_from").removeprefix(MODEL)
            sets = [
                one
                for one in set_names(datasets.available(), "set")
                if datasets.info(one).labels == "instances"
                and datasets.info(one).splits != ("unlabelled",)
            ]
            first = models.default_for(asked_for("set"), models.trained_on(names))
            own = cache.model_config(drawn if drawn in names else first).train.images.data
            data = choose_set(sets, default=own, width=230)
            splits = [one for one in datasets.info(data).splits if one != "unlabelled"]
            split = choose("Split", splits, "split", default="val", width=110)
            samples = datasets.sample_names(data, split)
            sample = choose("Sample", samples, "sample", width=230, is_quiet=True)
            model = models.choose(data, names, key="stretched", prefer=drawn, width=250)
        _show_answers(model, datasets.load(data, split, sample))


def _has_valid_convolutions(model: str) -> bool:
    """Whether it is such a network; one that cannot be read is none, and stops no other."""
    with contextlib.suppress(ValueError, OSError):
        return cache.model_config(model).train.network.padding == "valid"
    return False


def _show_answers(model: str, sample: datasets.Sample) -> None:
    if not page.finding_device().done():
        st.fragment(page.wait_for_torch, run_every=0.5)()
        return
    sha256 = datasets.pixel_hash(sample.image_HW)
    with st.spinner("The network looks at the image twice …"):
        found = cache.stretched(sample.image_HW, sha256, model)
    viewer.show(
        panels(sample, found),
        sample.image_HW.shape,
        key="stretching",
        revision=f"{sha256} {model}",
        columns=4,
    )
    rows, columns = found.answered
    st.caption(
        f"Stretched: the answer for the middle {rows} × {columns} px, made as large as the image. "
        + viewer.HOW
    )


def panels(sample: datasets.Sample, found: "Answers") -> list[viewer.Panel]:
    """The image, its truth, and both answers with their mean IoU."""
    from unet_core.predict import stretch_demo

    whole, stretched = (
        f"mean IoU {stretch_demo.mean_iou(sample.truth_HW, one):.3f}"
        for one in (found.whole_HW, found.stretched_HW)
    )
    return [
        viewer.Panel((pictures.png(images.display(sample.image_HW)),), "Image", sample.name),
        viewer.Panel((_picture(np.greater(sample.truth_HW, 0)),), "Truth", "What it should be."),
        viewer.Panel((_picture(found.whole_HW),), "Mirrored border, tiles", f"Right: {whole}."),
        viewer.Panel(
            (_picture(found.stretched_HW),),
            "Stretched",
            f"Wrong: {stretched}.",
        ),
    ]


def _picture(values_HW: np.ndarray) -> bytes:
    return pictures.png(pictures.grey(values_HW))
