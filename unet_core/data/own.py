"""A person's own data sets as they lie on the disk, and the trash that they are deleted into.

`$UNET_DATA/own/NAME/` holds a grey plane for each image (`images/*.tif`), its labels under the same
name (`labels/*.tif`; none where nobody has labelled it), and `dataset.json`: the title, the kind of
labels with its classes, and for each image its split and the file that it came from.
"""

import contextlib
import errno
import functools
import json
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet_core.base import folders, records
from unet_core.data.catalogue import SETS, DataSet
from unet_core.imaging import coding

FILE = "dataset.json"
KINDS = ("objects", "classes", "unlabelled")
SPLITS = ("train", "val", "test", "unlabelled")
LICENCE = "Yours: it was brought by somebody who uses this computer."
LONGEST_NAME = 40
OBJECT = "object"  # what one is called while nobody has said it
KEPT_DAYS = 30  # in the trash
_DAY = 24 * 3600
_DRAFT = ".adding-"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What `dataset.json` says of one image."""

    split: str
    file: str  # what it was called where it came from
    pixel_size_um: float | None = None


@dataclass(frozen=True)
class OwnSet:
    """An own data set: where it lies, what is known of it, and its images in order."""

    place: Path
    about: DataSet
    images: dict[str, Entry]
    was: tuple[str, ...] = ()  # the names that it had before

    def stored(self, stored: str) -> list[str]:
        """The images stored as "train" (from which a scheme takes val), "test" or "unlabelled"."""
        parts = ("train", "val") if stored == "train" else (stored,)
        return [name for name, entry in self.images.items() if entry.split in parts]


@dataclass(frozen=True)
class Deleted:
    """A set in the trash."""

    name: str
    place: Path
    at: float  # seconds since 1970

    @property
    def until(self) -> float:
        """When it goes for good, in seconds since 1970."""
        return self.at + KEPT_DAYS * _DAY


def folder() -> Path:
    """Where own sets lie."""
    return folders.data() / "own"


def names() -> list[str]:
    """The own sets that can be read, in alphabetical order."""
    return [name for name in _present() if not problem(name)]


def problem(name: str) -> str:
    """Why a set that is there cannot be used; empty when it can."""
    try:
        read(name)
    except ValueError as error:
        return str(error)
    return ""


def broken() -> dict[str, str]:
    """The own sets that cannot be read, each with the reason."""
    return {name: why for name in _present() if (why := problem(name))}


def _present() -> list[str]:
    try:
        found = [path.name for path in folder().iterdir() if (path / FILE).is_file()]
    except OSError:
        return []
    return sorted(name for name in found if folders.is_name(name))


def read(name: str) -> OwnSet:
    """An own set, read again only when its `dataset.json` has changed.

    A name that it had before finds it, too, for runs and links may know it by that. Raises
    ValueError when there is none of this name, also where it lies in the trash, and when the file
    is damaged.
    """
    place = folder() / name
    try:
        if not folders.is_name(name):
            raise FileNotFoundError
        version = records.version(place / FILE)
    except OSError:
        if (renamed := _renamed(name)) is not None:
            return renamed
        raise ValueError(_missing(name)) from None
    try:
        return _read(place, version)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{place / FILE} cannot be read: {error}") from None


def _renamed(name: str) -> OwnSet | None:
    """The set that had this name before."""
    for other in _present():
        with contextlib.suppress(ValueError):
            if name in (found := read(other)).was:
                return found
    return None


def _missing(name: str) -> str:
    gone = next((one for one in trash() if one.name == name), None)
    if gone is not None:
        return (
            f"the data set {name} was deleted; until {_date(gone.until)} "
            f"`python -m unet_core data restore {name}` brings it back"
        )
    return f"data set must be one of {', '.join([*SETS, *names()])}, got {name!r}"


def _date(seconds: float) -> str:
    then = time.localtime(seconds)
    return f"{then.tm_mday} {time.strftime('%B %Y', then)}"


@functools.lru_cache(maxsize=256)
def _read(place: Path, version: tuple[int, ...]) -> OwnSet:
    stored = json.loads((place / FILE).read_bytes())
    kind = stored["kind"]
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    images = {
        name: Entry(
            split=entry["split"], file=entry["file"], pixel_size_um=entry.get("pixel_size_um")
        )
        for name, entry in stored["images"].items()
    }
    wrong = {entry.split for entry in images.values()} - set(SPLITS)
    if wrong or not images:
        raise ValueError(f"images must each have a split of {', '.join(SPLITS)}, got {wrong}")
    about = _describe(place.name, stored, images, version)
    return OwnSet(place, about, images, tuple(map(str, stored.get("was", ()))))


def _describe(
    name: str, stored: dict[str, Any], images: dict[str, Entry], version: tuple[int, ...]
) -> DataSet:
    splits = {entry.split for entry in images.values()}
    sizes = {entry.pixel_size_um for entry in images.values()}
    return DataSet(
        name=name,
        title=str(stored["title"]),
        sentence=str(stored["sentence"]),
        labels="classes" if stored["kind"] == "classes" else "instances",
        classes=tuple(str(one["name"]) for one in stored["classes"]),
        licence=LICENCE,
        splits=tuple(split for split in SPLITS if split in splits),
        schemes=("given", "all"),
        default_scheme="given",
        is_own=True,
        pixel_size_um=sizes.pop() if len(sizes) == 1 else None,
        version=" ".join(map(str, version)),
    )


def name_of(title: str) -> str:
    """The name that commands and files use for a title: `Liver day 3` is `Liver-day-3`.

    Raises ValueError where nothing of it can be used, or where it is a built-in set's.
    """
    name = clean(title)[:LONGEST_NAME].strip("-.")
    if not re.search(r"\w", name):
        raise ValueError(f"a data set's name must hold a letter or a digit, got {title!r}")
    # Two folders whose names differ in case alone are one on Windows and macOS.
    if name.casefold() in {one.casefold() for one in SETS}:
        raise ValueError(f"{name} is a set that comes with the app: choose another name")
    return name


def clean(text: str) -> str:
    """Text as a file name of letters, digits, dots, `_` and `-`, whatever it was before.

    An umlaut that two signs make up becomes one, so that equal names are equal bytes.
    """
    text = unicodedata.normalize("NFC", text)
    return re.sub(r"-{2,}", "-", re.sub(r"[^\w.-]", "-", text)).strip("-.")


def check_free(name: str) -> None:
    """Raise ValueError where a set of this name is here already, or was, whatever its case."""
    for other in _present():
        if other.casefold() == name.casefold():
            raise ValueError(f"there is a data set {other} already: choose another name")
    if (renamed := _renamed(name)) is not None:
        raise ValueError(
            f"{renamed.about.name} was called {name} before, and runs may know it by that: choose "
            "another name"
        )


def describe(
    name: str,
    *,
    title: str | None = None,
    sentence: str | None = None,
    classes: Sequence[str] | None = None,
) -> None:
    """Give an own set another title, sentence, or names of its classes; None leaves one as it is.

    Its name stays: see `rename`. Raises ValueError where there is no own set of this name, for a
    title without a word, and for names of classes that are none, come twice, or are not as many as
    there are classes.
    """
    _check_own(name)
    place = read(name).place
    given = {"title": title, "sentence": sentence}
    changes: dict[str, Any] = {
        key: " ".join(text.split()) for key, text in given.items() if text is not None
    }
    if not changes.get("title", name):
        raise ValueError("a data set needs a title, got none")
    stored = json.loads((place / FILE).read_bytes())
    if classes is not None:
        changes["classes"] = _name_classes(stored["classes"], [one.strip() for one in classes])
    records.write_json(place / FILE, stored | changes)


def _name_classes(stored: list[dict[str, str]], names: Sequence[str]) -> list[dict[str, str]]:
    """The classes with other names; the values or colours that wrote them stay."""
    if len(names) != len(stored):
        present = ", ".join(one["name"] for one in stored)
        raise ValueError(f"there must be a name for each of {present}, got {len(names)} names")
    for one in names:
        coding.check_name(one)
        if names.count(one) > 1:
            raise ValueError(f"every class needs a name of its own, got {one} twice")
    return [one | {"name": name} for one, name in zip(stored, names, strict=True)]


def rename(name: str, title: str) -> str:
    """Give an own set another name, made from a title (`name_of`), and that title; gives the name.

    The old name goes on to find it, and is free for no other set. Raises ValueError where there is
    no own set of this name, for a name that cannot be one, and one that is taken.
    """
    _check_own(name)
    if name not in _present():
        raise ValueError(_missing(name))
    known, new = read(name), name_of(title)
    if new == name:
        describe(name, title=title)
        return name
    if new not in known.was and new.casefold() != name.casefold():
        check_free(new)
    stored = json.loads((known.place / FILE).read_bytes())
    was = [one for one in dict.fromkeys([*known.was, name]) if one != new]
    records.write_json(known.place / FILE, stored | {"title": " ".join(title.split()), "was": was})
    known.place.rename(folder() / new)
    return new


def _check_own(name: str) -> None:
    if name in SETS:
        raise ValueError(f"{name} comes with the app: only own data sets can be changed or deleted")


def remove(name: str, *, now: float | None = None) -> Deleted:
    """Move an own set into the trash, where it stays for KEPT_DAYS; what is older goes for good.

    Raises ValueError where there is no own set of this name.
    """
    _check_own(name)
    if name not in _present():
        raise ValueError(_missing(name))
    now = time.time() if now is None else now
    empty_trash(now=now)
    (folder() / ".trash").mkdir(exist_ok=True)
    place = folder() / ".trash" / f"{name}@{round(now * 1e6)}"
    try:
        (folder() / name).rename(place)
    except FileNotFoundError:
        raise ValueError(_missing(name)) from None
    return Deleted(name, place, now)


def trash() -> list[Deleted]:
    """What lies in the trash, the latest first."""
    found = []
    with contextlib.suppress(OSError):
        for path in (folder() / ".trash").iterdir():
            name, _, at = path.name.rpartition("@")
            if name and at.isdigit():
                found.append(Deleted(name, path, int(at) / 1e6))
    return sorted(found, key=lambda one: one.at, reverse=True)


def restore(name: str) -> Path:
    """Bring the set of this name that was deleted last back from the trash; gives its folder.

    Raises ValueError where the trash has none, or another set has taken the name.
    """
    gone = next((one for one in trash() if one.name == name), None)
    if gone is None:
        listed = ", ".join(sorted({one.name for one in trash()})) or "nothing"
        raise ValueError(f"the trash holds {listed}, not {name!r}")
    check_free(name)
    return gone.place.rename(folder() / name)


def empty_trash(*, now: float | None = None) -> None:
    """Delete for good what has lain in the trash for KEPT_DAYS."""
    now = time.time() if now is None else now
    for one in trash():
        if one.until <= now:
            shutil.rmtree(one.place, ignore_errors=True)


@contextlib.contextmanager
def building(name: str) -> Iterator[Path]:
    """An empty folder that becomes the set `name` when all went well, and vanishes otherwise.

    Raises ValueError where the name is taken, also by somebody who was quicker.
    """
    check_free(name)
    folder().mkdir(parents=True, exist_ok=True)
    _drop_drafts()
    draft = folder() / f"{_DRAFT}{os.getpid()}-{time.time_ns()}"
    draft.mkdir()
    try:
        yield draft
        check_free(name)
        draft.rename(folder() / name)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            check_free(name)
        raise


def _drop_drafts() -> None:
    """Delete what killed processes have left."""
    for draft in folder().glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            if draft.stat().st_mtime < time.time() - _DAY:
                shutil.rmtree(draft, ignore_errors=True)
