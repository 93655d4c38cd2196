"""A trained network as a package of bioimage.io: one zip that ilastik, deepImageJ and others run.

The package holds the ONNX network, a description by the specification's version 0.5, a test image
with its answer, a cover and a README. Axes: B batch, C channels, H rows, W columns.
"""

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as PillowImage

from unet_core.base.config import ModelConfig
from unet_core.data import datasets, synthetic
from unet_core.imaging import images, overlay
from unet_core.network import anatomy
from unet_core.predict import description, export, onnx_file

if TYPE_CHECKING:
    from unet_core.network.checkpoint import Trained

WEIGHTS, DOCUMENT, COVER = "weights.onnx", "README.md", "cover.png"
TEST_IN, TEST_OUT = "test_input.npy", "test_output.npy"
UNET = (
    "Ronneberger, Fischer and Brox 2015, U-Net: Convolutional Networks for Biomedical Image "
    "Segmentation",
    "10.1007/978-3-319-24574-4_28",
)
USAGE = (
    f"`{WEIGHTS}` holds the network with its last activation. Programs that know bioimage.io "
    "stretch the image by themselves, as `rdf.yaml` tells them; what they do not know are the "
    "steps after the network. They mirror the image beyond its border, where U-Net Workbench has "
    "zeros: near the border their answers may differ a little."
)
EIGHT_BITS = 255
_SEED = 2015


def encode(trained: "Trained", about: dict[str, Any]) -> bytes:
    """The zip, checked against the specification; `about` as from `description.describe`.

    Nothing is asked of the network: citations are checked for their form alone.

    Raises ValueError for a model whose preparation the specification has no words for, and for a
    licence that is none of SPDX's names.
    """
    from bioimageio.spec import ValidationContext, save_bioimageio_package

    _check(trained.config, about)
    network, opset = onnx_file.encode(trained, about)
    test_CHW = _draw(trained)
    answer_CHW = _answer(trained, test_CHW, about["normalisation"])
    with TemporaryDirectory() as place:
        folder = Path(place)
        np.save(folder / TEST_IN, test_CHW[None].astype(np.float32))
        np.save(folder / TEST_OUT, answer_CHW[None])
        (folder / WEIGHTS).write_bytes(network)
        (folder / COVER).write_bytes(_cover(trained.config, test_CHW[0], answer_CHW))
        text = f"{description.markdown(about, usage=USAGE)}\n{_validation(about)}\n"
        (folder / DOCUMENT).write_text(text, encoding="utf-8")
        with ValidationContext(root=folder, log_warnings=False):
            described = _describe(trained, about, opset)
            made = save_bioimageio_package(described, output_path=folder / "package.zip")
        return made.read_bytes()


def _spec() -> Any:
    """The classes of a description; their types want what they turn texts into, not the texts."""
    from bioimageio.spec.model import v0_5

    return v0_5


def _check(config: ModelConfig, about: dict[str, Any]) -> None:
    source = config.train.images
    for name, is_on in (("fit_width", source.fit_width), ("equalise", source.equalise)):
        if is_on:
            raise ValueError(
                f"this model was trained with {name}, which a bioimage.io package has no words "
                "for: take the format onnx"
            )
    try:
        _spec().LicenseId(about["licence"] or "CC0-1.0")
    except ValueError:
        raise ValueError(
            "licence must be one of SPDX's names, such as CC-BY-4.0 or CC0-1.0, "
            f"got {about['licence']!r}"
        ) from None


def _halo(config: ModelConfig) -> int:
    """Pixels at the edge of an answer that have seen the edge of what was read.

    GroupNorm looks at all of it: there more pixels around the image would change every answer.
    """
    network = config.train.network
    if network.padding == "valid" or network.norm == "group":
        return 0
    return anatomy.overlap(network.levels, network.up)


def _least_side(config: ModelConfig) -> int:
    """The smallest input of which something is left without the halo."""
    network = config.train.network
    return anatomy.smallest_input(2 * _halo(config) + 1, network.levels, network.padding)


