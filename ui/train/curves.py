"""Curves over epochs, as options for `st.echarts_chart`. Tables come in, a dictionary comes out.

Plotly draws the figures that stand still, in charts.py. These grow every second, and Streamlit
builds a Plotly chart anew whenever its numbers change: it flickers, most of all on a machine that
is busy training. An ECharts chart takes the new numbers where it stands.

Blue is training and orange is validation, everywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ui.shared.charts import BLUE, GREEN, ORANGE, PINK, QUIET, SERIES, SKY
from unet_core.imaging import class_map

DASHES = ("solid", "dashed", "dotted")
CLASS_IOU = "val_iou_"  # and the name of the class

# A line on the screen has about this many pixels; more points cost traffic and show nothing.
MOST_POINTS = 1200
MOST_DOTS = 40  # more of them hide the line

Option = dict[str, Any]


def loss(
    metrics: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    steps_per_epoch: float,
    epochs: int = 0,
    best: int | None = None,
    log: bool = False,
) -> Option:
    """The loss over epochs: validation and training once an epoch, and the step's as it runs.

    `metrics` has a row per epoch (epoch, train_loss, val_loss), `steps` one per second or so
    (step, loss). An epoch's values stand at its end, where its last step stands, too. The axis
    reaches to the last of the planned `epochs`.
    """
    lines = [
        _line("training, each step", *_over_steps(steps, "loss", steps_per_epoch), SKY, thin=True),
        _epochs("training", metrics, "train_loss", BLUE),
        _epochs("validation", metrics, "val_loss", ORANGE, best=best),
    ]
    return _chart(lines, y="loss", epochs=epochs, log=log)


def dice(metrics: pd.DataFrame, *, epochs: int = 0, best: int | None = None) -> Option:
    """Dice over epochs, hard and soft, on training and validation."""
    lines = [
        _epochs("training", metrics, "train_dice", BLUE),
        _epochs("training, soft", metrics, "train_soft_dice", BLUE, dash="dotted"),
        _epochs("validation", metrics, "val_dice", ORANGE, best=best),
        _epochs("validation, soft", metrics, "val_soft_dice", ORANGE, dash="dotted"),
    ]
    return _chart(lines, y="Dice", epochs=epochs, empty="comes after the first epoch")


def mean_iou(metrics: pd.DataFrame, *, epochs: int = 0, best: int | None = None) -> Option:
    """Mean IoU of the classes over epochs, and that of each class in its colour."""
    names = [str(one) for one in metrics if str(one).startswith(CLASS_IOU)]
    colours = ["#{:02x}{:02x}{:02x}".format(*one) for one in class_map.colours(len(names))[1:]]
    # Orange would be the first class's colour, too.
    lines = [_epochs("mean of the classes", metrics, "val_miou", PINK, best=best)]
    lines += [
        _epochs(name.removeprefix(CLASS_IOU), metrics, name, colour, dash="dotted")
        for name, colour in zip(names, [QUIET, *colours], strict=False)
    ]
    return _chart(lines, y="IoU", epochs=epochs, empty="comes after the first epoch")


def ap(metrics: pd.DataFrame, *, epochs: int = 0, best: int | None = None) -> Option:
    """AP of the objects at IoU .5 over epochs."""
    line = _epochs("validation", metrics, "val_ap", ORANGE, best=best)
    return _chart([line], y="AP", epochs=epochs, empty="comes after the first epoch")


def pace(steps: pd.DataFrame, column: str, *, steps_per_epoch: float, epochs: int = 0) -> Option:
    """The learning rate ("lr") or the speed ("images_per_second") over the epochs."""
    name, color = {"lr": ("learning rate", GREEN), "images_per_second": ("images/s", PINK)}[column]
    line = _line(name, *_over_steps(steps, column, steps_per_epoch), color, thin=True)
    return _chart([line], y=name, epochs=epochs)


def compare(metrics: Mapping[str, pd.DataFrame], column: str, *, y: str, log: bool) -> Option:
    """One column of several runs over epochs, a line for each run that has values."""
    lines = [
        _epochs(
            name,
            frame,
            column,
            SERIES[place % len(SERIES)],
            dash=DASHES[place // len(SERIES) % len(DASHES)],
        )
        for place, (name, frame) in enumerate(metrics.items())
    ]
    return _chart(lines, y=y, log=log, empty="no values yet")


def band(
    rows: Sequence[Mapping[str, float]],
    seeds: Mapping[str, pd.DataFrame],
    column: str,
    *,
    y: str,
    color: str,
    epochs: int,
) -> Option:
    """The mean of a repeat's curves as a thick line, each seed's thin, and a band around them.

    `rows` are those of `spread.band`; the band reaches from the lowest to the highest seed.
    """
    names = {
        "mean": f"mean of {max((int(row['n']) for row in rows), default=0)} seeds",
        "low": "lowest seed",
        "width": "lowest to highest seed",
    }
    at = {int(row["epoch"]): row for row in rows}
    reached = [int(frame["epoch"].max()) for frame in seeds.values() if len(frame)]
    axis = range(1, max([epochs, *reached]) + 1)
    mean, low, width = (
        [_short(value(at[one])) if one in at else None for one in axis]
        for value in (
            lambda row: row["mean"],
            lambda row: row["low"],
            lambda row: row["high"] - row["low"],
        )
    )
    nothing, tint = {"opacity": 0}, {"color": color}
    # The band stands on an invisible line: a stack, which needs epochs as names, not as numbers.
    stack = {"type": "line", "stack": "band", "stackStrategy": "all", "showSymbol": False}
    series: list[Option] = [
        {**stack, "name": names["low"], "data": low, "lineStyle": nothing, "itemStyle": nothing},
        {
            **stack,
            "name": names["width"],
            "data": width,
            "lineStyle": nothing,
            "itemStyle": tint,
            "areaStyle": {"color": color, "opacity": 0.22},
        },
        {
            "type": "line",
            "name": names["mean"],
            "data": mean,
            "showSymbol": len(rows) == 1,
            "lineStyle": {"color": color, "width": 2.8},
            "itemStyle": tint,
        },
        *(_thin_seed(name, frame, column, axis) for name, frame in seeds.items()),
    ]
    option = _chart([], y=y, empty="" if any(reached) else "comes after the first epoch")
    shown: list[Any] = [names["mean"], {"name": names["width"], "icon": "roundRect"}]
    option["legend"]["data"] = shown if rows else []
    option["xAxis"] = {
        "type": "category",
        "name": "epoch",
        "nameLocation": "middle",
        "nameGap": 26,
        "data": [str(one) for one in axis],
        "boundaryGap": False,
    }
    if any(reached):
        option["yAxis"] = {
            "type": "value",
            "name": y,
            "nameGap": 22,
            "nameTextStyle": {"align": "left"},
            "scale": True,
        }
        option["series"] = series
    return option


def _thin_seed(name: str, frame: pd.DataFrame, column: str, axis: range) -> Option:
    """The curve of one seed over the names of the epochs."""
    values = dict(zip(_column(frame, "epoch"), _column(frame, column), strict=True))
    data = [_short(values.get(float(one), np.nan)) for one in axis]
    known = sum(one is not None for one in data)
    return {
        "type": "line",
        "name": name,
        "data": data,
        "showSymbol": known == 1,
        "symbolSize": 5,
        "lineStyle": {"color": QUIET, "width": 1},
        "itemStyle": {"color": QUIET},
    }


def thin_out(
    x: np.ndarray, y: np.ndarray, *, most: int = MOST_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points of a curve, each the mean of its neighbours; short ones as they are."""
    if len(x) <= most:
        return x, y
    group = np.arange(len(x)) * most // len(x)
    count = np.bincount(group)
    return np.bincount(group, x) / count, np.bincount(group, y) / count


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A column as floats, NaN for null; all NaN where the column does not exist."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)


