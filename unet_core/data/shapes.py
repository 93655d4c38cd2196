"""Images of lines and ellipses with the class of every pixel, and the settings that draw them.

Axes: H rows, W columns. A set of such images has a name that says its settings: see `Shapes.name`.
"""

import re
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from unet_core.base.settings import Settings, option

SET = "synthetic-shapes"
BACKGROUND, LINE, ELLIPSE = range(3)
MOST_PIXELS = 250_000_000  # of a whole set: a training keeps it in memory, with its labels


@dataclass(frozen=True, kw_only=True)
class Shapes(Settings):
    """Everything that decides the pixels of a set of lines and ellipses."""

    train: int = option(
        100, "Images to train on; the scheme takes some for validation.", group="Set", low=2,
        high=10_000,
    )  # fmt: skip
    test: int = option(10, "Images for the final score.", group="Set", low=1, high=10_000)
    seed: int = option(
        2018,
        "The same seed draws the same images, and another one other images of the same kind.",
        group="Set",
        low=0,
        high=2**31 - 1,
    )
    rows: int = option(400, "Height of an image.", group="Image", low=16, high=4096, unit="px")
    columns: int = option(200, "Width of an image.", group="Image", low=16, high=4096, unit="px")
    lines: tuple[int, int] = option(
        (3, 8), "Fewest and most lines in an image.", group="Shapes", low=0, high=100, top=20
    )
    ellipses: tuple[int, int] = option(
        (3, 8), "Fewest and most ellipses in an image.", group="Shapes", low=0, high=100, top=20
    )
    thickness: tuple[float, float] = option(
        (2.0, 7.0),
        "Thinnest and thickest line.",
        group="Shapes",
        low=1.0,
        high=50.0,
        unit="px",
        top=20.0,
        step=0.5,
    )
    semi_axis: tuple[float, float] = option(
        (6.0, 30.0),
        "Shortest and longest half axis of an ellipse.",
        group="Shapes",
        low=2.0,
        high=200.0,
        label="Half axes",
        unit="px",
        top=80.0,
    )
    background: float = option(
        110.0,
        "Mean grey of the background.",
        group="Grey",
        low=0.0,
        high=255.0,
        label="Background grey",
    )
    grey: tuple[float, float] = option(
        (0.0, 255.0),
        "Darkest and brightest grey of a shape.",
        group="Grey",
        low=0.0,
        high=255.0,
        label="Grey of shapes",
    )
    contrast: float = option(
        40.0,
        "Smallest difference between the grey of a shape and of the background.",
        group="Grey",
        low=0.0,
        high=100.0,
    )
    noise: float = option(
        20.0,
        "Standard deviation of the Gaussian noise, in grey levels; shapes carry a third of it.",
        group="Grey",
        low=0.0,
        high=100.0,
        top=60.0,
    )

    def check(self) -> None:
        """Refuse ranges that do not rise, greys that nothing is left of, and sets without end."""
        for name in ("lines", "ellipses", "thickness", "semi_axis", "grey"):
            ends = getattr(self, name)
            if len(ends) != 2 or ends[0] > ends[1]:
                raise ValueError(
                    f"{name} must be two rising numbers, got {', '.join(map(str, ends)) or 'none'}"
                )
        if not _grey_spans(self):
            raise ValueError(
                f"contrast must leave a grey for the shapes: none from {self.grey[0]:g} to "
                f"{self.grey[1]:g} is {self.contrast:g} away from the background's "
                f"{self.background:g}"
            )
        images = self.train + self.test
        if images * self.rows * self.columns > MOST_PIXELS:
            raise ValueError(
                f"rows x columns x images must be at most {MOST_PIXELS / 1e6:g} million pixels, "
                f"got {self.rows} x {self.columns} x {images}"
            )

    @property
    def name(self) -> str:
        """The name of the set: `synthetic-shapes`, and what differs from the usual settings."""
        usual = Shapes()
        changed = [
            f"{about.name}={_as_text(getattr(self, about.name))}"
            for about in fields(self)
            if getattr(self, about.name) != getattr(usual, about.name)
        ]
        return ":".join([SET, ",".join(changed)]) if changed else SET

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The settings that a name says, such as `synthetic-shapes:noise=30,lines=3,8`.

        Raises ValueError for another set's name, an unknown setting or an impossible value.
        """
        base, _, text = name.partition(":")
        if base != SET:
            raise ValueError(f"the name must begin with {SET}, got {name!r}")
        # A comma stands between settings, and between the two ends of a range.
        return cls().with_text(re.split(r",(?=[^,]*=)", text) if text else [])


def _as_text(value: float | tuple[float, ...]) -> str:
    """The shortest text that the same value is read from."""
    numbers = value if isinstance(value, tuple) else (value,)
    return ",".join(repr(int(one) if one == int(one) else one) for one in numbers)


def draw(rng: np.random.Generator, settings: Shapes | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Lines and ellipses of varying grey on a noisy background, and the class of every pixel.

    `rng` is the only source of randomness: the same state gives the same pixels. How many images
    a set has, and its seed, play no part here.

    Returns:
        image_HW (uint8) and classes_HW (uint8: 0 background, 1 line, 2 ellipse). What is drawn
        later covers what was drawn before, in a random order.
    """
    settings = settings or Shapes()
    shape = (settings.rows, settings.columns)
    classes_HW = np.zeros(shape, np.uint8)
    grey_HW = np.full(shape, settings.background, np.float32)
    kinds = [LINE] * int(rng.integers(settings.lines[0], settings.lines[1] + 1))
    kinds += [ELLIPSE] * int(rng.integers(settings.ellipses[0], settings.ellipses[1] + 1))
    rng.shuffle(kinds)
    spans = _grey_spans(settings)
    for kind in kinds:
        if kind == LINE:
            place, inside_HW = _line(rng, shape, rng.uniform(*settings.thickness))
        else:
            place, inside_HW = _ellipse(rng, shape, rng.uniform(*settings.semi_axis, 2))
        classes_HW[place][inside_HW] = kind
        grey_HW[place][inside_HW] = _draw_grey(rng, spans)
    deviation_HW = np.where(classes_HW == BACKGROUND, settings.noise, settings.noise / 3)
    grey_HW += deviation_HW.astype(np.float32) * rng.standard_normal(shape, np.float32)
    return np.clip(np.rint(grey_HW), 0, 255).astype(np.uint8), classes_HW


