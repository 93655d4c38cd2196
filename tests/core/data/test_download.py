import hashlib
import io
import json
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.data import catalogue, datasets, download
from unet_core.data.catalogue import DataSet, Remote

CHUNK = download.CHUNK
PATIENCE_SECONDS = 120  # for what must happen, on however busy a machine
FAST = download.Patience(connect=PATIENCE_SECONDS, read=PATIENCE_SECONDS, pause=0.0)
REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass
class Script:
    """What the server does, one entry per request; afterwards it serves everything."""

    files: dict[str, bytes]
    cut_after: list[int] = field(default_factory=list)  # bytes of the file, then hang up
    status: list[int] = field(default_factory=list)
    ignore_range: bool = False
    fall_silent: bool = False  # after the bytes of cut_after: keep the line open, send nothing
    gate: threading.Event | None = None  # waited for after half of the bytes
    asked: list[str] = field(default_factory=list)  # Range of every request
    half_sent: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    script: Script

    def do_GET(self) -> None:
        script, wanted = self.script, self.headers.get("Range", "")
        script.asked.append(wanted)
        content = script.files[self.path.lstrip("/")]
        if script.status:
            self.send_error(script.status.pop(0))
            return
        start = 0
        if wanted and not script.ignore_range:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = script.cut_after.pop(0) if script.cut_after else len(content)
        half = (start + end) // 2
        self.wfile.write(content[start:half])
        self.wfile.flush()
        script.half_sent.set()
        if script.gate:
            script.gate.wait(PATIENCE_SECONDS)
        self.wfile.write(content[half:end])
        self.wfile.flush()
        if end < len(content) and script.fall_silent:
            script.over.wait(PATIENCE_SECONDS)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        pass  # the client hung up, as some tests want


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    started = []

    def start(script: Script) -> str:
        server = Server(("127.0.0.1", 0), type("Scripted", (Handler,), {"script": script}))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        started.append((server, script))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, script in started:
        script.over.set()
        server.shutdown()
        server.server_close()


