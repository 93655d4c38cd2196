"""The beginners' lesson from the first to the last tick, in a browser that comes back."""

import re

from playwright.sync_api import Page, expect

LESSON = "1-from-pixels-to-objects"
STEPS = 8
TRAINING_MS = 150_000  # the trainer shares two cores with browser and server
# A training of a second: settings in the address come on top of the lesson's.
SHORT = "&epochs=1&steps_per_epoch=12&widths=8,16&val_images=4"


def open_step(page: Page, number: int) -> None:
    """Follow a step's link, to the page that shows the way back."""
    page.locator(f".st-key-step-{number}").get_by_role("link").click()
    expect(page.get_by_role("link", name=f"Back to the lesson, step {number}")).to_be_visible()


def go_back(page: Page) -> None:
    page.get_by_role("link", name="Back to the lesson").click()
    expect(page.locator(".st-key-step-1")).to_be_visible()


def expect_done(page: Page, number: int, *, patience_ms: int = 20_000) -> None:
    expect(page.locator(f".st-key-step-{number}")).to_contain_text("(done)", timeout=patience_ms)


def test_the_lesson_for_beginners_is_done_to_the_last_tick(
    app, open_page, take_picture, wait_idle
) -> None:
    page = open_page("/")
    page.get_by_role("link", name="New here?").click()
    page.get_by_role("button", name="From pixels to objects").click()
    expect(page.get_by_text(f"Steps: 0 of {STEPS} done")).to_be_visible()
    expect(page).to_have_url(re.compile(f"lesson={LESSON}"))

    # An image, its labels, and what is asked of the network.
    open_step(page, 1)
    expect(page.get_by_text("Labels", exact=True)).to_be_visible()
    go_back(page)
    expect_done(page, 1)
    open_step(page, 2)
    expect(page.get_by_text("Target: foreground+boundary")).to_be_visible()
    go_back(page)
    expect_done(page, 2)

    # Train; the address is opened anew, as after a reload: the cookie tells whose run it is.
    expect(page.locator(".st-key-step-4")).to_contain_text("opens as soon as you have trained")
    open_step(page, 3)
    expect(page.get_by_role("radio", name="quick")).to_be_checked()
    expect(page).to_have_url(re.compile("data=synthetic-nuclei"))
    page.goto(page.url + SHORT)
    expect(page.get_by_text("From the link: epochs 1")).to_be_visible()
    page.locator(".st-key-start button").click()
    expect(page).to_have_url(re.compile("run="))
    go_back(page)
    expect_done(page, 3)
    open_step(page, 4)
    expect(page.get_by_role("button", name="All runs")).to_be_visible()
    go_back(page)
    expect_done(page, 4, patience_ms=TRAINING_MS)  # by itself, while one looks

    # Segment with it, and move what makes objects.
    open_step(page, 5)
    expect(page.get_by_text(re.compile(r"F1 = 2\*"))).to_be_visible(timeout=60_000)
    go_back(page)
    open_step(page, 6)
    expect(page.get_by_text(re.compile(r"F1 = 2\*"))).to_be_visible(timeout=60_000)
    for name in ("threshold", "boundary_weight"):
        before = page.url
        page.locator(f".st-key-{name}").get_by_role("slider").press("Home")
        expect(page).not_to_have_url(before)
    go_back(page)
    expect_done(page, 5)
    page.locator(".st-key-step-6").get_by_text("I have done this").click()
    expect_done(page, 6)

    # Evaluate: a guess first.
    open_step(page, 7)
    expect(page.get_by_text("12 images of Synthetic nuclei, test")).to_be_visible()
    page.locator(".st-key-start-evaluate button").click()
    field = page.locator(".st-key-guess").get_by_role("spinbutton")
    expect(field).to_be_visible(timeout=60_000)
    expect(page.get_by_text("True objects", exact=True)).to_have_count(0)
    take_picture(page, "learn-1-guess")
    field.fill("0.5")
    page.get_by_role("button", name="Show the answer").click()
    expect(page.get_by_text("You guessed 0.5; it is")).to_be_visible()
    expect(page.get_by_text("True objects", exact=True)).to_be_visible()
    take_picture(page, "learn-2-judged")
    go_back(page)
    expect_done(page, 7)
    expect(page.get_by_text("yours: none yet")).to_have_count(0)
    open_step(page, 8)
    expect(page.get_by_text(re.compile(r"F1 = 2\*"))).to_be_visible(timeout=60_000)
    go_back(page)
    page.locator(".st-key-step-8").get_by_text("I have done this").click()
    expect(page.get_by_text(f"Steps: {STEPS} of {STEPS} done")).to_be_visible()

    # A question is answered on a click.
    answer = page.get_by_text("Each object found is a hit if")
    expect(answer).not_to_be_visible()
    page.get_by_text("What does F1 mean?").click()
    expect(answer).to_be_visible()
    take_picture(page, "learn-3-done")

    # It stays so for this browser, and is nobody else's.
    page.goto(f"{app.url}/learn?lesson={LESSON}")
    expect(page.get_by_text(f"Steps: {STEPS} of {STEPS} done")).to_be_visible()
    other = open_page(f"/learn?lesson={LESSON}")
    expect(other.get_by_text(f"Steps: 0 of {STEPS} done")).to_be_visible()
