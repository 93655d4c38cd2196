"""The evaluate page in a browser: start, leave, come back by the link, open an image."""

import pytest
from playwright.sync_api import expect

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
    (job,) = jobs.list_jobs("evaluate")
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