def _line(
    rng: np.random.Generator, shape: tuple[int, int], thickness: float
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Pixels within half a thickness of the segment between two random points."""
    start, end = rng.uniform(0, shape, (2, 2))
    direction = end - start
    length2 = max(float(direction @ direction), 1.0)
    place = _window(shape, np.minimum(start, end) - thickness, np.maximum(start, end) + thickness)
    y_H1, x_1W = _distances(place, start)
    along_HW = ((y_H1 * direction[0] + x_1W * direction[1]) / length2).clip(0, 1)
    away2_HW = (y_H1 - along_HW * direction[0]) ** 2 + (x_1W - along_HW * direction[1]) ** 2
    return place, away2_HW <= (thickness / 2) ** 2


def _ellipse(
    rng: np.random.Generator, shape: tuple[int, int], axes: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray]:
    centre, turn = rng.uniform(0, shape), rng.uniform(0, np.pi)
    place = _window(shape, centre - axes.max(), centre + axes.max())
    y_H1, x_1W = _distances(place, centre)
    u_HW = (np.cos(turn) * x_1W + np.sin(turn) * y_H1) / axes[0]
    v_HW = (np.cos(turn) * y_H1 - np.sin(turn) * x_1W) / axes[1]
    return place, u_HW**2 + v_HW**2 <= 1.0


def _window(shape: tuple[int, int], low: np.ndarray, high: np.ndarray) -> tuple[slice, slice]:
    """The part of the image from one point to another, a pixel larger on every side."""
    rows, columns = (
        slice(max(0, int(first) - 1), min(side, int(last) + 2))
        for first, last, side in zip(low, high, shape, strict=True)
    )
    return rows, columns


def _distances(place: tuple[slice, slice], point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [H, 1] and columns [1, W] of a part of the image, counted from a point: float32."""
    y_H1, x_1W = np.ogrid[place]
    return (y_H1 - point[0]).astype(np.float32), (x_1W - point[1]).astype(np.float32)


def _grey_spans(settings: Shapes) -> list[tuple[float, float]]:
    """The greys that a shape may have: those darker and brighter than the background."""
    darkest, brightest = settings.grey
    spans = [
        (darkest, min(settings.background - settings.contrast, brightest)),
        (max(settings.background + settings.contrast, darkest), brightest),
    ]
    return [(low, high) for low, high in spans if low <= high]


def _draw_grey(rng: np.random.Generator, spans: list[tuple[float, float]]) -> float:
    """A grey level, evenly drawn from all spans together."""
    drawn = rng.uniform(0, sum(high - low for low, high in spans))
    for low, high in spans[:-1]:
        if drawn < high - low:
            return low + drawn
        drawn -= high - low
    return spans[-1][0] + drawn
