"""A place in an image that a link names, so that the picture opens zoomed to it.

The address holds `place=IMAGE,first row,first column,last row + 1,last column + 1`. It is for that
image alone: with another one the whole picture is shown.
"""

from collections.abc import Sequence

import streamlit as st

KEY = "place"


def write(image: str, box: Sequence[int]) -> str:
    """The place as the address holds it."""
    return ",".join([image, *map(str, box)])


def look_at(image: str, box: Sequence[int]) -> None:
    """Zoom to this place of the image on this page."""
    st.query_params[KEY] = write(image, box)


def read(image: str, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The box that the address names in this image [H, W]; None where it names none.

    One that is not in the image is told, and the whole image is shown.
    """
    name, *numbers = st.query_params.get(KEY, "").rsplit(",", 4)
    if name != image or len(numbers) != 4:
        return None
    try:
        top, left, bottom, right = map(int, numbers)
    except ValueError:
        top = left = bottom = right = -1
    if 0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]:
        return top, left, bottom, right
    st.caption(":material/info: The link names a place that is not in this image: all is shown.")
    return None
