"""What a run keeps of its training: the weights, the state to resume from, and the pictures.

Each file appears whole or not at all, so that a full disk or a kill leaves the one before.
"""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_core.base import records
from unet_core.runs.runs import Run

if TYPE_CHECKING:  # the lock must be taken before heavy imports
    import numpy as np

    from unet_core.training.trainer import Training
    from unet_core.training.validator import Preview


def save_weights(run: Run, training: "Training") -> None:
    """Write the weights of the best epoch, or of this moment while none is complete."""
    from unet_core.network import checkpoint

    checkpoint.save(run.path / "best.safetensors", training.trained(best=True))


def save_state(run: Run, training: "Training", progress: dict[str, Any]) -> None:
    """Write all that continuing needs; `progress` is what the status says of it."""
    import torch

    saved = {"training": training.state(), "progress": progress}
    # Through a file object: torch hides a full disk when it opens the file itself.
    with records.replacing(run.path / "last.pt") as draft, open(draft, "wb") as file:
        torch.save(saved, file)


def load_state(run: Run) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The saved state of the training and the progress with it; None without one.

    Raises ValueError when it cannot be read.
    """
    import torch

    path = run.path / "last.pt"
    if not path.is_file():
        return None
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return saved["training"], saved["progress"]
    except (
        OSError,
        RuntimeError,
        ValueError,
        LookupError,
        TypeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(
            f"the saved state last.pt cannot be read ({type(error).__name__}): start a new run"
        ) from None


def cut_back(run: Run, *, step: int, epoch: int) -> None:
    """Cut what lies beyond a moment, left by a process that was killed later."""
    records.cut_rows(run.path / "steps.jsonl", lambda row: row.get("step", 0) <= step)
    records.cut_rows(run.path / "metrics.jsonl", lambda row: row.get("epoch", 0) <= epoch)
    for path in (run.path / "previews").glob("[0-9]*-*.png"):
        if int(path.name.partition("-")[0]) > epoch:
            path.unlink(missing_ok=True)
    if not step:
        (run.path / "best.safetensors").unlink(missing_ok=True)


def save_previews(run: Run, epoch: int, previews: "list[Preview]") -> None:
    """Write the predictions of an epoch, and once the images with their truth."""
    folder = run.path / "previews"
    folder.mkdir(exist_ok=True)
    for index, preview in enumerate(previews):
        if not (folder / f"truth-{index}.png").is_file():
            _write_png(folder / f"image-{index}.png", preview.image_HW)
            _write_png(folder / f"truth-{index}.png", preview.truth)
        _write_png(folder / f"{epoch:04d}-{index}.png", preview.prediction)


def _write_png(path: Path, pixels: "np.ndarray") -> None:
    from PIL import Image

    with records.replacing(path) as draft:
        Image.fromarray(pixels).save(draft, format="PNG")
