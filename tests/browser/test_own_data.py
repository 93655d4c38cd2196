"""Somebody's own images in a browser: uploaded, looked at, added, deleted, brought back."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image as PillowImage
from playwright.sync_api import expect

COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def stained(tmp_path):
    """A zip of six RGB images of three specimens with colour-coded classes; one has no mask."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "Schnitte ä.zip", "w") as opened:
        for index in range(6):
            classes_HW = np.zeros((96, 96), int)
            for number, (row, column) in enumerate(rng.integers(5, 70, (6, 2))):
                classes_HW[row : row + 14, column : column + 14] = 1 + number % 2
            image = 220 - 60 * COLOURS[classes_HW] // 255 + rng.integers(0, 20, (96, 96, 3))
            name = f"Maus {index // 2}_{index}"
            opened.writestr(f"top/images/{name}.png", png(image.astype(np.uint8)))
            if index:
                opened.writestr(f"top/masks/{name}_mask.png", png(COLOURS[classes_HW]))
    return tmp_path / "Schnitte ä.zip"


def test_stained_sections_become_a_set_that_every_page_offers_and_that_comes_back(
    open_page, wait_idle, take_picture, stained
) -> None:
    page = open_page("/data?set=synthetic-nuclei")
    page.get_by_role("button", name="Add a data set").click()
    uploader = page.get_by_test_id("stFileUploaderDropzone").first
    uploader.locator("input[type=file]").set_input_files(stained)
    found = page.get_by_test_id("stMetric")
    expect(found).to_have_text([re.compile("found.*5", re.S), re.compile("missing.*1", re.S)])
    expect(page.get_by_text("Masks of 3 colours: each is a class.")).to_be_visible()
    expect(page.get_by_text(re.compile("3 specimens|2 specimens"))).to_be_visible()
    name = page.get_by_role("textbox", name="Name of the data set")
    name.fill("Schnitte, Tag 3")
    name.press("Tab")
    expect(page.get_by_text("In commands it is called")).to_contain_text("Schnitte-Tag-3")
    take_picture(page, "data-add")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]set=Schnitte-Tag-3(&|$)"))
    expect(page.locator(".st-key-grid img").first).to_be_visible()
    page.get_by_role("tab", name="Sample").click()
    expect(page.locator(".st-key-sample_pictures figure")).to_have_count(3)
    expect(page.get_by_text("blue", exact=True).first).to_be_visible()
    wait_idle(page)
    # Somebody else finds it in the lists of the other pages.
    other = open_page("/segment?set=Schnitte-Tag-3")
    expect(other.get_by_role("combobox", name="Data set")).to_have_value("Schnitte, Tag 3")
    page.get_by_text("Delete …").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    # Another message may say that the target has changed with the set.
    expect(page.get_by_test_id("stToast").filter(has_text="is in the trash")).to_be_visible()
    expect(page).not_to_have_url(re.compile("Schnitte"))
    page.get_by_role("button", name="Add a data set").click()
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_role("combobox", name="Data set")).to_have_value("Schnitte, Tag 3")
