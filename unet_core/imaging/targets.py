"""What a network learns from labels, and how its answer is read back.

Axes: B batch, C channels, H rows, W columns. The functions take NumPy arrays or torch tensors
and return the same kind, so that a page can show a target without waiting for torch and the
trainer can compute it on the device.
"""

import sys
from types import ModuleType
from typing import Any

import numpy as np
from scipy import ndimage

from unet_core.base.config import SOFTMAX_TARGETS

_NAMES = {
    "foreground": ("foreground",),
    "two-class": ("background", "foreground"),
    "three-class": ("background", "inside", "boundary"),
    "foreground+boundary": ("foreground", "boundary"),
    "distance": ("foreground", "distance"),
}


def channel_names(target: str, classes: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The name of each output channel; `classes` are the data set's own, for target "classes".

    Raises ValueError for an unknown target, or for "classes" without any.
    """
    if target == "classes":
        if len(classes) < 2:
            raise ValueError("target classes needs a data set with classes; this one has objects")
        return tuple(classes)
    if target not in _NAMES:
        raise ValueError(f"target must be one of {', '.join(_NAMES)} or classes, got {target!r}")
    return _NAMES[target]


def is_softmax(target: str) -> bool:
    """Whether the channels are exclusive classes (softmax) rather than independent (sigmoid)."""
    return target in SOFTMAX_TARGETS


def _module_of(array: Any) -> ModuleType:
    """NumPy or torch; torch is looked up, not imported, since its tensor is already here."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def boundaries(labels: Any, mode: str = "thick") -> Any:
    """Boolean boundary pixels of labels [..., H, W]: those beside a pixel with another label.

    `thick` marks both sides, `inner` the side in the object, `outer` the background side, and
    both sides where two objects touch. Neighbours are the 4 next to a pixel (for `outer`, two
    objects touch at corners, too), as in `skimage.segmentation.find_boundaries`, the oracle.

    Raises ValueError for an unknown mode.
    """
    if mode not in ("inner", "outer", "thick"):
        raise ValueError(f"boundary must be inner, outer or thick, got {mode!r}")
    xp = _module_of(labels)
    edge = xp.zeros_like(labels, dtype=bool if xp is np else xp.bool)
    down = labels[..., 1:, :] != labels[..., :-1, :]
    right = labels[..., :, 1:] != labels[..., :, :-1]
    edge[..., 1:, :] |= down
    edge[..., :-1, :] |= down
    edge[..., :, 1:] |= right
    edge[..., :, :-1] |= right
    if mode == "inner":
        return edge & (labels != 0)
    if mode == "outer":
        return edge & ((labels == 0) | _beside_another_object(labels, xp))
    return edge


def _beside_another_object(labels: Any, xp: ModuleType) -> Any:
    """Whether the 3x3 window of an object pixel holds another object; background is skipped."""
    labels = labels + 0  # a mask of bools counts as one object
    lowest = xp.where(labels == 0, xp.iinfo(labels.dtype).max, labels)
    return (_extreme3(labels, xp.maximum) != _extreme3(lowest, xp.minimum)) & (labels != 0)


def _extreme3(values: Any, pick: Any) -> Any:
    """The maximum or minimum of each 3x3 window, cut at the border."""
    rows = values + 0
    rows[..., 1:, :] = pick(rows[..., 1:, :], values[..., :-1, :])
    rows[..., :-1, :] = pick(rows[..., :-1, :], values[..., 1:, :])
    both = rows + 0
    both[..., :, 1:] = pick(both[..., :, 1:], rows[..., :, :-1])
    both[..., :, :-1] = pick(both[..., :, :-1], rows[..., :, 1:])
    return both


def distances(labels_HW: np.ndarray) -> np.ndarray:
    """Distance to the object's border, float32 in 0..1: 0 outside, 1 at the object's core.

    Each object's Euclidean distance is divided by its own maximum, so that small and large
    objects alike reach 1. The image border does not count as an object's border.
    """
    out_HW = np.zeros(labels_HW.shape, np.float32)
    for label, box in enumerate(ndimage.find_objects(labels_HW), start=1):
        if box is None:
            continue
        # One pixel of surroundings on each side, where the image has it.
        window = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        inside = labels_HW[window] == label
        if inside.all():  # nothing but this object: no border to be far from
            out_HW[window] = 1.0
            continue
        depth = ndimage.distance_transform_edt(inside)
        out_HW[window][inside] = (depth / depth.max())[inside]
    return out_HW


def encode(labels: Any, target: str, boundary: str = "thick") -> Any:
    """The training target of labels [H, W] or [B, H, W].

    Exclusive targets ("two-class", "three-class", "classes") give class numbers of the labels'
    own shape, int64. The others give float32 channels in 0..1, [..., C, H, W], in the order of
    `channel_names`.
    """
    xp = _module_of(labels)
    if target == "classes":
        return labels.astype(np.int64) if xp is np else labels.long()
    foreground = labels > 0
    if target in ("two-class", "three-class"):
        classes = foreground.astype(np.int64) if xp is np else foreground.long()
        if target == "three-class":
            classes[boundaries(labels, boundary)] = 2
        return classes
    channels = [foreground]
    if target == "foreground+boundary":
        channels.append(boundaries(labels, boundary))
    elif target == "distance":
        channels.append(_distances_of(labels, xp))
    elif target != "foreground":
        raise ValueError(f"unknown target {target!r}")
    if xp is np:
        return np.stack(channels, axis=-3, dtype=np.float32, casting="unsafe")
    return xp.stack([one.float() for one in channels], dim=-3)


def _distances_of(labels: Any, xp: ModuleType) -> Any:
    if xp is np:
        if labels.ndim == 2:
            return distances(labels)
        return np.stack([distances(one) for one in labels])
    return xp.from_numpy(_distances_of(labels.cpu().numpy(), np)).to(labels.device)


def has_boundary(target: str) -> bool:
    """Whether a network with this target tells where touching objects meet."""
    return target not in ("foreground", "two-class", "classes")


def has_rim(target: str, boundary: str) -> bool:
    """Whether exclusive boundary pixels lie in the objects, so that there are two readings."""
    return target == "three-class" and boundary != "outer"


def decode(prob_CHW: Any, target: str, boundary: str, reading: str = "objects") -> tuple[Any, Any]:
    """Foreground and boundary probability [H, W] from a network's channels.

    Every target is read as these two, so that one watershed serves all. Exclusive boundary
    pixels inside the object belong to the foreground (else objects never grow back to full
    size), unless the `reading` is "inside"; outer ones do not. A distance d becomes the boundary
    1 - d within the foreground.
    """
    if target == "foreground":
        return prob_CHW[0], 0 * prob_CHW[0]
    if target == "two-class":
        return prob_CHW[1], 0 * prob_CHW[1]
    if target == "foreground+boundary":
        return prob_CHW[0], prob_CHW[1]
    if target == "distance":
        return prob_CHW[0], prob_CHW[0] * (1 - prob_CHW[1])
    if target == "three-class":
        inside, edge = prob_CHW[1], prob_CHW[2]
        with_rim = has_rim(target, boundary) and reading == "objects"
        return (inside + edge if with_rim else inside), edge
    return 1 - prob_CHW[0], 0 * prob_CHW[0]
