"""Measuring as a tutorial did: the choice in the form, and its figures beside ours."""

from typing import Any

import pandas as pd
import streamlit as st

from ui.shared.choice import choose
from ui.shared.words import number, plain
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.scoring import protocols
from unet_core.scoring.protocols import PROTOCOLS

NONE = "no"
HELP = (
    "Settings, crops and averages as a public tutorial printed them, so that its figure can stand "
    "beside ours. Each is called as the tutorial's preset. What is given by hand still counts."
)


def choose_name() -> str:
    """The chosen protocol; empty for none."""
    chosen = choose(
        "As a tutorial printed it", [NONE, *PROTOCOLS], "protocol", help=HELP, width=210
    )
    return "" if chosen == NONE else chosen


def settings(name: str) -> Segmentation | None:
    """The segmentation that a protocol prints; None where it prints none, and for no protocol."""
    return PROTOCOLS[name].segmentation if name else None


def explain(name: str, config: ModelConfig, data: str) -> str:
    """Say what a protocol does; gives why it cannot be followed here, empty when it can."""
    if not name:
        return ""
    if problem := protocols.misfit(name, config, data):
        return f"{problem[:1].upper()}{problem[1:]}."
    found = PROTOCOLS[name]
    st.caption(f"**{plain(found.title)}**: {plain(found.what)}")
    return ""


def show(document: dict[str, Any]) -> None:
    """The tutorial's figures beside this model's, where an evaluation followed its protocol."""
    found = document.get("protocol")
    if not found:
        return
    rows = [
        {
            "Tutorial": number(row["theirs"], "{:.4f}"),
            "This model": number(row["ours"], "{:.4f}"),
            "Figure": row["label"][:1].upper() + row["label"][1:],
        }
        for row in found["figures"]
    ]
    st.markdown(f"**As printed in {plain(found['title'])}**")
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", width="content")
    text = found["what"]
    if found["changed"]:
        names = ", ".join(name.replace("_", " ") for name in found["changed"])
        text += f" Not as printed here: {names}."
    st.caption(plain(text))
