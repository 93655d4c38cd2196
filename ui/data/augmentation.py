"""What augmentation makes of one sample: eight draws, as a training would see them.

Keys of widgets begin with `aug_`: a strength has two, one for its switch and one for its slider.
"""

from dataclasses import Field
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.data import augmentation_pictures
from ui.data.sample import choose_sample
from ui.shared import cache, forms, guess, html, page, takeover
from ui.shared.choice import choose
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.data import datasets
from unet_core.data.catalogue import DataSet
from unet_core.imaging import targets
from unet_core.training import presets

if TYPE_CHECKING:  # it imports torch
    from unet_core.training.augmentation_preview import Draws

COUNT = 8
CROPS = (64, 96, 128, 192, 256, 384, 512)
FIRST_PRESET = "nuclei"
FROM_HELP = "Sets all switches and sliders as a training with this recipe has them."
CROP_HELP = "Side of the piece that is cut out of the image, in pixels."
NEW_HELP = "Another crop of the same image, and other random changes."


@st.fragment
def show(about: DataSet, split: str, names: list[str]) -> None:
    """Switches and sliders beside eight draws; only this runs again when one of them moves."""
    with page.guard():
        if not page.finding_device().done():
            st.fragment(page.wait_for_torch, run_every=0.5)()
            return
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
        with row:
            sample = choose_sample(about, names)
            recipe = _choose_recipe(about)
            base = base_of(recipe, about)
            seed = _choose_draws(base)
        found = datasets.load(about.name, split, sample)
        if found.labels_HW is None:
            st.info(
                "Nobody has labelled this image, so nothing is trained on it: choose one of the "
                "training images.",
                icon=":material/info:",
            )
            return
        controls, pictures = html.beside(2.4)
        with controls:
            config = base.replace(**_choose_strengths(base), crop_size=st.session_state["aug_crop"])
            _show_buttons(about, base, config)
        with pictures:
            draws = _draw(found, about, config, seed)
            is_shown = guess.first(
                f"moved-{about.name}-{recipe}-{seed}",
                f"With these settings {COUNT} draws are made of one crop. In how many of them will "
                "the labels be others, too, because the objects have moved?",
                draws.n_moved,
                low=0,
                high=COUNT,
                step=1,
            )
            if not is_shown:
                return
            augmentation_pictures.show_tiles(draws, about, revision=f"{about.name} {sample} {seed}")
            augmentation_pictures.show_histogram(draws)
        augmentation_pictures.show_closer(draws, about, revision=f"{about.name} {sample} {seed}")


def _draw(found: datasets.Sample, about: DataSet, config: TrainConfig, seed: int) -> "Draws":
    from unet_core.training import augmentation_preview  # imports torch

    mean, std = _brightness(config, about)
    outputs = targets.channel_names(
        config.objective.target, about.classes if about.labels == "classes" else ()
    )
    model_config = ModelConfig(train=config, outputs=outputs, mean=mean, std=std)
    return augmentation_preview.draw(
        found.image_HW, found.truth_HW, model_config, count=COUNT, seed=seed
    )


def _brightness(config: TrainConfig, about: DataSet) -> tuple[float, float]:
    """Mean and deviation that normalising needs; measured once, where they are needed."""
    if config.images.normalisation != "dataset":
        return config.images.given_mean, config.images.given_std

    def measure() -> tuple[float, float]:
        from unet_core.training import loader  # imports torch

        with st.spinner("Measuring the brightness of all training images …"):
            measured = loader.load(TrainConfig.of(data=about.name, **_target(config))).model_config
        return measured.mean, measured.std

    return cache.shelf("brightness").get((about, datasets.folder(about.name)), measure)


def _target(config: TrainConfig) -> dict[str, Any]:
    return {
        "target": config.objective.target,
        "loss": config.objective.loss,
        "scheme": config.images.scheme,
    }


def base_of(preset: str, about: DataSet) -> TrainConfig:
    """The recipe as it trains on this data set."""
    config = presets.preset(preset).config
    return presets.move(config, about.name, has_classes=about.labels == "classes")[0]


def augmentations(config: TrainConfig) -> list[Field]:
    """The options that augmentation has, in their order."""
    return forms.groups(config)["Augmentation"]


def is_strength(about: Field) -> bool:
    """Whether a number is how strong a change is, with 0 for none; others only shape a change."""
    return isinstance(about.default, float) and about.default == 0


def top(about: Field) -> float:
    """Where the slider ends; never below what a recipe has."""
    known = [recipe.config.get(about.name) for recipe in presets.PRESETS.values()]
    ends = [max(one) if isinstance(one, tuple) else one for one in known]
    return float(max(about.metadata["top"] or about.metadata["high"], *ends))


def typical(about: Field) -> float:
    """A strength that one can see, for a change that the recipe does not make."""
    return round(0.2 * top(about), 2)


