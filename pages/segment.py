"""Segment an image with a trained network, tune the settings, read the score, take it home."""

import time
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial

import streamlit as st

from ui.segment import controls, input, many, opened, panels, result
from ui.shared import cache, html, models, page
from ui.shared.cache import Treatment
from ui.shared.models import Model
from ui.shared.uploads import Chosen
from ui.shared.words import plain
from unet_core.imaging import label_files
from unet_core.imaging.checkup import Finding
from unet_core.predict import export
from unet_core.predict.recipe import Recipe, where_tuned

EXPLANATION = """
The network says for every pixel how likely it belongs to an object, and how likely to the border
between objects. The settings on the left turn these probabilities into separate objects; move
one and watch what becomes of the picture and of the score.

- **Threshold**: which pixels belong to objects at all. Too high, and faint objects vanish or
  shrink; too low, and they grow fat and merge.
- **Watershed**: each object grows from a marker, the region where the network is surest. The view
  *Steps* shows how. Two markers in one object cut it in two; one marker in two objects joins them.
- A model of **classes** says for every pixel how likely each class is: the view *Classes* shows the
  most likely one. Objects are then the connected regions that are not background.
- **F1** compares with the truth: a found object is a *hit* if it overlaps a true one well enough
  (IoU), else a *false alarm*; a true object that nobody hit is a *miss*. *Errors* lists what went
  wrong, and a press on one zooms to it. An image that the model
  was trained on tells you nothing about how good it is.

*Many images* works in the background on as many files as you give it, also when you close the
browser. All end in one table, sorted by count or by **doubt**: how far the network is from certain
inside the objects that it found. Thresholds can be moved for all of them afterwards.

The address of this page holds the sample, the model and all settings: copy it to show somebody
what you see. An uploaded file is not in it. The download holds everything, with the command that
makes the same labels again.
"""

LARGE = 2_000_000  # pixels, beyond which the watershed takes a time that one notices

NOTHING_YET = (
    "The image with its objects will stand here, as soon as there is one above. With the true "
    "objects beside it, the page tells how good the segmentation is."
)


def predict(chosen: Chosen, model: Model, treatment: Treatment) -> export.Prediction:
    """The network's answer; while one waits, what is being done and for about how long."""
    asked = (chosen.pixels_HW, chosen.pixels_sha256, model.name, treatment)
    if cache.is_predicted(chosen.pixels_sha256, model.sha256, treatment):
        return cache.prediction(*asked)
    n_pixels = chosen.pixels_HW.size * treatment.scale**2
    seconds = cache.expected_seconds(n_pixels, model.sha256, treatment)
    about = f", about {max(1, round(seconds))} s" if seconds else ""
    place = st.empty()

    start = time.monotonic()

    def tell(done: int, total: int) -> None:
        if total > 1:
            left = (time.monotonic() - start) / done * (total - done)
            place.progress(done / total, f"Tile {done} of {total}, about {left:.0f} s left")

    with st.spinner(f"The network looks at {n_pixels / 1e6:.2g} megapixels{about} …"):
        found = cache.prediction(*asked, on_progress=tell)
    place.empty()
    return found


def make_recipe(
    chosen: Chosen, model: Model, treatment: Treatment, options: export.Segmentation
) -> Recipe:
    return Recipe(
        files=(chosen.file,),
        files_sha256=(chosen.file_sha256,),
        model=model.name,
        model_sha256=model.sha256,
        segmentation=options,
        tuned_on=where_tuned(model.config, options),
        plane=chosen.plane,
        channel=chosen.channel,
        **asdict(treatment),
    )


