"""The forms in which a trained network is taken to other programs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from typing import TYPE_CHECKING, Any

from unet_core.network import checkpoint
from unet_core.predict import description

if TYPE_CHECKING:  # it imports torch
    from unet_core.network.checkpoint import Trained

ONNX_USAGE = (
    "`{name}.onnx` holds the network with its last activation, for onnxruntime and whatever else "
    "reads ONNX; `{name}.json` says the same as this page to programs."
)


@dataclass(frozen=True)
class Format:
    """A form of a network: who reads it, in a few words, and what is needed to write it.

    `packages` are the names of modules, `extra` that of ours which brings them. `encode` takes the
    network and what `description.describe` says of it, and gives files by the ends of their names.
    """

    title: str
    reader: str
    extra: str
    packages: tuple[str, ...]
    encode: Callable[["Trained", dict[str, Any]], dict[str, bytes]]

    @property
    def missing(self) -> str:
        """A sentence on what to install before it can be written; empty where all is there."""
        if all(util.find_spec(name.partition(".")[0]) for name in self.packages):
            return ""
        return (
            f"{self.title} needs packages that are not installed here: "
            f"pip install {' '.join(self.packages)} (the extra {self.extra})"
        )


def _onnx(trained: "Trained", about: dict[str, Any]) -> dict[str, bytes]:
    from unet_core.predict import onnx_file

    usage = ONNX_USAGE.format(name=about["name"])
    return {
        ".onnx": onnx_file.encode(trained, about)[0],
        ".json": (json.dumps(about, indent=1) + "\n").encode(),
        ".md": description.markdown(about, usage=usage).encode(),
    }


FORMATS = {
    "onnx": Format(
        "ONNX",
        "for onnxruntime, MATLAB, C++ and other programs without PyTorch",
        "onnx",
        ("onnx", "onnxscript"),
        _onnx,
    ),
}


def encode(
    model: str, name: str, *, authors: tuple[str, ...] = (), licence: str = ""
) -> dict[str, bytes]:
    """A model in one of the formats, by the names of its files, which begin with its own.

    Raises ValueError for another format, where a package is missing, for what the format cannot
    say, and as `checkpoint.load`.
    """
    if name not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {name!r}")
    form = FORMATS[name]
    if form.missing:
        raise ValueError(form.missing)
    trained = checkpoint.load(model, device="cpu")
    about = description.describe(
        model, in_channels=trained.network.in_channels, authors=authors, licence=licence
    )
    files = form.encode(trained, about)
    return {f"{about['name']}{ending}": content for ending, content in files.items()}
