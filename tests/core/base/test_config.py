import json

import pytest

from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.training.presets import PRESETS, fall_back, preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name: str) -> None:
    config = PRESETS[name].config
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_model_configuration_survives_json() -> None:
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8)),
        outputs=("foreground",),
        diameter=12.5,
        segmentation=Segmentation(min_size=7),
    )
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs=x", "epochs must be a whole number"),
        ("epochs=0", "epochs must be at least 1"),
        ("lr=nan", "lr must be a finite number"),
        ("w0=inf", "w0 must be a finite number"),
        ("class_weights=1,inf", "class_weights must be a finite number"),
        ("lr=11", "lr must be at most 10"),
        ("ema=yes", "ema must be a number"),
        ("flip=perhaps", "flip must be true or false"),
        ("channels=8,x", "widths must be a whole number"),
        ("channels=", "widths must name at least one level"),
        ("channels=8,0", "widths must be at least 1"),
        ("widths=8 16 32", "commas between its numbers, 8, 16, 32: got '8 16 32'"),
        ("widths=8, 16 32", "commas between its numbers, 8, 16, 32: got '8, 16 32'"),
        ("widths=8,,16", "must have a value on each side of a comma, got '8,,16'"),
        ("widths=8,16,", "must have a value on each side of a comma, got '8,16,'"),
        ("norm=layer", "norm must be one of batch, group, none"),
        ("wombat=1", "unknown setting 'wombat'"),
        ("epochs", "written key=value"),
        ("loss=cross-entropy", "independent channels"),
        ("target=three-class", "exclusive classes"),
        ("target=distance", "needs loss bce"),
        ("class_weights=1,2,3", "class_weights must hold 2 numbers"),
        ("class_weights=0,0", "must not all be zero"),
        ("crop_size=100", "crop_size must be a multiple of 8 for the 4 levels"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line_that_names_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        TrainConfig().with_text([text])
    assert "\n" not in str(caught.value)


def test_a_lowest_level_of_one_pixel_needs_two_crops_for_its_statistics() -> None:
    deep = TrainConfig.of(widths=(4,) * 6, crop_size=32, batch_size=2)
    assert deep.replace(norm="none", batch_size=1).optimisation.batch_size == 1
    with pytest.raises(ValueError, match="batch_size must be at least 2 where the lowest level"):
        deep.replace(batch_size=1)
    assert deep.replace(batch_size=1, padding="valid").network.padding == "valid"  # never so small


def test_weight_map_needs_objects() -> None:
    with pytest.raises(ValueError, match="weight_map needs objects"):
        TrainConfig.of(target="classes", loss="cross-entropy", weight_map=True)


def test_settings_as_text_become_values_of_their_type() -> None:
    changed = TrainConfig().with_text(["channels=4, 8", "flip=no", "lr=1e-2", "batch-size=3"])
    assert changed == TrainConfig().replace(widths=(4, 8), flip=False, lr=0.01, batch_size=3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "must be a JSON object"),
        ({"epoch": 3}, "unknown setting 'epoch'"),
        ({"epochs": "3"}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"channels": 8}, "widths must be a list of whole numbers"),
        ({"channels": [8, "x"]}, "widths must be a list of whole numbers"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(values: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainConfig.from_dict(values)


def test_a_missing_part_is_named() -> None:
    with pytest.raises(ValueError, match="ModelConfig lacks train, outputs"):
        ModelConfig.from_dict({})


def test_a_deviation_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="std must be positive"):
        ModelConfig(train=TrainConfig(), outputs=("foreground",), std=0.0)


def test_a_preset_without_its_data_says_what_it_takes_instead() -> None:
    config, note = fall_back(preset("quick").config, ["synthetic-nuclei"])
    assert config.images.data == "synthetic-nuclei"
    assert "synthetic nuclei" in note
    assert fall_back(config, ["synthetic-nuclei"]) == (config, "")


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="quick, dsb-binary, dsb-boundary, dl4mia"):
        preset("fast")
