"""How the images of an own set are divided into train, val and test.

By what their folders say, or by seeded fractions; images of one group (one specimen, one slide)
stay together.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unet_core.base.settings import Settings, option

LEAK = (
    "Images of one specimen look alike: if the network trains on some of them and is scored on "
    "others, the score is too good."
)
# Where a specimen's name may end, and the pattern that says so.
_GUESSES = ("{}_*", "{}-*")


@dataclass(frozen=True, kw_only=True)
class Division(Settings):
    """How to divide the labelled images of a set."""

    by: str = option(
        "fractions",
        "folder: as folders called train, val and test say; without val, a part of train validates."
        " fractions: drawn at random.",
        choices=("fractions", "folder"),
        label="Divide by",
    )
    val: float = option(
        0.15,
        "The fraction that validates: it chooses the best epoch and the thresholds.",
        low=0.0,
        high=0.9,
        step=0.05,
        label="Fraction for val",
    )
    test: float = option(
        0.15,
        "The fraction for the final score alone.",
        low=0.0,
        high=0.9,
        step=0.05,
        label="Fraction for test",
    )
    seed: int = option(0, "The same seed draws the same images.", low=0, high=2**31 - 1)
    group: str = option(
        "",
        "A pattern that tells from an image's name to which specimen it belongs: {} stands for the "
        "specimen, * for anything. With {}_* mouse3_slice07 belongs to mouse3. Images of one "
        "specimen stay together.",
        label="Specimen in the name",
    )

    def check(self) -> None:
        """Refuse fractions that leave nothing to train on, and a pattern without its place."""
        if self.val + self.test > 0.95:
            raise ValueError(
                "val and test must leave a part to train on, at most 0.95 together, "
                f"got {self.val:g} and {self.test:g}"
            )
        if self.group and self.group.count("{}") != 1:
            raise ValueError(
                "group must hold {} once, where the specimen stands in the name, such as {}_*, "
                f"got {self.group!r}"
            )


def divide(names: Mapping[str, str], how: Division) -> dict[str, str]:
    """The split of every image; `names` gives what its folder says (empty for nothing).

    Fractions count images, but whole groups move. At least one group trains; each fraction above 0
    gets at least one group as long as there are enough of them.

    Raises ValueError where the pattern does not fit a name.
    """
    groups = {name: specimen(name, how.group) if how.group else name for name in names}
    if how.by == "fractions":
        return _draw(groups, [("val", how.val), ("test", how.test)], how.seed)
    found = {name: said or "train" for name, said in names.items()}
    if "val" not in found.values() and how.val > 0:
        pool = {name: groups[name] for name, split in found.items() if split == "train"}
        found |= _draw(pool, [("val", how.val)], how.seed)
    return found


def specimen(name: str, pattern: str) -> str:
    """What stands for the specimen in a name. Raises ValueError where the pattern does not fit."""
    parts = re.split(r"(\{\}|\*)", pattern)
    expression = "".join({"{}": "(.+?)", "*": ".*"}.get(one, re.escape(one)) for one in parts)
    fit = re.fullmatch(expression, name)
    if fit is None:
        raise ValueError(f"the group pattern {pattern} does not fit the image {name}")
    return fit[1]


def _draw(groups: Mapping[str, str], wanted: Sequence[tuple[str, float]], seed: int) -> dict:
    sizes = Counter(groups.values())
    order = sorted(sizes)
    np.random.default_rng(seed).shuffle(order)
    taken: dict[str, str] = {}
    for split, fraction in wanted:
        most, count = fraction * len(groups), 0
        while fraction > 0 and len(order) > 1:
            # A group goes where it brings the count nearer to what is wanted; the first one always.
            if count and abs(count + sizes[order[-1]] - most) >= abs(count - most):
                break
            count += sizes[order[-1]]
            taken[order.pop()] = split
    return {name: taken.get(group, "train") for name, group in groups.items()}


def guess_pattern(names: Sequence[str]) -> str:
    """A pattern by which the names fall into groups of several images; empty where none does."""
    for pattern in _GUESSES:
        separator = pattern[2]
        if not all(separator in name[1:] for name in names):
            continue
        sizes = Counter(specimen(name, pattern) for name in names)
        if 2 <= len(sizes) <= len(names) / 1.5:
            return pattern
    return ""