def widgets(config: TrainConfig) -> dict[str, Any]:
    """What each widget holds for a config: by its key."""
    held: dict[str, Any] = {"aug_crop": config.images.crop_size}
    for about in augmentations(config):
        value = config.get(about.name)
        if is_strength(about):
            held[f"aug_{about.name}_on"] = value > 0
            value = value or typical(about)
        held[f"aug_{about.name}"] = value
    return held


def _choose_recipe(about: DataSet) -> str:
    names = list(presets.of_kind("ours", "original"))
    default = FIRST_PRESET if FIRST_PRESET in names else names[0]
    return choose(
        "Start from recipe",
        names,
        "aug_from",
        default=default,
        width=170,
        help=FROM_HELP,
        on_change=lambda: _start_from(st.session_state["aug_from"], about),
    )


def _start_from(preset: str, about: DataSet) -> None:
    st.session_state.update(widgets(base_of(preset, about)))


def _choose_draws(base: TrainConfig) -> int:
    """The crop's side and the number of the draws."""
    sides = sorted(
        {*CROPS, *(recipe.config.images.crop_size for recipe in presets.PRESETS.values())}
    )
    st.select_slider(
        "Crop size (px)",
        sides,
        value=base.images.crop_size,
        key="aug_crop",
        bind="query-params",
        width=170,
        help=CROP_HELP,
    )
    seed = st.number_input(
        "Draws",
        0,
        2**31 - 1,
        0,
        1,
        key="aug_seed",
        bind="query-params",
        width=110,
        help="The seed: the same number gives the same draws.",
    )
    st.button(
        "New draws",
        icon=":material/casino:",
        key="aug_new",
        help=NEW_HELP,
        on_click=st.session_state.update,
        args=({"aug_seed": (seed + 1) % 2**31},),
    )
    return seed


def _choose_strengths(base: TrainConfig) -> dict[str, Any]:
    """The augmentation that is chosen, by the names of the options."""
    chosen: dict[str, Any] = {}
    options = augmentations(base)
    with st.container(horizontal=True, gap="medium"):
        for about in options:
            if isinstance(about.default, bool):
                chosen[about.name] = _draw_option(about.name, base.get(about.name))
    with st.container(gap="xsmall"):
        for about in options:
            if not isinstance(about.default, bool):
                chosen[about.name] = _choose_one(about, base.get(about.name))
    return chosen


def _choose_one(about: Field, value: Any) -> Any:
    """One option in a row of its own: its name or switch, and what it is set to."""
    left, right = st.columns([3, 2], vertical_alignment="center", gap="small")
    label, help, is_on = forms.label(TrainConfig, about.name), forms.tooltip(about), True
    with left:
        if is_strength(about):
            key = f"aug_{about.name}_on"
            is_on = st.toggle(label, value > 0, key=key, help=help, bind="query-params")
        else:
            st.markdown(f":small[{label}]", help=help)
    look: dict[str, Any] = {"label_visibility": "collapsed", "help": None}
    with right:
        if about.metadata["choices"]:
            return _draw_option(about.name, value, **look)
        look |= {"max_value": top(about), "disabled": not is_on or _is_idle(about.name)}
        strength = _draw_option(about.name, value or typical(about), **look)
    return strength if is_on else 0.0


def _draw_option(name: str, value: Any, **look: Any) -> Any:
    return forms.draw(
        TrainConfig, name, value, key=f"aug_{name}", is_live=True, bind="query-params", **look
    )


def _is_idle(name: str) -> bool:
    """Smoothness without bending does nothing."""
    if name == "elastic_blur":
        return not max(st.session_state.get("aug_elastic_alpha", (1,)))
    return name == "elastic_sigma" and not st.session_state.get("aug_elastic_on", True)


def _show_buttons(about: DataSet, base: TrainConfig, config: TrainConfig) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Use these in training", icon=page.icon("train"), key="aug_use"):
            takeover.offer(
                changes(base, config), source="the augmentation preview", data=about.name
            )
            st.session_state["aug_used"] = config
        st.button(
            "Reset",
            icon=":material/restart_alt:",
            key="aug_reset",
            help="Back to the recipe's own augmentation and crop size.",
            disabled=config == base,
            on_click=st.session_state.update,
            args=(widgets(base),),
        )
    if st.session_state.get("aug_used") == config:
        page.link("train", label="Taken over: go on to Train", icon=page.icon("train"))


def changes(base: TrainConfig, config: TrainConfig) -> dict[str, Any]:
    """What training takes over: all of the augmentation, and the crop size where it was moved.

    All, since the recipe that is trained may be another one than was started from here.
    """
    found = {about.name: config.get(about.name) for about in augmentations(config)}
    if config.images.crop_size != base.images.crop_size:
        found["crop_size"] = config.images.crop_size
    return found