def _over_steps(
    steps: pd.DataFrame, column: str, steps_per_epoch: float
) -> tuple[np.ndarray, np.ndarray]:
    return thin_out(_column(steps, "step") / max(steps_per_epoch, 1.0), _column(steps, column))


def _epochs(
    name: str,
    metrics: pd.DataFrame,
    column: str,
    color: str,
    *,
    dash: str = "solid",
    best: int | None = None,
) -> Option:
    """A column of the epochs as a line; the best one gets a star and a line down to the axis."""
    x, y = _column(metrics, "epoch"), _column(metrics, column)
    line = _line(name, x, y, color, dash=dash)
    value = y[x == best] if best is not None else y[:0]
    if best is not None and value.size and np.isfinite(value[-1]):
        line["markPoint"] = {
            "symbol": "path://M10 0l3 7h7l-6 4 2 8-6-5-6 5 2-8-6-4h7z",
            "symbolSize": 16,
            "data": [{"coord": [best, _short(value[-1])]}],
            "itemStyle": {"color": color, "borderColor": "#333", "borderWidth": 0.7},
        }
        line["markLine"] = {
            "symbol": "none",
            "data": [{"xAxis": best}],
            "lineStyle": {"color": QUIET, "type": "dotted"},
            "label": {"formatter": f"best: epoch {best}", "color": QUIET},
            "silent": True,
        }
    return line


