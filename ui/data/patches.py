"""Where patches are cut from the images of a generated set, what they show, and all of them."""

from dataclasses import fields

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.data import sample
from ui.shared import forms, page, pictures, viewer
from ui.shared.words import plain
from unet_core.data import datasets, patch_set, patches
from unet_core.data.catalogue import DataSet
from unet_core.data.patches import FLIPS, Patches
from unet_core.imaging import overlay

SHOWN = 8  # patches in pictures; with mirrored ones, two and their copies
ABOUT = (
    "A network can also learn from small squares of each image, called patches. They are cut at "
    "random places, which stay the same for a whole training."
)
EMPTY = (
    "This image holds no shape, so no patch that must contain one can be cut from it. "
    "Other images still give theirs."
)


def show(own: DataSet, split: str, scheme: str, names: list[str]) -> None:
    """Settings of the cutting, one image with the places, the patches, and the download."""
    st.subheader("Patches", anchor=False)
    left, right = st.columns([5, 12], gap="medium")
    with left:
        st.caption(ABOUT)
        entry = _choose()
    if entry.config is None:
        return
    is_possible = False
    with right, page.guard():
        number = _choose_image(names)
        _show_image(own, datasets.load(own.name, split, names[number]), number, entry.config)
        is_possible = True
    if not is_possible:
        return
    with left, page.guard():
        _offer(own, entry.config)
        _show_download(own, split, scheme, entry.config)


def _choose() -> forms.Entry[Patches]:
    base = Patches()
    entered: dict[str, str] = {}
    places: dict[str, DeltaGenerator] = {}
    numbers = iter(st.columns(3))
    for about in fields(base):
        name, value = about.name, getattr(base, about.name)
        with st.container() if isinstance(value, bool) else next(numbers):
            chosen = forms.draw(
                Patches, name, value, key=f"patch_{name}", is_live=True, bind="query-params"
            )
            entered[name] = forms.as_text(chosen)
            places[name] = st.empty()
    entry = forms.check(base, entered)
    for name, reason in entry.reasons.items():
        places[name].caption(f":red[{reason}]")
    return entry


def _choose_image(names: list[str]) -> int:
    return names.index(st.selectbox("Cut from", names, key="patch_image", width=260))


def _show_image(own: DataSet, found: datasets.Sample, number: int, cut: Patches) -> None:
    """The image with the places, and beside it the first patches above their masks."""
    shape = found.image_HW.shape
    places = patches.places(found.truth_HW, number, cut)
    if not places:
        st.info(EMPTY, icon=":material/info:")
        return
    frames = pictures.layer(
        pictures.fit(patches.mark(shape, places, cut.side)),
        overlay.shades(overlay.OBJECTS, opacity=1.0),
    )
    where, what = st.columns([1, 3] if shape[0] >= shape[1] else [1, 2], gap="small")
    with where:
        viewer.show(
            [viewer.Panel((_grey(found.image_HW), frames))],
            shape,
            key="patch_places",
            revision=f"{shape}",
        )
        st.caption(f"{len(places)} places in {plain(found.name)}")
    with what:
        pairs = patch_set.cut_pairs(found, number, cut)
        shown = [pair for pair, _ in zip(pairs, range(SHOWN), strict=False)]
        titles = _titles(len(shown), has_flips=cut.flips)
        masks = [
            sample.draw_target(pair.mask_HW, "classes", "thick", own.classes).png for pair in shown
        ]
        panels = [
            viewer.Panel((_grey(pair.image_HW),), title)
            for title, pair in zip(titles, shown, strict=True)
        ]
        columns = min(4, len(panels))
        rows = [
            panel
            for start in range(0, len(panels), columns)
            for panel in (
                *panels[start : start + columns],
                *(viewer.Panel((mask,), "mask") for mask in masks[start : start + columns]),
            )
        ]
        viewer.show(
            rows,
            (cut.side, cut.side),
            key="patch_pieces",
            revision=f"{cut.side}",
            columns=columns,
        )


def _titles(count: int, *, has_flips: bool) -> list[str]:
    if not has_flips:
        return [f"Patch {index + 1}" for index in range(count)]
    hows = list(FLIPS)
    return [f"{index // len(hows) + 1}, {hows[index % len(hows)]}" for index in range(count)]


def _grey(image_HW: np.ndarray) -> bytes:
    """The greys themselves: a stretched contrast would hide what the generator's settings do."""
    return pictures.png(pictures.fit(image_HW))


def _offer(own: DataSet, cut: Patches) -> None:
    if st.button(
        "Train on these patches",
        icon=page.icon("train"),
        key="patch_train",
        help="Puts this set and these patches into the form for a new run.",
    ):
        from ui.shared import takeover

        changes = {
            "crops": "patches",
            "patches": cut.count,
            "crop_size": cut.side,
            "patches_on_objects": cut.must_contain,
            "patch_flips": cut.flips,
            "seed": cut.seed,
        }
        takeover.offer(changes, source="the patches", data=own.name)
        st.session_state["patch_taken"] = own.name, cut
    if st.session_state.get("patch_taken") == (own.name, cut):
        page.link("train", label="Taken over: go on to Train", icon=page.icon("train"))


def _show_download(own: DataSet, split: str, scheme: str, cut: Patches) -> None:
    """Images and masks in one zip, as a set of one's own looks."""
    what = st.segmented_control(
        "Download", ("patches", "whole images"), default="patches", required=True, key="patch_what"
    )
    chosen = cut if what == "patches" else None
    count = patch_set.check(own.name, split, scheme=scheme, cut=chosen)
    st.download_button(
        f"Download {count} {what} of {split}",
        data=lambda: patch_set.pack(own.name, split, scheme=scheme, cut=chosen).content,
        file_name=patch_set.file_name(own.name, split, scheme=scheme, cut=chosen),
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
    )
    st.caption(
        "A zip with `images/`, `masks/` and the settings. Masks hold the numbers "
        + ", ".join(f"{number} {word}" for number, word in enumerate(own.classes))
        + ", so they look black."
    )
    st.code(
        patch_set.command(own.name, split, scheme=scheme, cut=chosen),
        language="bash",
        wrap_lines=True,
    )
