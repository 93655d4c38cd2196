"""Which label file belongs to which image, told from names alone, and why.

A label file is known by its folder (`masks/`), by the end of its name (`_mask`, `.geojson`), or
because it was given as one. `train/`, `val/` and `test/` are splits. In Kaggle's layout each image
has a folder with `images/` and `masks/`, where each object has a file.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from unet_core.data import own
from unet_core.imaging import outlines

SUFFIXES = tuple(
    sign + word for sign in "_-" for word in ("masks", "mask", "labels", "label", "gt")
)
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "raw")
LABEL_FOLDERS = ("masks", "mask", "labels", "label", "gt", "ground_truth", "annotations")
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
STATES = ("found", "missing", "doubtful", "unusable")
_LONGEST = 80


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An image and its label files, as they were found.

    state: "found"; "missing" (no labels, or no image); "doubtful" (the names leave it open);
    "unusable" (its pixels cannot be used: only whoever has read them knows). why: for people.
    """

    name: str  # of the sample that it becomes; empty for a label file without image
    image: str  # path in the source
    labels: tuple[str, ...]  # paths in their source; several where each object has a file
    state: str
    why: str
    split: str = ""  # what its folders say; empty where they say nothing


@dataclass(frozen=True)
class _File:
    path: str
    folders: tuple[str, ...]  # without those that say image or label
    role: str  # what its folders say: "image", "label" or nothing
    stem: str
    suffix: str  # of a label, where the stem has one

    @property
    def base(self) -> str:
        return self.stem.removesuffix(self.suffix)

    @property
    def split(self) -> str:
        said = [SPLIT_FOLDERS[one.lower()] for one in self.folders if one.lower() in SPLIT_FOLDERS]
        return said[-1] if said else ""


def pair(images: Sequence[str], labels: Sequence[str] | None = None) -> list[Pair]:
    """The pairs among the paths of pictures, then the label files that have no image.

    `labels` are those of a source of their own, in which every picture is a label file; None where
    images and labels lie together. Raises ValueError where there is no image at all.
    """
    files = [_parse(path) for path in images]
    found: list[Pair] = []
    if labels is None:
        found, rest = _take_kaggle(files)
        pictures, marks = _tell_apart(rest)
    else:
        pictures = [one for one in files if not outlines.ending(one.path)]
        marks = [_parse(path) for path in labels]
    if not pictures and not found:
        where = "only label files" if marks else "no PNG, JPEG or TIFF file"
        raise ValueError(f"there are no images: {where} was found")
    matched, alone = _match(pictures, marks)
    found = sorted(found + matched, key=lambda one: _fold(one.image))
    return _name(found) + [
        Pair(
            name="",
            image="",
            labels=(one.path,),
            state="missing",
            why="there is no image of this name",
        )
        for one in alone
    ]


def _parse(path: str) -> _File:
    *folders, file = unicodedata.normalize("NFC", path).split("/")
    roles = [_role(one) for one in folders]
    outlined = outlines.ending(file)
    stem = file.removesuffix(outlined) if outlined else file.rpartition(".")[0]
    lower = stem.lower()
    suffix = next((stem[-len(one) :] for one in SUFFIXES if lower.endswith(one)), "")
    if suffix == stem:
        suffix = ""
    kept = tuple(one for one, role in zip(folders, roles, strict=True) if not role)
    role = "label" if outlined else next((one for one in reversed(roles) if one), "")
    return _File(path, kept, role, stem, suffix)


def _role(folder: str) -> str:
    if folder.lower() in IMAGE_FOLDERS:
        return "image"
    return "label" if folder.lower() in LABEL_FOLDERS else ""


def _take_kaggle(files: Sequence[_File]) -> tuple[list[Pair], list[_File]]:
    """The images that have a folder of their own, with a mask for each object; and what is left."""
    groups: dict[tuple[str, ...], dict[str, list[_File]]] = defaultdict(lambda: defaultdict(list))
    for one in files:
        groups[one.folders][one.role].append(one)
    found, taken = [], set()
    for folders, roles in groups.items():
        pictures, marks = roles["image"], roles["label"]
        if len(pictures) != 1 or not folders:
            continue
        image = pictures[0]
        is_named = folders[-1] == image.stem
        if not marks or any(image.stem in (one.stem, one.base) for one in marks):
            continue
        if not is_named and len(marks) < 2:
            continue
        many = f"{len(marks)} mask file{'s' if len(marks) > 1 else ''}, one for each object"
        why = many if is_named else f"{many}? The folder is not called as its image"
        found.append(
            Pair(
                name=image.stem,
                image=image.path,
                labels=tuple(sorted(one.path for one in marks)),
                state="found" if is_named else "doubtful",
                why=why,
                split=image.split,
            )
        )
        taken |= {image.path, *(one.path for one in marks)}
    return found, [one for one in files if one.path not in taken]


