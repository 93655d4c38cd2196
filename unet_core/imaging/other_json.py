"""JSON that other programs wrote: parsed, or refused with one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unet_core.imaging.formats import read_bytes

MOST_BYTES = 512 * 2**20  # parsed, text takes several times its size


def parse(path_or_bytes: str | Path | bytes, kind: str) -> Any:
    """What a JSON file says; `kind` names it in the sentences.

    Raises ValueError, one sentence: what `read_bytes` refuses, more than MOST_BYTES, no text in
    UTF-8, cut short or no JSON (with the line), nested without end.
    """
    data = read_bytes(path_or_bytes)
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"The {kind} file has {len(data) / 2**20:.0f} MiB, more than the "
            f"{MOST_BYTES // 2**20} MiB that are read."
        )
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"The {kind} file is no text in UTF-8: export it again.") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The {kind} file is damaged or was cut short, at line {error.lineno}, column "
            f"{error.colno}: export it again."
        ) from error
    except (RecursionError, ValueError) as error:  # numbers of 4300 digits and more, too
        raise ValueError(f"The {kind} file is no such file: export it again.") from error
