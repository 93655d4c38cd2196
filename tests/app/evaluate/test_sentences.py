"""What an evaluation says in words: which images were used for what, and how broad a top is."""

from pathlib import Path

import pytest

from ui.evaluate import sentences
from unet_core.base.config import ModelConfig, Segmentation, TrainConfig

MEMBRANES = ModelConfig(
    train=TrainConfig.of(data="isbi2012", scheme="sections"), outputs=("foreground", "boundary")
)


def landscape(cells: int, *, second: str = "marker_threshold") -> dict:
    """A landscape of 4 x 5 settings whose first `cells` are as good as the best."""
    spans = {"threshold": [0.3, 0.5], second: [0.2, 0.2]}
    return {
        "second": second,
        "measure": "f1",
        "average": "by_image",
        "on_test": False,
        "values": [[0.5] * 5] * 4,
        "best": {"value": 0.5, "threshold": 0.3, second: 0.2, "segmentation": {"threshold": 0.3}},
        "base": {"value": 0.4, "threshold": 0.4, second: 0.2, "segmentation": {"threshold": 0.4}},
        "plateau": {"within": 0.005, "cells": [[0, one] for one in range(cells)], **spans},
    }


def test_test_images_are_known_under_another_scheme(real_data: Path) -> None:
    ask = sentences.are_test_images
    assert not ask(MEMBRANES, "isbi2012", "val", "sections")
    assert ask(MEMBRANES, "isbi2012", "test", "sections")
    # Sections 27 and 29, which this model keeps for the test, are trained on there.
    assert ask(MEMBRANES, "isbi2012", "train", "13-2-28")
    assert not ask(MEMBRANES, "synthetic-nuclei", "val", "fraction")


def test_each_use_of_the_images_has_its_sentence(real_data: Path) -> None:
    (train,) = sentences.use_warnings(MEMBRANES, "isbi2012", "train", "sections")
    assert "was trained on these 24 images" in train
    (val,) = sentences.use_warnings(MEMBRANES, "isbi2012", "val", "sections")
    assert val.startswith("These 3 images chose this model's best epoch: ")
    assert sentences.use_warnings(MEMBRANES, "isbi2012", "test", "sections") == []
    # Another scheme mixes: only some of the images are known to the model.
    (mixed,) = sentences.use_warnings(MEMBRANES, "isbi2012", "test", "13-2-28")
    assert "was trained on 2 of these 3 images" in mixed
    marked = MEMBRANES.replace(tuned_on="TEST IMAGES of isbi2012 (3, scheme sections)")
    (loud,) = sentences.use_warnings(marked, "isbi2012", "test", "sections")
    assert "chosen on TEST IMAGES of isbi2012" in loud
    assert sentences.use_warnings(MEMBRANES, "synthetic-nuclei", "train", "fraction") == []


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (0, "nothing to score"),
        (1, "a single point: each of the other 19 settings"),
        (2, "2 of 20 settings are within 0.005 of the best: foreground 0.3 to 0.5 and markers 0.2"),
    ],
)
def test_a_plateau_is_told_by_its_size(cells: int, words: str) -> None:
    assert words in sentences.plateau(landscape(cells))


def test_a_broad_top_is_told_from_a_narrow_one() -> None:
    assert "broad" in sentences.plateau(landscape(2))
    wide = landscape(2) | {"values": [[0.5] * 10] * 10}
    assert "narrow" in sentences.plateau(wide)
    sizes = landscape(2, second="min_size")
    assert "minimum area 0.2" in sentences.plateau(sizes)
    assert sentences.tune_headline(sizes).startswith("by image F1 0.500 at foreground 0.3")


def test_settings_are_told_in_one_line() -> None:
    document = {
        "images": 1,
        "scheme": "stardist",
        "pooled": [{"iou": 0.5}],
        "by_image": [{"iou": 0.5}],
        "thresholds": Segmentation(method="components", threshold=0.4, min_size=21).to_dict(),
        "tuned_on": "",
        "flips": True,
    }
    assert sentences.settings(document) == (
        "1 image · scheme stardist · components, threshold 0.4, from 21 px² · "
        "not tuned: the usual settings · averaged over flips and rotations"
    )
    by_hand = document | {"tuned_on": "given by hand", "flips": False, "crop_multiple": 16}
    assert sentences.settings(by_hand).endswith(
        "thresholds given by hand · images cut to multiples of 16"
    )
    objects = document["thresholds"] | {"reading": "inside", "connectivity": 4}
    printed = {"thresholds": objects, "protocol": {"settings": objects}, "flips": False}
    assert sentences.settings(by_hand | printed | {"crop_multiple": 0}).endswith(
        "threshold 0.4, inside alone, connectivity 4, from 21 px² · as printed in the tutorial"
    )
    # Classes have no thresholds.
    classes = document | {"pooled": [], "by_image": [], "flips": False, "window": 96}
    assert sentences.settings(classes) == ("1 image · scheme stardist · sliding window of 96 px")


@pytest.mark.parametrize(
    ("better", "told"),
    [(0.95, "Tuning pays: "), (0.9, "Tuning pays: "), (0.85, "It is not shown that tuning pays: ")],
)
def test_tuning_pays_only_where_other_images_gain_nearly_always(better: float, told: str) -> None:
    found = {"draws": 200, "better": better, "median": 0.008}
    text = sentences.gain(landscape(2) | {"gain": found})
    assert text.startswith(told)
    assert f"in {better:.0%} of 200 draws, typically by +0.008" in text


def test_without_a_better_point_or_other_images_nobody_says_that_tuning_pays() -> None:
    document = landscape(2)
    assert sentences.gain(document | {"gain": None}).startswith("One image cannot tell")
    assert "No other point is better" in sentences.gain(document | {"base": document["best"]})
    assert sentences.gain(document | {"best": {"value": None}}) == ""


def test_a_file_name_holds_no_path_and_no_colon() -> None:
    document = {
        "model": "/tmp/a b/best.safetensors",
        "data": "synthetic-shapes:noise=30",
        "split": "val",
    }
    assert sentences.file_stem(document) == "best.safetensors-synthetic-shapes-noise-30-val"
