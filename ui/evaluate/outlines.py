"""How well the outlines of hits fit, and what one pixel means on this set of images."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import sentences
from ui.shared.words import many, number

Document = dict[str, Any]

BOUNDARY_F1 = (
    "How much of the found outline lies within {tolerance:g} px of the true one, and the reverse, "
    "as one number: 1 is all. The mean over the hits (Csurka et al. 2013)."
)
HAUSDORFF = (
    "95 % of the points of the one outline are at most so far from the other: the worst places, "
    "without a single stray pixel. The median over the hits (Huttenlocher et al. 1993)."
)
AREA = (
    "How much larger (+) or smaller (−) than the true objects the found ones are: the median over "
    "the hits. Behind it, the size of the error, whatever its sign."
)
ABOUT_ONE_PIXEL = (
    "Nobody draws an outline exactly to the pixel. Here the **true** objects of these images, each "
    "**grown** or **shrunk** by one pixel, are scored against themselves: a network whose score "
    "comes near to that cannot be told from a person who drew a little wider or narrower. The "
    "smaller the objects and the stricter the IoU, the more one pixel takes."
)


def show_shape(document: Document) -> None:
    """The figures of the hits' outlines; nothing where an older evaluation has none."""
    found = document.get("shape")
    if not found or not found["n_hits"]:
        return
    with st.container(horizontal=True, gap="medium", key="numbers-outlines"):
        for label, text, help in _figures(found):
            st.metric(label, text, help=help, width="content")
    st.caption(f"Outlines of {many(found['n_hits'], 'hit')} at IoU ≥ {found['iou']:.2f}.")


def _figures(found: Document) -> list[tuple[str, str, str]]:
    um = found["hausdorff_95_um"]
    distance = number(found["hausdorff_95_px"], "{:.2f} px")
    return [
        (
            f"Boundary F1 within {found['tolerance_px']:g} px",
            number(found["boundary_f1"]),
            BOUNDARY_F1.format(tolerance=found["tolerance_px"]),
        ),
        ("Hausdorff 95 %", distance + ("" if um is None else f" = {um:.3f} µm"), HAUSDORFF),
        ("Area error", _area(found), AREA),
    ]


def _area(found: Document) -> str:
    if found["area_error"] is None:
        return "–"
    return f"{100 * found['area_error']:+.1f} % (±{100 * found['area_error_size']:.1f} %)"


def show_one_pixel(document: Document) -> None:
    """What the truth itself scores with other outlines, folded away."""
    with st.expander("What one pixel means here", icon=":material/straighten:"):
        if not document.get("one_pixel"):
            st.info("This evaluation is from before this was measured: start it again to see it.")
            return
        st.markdown(ABOUT_ONE_PIXEL)
        st.dataframe(one_pixel(document), hide_index=True, height="content")
        st.caption(_smallest_difference(document))


def one_pixel(document: Document) -> pd.DataFrame:
    """Each score of this model beside that of the truth grown and shrunk by one pixel."""
    columns = {"This model": document}
    columns |= {f"Truth {row['change']} by 1 px": row for row in document["one_pixel"]}
    return pd.DataFrame(
        [
            {"Score": label} | {name: read(one) for name, one in columns.items()}
            for label, read in _scores(document["shape"]["tolerance_px"]).items()
        ]
    )


def _scores(tolerance: float) -> dict[str, Callable[[Document], str]]:
    def at(kind: str, measure: str, iou: float) -> Callable[[Document], str]:
        return lambda one: number(sentences.row_at(one[kind], iou).get(measure))

    scores = {
        f"{sentences.MEASURES[measure]} {sentences.AVERAGES[kind]}, IoU {iou:.2f}": at(
            kind, measure, iou
        )
        for measure, ious in (("f1", (0.5, 0.75, 0.9)), ("ap", (0.5, 0.75, 0.9)), ("pq", (0.5,)))
        for iou in ious
        for kind in ("pooled", "by_image")
    }

    def of_pixels(key: str) -> Callable[[Document], str]:
        return lambda one: number(one["pixels"].get(key))

    for key, label in (("dice", "Dice"), ("mean_iou", "Mean IoU"), ("accuracy", "Accuracy")):
        scores[f"{label} of pixels"] = of_pixels(key)
    scores[f"Boundary F1 within {tolerance:g} px"] = lambda one: number(one["shape"]["boundary_f1"])
    scores["Hausdorff 95 %"] = lambda one: number(one["shape"]["hausdorff_95_px"], "{:.2f} px")
    scores["Area error"] = lambda one: _area(one["shape"])
    return scores


def _smallest_difference(document: Document) -> str:
    """What one pixel takes at a strict IoU, in a sentence."""
    rows = [sentences.row_at(row["pooled"], 0.75) for row in document["one_pixel"]]
    known = [row["f1"] for row in rows if row.get("f1") is not None]
    if not known:
        return "There are no true objects here, so there is nothing to grow or shrink."
    return (
        f"At IoU 0.75 one pixel alone takes up to {1 - min(known):.3f} from a perfect pooled F1. "
        "The boundary F1 forgives just one pixel."
    )
