"""The home page as a person meets it: in a browser, in both themes, on a narrow screen, cold."""

import signal

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_home_says_what_this_is_and_where_it_computes(open_page, take_picture, theme: str) -> None:
    page = open_page("/", theme=theme)
    expect(page.get_by_role("heading", name="U-Net Workbench")).to_be_visible()
    expect(page.get_by_text("CPU, ").or_(page.get_by_text("GPU")).first).to_be_visible()
    take_picture(page, f"home-{theme}")


def test_a_narrow_screen_does_not_scroll_sideways(open_page, take_picture) -> None:
    page = open_page("/", width=800)
    take_picture(page, "home-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 800


def test_nothing_is_fetched_from_elsewhere(app, open_page) -> None:
    page = open_page("/")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.reload()
    page.wait_for_selector("h1")
    assert [url for url in addresses if not url.startswith((app.url, "data:", "blob:"))] == []


def test_a_restarted_server_shows_the_whole_menu_on_a_deep_link(app, open_page) -> None:
    app.kill(signal.SIGTERM)
    app.start()
    page = open_page("/train")
    expect(page.get_by_role("link", name="Home")).to_be_visible()
    expect(page.get_by_role("link", name="app", exact=True)).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Train")


def test_a_cold_deep_link_fetches_nothing_from_elsewhere(app, chromium) -> None:
    app.kill(signal.SIGTERM)
    app.start()
    page = chromium.new_page()
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(f"{app.url}/train")
    page.wait_for_selector("h1")
    expect(page.get_by_role("link", name="Home")).to_be_visible()
    page.close()
    # A page's symbol would be the tab's, too, were the app's own not there before.
    assert [url for url in addresses if not url.startswith((app.url, "data:", "blob:"))] == []


def test_the_menu_shows_where_the_keyboard_is(open_page) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")  # the link past the menu
    page.keyboard.press("Tab")
    focused = page.locator("[data-testid=stTopNavLink]:focus")
    expect(focused).to_have_css("outline-style", "solid")
    expect(focused).to_have_css("outline-color", "rgb(11, 110, 138)")
