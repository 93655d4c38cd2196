"""The generator of lines and ellipses: its settings, what it draws, and how patches are cut.

The settings are part of the set's name, so every other tab, page and command can show the same set.
"""

import typing
from dataclasses import Field
from typing import Any

import streamlit as st

from ui.data import patches, sample
from ui.shared import forms, html, page, pictures, viewer
from ui.shared.choice import add_generated_set
from unet_core.data import datasets
from unet_core.data.catalogue import DataSet
from unet_core.data.shapes import Shapes

MOST_SHOWN, MOST_SHOWN_PIXELS = 6, 1_500_000


@st.fragment
def show(about: DataSet, split: str, scheme: str) -> None:
    """Settings beside what they draw; only this runs again when one of them moves."""
    with page.guard():
        base = Shapes.from_name(about.name)
        left, right = html.beside(2.4)
        with left:
            entry = _choose_settings(base, key=f"gen-{about.name}")
        if entry.config is None:
            with right:
                lines = "\n".join(f"- {sentence}" for sentence in entry.sentences)
                st.error(f"This cannot be drawn:\n{lines}")
            return
        own = datasets.info(entry.config.name)
        names = datasets.sample_names(own.name, split, scheme=scheme)
        with left:
            _show_buttons(own, is_shown=entry.config == base)
        with right:
            _show_images(own, entry.config, split, names)
        if names:
            patches.show(own, split, scheme, names)


def _choose_settings(base: Shapes, *, key: str) -> forms.Entry[Shapes]:
    entered: dict[str, str] = {}
    places: dict[str, Any] = {}
    for group, members in forms.groups(base).items():
        st.markdown(f"**{group}**")
        sliders = [about for about in members if not _is_whole_number(about)]
        numbers = [about for about in members if _is_whole_number(about)]
        for about, column in zip(numbers, st.columns(max(1, len(numbers))), strict=False):
            with column:
                entered[about.name] = _draw(base, about.name, key)
                places[about.name] = st.empty()
        for start in range(0, len(sliders), 2):
            for about, column in zip(sliders[start : start + 2], st.columns(2), strict=False):
                with column:
                    entered[about.name] = _draw(base, about.name, key)
                    places[about.name] = st.empty()
    entry = forms.check(base, entered)
    for name, reason in entry.reasons.items():
        if name in places:
            places[name].caption(f":red[{reason}]")
    return entry


def _is_whole_number(about: Field) -> bool:
    return typing.get_type_hints(Shapes)[about.name] is int


def _draw(base: Shapes, name: str, key: str) -> str:
    value = forms.draw(Shapes, name, getattr(base, name), key=f"{key}-{name}", is_live=True)
    return forms.as_text(value)


def _show_buttons(own: DataSet, *, is_shown: bool) -> None:
    with st.container(horizontal=True):
        if st.button(
            "Look at this set",
            icon=":material/photo_library:",
            key="gen_use",
            help="All tabs of this page show it then, and the address holds its settings.",
            disabled=is_shown,
            on_click=_look_at,
            args=(own.name,),
        ):
            st.rerun()  # all of the page, not only this fragment
        if st.button("Train on it", icon=page.icon("train"), key="gen_train"):
            from ui.shared import takeover

            takeover.offer({}, source="the generator", data=own.name)
            st.session_state["gen_taken"] = own.name
    if st.session_state.get("gen_taken") == own.name:
        page.link("train", label="Taken over: go on to Train", icon=page.icon("train"))
    st.caption("The name of this set, for commands and other pages:")
    st.code(own.name, language=None, wrap_lines=True)


def _look_at(name: str) -> None:
    """Runs before the page is drawn anew, so the choice of the set can still be changed."""
    add_generated_set(name)
    st.session_state["set"] = name
    for key in ("page", "sample"):
        st.session_state.pop(key, None)


def _show_images(own: DataSet, settings: Shapes, split: str, names: list[str]) -> None:
    """The first images and their classes; fewer where they are large."""
    if not names:
        st.info(
            f"This scheme leaves no image for {split}: draw more images, or choose another scheme.",
            icon=":material/info:",
        )
        return
    most = max(1, min(MOST_SHOWN, MOST_SHOWN_PIXELS // (settings.rows * settings.columns)))
    panels: list[viewer.Panel] = []
    legend: dict[html.Mark, None] = {}
    for name in names[:most]:
        found = datasets.load(own.name, split, name)
        drawn = sample.draw_target(found.truth_HW, "classes", "thick", own.classes)
        # Not stretched to full contrast, which would hide what the settings do.
        grey = pictures.png(pictures.fit(found.image_HW))
        panels += [viewer.Panel((grey,), name), viewer.Panel((drawn.png,), "Classes")]
        legend |= dict.fromkeys(drawn.legend)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.caption(
            f"The first {len(panels) // 2} of {len(names)} images of {split}", width="content"
        )
        in_order = sorted(legend, key=lambda entry: own.classes.index(entry.text))
        st.html(html.legend(in_order), width="content")
    viewer.show(
        panels,
        (settings.rows, settings.columns),
        key="gen_pictures",
        revision=f"{settings.rows} {settings.columns}",
        columns=6 if settings.rows >= settings.columns else 4,
    )
