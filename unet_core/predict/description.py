"""A model in words, for programs that know nothing of this one: what to do before it and after it.

Axes: B batch, C channels, H rows, W columns.
"""

from typing import Any

import numpy as np

from unet_core import __version__
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.imaging import targets
from unet_core.network import anatomy, checkpoint

PROGRAM = f"U-Net Workbench {__version__}"
INPUT, OUTPUT = "image", "probabilities"  # what the exported networks call them


def describe(
    model: str, *, in_channels: int, authors: tuple[str, ...] = (), licence: str = ""
) -> dict[str, Any]:
    """Everything that a stranger needs to get our objects from a model's exported network.

    As JSON has it. `before` and `after` are sentences in the order in which they are to be done;
    `normalisation` and `segmentation` are the same as numbers, by the names of our settings.
    `licence` is that of the weights; the training images have their own.

    Raises ValueError as `checkpoint.read_config`.
    """
    config = checkpoint.read_config(model)
    source, network = config.train.images, config.train.network
    name = checkpoint.stem(model)
    least = anatomy.smallest_input(1, network.levels, network.padding)
    card = checkpoint.card(model) or {}
    return {
        "name": name,
        "about": card.get("sentence", ""),
        "program": PROGRAM,
        "authors": list(authors or card.get("authors", ())),
        "licence": licence or card.get("licence", ""),
        "trained_on": _trained_on(source.data),
        "object_diameter_px": config.diameter,
        "pixel_size_um": config.pixel_size_um,
        "input": {
            "name": INPUT,
            "axes": "BCHW",
            "type": "float32",
            "channels": in_channels,
            "sides": {"least": least, "step": anatomy.step(network.levels)},
        },
        "output": {
            "name": OUTPUT,
            "axes": "BCHW",
            "type": "float32",
            "channels": list(config.outputs),
            "activation": config.train.objective.activation,
            "margin": margin(config),
        },
        "normalisation": _normalisation(config),
        "before": [*_prepare(config), _fit_sides(config)],
        "after": [*_read(config), *_cut(config)],
        "segmentation": config.segmentation.to_dict(),
        "tuned_on": config.tuned_on,
    }


def _trained_on(data: str) -> dict[str, str]:
    try:
        known = datasets.info(data)
    except ValueError:  # an own set that was deleted, or is somebody else's
        return {"name": data, "title": data, "licence": "not known here"}
    return {"name": data, "title": known.title, "licence": known.licence}


def margin(config: ModelConfig) -> int:
    """Pixels on each side by which the answer is smaller than the image."""
    network = config.train.network
    return anatomy.margin(network.levels) if network.padding == "valid" else 0


def _normalisation(config: ModelConfig) -> dict[str, Any]:
    """How pixels are brought to what the network knows; method "none" leaves them as they are."""
    source = config.train.images
    if source.mistake == "raw-prediction":
        return {"method": "none"}
    if source.normalisation == "min-max":
        return {"method": "percentile", "low_percentile": 0.0, "high_percentile": 100.0}
    if source.normalisation == "percentile":
        low, high = source.low_percentile, source.high_percentile
        return {"method": "percentile", "low_percentile": low, "high_percentile": high}
    # A number for each channel, or one for all.
    mean, std = (np.atleast_1d(one).tolist() for one in (config.mean, config.std))
    return {"method": "fixed", "mean": mean, "std": std}


def _prepare(config: ModelConfig) -> list[str]:
    """What is done to the pixels."""
    source, known = config.train.images, _normalisation(config)
    steps = []
    if source.fit_width:
        steps.append(
            f"Resize the image to a width of {source.fit_width} pixels, its height in proportion; "
            "bring the answer back to the image's size."
        )
    if source.equalise and known["method"] != "none":
        steps.append(
            "Equalise the histogram, so that all greys in 0..1 become equally frequent "
            "(equalize_hist of scikit-image)."
        )
    if known["method"] == "none":
        steps.append("Leave the pixels as they are: this model was made to show that mistake.")
    elif known["method"] == "percentile":
        low, high = known["low_percentile"], known["high_percentile"]
        steps.append(
            f"Stretch each channel of each image by itself: its percentile {low:g} becomes 0, its "
            f"percentile {high:g} becomes 1, and nothing is clipped."
        )
    else:
        mean, std = (", ".join(f"{one:.6g}" for one in known[name]) for name in ("mean", "std"))
        steps.append(
            "Divide whole numbers by the largest of their type (255 for 8 bits), subtract "
            f"{mean}, and divide by {std}."
        )
    return steps