def show_download(found: result.Result, treatment: Treatment) -> None:
    """One zip, and the command that makes the same labels."""
    chosen, model = found.chosen, found.model
    recipe = make_recipe(chosen, model, treatment, found.options)

    def pack() -> bytes:
        return export.archive(
            chosen.stem,
            chosen.pixels_HW,
            found.segmented,
            recipe,
            pixel_size_um=chosen.pixel_size_um,
            channel_names=model.config.outputs,
            source=chosen.source,
        )

    st.download_button(
        "Download all as zip",
        data=pack,
        # A name of its own for each content: a browser must not take one for the other.
        file_name=f"{chosen.stem}-{recipe.digest()[:8]}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )
    st.caption(
        "Labels, coloured overlay, probabilities, measurements, "
        + ("class map, " if found.segmented.classes else "")
        + "recipe, the image itself and the command that makes equal labels where all is unpacked:"
    )
    st.code(recipe.command(), language="bash", wrap_lines=True)
    show_formats(found, f"{chosen.stem}-{recipe.digest()[:8]}")


def show_formats(found: result.Result, stem: str) -> None:
    """The labels alone, in each of the forms in which other programs take them."""
    chosen = found.chosen

    def encode(name: str) -> bytes:
        (content,) = label_files.encode(
            [name],
            found.labels_HW,
            stem=stem,
            file=chosen.file,
            pixel_size_um=chosen.pixel_size_um,
        ).values()
        return content

    st.caption("The labels alone, for Fiji, QuPath, napari and other programs:")
    with st.container(horizontal=True, gap="small"):
        for name, form in label_files.FORMATS.items():
            st.download_button(
                form.title,
                data=partial(encode, name),
                file_name=f"{stem}{form.ending}",
                on_click="ignore",
                help=f"{form.reader[:1].upper()}{form.reader[1:]}.",
                key=f"labels-{name}",
            )


def show_warning(warning: Finding, number: int) -> None:
    """What to know, and a button where the page can do what helps."""
    st.warning(plain(f"{warning.what} {warning.advice}".strip()), icon=":material/info:")
    if warning.action and st.button(
        "Invert the image"
        if warning.action == "invert"
        else f"Resize the image {warning.scale:.2f} times",
        key=f"follow-{number}",
        on_click=input.follow,
        args=(warning,),
    ):
        st.rerun()  # what it changes stands outside of this fragment


@st.fragment
def show_workbench(
    chosen: Chosen | None,
    model: Model,
    treatment: Treatment,
    prediction: export.Prediction | None,
    base: bytes,
) -> None:
    """Settings and result; only this runs again when a setting changes."""
    left, right = html.beside(3.4)
    with left, page.guard():
        has_truth = chosen is not None and chosen.truth_HW is not None
        options, iou = controls.draw(model, has_truth=has_truth)
    if chosen is None or prediction is None:
        with right:
            st.info(NOTHING_YET, icon=":material/image:")
        return
    with right, page.guard():
        with st.spinner("Making objects …") if chosen.pixels_HW.size > LARGE else nullcontext():
            found = result.find(chosen, model, prediction, options, iou)
        for number, warning in enumerate(result.warnings(found, treatment)):
            show_warning(warning, number)
        with st.container(gap=None):
            result.show_numbers(found)
        panels.show(found, base, revision=chosen.pixels_sha256)
    with page.guard():
        curve, download = st.columns(2, gap="large")
        with download:
            st.subheader("Take it home", anchor=False)
            show_download(found, treatment)
        if found.counts:
            with curve:
                st.subheader("Score by strictness", anchor=False)
                result.show_curve(found)


def show_one(chosen: Chosen | None, model: Model | None, treatment: Treatment) -> None:
    """One image, with what the network finds in it."""
    for note in chosen.notes if chosen else ():
        st.caption(f":material/info: {plain(note)}")
    if model is None:
        return
    if chosen is not None and (sentence := models.misfit(model.config, chosen.data)):
        st.caption(f":material/info: {sentence}")
    prediction, base = None, b""
    if chosen is not None:
        with page.guard():
            prediction = predict(chosen, model, treatment)
            base = cache.picture(chosen.pixels_HW, chosen.pixels_sha256)
    show_workbench(chosen, model, treatment, prediction, base)


page.setup("Segment", EXPLANATION)
html.shrink_numbers()
chosen, model, treatment = input.choose()
if st.session_state["input"] == input.MANY and not opened.is_image_open():
    with page.guard():
        many.show(model, treatment)
else:
    show_one(chosen, model, treatment)
