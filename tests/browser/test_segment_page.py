"""What only a real browser shows of the Segment page: zoom, pointer, and the downloaded file."""

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
from unet_core.data import datasets
from unet_core.imaging import coco, geojson, images, matching, rois
from unet_core.network import checkpoint
from unet_core.predict import export
from unet_core.runs import runs

SAMPLE = "nuclei-test-002"
OPTIONS = Segmentation(threshold=0.5, min_size=20)  # those of the model


@pytest.fixture
def model(app, save_cutter: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("UNET_RUNS", str(app.runs))
    return save_cutter(segmentation=OPTIONS)


def look_up(model: str) -> tuple[np.ndarray, np.ndarray]:
    """The true labels, and those that the page must show."""
    sample = datasets.load("synthetic-nuclei", "test", SAMPLE)
    trained = checkpoint.load(runs.find(model).path, device="cpu")
    prediction = export.predict(trained, sample.image_HW)
    return sample.labels_HW, export.find_objects(prediction, OPTIONS).labels_HW


def point_at(page: Page, labels_HW: np.ndarray, label: int) -> None:
    """Move the pointer to the pixel of an object that is nearest to its middle."""
    places = np.argwhere(labels_HW == label)
    middle = places[np.argmin(((places - places.mean(0)) ** 2).sum(1))] + 0.5
    box = page.locator(".frame").first.bounding_box()
    assert box is not None
    row, column = middle / labels_HW.shape
    page.mouse.move(box["x"] + column * box["width"], box["y"] + row * box["height"])


def zoom(page: Page) -> float:
    return float(page.locator(".viewer").get_attribute("data-zoom") or "nan")


def test_pointer_zoom_and_download(
    open_page: Callable[..., Page],
    wait_idle: Callable[[Page], None],
    model: str,
    tmp_path: Path,
) -> None:
    true_HW, pred_HW = look_up(model)
    hits = set(matching.pairs(true_HW, pred_HW)[1].tolist())
    page = open_page(f"/segment?set=synthetic-nuclei&sample={SAMPLE}&model={model}")
    expect(page.locator(".frame img")).to_have_count(2)

    # The object under the pointer, exactly.
    for label in (1, int(pred_HW.max()) // 2, int(pred_HW.max())):
        point_at(page, pred_HW, label)
        area = float(f"{(pred_HW == label).sum():.3g}")  # shown with three digits
        expect(page.locator(".tip")).to_contain_text(re.compile(rf"object {label}\b"))
        expect(page.locator(".tip")).to_contain_text(f"area {area:,.0f} px²")

    # The zoom stays while a threshold moves and the view changes, and ends with the image.
    page.mouse.wheel(0, -300)
    expect(page.locator(".tip")).to_contain_text(f"object {pred_HW.max()}")
    zoomed = zoom(page)
    assert zoomed > 1.5
    slider = page.locator(".st-key-threshold").get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    expect(page).to_have_url(re.compile("threshold=0.51"))
    command = page.get_by_test_id("stCode")
    expect(command).to_contain_text("--threshold 0.51 ")
    wait_idle(page)
    assert zoom(page) == zoomed
    page.get_by_role("radio", name="Hits and misses").click(force=True)
    expect(page.get_by_text(re.compile(r"^\d+ false alarm")).first).to_be_visible()
    wait_idle(page)
    assert zoom(page) == zoomed
    page.locator(".frame").dblclick()
    assert zoom(page) == 1
    label = next(iter(hits))
    page.get_by_role("button", name="Back to the defaults").first.click()
    expect(command).to_contain_text("--threshold 0.5 ")
    wait_idle(page)
    point_at(page, pred_HW, label)
    expect(page.locator(".tip")).to_contain_text(f"object {label}, hit")
    page.locator(".viewer").press("+")
    assert zoom(page) > 1
    page.locator(".st-key-go1 button").first.click()
    expect(page).to_have_url(re.compile("sample=nuclei-test-003"))
    wait_idle(page)
    expect(page.locator(".viewer")).to_have_attribute("data-zoom", "1.000")

    # What one takes home.
    page = open_page(f"/segment?set=synthetic-nuclei&sample={SAMPLE}&model={model}")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all as zip").click()
    assert re.fullmatch(rf"{SAMPLE}-[0-9a-f]{{8}}\.zip", waiting.value.suggested_filename)
    with zipfile.ZipFile(waiting.value.path()) as archive:
        stored = io.BytesIO(archive.read(f"{SAMPLE}_labels.tif"))
        np.testing.assert_array_equal(tifffile.imread(stored), pred_HW)
        assert f"{SAMPLE}.tif" in archive.namelist()
    shape = pred_HW.shape
    for title, ending, read in (
        ("TIFF", ".tif", images.read_truth),
        ("OME-TIFF", ".ome.tif", images.read_truth),
        ("ImageJ ROIs", ".rois.zip", lambda path: rois.read(path, shape)),
        ("GeoJSON", ".geojson", lambda path: geojson.read(path, shape)),
        ("COCO", ".coco.json", lambda path: coco.read(path)[f"{SAMPLE}.tif"].labels(shape)),
    ):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=title, exact=True).click()
        name = waiting.value.suggested_filename
        assert re.fullmatch(rf"{SAMPLE}-[0-9a-f]{{8}}_labels{re.escape(ending)}", name)
        np.testing.assert_array_equal(read(waiting.value.path()).labels_HW, pred_HW)


def test_steps_zoom_together(open_page: Callable[..., Page], model: str) -> None:
    page = open_page(f"/segment?set=synthetic-nuclei&sample={SAMPLE}&model={model}&result=Steps")
    expect(page.locator("figure")).to_have_count(5)
    titles = ["Foreground", "Markers", "Height", "Mask", "Result"]
    expect(page.locator("figcaption b")).to_contain_text(titles)
    fourth = page.locator(".frame").nth(3)
    fourth.scroll_into_view_if_needed()
    box = fourth.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.wheel(0, -500)
    shifts = {
        stage.evaluate("e => getComputedStyle(e).transform.split(',')[0]")
        for stage in page.locator(".stage").all()
    }
    assert len(shifts) == 1
    assert zoom(page) > 2


def test_in_a_narrow_window_settings_and_picture_are_seen_together(
    open_page: Callable[..., Page], model: str
) -> None:
    link = f"/segment?set=synthetic-nuclei&sample={SAMPLE}&model={model}"
    page = open_page(link, width=420, height=900)
    picture, slider = page.locator(".frame"), page.locator(".st-key-threshold")
    expect(slider).to_be_visible()
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_in_viewport(ratio=0.95)
    expect(slider).to_be_in_viewport()
    above, below = slider.bounding_box(), picture.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] < below["y"]