def small_zip() -> bytes:
    """A set in the layout of the public zip, over 1 MB so that it travels in several chunks."""
    rng = np.random.default_rng(0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for split in ("train", "test"):
            for part, dtype in (("images", np.uint8), ("masks", np.uint16)):
                file = io.BytesIO()
                tifffile.imwrite(file, rng.integers(0, 9, (400, 500)).astype(dtype))
                archive.writestr(f"dsb2018/{split}/{part}/a.tif", file.getvalue())
    return packed.getvalue()


ZIP = small_zip()


def described(url: str, content: bytes = ZIP, **changes: object) -> DataSet:
    """dsb2018 with the address and checksum of a test's own zip."""
    remote = Remote(
        file="dsb2018.zip",
        url=f"{url}/dsb2018.zip",
        sha256=hashlib.sha256(content).hexdigest(),
        most_bytes=10_000_000,
    )
    return replace(catalogue.SETS["dsb2018"], remotes=(replace(remote, **changes),))


def everything_below(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_a_download_lands_whole_and_leaves_nothing_else(serve, tmp_path: Path) -> None:
    seen: list[download.Progress] = []
    url = serve(Script({"dsb2018.zip": ZIP}))
    folder = download.fetch_set(described(url), tmp_path, on_progress=seen.append, patience=FAST)
    assert folder == tmp_path / "dsb2018"
    assert tifffile.imread(folder / "train" / "images" / "a.tif").shape == (400, 500)
    assert everything_below(tmp_path) == {"dsb2018", ".dsb2018.lock"}
    arrived = [progress.done for progress in seen if progress.step == "downloading"]
    assert arrived == sorted(arrived)
    assert arrived[-1] == len(ZIP)
    steps = [progress.step for progress in seen]
    assert list(dict.fromkeys(steps)) == ["downloading", "checking", "unpacking", "done"]
    assert seen[-2].text == "Unpacking dsb2018.zip: 4 of 4 files"
    assert all(0 <= progress.share <= 1 for progress in seen if progress.share is not None)


def test_a_connection_that_is_cut_half_way_is_continued_where_it_broke(serve, tmp_path) -> None:
    script = Script({"dsb2018.zip": ZIP}, cut_after=[8 * CHUNK, 14 * CHUNK])
    folder = download.fetch_set(described(serve(script)), tmp_path, patience=FAST)
    assert (folder / "test" / "masks" / "a.tif").is_file()
    assert script.asked == ["", f"bytes={8 * CHUNK}-", f"bytes={14 * CHUNK}-"]


def test_a_line_that_breaks_again_and_again_still_ends_as_long_as_bytes_arrive(serve, tmp_path):
    cuts = [number * CHUNK for number in range(1, 2 * download.ATTEMPTS)]
    script = Script({"dsb2018.zip": ZIP}, cut_after=cuts)
    download.fetch_set(described(serve(script)), tmp_path, patience=FAST)
    assert len(script.asked) == 2 * download.ATTEMPTS


def test_a_server_that_ignores_ranges_is_read_from_the_start_again(serve, tmp_path) -> None:
    script = Script({"dsb2018.zip": ZIP}, cut_after=[8 * CHUNK], ignore_range=True)
    download.fetch_set(described(serve(script)), tmp_path, patience=FAST)
    assert script.asked == ["", f"bytes={8 * CHUNK}-"]


def test_a_server_that_falls_silent_is_asked_again(serve, tmp_path: Path) -> None:
    script = Script({"dsb2018.zip": ZIP}, cut_after=[6 * CHUNK], fall_silent=True)
    download.fetch_set(described(serve(script)), tmp_path, patience=replace(FAST, read=2.0))
    assert script.asked == ["", f"bytes={6 * CHUNK}-"]


def test_a_server_that_never_sends_a_byte_is_given_up_and_the_way_out_named(serve, tmp_path):
    script = Script({"dsb2018.zip": ZIP}, cut_after=[0] * 9, fall_silent=True)
    known = described(serve(script))
    patience = replace(FAST, read=0.1)
    with pytest.raises(
        download.Offline, match=r"does not answer in time.*or put .* into .*dsb2018"
    ):
        download.fetch_set(known, tmp_path, patience=patience)
    assert len(script.asked) == download.ATTEMPTS
    assert "dsb2018" not in everything_below(tmp_path)


def test_a_server_error_is_tried_again_but_a_missing_file_is_not(serve, tmp_path: Path) -> None:
    script = Script({"dsb2018.zip": ZIP}, status=[503, 502])
    download.fetch_set(described(serve(script)), tmp_path / "a", patience=FAST)
    assert len(script.asked) == 3
    missing = Script({"dsb2018.zip": ZIP}, status=[404])
    with pytest.raises(download.Offline, match="the server answers 404 Not Found"):
        download.fetch_set(described(serve(missing)), tmp_path / "b", patience=FAST)
    assert len(missing.asked) == 1


def test_without_a_network_one_sentence_says_where_to_put_the_files(serve, tmp_path) -> None:
    closed = Server(("127.0.0.1", 0), Handler)
    closed.server_close()
    known = described(f"http://127.0.0.1:{closed.server_port}")
    with pytest.raises(download.Offline) as caught:
        download.fetch_set(known, tmp_path, patience=FAST)
    assert str(caught.value) == (
        "dsb2018.zip cannot be downloaded (no connection): check the connection and start again, "
        f"or put {known.by_hand} into {tmp_path / 'dsb2018'}"
    )
    assert isinstance(caught.value, OSError)


def test_wrong_bytes_are_deleted_and_the_next_try_starts_afresh(serve, tmp_path: Path) -> None:
    wrong = Script({"dsb2018.zip": ZIP[:-1] + b"?"})
    known = described(serve(wrong))
    with pytest.raises(download.WrongBytes, match="other bytes than published and was deleted"):
        download.fetch_set(known, tmp_path, patience=FAST)
    assert not list(tmp_path.rglob("*.part"))
    assert "dsb2018" not in everything_below(tmp_path)
    wrong.files["dsb2018.zip"] = ZIP
    download.fetch_set(known, tmp_path, patience=FAST)
    assert wrong.asked == ["", ""]


def test_a_file_larger_than_it_can_be_is_stopped_there(serve, tmp_path: Path) -> None:
    seen = []
    known = described(serve(Script({"dsb2018.zip": ZIP})), most_bytes=600_000)
    with pytest.raises(download.WrongBytes, match="larger than it can be"):
        download.fetch_set(
            known, tmp_path, on_progress=lambda step: seen.append(step.done), patience=FAST
        )
    assert 0 < max(seen) <= 600_000
    assert not list(tmp_path.rglob("*.part"))


def test_a_zip_that_leads_outside_is_refused_although_its_checksum_is_right(serve, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("dsb2018/ok.tif", "1")
        archive.writestr("../../evil.tif", "1")
    content = packed.getvalue()
    known = described(serve(Script({"dsb2018.zip": content})), content)
    with pytest.raises(download.WrongBytes, match=r"leads outside: '../../evil.tif'"):
        download.fetch_set(known, tmp_path / "data", patience=FAST)
    assert not list(tmp_path.rglob("evil.tif"))
    assert "dsb2018" not in everything_below(tmp_path / "data")


def test_a_zip_without_the_folder_is_refused(serve, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("other/a.tif", "1")
    content = packed.getvalue()
    known = described(serve(Script({"dsb2018.zip": content})), content)
    with pytest.raises(download.WrongBytes, match="holds no folder dsb2018"):
        download.fetch_set(known, tmp_path, patience=FAST)


def test_a_whole_part_file_is_checked_and_used(serve, tmp_path: Path) -> None:
    (tmp_path / ".dsb2018.download").mkdir()
    (tmp_path / ".dsb2018.download" / "dsb2018.zip.part").write_bytes(ZIP)
    script = Script({"dsb2018.zip": ZIP})
    assert download.fetch_set(described(serve(script)), tmp_path, patience=FAST).is_dir()
    assert script.asked == [f"bytes={len(ZIP)}-"]


def test_a_stopped_download_keeps_what_arrived_and_frees_the_lock(serve, tmp_path: Path) -> None:
    def stop(progress: download.Progress) -> None:
        raise KeyboardInterrupt

    script = Script({"dsb2018.zip": ZIP})
    known = described(serve(script))
    with pytest.raises(KeyboardInterrupt):
        download.fetch_set(known, tmp_path, on_progress=stop, patience=FAST)
    download.fetch_set(known, tmp_path, patience=FAST)
    assert script.asked == ["", f"bytes={CHUNK}-"]


# --- two at the same time, and restarts ----------------------------------------------------------


def test_of_two_threads_one_downloads_and_the_other_waits(serve, tmp_path: Path) -> None:
    script = Script({"dsb2018.zip": ZIP}, gate=threading.Event())
    known = described(serve(script))
    texts: list[str] = []

    def second() -> Path:
        def open_gate(progress: download.Progress) -> None:
            texts.append(progress.text)
            script.gate.set()  # only now can the first one end

        return download.fetch_set(known, tmp_path, on_progress=open_gate, patience=FAST)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(download.fetch_set, known, tmp_path, patience=FAST)
        assert script.half_sent.wait(PATIENCE_SECONDS)
        two = pool.submit(second)
        assert one.result(PATIENCE_SECONDS) == two.result() == tmp_path / "dsb2018"
    assert texts == ["Another download of this set is under way: waiting for it.", "Done"]
    assert len(script.asked) == 1


FETCH = """
import json, sys
from dataclasses import replace
from pathlib import Path
from unet_core.data import catalogue, download
url, sha256, target = json.loads(sys.argv[1])
remote = catalogue.Remote(file="dsb2018.zip", url=url, sha256=sha256, most_bytes=10**7)
known = replace(catalogue.SETS["dsb2018"], remotes=(remote,))
patience = download.Patience(read=120)
told = lambda progress: print(progress.step, flush=True)
print(download.fetch_set(known, Path(target), on_progress=told, patience=patience))
"""


def fetch_in_a_process(known: DataSet, target: Path) -> subprocess.Popen:
    facts = json.dumps([known.remotes[0].url, known.remotes[0].sha256, str(target)])
    command = [sys.executable, "-c", FETCH, facts]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_of_two_processes_one_downloads_and_the_other_waits(serve, tmp_path: Path) -> None:
    script = Script({"dsb2018.zip": ZIP}, gate=threading.Event())
    known = described(serve(script))
    with fetch_in_a_process(known, tmp_path) as one:
        assert script.half_sent.wait(PATIENCE_SECONDS)
        with fetch_in_a_process(known, tmp_path) as two:
            assert two.stdout.readline() == "waiting\n"
            script.gate.set()
            told = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in (one, two)]
    assert [text.splitlines()[-1] for text in told] == [str(tmp_path / "dsb2018")] * 2
    assert len(script.asked) == 1


def test_a_killed_download_is_continued_by_the_next_process(serve, tmp_path: Path) -> None:
    script = Script({"dsb2018.zip": ZIP}, gate=threading.Event())
    known = described(serve(script))
    with fetch_in_a_process(known, tmp_path) as process:
        assert process.stdout.readline() == "downloading\n"
        process.send_signal(signal.SIGKILL)
    (part,) = tmp_path.rglob("*.part")
    arrived = part.stat().st_size
    assert 0 < arrived < len(ZIP)
    script.gate.set()
    assert download.fetch_set(known, tmp_path, patience=FAST).is_dir()
    assert script.asked == ["", f"bytes={arrived}-"]


# --- the disk ------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(serve, tmp_path: Path) -> None:
    (tmp_path / ".dsb2018.download").mkdir()
    (tmp_path / ".dsb2018.download" / "dsb2018.zip.part").symlink_to("/dev/full")
    with pytest.raises(download.DiskFull, match=r"the disk that holds .* is full .*make room"):
        download.fetch_set(described(serve(Script({"dsb2018.zip": ZIP}))), tmp_path, patience=FAST)
    assert "dsb2018" not in everything_below(tmp_path)


def test_a_file_larger_than_the_free_disk_is_refused_at_once(serve, tmp_path: Path) -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 10**17

    script = Script({"dsb2018.zip": Huge(b"1234")}, cut_after=[4])
    with pytest.raises(download.DiskFull, match=r"100000000000 MB needed, \d+ free"):
        download.fetch_set(described(serve(script)), tmp_path, patience=FAST)


def test_a_target_that_cannot_be_written_is_named(serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(download.DownloadError, match=r"file/sub cannot be written .*UNET_DATA"):
        download.fetch_set(described("http://127.0.0.1:9"), tmp_path / "file" / "sub")


# --- licence, names, and the data set's own door ------------------------------------------------


def isbi(url: str) -> tuple[DataSet, dict[str, bytes]]:
    parts = ("train-volume", "train-labels", "test-volume")
    files = {f"{part}.tif": part.encode() for part in parts}
    remotes = tuple(
        Remote(
            file=file,
            url=f"{url}/{file}",
            git_blob=hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            most_bytes=1000,
        )
        for file, content in files.items()
    )
    return replace(catalogue.SETS["isbi2012"], remotes=remotes), files


def test_the_isbi_licence_must_be_accepted_first(serve, tmp_path: Path) -> None:
    script = Script({})
    known, script.files = isbi(serve(script))
    with pytest.raises(ValueError, match=r"licence of isbi2012 must be accepted .*Cardona"):
        download.fetch_set(known, tmp_path, patience=FAST)
    assert (script.asked, everything_below(tmp_path)) == ([], set())
    folder = download.fetch_set(known, tmp_path, accept_licence=True, patience=FAST)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == script.files


def test_one_wrong_file_of_three_keeps_the_set_hidden_and_the_others_downloaded(serve, tmp_path):
    script = Script({})
    known, good = isbi(serve(script))
    script.files = good | {"test-volume.tif": b"something else"}
    with pytest.raises(download.WrongBytes, match=r"test-volume.tif arrived with other bytes"):
        download.fetch_set(known, tmp_path, accept_licence=True, patience=FAST)
    assert "isbi2012" not in everything_below(tmp_path)
    script.files = good
    download.fetch_set(known, tmp_path, accept_licence=True, patience=FAST)
    assert len(script.asked) == 4


def test_a_git_blob_is_what_git_prints(serve, tmp_path: Path) -> None:
    url = serve(Script({"dsb2018.zip": b"hello\n"}))
    blob = "ce013625030ba8dba906f756967f9e9ca394464a"  # printf 'hello\n' | git hash-object --stdin
    known = described(url, sha256="", git_blob=blob)
    with pytest.raises(download.WrongBytes, match=r"cannot be unpacked"):  # so it was verified
        download.fetch_set(known, tmp_path, patience=FAST)


def test_every_public_file_has_a_checksum() -> None:
    for known in catalogue.SETS.values():
        assert bool(known.remotes) is not known.is_synthetic
        for remote in known.remotes:
            assert len(remote.sha256) == 64 or len(remote.git_blob) == 40
            assert remote.url.startswith("https://")


def test_a_synthetic_set_needs_no_download(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"synthetic-nuclei needs no download"):
        datasets.fetch("synthetic-nuclei")


@pytest.mark.parametrize("urls", [[], ["ftp://x/a.zip"], ["http://x/a", "http://x/b"]])
def test_urls_that_do_not_fit_are_refused(tmp_path: Path, urls: list[str]) -> None:
    with pytest.raises(ValueError, match=r"urls must be one http address for each of dsb2018.zip"):
        datasets.fetch("dsb2018", tmp_path, urls=urls)


def test_fetch_puts_a_set_where_the_loader_finds_it_and_only_once(
    serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script({"dsb2018.zip": ZIP})
    url = serve(script)
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(catalogue.SETS, "dsb2018", described("http://127.0.0.1:9"))
    folder = datasets.fetch("dsb2018", urls=[f"{url}/dsb2018.zip"])
    assert folder == datasets.folder("dsb2018") == tmp_path / "data" / "dsb2018"
    assert datasets.load("dsb2018", "test", "a").image_HW.shape == (400, 500)
    assert datasets.fetch("dsb2018") == folder
    assert len(script.asked) == 1


def test_a_set_that_lies_in_the_working_folder_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "dsb2018").mkdir(parents=True)
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    assert datasets.fetch("dsb2018", urls=["http://127.0.0.1:9/x"]) == Path("data/dsb2018")
