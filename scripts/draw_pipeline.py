"""Draw the home page's picture, ui/home/pipeline.html: `python -m scripts.draw_pipeline`.

Everything in it is computed: a synthetic image, the shipped network's probabilities, the watershed
and the score. It is HTML rather than a bitmap so that its words follow the theme of the app.
"""

import argparse
import base64
import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from unet_core.data import synthetic
from unet_core.imaging import instances, matching, overlay

TARGET = Path(__file__).resolve().parent.parent / "ui" / "home" / "pipeline.html"
SEED, SIDE = 11, 128

# For both themes: neither too light nor too dark.
TEAL, ORANGE = "#2a93ad", "#e69f00"

PAGE = """<style>
.pipeline {{ display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 2.6rem;
  max-width: 68rem; margin: 0 auto; }}
.pipeline figure {{ margin: 0; position: relative; }}
.pipeline figure + figure::before {{ content: "→"; position: absolute; left: -2rem; width: 1.4rem;
  text-align: center; font-size: 1.4rem; line-height: 1; opacity: .55;
  top: calc((100% - 4.2rem) / 2 - .7rem); }}
.pipeline img {{ display: block; width: 100%; aspect-ratio: 1; border-radius: .4rem;
  image-rendering: auto; }}
.pipeline figcaption {{ min-height: 4.2rem; padding-top: .5rem; font-size: .85rem;
  line-height: 1.35; text-align: center; }}
.pipeline figcaption b {{ display: block; font-size: .95rem; }}
.pipeline figcaption span {{ opacity: .72; }}
@media (max-width: 640px) {{
  .pipeline {{ grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }}
  .pipeline figure + figure::before {{ content: none; }}
}}
</style>
<div class="pipeline">
{figures}
</div>
"""
FIGURE = (
    '<figure><img src="data:image/{kind};base64,{data}" alt="{alt}">'
    "<figcaption><b>{title}</b><span>{text}</span></figcaption></figure>"
)


def predict(image_HW: np.ndarray, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and boundary probabilities from a checkpoint."""
    from unet_core.imaging import targets
    from unet_core.network import checkpoint
    from unet_core.predict import inference

    trained = checkpoint.load(model)
    prob_CHW = inference.predict(trained, image_HW)
    return targets.decode(
        prob_CHW, trained.config.train.objective.target, trained.config.train.objective.boundary
    )


def draw(
    image_HW: np.ndarray, true_HW: np.ndarray, foreground_HW: np.ndarray, boundary_HW: np.ndarray
) -> str:
    """The HTML of the picture; the score is that of the labels found in it."""
    steps = instances.watershed_steps(foreground_HW, boundary_HW, min_size=20)
    labels_HW = steps.labels_HW
    counts = matching.match(true_HW, labels_HW)
    grey_HW = stretch(image_HW)
    outlined = overlay.paint(
        grey_HW,
        overlay.number_objects(labels_HW),
        overlay.shades(overlay.OBJECTS, opacity=0.4),
    )
    objects = labels_HW.max()
    figures = [
        ("png", png(grey_HW), "Your image", "nuclei, cells, membranes", "A grey image"),
        ("svg+xml", unet_svg().encode(), "U-Net", "sees detail and surroundings", "A U of boxes"),
        (
            "png",
            png(two_channels(foreground_HW, boundary_HW)),
            "Probabilities",
            "object (blue), border (orange)",
            "Two colours of probability",
        ),
        (
            "png",
            png(growing(steps.markers_HW, foreground_HW)),
            "Watershed",
            "one seed for each object grows",
            "Coloured seeds in grey shapes",
        ),
        (
            "png",
            png(outlined),
            "Objects and score",
            f"{objects} objects, F1 = {counts.f1:.2f}",
            "The image with coloured objects",
        ),
    ]
    return PAGE.format(figures="\n".join(figure(*one) for one in figures))


def figure(kind: str, data: bytes, title: str, text: str, alt: str) -> str:
    encoded = base64.b64encode(data).decode()
    return FIGURE.format(kind=kind, data=encoded, title=title, text=text, alt=alt)


def stretch(image_HW: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image_HW, (0.5, 99.7))
    return (255 * np.clip((image_HW - low) / (high - low), 0, 1)).astype(np.uint8)


def two_channels(foreground_HW: np.ndarray, boundary_HW: np.ndarray) -> np.ndarray:
    colours = np.array([[86, 180, 233], [230, 159, 0]], float)
    border = boundary_HW[..., None]
    mixed = foreground_HW[..., None] * (1 - border) * colours[0] + border * colours[1]
    return np.clip(mixed, 0, 255).astype(np.uint8)


def growing(markers_HW: np.ndarray, foreground_HW: np.ndarray) -> np.ndarray:
    """The seeds in full colour on the dim shapes that they will fill."""
    dim_HW = (90 * np.clip(foreground_HW, 0, 1)).astype(np.uint8)
    return overlay.paint(
        dim_HW, overlay.number_objects(markers_HW), overlay.shades(overlay.OBJECTS, opacity=1.0)
    )


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    # Half as large again: sharper outlines than a browser's own enlarging.
    size = (3 * SIDE // 2, 3 * SIDE // 2)
    image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    image.quantize(40, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def unet_svg() -> str:
    """The U: feature maps that shrink and deepen, then grow, with the skip connections between."""
    # Left edge, top, width and height: ever more channels (wider), ever fewer pixels (lower).
    left = [(6, 12, 6, 26), (20, 38, 9, 17), (35, 59, 11, 10)]
    bottom = (43, 80, 14, 6)
    right = [(100 - x - width, y, width, height) for x, y, width, height in left]
    down, up = [*left, bottom], [bottom, *reversed(right)]
    skips = [
        line(x + width + 3, y + height / 2, 97 - x - width, y + height / 2, ORANGE, dashed=True)
        for x, y, width, height in left
    ]
    steps = [
        line(a[0] + a[2] / 2, a[1] + a[3] + 1, b[0] - 1, b[1] + b[3] / 2, TEAL)
        for a, b in itertools.pairwise(down)
    ] + [
        line(a[0] + a[2] + 1, a[1] + a[3] / 2, b[0] + b[2] / 2, b[1] + b[3] + 1, TEAL)
        for a, b in itertools.pairwise(up)
    ]
    boxes = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="1.5" fill="{TEAL}"/>'
        for x, y, width, height in [*left, bottom, *right]
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="256" height="256">'
        + "".join(skips + steps + boxes)
        + "</svg>"
    )


def line(x0: float, y0: float, x1: float, y1: float, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="3 2.4"' if dashed else ""
    return (
        f'<path d="M{x0:.1f} {y0:.1f} L{x1:.1f} {y1:.1f}" stroke="{colour}" '
        f'stroke-width="1.5" fill="none"{dashes}/>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nuclei")
    options = parser.parse_args()
    image_HW, true_HW = synthetic.nuclei(np.random.default_rng(SEED), (SIDE, SIDE), count=18)
    TARGET.write_text(draw(image_HW, true_HW, *predict(image_HW, options.model)))


if __name__ == "__main__":
    main()
