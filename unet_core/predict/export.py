"""From pixels to labels and to the files that a person takes home, for the page and the command.

Axes: C channels of the network, H rows, W columns.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image as PillowImage

from unet_core.base import records
from unet_core.base.config import ModelConfig, Objective, Segmentation
from unet_core.imaging import class_map, images, instances, label_files, overlay, targets
from unet_core.imaging.class_map import ClassMap
from unet_core.imaging.measure import measure
from unet_core.network import checkpoint
from unet_core.predict.recipe import Recipe

if TYPE_CHECKING:  # they import torch, and the page must not wait for that
    from unet_core.network.checkpoint import Trained

PROBABILITY_ONE = 65535  # in the probabilities' TIFF of a download, whose pixels are uint16


@dataclass(frozen=True)
class Prediction:
    """What the network says of an image: its channels, float32 in 0..1, and what it has learnt.

    A network that learnt classes has a class map, too. `notes` are what to know before one
    believes it.
    """

    prob_CHW: np.ndarray
    objective: Objective
    classes: ClassMap | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Segmented(Prediction):
    """A prediction, its reading as two pictures, and the objects made from these.

    foreground_HW and boundary_HW: float32 in 0..1; the boundary is zero everywhere where the
    network has none. labels_HW: int32, 0 for background.
    """

    foreground_HW: np.ndarray
    boundary_HW: np.ndarray
    labels_HW: np.ndarray


CONSTANT = "All pixels of this image have one value: there is nothing to find."


def is_constant(pixels_HW: np.ndarray) -> bool:
    """Whether this is a grey image whose pixels have one value, so that nothing is to be found."""
    is_grey = pixels_HW.ndim == 2 and pixels_HW.size > 0
    return is_grey and bool((pixels_HW == pixels_HW.flat[0]).all())


def predict(
    trained: "Trained",
    pixels_HW: np.ndarray,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Prediction:
    """Run the network on raw pixels, the part that takes seconds.

    The options are those of `inference.predict`, which stand in a `Recipe`, too.

    An image without any contrast is not shown to the network, which might see things in it:
    everything is background then.
    """
    from unet_core.predict import inference

    config = trained.config
    if is_constant(pixels_HW):
        prob_CHW = np.zeros((len(config.outputs), *pixels_HW.shape), np.float32)
        prob_CHW[0] = targets.is_softmax(config.train.objective.target)
        note = CONSTANT
    else:
        prob_CHW = inference.predict(trained, pixels_HW, **options, on_progress=on_progress)
        note = inference.explain_tiles(trained, pixels_HW.shape, **options)
    return interpret(prob_CHW, config, notes=(note,) if note else ())


def interpret(
    prob_CHW: np.ndarray, config: ModelConfig, *, notes: tuple[str, ...] = ()
) -> Prediction:
    """The channels of a model's network as a prediction, with its classes where it knows some."""
    objective = config.train.objective
    is_classes = objective.target == "classes"
    classes = class_map.find(prob_CHW, config.outputs) if is_classes else None
    return Prediction(prob_CHW, objective, classes=classes, notes=notes)


def find_objects(prediction: Prediction, options: Segmentation) -> Segmented:
    """Make objects from probabilities, the part that takes milliseconds."""
    objective = prediction.objective
    decoded = targets.decode(
        prediction.prob_CHW, objective.target, objective.boundary, options.reading
    )
    return Segmented(
        prediction.prob_CHW,
        objective,
        *decoded,
        instances.segment(*decoded, options),
        classes=prediction.classes,
        notes=prediction.notes,
    )


def follow(trained: "Trained", pixels_HW: np.ndarray, recipe: Recipe) -> Prediction:
    """Run the network on raw pixels, by the recipe."""
    return predict(
        trained,
        pixels_HW,
        scale=recipe.scale,
        invert=recipe.invert,
        flips=recipe.flips,
        rotations=recipe.rotations,
        window=recipe.window,
    )


def segment(trained: "Trained", pixels_HW: np.ndarray, recipe: Recipe) -> Segmented:
    """The objects in raw pixels, by the recipe."""
    return find_objects(follow(trained, pixels_HW, recipe), recipe.segmentation)


def write(
    folder: Path,
    stem: str,
    pixels_HW: np.ndarray,
    segmented: Segmented,
    *,
    pixel_size_um: float | None = None,
    formats: Sequence[str] = (),
    file: str = "",
) -> list[Path]:
    """Write `<stem>_labels.tif`, `<stem>_overlay.png` and `<stem>_measurements.csv`.

    Where there are classes, also `<stem>_classes.tif`, `.png` and `.csv`. `formats` are further
    ones of `label_files`, in which the labels are written, too; `file` is the name of the image's
    file, which one of them holds. The folder is made where it does not exist. Gives the paths.
    """
    contents = _results(stem, pixels_HW, segmented, pixel_size_um)
    contents |= label_files.encode(
        formats, segmented.labels_HW, stem=stem, file=file or stem, pixel_size_um=pixel_size_um
    )
    paths = []
    for name, content in contents.items():
        paths.append(folder / name)
        write_whole(paths[-1], content)
    return paths


