"""Charts of both kinds, saved by their buttons as PNG and as SVG."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from unet_core.base.config import TrainConfig
from unet_core.base.records import append_row
from unet_core.runs import runs


@pytest.fixture
def run(app, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that has ended after two epochs, as its curves see it."""
    monkeypatch.setenv("UNET_RUNS", str(app.runs))
    made = runs.create(TrainConfig.of(epochs=2), preset="quick")
    for epoch in (1, 2):
        append_row(made.path / "metrics.jsonl", {"epoch": epoch, "val_loss": 1.0, "val_dice": 0.5})
    runs.write_status(made, runs.last_status(made).replace(state="finished"))
    return made.id


def save(page: Page, chart: str, kind: str, folder: Path) -> Path:
    """The file that a chart's button gives, under its own name."""
    page.locator(f".st-key-{chart}").hover()
    with page.expect_download() as waiting:
        page.locator(f".st-key-{chart}").get_by_label(f"Save this chart as {kind}").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


@pytest.mark.parametrize("kind", ["Plotly", "ECharts"])
def test_a_chart_is_saved_as_png_and_as_svg(
    open_page: Callable[..., Page],
    save_cutter: Callable[..., str],
    run: str,
    tmp_path: Path,
    kind: str,
) -> None:
    link, chart, word = {
        "Plotly": (
            f"/segment?set=synthetic-nuclei&model={save_cutter()}",
            "curve",
            "IoU from which",
        ),
        "ECharts": (f"/train?run={run}", "score-chart", "epoch"),
    }[kind]
    page = open_page(link)
    box = page.locator(
        f".st-key-{chart} :is(.stPlotlyChart, .stEChartsChart) svg"
    ).first.bounding_box()
    assert box is not None
    files = {one: save(page, chart, one, tmp_path) for one in ("PNG", "SVG")}
    name = f"{link[1:].partition('?')[0]}-{chart}"
    assert [path.name for path in files.values()] == [f"{name}.png", f"{name}.svg"]

    root = ElementTree.parse(files["SVG"]).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.get("width", "nan")) == pytest.approx(box["width"], abs=1)
    assert word in " ".join(root.itertext())
    with PillowImage.open(files["PNG"]) as picture:
        assert picture.size == pytest.approx((2 * box["width"], 2 * box["height"]), abs=2)
        pixels_HWC = np.asarray(picture.convert("RGBA"))
    assert (pixels_HWC[..., 3] == 255).all()  # on the page's colour, not on nothing
    assert (np.ptp(pixels_HWC[..., :3].astype(int), axis=2) > 60).sum() > 100  # coloured lines


def test_a_chart_that_comes_later_has_buttons_for_the_keyboard(
    open_page: Callable[..., Page], run: str
) -> None:
    page = open_page(f"/train?run={run}")
    expect(page.locator(".chart-files")).to_have_count(2)
    page.get_by_text("Learning rate and speed").click()
    expect(page.locator(".chart-files")).to_have_count(4)
    last = page.get_by_label(re.compile("Save this chart as")).last
    last.focus()
    expect(page.locator(".chart-files").last).to_have_css("opacity", "1")
