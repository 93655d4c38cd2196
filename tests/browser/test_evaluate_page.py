"""The evaluate page in a browser: start, leave, come back by the link, open an image."""

from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect

from unet_core.data import datasets
from unet_core.runs import jobs


@pytest.fixture
def model(app, save_cutter, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with weights in the app's own folder."""
    monkeypatch.setenv("UNET_RUNS", str(app.runs))
    return save_cutter()


def test_an_evaluation_goes_on_without_its_browser_and_opens_again(
    app, open_page, model, take_picture
) -> None:
    page = open_page(f"/evaluate?model={model}&set=synthetic-nuclei&split=test")
    page.get_by_test_id("stMain").get_by_role("button", name="Evaluate", exact=True).dblclick()
    expect(page.get_by_role("heading", name=f"{model} on synthetic-nuclei test")).to_be_visible()
    link = page.url.removeprefix(app.url)
    assert "job=" in link
    page.context.close()
    # A double click has made one job, and it lives although its browser is gone.
    title = f"{model} on synthetic-nuclei test"  # other tests have theirs on the same server
    (job,) = [one for one in jobs.list_jobs("evaluate") if one.title == title]
    assert job.id in link
    page = open_page(link, is_ticking=True)
    expect(page.get_by_text("F1 pooled", exact=True)).to_be_visible(timeout=120_000)
    f1 = job.result()["pooled"][0]["f1"]
    expect(page.get_by_test_id("stMetricValue").nth(1)).to_have_text(f"{f1:.3f}")
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    take_picture(page, "evaluate")
    page.get_by_role("tab", name="Images", exact=True).click()
    worst = min(job.result()["per_image"], key=lambda row: (row["f1"], row["name"]))
    table = page.get_by_test_id("stDataFrame")
    expect(table.locator("canvas").first).to_contain_text(worst["name"])  # its rows have arrived
    take_picture(page, "evaluate-images")
    # The grid is painted: the first button has a place, but no element to click on.
    table.click(position={"x": 51, "y": 50})
    expect(page.get_by_role("heading", name="Segment")).to_be_visible()
    expect(page.get_by_role("combobox", name="Sample")).to_have_value(worst["name"])
    expect(page.get_by_text(f"= {worst['f1']:.3f}")).to_be_visible()


def test_an_error_opens_in_segment_at_its_place_whatever_was_open_there(
    app, open_page, wait_idle, model, take_picture
) -> None:
    words = ["evaluate", "--model", model, "--data", "synthetic-nuclei", "--split", "test"]
    job = jobs.start("evaluate", words, title="all errors")
    # The session has its own choices on Segment, and looked at another image there.
    page = open_page(f"/segment?set=synthetic-nuclei&split=train&model={model}&invert=true")
    expect(page.locator(".viewer")).to_have_attribute("data-zoom", "1.000")
    page.get_by_role("link", name="Evaluate").first.click()
    row = page.get_by_test_id("stDataFrame")
    expect(row.locator("canvas").first).to_contain_text("F1", timeout=120_000)
    width = row.bounding_box()["width"]
    row.click(position={"x": width - 85, "y": 50})
    page.get_by_role("tab", name="Errors", exact=True).click()
    rows = job.result()["errors"]["rows"]
    listed = page.get_by_test_id("stDataFrame").nth(1)
    expect(listed.locator("canvas").first).to_contain_text(rows[0]["image"])
    take_picture(page, "evaluate-errors")
    for number in (1, 0):
        error = rows[number]
        listed.click(position={"x": 60, "y": 36 + 58 + 116 * number})
        expect(page.get_by_role("heading", name="Segment")).to_be_visible()
        expect(page.get_by_role("combobox", name="Sample")).to_have_value(error["image"])
        (measured,) = (row for row in job.result()["per_image"] if row["name"] == error["image"])
        expect(page.get_by_text(f"= {measured['f1']:.3f}")).to_be_visible()
        place = ",".join(map(str, [error["image"], *error["box"]]))
        assert parse_qs(urlparse(page.url).query)["place"] == [place]
        # The middle of the box is in the middle of the frame, as far as the image goes.
        top, left, bottom, right = error["box"]
        expect(page.locator(".viewer")).not_to_have_attribute("data-zoom", "1.000")
        wait_idle(page)
        height, width = datasets.load("synthetic-nuclei", "test", error["image"]).image_HW.shape
        zoom = 1 / (2 * max((bottom - top) / height, (right - left) / width))
        shown = float(page.locator(".viewer").get_attribute("data-zoom"))
        assert shown == pytest.approx(zoom, abs=1e-3)
        frame, stage = (page.locator(one).first.bounding_box() for one in (".frame", ".stage"))
        for start, size, low, high, length in (
            ("x", "width", left, right, width),
            ("y", "height", top, bottom, height),
        ):
            edges = [stage[start] + stage[size] * at / length for at in (low, high)]
            assert edges[0] >= frame[start] - 1
            assert edges[1] <= frame[start] + frame[size] + 1
        if number:
            page.get_by_role("link", name="Evaluate").first.click()
            row = page.get_by_test_id("stDataFrame")
            expect(row.locator("canvas").first).to_contain_text("F1")
            row.click(position={"x": row.bounding_box()["width"] - 85, "y": 50})
            page.get_by_role("tab", name="Errors", exact=True).click()
            expect(listed.locator("canvas").first).to_contain_text(rows[0]["image"])
    # In Segment's own list, too, a press goes to the place; another image is shown whole.
    page.get_by_role("radio", name="Errors").click(force=True)
    here = page.get_by_test_id("stDataFrame").first
    expect(here.locator("canvas").first).to_contain_text("Kind")
    before = page.locator(".viewer").get_attribute("data-zoom")
    here.click(position={"x": 40, "y": 36 + 58 + 116})
    expect(page.locator(".viewer")).not_to_have_attribute("data-zoom", before)
    take_picture(page, "segment-errors")
    page.locator(".st-key-go1 button, .st-key-go-1 button").and_(
        page.locator(":enabled")
    ).first.click()
    expect(page.locator(".viewer")).to_have_attribute("data-zoom", "1.000")
