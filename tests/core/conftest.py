"""A data set so small that a training takes a second."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.base.config import TrainConfig


@pytest.fixture
def tiny_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Path:
    """A data folder with a `dsb2018` of seven training and two test images of 48 x 48 pixels."""
    root = tmp_path / "data"
    for split, count in (("train", 7), ("test", 2)):
        for kind in ("images", "masks"):
            (root / "dsb2018" / split / kind).mkdir(parents=True)
        for index in range(count):
            labels_HW = np.zeros((48, 48), np.uint16)
            for number, (row, column) in enumerate(rng.integers(2, 36, (3, 2)), start=1):
                labels_HW[row : row + 9, column : column + 9] = number
            noise_HW = rng.integers(0, 40, labels_HW.shape)
            image_HW = (noise_HW + 150 * (labels_HW > 0)).astype(np.uint8)
            place = root / "dsb2018" / split
            tifffile.imwrite(place / "images" / f"{index}.tif", image_HW)
            tifffile.imwrite(place / "masks" / f"{index}.tif", labels_HW)
    monkeypatch.setenv("UNET_DATA", str(root))
    return root


@pytest.fixture
def tiny(tiny_data: Path) -> TrainConfig:
    """Settings that train on `tiny_data`: 2 epochs of 5 steps."""
    return TrainConfig.of(
        data="dsb2018",
        scheme="fraction",
        crop_size=32,
        widths=(4, 8),
        lr=1e-2,
        ema=0.9,
        batch_size=2,
        epochs=2,
        steps_per_epoch=5,
        device="cpu",
        precision="float32",
        brightness=0.1,
    )
