"""Where things lie on this machine."""

import os
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# In a checkout beside the package; an installation has them inside it.
SHIPPED = next(
    (place for place in (_PACKAGE / "checkpoints",) if place.is_dir()),
    _PACKAGE.parent / "checkpoints",
)


def data() -> Path:
    """Where data sets live: ``$UNET_DATA``, else ``./data``."""
    return Path(os.environ.get("UNET_DATA") or "data")


def imports() -> Path | None:
    """From where the app may take images that lie on this computer: ``$UNET_IMPORT``, else none."""
    chosen = os.environ.get("UNET_IMPORT")
    return Path(chosen) if chosen else None


def runs() -> Path:
    """Where runs live: ``$UNET_RUNS``, else ``./runs``."""
    return Path(os.environ.get("UNET_RUNS") or "runs")


def is_name(text: str) -> bool:
    """Whether a text is the name of something in a folder: no path, nothing hidden or too long."""
    return re.fullmatch(r"[\w-][\w.-]*", text) is not None and len(text.encode()) < 256
