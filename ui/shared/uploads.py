"""A person's own image, and its true objects where there are any."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import streamlit as st

from ui.shared import cache, page
from unet_core.data import datasets
from unet_core.imaging import images, outlines
from unet_core.imaging.class_map import ClassMap
from unet_core.imaging.stacks import Channel

IMAGE_TYPES = ["png", "jpg", "jpeg", "tif", "tiff"]
TRUTH_TYPES = ["png", "tif", "tiff"]
OUTLINE_TYPES = ["zip", "roi", "geojson", "json"]
IMAGE_HELP = (
    "Grey or colour, 8, 16 or 32 bit, also float; stacks of ImageJ and OME. Up to 100 megapixels. "
    "The file goes to the computer that this app runs on, and nowhere else."
)
STAYS = "A file stays until this page is reloaded or closed: no address can hold it."
TRUTH_HELP = (
    "A label image (0 is background, each object has its number), a mask of two values, or a "
    "picture in which every object has its colour. PNG or TIFF, as large as the image."
)
OUTLINE_HELP = (
    " Or outlines: a zip of ImageJ's ROIs, QuPath's GeoJSON, or COCO's JSON of this one image."
)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One plane to segment, and what is known of it."""

    stem: str
    file: str  # the name under which the command finds it
    file_sha256: str
    pixels_HW: np.ndarray
    pixels_sha256: str
    truth_HW: np.ndarray | None = None  # objects
    true_classes: ClassMap | None = None
    pixel_size_um: float | None = None
    plane: int | None = None
    channel: Channel | None = None
    source: bytes  # the file itself, which goes into the download
    data: str = ""  # the set that a sample is from
    sample: str = ""
    notes: tuple[str, ...] = field(default=())


def choose_upload() -> Chosen | None:
    """The uploaded image; None while there is none. Raises ValueError where it cannot be read."""
    left, right = st.columns(2)
    with left:
        file = st.file_uploader(
            "Your image: PNG, JPEG or TIFF", IMAGE_TYPES, key="image_file", help=IMAGE_HELP
        )
    with right:
        truth_file = st.file_uploader(
            "Its true objects, if you have them",
            [*TRUTH_TYPES, *OUTLINE_TYPES],
            key="truth_file",
            help=TRUTH_HELP + OUTLINE_HELP,
        )
    st.caption(STAYS)
    if file is None:
        return None
    data = file.getvalue()
    sha256 = images.sha256(data)
    image = cache.uploaded(data, sha256)
    with st.container(horizontal=True):
        plane, channel = choose_plane(image), _choose_channel(image)
    taken = images.take_plane(image, plane=plane, channel=channel)
    truth_HW, notes = None, (*_describe_choice(image, plane, channel), *taken.notes)
    if truth_file is not None:
        with page.guard():
            truth_HW, truth_notes = read_truth(
                truth_file.name, truth_file.getvalue(), plane, taken.pixels.shape
            )
            notes += truth_notes
    name = file_name(file.name)
    return Chosen(
        stem=Path(name).stem,
        file=name,
        file_sha256=sha256,
        source=data,
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
    name = told.replace("\\", "/").rpartition("/")[2].strip("\0")
    return name if name.strip(".") else "image"


def choose_plane(image: images.Image) -> int | None:
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


def _choose_channel(image: images.Image) -> Channel | None:
    """Which channel, where several hold something; their grey mix at first."""
    filled = images.channels(image)
    if len(filled) < 2:
        return None
    colours = ("red", "green", "blue") if image.pixels.shape[-1] == 3 else ()
    names: dict[str, Channel] = {
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


def _describe_choice(image: images.Image, plane: int | None, channel: Channel | None) -> list[str]:
    """What of the file one sees, where it holds several pictures and nobody need have chosen."""
    found = []
    if plane is not None:
        names = images.planes(image)
        found.append(
            f"The file is a stack of {len(names)} planes, and this is {names[plane]}: "
            "choose another one above."
        )
    if channel == "grey":
        found.append(
            f"The image has {len(images.channels(image))} filled channels, and this is the grey "
            "mix of all: choose above the one that shows the objects."
        )
    return found


def read_truth(
    name: str, data: bytes, plane: int | None, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """True labels from an upload, and notes. Raises ValueError where they do not fit the image."""
    sha256 = images.sha256(data)
    if outlines.ending(name):
        truth = cache.uploaded_outlines(name, data, sha256, (shape[0], shape[1]))
    else:
        truth = cache.uploaded_truth(data, sha256, plane)
    if truth.labels_HW.shape != shape:
        raise ValueError(
            "The truth must have the image's size: "
            f"it has {_size(truth.labels_HW.shape)}, the image {_size(shape)}."
        )
    return truth.labels_HW, truth.notes


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]} pixels (rows × columns)"
