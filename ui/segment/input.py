"""What is segmented and by which model: the upper part of the Segment page.

Every choice is a widget that is bound to the page's address, so that a link brings it back.
"""

import contextlib
from dataclasses import fields

import streamlit as st

from ui.segment import gallery, opened
from ui.shared import cache, choice, models, page
from ui.shared.cache import Treatment
from ui.shared.choice import choose as choose_one
from ui.shared.choice import choose_set, set_names, show_steps
from ui.shared.models import Model
from ui.shared.uploads import Chosen, choose_upload
from unet_core.data import datasets
from unet_core.imaging import images, instances
from unet_core.imaging.checkup import Finding
from unet_core.imaging.class_map import ClassMap
from unet_core.predict.recipe import MOST_ROTATIONS, Recipe
from unet_core.runs.batches import Batch

MANY = "Many"  # images; the row that it stands in has no room for more
SIZES = ("as it is", "by object diameter", "by factor")
SCALES = (0.05, 20.0)


def choose() -> tuple[Chosen | None, Model | None, Treatment]:
    """Image, model, and treatment of the image; None, with a sentence, for what is not there."""
    chosen, model, treatment = None, None, Treatment()
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    # Each sentence about a mistake stands below the row, and leaves the rest of it usable.
    with row:
        kind = st.segmented_control(
            "Image",
            ("Sample", "Upload", MANY),
            default="Sample",
            required=True,
            key="input",
            bind="query-params",
        )
    if kind == "Sample":
        with page.guard(), row:
            chosen = _choose_sample()
    batch = opened.read_address() if kind == MANY else None
    if batch is not None:
        if not opened.is_image_open():
            return None, None, treatment
        with row:
            st.button(":material/arrow_back: All images", key="close-image", on_click=opened.close)
            if (image := opened.image()) in (names := gallery.names(batch)):
                show_steps(names, image, opened.open_image)
        with page.guard():
            _take_treatment(batch)
            chosen = opened.read_image(batch)
    with page.guard(), row:
        model = _choose_model(choice.asked_for("set") if kind == "Sample" else "")
        treatment = _choose_treatment(model)
    if kind == "Upload":
        with page.guard():
            chosen = choose_upload()
    if not models.names():
        models.say_how_to_get_one()
    return chosen, model, treatment


def _take_treatment(batch: Batch) -> None:
    """Set model and treatment, once for each image that is opened, to those of its batch."""
    state, image = st.session_state, opened.image()
    if state.get("_treated") == image:
        return
    recipe = batch.recipe
    state.update(
        {
            "_treated": image,
            "model": recipe.model,
            "invert": recipe.invert,
            "size": SIZES[0] if recipe.scale == 1 else SIZES[2],
            "factor": recipe.scale,
            "flips": recipe.flips,
            "rotations": recipe.rotations,
            "window": str(recipe.window or choice.NO_WINDOW),
        }
    )
    st.query_params["model"] = recipe.model


def _choose_sample() -> Chosen:
    sets = set_names(datasets.available(), "set")
    name = choose_set(sets, width=170)
    splits = list(datasets.info(name).splits)
    split = choose_one("Split", splits, "split", default="test", width=100)
    names = datasets.sample_names(name, split)
    sample = choose_one("Sample", names, "sample", is_quiet=True)
    show_steps(names, sample)
    return load_sample(name, split, sample)


def load_sample(name: str, split: str, sample: str) -> Chosen:
    """A sample of a data set with its truth. Raises ValueError as `datasets.load`."""
    found = datasets.load(name, split, sample)
    notes: tuple[str, ...] = ()
    truth_HW, true_classes = found.labels_HW, None
    about = datasets.info(name)
    if truth_HW is not None and about.labels == "classes":
        true_classes = ClassMap(truth_HW, about.classes)
        truth_HW = instances.components(truth_HW > 0)
        notes = ("This set has classes, not objects: their connected parts are taken for objects.",)
    elif truth_HW is None:
        notes = ("Nobody has labelled this sample: there is no score.",)
    sha256 = datasets.pixel_hash(found.image_HW)
    source = cache.source(found.image_HW, sha256, found.pixel_size_um)
    return Chosen(
        stem=sample,
        file=f"{sample}.tif",
        file_sha256=images.sha256(source),
        pixels_HW=found.image_HW,
        pixels_sha256=sha256,
        truth_HW=truth_HW,
        true_classes=true_classes,
        pixel_size_um=found.pixel_size_um,
        source=source,
        data=about.name,
        sample=sample,
        notes=notes,
    )


