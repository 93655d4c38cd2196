"""The explorers of the data page in a browser: move, read under the pointer, hand over."""

from playwright.sync_api import expect


def test_weights_are_read_moved_and_handed_over_to_training(open_page, wait_idle) -> None:
    page = open_page("/data?set=synthetic-nuclei&tab=Weight+map")
    viewer = page.locator(".st-key-weight_pictures")
    expect(viewer.locator("figure")).to_have_count(2)
    viewer.locator(".frame").nth(1).hover()
    for word in ("row ", "object: ", "weight: "):
        expect(viewer.locator(".tip")).to_contain_text(word)
    page.mouse.wheel(0, -300)
    expect(viewer.locator(".viewer")).not_to_have_attribute("data-zoom", "1.000")
    zoom = viewer.locator(".viewer").get_attribute("data-zoom")
    page.locator(".st-key-w0 input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".st-key-w0")).to_contain_text("10.5")
    expect(page.get_by_text("11.5", exact=True)).to_be_visible()  # the end of the colours
    wait_idle(page)
    assert viewer.locator(".viewer").get_attribute("data-zoom") == zoom
    assert "w0=10.5" in page.url
    page.get_by_role("button", name="Use w0 and σ in training").click()
    page.get_by_role("link", name="Taken over: go on to Train").click()
    expect(page.get_by_text("From the weight-map explorer")).to_contain_text("w0 10.5")
