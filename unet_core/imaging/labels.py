"""Label images: 0 is background, each object has its number. Axes: H rows, W columns."""

import numpy as np


def check_labels(labels_HW: np.ndarray, name: str) -> np.ndarray:
    """The labels as an array, if they have two axes and hold whole numbers from 0 up.

    Else ValueError, with the argument's name.
    """
    labels_HW = np.asarray(labels_HW)
    if labels_HW.ndim != 2:
        raise ValueError(f"{name} must have two axes (rows, columns), got shape {labels_HW.shape}")
    if not np.issubdtype(labels_HW.dtype, np.integer):
        raise ValueError(f"{name} must hold whole numbers, got {labels_HW.dtype}")
    if labels_HW.size and labels_HW.min() < 0:
        raise ValueError(f"{name} must not hold negative labels, got {labels_HW.min()}")
    return labels_HW
