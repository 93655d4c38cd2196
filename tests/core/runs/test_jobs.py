import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from unet_core.base import folders
from unet_core.cli import main
from unet_core.runs import jobs, runs, worker
from unet_core.runs.jobs import Job, JobStatus

WORDS = ["evaluate", "--model", "nuclei", "--data", "my set", "--split", "val"]


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started; no process is."""
    commands: list[list[str]] = []
    monkeypatch.setattr(runs, "launch", lambda command, *, log: commands.append(command))
    return commands


def wait_for(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def change(job: Job, **changes: object) -> None:
    """As if the process had written it some time ago."""
    values = json.loads((job.path / "progress.json").read_text()) | changes
    (job.path / "progress.json").write_text(json.dumps(values))


def test_a_new_job_is_whole_and_is_no_run(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS, title="nuclei on val")
    assert jobs.find(job.id) == job
    assert (job.kind, job.title, job.words) == ("evaluate", "nuclei on val", WORDS)
    assert job.command == (
        "python -m unet_core evaluate --model nuclei --data 'my set' --split val"
    )
    assert abs(job.created - time.time()) < 5
    assert launched == [
        [sys.executable, "-m", "unet_core", *WORDS, "--job", str(job.path.absolute())]
    ]
    assert job.path.parent == folders.runs() / ".jobs"
    assert runs.list_runs() == []


def test_the_same_form_starts_one_process_however_often_it_is_sent(
    launched: list[list[str]],
) -> None:
    found: list[Job] = []

    def send() -> None:
        found.append(jobs.start("evaluate", WORDS, token="form 1"))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), len(launched)) == (6, 1, 1)
    assert jobs.start("evaluate", WORDS, token="form 2") not in found


def test_another_form_is_another_job_also_where_the_ends_of_their_names_are_equal(
    launched: list[list[str]],
) -> None:
    first = jobs.start("evaluate", WORDS, token="form 1")
    end = hashlib.sha256(b"form 2").hexdigest()[:12]
    first = Job(first.path.rename(first.path.with_name(f"20260101-000000-evaluate-{end}")))
    second = jobs.start("evaluate", WORDS, token="form 2")
    assert second != first
    assert jobs.start("evaluate", WORDS, token="form 2") == second


def test_whoever_asks_for_work_under_way_joins_it_and_afterwards_starts_it_anew(
    launched: list[list[str]],
) -> None:
    words, found = ["data", "stats", "dsb2018"], list[Job]()
    assert jobs.latest("statistics", words) is None
    threads = [
        threading.Thread(target=lambda: found.append(jobs.join("statistics", words)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = found[0]
    assert (len(found), set(found), len(launched)) == (6, {first}, 1)
    assert jobs.latest("statistics", words) == jobs.join("statistics", words) == first
    assert jobs.join("statistics", ["data", "stats", "isbi2012"]) != first
    first.update(state="failed")
    second = jobs.join("statistics", words)
    assert (second != first, jobs.latest("statistics", words)) == (True, second)


def test_jobs_are_listed_by_kind_and_the_newest_first(launched: list[list[str]]) -> None:
    assert jobs.list_jobs() == []
    first, second, third = (jobs.start(kind, WORDS) for kind in ("evaluate", "tune", "evaluate"))
    assert jobs.list_jobs() == [third, second, first]
    assert jobs.list_jobs("evaluate") == [third, first]
    assert jobs.list_jobs("lr-test") == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "turn-0.lock", "none"])
def test_only_names_of_jobs_are_found(name: str, launched: list[list[str]]) -> None:
    jobs.start("evaluate", WORDS)
    (jobs.folder() / "turn-0.lock").touch()
    with pytest.raises(ValueError, match="there is no job"):
        jobs.find(name)


def test_a_kind_is_a_plain_word_and_words_name_a_command() -> None:
    with pytest.raises(
        ValueError, match="kind must be lower-case letters, digits and dashes, got 'Ev/al'"
    ):
        jobs.start("Ev/al", WORDS)
    with pytest.raises(ValueError, match="words must name a command"):
        jobs.start("evaluate", [])
    with pytest.raises(ValueError, match="state must be one of running"):
        JobStatus(state="queued")


def test_results_stay_until_somebody_deletes_them_and_only_old_range_tests_go(
    launched: list[list[str]],
) -> None:
    kept = [jobs.start("evaluate", WORDS) for _ in range(60)]
    old, living, young = (jobs.start("lr-test", WORDS) for _ in range(3))
    for job in (*kept, old, young):
        job.update(state="finished")
    for job in (*kept, old, living):
        about = json.loads((job.path / "job.json").read_text())
        about["created"] -= (jobs.KEPT_DAYS + 1) * 24 * 3600
        (job.path / "job.json").write_text(json.dumps(about))
    with FileLock(living.path / "lock"):
        last = jobs.start("tune", WORDS)
    assert set(jobs.list_jobs()) == {last, living, young, *kept}


# What a reader sees ------------------------------------------------------------------------------


def test_a_job_is_starting_for_a_while_and_lost_afterwards(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    assert job.status().state == "running"
    change(job, created_at=time.time() - 60)
    assert job.status().state == "lost"
    assert "ended without a word" in job.status().reason


def test_a_job_that_its_process_left_is_lost_at_once(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    job.update(pid=1, done=3, total=12)
    assert job.status().state == "lost"
    with FileLock(job.path / "lock"):
        status = job.status()
    assert (status.state, status.share, status.seconds < 5) == ("running", 0.25, True)


def test_words_that_the_command_refuses_are_a_failure_with_its_complaint(
    launched: list[list[str]],
) -> None:
    job = jobs.start("evaluate", [*WORDS, "--nonsense"])
    (job.path / "log.txt").write_text("error: unrecognized arguments: --nonsense; see --help\n")
    status = job.status()
    assert (status.state, "unrecognized arguments: --nonsense" in status.reason) == ("failed", True)


def test_a_broken_directory_is_a_failure_that_can_be_deleted(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    for name in ("job.json", "progress.json"):
        (job.path / name).write_text('{"half')
    assert (job.status().state, job.kind, job.words) == ("failed", "", [])
    assert jobs.list_jobs() == [job]
    job.delete()
    job.delete()  # somebody else was quicker
    job.stop()
    assert jobs.list_jobs() == []
    assert not job.path.exists()


def test_a_living_job_is_not_deleted(
    launched: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.1)
    job = jobs.start("evaluate", WORDS)
    with pytest.raises(ValueError, match="is still going: stop it before deleting it"):
        job.delete()
    job.update(state="finished", pid=1)
    with (
        FileLock(job.path / "lock"),  # it writes its state before it lets go
        pytest.raises(ValueError, match="is still going"),
    ):
        job.delete()
    job.delete()
    assert jobs.list_jobs() == []


def test_a_job_without_a_result_says_so(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    with pytest.raises(ValueError, match="has no result: it is running"):
        job.result()
    worker.write_result(job.path, {"f1": 0.5})
    assert job.result() == {"f1": 0.5}


# What the process does ---------------------------------------------------------------------------


def test_the_work_of_a_job_is_followed_to_its_end(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    seen: list[JobStatus] = []

    def work() -> int:
        worker.Teller(job.path).tell("image 1 of 4", 1, 4)
        seen.append(job.status())
        worker.write_result(job.path, {"f1": 0.5})
        return 0

    assert worker.carry_out(job.path, work) == 0
    assert (seen[0].state, seen[0].doing, seen[0].share) == ("running", "image 1 of 4", 0.25)
    assert seen[0].pid == os.getpid()
    assert (job.status().state, job.status().doing) == ("finished", "")
    with pytest.raises(ValueError, match="has been carried out already"):
        worker.carry_out(job.path, work)


def test_a_failure_is_written_down_and_raised(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    with pytest.raises(ValueError, match="there is no job"):
        worker.carry_out(job.path, lambda: bool(jobs.find("none")))
    assert job.status().state == "failed"
    assert job.status().reason.startswith("there is no job 'none'")


def test_a_bad_exit_code_is_a_failure(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    assert worker.carry_out(job.path, lambda: 2) == 2
    assert (job.status().state, job.status().reason) == ("failed", "It ended with exit code 2.")


def test_only_jobs_are_carried_out_and_by_one_process(
    launched: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="holds no job"):
        worker.carry_out(tmp_path, lambda: 0)
    job = jobs.start("evaluate", WORDS)
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.1)
    with (
        FileLock(job.path / "lock"),
        pytest.raises(ValueError, match="another process works on"),
    ):
        worker.carry_out(job.path, lambda: 0)


def test_a_stop_reaches_work_in_the_middle_of_python(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)

    def work() -> int:
        job.stop()
        wait_for(lambda: False)  # raises when its time is up
        return 0

    start = time.monotonic()
    assert worker.carry_out(job.path, work) == 130
    assert time.monotonic() - start < 5
    assert (job.status().state, job.status().reason) == ("stopped", "")


def test_a_job_that_is_stopped_before_it_begins_does_nothing(launched: list[list[str]]) -> None:
    job = jobs.start("evaluate", WORDS)
    job.stop()
    assert worker.carry_out(job.path, lambda: pytest.fail("it worked")) == 130
    assert job.status().state == "stopped"


def test_jobs_wait_for_each_other_and_can_be_stopped_meanwhile(
    launched: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    job = jobs.start("evaluate", WORDS)

    def stop_when_told() -> None:
        wait_for(lambda: job.status().doing == "waiting for another calculation")
        job.stop()

    watcher = threading.Thread(target=stop_when_told)
    with FileLock(jobs.folder() / "turn-0.lock"):
        watcher.start()
        assert worker.carry_out(job.path, lambda: pytest.fail("it worked")) == 130
    watcher.join()
    other = jobs.start("evaluate", WORDS)
    assert worker.carry_out(other.path, lambda: 0) == 0


def test_what_needs_no_processor_waits_for_nobody(launched: list[list[str]]) -> None:
    job = jobs.start("download", ["data", "fetch", "dsb2018"])
    with contextlib.ExitStack() as stack:
        for index in range(os.cpu_count() or 1):
            stack.enter_context(FileLock(jobs.folder() / f"turn-{index}.lock"))
        assert worker.carry_out(job.path, lambda: 0) == 0


def test_the_progress_is_written_a_few_times_a_second_and_at_the_end(
    launched: list[list[str]],
) -> None:
    job, now = jobs.start("evaluate", WORDS), [0.0]
    teller = worker.Teller(job.path, clock=lambda: now[0])
    told = []
    for done in range(1, 10):
        teller.tell(f"image {done} of 9", done, 9)
        told.append(job.last_status().done)
        now[0] += 0.1
    teller.tell("")
    assert told == [1, 1, 1, 4, 4, 4, 7, 7, 9]
    assert job.last_status().doing == "image 9 of 9"


# With real processes -----------------------------------------------------------------------------

# A job whose work is one long call that is not Python's: no exception can be raised inside.
DEAF = """
import ctypes, os, pathlib, sys
os.cpu_count = lambda: 16  # so many jobs may work at once
from unet_core.runs import worker
sleep = ctypes.CDLL(None).usleep
def work():
    worker.Teller(pathlib.Path(sys.argv[1])).tell("deaf")
    sleep(600_000_000)
    return 0
