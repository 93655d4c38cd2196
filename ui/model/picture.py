"""The U-Net as a picture: every block with its size, and beside it what each part is for.

An SVG of our own. Streamlit takes drawings out of HTML, hence the component, which also knows the
theme's colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import streamlit as st

from ui.shared.charts import BLUE, GREEN, ORANGE, PINK
from unet_core.network.anatomy import Block, Design

HERE = Path(__file__).resolve().parent
WIDE, TALL, PITCH, GAP = 164, 50, 96, 112  # a box, from row to row, between boxes of one level
LABEL = 116  # pixels, from an arrow to the end of its words
MOST_SHIFT = 52  # by which each level stands further in
COLOURS = {"down": BLUE, "bottom": PINK, "merge": ORANGE, "end": "#8C8C8C"}

# Inside the SVG, so that a downloaded file looks the same.
STYLE = f"""
text {{ font-family: "Source Sans", "Source Sans Pro", Arial, sans-serif; font-size: 12.5px;
  fill: currentColor; }}
.size {{ font-weight: 600; font-size: 13px; }}
.quiet {{ opacity: .72; font-size: 11.5px; }}
.box {{ stroke-width: 1.4; fill-opacity: .1; }}
.way {{ stroke: currentColor; stroke-opacity: .65; stroke-width: 1.4; fill: none; }}
.skip {{ stroke: {GREEN}; stroke-width: 2; stroke-dasharray: 6 4; fill: none; }}
"""

_mount = st.components.v2.component(
    "unet_anatomy",
    html='<div class="anatomy"></div>',
    css=(HERE / "model.css").read_text(encoding="utf-8"),
    js="""export default function ({ data, parentElement }) {
      parentElement.querySelector(".anatomy").innerHTML = data.html;
    }""",
)


@dataclass(frozen=True)
class Box:
    """A block and the place of its upper left corner."""

    block: Block
    x: float
    y: float

    @property
    def middle(self) -> float:
        """Between left and right edge."""
        return self.x + WIDE / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + TALL


def show(design: Design, blocks: Sequence[Block]) -> None:
    """The picture, and its parts explained: beside it, or below on a narrow screen."""
    legend = "".join(f"<li>{mark}<span>{words}</span></li>" for mark, words in explain(design))
    html = f'<figure>{svg(design, blocks)}</figure><ul class="legend">{legend}</ul>'
    _mount(key="anatomy", data={"html": html})


def svg(design: Design, blocks: Sequence[Block]) -> str:
    """The picture as a file: its text has the colour of what is around it, black if nothing is."""
    boxes = place(design, blocks)
    parts = [_draw_box(box, design) for box in boxes.values()]
    crops = {one.level: one.crop for one in blocks if one.name.startswith("merge")}
    for upper, lower in pairwise(["image", *_names(design, "down")]):
        parts.append(_draw_step(boxes[upper], boxes[lower], "2×2 max-pooling", is_down=True))
    rising = [f"down.{design.levels - 1}", *reversed(_names(design, "merge")), "head"]
    growing = "2×2 up-convolution" if design.up == "transposed" else "bilinear, ×2"
    for lower, upper in pairwise(rising):
        parts.append(_draw_step(boxes[upper], boxes[lower], growing, is_down=False))
    for level, crop in crops.items():
        words = "skip, added" if design.skip == "add" else "skip"
        words += f", crop {crop} px" * bool(crop)
        parts.append(_draw_skip(boxes[f"down.{level}"], boxes[f"merge.{level}"], words))
    # The words beside the highest arrow up reach further than the boxes in a narrow picture.
    width = max(boxes["head"].x + WIDE, boxes["head"].middle + LABEL) + 2
    height = max(box.bottom for box in boxes.values()) + 2
    about = f"U-Net with {design.levels} levels, {_size(boxes['image'].block)} to "
    about += _size(boxes["head"].block)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width:g} {height:g}" role="img" '
        f'style="max-width: {1.2 * width:.0f}px" '
        f'aria-label="{about}"><style>{STYLE}</style>{_ARROW}{"".join(parts)}</svg>'
    )


_ARROW = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor" fill-opacity=".75"/></marker>'
    '<marker id="skiptip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" '
    f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{GREEN}"/></marker></defs>'
)


def _names(design: Design, kind: str) -> list[str]:
    count = design.levels - (kind == "merge")
    return [f"{kind}.{level}" for level in range(count)]


def place(design: Design, blocks: Sequence[Block]) -> dict[str, Box]:
    """Where each block stands: down the left, up the right, image and output on top."""
    by_name = {block.name: block for block in blocks}
    levels = design.levels
    shift = min(MOST_SHIFT, 6 * MOST_SHIFT / max(1, 2 * (levels - 2)))
    right = 2 * max(0, levels - 2) * shift + WIDE + GAP
    boxes = {"image": Box(by_name["image"], 0, 0), "head": Box(by_name["head"], right, 0)}
    for level in range(levels):
        y = (level + 1) * PITCH
        if level == levels - 1:
            boxes[f"down.{level}"] = Box(by_name[f"down.{level}"], right / 2, y)
        else:
            boxes[f"down.{level}"] = Box(by_name[f"down.{level}"], level * shift, y)
            boxes[f"merge.{level}"] = Box(by_name[f"merge.{level}"], right - level * shift, y)
    return boxes


def _draw_box(box: Box, design: Design) -> str:
    block = box.block
    kind = block.name.partition(".")[0]
    if kind in ("image", "head"):
        kind, words = "end", "image" if kind == "image" else "output"
    else:
        if block.name == f"down.{design.levels - 1}":
            kind = "bottom"
        words = f"sees {block.sees} px"
    if block.name == "head":
        words = f"output, sees {block.sees} px"
    colour = COLOURS[kind]
    # Roots: channels and sides differ a hundredfold, and the small ones must stay visible.
    count, height, _ = block.shape_CHW
    wide = 3 + 24 * (count / max(design.widths)) ** 0.5
    tall = 4 + 34 * (height / design.height) ** 0.5
    wide, tall = min(wide, 27), min(tall, 38)
    text = box.x + 34 + (WIDE - 38) / 2
    return (
        f"<g><title>{describe(block)}</title>"
        f'<rect class="box" x="{box.x:g}" y="{box.y:g}" width="{WIDE}" height="{TALL}" rx="5" '
        f'fill="{colour}" stroke="{colour}"/>'
        f'<rect x="{box.x + 20 - wide / 2:.1f}" y="{box.y + (TALL - tall) / 2:.1f}" '
        f'width="{wide:.1f}" height="{tall:.1f}" rx="1.5" fill="{colour}" fill-opacity=".75"/>'
        f'<text class="size" text-anchor="middle" x="{text:g}" y="{box.y + 22:g}">'
        f"{_size(block)}</text>"
        f'<text class="quiet" text-anchor="middle" x="{text:g}" y="{box.y + 39:g}">{words}</text>'
        "</g>"
    )


def _size(block: Block) -> str:
    return " × ".join(map(str, block.shape_CHW))


def describe(block: Block) -> str:
    """One block in a sentence, under the pointer."""
    count, height, width = block.shape_CHW
    maps = f"{count} map" + "s" * (count != 1)
    step = 2**block.level
    return (
        f"{maps} of {height} × {width} pixels. Each pixel covers {step} × {step} pixels of the "
        f"image and depends on at most {block.sees} × {block.sees} of them."
    )


def _draw_step(upper: Box, lower: Box, words: str, *, is_down: bool) -> str:
    """The arrow between two boxes above each other, its words outside of the U."""
    x = (max(upper.x, lower.x) + min(upper.x, lower.x) + WIDE) / 2  # where both boxes are
    top, bottom = upper.bottom + 1, lower.y - 1
    start, end = (top, bottom) if is_down else (bottom, top)
    if upper.block.name == "image":
        words = ""
    elif upper.block.name == "head":
        words = "1×1 convolution"
    is_left = is_down or upper.block.name == "head"  # no room on the right of the output
    side, anchor = (-9, "end") if is_left else (9, "start")
    return (
        f'<path class="way" d="M{x:g} {start:g}V{end:g}" marker-end="url(#tip)"/>'
        f'<text class="quiet" text-anchor="{anchor}" x="{x + side:g}" '
        f'y="{(top + bottom) / 2 + 4:g}">{words}</text>'
    )


def _draw_skip(left: Box, right: Box, words: str) -> str:
    y = left.y + TALL / 2
    start, end = left.x + WIDE + 2, right.x - 2
    return (
        f'<path class="skip" d="M{start:g} {y:g}H{end:g}" marker-end="url(#skiptip)"/>'
        f'<text class="quiet" text-anchor="middle" x="{(start + end) / 2:g}" y="{y - 8:g}">'
        f"{words}</text>"
    )


def explain(design: Design) -> list[tuple[str, str]]:
    """A mark as in the picture, and what the part is for."""
    then = {"none": "ReLU", "batch": "batch normalisation and ReLU"}
    found = [
        (
            _square(BLUE),
            "<b>Block</b>: two 3×3 convolutions, each followed by "
            f"{then.get(design.norm, 'group normalisation and ReLU')}. Numbers: channels × rows × "
            "columns. <i>sees</i>: the side of the square of image pixels on which one pixel here "
            "depends.",
        ),
    ]
    if design.levels > 1:
        found += [
            (
                _arrow("↓"),
                "<b>Pooling</b> keeps the largest of 2×2 pixels. At half the size, the next "
                "convolutions look twice as far and cost a quarter.",
            ),
            (_arrow("↑"), _about_growing(design)),
            (
                _dashes(),
                "<b>Skip</b>: pooling has forgotten where exactly things are. The skip brings the "
                "fine detail of the same level back; borders become sharp. "
                + (
                    "Its maps are added to those that came up, one to one."
                    if design.skip == "add"
                    else "Its maps stand beside those that came up."
                ),
            ),
        ]
    if design.padding == "valid":
        found.append(
            (
                _arrow("⊡"),
                "<b>Valid</b> convolutions use real pixels only, and each takes 1 pixel from every "
                "side. So the output is smaller than the image, and skips are cropped to fit.",
            )
        )
    else:
        found.append(
            (
                _arrow("⊞"),
                "<b>Same</b> padding puts zeros around, so that no size changes. Near the image's "
                "border the network sees these zeros, which are no image.",
            )
        )
    if design.norm == "group":
        found.append(
            (
                _arrow("μ"),
                "<b>Group normalisation</b> takes mean and deviation over the whole image: through "
                "them, every pixel depends a little on all others.",
            )
        )
    return found


def _about_growing(design: Design) -> str:
    if design.up == "bilinear":
        return (
            "<b>Bilinear upsampling</b> doubles the size again by interpolation, which has no "
            "weights. The block behind it makes as many maps as the level above has."
        )
    relu = " A ReLU follows." if design.up_relu else ""
    return (
        "<b>Up-convolution</b> doubles the size again, so that in the end there is an answer for "
        f"every pixel.{relu}"
    )


def _square(colour: str) -> str:
    return f'<i class="mark"><b style="background:{colour}"></b></i>'


def _arrow(sign: str) -> str:
    return f'<i class="mark">{sign}</i>'


def _dashes() -> str:
    return f'<i class="mark"><u style="border-color:{GREEN}"></u></i>'