def _tell_apart(files: Sequence[_File]) -> tuple[list[_File], list[_File]]:
    """Images and label files that lie together.

    Outside of a folder that says so, a suffix makes a label file where it does so for at least one
    image beside it: a picture of a fluorescent label may be called `cells_label`, too.
    """
    plain = {(one.folders, _fold(one.stem)) for one in files if one.role != "label"}
    used = {
        (one.folders, _fold(one.suffix))
        for one in files
        if one.suffix and one.role != "label" and (one.folders, _fold(one.base)) in plain
    }
    marks = [
        one
        for one in files
        if one.role == "label" or (one.suffix and (one.folders, _fold(one.suffix)) in used)
    ]
    chosen = {one.path for one in marks}
    return [one for one in files if one.path not in chosen], marks


@dataclass(frozen=True)
class _Fit:
    """A label file that may belong to an image: how sure that is, and why."""

    path: str
    why: str
    is_sure: bool


def _match(pictures: Sequence[_File], marks: Sequence[_File]) -> tuple[list[Pair], list[_File]]:
    fits: dict[str, list[_Fit]] = defaultdict(list)
    alone = []
    exact = _index(pictures, lambda one: (one.folders, one.stem))
    loose = _index(pictures, lambda one: (tuple(map(_fold, one.folders)), _fold(one.stem)))
    anywhere = _index(pictures, lambda one: _fold(one.stem))
    for mark in marks:
        for stem in dict.fromkeys((mark.stem, mark.base)):
            how = "equal names" if stem == mark.stem else f"equal names but for {mark.suffix}"
            if images := exact.get((mark.folders, stem)):
                is_one = len(images) == 1
                twice = f"{how}, but {len(images)} images have this name"
                new = _Fit(mark.path, how if is_one else twice, is_one)
            elif images := loose.get((tuple(map(_fold, mark.folders)), _fold(stem))):
                new = _Fit(mark.path, "names differ in upper and lower case", False)
            elif len(images := anywhere.get(_fold(stem), [])) == 1:
                new = _Fit(mark.path, f"{how}, but in folders that do not match", False)
            else:
                continue
            for image in images:
                fits[image.path].append(new)
            break
        else:
            alone.append(mark)
    return [_pair(one, fits[one.path]) for one in pictures], alone


def _pair(image: _File, fits: Sequence[_Fit]) -> Pair:
    empty = Pair(
        name=image.stem,
        image=image.path,
        labels=(),
        state="missing",
        why="there is no label file of this name",
        split=image.split,
    )
    if not fits:
        return empty
    best = next((one for one in fits if one.is_sure), fits[0])
    if len(fits) > 1:
        others = ", ".join(one.path for one in fits if one != best)
        return replace(
            empty, labels=(best.path,), state="doubtful", why=f"{others} would fit as well"
        )
    state = "found" if best.is_sure else "doubtful"
    return replace(empty, labels=(best.path,), state=state, why=best.why)


def _index(files: Iterable[_File], key: Callable[[_File], object]) -> Mapping[object, list[_File]]:
    found: dict[object, list[_File]] = defaultdict(list)
    for one in files:
        found[key(one)].append(one)
    return found


def _name(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with names that are unlike and can be those of files.

    Where images of different folders have one name, the folders lead: `train-001`.
    """
    short = [own.clean(one.name)[:_LONGEST] or "image" for one in pairs]
    counts = Counter(map(_fold, short))
    names: list[str] = []
    taken: set[str] = set()
    for one, name in zip(pairs, short, strict=True):
        if counts[_fold(name)] > 1:
            folders = [part for part in one.image.split("/")[:-1] if not _role(part)]
            name = own.clean("-".join([*folders, name]))[-_LONGEST:].lstrip("-.")
        full, number = name, 2
        while _fold(full) in taken:
            full, number = f"{name}-{number}", number + 1
        taken.add(_fold(full))
        names.append(full)
    return [replace(one, name=name) for one, name in zip(pairs, names, strict=True)]


def _fold(text: str) -> str:
    return text.casefold()
