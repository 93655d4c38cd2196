"""Where tests find real data, and the walls between them."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unet_core.base.config import ModelConfig, Segmentation, TrainConfig

REPOSITORY = Path(__file__).resolve().parent.parent

# Looked for at import, before any module of the core can ask for it.
_beside = REPOSITORY.parent / "shared" / "data"
if "UNET_DATA" not in os.environ and _beside.is_dir():
    os.environ["UNET_DATA"] = str(_beside)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with dsb2018/ and isbi2012/; tests that ask for it skip where it is absent."""
    for folder in (os.environ.get("UNET_DATA"), REPOSITORY / "data"):
        if folder and all((Path(folder) / name).is_dir() for name in ("dsb2018", "isbi2012")):
            return Path(folder)
    pytest.skip("no real data: set UNET_DATA to a folder with dsb2018/ and isbi2012/")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees another's runs or caches, nor the developer's."""
    monkeypatch.setenv("UNET_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("UNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _same_dice() -> None:
    """A forgotten seed shows as a wrong number every time, not one time in fifty."""
    random.seed(0)
    np.random.seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts at the same place in every test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def save_cutter() -> Callable[..., str]:
    """`save_cutter(data, target=..., segmentation=..., **more)` makes a run; gives its id.

    Its network does nothing but cut the normalised intensity at 0.35, so that everybody knows what
    it must find; with three classes the inside at 0.45, and from 0.25 on it is boundary. `more`
    goes into the ModelConfig.
    """
    return _save_cutter


def _save_cutter(
    data: str = "synthetic-nuclei",
    *,
    target: str = "foreground+boundary",
    padding: str = "same",
    segmentation: Segmentation | None = None,
    **more: object,
) -> str:
    import torch

    from unet_core.imaging import targets
    from unet_core.network import checkpoint
    from unet_core.runs import runs

    train = TrainConfig.of(
        data=data,
        widths=(1,),
        norm="none",
        padding=padding,
        target=target,
        loss="cross-entropy" if target == "three-class" else "bce",
    )
    outputs = targets.channel_names(target)
    segmentation = segmentation or Segmentation(threshold=0.5, min_size=20)
    config = ModelConfig(train=train, outputs=outputs, segmentation=segmentation, **more)
    network = checkpoint.build(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for layer in (network.down[0][0], network.down[0][2]):
            layer.weight[0, 0, 1, 1] = 1.0
        network.head.weight[0, 0] = 30.0
        network.head.bias[0] = -30.0 * 0.35
        network.head.bias[1:] = -9.0
        if target == "three-class":
            network.head.weight[:, 0, 0, 0] = torch.tensor([0.0, 60.0, 30.0])
            network.head.bias[:] = torch.tensor([0.0, -21.0, -7.5])
    run = runs.create(train, preset="quick")
    checkpoint.save(run.path / "best.safetensors", checkpoint.Trained(config, network))
    return run.id
