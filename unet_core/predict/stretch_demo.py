"""A mistake to look at: the smaller answer of valid convolutions, stretched over the whole image.

Axes: C channels, H rows, W columns.
"""

from dataclasses import dataclass

import numpy as np
import torch

from unet_core.imaging import images, metrics, targets
from unet_core.network import anatomy
from unet_core.network.checkpoint import Trained
from unet_core.network.model import probabilities
from unet_core.predict import inference


@dataclass(frozen=True)
class Answers:
    """The foreground probability of an image in two ways, float32 [H, W].

    `whole_HW` is what predicting gives: mirrored surroundings, overlapping tiles. `stretched_HW`
    is the answer to the image alone, which covers `answered` pixels of its middle, resized.
    """

    whole_HW: np.ndarray
    stretched_HW: np.ndarray
    answered: tuple[int, int]


def compare(trained: Trained, pixels_HW: np.ndarray) -> Answers:
    """Both answers to the raw pixels of an image.

    Raises ValueError for a network whose output is as large as its input, and for an image that
    is too small for the network without anything around it.
    """
    network, config = trained.network, trained.config
    if network.padding != "valid":
        raise ValueError("only a network with valid padding has a smaller answer to stretch")
    height, width = (_largest(side, len(network.widths)) for side in pixels_HW.shape)
    if not height or not width:
        shape = " x ".join(map(str, pixels_HW.shape))
        raise ValueError(
            f"an image of {shape} px is too small for this network alone: it needs "
            f"{2 * network.margin + network.fit(1)} px, choose a larger one"
        )
    norm_HW = images.normalise_for(config, images.fit(config.train.images, pixels_HW))
    top, left = (
        (side - kept) // 2 for side, kept in zip(norm_HW.shape, (height, width), strict=True)
    )
    prob_CHW = _answer(trained, norm_HW[top : top + height, left : left + width])
    stretched_CHW = np.clip(images.resize(prob_CHW, pixels_HW.shape), 0, 1)
    whole_CHW = inference.predict(trained, pixels_HW)
    whole_HW, stretched_HW = (
        targets.decode(one, config.train.objective.target, config.train.objective.boundary)[0]
        for one in (whole_CHW, stretched_CHW)
    )
    return Answers(whole_HW, stretched_HW, prob_CHW.shape[1:])


def mean_iou(true_HW: np.ndarray, foreground_HW: np.ndarray) -> float:
    """Mean IoU of background and foreground above .5; nan where neither occurs."""
    table = metrics.confusion(true_HW > 0, foreground_HW > 0.5, 2)
    return float(np.nanmean(metrics.iou_per_class(table)))


@torch.inference_mode()
def _answer(trained: Trained, norm_HW: np.ndarray) -> np.ndarray:
    """The probabilities of the middle of a normalised image: nothing is mirrored around it."""
    image = torch.from_numpy(np.ascontiguousarray(norm_HW, dtype=np.float32))
    logits = trained.network(image[None, None].to(next(trained.network.parameters()).device))
    softmax = trained.config.train.objective.activation == "softmax"
    return probabilities(logits[0], softmax=softmax).cpu().numpy()


def _largest(side: int, levels: int) -> int:
    """The largest side up to `side` that the network can read; 0 where there is none."""
    return next((one for one in range(side, 0, -1) if anatomy.output_side(one, levels, "valid")), 0)
