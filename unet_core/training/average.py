"""The average of a network's weights over the steps, which often segments better than the last."""

from copy import deepcopy

import torch

from unet_core.network.model import UNet


class WeightAverage:
    """An exponential moving average; with `keep` 0 it is the network itself.

    `network` is the averaged one. Young averages forget faster: the first weights are random.
    """

    def __init__(self, network: UNet, keep: float) -> None:
        self.keep = keep
        self.network = deepcopy(network).eval() if keep else network

    @torch.no_grad()
    def update(self, network: UNet, step: int) -> None:
        """Take in the weights after step number `step`, from 1."""
        if not self.keep:
            return
        keep = min(self.keep, (1 + step) / (10 + step))
        new = network.state_dict()
        for name, old in self.network.state_dict().items():
            if old.is_floating_point():
                old.lerp_(new[name], 1 - keep)
            else:
                old.copy_(new[name])
