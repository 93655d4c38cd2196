"""What is segmented and by which model: the upper part of the Segment page.

Every choice is a widget that is bound to the page's address, so that a link brings it back.
"""

import contextlib
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import streamlit as st

from ui import cache, page
from ui.data_choice import choose as choose_one
from unet_core import checkpoint, datasets, export, images, instances, runs
from unet_core.config import ModelConfig, Segmentation

IMAGE_TYPES = ["png", "jpg", "jpeg", "tif", "tiff"]
TRUTH_TYPES = ["png", "tif", "tiff"]
IMAGE_HELP = (
    "Grey or colour, 8, 16 or 32 bit, also float; stacks of ImageJ and OME. Up to 100 megapixels. "
    "The file goes to the computer that this app runs on, and nowhere else."
)
TRUTH_HELP = (
    "A label image (0 is background, each object has its number), a mask of two values, or a "
    "picture in which every object has its colour. PNG or TIFF, as large as the image."
)
SIZES = ("as it is", "by object diameter", "by factor")
SCALES = (0.05, 20.0)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One plane to segment, and what is known of it."""

    stem: str
    file: str  # the name under which the command finds it
    file_sha256: str
    pixels_HW: np.ndarray
    pixels_sha256: str
    truth_HW: np.ndarray | None = None
    pixel_size_um: float | None = None
    plane: int | None = None
    channel: int | str | None = None
    source: bytes | None = None  # goes into the download where the person has no such file
    data: str = ""  # the set that a sample is from
    sample: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Model:
    """A model by name, with what its file says of it."""

    name: str
    sha256: str
    config: ModelConfig

    @property
    def has_boundary(self) -> bool:
        """Whether it tells touching objects apart by a boundary (or distance) channel."""
        return self.config.train.target not in ("foreground", "classes")

    @property
    def tuned(self) -> Segmentation:
        """The settings to start from."""
        tuned = self.config.segmentation
        return tuned if self.has_boundary else tuned.replace(method="components")


@dataclass(frozen=True)
class Treatment:
    """What happens to the image before and in the network."""

    invert: bool = False
    scale: float = 1.0
    flips: bool = False


def choose() -> tuple[Chosen | None, Model | None, Treatment]:
    """Image, model, and treatment of the image; None, with a sentence, for what is not there."""
    chosen, model, treatment = None, None, Treatment()
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    # Each sentence about a mistake stands below the row, and leaves the rest of it usable.
    with row:
        kind = st.segmented_control(
            "Image",
            ("Sample", "Upload"),
            default="Sample",
            required=True,
            key="input",
            bind="query-params",
        )
    if kind == "Sample":
        with page.guard(), row:
            chosen = _choose_sample()
    with page.guard(), row:
        model = _choose_model()
        treatment = _choose_treatment(model)
    if kind == "Upload":
        with page.guard():
            chosen = _choose_upload()
    if not model_names():
        _say_how_to_get_a_model()
    return chosen, model, treatment


def model_names() -> list[str]:
    """The shipped checkpoints, then the runs that have weights, the newest first."""
    return checkpoint.names() + [run.id for run in runs.list_runs() if run.has_weights()]


def _choose_sample() -> Chosen:
    sets = datasets.available()
    name = choose_one("Data set", sets, "set", width=170)
    splits = list(datasets.info(name).splits)
    split = choose_one("Split", splits, "split", default="test", width=130)
    names = datasets.sample_names(name, split)
    sample = choose_one("Sample", names, "sample", width="stretch")
    at = names.index(sample)
    for step, icon, words in ((-1, "chevron_left", "Previous"), (1, "chevron_right", "Next")):
        st.button(
            "",
            icon=f":material/{icon}:",
            help=f"{words} sample",
            key=f"go{step}",
            disabled=not 0 <= at + step < len(names),
            on_click=_show_sample,
            args=(names[(at + step) % len(names)],),
        )
    return load_sample(name, split, sample)


def _show_sample(sample: str) -> None:
    st.session_state["sample"] = sample


def load_sample(name: str, split: str, sample: str) -> Chosen:
    """A sample of a data set with its truth. Raises ValueError as `datasets.load`."""
    found = datasets.load(name, split, sample)
    notes: tuple[str, ...] = ()
    truth_HW = found.labels_HW
    if truth_HW is not None and datasets.info(name).labels == "classes":
        truth_HW = instances.components(truth_HW > 0)
        notes = (
            "The truth of this set are classes, not objects: "
            "its connected parts are taken for objects.",
        )
    elif truth_HW is None:
        notes = ("Nobody has labelled this sample: there is no score.",)
    source = export.plane_tiff(found.image_HW, found.pixel_size_um)
    return Chosen(
        stem=sample,
        file=f"{sample}.tif",
        file_sha256=images.sha256(source),
        pixels_HW=found.image_HW,
        pixels_sha256=datasets.pixel_hash(found.image_HW),
        truth_HW=truth_HW,
        pixel_size_um=found.pixel_size_um,
        source=source,
        data=name,
        sample=sample,
        notes=notes,
    )


def _choose_upload() -> Chosen | None:
    left, right = st.columns(2)
    with left:
        file = st.file_uploader(
            "Your image: PNG, JPEG or TIFF", IMAGE_TYPES, key="image_file", help=IMAGE_HELP
        )
    with right:
        truth_file = st.file_uploader(
            "Its true objects, if you have them", TRUTH_TYPES, key="truth_file", help=TRUTH_HELP
        )
    if file is None:
        return None
    data = file.getvalue()
    sha256 = images.sha256(data)
    image = cache.uploaded(data, sha256)
    with st.container(horizontal=True):
        plane, channel = _choose_plane(image), _choose_channel(image)
    taken = images.take_plane(image, plane=plane, channel=channel)
    truth_HW, notes = None, taken.notes
    if truth_file is not None:
        with page.guard():
            truth_HW, truth_notes = read_truth(truth_file.getvalue(), plane, taken.pixels.shape)
            notes += truth_notes
    name = file_name(file.name)
    return Chosen(
        stem=Path(name).stem,
        file=name,
        file_sha256=sha256,
        pixels_HW=taken.pixels,
        pixels_sha256=datasets.pixel_hash(taken.pixels),
        truth_HW=truth_HW,
        pixel_size_um=taken.pixel_size_um,
        plane=plane,
        channel=channel,
        notes=notes,
    )


def file_name(told: str) -> str:
    """The name alone: a browser may send a whole path, also one that leads elsewhere."""
    return told.replace("\\", "/").rpartition("/")[2].strip("\0") or "image"


def _choose_plane(image: images.Image) -> int | None:
    """Which plane of a stack: the middle one at first, for the ends are often out of focus."""
    names = images.planes(image)
    if len(names) < 2:
        return None
    name = st.select_slider(
        f"Plane, of {len(names)}",
        names,
        value=names[len(names) // 2],
        key="plane",
        bind="query-params",
    )
    return names.index(name)


def _choose_channel(image: images.Image) -> int | str | None:
    """Which channel, where several hold something; their grey mix at first."""
    filled = images.channels(image)
    if len(filled) < 2:
        return None
    colours = ("red", "green", "blue") if image.pixels.shape[-1] == 3 else ()
    names = {
        "grey mix": "grey",
        **{colours[index] if colours else f"channel {index}": index for index in filled},
    }
    name = st.selectbox(
        "Channel",
        list(names),
        key="channel",
        bind="query-params",
        width=260,
        help="Several channels of this image hold something. Choose the one that shows the "
        "objects; the grey mix weighs all of them.",
    )
    return names[name]


def read_truth(
    data: bytes, plane: int | None, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """True labels from an upload, and notes. Raises ValueError where they do not fit the image."""
    sha256 = images.sha256(data)
    truth = cache.uploaded_truth(data, sha256, plane)
    if truth.labels_HW.shape != shape:
        raise ValueError(
            "The truth must have the image's size: "
            f"it has {_size(truth.labels_HW.shape)}, the image {_size(shape)}."
        )
    return truth.labels_HW, truth.notes


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]} pixels"


def _choose_model() -> Model | None:
    names = model_names()
    if not names:
        return None
    name = choose_one("Model", names, "model", width=270, on_change=take_tuned_settings)
    return Model(name, cache.model_sha256(name), checkpoint.read_config(name))


def take_tuned_settings() -> None:
    """Set the controls to what the chosen model was tuned to."""
    with contextlib.suppress(ValueError):  # the page says it when it reads the model
        config = checkpoint.read_config(st.session_state["model"])
        st.session_state.update(Model("", "", config).tuned.to_dict())


def _say_how_to_get_a_model() -> None:
    with st.container(border=True):
        st.markdown(
            "**There is no model yet.** Training makes one: the preset *quick* takes about two "
            "minutes, and its run appears here after the first epoch."
        )
        page.link("train", label="Train a U-Net", icon=page.icon("train"))


def _choose_treatment(model: Model | None) -> Treatment:
    """What is done to the image, behind a button that says what differs from nothing."""
    state = st.session_state
    words = [
        word
        for word, is_on in (
            ("inverted", state.get("invert")),
            ("resized", state.get("size", SIZES[0]) != SIZES[0]),
            ("flips", state.get("flips")),
        )
        if is_on
    ]
    about = {one.name: one.metadata["help"] for one in fields(export.Recipe) if one.metadata}
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
    return Treatment(invert, scale, flips)


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
