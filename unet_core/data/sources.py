"""The files of somebody's own data set, wherever they are: a folder, a zip, or an upload.

A file is known by its path inside, with `/` between folders, and its bytes are read when asked for.
Nothing is copied or unpacked.
"""

import io
import json
import os
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from unet_core.data import archive
from unet_core.imaging import coco, outlines
from unet_core.imaging.formats import read_bytes
from unet_core.imaging.other_json import parse

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MOST_FILES = 200_000  # Kaggle's layout has one for each object
_IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Files:
    """The pictures and outlines of a source in order, how to read one, and how many are neither.

    `read` raises ValueError for a file that cannot be read.
    """

    names: tuple[str, ...]
    read: Callable[[str], bytes]
    n_others: int = 0


def open_path(path: Path, *, within: Path | None = None) -> Files:
    """The files of a folder or of a zip.

    With `within` only what lies in that folder is read, wherever links lead. Raises ValueError
    for a path that is neither, leads out of `within`, or is a zip that is not to be trusted.
    """
    if within is not None and not path.resolve().is_relative_to(within.resolve()):
        raise ValueError(f"{path} lies outside of {within}, from which images may be taken")
    if path.is_dir():
        return _of_folder(path, within)
    if path.suffix.lower() == ".zip" and path.is_file():
        return of_zip(path.name, path)
    raise ValueError(f"{path} must be a folder or a zip file with images: there is no such")


def _of_folder(place: Path, within: Path | None) -> Files:
    found = []
    for at, folders, files in os.walk(place):
        folders[:] = [one for one in folders if not one.startswith(".")]
        found += [Path(at, file).relative_to(place).as_posix() for file in files]
        if len(found) > MOST_FILES:
            raise ValueError(f"{place} must hold at most {MOST_FILES} files: choose a folder in it")
    if within is not None:
        root = within.resolve()
        for name in found:
            if not (place / name).resolve().is_relative_to(root):
                raise ValueError(f"{name} is a link that leads out of {within}: take it away")
    return _sorted(found, lambda name: read_bytes(place / name))


def of_zip(name: str, content: Path | bytes) -> Files:
    """The files of a zip, read out of it one at a time. Raises ValueError as `unpack_zip`."""
    try:
        opened = zipfile.ZipFile(io.BytesIO(content) if isinstance(content, bytes) else content)
        members = archive.check_members(name, opened, most_files=MOST_FILES)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as problem:
        raise ValueError(f"{name} cannot be opened: {problem}") from None
    paths = {_decode(member): member for member in members}

    def read(path: str) -> bytes:
        try:
            return opened.read(paths[path])
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as problem:
            raise ValueError(f"{path} in {name} is damaged: {problem}") from None

    return _sorted(list(paths), read)


def _decode(member: zipfile.ZipInfo) -> str:
    """The name as it was meant: macOS writes UTF-8 and does not say so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def of_uploads(contents: Mapping[str, bytes]) -> Files:
    """The files that a browser has sent, by their paths; a zip among them stands for its files.

    Raises ValueError as `of_zip`, and for a name that leads outside.
    """
    readers: dict[str, Callable[[str], bytes]] = {}
    n_others = 0
    for name, content in contents.items():
        path = name.replace("\\", "/").lstrip("/")
        if ".." in path.split("/"):
            raise ValueError(f"the file name {name!r} leads out of its folder: rename it")
        if path.lower().endswith(".zip") and not outlines.is_rois(content):
            packed = of_zip(path, content)
            readers |= dict.fromkeys(packed.names, packed.read)
            n_others += packed.n_others
        else:
            readers[path] = lambda _, content=content: content  # type: ignore[misc]
    found = _sorted(list(readers), lambda path: readers[path](path))
    return Files(found.names, found.read, found.n_others + n_others)


def _sorted(names: list[str], read: Callable[[str], bytes]) -> Files:
    """The pictures among the names; hidden files and those of the system do not count at all."""
    seen = [
        name
        for name in names
        if not any(part.startswith(".") or part in _IGNORED for part in name.split("/"))
    ]
    pictures = [name for name in seen if _is_wanted(name, read)]
    pictures.sort(key=lambda name: unicodedata.normalize("NFC", name))
    return Files(tuple(pictures), read, len(seen) - len(pictures))


def _is_wanted(name: str, read: Callable[[str], bytes]) -> bool:
    """Whether a file is a picture or may hold outlines; of zips, those with ROIs do."""
    if name.lower().endswith(PICTURES):
        return True
    if not name.lower().endswith(".zip"):
        return bool(outlines.ending(name))
    try:
        return outlines.is_rois(read(name))
    except ValueError:
        return False


def split_coco(files: Files) -> Files:
    """The files with one COCO file for each image that one is about, and without other JSON.

    They lie beside the original and are called as their image. A damaged JSON stays as it is, for
    whoever reads it says what is wrong.
    """
    names: list[str] = []
    parts: dict[str, bytes] = {}
    n_others = files.n_others
    for name in files.names:
        if not name.lower().endswith(".json"):
            names.append(name)
            continue
        try:
            document = parse(files.read(name), "COCO")
            if coco.is_coco(document):
                found = _split(PurePosixPath(name), document)
                names += [one for one in found if one not in parts]
                parts |= found
            elif isinstance(document, dict) and str(document.get("type")).startswith("Feature"):
                names.append(name)  # a GeoJSON
            else:
                n_others += 1
        except ValueError:
            names.append(name)
    if not parts and n_others == files.n_others:
        return files
    return replace(
        files,
        names=tuple(names),
        read=lambda name: parts[name] if name in parts else files.read(name),
        n_others=n_others,
    )


def _split(path: PurePosixPath, document: dict[str, list[dict[str, object]]]) -> dict[str, bytes]:
    """A COCO file for each image. Raises ValueError as `coco.find`."""
    found = {}
    images = coco.find(document)
    ids = {str(one["file_name"]): one["id"] for one in document["images"]}
    for file, image in images.items():
        height, width = image.shape
        about = {"id": ids[file], "file_name": file, "height": height, "width": width}
        name = str(path.parent / PurePosixPath(file).with_suffix(".coco.json"))
        one = {"images": [about], "annotations": image.annotations}
        found[name] = json.dumps(one).encode()
    return found
