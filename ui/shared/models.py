"""The models that one can choose from, and what a page knows of the chosen one."""

from dataclasses import dataclass

import streamlit as st

from ui.shared import page
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.network import checkpoint
from unet_core.runs import runs


@dataclass(frozen=True)
class Model:
    """A model by name, with what its file says of it."""

    name: str
    sha256: str
    config: ModelConfig

    @property
    def has_boundary(self) -> bool:
        """Whether it tells touching objects apart by a boundary (or distance) channel."""
        return self.config.train.objective.target not in ("foreground", "classes")

    @property
    def has_classes(self) -> bool:
        """Whether it has learnt classes rather than objects."""
        return self.config.train.objective.target == "classes"

    @property
    def tuned(self) -> Segmentation:
        """The settings to start from."""
        tuned = self.config.segmentation
        return tuned if self.has_boundary else tuned.replace(method="components")


def names() -> list[str]:
    """The shipped checkpoints, then the runs that have weights, the newest first."""
    return checkpoint.names() + [run.id for run in runs.list_runs() if run.has_weights()]


def say_how_to_get_one() -> None:
    """What stands where a model would be chosen, while there is none."""
    with st.container(border=True):
        st.markdown(
            "**There is no model yet.** Training makes one: the preset *quick* takes about two "
            "minutes, and its run appears here after the first epoch."
        )
        page.link("train", label="Train a U-Net", icon=page.icon("train"))
