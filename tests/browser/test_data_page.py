"""The data page in a browser: click a picture, read under the pointer, walk on, share the link."""

from playwright.sync_api import expect


def test_a_click_opens_a_sample_and_the_pointer_reads_it(
    app, open_page, wait_idle, take_picture
) -> None:
    page = open_page("/data?set=synthetic-nuclei&split=test")
    # On the picture, not on the name below it, which is the button.
    box = page.locator(".st-key-card-2 img").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    panels = page.locator(".st-key-sample_pictures figure")
    expect(panels).to_have_count(3)
    wait_idle(page)
    # The address holds it: whoever reloads, or gets the link, sees the same.
    assert "sample=nuclei-test-002" in page.url
    page.reload()
    expect(page.get_by_role("combobox", name="Sample")).to_have_value("nuclei-test-002")
    expect(panels).to_have_count(3)
    wait_idle(page)
    page.locator(".st-key-go1 button").first.click()
    expect(page.get_by_role("combobox", name="Sample")).to_have_value("nuclei-test-003")
    wait_idle(page)
    tip = page.locator(".st-key-sample_pictures .tip")
    panels.nth(2).locator(".frame").hover()
    for word in ("row ", "intensity: ", "nucleus: ", "target: "):
        expect(tip).to_contain_text(word)
    panels.nth(0).locator(".frame").hover()
    page.mouse.wheel(0, -300)
    viewer = page.locator(".st-key-sample_pictures .viewer")
    expect(viewer).not_to_have_attribute("data-zoom", "1.000")
    take_picture(page, "data-sample")
    # The address opens the same sample for somebody else.
    other = open_page(page.url.removeprefix(app.url))
    expect(other.get_by_role("combobox", name="Sample")).to_have_value("nuclei-test-003")


def test_an_image_opens_in_segment_by_the_link_and_by_the_menu(open_page, wait_idle) -> None:
    page = open_page("/data?set=synthetic-nuclei&sample=nuclei-train-005")

    def expect_sample() -> None:
        expect(page.get_by_role("combobox", name="Sample")).to_have_value("nuclei-train-005")
        expect(page.get_by_role("combobox", name="Split")).to_have_value("train")
        wait_idle(page)

    expect_sample()
    # The menu's links ask for nothing: what was looked at last is looked at again.
    page.get_by_role("link", name="Segment", exact=True).click()
    page.wait_for_url("**/segment*")
    expect_sample()
    page.get_by_role("link", name="Data", exact=True).click()
    page.wait_for_url("**/data*")
    page.get_by_role("link", name="Segment this image").click()
    page.wait_for_url("**/segment*")
    expect_sample()
    page.reload()
    expect_sample()


def test_rapid_clicks_end_at_one_sample_without_an_error(open_page, wait_idle) -> None:
    page = open_page("/data?set=synthetic-shapes&split=test&tab=Sample")
    for _ in range(4):
        page.locator(".st-key-go1 button").first.click()
    for tab in ("Overview", "Statistics", "Sample", "Overview", "Augmentation"):
        page.get_by_role("tab", name=tab).click()
    # Only the run of the last click shows these.
    expect(page.locator(".st-key-draw_tiles figure").first).to_be_visible(timeout=60_000)
    wait_idle(page)
    expect(page.locator(".st-key-sample_pictures figure")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    chosen = page.get_by_role("combobox", name="Sample").input_value()
    assert chosen in [f"shapes-test-00{index}" for index in range(1, 5)]
    assert f"sample={chosen}" in page.url


def test_small_pictures_travel_and_not_the_images(app, open_page, wait_idle) -> None:
    page = open_page("/data?set=synthetic-nuclei")
    expect(page.locator(".st-key-grid img")).to_have_count(24)
    page.wait_for_load_state("networkidle")  # nothing of the first visit may arrive in the second
    found = []
    page.on("response", lambda one: found.append(one) if f"{app.url}/media/" in one.url else None)
    page.reload()
    expect(page.locator(".st-key-grid img")).to_have_count(24)
    wait_idle(page)
    page.wait_for_load_state("networkidle")
    # A busy browser may ask for one twice.
    sizes = {one.url: one.request.sizes()["responseBodySize"] for one in found}
    assert len(sizes) == 24
    assert 24 * 1000 < sum(sizes.values()) < 400_000


def test_a_narrow_screen_does_not_scroll_sideways(open_page, take_picture) -> None:
    page = open_page("/data?set=synthetic-nuclei&tab=Sample", width=800)
    expect(page.locator(".st-key-sample_pictures figure")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    take_picture(page, "data-narrow")
