"""Networks in other programs' forms give what they give here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from unet_core.base.config import ModelConfig, Segmentation, TrainConfig
from unet_core.cli.main import main
from unet_core.imaging import images, targets
from unet_core.network import anatomy, checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.network.model import UNet, probabilities
from unet_core.predict import description, inference, model, model_formats, onnx_file

KINDS: dict[str, dict[str, Any]] = {
    "same, batch norm, softmax": {"target": "three-class", "loss": "cross-entropy"},
    "valid, sigmoid": {"padding": "valid", "norm": "none", "target": "foreground"},
    "bilinear, group norm": {"up": "bilinear", "norm": "group", "target": "distance"},
    "add, ReLU behind up": {"skip": "add", "up_relu": True, "target": "foreground+boundary"},
    "one level": {"widths": (4,), "target": "foreground"},
    "squashed": {"target": "two-class", "loss": "cross-entropy", "squash": "sigmoid"},
}


def make(seed: int = 0, **settings: Any) -> Trained:
    """An untrained network of a kind, whose normalisation layers have seen something."""
    settings = {"widths": (4, 8, 8), "loss": "bce"} | settings
    train = TrainConfig.of(data="synthetic-nuclei", **settings)
    outputs = targets.channel_names(train.objective.target)
    torch.manual_seed(seed)
    config = ModelConfig(train=train, outputs=outputs)
    network = checkpoint.build(config)
    return Trained(config, shake(network))


def shake(network: UNet) -> UNet:
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.uniform_(-0.1, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return network.eval()


def save(trained: Trained, path: Path) -> Path:
    checkpoint.save(path, trained)
    return path


def run(content: bytes, image_BCHW: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content)
    return session.run(None, {"image": image_BCHW})[0]


def sides(trained: Trained, *more: int) -> list[int]:
    """Sides that fit the network, by how many steps they are larger than the smallest."""
    network = trained.config.train.network
    least = anatomy.smallest_input(1, network.levels, network.padding)
    return [least + one * anatomy.step(network.levels) for one in more]


def difference(trained: Trained, content: bytes, *, rng: np.random.Generator) -> float:
    """The largest between PyTorch and ONNX, over two batches of two sizes."""
    largest = 0.0
    softmax = trained.config.train.objective.activation == "softmax"
    for batch, more in ((1, (0, 9)), (3, (7, 4))):
        shape = (batch, trained.network.in_channels, *sides(trained, *more))
        image_BCHW = rng.normal(size=shape).astype(np.float32)
        with torch.no_grad():
            logits_BCHW = trained.network(torch.from_numpy(image_BCHW))
        ours_BCHW = probabilities(logits_BCHW, softmax=softmax).numpy()
        theirs_BCHW = run(content, image_BCHW)
        assert theirs_BCHW.shape == ours_BCHW.shape
        largest = max(largest, float(np.abs(theirs_BCHW - ours_BCHW).max()))
    return largest


@pytest.mark.parametrize("kind", KINDS)
def test_onnxruntime_gives_the_probabilities_of_pytorch_for_any_batch_and_size(
    kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    trained = make(**KINDS[kind])
    path = save(trained, tmp_path / "net.safetensors")
    content = model_formats.encode(str(path), "onnx")["net.onnx"]
    assert difference(trained, content, rng=rng) < 1e-4


@pytest.mark.parametrize("name", checkpoint.names())
def test_onnxruntime_gives_the_probabilities_of_the_shipped_networks(
    name: str, rng: np.random.Generator
) -> None:
    trained = checkpoint.load(name, device="cpu")
    content = model_formats.encode(name, "onnx")[f"{name}.onnx"]
    assert difference(trained, content, rng=rng) < 1e-4


def test_an_image_of_several_channels_goes_in_whole(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    config = make().config
    trained = Trained(config, shake(UNet(3, 2, (4, 8, 8), norm="batch")))
    about = description.describe(str(save(make(), tmp_path / "x.safetensors")), in_channels=3)
    content, _ = onnx_file.encode(trained, about)
    assert about["input"]["channels"] == 3
    assert difference(trained, content, rng=rng) < 1e-4


def test_what_stands_beside_the_network_leads_from_raw_pixels_to_our_probabilities(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    trained = make(target="three-class", loss="cross-entropy", high_percentile=99.0)
    path = save(trained, tmp_path / "net.safetensors")
    made = model_formats.encode(str(path), "onnx", authors=("Ada",), licence="CC0-1.0")
    about = json.loads(made["net.json"])
    session = onnxruntime.InferenceSession(made["net.onnx"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["description"]) == about
    pixels_HW = rng.integers(0, 4000, (46, 59)).astype(np.uint16)
    # By the description alone:
    known, step = about["normalisation"], about["input"]["sides"]["step"]
    low, high = np.percentile(pixels_HW, [known["low_percentile"], known["high_percentile"]])
    norm_HW = (pixels_HW - low) / (high - low)
    more = [(0, -side % step) for side in norm_HW.shape]
    image_HW = np.pad(norm_HW, more, mode="symmetric").astype(np.float32)
    prob_CHW = session.run(None, {about["input"]["name"]: image_HW[None, None]})[0][0, :, :46, :59]
    ours_CHW = model.load(path, device="cpu").predict(pixels_HW)
    assert np.abs(prob_CHW - ours_CHW).max() < 1e-4
    assert about["output"]["channels"] == ["background", "inside", "boundary"]
    assert (about["authors"], about["licence"]) == (["Ada"], "CC0-1.0")
    text = made["net.md"].decode()
    assert all(sentence in text for sentence in about["before"] + about["after"])


def test_a_network_of_real_pixels_says_which_border_and_sides_it_needs(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    trained = make(padding="valid", normalisation="given", given_mean=0.3, target="foreground")
    trained = Trained(trained.config.replace(mean=0.3, std=0.2), trained.network)
    path = save(trained, tmp_path / "net.safetensors")
    made = model_formats.encode(str(path), "onnx")
    about = json.loads(made["net.json"])
    known, margin = about["normalisation"], about["output"]["margin"]
    least, step = about["input"]["sides"]["least"], about["input"]["sides"]["step"]
    pixels_HW = rng.integers(0, 256, (40, 51)).astype(np.uint8)
    norm_HW = (pixels_HW / 255 - known["mean"][0]) / known["std"][0]
    rows, columns = (
        images.mirror(-margin, side + margin + (least - side - 2 * margin) % step, side)
        for side in pixels_HW.shape
    )
    image_HW = norm_HW[np.ix_(rows, columns)].astype(np.float32)
    prob_CHW = run(made["net.onnx"], image_HW[None, None])[0, :, :40, :51]
    assert np.abs(prob_CHW - inference.predict(trained, pixels_HW)).max() < 1e-4
    assert f"{least}, {least + step}, {least + 2 * step} and so on" in about["before"][-1]


@pytest.mark.parametrize(
    ("settings", "segmentation", "sentences"),
    [
        ({"target": "foreground+boundary"}, {"boundary_weight": 2.0}, ["ground - 2 x boundary"]),
        ({"target": "distance"}, {}, ["The boundary is foreground x (1 - distance)."]),
        ({"target": "foreground"}, {"method": "components", "connectivity": 4}, ["by 4 neigh"]),
        (
            {"target": "three-class", "loss": "cross-entropy", "boundary": "inner"},
            {"drop_border": True, "min_size": 30, "flood_corners": False},
            ["inside + boundary", "touch the border", "fewer than 30 pixels", "side by side only"],
        ),
        ({"target": "foreground", "fit_width": 200, "equalise": True}, {}, ["of 200", "Equal"]),
        ({"target": "foreground", "mistake": "raw-prediction"}, {}, ["Leave the pixels"]),
    ],
)
def test_the_description_names_what_is_done_to_pixels_and_probabilities(
    settings: dict[str, Any], segmentation: dict[str, Any], sentences: list[str], tmp_path: Path
) -> None:
    trained = make(**settings)
    config = trained.config.replace(segmentation=Segmentation(**segmentation))
    path = save(Trained(config, trained.network), tmp_path / "net.safetensors")
    about = description.describe(str(path), in_channels=1)
    text = description.markdown(about, usage="")
    assert [one for one in sentences if one not in text] == []


def test_the_command_writes_the_network_and_what_belongs_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(make(), tmp_path / "my net.safetensors")
    words = ["export", str(path), "--format", "onnx", "--out", str(tmp_path / "out"), "--json"]
    assert main([*words, "--author", "Ada", "--author", "Bob"]) == 0
    document = json.loads(capsys.readouterr().out)
    names = ["my net.onnx", "my net.json", "my net.md"]
    assert document["files"] == [str(tmp_path / "out" / name) for name in names]
    assert sorted(names) == sorted(one.name for one in (tmp_path / "out").iterdir())
    assert json.loads((tmp_path / "out" / names[1]).read_text())["authors"] == ["Ada", "Bob"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["no-such", "--format", "onnx"], "there is no model 'no-such'"),
        (["nuclei", "--format", "onyx"], "format must be one of onnx"),
    ],
)
def test_another_format_or_model_is_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_without_the_packages_a_sentence_says_which_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_formats.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install onnx onnxscript"):
        model_formats.encode("nuclei", "onnx")
