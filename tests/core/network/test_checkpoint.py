import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from unet_core.base import folders
from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.imaging import checkup
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.training.presets import preset

CONFIG = ModelConfig(
    train=TrainConfig.of(widths=(4, 8)),
    outputs=("foreground", "boundary"),
    diameter=20.0,
    segmentation=Segmentation(min_size=11),
    tuned_on="dsb2018 val",
)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Trained]:
    trained = Trained(CONFIG, checkpoint.build(CONFIG).eval())
    checkpoint.save(tmp_path / "net.safetensors", trained)
    return tmp_path / "net.safetensors", trained


@pytest.mark.parametrize("half", [False, True])
def test_a_saved_network_comes_back_whole(tmp_path: Path, half: bool) -> None:
    trained = Trained(CONFIG, checkpoint.build(CONFIG).eval())
    path = tmp_path / "net.safetensors"
    checkpoint.save(path, trained, half=half)
    loaded = checkpoint.load(path, device="cpu")
    assert loaded.config == checkpoint.read_config(path) == CONFIG
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        difference = (loaded.network(image) - trained.network(image)).abs().max()
    assert float(difference) <= (0.05 if half else 1e-5)  # channels_last rounds otherwise
    assert next(loaded.network.parameters()).dtype == torch.float32
    assert not loaded.network.training
    assert [one.name for one in tmp_path.iterdir()] == ["net.safetensors"]  # nothing half-written


def test_whoever_may_read_other_files_may_read_a_checkpoint(saved: tuple[Path, Trained]) -> None:
    other = saved[0].with_name("other")
    other.touch()
    assert saved[0].stat().st_mode == other.stat().st_mode


def test_half_halves_the_file(tmp_path: Path) -> None:
    config = CONFIG.replace(train=TrainConfig.of(widths=(32, 64)))
    trained = Trained(config, checkpoint.build(config))
    for half in (False, True):
        checkpoint.save(tmp_path / f"{half}.safetensors", trained, half=half)
    sizes = [(tmp_path / f"{half}.safetensors").stat().st_size for half in (False, True)]
    assert sizes[1] < 0.55 * sizes[0]


def test_a_model_is_found_by_run_id_run_folder_and_path(
    saved: tuple[Path, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = saved
    place = folders.runs() / "some-run"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="has no weights yet"):
        checkpoint.find("some-run")
    weights = path.rename(place / "best.safetensors")
    assert checkpoint.find("some-run") == checkpoint.find(str(place)) == weights
    assert checkpoint.find(weights) == weights
    monkeypatch.setattr(folders, "SHIPPED", place)
    assert checkpoint.names() == ["best"]
    assert checkpoint.find("best") == weights


@pytest.mark.parametrize("name", ["", "no-such-model", "/no/such/file", "a" * 300])
def test_an_unknown_model_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="there is no model"):
        checkpoint.find(name)


def test_by_name_alone_no_path_leads_anywhere(
    saved: tuple[Path, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "best.safetensors").write_bytes(saved[0].read_bytes())
    monkeypatch.setenv("UNET_RUNS", str(run.parent))
    assert checkpoint.named("mine") == run / "best.safetensors"
    assert checkpoint.named("nuclei").parent == folders.SHIPPED
    paths = (str(saved[0]), "../net.safetensors", "mine/../mine", "..", "mine/")
    for name in (*paths, "", "mine\n", "gone", "ä" * 200):
        with pytest.raises(ValueError, match=r"there is no model .* here"):
            checkpoint.named(name)


def test_wrong_files_are_refused_in_one_sentence(
    tmp_path: Path, saved: tuple[Path, Trained]
) -> None:
    whole = saved[0].read_bytes()
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    bad_config = {"config": json.dumps({"train": {}, "outputs": ["a"], "wombat": 1})}
    fewer = {"config": header["__metadata__"]["config"].replace("[4, 8]", "[4, 16]")}
    about = json.loads(header["__metadata__"]["config"])
    other = {"config": json.dumps(about | {"outputs": ["one", "two", "three"]})}
    tensors = checkpoint.build(CONFIG).state_dict()
    files = {
        "empty": (b"", "is not a safetensors file"),
        "text": (b"hello, world, this is text", "is not a safetensors file"),
        "cut": (whole[: len(whole) // 2], "is not a safetensors file"),
        "pickle": (pickle.dumps({"a": 1}), "PyTorch pickle"),
    }
    for name, (data, _) in files.items():
        (tmp_path / f"{name}.safetensors").write_bytes(data)
    torch.save({"a": torch.zeros(1)}, tmp_path / "torch.safetensors")
    save_file(tensors, tmp_path / "foreign.safetensors")
    save_file(tensors, tmp_path / "unknown.safetensors", metadata=bad_config)
    save_file(tensors, tmp_path / "misfit.safetensors", metadata=fewer)
    save_file(tensors, tmp_path / "outputs.safetensors", metadata=other)
    words = {name: said for name, (_, said) in files.items()} | {
        "torch": "PyTorch pickle",
        "foreign": "weights of another program",
        "unknown": "unknown setting 'wombat'",
        "outputs": "has other outputs",
        "misfit": "do not fit their own configuration",
    }
    for name, said in words.items():
        with pytest.raises(ValueError, match=said) as caught:
            checkpoint.load(tmp_path / f"{name}.safetensors", device="cpu")
        assert "\n" not in str(caught.value)


def test_the_recipe_for_nuclei_is_the_one_that_made_the_shipped_network() -> None:
    card = checkpoint.card("nuclei")
    assert card is not None
    assert TrainConfig.from_dict(card["config"]["train"]) == preset("nuclei").config


def test_every_shipped_checkpoint_has_a_card_and_loads() -> None:
    for name in checkpoint.names():
        card = checkpoint.card(name)
        assert card is not None
        assert {"command", "data", "data_hash", "scheme", "scores", "device"} <= card.keys()
        assert checkpoint.find(name).stat().st_size < 16_000_000
        config = checkpoint.load(name, device="cpu").config
        assert (
            config.tuned_on or config.train.objective.target == "classes"
        )  # which has no thresholds
    assert checkpoint.card("no-such-model") is None


def test_a_checkpoint_from_before_a_choice_of_skips_is_the_network_that_it_was() -> None:
    with safe_open(checkpoint.find("nuclei"), framework="numpy") as file:
        stored = json.loads(file.metadata()["config"])["train"]
    assert not {"skip", "up", "up_relu"} & set(stored)
    network = checkpoint.load("nuclei", device="cpu").network
    assert (network.skip, network.up_kind, len(network.rectify)) == ("concat", "transposed", 0)


def test_shipped_checkpoints_know_what_their_training_images_look_like() -> None:
    for name in checkpoint.names():
        config = checkpoint.read_config(name)
        assert len(config.looks_low) == len(config.looks_high) == len(checkup.LOOKS)