def _choose_model(data: str) -> Model | None:
    names = models.names()
    if not names:
        return None
    name = models.choose(data, names, width=250, then=take_tuned_settings)
    return Model(name, cache.model_sha256(name), cache.model_config(name))


def take_tuned_settings() -> None:
    """Set the controls to what the chosen model was tuned to."""
    with contextlib.suppress(ValueError):  # the page says it when it reads the model
        config = cache.model_config(st.session_state["model"])
        st.session_state.update(Model("", "", config).tuned.to_dict())


def _choose_treatment(model: Model | None) -> Treatment:
    """What is done to the image, behind a button that says what differs from nothing."""
    state = st.session_state
    words = [
        word
        for word, is_on in (
            ("inverted", state.get("invert")),
            ("resized", state.get("size", SIZES[0]) != SIZES[0]),
            ("flips", state.get("flips")),
            (f"{state.get('rotations')} rotations", state.get("rotations")),
            ("sliding window", state.get("window", choice.NO_WINDOW) != choice.NO_WINDOW),
        )
        if is_on
    ]
    about = {one.name: one.metadata["help"] for one in fields(Recipe) if one.metadata}
    with st.popover(", ".join(words).capitalize() or "Adjust", icon=":material/tune:"):
        invert = st.toggle(
            "Dark objects on a bright background",
            key="invert",
            bind="query-params",
            help="Turns the image into its negative before the network sees it.",
        )
        scale = _choose_scale(model, about["scale"])
        flips = st.toggle(
            "Average over flips and rotations",
            key="flips",
            bind="query-params",
            help=about["flips"],
        )
        window = st.selectbox(
            "Sliding window (px)",
            choice.WINDOWS,
            key="window",
            bind="query-params",
            help=about["window"],
        )
        rotations = st.number_input(
            "Average over rotations",
            min_value=0,
            max_value=MOST_ROTATIONS,
            value=0,
            key="rotations",
            bind="query-params",
            disabled=window != choice.NO_WINDOW,
            help=about["rotations"],
        )
    if window != choice.NO_WINDOW:
        return Treatment(invert, scale, flips, window=int(window))
    return Treatment(invert, scale, flips, rotations)


def follow(advice: Finding) -> None:
    """Set the treatment as a warning advises; for a button's click."""
    state = st.session_state
    if advice.action == "invert":
        state["invert"] = not state.get("invert", False)
    else:
        state["size"] = SIZES[2]
        state["factor"] = min(max(round(advice.scale, 2), SCALES[0]), SCALES[1])


def _choose_scale(model: Model | None, help: str) -> float:
    typical = model.config.diameter if model else None
    size = st.selectbox("Size of the objects", SIZES, key="size", bind="query-params", help=help)
    if size == SIZES[1]:
        if typical is None:
            st.caption("This model does not say how large its training objects were: use a factor.")
            return 1.0
        diameter = st.number_input(
            "Typical diameter in this image (px)",
            min_value=1.0,
            max_value=2000.0,
            value=float(round(typical, 1)),
            step=1.0,
            key="diameter",
            bind="query-params",
        )
        scale = min(max(typical / diameter, SCALES[0]), SCALES[1])
        st.caption(f"The model knows {typical:.1f} px: the image is enlarged {scale:.2f} times.")
        return scale
    if size == SIZES[2]:
        return st.number_input(
            "Enlarge by",
            min_value=SCALES[0],
            max_value=SCALES[1],
            value=1.0,
            step=0.1,
            key="factor",
            bind="query-params",
        )
    return 1.0