def _fit_sides(config: ModelConfig) -> str:
    network = config.train.network
    step, lost = anatomy.step(network.levels), margin(config)
    if lost:
        least = anatomy.smallest_input(1, network.levels, network.padding)
        sides = ", ".join(str(least + number * step) for number in range(3))
        return (
            f"The network takes {lost} pixels from each side: mirror the image by as many beyond "
            f"each border. Both sides must then be one of {sides} and so on in steps of {step}: "
            "mirror a little more at the right and at the bottom, and cut that from the answer."
        )
    return (
        f"Both sides must be multiples of {step}: mirror the image beyond its right and lower "
        "border up to there, and cut that from the answer."
    )


def _read(config: ModelConfig) -> list[str]:
    """How the channels become a foreground and a boundary."""
    objective, reading = config.train.objective, config.segmentation.reading
    target = objective.target
    exclusive = objective.activation == "softmax"
    steps = [
        f"The answer holds probabilities of {', '.join(config.outputs)}"
        + (", which add up to 1." if exclusive else ", each by itself.")
    ]
    if target == "classes":
        steps.append("A pixel belongs to the class with the highest probability.")
        steps.append(f"For objects, the foreground is 1 - {config.outputs[0]}.")
    elif target == "three-class":
        rim = targets.has_rim(target, objective.boundary) and reading == "objects"
        steps.append(f"The foreground is {'inside + boundary' if rim else 'inside'}.")
    elif target == "distance":
        steps.append("The boundary is foreground x (1 - distance).")
    return steps


def _cut(config: ModelConfig) -> list[str]:
    """How foreground and boundary become objects."""
    one = config.segmentation
    regions = f"connected regions (by {one.connectivity} neighbours)"
    if one.method == "components":
        steps = [f"Objects are the {regions} where the foreground is above {one.threshold:g}."]
    else:
        across = one.connectivity == 8 and one.flood_corners
        has_boundary = targets.has_boundary(config.train.objective.target)
        what = f"foreground - {one.boundary_weight:g} x boundary"
        what, landscape = (what, "boundary") if has_boundary else ("the foreground", "mask")
        steps = [
            f"The mask is where the foreground is above {one.threshold:g}.",
            f"Markers are the {regions} of the mask where {what} is above "
            f"{one.marker_threshold:g}.",
            f"Flood the {landscape} from the markers inside the mask, "
            + ("also across corners" if across else "side by side only")
            + " (watershed of scikit-image): each marker becomes an object.",
        ]
    if one.fill_holes:
        steps.append("Fill the holes that one object encloses.")
    if one.drop_border:
        steps.append("Drop objects that touch the border of the image.")
    if one.min_size:
        steps.append(f"Drop objects of fewer than {one.min_size} pixels.")
    return steps


def markdown(about: dict[str, Any], *, usage: str) -> str:
    """The same for people, as the text of a README; `usage` is how one's own kind is used."""
    trained, image, answer = about["trained_on"], about["input"], about["output"]
    facts = [
        f"Trained on: {trained['title']}. Licence of these images: {trained['licence']}",
        f"Input `{image['name']}`: {image['type']}, axes batch, channel ({image['channels']}), "
        "row, column",
        f"Output `{answer['name']}`: channels {', '.join(answer['channels'])}",
    ]
    if about["object_diameter_px"]:
        facts.append(
            f"Objects in training: about {about['object_diameter_px']:.0f} pixels wide. Bring "
            "others to that size first."
        )
    if about["pixel_size_um"]:
        facts.append(f"Pixels in training: {about['pixel_size_um']:g} µm")
    if about["authors"]:
        facts.append(f"By {', '.join(about['authors'])}")
    if about["licence"]:
        facts.append(f"Licence of the weights: {about['licence']}")
    tuned = f" Chosen on {about['tuned_on']}." if about["tuned_on"] else ""
    parts = [
        f"# {about['name']}",
        about["about"],
        f"A U-Net for segmentation, from {about['program']}. {usage}",
        "\n".join(f"- {fact}" for fact in facts),
        "## Before the network",
        _numbered(about["before"]),
        "## After the network",
        _numbered(about["after"]) + tuned,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _numbered(steps: list[str]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
