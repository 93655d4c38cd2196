"""Objects from probabilities: connected components and marker watershed.

Axes: H rows, W columns. Every function gives labels: int32, 0 for background, the objects 1..N
without gaps, each of them one connected region. An image without any object gives zeros; so does
one without pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed as flood

from unet_core.base.config import Segmentation

FOR_WATERSHED = ("marker_threshold", "boundary_weight", "flood_corners")  # not for components


@dataclass(frozen=True)
class Steps:
    """What the marker watershed computes on its way, in this order, each of shape (H, W).

    difference_HW: foreground - boundary_weight * boundary, float32 like the two (or float64).
    markers_HW: int32, the connected regions of the mask where the difference is above the marker
        threshold.
    height_HW: the landscape that is flooded from the markers: the boundary.
    mask_HW: bool, where the foreground is above its threshold; the flood stays inside.
    labels_HW: int32, the result, after holes, border objects and small objects.
    """

    difference_HW: np.ndarray
    markers_HW: np.ndarray
    height_HW: np.ndarray
    mask_HW: np.ndarray
    labels_HW: np.ndarray


def components(
    foreground: np.ndarray,
    *,
    threshold: float = 0.5,
    connectivity: int = 8,
    min_size: int = 0,
    fill_holes: bool = False,
    drop_border: bool = False,
) -> np.ndarray:
    """Labels of the connected regions where the foreground is above the threshold.

    foreground: (H, W), real or bool. connectivity: 4, or 8 to count corners as contact.
    First holes are filled (`fill_object_holes`), then objects that touch the image border are
    dropped, then those with fewer pixels than `min_size`. Raises ValueError for another number of
    axes, NaN or infinite values, and impossible options.
    """
    foreground_HW = _check_probabilities(foreground, "foreground")
    _check_options(connectivity, min_size, threshold=threshold)
    labels_HW = _label(foreground_HW > float(threshold), connectivity)
    return _finish(labels_HW, min_size=min_size, fill_holes=fill_holes, drop_border=drop_border)


def watershed(
    foreground: np.ndarray,
    boundary: np.ndarray,
    *,
    threshold: float = 0.5,
    marker_threshold: float = 0.5,
    boundary_weight: float = 1.0,
    connectivity: int = 8,
    flood_corners: bool = True,
    min_size: int = 0,
    fill_holes: bool = False,
    drop_border: bool = False,
) -> np.ndarray:
    """Labels of the objects that grow from markers over the boundary as landscape.

    The mask is `foreground > threshold`. Markers are the connected regions of the mask where
    `foreground - boundary_weight * boundary` is above `marker_threshold`; they are flooded in
    order of rising boundary, inside the mask, across corners only with connectivity 8 and
    `flood_corners`. A region of the mask without a marker is no object.
    What the mask parts are several objects, as they are for `components`: that happens to a
    marker where `threshold` is above `marker_threshold`. The remaining options and the errors are
    those of `components`; foreground and boundary must have one shape.
    """
    return watershed_steps(
        foreground,
        boundary,
        threshold=threshold,
        marker_threshold=marker_threshold,
        boundary_weight=boundary_weight,
        connectivity=connectivity,
        flood_corners=flood_corners,
        min_size=min_size,
        fill_holes=fill_holes,
        drop_border=drop_border,
    ).labels_HW


def watershed_steps(
    foreground: np.ndarray,
    boundary: np.ndarray,
    *,
    threshold: float = 0.5,
    marker_threshold: float = 0.5,
    boundary_weight: float = 1.0,
    connectivity: int = 8,
    flood_corners: bool = True,
    min_size: int = 0,
    fill_holes: bool = False,
    drop_border: bool = False,
) -> Steps:
    """The result of `watershed` together with the pictures that lead to it."""
    foreground_HW = _check_probabilities(foreground, "foreground")
    height_HW = _check_probabilities(boundary, "boundary")
    if foreground_HW.shape != height_HW.shape:
        raise ValueError(
            "foreground and boundary must have the same shape, "
            f"got {foreground_HW.shape} and {height_HW.shape}"
        )
    _check_options(
        connectivity,
        min_size,
        threshold=threshold,
        marker_threshold=marker_threshold,
        boundary_weight=boundary_weight,
    )
    difference_HW = foreground_HW - float(boundary_weight) * height_HW
    mask_HW = foreground_HW > float(threshold)
    # Cut first, then numbered: two pieces of one marker would keep one number for ever.
    markers_HW = _label(mask_HW & (difference_HW > float(marker_threshold)), connectivity)
    labels_HW = np.zeros_like(markers_HW)
    if markers_HW.any():
        across = connectivity == 8 and flood_corners
        labels_HW = flood(height_HW, markers_HW, mask=mask_HW, connectivity=2 if across else 1)
    labels_HW = _finish(
        labels_HW, min_size=min_size, fill_holes=fill_holes, drop_border=drop_border
    )
    return Steps(difference_HW, markers_HW, height_HW, mask_HW, labels_HW)


def segment(
    foreground: np.ndarray, boundary: np.ndarray | None, options: Segmentation
) -> np.ndarray:
    """Labels by the method that the options name.

    The foreground is taken as it is: whoever decodes it follows the options' `reading`.
    "components" does not look at the boundary, "watershed" needs one: ValueError if it is None.
    """
    settings = watershed_options(options)
    if options.method == "components":
        for name in FOR_WATERSHED:
            del settings[name]
        return components(foreground, **settings)
    if boundary is None:
        raise ValueError(
            "the watershed needs a boundary channel, and this model has none: "
            "choose the method components"
        )
    return watershed(foreground, boundary, **settings)


def watershed_options(options: Segmentation) -> dict[str, Any]:
    """The options that `watershed` and `watershed_steps` take, by their names."""
    known = options.to_dict()
    return {name: known[name] for name in known if name not in ("method", "reading")}


def fill_object_holes(labels_HW: np.ndarray) -> np.ndarray:
    """Labels in which a hole, background that one object encloses, belongs to that object.

    Enclosed means: no way to the image border by steps to the four direct neighbours without
    crossing the object. The gap between several objects that touch in a ring stays background,
    and an object that lies in another one's hole stays itself.
    """
    background_HW, n_regions = ndimage.label(labels_HW == 0)
    enclosed = np.ones(n_regions + 1, bool)
    enclosed[0] = False
    for edge in _edges(background_HW):
        enclosed[edge] = False
    places = np.flatnonzero(enclosed[background_HW])
    if not len(places):
        return labels_HW
    region, owner = _contacts(background_HW, labels_HW, places)
    alone = np.bincount(region, minlength=n_regions + 1)[region] == 1
    fill = np.zeros(n_regions + 1, labels_HW.dtype)
    fill[region[alone]] = owner[alone]
    _fill_shared(background_HW, labels_HW, region[~alone], owner[~alone], fill)
    filled_HW = labels_HW.copy()
    filled_HW.ravel()[places] = fill[background_HW.ravel()[places]]
    return filled_HW


def _fill_shared(
    background_HW: np.ndarray,
    labels_HW: np.ndarray,
    region: np.ndarray,
    owner: np.ndarray,
    fill: np.ndarray,
) -> None:
    """Enter into `fill` the owners of regions that touch several objects, one enclosing the rest.

    Rare, so each object is looked at alone; one whose box does not surround the region cannot
    be it.
    """
    if not len(region):
        return
    boxes, regions = ndimage.find_objects(labels_HW), ndimage.find_objects(background_HW)
    surrounded: dict[int, list[int]] = {}
    for here, one in zip(region.tolist(), owner.tolist(), strict=True):
        pairs = zip(boxes[one - 1], regions[here - 1], strict=True)
        if all(box.start < inner.start and inner.stop < box.stop for box, inner in pairs):
            surrounded.setdefault(one, []).append(here)
    for one, inside in sorted(surrounded.items()):
        box = boxes[one - 1]
        enclosed = ndimage.binary_fill_holes(labels_HW[box] == one)
        for here in inside:
            if enclosed[background_HW[box] == here].all():
                fill[here] = one


def _contacts(
    background_HW: np.ndarray, labels_HW: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each pair of a background region and an object beside it, for pixels off the image border."""
    regions, objects = background_HW.ravel()[places], labels_HW.ravel()
    # One number per pair: sorting those is ten times as fast as sorting pairs.
    width = int(objects.max()) + 1
    found = []
    for step in (-1, 1, -labels_HW.shape[1], labels_HW.shape[1]):
        beside = objects[places + step]
        found.append((regions.astype(np.int64) * width + beside)[beside > 0])
    region, owner = np.divmod(np.unique(np.concatenate(found)), width)
    return region, owner


