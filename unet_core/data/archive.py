"""Zip files from senders whom nobody knows."""

import errno
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

MOST_BYTES = 4_000_000_000
MOST_FILES = 20_000
CHUNK = 256 * 1024


def unpack_zip(
    archive: Path,
    into: Path,
    *,
    most_bytes: int = MOST_BYTES,
    most_files: int = MOST_FILES,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Unpack a zip so that nothing lands outside a folder and nothing explodes.

    Everything is checked before the first file is written; an entry that is damaged is found while
    unpacking, so unpack into a new folder and use it only afterwards.

    Args:
        archive: the zip file.
        into: an existing folder; files in it are never overwritten.
        most_bytes: of all unpacked files together.
        most_files: entries that are no folders.
        on_progress: called with the files unpacked and all files.

    Raises:
        ValueError: no readable zip, a path that leads outside, a link, a password, another
            packing than deflate, the same file twice, too many files or bytes.
        OSError: no room (ENOSPC), or the folder cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = check_members(archive.name, opened, most_bytes, most_files)
            if shutil.disk_usage(into).free < sum(member.file_size for member in members):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(into))
            for done, member in enumerate(members, start=1):
                path = into / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as packed, path.open("xb") as file:
                    shutil.copyfileobj(packed, file, CHUNK)
                if on_progress:
                    on_progress(done, len(members))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as problem:
        raise ValueError(f"{archive.name} cannot be unpacked: {problem}") from problem


def check_members(
    archive: str,
    opened: zipfile.ZipFile,
    most_bytes: int = MOST_BYTES,
    most_files: int = MOST_FILES,
) -> list[zipfile.ZipInfo]:
    """The files of an opened zip, which `archive` names; ValueError as `unpack_zip` has it."""
    members = [member for member in opened.infolist() if not member.is_dir()]
    if len(members) > most_files:
        raise ValueError(f"{archive} must hold at most {most_files} files, got {len(members)}")
    # Reading stops at the declared size, so a false declaration cannot exceed it.
    size = sum(member.file_size for member in members)
    if size > most_bytes:
        raise ValueError(
            f"{archive} must unpack to at most {most_bytes / 1e6:g} MB, got {size / 1e6:.0f}"
        )
    taken: set[PurePosixPath] = set()
    folders = {PurePosixPath()}
    for member in members:
        path = PurePosixPath(member.filename)
        outside = path.is_absolute() or ".." in path.parts
        if outside or any(sign in member.filename for sign in "\\:"):
            raise ValueError(f"{archive} holds a path that leads outside: {member.filename!r}")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(f"{archive} holds a link instead of a file: {member.filename!r}")
        if member.flag_bits & 1:
            raise ValueError(f"{archive} is protected by a password")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{archive} is packed in an unusual way: pack it with deflate")
        if path in taken | folders or taken.intersection(path.parents):
            raise ValueError(f"{archive} holds {member.filename!r} twice")
        taken.add(path)
        folders.update(path.parents)
    return members
