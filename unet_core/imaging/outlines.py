"""Labels that other programs store as outlines: ImageJ's ROIs, QuPath's GeoJSON, COCO's JSON.

Axes: H rows, W columns.
"""

import io
import zipfile

from unet_core.imaging import coco, geojson, rois
from unet_core.imaging.other_json import parse
from unet_core.imaging.truth import Truth

ENDINGS = (".rois.zip", ".zip", ".roi", ".geojson", ".coco.json", ".json")  # the longer first


def ending(name: str) -> str:
    """How the name of a file of outlines ends, as it is written; empty for other files."""
    found = next((one for one in ENDINGS if name.lower().endswith(one)), "")
    return name[len(name) - len(found) :]


def is_rois(data: bytes) -> bool:
    """Whether some bytes are a zip with ROIs of ImageJ."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            return any(name.lower().endswith(".roi") for name in opened.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return False


def read(name: str, data: bytes, shape: tuple[int, int]) -> Truth:
    """The objects in a file of outlines, drawn in an image of this shape (rows, columns).

    The name says which format it is. A COCO file must be about one image. Raises ValueError, one
    sentence, as the reader of each format does, and for a COCO file about several images.
    """
    written = ending(name).lower()
    if written == ".geojson":
        return geojson.read(data, shape)
    if not written.endswith(".json"):
        return rois.read(data, shape)
    document = parse(data, "COCO")
    if not coco.is_coco(document):
        return geojson.read(data, shape)  # QuPath also writes plain .json
    found = list(coco.find(document).values())
    if len(found) != 1:
        raise ValueError(
            f"The COCO file must be about one image, this one is about {len(found)}: add them as a "
            "data set, where each image finds its own."
        )
    return found[0].labels(shape)
