"""The models that one can choose from, and what a page knows of the chosen one."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import streamlit as st

from ui.shared import cache, choice, forms, overview, page
from ui.shared.words import plain
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.data import datasets, own
from unet_core.imaging import targets
from unet_core.network import checkpoint
from unet_core.runs import recipes
from unet_core.training import presets

USUAL = "nuclei"  # what most images show that people bring
_ANY = "quick"  # the recipe that a link changes into another one
_LAST = "_last-model"  # the one that was used last in this session


@dataclass(frozen=True)
class Model:
    """A model by name, with what its file says of it."""

    name: str
    sha256: str
    config: ModelConfig

    @property
    def has_boundary(self) -> bool:
        """Whether it tells touching objects apart by a boundary (or distance) channel."""
        return targets.has_boundary(self.config.train.objective.target)

    @property
    def tuned(self) -> Segmentation:
        """The settings to start from."""
        tuned = self.config.segmentation
        return tuned if self.has_boundary else tuned.replace(method="components")


def names() -> list[str]:
    """The shipped checkpoints, then the runs that have weights, the newest first."""
    return checkpoint.names() + [one.run.id for one in overview.all_runs() if one.has_weights]


def default_for(data: str, trained_on: Mapping[str, str], *, last: str = "") -> str:
    """The model to start with for a data set, or with an empty name for an uploaded image.

    `trained_on` says on which set each model was trained. The first that was trained on this set;
    else the first that has learnt the same kinds of things; else, for an upload, the `last` that
    was used; else `nuclei`, or the first of all where that is missing. Empty where there is none.
    """
    own = [name for name, its in trained_on.items() if data and its == data]
    alike = [name for name, its in trained_on.items() if kinds(its) and kinds(its) == kinds(data)]
    used = [name for name in (last,) if not data and name in trained_on]
    usual = [name for name in (USUAL,) if name in trained_on]
    return next(iter([*own, *alike, *used, *usual, *trained_on]), "")


def kinds(data: str) -> tuple[str, ...]:
    """What the labels of a set tell apart: ("background", "nucleus").

    Empty for an unknown set, and for an own one whose objects nobody has named.
    """
    try:
        found = datasets.info(data).classes
    except ValueError:
        return ()
    return () if found == ("background", own.OBJECT) else found


def fits(trained_on: str, data: str) -> bool:
    """Whether a model of one set has learnt what another one shows, as far as both are known."""
    known = kinds(trained_on), kinds(data)
    return not all(known) or known[0] == known[1]


def misfit(config: ModelConfig, data: str) -> str:
    """A sentence on a model and a set that show different things; empty where they fit."""
    own = config.train.images.data
    if fits(own, data):
        return ""
    titles = plain(datasets.info(own).title), plain(datasets.info(data).title)
    return (
        f"This model has learnt from {titles[0]}, and these are {titles[1]}: one of their kind "
        "does better."
    )


def trained_on(names: Iterable[str]) -> dict[str, str]:
    """The data set of each model; empty for one that cannot be read, which is told when chosen."""
    found = {}
    for name in names:
        found[name] = ""
        with contextlib.suppress(ValueError):
            found[name] = cache.model_config(name).train.images.data
    return found


def choose(
    data: str,
    names: list[str],
    *,
    key: str = "model",
    prefer: str = "",
    width: int = 270,
    then: Callable[[], None] | None = None,
) -> str:
    """One of the models, kept in the address: the fitting one until a person or a link names one.

    Another data set brings its own default, also for a named one that does not fit it; that is
    told. An empty `data` is an uploaded image. `prefer` is a better default, where it is among the
    names. `then` is called when another model has taken the place of the one before.
    """
    state, named, seen = st.session_state, f"_{key}-named", f"_{key}-for"
    sets = trained_on(names)
    default = prefer if prefer in sets else default_for(data, sets, last=state.get(_LAST, ""))
    kept, asked = choice.held(key), st.query_params.get(key)
    if asked in sets and asked != kept:
        state[named] = True
    elif kept is None:
        state[named] = False
    elif kept in sets and kept != default:
        is_unfit = state.get(seen) != data and not fits(sets[kept], data)
        if is_unfit or not state.get(named):
            state[key], state[named] = default, False
            st.toast(f"Model {plain(default)} takes the place of {plain(kept)}: it fits better.")
            if then:
                then()

    def note() -> None:
        state[named] = True
        if then:
            then()

    name = choice.choose("Model", names, key, default=default, width=width, on_change=note)
    state[seen], state[_LAST] = data, name
    return name


def link_fine_tuning(name: str) -> None:
    """A way to train a model on: the form for a new run, with what made it, and its weights."""
    with contextlib.suppress(ValueError):  # the page says it when it reads the model
        page.link(
            "train",
            label="Fine-tune this model",
            icon=":material/model_training:",
            query=fine_tuning(name),
        )


def fine_tuning(name: str) -> dict[str, str]:
    """What the Train page must be asked for, to train a model on; ValueError as it is read."""
    config, _ = recipes.fine_tune(name)
    changes = forms.changes(config, presets.preset(_ANY).config)
    return {"preset": _ANY, **dict(change.split("=", 1) for change in changes)}


def say_how_to_get_one() -> None:
    """What stands where a model would be chosen, while there is none."""
    with st.container(border=True):
        st.markdown(
            "**There is no model yet.** Training makes one: the preset *quick* takes about two "
            "minutes, and its run appears here after the first epoch."
        )
        page.link("train", label="Train a U-Net", icon=page.icon("train"))
