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

    `modules` are needed, which pip brings when it is told `install`, as does our extra of this
    format's name. `encode` takes the network and what `description.describe` says of it, and gives
    files by the ends of their names.
    """

    title: str
    reader: str
    modules: tuple[str, ...]
    install: str
    encode: Callable[["Trained", dict[str, Any]], dict[str, bytes]]

    @property
    def missing(self) -> str:
        """A sentence on what to install before it can be written; empty where all is there."""
        if all(_is_here(name) for name in self.modules):
            return ""
        return (
            f"{self.title} needs packages that are not installed here: pip install {self.install}"
        )


def _is_here(name: str) -> bool:
    try:
        return util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


def _onnx(trained: "Trained", about: dict[str, Any]) -> dict[str, bytes]:
    from unet_core.predict import onnx_file

    usage = ONNX_USAGE.format(name=about["name"])
    return {
        ".onnx": onnx_file.encode(trained, about)[0],
        ".json": (json.dumps(about, indent=1) + "\n").encode(),
        ".md": description.markdown(about, usage=usage).encode(),
    }


def _bioimageio(trained: "Trained", about: dict[str, Any]) -> dict[str, bytes]:
    from unet_core.predict import bioimage_package

    return {".bioimageio.zip": bioimage_package.encode(trained, about)}


FORMATS = {
    "onnx": Format(
        "ONNX",
        "for onnxruntime, MATLAB, C++ and other programs without PyTorch",
        ("onnx", "onnxscript"),
        "onnx onnxscript",
        _onnx,
    ),
    "bioimageio": Format(
        "bioimage.io",
        "a package for ilastik, deepImageJ and other programs of bioimage.io",
        ("bioimageio.spec", "onnx", "onnxscript"),
        'bioimageio.spec "pydantic<2.14" onnx onnxscript',
        _bioimageio,
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