def _label(mask_HW: np.ndarray, connectivity: int) -> np.ndarray:
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    labels_HW = np.zeros(mask_HW.shape, np.int32)
    ndimage.label(mask_HW, structure, output=labels_HW)
    return labels_HW


def _edges(image_HW: np.ndarray) -> tuple[np.ndarray, ...]:
    return image_HW[:1], image_HW[-1:], image_HW[:, :1], image_HW[:, -1:]


def _finish(
    labels_HW: np.ndarray, *, min_size: int, fill_holes: bool, drop_border: bool
) -> np.ndarray:
    """Fill, drop, and number what is left from 1 in the order of the old labels."""
    if fill_holes:
        labels_HW = fill_object_holes(labels_HW)
    keep = np.bincount(labels_HW.ravel(), minlength=1) >= max(min_size, 1)
    if drop_border:
        for edge in _edges(labels_HW):
            keep[edge] = False
    keep[0] = False
    if keep[1:].all():
        return labels_HW
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return number[labels_HW]


def _check_probabilities(image: np.ndarray, name: str) -> np.ndarray:
    image_HW = np.asarray(image)
    if image_HW.ndim != 2:
        raise ValueError(f"{name} must have two axes (rows, columns), got shape {image_HW.shape}")
    if image_HW.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {image_HW.dtype}")
    if image_HW.dtype != np.float64:
        image_HW = image_HW.astype(np.float32, copy=False)
    if not np.isfinite(image_HW).all():
        raise ValueError(f"{name} must be finite everywhere, got NaN or infinity")
    return image_HW


def _check_options(connectivity: int, min_size: int, **thresholds: float) -> None:
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity must be 4 or 8, got {connectivity}")
    if min_size < 0:
        raise ValueError(f"min_size must not be negative, got {min_size}")
    for name, value in thresholds.items():
        if not np.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value}")
