"""Many images in a browser: a batch outlives its server, and its thresholds move for all."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page, expect

from unet_core.base.config import Segmentation

PLANES = 120
LONG_MS = 120_000


@pytest.fixture
def model(app, save_cutter: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("UNET_RUNS", str(app.runs))
    return save_cutter(segmentation=Segmentation(threshold=0.5, marker_threshold=0, min_size=20))


def square(planes: int, side: int) -> bytes:
    """A stack with one square in each plane."""
    pixels = np.full((planes, 60, 80), 10, np.uint8)
    pixels[:, 20 : 20 + side, 30 : 30 + side] = 200
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="minisblack")
    return buffer.getvalue()


def test_a_batch_outlives_its_server_and_is_relabelled_and_taken_home(
    app, open_page: Callable[..., Page], model: str, tmp_path: Path
) -> None:
    page = open_page(f"/segment?input=Many&model={model}")
    files = {"z.tif": square(PLANES, 12), "ä 🔬.tif": square(1, 20), "bad.png": b"no picture"}
    page.get_by_test_id("stFileUploaderDropzone").locator("input[type=file]").set_input_files(
        [
            {"name": name, "mimeType": "image/tiff", "buffer": content}
            for name, content in files.items()
        ]
    )
    page.get_by_role("button", name="Segment all").click()
    expect(page.get_by_text("3 files, bad.png to ä 🔬.tif")).to_be_visible()
    page.wait_for_url(re.compile("batch="))
    address = page.url.removeprefix(app.url)
    app.kill()
    app.start()

    page = open_page(address, is_ticking=True)
    expect(page.get_by_role("button", name="Results as zip")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0, timeout=LONG_MS)
    expect(page.get_by_test_id("stMetric").filter(has_text="Images")).to_contain_text("121")
    expect(page.get_by_text("1 file could not be done")).to_be_visible()
    page.get_by_test_id("stNumberInputField").fill("300")
    page.get_by_test_id("stNumberInputField").press("Enter")
    relabel = page.get_by_role("button", name="Re-label all")
    expect(relabel).to_be_enabled()
    relabel.click()
    objects = page.get_by_test_id("stMetric").filter(has_text="Objects")
    expect(objects).to_contain_text(re.compile(r"Objects\s*1$"), timeout=LONG_MS)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0, timeout=LONG_MS)
    page.get_by_role("radio", name="most objects").click()
    expect(page.get_by_test_id("stCaptionContainer").filter(has_text="1 object,")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Results as zip").click()
    download.value.save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as packed:
        labels_HW = tifffile.imread(io.BytesIO(packed.read("labels/ä 🔬_labels.tif")))
        assert int((labels_HW > 0).sum()) == 400
        assert sum(name.startswith("labels/") for name in packed.namelist()) == 121
    page.get_by_role("button", name="Open", exact=True).first.click()
    expect(page.get_by_test_id("stMetric").filter(has_text="Objects found")).to_contain_text("1")
    expect(page.get_by_text("ä 🔬.tif").first).to_be_visible()
