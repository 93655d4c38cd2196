"""The settings that make objects of probabilities: the left side of the Segment page."""

import contextlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui.shared import forms, glossary, models, words
from ui.shared.models import Model
from ui.shared.words import plain
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.data import datasets
from unet_core.imaging import matching, targets
from unet_core.imaging.instances import FOR_WATERSHED


def draw(model: Model, *, has_truth: bool) -> tuple[Segmentation, float]:
    """The settings that a person chose, and the IoU from which a found object is a hit."""
    tuned = model.tuned
    chosen: dict[str, Any] = {}
    for name, value in tuned.to_dict().items():  # what others depend on comes before them
        chosen[name] = _draw_setting(name, value, _idle(name, model, chosen))
    if not model.has_boundary:
        chosen["method"] = "components"
    options = Segmentation.from_dict(chosen)
    st.button(
        "Back to the tuned settings" if model.config.tuned_on else "Back to the defaults",
        icon=":material/restart_alt:",
        key="reset",
        help=_where_tuned(model.config),
        disabled=options == tuned,
        on_click=st.session_state.update,
        args=(tuned.to_dict(),),
        width="stretch",
    )
    iou = st.select_slider(
        "A hit from IoU",
        matching.IOUS,
        format_func=lambda value: f"{value:.2f}",
        key="iou",
        bind="query-params",
        disabled=not has_truth,
        help=glossary.HIT,
    )
    st.caption(plain(describe(model.config)))
    models.link_fine_tuning(model.name)
    return options, iou


def _idle(name: str, model: Model, chosen: Mapping[str, Any]) -> str:
    """Why a setting has no effect beside those chosen before it; empty when it has one."""
    objective = model.config.train.objective
    if name == "reading" and not targets.has_rim(objective.target, objective.boundary):
        return "This model has no class for a boundary in its objects: both are the same."
    if not model.has_boundary and name in ("method", *FOR_WATERSHED):
        return "This model has no boundary channel, so there is nothing to separate objects by."
    if name in FOR_WATERSHED and chosen["method"] == "components":
        return "Only the watershed uses this."
    if name == "flood_corners" and chosen["connectivity"] == 4:
        return "With connectivity 4 nothing reaches across corners."
    return ""


def _draw_setting(name: str, value: object, idle: str) -> object:
    about, limits = Segmentation.options()[name].metadata, {}
    if type(value) is int and not about["choices"]:  # of what a link brings, the picture shows some
        limits = {"min_value": about["low"], "max_value": about["high"]}
    return forms.draw(
        Segmentation,
        name,
        value,
        key=name,
        idle=idle,
        flag=f"--{name.replace('_', '-')}",
        is_live=True,
        bind="query-params",
        **limits,
    )


def _where_tuned(config: ModelConfig) -> str:
    if config.tuned_on:
        return f"The settings with the best score on {plain(config.tuned_on)}."
    return "Nobody has tuned this model's settings: these are the usual ones."


def describe(config: ModelConfig) -> str:
    """What a model has learnt from, in two short sentences."""
    data, scheme = config.train.images.data, config.train.images.scheme
    with contextlib.suppress(ValueError):  # a set that was deleted
        scheme = datasets.resolve_scheme(data, scheme)
    text = (
        f"This model was trained on {words.set_title(data)} (scheme {scheme}), and is from epoch "
        f"{config.epoch} of {config.train.optimisation.epochs}."
    )
    if config.small and config.large:
        text += f" It knows objects {config.small:.0f} to {config.large:.0f} px wide."
    return text
