"""Take the README's pictures of the real app: `python -m scripts.take_pictures`.

Only synthetic images are shown: the project holds no pixels of the public data sets. Needs
requirements-dev.txt and a Chromium ($CHROMIUM, else /usr/bin/chromium).
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import tifffile
from playwright.sync_api import Page, sync_playwright

from unet_core.data import synthetic
from unet_core.imaging import images

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURES = REPOSITORY / "docs" / "pictures"
RUN = "20260101-000000-quick-0a1b2c"  # named as the Train page does, so that a lesson knows it
LESSON = "1-from-pixels-to-objects"
SAMPLE = "set=synthetic-nuclei&split=test&sample=nuclei-test-003"

SCORE = """
import time
from unet_core.runs import jobs
words = "evaluate --model nuclei --data synthetic-nuclei --split test --ladder".split()
job = jobs.start("evaluate", words, title="nuclei on synthetic-nuclei test with the ladder")
while job.status().is_alive:
    time.sleep(0.5)
print(job.id)
"""


def main() -> None:
    """Train a short run on synthetic nuclei, then picture each page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "UNET_RUNS": f"{folder}/runs", "UNET_DATA": f"{folder}/data"}
        run = [sys.executable, "-m", "unet_core", "train", "--preset", "quick"]
        subprocess.run(
            [*run, "--run", f"{folder}/runs/{RUN}"], cwd=REPOSITORY, env=environment, check=True
        )
        scored = [sys.executable, "-c", SCORE]
        job = subprocess.run(
            scored, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
             f"--server.port={port}"],
            cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            take_all(f"http://127.0.0.1:{port}", job, draw_images(Path(folder) / "mine"))
        finally:
            server.kill()


def draw_images(folder: Path) -> list[Path]:
    """Files as somebody brings them along: images with masks beside them, one of them missing."""
    folder.mkdir()
    for index in range(6):
        image_HW, labels_HW = synthetic.nuclei(np.random.default_rng(index))
        images.write_labels(folder / f"mouse{index // 2 + 1}_{index % 2 + 1}_mask.tif", labels_HW)
        tifffile.imwrite(folder / f"mouse{index // 2 + 1}_{index % 2 + 1}.tif", image_HW)
    (folder / "mouse3_2_mask.tif").unlink()
    return sorted(folder.iterdir())


def take_all(url: str, job: str, files: list[Path]) -> None:
    """Picture the pages of a running app, with the result of an evaluation and with own files."""
    wait_until_healthy(url)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium", args=flags
        )
        page = browser.new_page(viewport={"width": 1400, "height": 940})
        page.set_default_timeout(90_000)
        take(page, f"{url}/learn?lesson={LESSON}&all=true", "learn")
        take(page, f"{url}/data?{SAMPLE}&tab=Sample", "data")
        take(page, f"{url}/train?run={RUN}", "train")
        take(page, f"{url}/model", "model")
        take(page, f"{url}/evaluate?job={job}&show=Ladder", "evaluate")
        take(page, f"{url}/segment?{SAMPLE}&model=nuclei", "segment")
        page.goto(f"{url}/data")
        page.get_by_role("button", name="Add a data set").click()
        page.locator("input[type=file]").first.set_input_files(files)
        page.get_by_label("Name of the data set").wait_for()
        picture(page, "own")
        page.goto(f"{url}/segment?input=Many&model=nuclei")
        images_alone = [file for file in files if "mask" not in file.name]
        page.locator("input[type=file]").first.set_input_files(images_alone)
        page.wait_for_timeout(3000)
        page.get_by_role("button", name="Segment all").click()
        page.get_by_role("button", name="Results as zip").wait_for()
        picture(page, "many")
        browser.close()


def take(page: Page, url: str, name: str) -> None:
    """Picture a page once its script has run and its pictures are drawn."""
    page.goto(url)
    page.wait_for_selector("h1")
    picture(page, name)


def picture(page: Page, name: str) -> None:
    """Picture what is there once it is drawn."""
    page.wait_for_timeout(6000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.screenshot(path=PICTURES / f"{name}.png")


def wait_until_healthy(url: str) -> None:
    """Wait for the server's first answer."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
