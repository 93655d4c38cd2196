"""The whole story: browse, train, watch, reload, stop, segment, tune, take home.

On real data where there are any, else on synthetic nuclei; the second story always on these.
"""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from playwright.sync_api import Locator, Page, expect

from unet_core.data import datasets

REPOSITORY = Path(__file__).resolve().parents[2]
TRAINING_MS = 150_000  # the trainer shares two cores with browser and server
SAMPLES = {  # a test image of each set that the quick recipe may take
    "dsb2018": "0bda515e370294ed94efd36bd53782288acacb040c171df2ed97fd691fc9d8fe",
    "synthetic-nuclei": "nuclei-test-002",
}


def wait_for(claim: Callable[[], bool], seconds: float = TRAINING_MS / 1000) -> None:
    """Wait until a claim holds."""
    start = time.monotonic()
    while not claim():
        assert time.monotonic() - start < seconds, "it took too long"
        time.sleep(0.2)


def rows(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    return [
        json.loads(line) for line in path.read_text().splitlines(keepends=True) if line[-1:] == "\n"
    ]


def is_at(button: Locator, place: dict | None) -> bool:
    """Whether the middle of a place lies in a button."""
    expect(button).to_have_count(1)
    box = button.bounding_box()
    assert box is not None
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    return 0 <= x - box["x"] <= box["width"] and 0 <= y - box["y"] <= box["height"]


def f1(page: Page) -> str:
    return page.get_by_text(re.compile(r"F1 = 2\*")).first.inner_text()


def test_browse_train_watch_stop_segment_tune_and_take_home(
    app, open_page, take_picture, wait_idle, tmp_path: Path
) -> None:
    data = next(name for name in SAMPLES if name in datasets.available())

    # Browse.
    page = open_page(f"/data?set={data}&split=train")
    count = len(datasets.sample_names(data, "train"))
    expect(page.get_by_text(f"1 to 24 of {count} images")).to_be_visible()
    expect(page.locator(".st-key-grid img").first).to_be_visible()
    take_picture(page, "story-1-data")

    # Start the quick recipe: a double click is one run.
    page = open_page("/train")
    before = set(app.runs.glob("*/config.json"))
    page.locator(".st-key-start button").dblclick()
    expect(page.get_by_text("running").or_(page.get_by_text("queued")).first).to_be_visible()
    run = next(iter(set(app.runs.glob("*/config.json")) - before)).parent
    wait_for(lambda: len(rows(run / "steps.jsonl")) >= 1)
    assert len(set(app.runs.glob("*/config.json")) - before) == 1
    assert json.loads((run / "config.json").read_text())["data"] == data
    assert f"run={run.name}" in page.url

    # The chart is there from the first steps on, and grows.
    chart = page.locator(".st-key-loss-chart")
    expect(chart).to_be_visible(timeout=TRAINING_MS)
    picture = chart.inner_html()
    wait_for(lambda: len(rows(run / "metrics.jsonl")) >= 1)
    expect(page.get_by_text("Predictions on fixed validation images")).to_be_visible(
        timeout=TRAINING_MS
    )
    wait_for(lambda: chart.inner_html() != picture)
    take_picture(page, "story-2-training")

    # Another browser with the link, and a reload, see the same run.
    other = open_page(f"/train?run={run.name}", is_ticking=True)
    for one in (page, other):
        one.reload()
        expect(one.locator(".st-key-loss-chart")).to_be_visible()

    # Stop: the weights are kept.
    stop = page.locator(".st-key-stop button").first  # while it reruns, the old one is there, too
    place = stop.bounding_box()
    stop.click()
    wait_for(lambda: json.loads((run / "status.json").read_text())["state"] == "stopped")
    expect(page.get_by_role("link", name="Segment with this model")).to_be_visible()
    expect(other.get_by_role("link", name="Segment with this model")).to_be_visible()
    assert (run / "best.safetensors").is_file()
    # A second click of a double click goes on with the run; it does not delete it.
    assert is_at(page.locator(".st-key-resume button").first, place)
    assert not is_at(page.locator(".st-key-delete-question button").first, place)
    take_picture(page, "story-3-stopped")

    # Segment a test image with it, through the link a person would share.
    page = open_page(f"/segment?model={run.name}&set={data}&split=test&sample={SAMPLES[data]}")
    expect(page.get_by_text(re.compile(r"F1 = 2\*"))).to_be_visible(timeout=60_000)
    first = f1(page)
    take_picture(page, "story-4-segment")

    # Move a threshold: the score follows.
    slider = page.locator(".st-key-threshold").get_by_role("slider")
    slider.focus()
    slider.press("End")  # nothing is that certain
    expect(page.get_by_text(first)).to_have_count(0)
    assert f1(page).startswith("F1 = 2*0 ")
    for _ in range(30):
        slider.press("ArrowLeft")
    expect(page.get_by_test_id("stCode")).to_contain_text("--threshold 0.7 ")
    wait_idle(page)
    moved = f1(page)
    assert re.match(r"F1 = 2\*[1-9]", moved)

    # The link restores what one sees.
    expect(page).to_have_url(re.compile("threshold=0.7"))
    again = open_page(page.url.removeprefix(app.url))
    expect(again.get_by_text(moved)).to_be_visible(timeout=60_000)

    # Take it home, and open it.
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all as zip").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    assert archive.testzip() is None
    names = archive.namelist()
    labels = tifffile.imread(io.BytesIO(archive.read(only(names, "_labels.tif"))))
    table = pd.read_csv(io.BytesIO(archive.read(only(names, "_measurements.csv"))))
    recipe = json.loads(archive.read("recipe.json"))
    assert labels.dtype == np.uint16
    assert labels.max() == len(table) > 0
    assert recipe["segmentation"]["threshold"] == pytest.approx(0.7)
    expect(page.get_by_text("Objects found").first).to_be_visible()

    # The command that comes with it, run beside the image that is in the zip, makes equal labels.
    archive.extractall(tmp_path)
    command = shlex.split(archive.read(only(names, "command.txt")).decode().splitlines()[-1])
    assert command[:3] == ["python", "-m", "unet_core"]
    subprocess.run(
        [sys.executable, *command[1:], "--out", "again"],
        cwd=tmp_path,
        env={**app.environment, "PYTHONPATH": str(REPOSITORY)},
        check=True,
        capture_output=True,
    )
    np.testing.assert_array_equal(
        tifffile.imread(next((tmp_path / "again").glob("*_labels.tif"))), labels
    )


def only(names: list[str], ending: str) -> str:
    found = [name for name in names if name.endswith(ending)]
    assert len(found) == 1, names
    return found[0]


def test_a_killed_trainer_is_shown_as_lost_and_can_be_resumed(app, open_page) -> None:
    page = open_page("/train")
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="Synthetic nuclei").click()
    before = set(app.runs.glob("*/config.json"))
    page.locator(".st-key-start button").click()
    wait_for(lambda: bool(set(app.runs.glob("*/config.json")) - before))
    run = next(iter(set(app.runs.glob("*/config.json")) - before)).parent
    assert json.loads((run / "config.json").read_text())["data"] == "synthetic-nuclei"
    wait_for((run / "last.pt").is_file)  # saved after each epoch
    os.kill(json.loads((run / "status.json").read_text())["pid"], signal.SIGKILL)
    expect(page.get_by_text("ended without a word")).to_be_visible()
    done = len(rows(run / "metrics.jsonl"))
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: len(rows(run / "metrics.jsonl")) > done)
    epochs = [row["epoch"] for row in rows(run / "metrics.jsonl")]
    assert epochs == list(range(1, len(epochs) + 1))
    page.locator(".st-key-stop button").first.click()  # while it reruns, the old one is there, too
    expect(page.get_by_role("link", name="Segment with this model")).to_be_visible()
    page.get_by_role("link", name="Evaluate this model").click()
    expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()
    expect(page.get_by_text("chose this model's best epoch:")).to_be_visible()  # and no thresholds
