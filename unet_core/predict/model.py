"""A trained network that takes raw pixels: what notebooks work with.

Axes: C channels of the network, H rows, W columns.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from unet_core.base.config import Segmentation
from unet_core.network import checkpoint
from unet_core.network.checkpoint import Trained
from unet_core.predict import export


@dataclass(frozen=True)
class Model(Trained):
    """A trained network with what it takes to go from raw pixels to labels.

    `config` says what it was trained for, `network` is the `torch.nn.Module`. Both methods take
    the options of `inference.predict`, such as `scale=2` or `invert=True`, and raise ValueError
    for what is no finite grey picture.
    """

    def predict(self, pixels_HW: np.ndarray, **options: Any) -> np.ndarray:
        """Probabilities float32 [C, H, W] in 0..1 of `config.outputs`, in this order.

        The pixels are normalised as in training. An image of one value is all background.
        """
        return export.predict(self, np.asarray(pixels_HW), **options).prob_CHW

    def segment(
        self, pixels_HW: np.ndarray, segmentation: Segmentation | None = None, **options: Any
    ) -> np.ndarray:
        """Labels int32 [H, W]: 0 for background, the objects 1..N.

        They are those of the page and of the command `segment`. None takes the settings that are
        stored with the network, `config.segmentation`, tuned on its validation images.
        """
        prediction = export.predict(self, np.asarray(pixels_HW), **options)
        return export.find_objects(prediction, segmentation or self.config.segmentation).labels_HW


def load(name: str | os.PathLike[str], *, device: str = "auto") -> Model:
    """The model of a shipped checkpoint, a run's id or folder, or a file, ready to use.

    Raises ValueError as `checkpoint.load`.
    """
    trained = checkpoint.load(name, device=device)
    return Model(trained.config, trained.network)