def write_labels(path: Path, segmented: Segmented, pixel_size_um: float | None) -> None:
    """Write the labels alone, and where there are classes `..._classes.tif` beside them."""
    write_whole(path, label_files.tiff(segmented.labels_HW, pixel_size_um))
    if segmented.classes is not None:
        content = label_files.tiff(segmented.classes.classes_HW, pixel_size_um)
        write_whole(path.with_name(path.name.replace("_labels.tif", "_classes.tif")), content)


def write_recipe(folder: Path, recipe: Recipe) -> Path:
    """Write recipe.json, once for all files of a command."""
    path = folder / "recipe.json"
    write_whole(path, recipe.to_json())
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing: on a full disk what was there before stays.

    Its folder is made where it does not exist.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with records.replacing(path) as draft:
        draft.write_bytes(content)


def archive(
    stem: str,
    pixels_HW: np.ndarray,
    segmented: Segmented,
    recipe: Recipe,
    *,
    pixel_size_um: float | None = None,
    channel_names: tuple[str, ...] = (),
    source: bytes,
) -> bytes:
    """One zip with all that `write` and `write_recipe` write, and more.

    Also in it: `<stem>_probabilities.tif`, a page per channel of the network, uint16 with
    probability = value / 65535; the image's file (`source`) under the recipe's name for it; and
    `command.txt`, which makes equal labels where all of this is unpacked. The same arguments give
    the same bytes.
    """
    files = _results(stem, pixels_HW, segmented, pixel_size_um)
    files[f"{stem}_probabilities.tif"] = probabilities_tiff(
        segmented.prob_CHW, channel_names, pixel_size_um
    )
    files["recipe.json"] = recipe.to_json()
    files["command.txt"] = "\n".join([*_needs(recipe), recipe.command(), ""]).encode()
    files[recipe.files[0]] = source
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # of 1980, so that equal content gives equal bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            container.writestr(entry, content)
    return packed.getvalue()


def _needs(recipe: Recipe) -> list[str]:
    """What must be there before the command runs, as comments of a shell."""
    found = [
        f"# Needs U-Net Workbench {recipe.version}: `pip install .` in its folder, once. Then run "
        "this where the zip is unpacked: sh command.txt"
    ]
    if recipe.model not in checkpoint.names():
        found.append(
            f"# And the training run {recipe.model}: set UNET_RUNS to the folder that holds it, or "
            "name a copy of its best.safetensors as --model."
        )
    return found


def plane_tiff(pixels_HW: np.ndarray, pixel_size_um: float | None = None) -> bytes:
    """An image plane as the bytes of a TIFF; the same pixels give the same bytes."""
    return _tiff(pixels_HW, pixel_size_um, {"axes": "YX"})


def _results(
    stem: str, pixels_HW: np.ndarray, segmented: Segmented, pixel_size_um: float | None
) -> dict[str, bytes]:
    labels_HW = segmented.labels_HW
    overlay_png = io.BytesIO()
    painted_HWC = overlay.paint(
        images.display(pixels_HW),
        overlay.number_objects(labels_HW),
        overlay.shades(overlay.OBJECTS),
    )
    PillowImage.fromarray(painted_HWC).save(overlay_png, "PNG", compress_level=4)
    table = measure(labels_HW, pixels_HW, pixel_size_um=pixel_size_um)
    found = {
        **label_files.encode(["tiff"], labels_HW, stem=stem, file="", pixel_size_um=pixel_size_um),
        f"{stem}_overlay.png": overlay_png.getvalue(),
        f"{stem}_measurements.csv": table.to_csv(index=False, lineterminator="\n").encode(),
    }
    if segmented.classes is not None:
        found |= class_map.files(stem, segmented.classes, pixel_size_um=pixel_size_um)
    return found


def probabilities_tiff(
    prob_CHW: np.ndarray,
    names: tuple[str, ...],
    pixel_size_um: float | None,
    *,
    one: int = PROBABILITY_ONE,
    **about: str,
) -> bytes:
    """Probabilities as the bytes of a TIFF with a page for each channel: value / `one`.

    uint16, or uint8 where `one` fits into it. `about` is written into the file, too.
    """
    told = {"axes": "CYX", "probability": f"value / {one}", "channels": ", ".join(names)}
    stored_CHW = np.rint(prob_CHW * one).astype(np.min_scalar_type(one))
    return _tiff(stored_CHW, pixel_size_um, told | about)


def _tiff(pixels: np.ndarray, pixel_size_um: float | None, about: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="minisblack",
        compression="zlib",
        metadata=about,
        **images.resolution_tags(pixel_size_um),
    )
    return buffer.getvalue()
