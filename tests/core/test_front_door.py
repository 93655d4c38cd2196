"""`import unet_core`: what it offers, and what it does not load."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import unet_core
from unet_core.data import datasets
from unet_core.imaging import formats, instances, matching, stacks, weight_map
from unet_core.network import model

REPOSITORY = Path(__file__).resolve().parents[2]

# What others build on: a name that is missing here breaks their notebooks.
PROMISED = (
    "load train match iou_matrix components watershed weight_map UNet read_image datasets "
    "TrainConfig Segmentation"
).split()
HEAVY = ("numpy", "torch", "skimage", "scipy")


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_importing_loads_nothing_heavy_and_naming_a_function_no_torch() -> None:
    loaded = "print([name for name in sys.modules if name in heavy])"
    code = f"import sys, unet_core; heavy = {HEAVY}; {loaded}; unet_core.load; {loaded}"
    first, second = run_python(code).splitlines()
    assert first == "[]"
    assert "numpy" in second
    assert "torch" not in second


def test_every_name_that_is_offered_is_there() -> None:
    assert set(PROMISED) <= set(dir(unet_core))
    assert all(hasattr(unet_core, name) for name in dir(unet_core))


def test_names_are_those_of_the_modules_where_they_live() -> None:
    assert unet_core.datasets is datasets
    assert unet_core.read_image is formats.read_image
    assert unet_core.take_plane is stacks.take_plane
    assert unet_core.watershed is instances.watershed
    assert unet_core.weight_map is weight_map.weight_map
    assert unet_core.UNet is model.UNet
    assert unet_core.match is matching.match


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="segmnet"):
        _ = unet_core.segmnet  # type: ignore[attr-defined]


def test_the_names_do_what_they_promise() -> None:
    labels_HW = np.zeros((8, 8), int)
    labels_HW[1:3, 1:3], labels_HW[5:8, 5:8] = 1, 2
    counts = unet_core.match(labels_HW, labels_HW, iou=0.5) + unet_core.Counts(fn=2)
    assert (counts.precision, counts.recall, counts.ap) == (1.0, 0.5, 0.5)
    assert counts.f1 == counts.pq == pytest.approx(2 / 3)
    np.testing.assert_array_equal(unet_core.iou_matrix(labels_HW, labels_HW), np.eye(2))
    found_HW = unet_core.components(labels_HW > 0, threshold=0.5)
    np.testing.assert_array_equal(found_HW, labels_HW)
    found_HW = unet_core.watershed(labels_HW > 0, np.zeros((8, 8)))
    np.testing.assert_array_equal(found_HW, labels_HW)
    assert unet_core.weight_map(labels_HW, w0=10, sigma=5).shape == (8, 8)
    network = unet_core.UNet(1, 2, widths=(4, 8), padding="valid", norm=None)
    assert (network.in_channels, network.out_channels) == (1, 2)
