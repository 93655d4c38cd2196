"""A trained network as an ONNX file, which programs without PyTorch run.

Axes: B batch, C channels, H rows, W columns.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from unet_core.network import anatomy
from unet_core.network.model import UNet, probabilities
from unet_core.predict.description import INPUT, OUTPUT, PROGRAM

if TYPE_CHECKING:
    from unet_core.network.checkpoint import Trained


class _Answer(nn.Module):
    """Normalised images [B, C, H, W] to probabilities: the network with its last activation."""

    def __init__(self, network: UNet, *, softmax: bool) -> None:
        super().__init__()
        self.network, self.softmax = network, softmax

    def forward(self, image: Tensor) -> Tensor:
        return probabilities(self.network(image), softmax=self.softmax)


def encode(trained: "Trained", about: dict[str, Any]) -> tuple[bytes, int]:
    """The network as the bytes of an ONNX file, and the version of its operators (opset).

    It takes a batch of any size of normalised images float32 [B, C, H, W] whose sides fit the
    network, and gives probabilities float32 [B, C, H, W]. `about` (see `description.describe`) is
    written into its metadata, as JSON.
    """
    network, config = trained.network, trained.config.train
    levels, padding = config.network.levels, config.network.padding
    softmax = config.objective.activation == "softmax"
    answer = _Answer(deepcopy(network).cpu(), softmax=softmax)
    # Two sides that differ, so that nothing takes them for one.
    step = anatomy.step(levels)
    side = anatomy.smallest_input(2 * step, levels, padding)
    example = torch.zeros(2, network.in_channels, side, side + step)
    rows, columns = (
        step * torch.export.Dim(f"{name}_steps", min=1) + side % step for name in ("row", "column")
    )
    sizes = {0: torch.export.Dim("batch"), 2: rows, 3: columns}
    with _quietly():
        program = torch.onnx.export(
            answer.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=(sizes,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            external_data=False,
            verbose=False,
        )
    assert program is not None
    made = program.model_proto
    made.producer_name = PROGRAM
    made.doc_string = f"{about['name']}: {' '.join([*about['before'], *about['after']])}"
    for node in made.graph.node:
        del node.metadata_props[:]  # where in the code it comes from, on this computer
    for key, value in {"name": about["name"], "description": json.dumps(about)}.items():
        made.metadata_props.add(key=key, value=value)
    return made.SerializeToString(), made.opset_import[0].version


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter says of packages that it would like to have."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
