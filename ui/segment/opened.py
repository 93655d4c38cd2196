"""Which batch of many images, and which image of it, the address names.

It holds the batch (`batch=`) and the image that is opened (`open=FILE:PLANE`).
"""

from pathlib import Path

import streamlit as st

from ui.segment import gallery
from ui.shared.uploads import Chosen
from unet_core.data import datasets
from unet_core.imaging import images
from unet_core.runs import batches
from unet_core.runs.batches import Batch

SEEN = "_batch"  # whose settings the controls have taken


def read_address() -> Batch | None:
    """The batch that the address names, None where there is none of that name.

    The controls take its settings when it is seen first in this session.
    """
    try:
        batch = batches.find(st.query_params.get("batch", ""))
        settings = batch.recipe.segmentation.to_dict()
    except ValueError:
        return None
    if st.session_state.get(SEEN) != batch.id:
        # A link may bring other thresholds.
        take_settings(
            batch, {name: one for name, one in settings.items() if name not in st.query_params}
        )
    return batch


def take_settings(batch: Batch, settings: dict[str, object]) -> None:
    """Put the settings of a batch into the controls, which must not be drawn yet."""
    st.session_state.update({**settings, SEEN: batch.id})


def image() -> str:
    """The image that is opened, as the address holds it; empty for none."""
    return st.query_params.get("open", "")


def is_image_open() -> bool:
    """Whether one image of a batch is opened, and not all of them are shown."""
    return bool(st.query_params.get("batch") and image())


def open_image(image: str) -> None:
    """Open an image of the batch."""
    st.query_params["open"] = image


def close() -> None:
    """Back from one image to all of its batch."""
    st.query_params.pop("open", None)


def leave() -> None:
    """Back from a batch to all of them."""
    for name in ("batch", "open"):
        st.query_params.pop(name, None)


def read_image(batch: Batch) -> Chosen:
    """The image that is opened. Raises ValueError where it cannot be read any more."""
    name, _, plane = image().rpartition(":")
    row = batch.results.rows().get((name, int(plane) if plane.isdecimal() else -1))
    if row is None:
        raise ValueError(f"There is no image {image()!r} among these.")
    plan = batch.results.plan()
    is_stack = int(row["planes"] or 0) > 1
    picture, data = gallery.read_picture(plan, row)
    notes = (f"{name}, plane {row['plane']} of {row['planes']}" if is_stack else name,)
    return Chosen(
        stem=Path(name).stem,
        file=Path(name).name,
        file_sha256=images.sha256(data),
        source=data,
        pixels_HW=picture.pixels,
        pixels_sha256=datasets.pixel_hash(picture.pixels),
        pixel_size_um=picture.pixel_size_um,
        plane=int(row["plane"]) if is_stack else None,
        channel=plan.recipe.channel,  # type: ignore[arg-type]  # the recipe has checked it
        notes=(*notes, *picture.notes),
    )