def _short(value: float) -> float | None:
    """Six digits: more cannot be seen, and travel every second."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _line(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    color: str,
    *,
    dash: str = "solid",
    thin: bool = False,
) -> Option:
    """A series; values that do not exist are gaps, and a lone point shows as a dot."""
    points = [[_short(one), _short(other)] for one, other in zip(x, y, strict=True)]
    return {
        "type": "line",
        "name": name,
        "data": points,
        "showSymbol": len(points) == 1 or (not thin and len(points) <= MOST_DOTS),
        "symbolSize": 6,
        "lineStyle": {"color": color, "width": 1.3 if thin else 2.4, "type": dash},
        "itemStyle": {"color": color},
    }


def _chart(
    lines: list[Option], *, y: str, epochs: int = 0, log: bool = False, empty: str = ""
) -> Option:
    """The lines that have any value, with axes, legend and tooltip."""
    lines = [line for line in lines if any(value is not None for _, value in line["data"])]
    end = max((epochs, *(line["data"][-1][0] for line in lines))) or 1.0
    for mark in (line["markLine"] for line in lines if "markLine" in line):
        # Its label stands beside it, towards the middle: above the last epoch it would be cut.
        is_late = 2 * mark["data"][0]["xAxis"] > end
        mark["label"]["align"] = "right" if is_late else "left"
    option: Option = {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 56, "bottom": 28, "containLabel": True},
        "legend": {"left": 0, "top": 0, "type": "scroll", "right": 24},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.4g"},
        "xAxis": {
            "type": "value",
            "name": "epoch",
            "nameLocation": "middle",
            "nameGap": 26,
            "min": 0,
            "max": end,
            # Where the curve has got to is seldom a round number.
            "axisLabel": {"showMaxLabel": end == round(end)},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "log" if log else "value",
            "name": y,
            "nameGap": 22,  # above the label of the best epoch
            "nameTextStyle": {"align": "left"},
            "scale": y != "loss",
        },
        "series": lines,
    }
    if not lines:
        option["series"] = [{"type": "line", "data": []}]  # without one there are no axes
        option["yAxis"] |= {"min": 0, "max": 1}
        option["title"] = {
            "text": empty,
            "left": "center",
            "top": "middle",
            "textStyle": {"color": QUIET, "fontSize": 13, "fontWeight": "normal"},
        }
    return option
