"""A check-up of a data set: what is doubtful about its images and labels, and what to do about it.

Every image is read once; what was measured is kept until a file of the set changes. An image is
named with its split, `train/a`, for two splits may each have an `a`.

Axes: H rows, W columns, N images, K rows or columns of a hash, D its 8 turned and mirrored forms.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import fft

from unet_core.base import cache
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.imaging import checkup, images
from unet_core.imaging.checkup import SEVERITIES, Finding
from unet_core.imaging.truth import PIECES_PER_LABEL, connected

OnProgress = Callable[[int, int], None]

VERSION = 1  # raise it when a measure changes its meaning: stored ones are then made anew
NEAR = 0.12  # of a hash's signs; unrelated images differ in at least 0.17 (neighbouring sections)
MERGED_AREA = 1.6  # of the typical one of its image; two round ones that touch have just under 2
MERGED_SOLIDITY = 0.95  # of the typical solidity: dented as the others are not
MIXED_SIZES = 3.0  # where a tenth is even larger, size tells nothing of merging
MANY_MERGED = 0.02  # share of the objects; it is 0.009 in DSB 2018, drawn by experts
_HASHED, _THUMBNAIL = 12, 32
_SPECK = 4  # pixels


def check(
    name: str, config: ModelConfig | None = None, *, on_progress: OnProgress | None = None
) -> list[Finding]:
    """What is doubtful about a data set, the worst first; with a model, also what it would miss.

    `on_progress` is called with the images done and all images, while there is something to
    measure; each image may count up to three times. Raises ValueError as `datasets.load`.
    """
    about = datasets.info(name)
    places = _places(name)
    labelled = [place for place in places if not place.startswith("unlabelled/")]
    has_objects = bool(labelled) and about.labels == "instances"
    passes = 1 + has_objects + bool(config and config.looks_low)
    tell = _Passes(on_progress, passes)
    table = cache.remember(
        f"checkup-{VERSION}", datasets.fingerprint(name), lambda: _measure(name, places, tell)
    )
    found = [*_about_pixels(table), *_about_labels(table, places), *_about_copies(table)]
    if has_objects:
        tell.begin()
        found += _about_objects(name, config, tell)
    if config and config.looks_low:
        tell.begin()
        found += _about_looks(name, places, config, tell)
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))


class _Passes:
    """Progress through a set that is read several times."""

    def __init__(self, on_progress: OnProgress | None, passes: int) -> None:
        self.on_progress, self.passes, self.at = on_progress, passes, 0

    def begin(self) -> None:
        self.at += 1

    def __call__(self, done: int, total: int) -> None:
        if self.on_progress:
            self.on_progress(self.at * total + done, self.passes * total)


def _places(name: str) -> list[str]:
    return [
        f"{split}/{sample}"
        for split in datasets.info(name).splits
        for sample in datasets.sample_names(name, split)
    ]


def _samples(
    name: str, places: Sequence[str], tell: OnProgress
) -> Iterator[tuple[str, datasets.Sample]]:
    for done, place in enumerate(places, start=1):
        split, _, sample = place.partition("/")
        yield place, datasets.load(name, split, sample)
        tell(done, len(places))


def _measure(name: str, places: Sequence[str], tell: OnProgress) -> cache.Arrays:
    """What is measured of each image whatever the model, a column each."""
    has_objects = datasets.info(name).labels == "instances"
    rows = []
    for place, sample in _samples(name, places, tell):
        image_HW = _plane(sample.image_HW)
        used, there = checkup.bits(image_HW)
        labels_HW = sample.labels_HW
        rows.append(
            {
                "image": place,
                "hash": datasets.pixel_hash(sample.image_HW),
                "waves": waves(image_HW),
                "constant": checkup.is_constant(image_HW),
                "saturation": checkup.saturation(image_HW),
                "used": used,
                "there": there,
                "greys": checkup.greys(image_HW) if there else 0,
                "is_labelled": labels_HW is not None,
                "labels": _label_facts(labels_HW, has_objects=has_objects),
            }
        )
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def _plane(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 2 else pixels.mean(axis=-1).astype(pixels.dtype)


def _label_facts(labels_HW: np.ndarray | None, *, has_objects: bool) -> tuple[int, ...]:
    """Labels, pieces of them, labels in several pieces, and specks."""
    if labels_HW is None or not labels_HW.any():
        return 0, 0, 0, 0
    if not has_objects:
        return len(np.unique(labels_HW[labels_HW > 0])), 0, 0, 0
    pieces_HW = connected(labels_HW)
    owner = np.zeros(pieces_HW.max() + 1, np.int64)
    owner[pieces_HW.ravel()] = labels_HW.ravel()
    labels, counts = np.unique(owner[1:], return_counts=True)
    areas = np.unique(labels_HW[labels_HW > 0], return_counts=True)[1]
    return (
        len(labels),
        len(owner) - 1,
        int(np.count_nonzero(counts > 1)),
        int(np.count_nonzero(areas < _SPECK)),
    )


def _listed(table: cache.Arrays, is_it_N: np.ndarray) -> tuple[str, ...]:
    return tuple(str(one) for one in table["image"][is_it_N])


def _many(count: int, word: str = "image") -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


# --- pixels ---------------------------------------------------------------------------------------


def _about_pixels(table: cache.Arrays) -> Iterator[Finding]:
    if empty := _listed(table, table["constant"]):
        yield Finding(
            severity="problem",
            what=f"{_many(len(empty))} of one grey value only: nothing is to be seen there.",
            advice="Leave them out, or look whether another channel was meant.",
            images=empty,
        )
    few_N = (table["there"] > 0) & (table["greys"] < checkup.FEW_GREYS) & ~table["constant"]
    if bright := _listed(table, (table["saturation"] >= checkup.SATURATED) & ~few_N):
        yield Finding(
            severity="doubt",
            what=f"{_many(len(bright))} where at least {100 * checkup.SATURATED:.0f} % of the "
            "pixels have the largest value: saturated.",
            advice="Objects that touch cannot be told apart where all is white: next time expose "
            "for a shorter time.",
            images=bright,
        )
    if few := _listed(table, few_N):
        yield Finding(
            severity="doubt",
            what=f"{_many(len(few))} with fewer than {checkup.FEW_GREYS} grey values.",
            advice="Were masks taken for images, or dark pictures brightened? Take the originals.",
            images=few,
        )
    yield from _about_bits(table)


def _about_bits(table: cache.Arrays) -> Iterator[Finding]:
    there, used = int(table["there"].max()), int(table["used"].max())
    if there > 8 and used <= 8:
        yield Finding(
            severity="doubt",
            what=f"No image uses more than {used} of its {there} bits.",
            advice="They were 8-bit pictures once, or are very dark. If the camera gave more, "
            "take its files: faint objects are in the lower bits.",
        )
    elif there > 8 and used < there:
        yield Finding(
            severity="note",
            what=f"The images use {used} of {there} bits, as a {used}-bit camera writes them.",
            advice="That is fine.",
        )


# --- labels ---------------------------------------------------------------------------------------


def _about_labels(table: cache.Arrays, places: Sequence[str]) -> Iterator[Finding]:
    is_labelled_N = table["is_labelled"]
    labels_N, pieces_N, torn_N, specks_N = table["labels"].T
    without = _listed(table, ~is_labelled_N)
    if without and len(without) < len(places):
        yield Finding(
            severity="note",
            what=f"{_many(len(without))} without labels, of {len(places):,}.",
            advice="Training leaves them out.",
            images=without,
        )
    if empty := _listed(table, is_labelled_N & (labels_N == 0)):
        yield Finding(
            severity="doubt",
            what=f"{_many(len(empty))} whose labels hold no object.",
            advice="If there is something to see, they teach the network to overlook it.",
            images=empty,
        )
    coded_N = pieces_N > PIECES_PER_LABEL * np.maximum(labels_N, 1)
    if coded := _listed(table, coded_N):
        yield Finding(
            severity="problem",
            what=f"{_many(len(coded))} whose labels lie in more than {PIECES_PER_LABEL} pieces "
            "each: every object needs a number of its own.",
            advice="Are the numbers classes? Then add the set as classes.",
            images=coded,
        )
    if torn := _listed(table, (torn_N > 0) & ~coded_N):
        count = int(torn_N[~coded_N].sum())
        yield Finding(
            severity="doubt",
            what=f"{_many(count, 'object')} in several pieces, in {_many(len(torn))}.",
            advice="Two objects with one number teach the network to join them: look at these.",
            images=torn,
        )
    if specks := _listed(table, 2 * specks_N > np.maximum(labels_N, 1)):
        yield Finding(
            severity="problem",
            what=f"{_many(len(specks))} where most labels have fewer than {_SPECK} pixels.",
            advice="Masks that were smoothed or saved as JPEG look so: take the originals.",
            images=specks,
        )


def _about_objects(name: str, config: ModelConfig | None, tell: OnProgress) -> Iterator[Finding]:
    tables = datasets.statistics(name, on_progress=tell)
    objects = tables.objects
    if objects.empty:
        return
    relative = objects["area"] / objects.groupby(["split", "image"])["area"].transform("median")
    dented = objects["solidity"] < MERGED_SOLIDITY * objects["solidity"].median()
    merged = objects[(relative > MERGED_AREA) & dented]
    is_mixed = relative.quantile(0.9) > MIXED_SIZES
    if not is_mixed and len(merged) > MANY_MERGED * len(objects):
        yield Finding(
            severity="doubt",
            what=f"{_many(len(merged), 'object')} of {len(objects):,} much larger than the "
            "others of their image, and dented: several objects with one label?",
            advice="Look at them, and part what was joined: the network learns to join, too.",
            images=tuple(dict.fromkeys(merged["split"] + "/" + merged["image"])),
        )
    diameters = objects["equivalent_diameter_area"].to_numpy()
    if config is None or (scale := checkup.rescaling(config, diameters)) == 1:
        return
    larger = "smaller" if scale > 1 else "larger"
    yield Finding(
        severity="doubt",
        what=f"The objects are typically {np.median(diameters):.0f} px wide, much {larger} than "
        f"the {config.small:.0f} to {config.large:.0f} px that the model knows.",
        advice=f"Segment with the factor {scale:.2f}; to fine-tune, resize the images by it.",
        action="rescale",
        scale=scale,
    )


# --- what a model knows ---------------------------------------------------------------------------


def _about_looks(
    name: str, places: Sequence[str], config: ModelConfig, tell: OnProgress
) -> Iterator[Finding]:
    def measure() -> cache.Arrays:
        found = [checkup.seen_by(config, one.image_HW) for _, one in _samples(name, places, tell)]
        return {"looks": np.array(found)}

    source = json.dumps([config.train.images.to_dict(), config.mean, config.std])
    key = hashlib.sha256(f"{datasets.fingerprint(name)} {source}".encode()).hexdigest()
    looks_NL = cache.remember(f"looks-{VERSION}", key, measure)["looks"]
    is_unlike_N = np.array([checkup.is_unlike(config, one) for one in looks_NL])
    if not is_unlike_N.any():
        return
    unlike = tuple(np.array(places)[is_unlike_N].tolist())
    typical_L = np.median(looks_NL[is_unlike_N], axis=0)
    some = datasets.pick_evenly(unlike, 9)
    negatives = [
        checkup.seen_by(config, images.invert(sample.image_HW))
        for _, sample in _samples(name, some, lambda done, total: None)
    ]
    is_negative = np.mean([checkup.is_unlike(config, one) for one in negatives]) < 0.5
    how = checkup.difference(config, typical_L)
    yield Finding(
        severity="doubt",
        what=f"{_many(len(unlike))} of {len(places):,} unlike those that the model was trained on: "
        f"of a typical one, {how}.",
        advice="Their negatives are like them: segment with “invert”."
        if is_negative
        else "Look closely at what it finds; another model, or one trained on these images, may "
        "do better.",
        images=unlike,
        action="invert" if is_negative else "",
    )


# --- copies ---------------------------------------------------------------------------------------


def waves(pixels_HW: np.ndarray) -> np.ndarray:
    """The slowest waves of an image, float32 [K, K]: its perceptual hash is their signs.

    The cosine transform of the image at 32 x 32 pixels (Zauner 2010, section 3.2.1, with 12 instead
    of 8 waves each way). Brightness, contrast, noise and size leave the signs as they are.
    """
    small_HW = images.resize(pixels_HW.astype(np.float32), (_THUMBNAIL, _THUMBNAIL))
    return fft.dctn(small_HW)[:_HASHED, :_HASHED].astype(np.float32)


def unlikeness(one_NKK: np.ndarray, other_NKK: np.ndarray) -> np.ndarray:
    """The share of unequal signs for each pair [N, N], however one of the two was turned.

    Mirroring an image turns the sign of every second wave; swapping its axes swaps theirs.
    """
    turn = (-1.0) ** np.arange(_HASHED)
    flips = [np.outer(rows, columns) for rows in (turn**0, turn) for columns in (turn**0, turn)]
    signs = _signs(one_NKK)
    forms = (
        _signs(form_NKK * flip)
        for form_NKK in (other_NKK, other_NKK.swapaxes(1, 2))
        for flip in flips
    )
    return np.min([(1 - signs @ form.T / signs.shape[1]) / 2 for form in forms], axis=0)


def _signs(waves_NKK: np.ndarray) -> np.ndarray:
    """Without the first wave, which is the mean."""
    return np.sign(waves_NKK).reshape(len(waves_NKK), -1)[:, 1:].astype(np.float32)


def _about_copies(table: cache.Arrays) -> Iterator[Finding]:
    kept_N = ~table["constant"]
    place_N, hash_N, waves_NKK = (table[key][kept_N] for key in ("image", "hash", "waves"))
    near_NN = np.triu(unlikeness(waves_NKK, waves_NKK) <= NEAR, 1) if len(place_N) else np.zeros(0)
    pairs = {"equal": _Copies(), "alike": _Copies()}
    for first, second in np.argwhere(near_NN).tolist():
        is_equal = hash_N[first] == hash_N[second]
        pairs["equal" if is_equal else "alike"].add(str(place_N[first]), str(place_N[second]))
    words = {
        "equal": "the same pixels",
        "alike": "nearly the same picture (perhaps turned or mirrored)",
    }
    for kind, found in pairs.items():
        if found.across:
            yield Finding(
                severity="problem",
                what=f"{_many(len(found.across), 'pair')} with {words[kind]} in two splits, such "
                f"as {' and '.join(found.across[0])}.",
                advice="Scores on them are too good: put both into one split, or leave one out.",
                images=_members(found.across),
            )
        if found.within:
            yield Finding(
                severity="note",
                what=f"{_many(len(found.within), 'pair')} with {words[kind]} in one split, such as "
                f"{' and '.join(found.within[0])}.",
                advice="They count twice: leave one out unless that is wanted.",
                images=_members(found.within),
            )


class _Copies:
    """Pairs of images in two splits, and in one."""

    def __init__(self) -> None:
        self.across: list[tuple[str, str]] = []
        self.within: list[tuple[str, str]] = []

    def add(self, first: str, second: str) -> None:
        splits = [place.partition("/")[0] for place in (first, second)]
        # What nobody has labelled is not scored, and leaks nothing.
        is_leak = splits[0] != splits[1] and "unlabelled" not in splits
        (self.across if is_leak else self.within).append((first, second))


def _members(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for pair in pairs for one in pair))
