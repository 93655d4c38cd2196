"""The parts of a U-Net, without building it: what comes out of each block and how far it sees.

Axes: C channels, H rows, W columns. Sides, offsets and reaches are in pixels of the input image;
columns follow the same rules as rows, so that most functions treat one side. Torch is not needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from unet_core.base.config import SKIPS, UPS, TrainConfig, check_way_up
from unet_core.base.settings import Settings, option

MOST_LEVELS = 8
MOST_SIDE = 4096
PADDINGS = ("same", "valid")
RISES = {"transposed": "up-convolution", "bilinear": "upsampling"}


@dataclass(frozen=True, kw_only=True)
class Design(Settings):
    """A network and the size of the image that it is shown; at first the paper's (fig. 1)."""

    in_channels: int = option(
        1,
        "Channels of the image: 1 for grey (as in training here), 3 for RGB.",
        low=1,
        high=64,
        label="Image channels",
    )
    out_channels: int = option(
        2,
        "Maps that come out: one for each class or kind of pixel.",
        low=1,
        high=256,
        label="Output maps",
    )
    renamed: ClassVar[Mapping[str, str]] = {"channels": "widths"}

    widths: tuple[int, ...] = option(
        (64, 128, 256, 512, 1024),
        "Feature channels of each level, top to bottom, for example 32, 64, 128.",
        low=1,
        high=4096,
        label="Channels of each level",
    )
    padding: str = option(
        "valid",
        "same puts zeros around each image, so that its size stays; valid uses real pixels only, "
        "so that every 3×3 convolution takes one pixel from each side.",
        choices=PADDINGS,
    )
    norm: str = option(
        "none",
        "Normalisation after each convolution: batch over the images of a training step, group "
        "within each image, or none.",
        choices=("batch", "group", "none"),
        label="Normalisation",
    )
    skip: str = option(
        "concat",
        "How a skip joins the way up: concat puts its maps beside what came up, add adds both.",
        choices=SKIPS,
        label="Skip connections",
    )
    up: str = option(
        "transposed",
        "transposed learns 2×2 up-convolutions; bilinear interpolates, without weights.",
        choices=UPS,
        label="Upsampling",
    )
    up_relu: bool = option(
        False, "A ReLU after each up-convolution, too.", label="ReLU after up-convolutions"
    )
    height: int = option(
        572, "Rows of the image.", low=1, high=MOST_SIDE, label="Image height", unit="px"
    )
    width: int = option(
        572, "Columns of the image.", low=1, high=MOST_SIDE, label="Image width", unit="px"
    )

    def check(self) -> None:
        """Refuse what cannot be built, and sizes that the levels cannot halve."""
        if not self.widths:
            raise ValueError("widths must name at least one level, got none")
        if len(self.widths) > MOST_LEVELS:
            raise ValueError(
                f"widths must name at most {MOST_LEVELS} levels, got {len(self.widths)}"
            )
        check_way_up(self.widths, padding=self.padding, skip=self.skip, up=self.up)
        for name in ("height", "width"):
            if reason := explain_side(getattr(self, name), self.levels, self.padding):
                raise ValueError(f"{name} {reason}")

    @property
    def levels(self) -> int:
        """How many resolutions the network works at."""
        return len(self.widths)

    @property
    def step(self) -> int:
        """From one side that fits to the next; a pixel of the lowest level covers as many."""
        return step(self.levels)


def from_training(config: TrainConfig, outputs: int) -> Design:
    """The network of a training configuration, at the size that it reads for one crop."""
    side = smallest_input(
        config.images.crop_size, len(config.network.widths), config.network.padding
    )
    return Design(
        out_channels=outputs,
        widths=config.network.widths,
        padding=config.network.padding,
        norm=config.network.norm,
        skip=config.network.skip,
        up=config.network.up,
        up_relu=config.network.up_relu,
        height=side,
        width=side,
    )


@dataclass(frozen=True)
class Block:
    """A part of the network as it meets the image of a design.

    `name` is that of the network's module; "image" and "pool.N" have none. `level` counts from 0
    at full resolution: a pixel of the block covers 2 ** level pixels of the image. `offset` is the
    image pixel at which the block's first pixel begins. `crop` is what a skip loses on each side
    before it enters this block. `sees` is the side of the square of image pixels that can change
    one pixel here (the receptive field), the largest where it depends on the pixel's place.
    """

    name: str
    kind: str  # "image", "convolutions", "pooling", "up-convolution", "upsampling", "output"
    level: int
    shape_CHW: tuple[int, int, int]
    offset: int
    sees: int
    crop: int = 0


