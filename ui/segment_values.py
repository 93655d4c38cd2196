"""What the Segment page works with: an image, a model, and what is done to the image."""

from dataclasses import dataclass, field

import numpy as np

from unet_core.class_map import ClassMap
from unet_core.config import ModelConfig, Segmentation


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One plane to segment, and what is known of it."""

    stem: str
    file: str  # the name under which the command finds it
    file_sha256: str
    pixels_HW: np.ndarray
    pixels_sha256: str
    truth_HW: np.ndarray | None = None  # objects
    true_classes: ClassMap | None = None
    pixel_size_um: float | None = None
    plane: int | None = None
    channel: int | str | None = None
    source: bytes | None = None  # goes into the download where the person has no such file
    data: str = ""  # the set that a sample is from
    sample: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Model:
    """A model by name, with what its file says of it."""

    name: str
    sha256: str
    config: ModelConfig

    @property
    def has_boundary(self) -> bool:
        """Whether it tells touching objects apart by a boundary (or distance) channel."""
        return self.config.train.target not in ("foreground", "classes")

    @property
    def has_classes(self) -> bool:
        """Whether it has learnt classes rather than objects."""
        return self.config.train.target == "classes"

    @property
    def tuned(self) -> Segmentation:
        """The settings to start from."""
        tuned = self.config.segmentation
        return tuned if self.has_boundary else tuned.replace(method="components")


@dataclass(frozen=True)
class Treatment:
    """What happens to the image before and in the network."""

    invert: bool = False
    scale: float = 1.0
    flips: bool = False
    rotations: int = 0
    window: int = 0
