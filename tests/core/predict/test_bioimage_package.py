"""A package of bioimage.io is valid, and gives its test outputs and our probabilities, offline."""

import json
import socket
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bioimageio import core
from bioimageio.spec import load_description
from bioimageio.spec.model.v0_5 import ModelDescr

from tests.core.predict.test_model_formats import make, save
from unet_core.cli.main import main
from unet_core.network import anatomy
from unet_core.network.checkpoint import Trained
from unet_core.predict import inference, model_formats

pytestmark = pytest.mark.filterwarnings("ignore")  # of packages that are not ours

KINDS: dict[str, dict[str, Any]] = {
    "percentiles": {"low_percentile": 2.0, "high_percentile": 99.0},
    "darkest and brightest": {"normalisation": "min-max", "up": "bilinear", "norm": "group"},
    "given, valid": {"normalisation": "given", "padding": "valid", "target": "foreground"},
    "as they are": {"mistake": "raw-prediction", "target": "foreground"},
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("somebody asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def read(path: Path) -> ModelDescr:
    found = load_description(path, perform_io_checks=True)
    assert isinstance(found, ModelDescr), found.validation_summary.format()
    return found


def write(made: dict[str, bytes], folder: Path) -> Path:
    ((name, content),) = made.items()
    (folder / name).write_bytes(content)
    return folder / name


# The test of `membranes` takes 80 s: its least side is four times as long.
@pytest.mark.parametrize("name", ["nuclei", "shapes"])
def test_the_packages_of_the_shipped_networks_pass_the_test_of_bioimageio_core(
    name: str, tmp_path: Path
) -> None:
    found = read(write(model_formats.encode(name, "bioimageio"), tmp_path))
    summary = core.test_model(found, weight_format="onnx", devices=["cpu"])
    assert summary.status == "passed", summary.format()
    assert found.authors[0].name == "U-Net Workbench authors"
    assert str(found.license) == "BSD-3-Clause"
    dois = {str(one.doi) for one in found.cite}
    assert "10.1007/978-3-319-24574-4_28" in dois


@pytest.mark.parametrize("kind", KINDS)
def test_bioimageio_core_gives_our_probabilities_for_raw_pixels(
    kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    trained = make(**{"target": "foreground+boundary"} | KINDS[kind])
    trained = Trained(trained.config.replace(mean=0.2, std=0.3), trained.network)
    path = save(trained, tmp_path / "net.safetensors")
    package = write(model_formats.encode(str(path), "bioimageio"), tmp_path)
    network = trained.config.train.network
    # Near the border others have mirrored pixels, where ours has zeros.
    is_local = network.padding == "same" and network.norm != "group"
    edge = anatomy.overlap(network.levels, network.up) if is_local else 0
    side = anatomy.smallest_input(60 + 2 * edge, network.levels, network.padding)
    pixels_HW = rng.integers(0, 200, (side, side)).astype(np.uint8)
    sample = core.predict(model=read(package), inputs={"image": pixels_HW[None, None]})
    (answer,) = sample.members.values()
    theirs_CHW = np.asarray(answer.data)[0]
    ours_CHW = inference.predict(trained, pixels_HW)
    cut = (side - theirs_CHW.shape[-1]) // 2
    ours_CHW = ours_CHW[:, cut : side - cut, cut : side - cut]
    assert theirs_CHW.shape == ours_CHW.shape
    inner = (slice(None), *2 * [slice(edge, theirs_CHW.shape[-1] - edge)])
    assert theirs_CHW[inner].shape[-1] >= 60
    assert np.abs(theirs_CHW[inner] - ours_CHW[inner]).max() < 1e-4


def test_the_package_says_who_made_it_and_how_probabilities_become_objects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(make(), tmp_path / "my nét.safetensors")
    words = ["export", str(path), "--format", "bioimageio", "--out", str(tmp_path), "--json"]
    assert main([*words, "--author", "Ada Lovelace", "--licence", "CC-BY-4.0"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = read(Path(document["files"][0]))
    assert (found.authors[0].name, str(found.license)) == ("Ada Lovelace", "CC-BY-4.0")
    assert document["note"] == ""
    assert found.name == "U-Net my n-t"
    with zipfile.ZipFile(document["files"][0]) as packed:
        text = packed.read("README.md").decode()
    assert "watershed of scikit-image" in text
    assert "## Validation" in text
    assert main(words) == 0
    assert "--author, --licence" in json.loads(capsys.readouterr().out)["note"]


@pytest.mark.parametrize(
    ("settings", "licence", "sentence"),
    [
        ({"equalise": True}, "", "trained with equalise, .* take the format onnx"),
        ({"fit_width": 64}, "", "trained with fit_width"),
        ({}, "mine", "licence must be one of SPDX's names, .* got 'mine'"),
    ],
)
def test_what_the_specification_cannot_say_is_refused(
    settings: dict[str, Any], licence: str, sentence: str, tmp_path: Path
) -> None:
    path = save(make(**settings), tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=sentence):
        model_formats.encode(str(path), "bioimageio", licence=licence)