def _draw(trained: "Trained") -> np.ndarray:
    """A test image uint8 [C, H, W] of synthetic nuclei, as large as those of the training."""
    config = trained.config
    side = max(_least_side(config), 96)
    side += (_least_side(config) - side) % anatomy.step(config.train.network.levels)
    radius = min(max((config.diameter or 20.0) / 2, 4.0), side / 8)
    rng = np.random.default_rng(_SEED)
    return np.stack(
        [
            synthetic.nuclei(
                rng, (side, side), count=8, radius=(0.8 * radius, 1.2 * radius), illumination=0
            )[0]
            for _ in range(trained.network.in_channels)
        ]
    )


def _answer(trained: "Trained", pixels_CHW: np.ndarray, known: dict[str, Any]) -> np.ndarray:
    """The network's own probabilities float32 [C, H, W] for raw pixels of 8 bits."""
    import torch

    from unet_core.network.model import probabilities

    norm_CHW = np.stack([_normalise(one, known, at) for at, one in enumerate(pixels_CHW)])
    softmax = trained.config.train.objective.activation == "softmax"
    with torch.inference_mode():
        logits_BCHW = trained.network(torch.from_numpy(norm_CHW)[None])
        return probabilities(logits_BCHW, softmax=softmax)[0].numpy()


def _normalise(pixels_HW: np.ndarray, known: dict[str, Any], channel: int) -> np.ndarray:
    if known["method"] == "none":
        return pixels_HW.astype(np.float32)
    if known["method"] == "percentile":
        low, high = known["low_percentile"], known["high_percentile"]
        return images.normalise(pixels_HW, method="percentile", low=low, high=high)
    mean, std = (known[name][channel % len(known[name])] for name in ("mean", "std"))
    return images.normalise(pixels_HW, method="given", mean=mean, std=std)


