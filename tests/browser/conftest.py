"""A real server and a real Chromium, with folders of their own, and nothing left behind."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
IDLE = (
    "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
)
PICTURES = Path(os.environ.get("UNET_PICTURES") or REPOSITORY / "test-results")
# Two busy cores are slow; a test that waits for training names its own, longer time.
PATIENCE_MS = 20_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.failed_in_call = report.failed  # type: ignore[attr-defined]
    return report


def _linked_data(place: Path) -> Path:
    """A data folder with the real sets in it, so that sets which are added go elsewhere."""
    place.mkdir()
    real = Path(os.environ.get("UNET_DATA") or REPOSITORY / "data")
    for name in ("dsb2018", "isbi2012"):
        if (real / name).is_dir():
            (place / name).symlink_to((real / name).resolve())
    return place


class App:
    """The app on a port of its own. `kill` and `start` again to see what survives."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.log = folder / "server.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "UNET_RUNS": str(self.runs),
            "UNET_CACHE": str(folder / "cache"),
            "UNET_DATA": str(_linked_data(folder / "data")),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"--server.port={self.port}"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_healthy(self._process)

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5),
            ):
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the server's process group; runs have groups of their own and go on."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            self._process.wait(timeout=30)
            self._process = None

    def end_runs(self) -> None:
        """Kill the trainers that this app started: those that have its runs folder."""
        mine = f"UNET_RUNS={self.runs}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mine in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A running app; its runs lie in `app.runs`, what it printed in `app.log`."""
    app = App(tmp_path_factory.mktemp("app"))
    app.start()
    yield app
    app.kill()
    app.end_runs()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not shutil.which(CHROMIUM):
        pytest.skip(f"no Chromium at {CHROMIUM}: install it, or set CHROMIUM to its path")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(
    app: App, chromium: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """`open_page("/data", width=1400, height=900, theme="light")` gives it idle, in a new browser.

    Each call is another person: no cookies or session in common. A page that raises an error in
    JavaScript fails the test, and a test that fails leaves pictures.
    """
    contexts, pages, errors = [], [], []

    def open_one(
        path: str = "/",
        *,
        width: int = 1400,
        height: int = 900,
        theme: str = "light",
        is_ticking: bool = False,
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type]
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        contexts.append(context)
        pages.append(page)
        page.goto(app.url + path)
        # The document is idle before the app has drawn anything.
        page.wait_for_selector("h1")
        if not is_ticking:  # a page that asks for news every second is hardly ever idle
            page.wait_for_selector(IDLE)
        return page

    yield open_one
    if getattr(request.node, "failed_in_call", False):
        PICTURES.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "-", request.node.name)
        for number, page in enumerate(pages):
            with contextlib.suppress(Exception):  # a closed page has no picture
                page.screenshot(path=PICTURES / f"failed-{name}-{number}.png", full_page=True)
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def wait_idle() -> Callable[[Page], object]:
    """`wait_idle(page)`: until the running script has ended.

    A click reaches the server a moment later: first expect something that only its run can show.
    Beside a ticking fragment, wait for text.
    """
    return lambda page: page.wait_for_selector(IDLE)


@pytest.fixture
def take_picture() -> Callable[[Page, str], Path]:
    """`take_picture(page, "home")` writes a PNG of the whole page into the pictures folder."""

    def take(page: Page, name: str) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return take


expect.set_options(timeout=PATIENCE_MS)
