import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from unet_core.base.config import OUTPUTS, ModelConfig, Segmentation, TrainConfig
from unet_core.cli import main
from unet_core.data.catalogue import SETS
from unet_core.imaging import instances, targets
from unet_core.network import checkpoint
from unet_core.scoring import evaluation, protocols, published
from unet_core.scoring.protocols import PROTOCOLS
from unet_core.training.presets import PRESETS


def random_answer(rng: np.random.Generator, classes: int, *, smooth: float = 1.5) -> np.ndarray:
    """Probabilities as of a softmax, or of one sigmoid, over the whole range."""
    logits = ndimage.gaussian_filter(rng.normal(size=(classes, 70, 90)), (0, smooth, smooth))
    logits *= 3 / logits.std()
    if classes == 1:
        return (1 / (1 + np.exp(-logits))).astype(np.float32)
    return (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(np.float32)


def segment(name: str, prob: np.ndarray) -> np.ndarray:
    """The objects by a protocol, in a network of its preset."""
    settings, objective = PROTOCOLS[name].segmentation, PRESETS[name].config.objective
    assert settings is not None
    decoded = targets.decode(prob, objective.target, objective.boundary, settings.reading)
    return instances.segment(*decoded, settings)


def assert_same_regions(found: np.ndarray, expected: np.ndarray) -> None:
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(found)) == len(np.unique(expected)) > 10


def test_the_binary_objects_are_those_of_scikit_image_s_label(rng: np.random.Generator) -> None:
    for _ in range(5):
        prob = random_answer(rng, 1)
        assert_same_regions(segment("dsb-binary", prob), label(prob[0] > 0.5))


def test_the_boundary_objects_are_the_tutorial_s_watershed(rng: np.random.Generator) -> None:
    for smooth in (0.7, 1.0, 1.5, 2.0):
        prob = random_answer(rng, 3, smooth=smooth)
        inside, edge = prob[1:]
        cores = label((inside - edge > 0.5).astype(int))
        expected = watershed(edge, cores, mask=(inside > 0.5).astype(int))
        assert_same_regions(segment("dsb-boundary", prob), expected)


def test_the_objects_of_dl4mia_are_large_regions_without_corners(rng: np.random.Generator) -> None:
    for _ in range(5):
        prob = random_answer(rng, 3)
        regions, n_regions = ndimage.label(prob[1] > 0.5)
        sizes = np.bincount(regions.ravel(), minlength=n_regions + 1)
        expected = np.where(sizes[regions] >= 21, regions, 0)
        assert_same_regions(segment("dl4mia", prob), expected)


def test_a_protocol_fits_the_preset_it_is_called_as() -> None:
    for name, protocol in PROTOCOLS.items():
        config = PRESETS[name].config
        target = config.objective.target
        model = ModelConfig(train=config, outputs=("a",) * OUTPUTS.get(target, 3))
        assert protocols.misfit(name, model, config.images.data) == ""
        assert config.images.data in SETS
        assert set(protocol.looks) == {
            "flips", "rotations", "window", "crop_multiple", "patches", "middle",
        }  # fmt: skip


def test_every_printed_figure_is_one_that_is_published() -> None:
    known = {(row.method, row.data, row.metric) for row in published.ROWS}
    for name, protocol in PROTOCOLS.items():
        for metric, average in protocol.figures:
            is_there = (protocol.method, protocol.data, metric) in known
            assert is_there == (name != "dsb-boundary")
            assert average in protocols.AVERAGES


@pytest.mark.parametrize(
    ("name", "target", "data", "words"),
    [
        ("dl4mia", "three-class", "isbi2012", "is for dsb2018, got isbi2012"),
        ("dsb-binary", "three-class", "dsb2018", "with the target foreground, and this one has"),
        ("dl4mia", "foreground", "dsb2018", "with the target three-class, and this one has"),
        ("shapes", "classes", "synthetic-shapes:noise=45", ""),
        ("isbi-valid", "distance", "isbi2012", ""),
    ],
)
def test_what_does_not_fit_is_one_sentence(name: str, target: str, data: str, words: str) -> None:
    loss = "cross-entropy" if target in ("three-class", "classes") else "bce"
    model = ModelConfig(train=TrainConfig.of(target=target, loss=loss), outputs=("a",))
    problem = protocols.misfit(name, model, data)
    assert words in problem
    assert bool(problem) == bool(words)


def evaluate(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main.main(["evaluate", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_command_measures_as_the_tutorial_did(
    tiny_data: Path, save_cutter: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = save_cutter("dsb2018", target="foreground", segmentation=Segmentation(threshold=0.9))
    found = evaluate(capsys, "--model", run, "--protocol", "dsb-binary")
    assert (found["data"], found["split"], found["crop_multiple"]) == ("dsb2018", "test", 16)
    by_hand = evaluation.evaluate(
        checkpoint.load(run, device="cpu"),
        "dsb2018",
        "test",
        segmentation=Segmentation(method="components", fill_holes=False),
        view=PROTOCOLS["dsb-binary"].view,
    )
    assert found["by_image"] == by_hand["by_image"]
    about = found["protocol"]
    assert (about["name"], about["changed"]) == ("dsb-binary", [])
    whole, cut = about["figures"]
    assert (whole["theirs"], whole["ours"]) == (0.7473, by_hand["by_image"][0]["f1"])
    assert cut["ours"] is None  # 48 px are a multiple of 16


def test_a_given_option_takes_the_place_of_the_printed_one(
    tiny_data: Path, save_cutter: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = save_cutter("dsb2018", target="foreground")
    words = ("--model", run, "--protocol", "dsb-binary", "--crop-multiple", "32")
    found = evaluate(capsys, *words, "--min-size", "21", "--split", "val")
    assert found["thresholds"]["min_size"] == 21
    assert found["protocol"]["changed"] == ["min_size", "crop_multiple"]
    whole, cut = found["protocol"]["figures"]
    assert whole["theirs"] is None  # of the test images only
    assert cut["ours"] == pytest.approx(found["by_image"][0]["f1"])  # all were cut
    assert main.main(["evaluate", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "thresholds as printed" in lines[0]
    assert "as printed in Segmentation with U-Net, binary, but for crop_multiple:" in lines


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--protocol magic", "unknown protocol 'magic'; there are: dsb-binary"),
        ("--protocol dl4mia", "with the target three-class, and this one has foreground"),
        ("--protocol dsb-binary --data isbi2012", "is for dsb2018, got isbi2012"),
        ("--data dsb2018", "name the images with --data and --split, or with --protocol"),
    ],
)
def test_a_mistake_is_one_line(
    words: str,
    told: str,
    tiny_data: Path,
    save_cutter: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = save_cutter("dsb2018", target="foreground")
    assert main.main(["evaluate", "--model", run, *words.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
