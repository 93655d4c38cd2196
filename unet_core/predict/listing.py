"""Which pictures some folders, patterns and files stand for."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def is_many(inputs: Sequence[str]) -> bool:
    """Whether a folder or a pattern is among the words, so that many files may be meant."""
    return any(Path(one).is_dir() or _is_pattern(one) for one in inputs)


def find_images(
    inputs: Sequence[str], *, recursive: bool = False, leave_out: Path | None = None
) -> tuple[Path, list[str]]:
    """The folder that all have in common, and the files by their paths from there, sorted, with /.

    A folder stands for the PNG, JPEG and TIFF files in it, with `recursive` also for those in its
    subfolders; a pattern is one of `glob`. Hidden files are left out, and what lies in `leave_out`
    where that is a folder below. A file stands for itself, whatever it is.

    Raises ValueError where nothing is found.
    """
    roots, paths = [], set[Path]()
    for one in inputs:
        path = Path(os.path.abspath(one))
        if path.is_dir():
            roots.append(path)
            paths |= _in_folder(path, recursive)
        elif _is_pattern(one):
            fixed = next(place for place in path.parents if not glob.has_magic(str(place)))
            roots.append(fixed)
            found = map(Path, glob.glob(str(path), recursive=True))
            paths |= {name for name in found if _is_picture(name)}
        else:
            roots.append(path.parent)
            paths.add(path)
    root = Path(os.path.commonpath(roots))
    own = leave_out and leave_out.resolve()
    if own and root.resolve() in own.parents:
        paths = {path for path in paths if not path.resolve().is_relative_to(own)}
    if not paths:
        raise ValueError(_nothing_found(inputs, recursive))
    return root, sorted(path.relative_to(root).as_posix() for path in paths)


def _in_folder(folder: Path, recursive: bool) -> set[Path]:
    found = set[Path]()
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if recursive and not one.startswith(".")]
        found |= {path for name in names if _is_picture(path := Path(place) / name)}
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and not path.is_dir()


def _is_pattern(text: str) -> bool:
    return glob.has_magic(text) and not os.path.lexists(text)


def _nothing_found(inputs: Sequence[str], recursive: bool) -> str:
    asked = ", ".join(inputs)
    folders = [Path(one) for one in inputs if Path(one).is_dir()]
    if not recursive and any(_in_folder(one, recursive=True) for one in folders):
        return f"{asked} holds pictures in its subfolders only: add --recursive"
    return f"there is no PNG, JPEG or TIFF file in {asked}"
