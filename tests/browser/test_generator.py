"""The generator of lines and ellipses in a browser: draw a set, look at it, take patches home."""

import json
import re
import zipfile

from playwright.sync_api import expect

from unet_core.data.patches import Patches


def test_a_set_is_drawn_looked_at_and_its_patches_are_taken_home(
    app, open_page, wait_idle, tmp_path
) -> None:
    page = open_page(
        "/data?set=synthetic-shapes&tab=Generator&split=test&patch_side=32&patch_count=3"
    )
    rows = page.get_by_role("spinbutton", name="Rows")
    rows.fill("9")
    rows.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_contain_text("rows must be at least 16, got 9")
    rows.fill("96")
    rows.press("Enter")
    expect(page.locator(".st-key-gen_pictures figure")).to_have_count(12)
    page.get_by_role("button", name="Look at this set").click()
    expect(page).to_have_url(re.compile(r"[?&]set=synthetic-shapes%3Arows%3D96(&|$)"))
    wait_idle(page)
    expect(page.locator(".st-key-patch_pieces figure")).to_have_count(16)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download 120 patches of test").click()
    download.value.save_as(tmp_path / "patches.zip")
    with zipfile.ZipFile(tmp_path / "patches.zip") as container:
        assert len(container.namelist()) == 2 * 10 * 3 * 4 + 1
        told = json.loads(container.read("settings.json"))
    assert told["data"] == "synthetic-shapes:rows=96"
    assert Patches.from_dict(told["patches"]) == Patches(side=32, count=3)
    # The address shows the same set to somebody else, in every tab.
    other = open_page(page.url.removeprefix(app.url))
    other.get_by_role("tab", name="Sample").click()
    expect(other.get_by_text("96 rows × 200 columns")).to_be_visible()
