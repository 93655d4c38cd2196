"""Recipes: all of them possible, and movable to every kind of data set."""

import pytest

from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.training import presets


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown preset 'fast'; there are: quick, dsb-binary"):
        presets.preset("fast")


def test_a_recipe_keeps_its_data_where_that_is_there() -> None:
    config = presets.preset("quick").config
    assert presets.fall_back(config, ["dsb2018"]) == (config, "")


def test_without_its_data_a_recipe_falls_back_to_synthetic_nuclei_and_says_so() -> None:
    config, note = presets.fall_back(presets.preset("quick").config, ["synthetic-nuclei"])
    assert (config.images.data, config.images.scheme) == ("synthetic-nuclei", "default")
    assert "dsb2018 is not downloaded" in note


@pytest.mark.parametrize("recipe", presets.PRESETS)
@pytest.mark.parametrize("data", datasets.SETS)
def test_every_recipe_can_move_to_every_data_set(recipe: str, data: str) -> None:
    about = datasets.info(data)
    classes = about.classes if about.labels == "classes" else ()
    base = presets.preset(recipe).config
    config, note = presets.move(base, data, has_classes=about.labels == "classes")
    assert config.images.data == data
    assert targets.channel_names(config.objective.target, classes)
    changes_target = (about.labels == "classes") != (base.objective.target == "classes")
    assert (f"{data} has" in note) == changes_target
    assert datasets.resolve_scheme(data, config.images.scheme) in about.schemes


def test_numbers_given_for_one_set_are_measured_on_another() -> None:
    original = presets.preset("dsb-binary-original").config
    config, note = presets.move(original, "synthetic-nuclei", has_classes=False)
    assert config.images.normalisation == "dataset"
    assert "given mean and deviation are not those of synthetic-nuclei" in note


def test_a_recipe_that_stays_is_not_touched() -> None:
    config = presets.preset("dsb-binary").config
    assert presets.move(config, "dsb2018", has_classes=False) == (config, "")


def test_moving_from_classes_to_objects_gives_independent_channels() -> None:
    shapes = TrainConfig.of(data="synthetic-shapes", target="classes", loss="cross-entropy+dice")
    config, note = presets.move(shapes, "dsb2018", has_classes=False)
    assert (config.objective.target, config.objective.loss) == ("foreground+boundary", "bce+dice")
    assert "dsb2018 has objects" in note


def test_moving_to_classes_leaves_behind_what_only_objects_have() -> None:
    objects = TrainConfig.of(weight_map=True, class_weights=(1.0, 2.0))
    config, _ = presets.move(objects, "synthetic-shapes", has_classes=True)
    assert (config.objective.weight_map, config.objective.class_weights) == (False, ())
