"""The loss over a growing learning rate, as an option for `st.echarts_chart`."""

from collections.abc import Sequence
from typing import Any

from ui.shared.charts import BLUE, GREEN, QUIET, RED, SKY

Option = dict[str, Any]
Row = dict[str, Any]


def loss(
    points: Sequence[Row],
    *,
    low: float,
    high: float,
    suggestion: Row | None = None,
    diverged: float | None = None,
) -> Option:
    """The loss of each step and its smoothed line over the rates from `low` to `high`.

    `points` have `lr`, `relative` and `smoothed`; null is a loss that is no number. `suggestion`
    has `lr`, `low` and `high`, marked as a line and a safe range unless null; `diverged` is the
    rate at which the loss grew beyond bounds.
    """
    bottom, top = _range(points)
    found = suggestion or {"lr": None, "low": None, "high": None}
    lines = []
    if found["lr"] is not None:
        lines.append(_mark(found["lr"], "suggested", GREEN))
    if diverged is not None:
        lines.append(_mark(diverged, "diverged", RED))
    smoothed: Option = {
        "type": "line",
        "name": "smoothed",
        "data": [[one["lr"], one["smoothed"]] for one in points],
        "showSymbol": len(points) == 1,
        "symbolSize": 6,
        "lineStyle": {"color": BLUE, "width": 2.6},
        "itemStyle": {"color": BLUE},
        "markLine": {"symbol": "none", "silent": True, "data": lines},
    }
    if found["low"] is not None:
        smoothed["markArea"] = {
            "silent": True,
            "itemStyle": {"color": GREEN, "opacity": 0.14},
            "data": [[{"xAxis": found["low"]}, {"xAxis": found["high"]}]],
        }
    each = {
        "type": "scatter",
        "name": "each step",
        "data": [[one["lr"], one["relative"]] for one in points],
        "symbolSize": 6,
        "itemStyle": {"color": SKY, "opacity": 0.55},
    }
    return {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 56, "bottom": 28, "containLabel": True},
        "legend": {"left": 0, "top": 0},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.3g"},
        "xAxis": {
            "type": "log",
            "name": "learning rate",
            "nameLocation": "middle",
            "nameGap": 26,
            "min": low,
            "max": high,
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "name": "loss, untrained = 1",
            "nameGap": 22,
            "nameTextStyle": {"align": "left"},
            "min": bottom,
            "max": top,
        },
        "series": [each, smoothed],
    }


def _range(points: Sequence[Row]) -> tuple[float, float]:
    """Where the loss falls is what counts: above, half that room, and the rest is cut off."""
    least = min((one["smoothed"] for one in points if one["smoothed"] is not None), default=0.9)
    bottom = max(0.0, int(10 * min(least, 0.9) - 0.5) / 10)
    return bottom, round(1.04 + (1 - bottom) / 2, 1)


def _mark(rate: float, word: str, color: str) -> Option:
    return {
        "xAxis": rate,
        "lineStyle": {"color": color, "type": "solid" if word == "suggested" else "dashed"},
        "label": {"formatter": word, "color": QUIET},
    }