def _cover(config: ModelConfig, pixels_HW: np.ndarray, answer_CHW: np.ndarray) -> bytes:
    """The test image beside itself with the objects that are found in it, as a PNG."""
    height, width = answer_CHW.shape[1:]
    top, left = ((a - b) // 2 for a, b in zip(pixels_HW.shape, (height, width), strict=True))
    grey_HW = images.display(pixels_HW[top : top + height, left : left + width])
    found = export.find_objects(export.interpret(answer_CHW, config), config.segmentation)
    number_HW = overlay.number_objects(found.labels_HW)
    painted = [
        overlay.paint(grey_HW, one_HW, overlay.shades(overlay.OBJECTS))
        for one_HW in (np.zeros_like(number_HW), number_HW)
    ]
    buffer = io.BytesIO()
    PillowImage.fromarray(np.concatenate(painted, axis=1)).save(buffer, "PNG")
    return buffer.getvalue()


def _validation(about: dict[str, Any]) -> str:
    return (
        "## Validation\n\n"
        f"`{TEST_OUT}` is the answer to `{TEST_IN}`, an image drawn by a computer: it tells that "
        "the network runs as it should, not how good it is. For that, make label images of "
        "pictures with a known truth by the steps above, and compare them: "
        "`python -m unet_core score --true labels/ --pred results/`."
    )


def _describe(trained: "Trained", about: dict[str, Any], opset: int) -> Any:
    """The contents of rdf.yaml; the files that it names lie in the folder of the context."""
    spec = _spec()

    config = trained.config
    step, least = anatomy.step(config.train.network.levels), _least_side(config)
    channels = [f"channel{number}" for number in range(1, trained.network.in_channels + 1)]
    size = spec.ParameterizedSize(min=least, step=step)
    image = spec.InputTensorDescr(
        id=spec.TensorId(description.INPUT),
        description=_pixels(about["normalisation"]),
        axes=[
            spec.BatchAxis(),
            spec.ChannelAxis(channel_names=[spec.Identifier(one) for one in channels]),
            *(spec.SpaceInputAxis(id=spec.AxisId(one), size=size) for one in "yx"),
        ],
        test_tensor=spec.FileDescr(source=TEST_IN),
        data=spec.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_preprocessing(about["normalisation"]),
    )
    answer = spec.OutputTensorDescr(
        id=spec.TensorId(description.OUTPUT),
        description="Probabilities, 0 to 1. README.md says how they become objects.",
        axes=[
            spec.BatchAxis(),
            spec.ChannelAxis(channel_names=_identifiers(config.outputs)),
            *(_out_axis(config, one) for one in "yx"),
        ],
        test_tensor=spec.FileDescr(source=TEST_OUT),
        data=spec.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
    )
    weights = spec.OnnxWeightsDescr(source=WEIGHTS, opset_version=opset)
    trained_on = about["trained_on"]
    return spec.ModelDescr(
        name=_name(about["name"]),
        description=f"{about['about']} Trained on {trained_on['title']}."[-512:].strip(),
        authors=[spec.Author(name=one) for one in about["authors"]],
        cite=[spec.CiteEntry(text=text, doi=doi) for text, doi in (UNET, *_cited(config))],
        license=about["licence"] or None,
        covers=[spec.FileDescr(source=COVER)],
        documentation=spec.FileDescr(source=DOCUMENT),
        tags=["unet", "2d", "segmentation", "semantic-segmentation", "pytorch"],
        inputs=[image],
        outputs=[answer],
        weights=spec.WeightsDescr(onnx=weights),
        timestamp=spec.Datetime.now(),
        config=spec.Config(bioimageio=spec.BioimageioConfig(), unet_workbench=about),
    )


def _pixels(known: dict[str, Any]) -> str:
    if known["method"] == "fixed":
        return (
            f"Grey values of 8 bits, 0 to {EIGHT_BITS}; bring others to that range first, 16 bits "
            "by dividing by 257."
        )
    return "Grey values as they are in the file, of any range."


def _preprocessing(known: dict[str, Any]) -> list[Any]:
    """What `description` calls the normalisation, in the words of the specification."""
    spec = _spec()

    floats = spec.EnsureDtypeDescr(kwargs=spec.EnsureDtypeKwargs(dtype="float32"))
    if known["method"] == "none":
        return [floats]
    if known["method"] == "percentile":
        kwargs = spec.ScaleRangeKwargs(
            axes=[spec.AxisId("y"), spec.AxisId("x")],  # each image and channel by itself
            min_percentile=known["low_percentile"],
            max_percentile=known["high_percentile"],
        )
        return [floats, spec.ScaleRangeDescr(kwargs=kwargs), floats]
    mean, std = ([EIGHT_BITS * one for one in known[name]] for name in ("mean", "std"))
    fixed: Any = (
        spec.FixedZeroMeanUnitVarianceKwargs(mean=mean[0], std=std[0])
        if len(mean) == 1
        else spec.FixedZeroMeanUnitVarianceAlongAxisKwargs(
            axis=spec.AxisId("channel"), mean=mean, std=std
        )
    )
    return [floats, spec.FixedZeroMeanUnitVarianceDescr(kwargs=fixed), floats]


def _out_axis(config: ModelConfig, name: str) -> Any:
    """Rows or columns of the answer, which valid padding makes fewer."""
    spec = _spec()

    lost = 2 * description.margin(config)
    size = spec.SizeReference(
        tensor_id=spec.TensorId(description.INPUT), axis_id=spec.AxisId(name), offset=-lost
    )
    if not (halo := _halo(config)):
        return spec.SpaceOutputAxis(id=spec.AxisId(name), size=size)
    return spec.SpaceOutputAxisWithHalo(id=spec.AxisId(name), size=size, halo=halo)


def _identifiers(names: tuple[str, ...]) -> list[Any]:
    """Names of channels as the specification wants them: letters, digits and _."""
    spec = _spec()

    plain = [re.sub(r"\W", "_", name, flags=re.ASCII) for name in names]
    return [
        spec.Identifier(one if one.isidentifier() else f"class_{number}_{one}")
        for number, one in enumerate(plain)
    ]


def _cited(config: ModelConfig) -> tuple[tuple[str, str], ...]:
    """What publications name for the training images."""
    try:
        return datasets.info(config.train.images.data).cite
    except ValueError:
        return ()


def _name(text: str) -> str:
    """A name of the letters that the specification allows."""
    return f"U-Net {re.sub(r'[^A-Za-z0-9_+() -]', '-', text)}"[:128]
