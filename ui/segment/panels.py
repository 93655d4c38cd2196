"""What came out of segmenting, in pictures: each view of the Segment page."""

import numpy as np
import streamlit as st

from ui.segment import classes
from ui.segment.look import Look, choose_look
from ui.segment.result import Result
from ui.shared import cache, columns, errors, html, pictures, places, viewer
from ui.shared.viewer import Panel
from ui.shared.words import many
from unet_core.imaging import instances, matching, overlay, targets
from unet_core.imaging.measure import measure
from unet_core.scoring import errors as scoring


def show(result: Result, base: bytes, revision: str) -> None:
    """The chosen view of the result. `base` is the image as PNG, the same for all settings."""
    views = {"Objects": show_objects, "Probabilities": show_probabilities, "Steps": show_steps}
    if result.counts:
        found = {"Hits and misses": show_verdicts, "Errors": show_errors}
        views = {"Objects": show_objects, **found, **views}
    if result.segmented.classes:
        views = {"Classes": classes.show, **views}
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        view = st.segmented_control(
            "View",
            [*views, "Table"],
            default=next(iter(views)),
            required=True,
            wrap=True,
            key="result",
            bind="query-params",
            label_visibility="collapsed",
        )
        look = choose_look()
    if view == "Table":
        show_table(result)
        return
    views[view](result, base, look, revision)
    every = pictures.step(result.labels_HW.shape)
    coarse = f" Shown is every {every}th pixel; the download is complete." if every > 1 else ""
    st.caption(viewer.HOW + coarse)


def show_objects(result: Result, base: bytes, look: Look, revision: str) -> None:
    """The objects found, each in a colour unlike its neighbours'."""
    shades = overlay.shades(overlay.OBJECTS, filled=look.filled, opacity=look.opacity)
    _view(result, [Panel((base, _layer(result.labels_HW, shades)))], revision, result.objects)


def show_verdicts(result: Result, base: bytes, look: Look, revision: str) -> None:
    """Hits, false alarms and misses."""
    true_HW, pred_HW = result.chosen.truth_HW, result.labels_HW
    assert true_HW is not None  # the view is offered only then
    hits = matching.pairs(true_HW, pred_HW, result.iou)
    number_HW = overlay.number_verdicts(pictures.fit(true_HW), pictures.fit(pred_HW), *hits)
    shades = overlay.shades(overlay.VERDICT_COLOURS, filled=look.filled, opacity=look.opacity)
    st.html(legend(result.count, look))
    panel = Panel((base, pictures.layer(number_HW, shades)))
    _view(result, [panel], revision, pictures.judge_objects(true_HW, pred_HW, *hits))


def show_errors(result: Result, base: bytes, look: Look, revision: str) -> None:
    """Hits and misses beside the list of errors; a press zooms to one."""
    true_HW, pred_HW = result.chosen.truth_HW, result.labels_HW
    assert true_HW is not None  # the view is offered only then
    tally = scoring.Tally(result.iou)
    tally.add(result.chosen.stem, true_HW, pred_HW)
    document = tally.document()
    if not document["rows"]:
        show_verdicts(result, base, look, revision)
        st.success("Not one error: every true object is hit, and nothing else was found.")
        return
    grey_HW = cache.grey(result.chosen.pixels_HW, result.chosen.pixels_sha256)

    def draw(row: errors.Row) -> bytes:
        objects = row["true_labels"], row["pred_labels"]
        return pictures.outlines(grey_HW, true_HW, pred_HW, row["box"], *objects)

    picture, listed = st.columns([3, 2], gap="medium")
    with listed:
        rows = errors.choose(document["rows"], "error")
        pressed = errors.show_list(rows, key="error", picture=draw, action="Show", height=480)
    if pressed is not None:
        places.look_at(result.chosen.stem, pressed["box"])
    with picture:
        show_verdicts(result, base, look, revision)
    errors.show_kinds(document)


def show_probabilities(result: Result, base: bytes, look: Look, revision: str) -> None:
    """The image and each channel of the network."""
    panels = [Panel((base,), "Image", "Contrast stretched for the eye.")]
    outputs = zip(result.model.config.outputs, result.segmented.prob_CHW, strict=True)
    for name, prob_HW in outputs:
        sentence = f"How likely each pixel is {name}: dark blue 0, yellow 1."
        panels.append(Panel((_heat(prob_HW),), name.capitalize(), sentence))
    _view(result, panels, revision, result.objects, columns=4 if len(panels) == 4 else 3)


def show_steps(result: Result, base: bytes, look: Look, revision: str) -> None:
    """How the objects come about, step by step."""
    draw = _watershed_steps if result.options.method == "watershed" else _component_steps
    _view(result, draw(result, base), revision, result.objects)


