"""Trained networks on disk: safetensors whose metadata holds all that segmenting must know."""

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from unet_core.base import folders, records
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.imaging import targets

if TYPE_CHECKING:
    from unet_core.network.model import UNet


@dataclass(frozen=True)
class Trained:
    """A network with its weights, in evaluation mode, and what it was trained for."""

    config: ModelConfig
    network: "UNet"


def names() -> list[str]:
    """The shipped checkpoints."""
    return sorted(path.stem for path in folders.SHIPPED.glob("*.safetensors"))


def find(name: str | os.PathLike[str]) -> Path:
    """The file of a shipped checkpoint, a run's id or folder, or a path, tried in this order.

    Raises ValueError when nothing of that name is there.
    """
    text = os.fspath(name)
    places = [folders.SHIPPED / f"{text}.safetensors"] if text in names() else []
    places += [folders.runs() / text, Path(text)] if text else []
    with contextlib.suppress(OSError):  # a name too long for a file, or a forbidden folder
        for place in places:
            if place.is_file():
                return place
            if (place / "best.safetensors").is_file():
                return place / "best.safetensors"
            if (place / "config.json").is_file():
                raise ValueError(
                    f"the run {place.name} has no weights yet: wait for its first epoch"
                )
    known = ", ".join(names()) or "none"
    raise ValueError(
        f"there is no model {text!r}: name a shipped checkpoint ({known}), a run, or a file"
    )


def named(name: str) -> Path:
    """The file of a shipped checkpoint or of a run, by its name alone.

    For names that come from links: a path leads nowhere, and nothing is opened. Raises ValueError
    when there is no such model, or a run has no weights yet.
    """
    if not folders.is_name(name) or not (name in names() or (folders.runs() / name).is_dir()):
        raise ValueError(f"there is no model {name!r} here")
    return find(name)


def card(name: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What is told about a model: scores, command, data, who made it; None without a card.

    It stands beside a shipped checkpoint, and in the metadata of a file that was taken from another
    installation. Nobody has checked what that one says.
    """
    try:
        path = find(name)
        if path.parent == folders.SHIPPED:
            found = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        else:
            found = json.loads(_metadata(path)["card"])
    except (OSError, ValueError, KeyError):
        return None
    return found if isinstance(found, dict) else None


def save(path: Path, trained: Trained, *, half: bool = False) -> None:
    """Write a checkpoint; it appears whole or not at all.

    `half` stores convolution weights as float16, half the size; the small vectors of BatchNorm
    stay float32, since a variance may exceed float16.
    """
    from safetensors import torch as safetensors

    tensors = {}
    for key, value in trained.network.state_dict().items():
        value = value.detach().cpu().contiguous()
        tensors[key] = value.half() if half and value.ndim == 4 else value
    metadata = {"config": json.dumps(trained.config.to_dict())}
    with records.replacing(path) as draft:
        # Not save_file: what it writes only its owner may read, also on a shared server.
        draft.write_bytes(safetensors.save(tensors, metadata=metadata))


def read_config(name: str | os.PathLike[str]) -> ModelConfig:
    """The configuration of a model, read without torch.

    Raises ValueError in one sentence for a file that is no checkpoint of ours.
    """
    path = find(name)
    metadata = _metadata(path)
    if "config" not in metadata:
        raise ValueError(f"{path.name} holds weights of another program: it has no configuration")
    try:
        config = ModelConfig.from_dict(json.loads(metadata["config"]))
        if targets.channel_names(config.train.objective.target, config.outputs) != config.outputs:
            raise ValueError(
                f"target {config.train.objective.target} has other outputs: {config.outputs}"
            )
        return _with_looks(config, path)
    except ValueError as problem:
        raise ValueError(f"the configuration in {path.name} does not fit: {problem}") from None


def _with_looks(config: ModelConfig, path: Path) -> ModelConfig:
    """What the training images of a shipped checkpoint look like may stand in its card alone."""
    if config.looks_low or path.parent != folders.SHIPPED:
        return config
    known = (card(path.stem) or {}).get("config", {})
    given = {key: known[key] for key in ("looks_low", "looks_high") if key in known}
    return config.replace(**{key: tuple(numbers) for key, numbers in given.items()})


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as problem:
        raise ValueError(_why_unreadable(path, problem)) from None


def _why_unreadable(path: Path, problem: Exception) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError:
        return f"{path.name} cannot be read: {problem}"
    if start == b"PK" or start[:1] == b"\x80":
        return (
            f"{path.name} looks like a PyTorch pickle, which can run code when it is opened: "
            "save the weights as .safetensors with this program instead"
        )
    return f"{path.name} is not a safetensors file, or is incomplete: copy it again"


def load(name: str | os.PathLike[str], *, device: str = "auto") -> Trained:
    """A trained network on the device, ready to predict, in float32.

    Raises ValueError in one sentence for an unknown name, a wrong file, or weights that do not fit
    their configuration.
    """
    import torch
    from safetensors.torch import load_file

    from unet_core.base.device import choose

    config = read_config(name)
    network = build(config)
    expected = network.state_dict()
    try:
        stored = load_file(find(name))
    except (SafetensorError, OSError) as problem:
        raise ValueError(_why_unreadable(find(name), problem)) from None
    if stored.keys() != expected.keys() or any(
        stored[key].shape != value.shape for key, value in expected.items()
    ):
        raise ValueError(f"the weights in {find(name).name} do not fit their own configuration")
    network.load_state_dict({key: value.to(expected[key].dtype) for key, value in stored.items()})
    network.to(device=choose(device).name, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(config, network.eval())


def stem(name: str | os.PathLike[str]) -> str:
    """What files that come from a model are called: its name, a run's id."""
    path = find(name)
    return path.parent.name if path.stem == "best" else path.stem


def origin(name: str | os.PathLike[str]) -> str:
    """A model's name with the sha256 of its file, to know later which weights they were."""
    digest = hashlib.sha256(find(name).read_bytes()).hexdigest()
    return f"{stem(name)}, sha256 {digest}"


def check_fit(config: TrainConfig, outputs: tuple[str, ...]) -> str:
    """Refuse weights to start from that belong to another network; there may be none.

    Gives a sentence where the model answers with other outputs, so that its last layer cannot be
    taken over; else an empty one. Raises ValueError that names the setting that differs, or as
    `read_config`.
    """
    name = config.network.init_from
    if not name:
        return ""
    other = read_config(name)
    there, here = other.train.network, config.network
    for setting in there.options():
        one, own = there.get(setting), here.get(setting)
        if one != own and setting not in ("init", "init_from"):
            raise ValueError(
                f"init_from {name} does not fit: its {setting} is {_words(one)}, and here it is "
                f"{_words(own)}"
            )
    if other.outputs == outputs:
        return ""
    return (
        f"The last layer begins anew: {name} answers with {', '.join(other.outputs)}, and here it "
        f"is {', '.join(outputs)}."
    )


def _words(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def build(config: ModelConfig) -> "UNet":
    """The untrained network of a configuration."""
    from unet_core.network.model import UNet

    train = config.train
    norm = None if train.network.norm == "none" else train.network.norm
    outputs = len(config.outputs)
    return UNet(
        1,
        outputs,
        train.network.widths,
        padding=train.network.padding,
        norm=norm,
        init=train.network.init,
        up_relu=train.network.up_relu,
        skip=train.network.skip,
        up=train.network.up,
    )