sys.exit(worker.carry_out(pathlib.Path(sys.argv[1]), work))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="usleep is POSIX")
def test_a_stop_ends_a_process_that_does_not_hear_and_a_kill_is_a_loss(
    launched: list[list[str]],
) -> None:
    found = [jobs.start("evaluate", WORDS) for _ in range(2)]
    processes = [subprocess.Popen([sys.executable, "-c", DEAF, str(job.path)]) for job in found]
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.callback(process.kill)
        deaf, killed = found
        wait_for(lambda: deaf.status().doing == "deaf")
        deaf.stop()  # which would otherwise work on for ten minutes
        wait_for(lambda: deaf.status().state == "stopped")
        assert processes[0].wait(timeout=60) == 130
        wait_for(lambda: killed.status().pid == processes[1].pid)
        processes[1].send_signal(signal.SIGKILL)
        processes[1].wait(timeout=60)
        assert killed.status().state == "lost"


def test_a_command_leaves_in_its_job_what_it_would_have_printed(
    tiny_data: Path, save_cutter: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--model", save_cutter("dsb2018"), "--data", "dsb2018", "--split", "test"]
    job = jobs.start("evaluate", words)
    lost = jobs.start("evaluate", [*words[:-1], "tests"])
    wait_for(lambda: not job.status().is_alive and not lost.status().is_alive)
    # Its last work are two images, grown and shrunk by a pixel.
    assert (job.status().state, job.status().done, job.status().total) == ("finished", 4, 4)
    assert main.main([*words, "--json"]) == 0
    assert job.result() == json.loads(capsys.readouterr().out)
    assert [job.labels(name).shape for name in ("0", "1")] == [(48, 48)] * 2
    assert lost.status().state == "failed"
    assert "tests" in lost.status().reason


def test_the_objects_of_an_evaluation_come_back_by_the_name_of_their_image(
    launched: list[list[str]],
) -> None:
    job = jobs.start("evaluate", ["evaluate"])
    labels = {"a": np.array([[0, 70_000]]), "file": np.zeros((2, 2), np.int32)}
    worker.write_labels(job.path, labels)
    for name, labels_HW in labels.items():
        np.testing.assert_array_equal(job.labels(name), labels_HW)
    with pytest.raises(ValueError, match="keeps no objects of the image 'b'"):
        job.labels("b")
    (job.path / "labels.npz").write_bytes(b"PK broken")
    with pytest.raises(ValueError, match="keeps no objects"):
        job.labels("a")
    with pytest.raises(ValueError, match="keeps no objects"):
        jobs.start("evaluate", ["evaluate"], token="older").labels("a")
