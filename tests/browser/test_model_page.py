"""The Model page in a browser: the drawing is there, follows the settings, and fits the screen."""

import re

from playwright.sync_api import expect


def test_the_drawing_follows_the_settings_and_the_link_brings_it_back(
    app, open_page, wait_idle, take_picture
) -> None:
    page = open_page("/model", width=1280)
    drawing = page.locator(".st-key-anatomy svg")
    expect(drawing).to_contain_text("2 × 388 × 388")
    take_picture(page, "model")
    page.get_by_role("radio", name="same").click()
    expect(drawing).to_contain_text("2 × 576 × 576")
    expect(drawing).not_to_contain_text("crop")
    wait_idle(page)
    # A number outside of what fits: one sentence, and one click mends it.
    field = page.locator(".st-key-net_height input")
    field.fill("570")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("multiple of 16")
    page.get_by_role("button", name="Take 560 × 576").click()
    expect(drawing).to_contain_text("1 × 560 × 576")
    expect(page).to_have_url(re.compile("net_height=560"))
    wait_idle(page)
    link = page.url.removeprefix(app.url)
    other = open_page(link, width=800, theme="dark")
    narrow = other.locator(".st-key-anatomy svg")
    expect(narrow).to_contain_text("1 × 560 × 576")
    assert other.evaluate("document.documentElement.scrollWidth") <= 800
    box = narrow.locator("text").first.bounding_box()
    assert box
    assert box["height"] > 11  # can be read
    take_picture(other, "model-narrow")
    other.get_by_role("tab", name="Feature maps").click()
    maps = other.locator(".st-key-feature_maps figure")
    expect(maps).to_have_count(24, timeout=60_000)
    expect(maps.nth(1)).to_contain_text("mean")
