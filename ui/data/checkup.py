"""The check-up of an own set: what is doubtful about it, with a way to each of the images."""

import streamlit as st

from ui.data import adding_form
from ui.shared import cache, models
from ui.shared.words import many, plain
from unet_core.data import doctor
from unet_core.data.catalogue import DataSet
from unet_core.imaging.checkup import Finding

NO_MODEL = "none"
MOST = 8  # images that are shown of a finding
SIDE = 96
ICONS = {"problem": ":material/error:", "doubt": ":material/help:", "note": ":material/info:"}
COLOURS = {"problem": "red", "doubt": "orange", "note": "blue"}


def show(about: DataSet) -> None:
    """All findings, the worst first; a bar while the images are read."""
    model = st.selectbox(
        "Also compare with what this model knows",
        [NO_MODEL, *models.names()],
        key="checkup_model",
        width=320,
        help="Are the objects as large, and do the images look like those that it learnt from?",
    )
    config = None if model == NO_MODEL else cache.model_config(model)
    with adding_form.bar("Checking image") as tell:
        found = doctor.check(about.name, config, on_progress=tell)
    if not found:
        st.success("Nothing is doubtful about these images and labels.", icon=":material/check:")
    for number, finding in enumerate(found):
        with st.container(border=True):
            _show_finding(about, finding, number)


def _show_finding(about: DataSet, finding: Finding, number: int) -> None:
    st.markdown(
        f":{COLOURS[finding.severity]}-badge[{ICONS[finding.severity]} {finding.severity}] "
        f"**{plain(finding.what)}**"
    )
    if finding.advice:
        st.markdown(plain(finding.advice))
    if not finding.images:
        return
    with st.container(horizontal=True, gap="small"):
        for place in finding.images[:MOST]:
            split, _, sample = place.partition("/")
            with st.container(width=SIDE + 16, gap=None):
                try:
                    st.image(cache.thumbnail(about.name, split, sample, side=SIDE), alt="")
                except ValueError:
                    st.markdown(":material/broken_image:")
                short = sample if len(sample) <= 12 else f"{sample[:10]}…"
                st.button(
                    plain(short),
                    key=f"checkup-{number}-{place}",
                    type="tertiary",
                    help=plain(place),
                    on_click=_open,
                    args=(split, sample),
                )
    if len(finding.images) > MOST:
        st.caption(f"and {many(len(finding.images) - MOST, 'image')} more")


def _open(split: str, sample: str) -> None:
    """Show an image in its split; for a button's click."""
    st.session_state.update(split=split, sample=sample, tab="Sample")
    st.query_params["split"] = split
    st.query_params["sample"] = sample