def _view(
    result: Result,
    panels: list[Panel],
    revision: str,
    objects: pictures.Objects,
    *,
    columns: int = 3,
) -> None:
    viewer.show(
        panels,
        result.labels_HW.shape,
        key="picture",
        revision=revision,
        objects=objects,
        columns=columns,
        pixel_size_um=result.chosen.pixel_size_um,
        focus=places.read(result.chosen.stem, result.labels_HW.shape),
    )


def _component_steps(result: Result, base: bytes) -> list[Panel]:
    options, foreground_HW = result.options, result.segmented.foreground_HW
    return [
        Panel(
            (_heat(foreground_HW),),
            f"1  {_foreground(result)}",
            "How likely each pixel is part of an object: dark blue 0, yellow 1.",
        ),
        _mask_panel(result, foreground_HW > options.threshold, 2, "each region is an object"),
        _result_panel(result, base, 3),
    ]


def _watershed_steps(result: Result, base: bytes) -> list[Panel]:
    options = result.options
    steps = instances.watershed_steps(
        result.segmented.foreground_HW,
        result.segmented.boundary_HW,
        **instances.watershed_options(options),
    )
    black = pictures.png(np.zeros_like(pictures.fit(steps.mask_HW), np.uint8))
    weight = options.boundary_weight
    return [
        Panel(
            (_heat(steps.difference_HW, -weight),),
            f"1  {_foreground(result)} − {weight:g} × boundary",
            "Bright where the network is sure to be inside one object.",
        ),
        Panel(
            (black, _layer(steps.markers_HW, overlay.shades(overlay.OBJECTS, opacity=1.0))),
            "2  Markers",
            f"Where that is above {options.marker_threshold:.2f} inside the mask: one object grows "
            "from each.",
        ),
        Panel(
            (_heat(steps.height_HW),),
            "3  Height map",
            "The boundary as a landscape: objects grow uphill and meet on its ridges.",
        ),
        _mask_panel(result, steps.mask_HW, 4, "no object grows beyond it"),
        _result_panel(result, base, 5),
    ]


def _foreground(result: Result) -> str:
    """What the objects are made of, by the chosen reading."""
    objective = result.segmented.objective
    has_rim = targets.has_rim(objective.target, objective.boundary)
    return "Inside" if has_rim and result.options.reading == "inside" else "Foreground"


def _mask_panel(result: Result, mask_HW: np.ndarray, step: int, end: str) -> Panel:
    grey = pictures.png(pictures.fit(mask_HW).astype(np.uint8) * 255)
    sentence = f"{_foreground(result)} above {result.options.threshold:.2f}: {end}."
    return Panel((grey,), f"{step}  Mask", sentence)


def _result_panel(result: Result, base: bytes, step: int) -> Panel:
    options, rules = result.options, []
    if options.fill_holes:
        rules.append("holes are filled")
    if options.drop_border:
        rules.append("objects at the border are dropped")
    if options.min_size:
        rules.append(f"so are those below {options.min_size} px²" if options.drop_border
                     else f"objects below {options.min_size} px² are dropped")  # fmt: skip
    sentence = many(len(result.objects.label_N), "object")
    sentence += f"; {', '.join(rules)}." if rules else "."
    layers = (base, _layer(result.labels_HW, overlay.shades(overlay.OBJECTS, opacity=0.5)))
    return Panel(layers, f"{step}  Result", sentence)


def _heat(values_HW: np.ndarray, low: float = 0.0) -> bytes:
    return pictures.png(pictures.heat(pictures.fit(values_HW), low))


def _layer(labels_HW: np.ndarray, shades: np.ndarray) -> bytes:
    return pictures.layer(overlay.number_objects(pictures.fit(labels_HW)), shades)


def legend(count: matching.Counts, drawn: Look) -> str:
    """The three verdicts as HTML, with their colours and numbers."""
    numbers = (count.tp, count.fp, count.fn)
    marks = []
    for verdict, colour, amount in zip(
        overlay.VERDICTS, overlay.VERDICT_COLOURS, numbers, strict=True
    ):
        fill = "hollow" if not drawn.filled else "striped" if verdict == "miss" else "filled"
        marks.append(html.Mark(colour, many(amount, verdict), fill))
    return html.legend(marks)


def show_table(result: Result) -> None:
    """A row for each object."""
    chosen = result.chosen
    table = measure(result.labels_HW, chosen.pixels_HW, pixel_size_um=chosen.pixel_size_um)
    st.dataframe(table, hide_index=True, height=520, column_config=columns.config(table))
    unknown = "" if chosen.pixel_size_um else " The file does not say how large a pixel is."
    st.caption(f"One row for each object, as in the download.{unknown}")
