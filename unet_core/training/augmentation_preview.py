"""One crop and what augmentation makes of it, to look at: by the same functions as in training.

Axes: B draws, H rows, W columns.
"""

from dataclasses import dataclass

import numpy as np
import torch

from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.imaging.images import fit, fit_labels, prepare
from unet_core.imaging.weight_map import weight_map
from unet_core.training.augment import augment
from unet_core.training.loader import (
    Place,
    TrainingData,
    as_example,
    draw_start,
    measure,
    read_around,
)


@dataclass(frozen=True)
class Draws:
    """A crop as it was and as augmentation has drawn it, all of the config's crop size."""

    config: TrainConfig
    norm_HW: np.ndarray  # float32, normalised
    labels_HW: np.ndarray  # int32
    norm_BHW: np.ndarray
    labels_BHW: np.ndarray
    border_BHW: np.ndarray | None  # float32, where the weight map moves with the image

    @property
    def n_moved(self) -> int:
        """In how many draws the labels are not those of the crop."""
        return int((self.labels_BHW != self.labels_HW).any((1, 2)).sum())

    def weights_HW(self, index: int | None) -> np.ndarray:
        """The weight map of a draw, or (None) of the crop as it was: float32, 1 and more.

        Made from the changed labels, or with `weights_follow` moved along with them.
        """
        if index is not None and self.border_BHW is not None:
            return 1 + self.border_BHW[index]
        labels_HW = self.labels_HW if index is None else self.labels_BHW[index]
        return weight_map(labels_HW, self.config.objective.w0, self.config.objective.sigma)


def draw(
    image_HW: np.ndarray,
    labels_HW: np.ndarray,
    model_config: ModelConfig,
    *,
    count: int = 8,
    seed: int = 0,
) -> Draws:
    """One crop of an image, drawn onto an object where there are any, and `count` changes of it.

    Image (raw pixels), labels (integers, 0 for background) and config are those of a training
    whose seed is `seed`: the crop is normalised, cut (mirrored at the image's border), augmented.
    A seed gives the same crop whatever the strengths are. Without `weight_map` in the config it
    is still made, except for class labels, which have none.

    Raises ValueError for a count below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    config = model_config.train.replace(seed=seed)
    if config.objective.target != "classes":
        config = config.replace(weight_map=True)
    image_HW = fit(config.images, image_HW)
    labels_HW = fit_labels(labels_HW, image_HW.shape)
    ready_HW = prepare(config.images, image_HW, in_training=True)
    record = measure(ready_HW, labels_HW, config, name="", split="train")
    example = as_example(record, model_config)
    rng = np.random.default_rng(seed)
    start = draw_start(image_HW.shape, config.images.crop_size, rng, example.objects)
    data = TrainingData(config, model_config, [example], [], [Place(0, start)], ())
    crops = data.batch(range(count))
    border_BHW = None if crops.border_BHW is None else torch.from_numpy(crops.border_BHW)
    drawn, labels_BHW, border_BHW = augment(
        torch.from_numpy(crops.norm_BHW)[:, None],
        torch.from_numpy(crops.labels_BHW),
        config.augmentation,
        torch.Generator().manual_seed(seed),
        border_BHW,
    )
    before = read_around(config)[0]
    middle = slice(before, before + config.images.crop_size)

    def cut(array: np.ndarray) -> np.ndarray:
        return array[..., middle, middle]

    return Draws(
        config,
        cut(crops.norm_BHW[0]),
        cut(crops.labels_BHW[0]),
        cut(drawn[:, 0].numpy()),
        cut(labels_BHW.numpy()),
        None if border_BHW is None else cut(border_BHW.numpy()),
    )