def blocks(design: Design) -> tuple[Block, ...]:
    """The blocks in the order of computation, from the image to the output."""
    return tuple(_walk(design))


def _walk(design: Design) -> Iterator[Block]:
    levels, widths = design.levels, design.widths
    lost = 0 if design.padding == "same" else 4
    size, offset = (design.height, design.width), 0

    def block(name: str, kind: str, level: int, count: int, crop: int = 0) -> Block:
        sees = receptive_field(name, levels, design.padding, design.up)
        return Block(name, kind, level, (count, *size), offset, sees, crop)

    yield block("image", "image", 0, design.in_channels)
    starts = []
    for level, count in enumerate(widths):
        if level:
            size = (size[0] // 2, size[1] // 2)
            yield block(f"pool.{level}", "pooling", level, widths[level - 1])
        size = (size[0] - lost, size[1] - lost)
        offset += lost // 2 * 2**level
        starts.append(offset)
        yield block(f"down.{level}", "convolutions", level, count)
    for level in reversed(range(levels - 1)):
        size = (2 * size[0], 2 * size[1])
        crop = (offset - starts[level]) // 2**level
        came, out = way_up(widths, design.up)[level]
        yield block(f"up.{level}", RISES[design.up], level, came)
        size = (size[0] - lost, size[1] - lost)
        offset += lost // 2 * 2**level
        yield block(f"merge.{level}", "convolutions", level, out, crop)
    yield block("head", "output", 0, design.out_channels)


def way_up(widths: tuple[int, ...], up: str) -> list[tuple[int, int]]:
    """The maps of each level but the lowest that come up to it, and that it makes of them.

    With up-convolutions both are the level's width. Interpolated maps stay as many as they were, so
    that each level makes as many as the one above has.
    """
    if up == "transposed":
        return [(width, width) for width in widths[:-1]]
    return [
        (widths[-1] if level == len(widths) - 2 else width, widths[max(level - 1, 0)])
        for level, width in enumerate(widths[:-1])
    ]


def shown_blocks(levels: int) -> list[str]:
    """The names of the blocks that are modules of the network, in the order of computation."""
    return [name for name in _names(levels) if not name.startswith(("image", "pool"))]


def sight(
    name: str, place: int, levels: int, padding: str, up: str = "transposed"
) -> tuple[int, int]:
    """The first and the last image pixel that can change one pixel of a block, along one side.

    `place` is that pixel's number from 0 in the block's output. With padding "same" the span may
    reach outside the image, where zeros are. GroupNorm, which looks at the whole image, is left
    out. Raises ValueError for a block that the network does not have.
    """
    known = _names(levels)
    if name not in known:
        raise ValueError(f"block must be one of {', '.join(known)}, got {name!r}")
    return _look_back(name, place, place, levels, padding, up)


def _names(levels: int) -> list[str]:
    names = ["image"]
    for level in range(levels):
        names += [f"pool.{level}"] * bool(level) + [f"down.{level}"]
    for level in reversed(range(levels - 1)):
        names += [f"up.{level}", f"merge.{level}"]
    return [*names, "head"]


def _look_back(
    name: str, first: int, last: int, levels: int, padding: str, up: str
) -> tuple[int, int]:
    """From pixels of a block to the pixels of the image, one step of the network at a time."""
    kind, _, number = name.partition(".")
    level = int(number or 0)
    if kind == "image":
        return first, last
    if kind == "pool":
        return _look_back(f"down.{level - 1}", 2 * first, 2 * last + 1, levels, padding, up)
    if kind == "head":
        source = "merge.0" if levels > 1 else "down.0"
        return _look_back(source, first, last, levels, padding, up)
    if kind == "up":
        lower = level + 1
        source = f"merge.{lower}" if lower < levels - 1 else f"down.{lower}"
        # Interpolating takes the neighbour on the side of the pixel's own half, too.
        more = int(up == "bilinear")
        return _look_back(source, (first - more) // 2, (last + more) // 2, levels, padding, up)
    # Two 3x3 convolutions: same ones are centred on their pixel, valid ones begin at it.
    first, last = (first - 2, last + 2) if padding == "same" else (first, last + 4)
    if kind == "down":
        source = f"pool.{level}" if level else "image"
        return _look_back(source, first, last, levels, padding, up)
    # The up path sees more than the skip, whatever the place: it has been further down.
    return _look_back(f"up.{level}", first, last, levels, padding, up)


@lru_cache(maxsize=512)
def receptive_field(name: str, levels: int, padding: str, up: str = "transposed") -> int:
    """Side of the square of image pixels that one pixel of a block can see, at most.

    Behind an up-convolution this depends on the pixel's place in the grid of the lower levels,
    by up to half of their pixel: the largest of all places is given.
    """
    spans = (sight(name, place, levels, padding, up) for place in range(step(levels)))
    return max(last - first + 1 for first, last in spans)


def step(levels: int) -> int:
    """From one side that fits to the next: what the poolings divide a side by."""
    return 2 ** (levels - 1)


def reach(levels: int, up: str = "transposed") -> int:
    """How far a pixel of the output sees to either side of itself, at most."""
    spans = [(place, sight("head", place, levels, "same", up)) for place in range(step(levels))]
    return max(max(place - first, last - place) for place, (first, last) in spans)


@lru_cache
def overlap(levels: int, up: str = "transposed") -> int:
    """What tiles overlap by on each side: the reach, rounded up to the network's step."""
    return -(-reach(levels, up) // step(levels)) * step(levels)


def output_side(side: int, levels: int, padding: str) -> int | None:
    """The side of what comes out for an image of this side; None where the image does not fit."""
    if padding == "same":
        return side if side > 0 and side % step(levels) == 0 else None
    output = side - 2 * margin(levels)
    return output if output > 0 and (output - 4) % step(levels) == 0 else None


def smallest_input(output: int, levels: int, padding: str) -> int:
    """The smallest side of an image for which at least `output` pixels come out.

    Raises ValueError for an output below one pixel.
    """
    if output < 1:
        raise ValueError(f"output must be at least 1, got {output}")
    side = output if padding == "same" else output + 2 * margin(levels)
    while output_side(side, levels, padding) is None:
        side += 1
    return side


def margin(levels: int) -> int:
    """Pixels on each side that valid padding takes away: 92 for five levels (572 -> 388).

    Four per level (two convolutions on the way down, two up) but for the lowest, which has two;
    each is 2 ** level pixels of the image.
    """
    return 4 * (step(levels) - 1) + 2 * step(levels)


def sides_near(side: int, levels: int, padding: str, count: int = 7) -> list[tuple[int, int]]:
    """The `count` sides that fit nearest to a side, ascending, each with its output."""
    least = smallest_input(1, levels, padding)
    middle = max(0, round((side - least) / step(levels)))
    start = max(0, middle - count // 2)
    sides = [least + step(levels) * number for number in range(start, start + count)]
    return [(one, _known_output(one, levels, padding)) for one in sides]


def _known_output(side: int, levels: int, padding: str) -> int:
    return side if padding == "same" else side - 2 * margin(levels)


def neighbours(side: int, levels: int, padding: str) -> tuple[int, int]:
    """The sides that fit next below (or at) and next above a side; twice the smallest below it."""
    least = smallest_input(1, levels, padding)
    if side < least:
        return least, least
    below = side - (side - least) % step(levels)
    return below, below + step(levels)


def explain_side(side: int, levels: int, padding: str) -> str:
    """Why an image of this side does not fit, and which do; empty where it does."""
    if output_side(side, levels, padding) is not None:
        return ""
    depth = f"{levels} level" + "s" * (levels != 1) + f" with padding {padding}"
    below, above = neighbours(side, levels, padding)
    if side < below:
        return f"must be at least {below} for {depth}, got {side}"
    fit = f"{below} and {above} fit"
    if padding == "same":
        return f"must be a multiple of {step(levels)} for {depth}, got {side}: {fit}"
    before, level = side - 4, 1
    while before % 2 == 0:
        before, level = before // 2 - 4, level + 1
    return (
        f"must leave an even number of pixels before each pooling, got {side}, "
        f"which leaves {before} on level {level}: {fit}"
    )
