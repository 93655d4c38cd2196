"""How many people one server bears: each session runs its page again every few seconds.

A session is a websocket that speaks as the browser does, without drawing anything. For every page,
and for all of them mixed, it is measured how long a person waits from asking to the end of the
run when each asks every 3 s, and how many runs a second the server makes when nobody pauses.

    python benchmarks/sessions_speed.py --against ../other-tree

measures another working tree beside this one, in turns, since machines are noisy.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import record
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

PAGES = (
    "/",
    "/data?set=dsb2018",
    "/data?set=dsb2018&tab=Sample",
    "/data?set=dsb2018&tab=Statistics",
    "/model",
    "/train",
    "/segment?set=dsb2018",
    "/evaluate",
)
PATIENCE_SECONDS = 120  # the longest that anything here waits for the server
Rates = dict[str, float]


class Session:
    """One person with one page."""

    def __init__(self, web: ClientConnection, address: str) -> None:
        self.page, _, self.query = address.strip("/").partition("?")
        self.is_waiting = False  # for something that the page asks after again and again
        self._web = web
        self._known: set[str] = set()  # large messages that the server need not send again

    async def rerun(self) -> float:
        """Seconds from asking for a run to its end. Raises RuntimeError where it shows an error."""
        message = BackMsg()
        message.rerun_script.page_name = self.page
        message.rerun_script.query_string = self.query
        message.rerun_script.cached_message_hashes.extend(self._known)
        start = time.perf_counter()
        await self._web.send(message.SerializeToString())
        self.is_waiting = False
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self._ends(ForwardMsg.FromString(await self._web.recv(decode=False))):
                pass
        return time.perf_counter() - start

    def _ends(self, message: ForwardMsg) -> bool:
        if message.metadata.cacheable:
            self._known.add(message.hash)
        self.is_waiting |= message.HasField("auto_rerun")
        element = message.delta.new_element
        if element.HasField("exception") or "not your fault" in element.alert.body:
            raise RuntimeError(f"{self.page or 'home'} shows an error: {element}")
        # A run that begins anew ends early, and another end follows.
        return message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and message.HasField(
            "script_finished"
        )


@contextlib.contextmanager
def serve(tree: Path) -> Iterator[int]:
    """The app of a working tree with folders of its own; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "UNET_DATA": str(record.data_folder().resolve()),
            "UNET_RUNS": f"{folder}/runs",
            "UNET_CACHE": f"{folder}/cache",
        }
        server = subprocess.Popen(
            [*command, "--server.address=127.0.0.1", f"--server.port={port}"],
            cwd=tree,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until_open(server, port)
            yield port
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_until_open(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def measure(port: int, addresses: Sequence[str], count: int, seconds: float) -> Rates:
    """Waiting times of `count` sessions at a rerun every 3 s, and reruns per second at the most."""
    async with contextlib.AsyncExitStack() as stack:
        sessions = []
        for number in range(count):
            url = f"ws://127.0.0.1:{port}/_stcore/stream"
            web = await stack.enter_async_context(
                connect(url, subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None)
            )
            sessions.append(Session(web, addresses[number % len(addresses)]))
            await settle(sessions[-1])
        calm, _ = await ask_all(sessions, seconds, every=3.0)
        crowded, took = await ask_all(sessions, seconds, every=0.0)
    return {
        "median_seconds": round(statistics.median(calm), 3),
        "p95_seconds": round(float(np.quantile(calm, 0.95)), 3),
        "reruns_per_second": round(len(crowded) / took, 2),
    }


async def settle(session: Session) -> None:
    """Run the page until it waits for nothing: no search for the device, no statistics."""
    until = time.monotonic() + PATIENCE_SECONDS
    await session.rerun()
    while session.is_waiting:
        if time.monotonic() > until:
            raise SystemExit(f"{session.page or 'home'} still waits after {PATIENCE_SECONDS} s")
        await asyncio.sleep(0.5)
        await session.rerun()


async def ask_all(
    sessions: Sequence[Session], seconds: float, *, every: float
) -> tuple[list[float], float]:
    """All reruns that were asked for within a time, and how long it took until the last ended."""
    start = time.monotonic()
    until = start + seconds

    async def ask(session: Session, delay: float) -> list[float]:
        await asyncio.sleep(delay)
        taken = []
        while time.monotonic() < until:
            taken.append(await session.rerun())
            await asyncio.sleep(max(0.0, every - taken[-1]))
        return taken

    # People do not press at the same moment.
    delays = [every * number / len(sessions) for number in range(len(sessions))]
    taken = await asyncio.gather(*map(ask, sessions, delays))
    return [one for many in taken for one in many], time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "pages", nargs="*", default=PAGES, help="addresses such as /data?tab=Sample"
    )
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each measurement, twice")
    parser.add_argument("--against", type=Path, help="another working tree, measured in turns")
    asked = parser.parse_args()
    trees = {"this": record.REPOSITORY} | ({"other": asked.against} if asked.against else {})
    parts = {page: [page] for page in asked.pages} | {"mix": list(asked.pages)}
    numbers: dict[str, object] = {"sessions": asked.sessions, "every_seconds": 3}
    if asked.against:
        numbers["other_commit"] = record.commit(asked.against)
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(serve(tree)) for name, tree in trees.items()}
        for part, addresses in parts.items():
            found = {
                name: asyncio.run(measure(port, addresses, asked.sessions, asked.seconds))
                for name, port in ports.items()
            }
            numbers[part] = found if asked.against else found["this"]
            print(part, found, file=sys.stderr, flush=True)
    record.save("sessions_speed", numbers)


if __name__ == "__main__":
    main()
