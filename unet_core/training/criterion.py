"""What a network is asked for, and how wrong its answer is.

Axes: B batch, C channels, H rows, W columns.
"""

import numpy as np
import torch
from torch import Tensor

from unet_core.base.config import Objective
from unet_core.imaging import targets
from unet_core.imaging.weight_map import balance, weight_map
from unet_core.network.model import probabilities
from unet_core.training import losses


class Criterion:
    """Target, pixel weights and loss of labels, as an objective says.

    `class_shares` are the shares of the classes in the training pixels, for `balance`.
    """

    def __init__(self, objective: Objective, class_shares: tuple[float, ...] = ()) -> None:
        self.objective, self.class_shares = objective, class_shares

    def target(self, labels_BHW: Tensor) -> Tensor:
        """What the network should answer, as `targets.encode`."""
        return targets.encode(labels_BHW, self.objective.target, self.objective.boundary)

    def weights(self, labels_BHW: Tensor, border_BHW: Tensor | None = None) -> Tensor | None:
        """The weight of each pixel; None when all are 1.

        The border term of the weight map is made from the labels, unless it is given: one that has
        followed the image through augmentation is off by what the bending did to distances.
        """
        objective = self.objective
        if not objective.weight_map and not objective.balance:
            return None
        weights_BHW = self._class_weights(labels_BHW)
        if not objective.weight_map:
            return weights_BHW
        if border_BHW is None:
            maps = [
                weight_map(one, w0=objective.w0, sigma=objective.sigma, class_weights=(0, 0))
                for one in labels_BHW.cpu().numpy()
            ]
            border_BHW = torch.from_numpy(np.stack(maps)).to(labels_BHW.device)
        return weights_BHW + border_BHW

    def _class_weights(self, labels_BHW: Tensor) -> Tensor:
        """1, or with `balance` one over the share of the pixel's class, 1 on average."""
        if not self.class_shares:
            return torch.ones(labels_BHW.shape, device=labels_BHW.device)
        classes = (labels_BHW > 0).long()
        if targets.is_softmax(self.objective.target):
            classes = self.target(labels_BHW)
        return torch.tensor(balance(self.class_shares), device=labels_BHW.device)[classes]

    def loss(self, logits_BCHW: Tensor, target: Tensor, weights_BHW: Tensor | None) -> Tensor:
        """The loss, a scalar."""
        if self.objective.squash != "none":
            logits_BCHW = self._probabilities(logits_BCHW)
        return losses.loss(
            logits_BCHW,
            target,
            self.objective.loss,
            weights_BHW=weights_BHW,
            class_weights=self.objective.class_weights,
            divide=self.objective.divide_weights,
        )

    def _probabilities(self, logits_BCHW: Tensor) -> Tensor:
        return probabilities(logits_BCHW, softmax=self.objective.activation == "softmax")

    def foreground(self, logits_BCHW: Tensor) -> Tensor:
        """The probability [B, H, W] of belonging to an object."""
        prob_CBHW = self._probabilities(logits_BCHW).movedim(1, 0)
        return targets.decode(prob_CBHW, self.objective.target, self.objective.boundary)[0]

    def overlap(self, logits_BCHW: Tensor, labels_BHW: Tensor) -> tuple[int, int]:
        """Twice the foreground pixels that answer and truth share, and those that they have."""
        pred_BHW, true_BHW = self.foreground(logits_BCHW) > 0.5, labels_BHW > 0
        return int(2 * (pred_BHW & true_BHW).sum()), int(pred_BHW.sum() + true_BHW.sum())
