import json
import os
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.data import catalogue
from unet_core.runs import runs, slots
from unet_core.runs.runs import Run, Status

CONFIG = TrainConfig.of(epochs=3)


def write(run: Run, **changes: object) -> None:
    runs.write_status(run, runs.last_status(run).replace(**changes))


def test_a_new_run_is_whole_and_is_found_by_its_name() -> None:
    run = runs.create(CONFIG, preset="quick", note="on synthetic nuclei")
    assert "-quick-" in run.id
    assert run.path.parent == folders.runs()
    assert run.config == CONFIG
    assert json.loads((run.path / "config.json").read_text()) == json.loads(
        json.dumps(CONFIG.to_dict())
    )
    assert (run.status().note, run.status().epochs) == ("on synthetic nuclei", 3)
    assert runs.find(run.id) == run
    assert runs.list_runs() == [run]


def test_the_same_form_makes_one_run_however_often_it_is_sent() -> None:
    found: list[Run] = []
    threads = [
        threading.Thread(target=lambda: found.append(runs.create(CONFIG, token="form 1")))
        for _ in range(8)
    ]
    with FileLock(slots.folder(folders.runs()) / "create.lock"):  # somebody creates at this moment
        for thread in threads:
            thread.start()
        threads[0].join(0.2)
        assert found == []
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(runs.list_runs()) == len(set(found)) == 1
    assert runs.create(CONFIG, token="form 2") not in found


def test_tokens_whose_hashes_end_alike_make_two_runs_that_are_told_apart() -> None:
    first, second = runs.create(CONFIG, token="form 38"), runs.create(CONFIG, token="form 2761")
    assert second != first
    assert first.id.split("-")[-1] != second.id.split("-")[-1]
    assert runs.create(CONFIG, token="form 38") == first
    assert runs.create(CONFIG, token="form 2761") == second


def test_a_run_of_an_earlier_version_is_nobodys_answer() -> None:
    run = runs.create(CONFIG, token="form 1")
    (run.path / "token").unlink()  # it held none
    assert runs.create(CONFIG, token="form 1") != run
    assert runs.find(run.id).config == CONFIG


def test_the_newest_run_comes_first() -> None:
    for name in ("20250101-000000-a", "20260101-000000-b", "20240101-000000-c"):
        (folders.runs() / name).mkdir(parents=True)
    assert [run.id[-1] for run in runs.list_runs()] == ["b", "a", "c"]


def test_without_a_folder_there_are_no_runs() -> None:
    assert runs.list_runs() == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", ".devices", "none", "a\0b"])
def test_only_names_of_runs_are_found(name: str) -> None:
    runs.create(CONFIG)
    with pytest.raises(ValueError, match="there is no run"):
        runs.find(name)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", "", "config.json cannot be used"),
        ("config.json", '{"epochs": 3, "lr"', "config.json cannot be used"),
        ("config.json", "[]", "must be a JSON object"),
        ("config.json", '{"colour": 3}', "unknown setting 'colour'"),
        ("config.json", '{"epochs": 0}', "epochs must be at least 1, got 0"),
        ("config.json", '{"epochs": "many"}', "epochs must be a whole number"),
        ("status.json", None, "status.json is missing"),
        ("status.json", '{"state": "fini', "status.json cannot be used"),
        ("status.json", '{"state": "asleep"}', "state must be one of"),
        ("status.json", "null", "must be a JSON object"),
    ],
)
def test_a_broken_run_is_listed_as_failed_with_the_reason(
    file: str, content: str | None, words: str
) -> None:
    run = runs.create(CONFIG)
    (run.path / file).unlink()
    if content is not None:
        (run.path / file).write_text(content)
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\ngarbage\n{"ep')
    [listed] = runs.list_runs()
    status = listed.status()
    assert status.state == "failed"
    assert words in status.reason
    assert "\n" not in status.reason
    assert listed.metrics().rows == [{"epoch": 1}]
    assert bool(listed.fault) == (file == "config.json")
    if file == "config.json":
        with pytest.raises(ValueError, match=f"run {run.id}: config.json"):
            runs.start(listed)
    listed.delete()
    assert runs.list_runs() == []


def test_a_running_status_without_a_held_lock_is_lost() -> None:
    run = runs.create(CONFIG)
    write(run, state="running", started_at=time.time(), pid=os.getpid())
    assert run.status().state == "lost"
    with FileLock(run.path / "lock"):
        assert run.status().state == "running"
    assert run.status().state == "lost"


def test_a_process_that_is_on_its_way_to_the_lock_is_not_lost_yet() -> None:
    run = runs.create(CONFIG)
    write(run, state="queued", started_at=time.time(), pid=None)
    assert run.status().state == "queued"
    write(run, started_at=time.time() - slots.GRACE_SECONDS - 1)
    assert run.status().state == "lost"


def test_a_process_that_had_the_lock_gets_no_grace() -> None:
    run = runs.create(CONFIG)
    write(run, state="queued", started_at=time.time(), pid=1)
    assert run.status().state == "lost"


def test_a_prepared_run_that_nobody_started_says_so() -> None:
    run = runs.create(CONFIG)
    write(run, created_at=time.time() - 60)
    assert run.status().state == "lost"
    assert "never started" in run.status().reason


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_an_ended_run_stays_what_it_was(state: str) -> None:
    run = runs.create(CONFIG)
    write(run, state=state, reason="Because.")
    assert (run.status().state, run.status().reason) == (state, "Because.")


def test_every_change_of_the_status_is_seen_although_it_is_cached() -> None:
    run = runs.create(CONFIG)
    for step in range(100):
        write(run, state="stopped", step=step)
        assert run.status().step == step


def test_the_queue_place_is_for_readers_only() -> None:
    run = runs.create(CONFIG)
    runs.write_status(run, Status(state="queued", queue_place=3))
    assert "queue_place" not in json.loads((run.path / "status.json").read_text())


def test_deleting_is_refused_while_a_process_holds_the_run() -> None:
    run = runs.create(CONFIG)
    write(run, state="running", started_at=1.0, pid=1)
    with FileLock(run.path / "lock"), pytest.raises(ValueError, match="stop it before"):
        run.delete()
    run.delete()
    assert not run.path.exists()
    assert not list(folders.runs().glob(".deleted*"))


def test_deleting_twice_does_no_harm() -> None:
    run = runs.create(CONFIG)
    run.delete()
    run.delete()


def test_deleting_is_refused_while_the_process_is_on_its_way() -> None:
    run = runs.create(CONFIG)
    write(run, started_at=time.time())
    with pytest.raises(ValueError, match="stop it before"):
        run.delete()


def test_a_finished_run_is_not_started_again() -> None:
    run = runs.create(CONFIG)
    write(run, state="finished")
    with pytest.raises(ValueError, match="finished already"):
        runs.start(run, resume=True)


def test_a_run_gets_more_epochs_only_where_they_can_be_trained() -> None:
    run = runs.create(CONFIG, expected_seconds=9.0)
    write(run, state="running", started_at=time.time())
    with FileLock(run.path / "lock"), pytest.raises(ValueError, match="still going"):
        runs.extend(run, 9)
    write(run, state="finished", epoch=3)
    with pytest.raises(ValueError, match="nothing saved to go on from"):
        runs.extend(run, 9)
    (run.path / "last.pt").touch()
    with pytest.raises(ValueError, match=r"epochs must be more than the run has \(3\), got 3"):
        runs.extend(run, 3)
    write(run, epoch=2)  # patience has ended it
    with pytest.raises(ValueError, match="would end again at once: start a new run from its"):
        runs.extend(run, 9)
    write(run, epoch=3)
    runs.extend(run, 9)
    status = run.status()
    assert (run.config.optimisation.epochs, status.state, status.epochs) == (9, "stopped", 9)
    assert status.expected_seconds is None


@pytest.mark.parametrize("file", ["last.pt", "metrics.jsonl"])
def test_starting_anew_over_an_earlier_curve_is_refused(file: str) -> None:
    run = runs.create(CONFIG)
    write(run, state="stopped")
    (run.path / file).write_text('{"epoch": 1}\n')
    with pytest.raises(ValueError, match="trained already: resume it"):
        runs.start(run)


def test_a_run_that_is_going_is_not_started_twice() -> None:
    run = runs.create(CONFIG)
    write(run, state="queued", started_at=time.time())
    before = (run.path / "status.json").read_bytes()
    runs.start(run)
    assert (run.path / "status.json").read_bytes() == before
    assert not (run.path / "log.txt").exists()


def test_the_settings_in_which_runs_differ() -> None:
    found = [runs.create(CONFIG), runs.create(CONFIG.replace(lr=0.5)), runs.create(CONFIG)]
    (found[2].path / "config.json").unlink()
    assert runs.differences(found) == {"lr": [0.001, 0.5, None]}
    assert runs.differences(found[:1]) == {}


def test_the_log_gives_its_last_whole_lines() -> None:
    run = runs.create(CONFIG)
    assert run.log() == ""
    (run.path / "log.txt").write_text("first\nsecond\nthird\n")
    assert run.log() == "first\nsecond\nthird\n"
    assert run.log(size=9) == "third\n"


def test_previews_are_found_by_epoch_and_image() -> None:
    run = runs.create(CONFIG)
    assert run.preview_epochs() == []
    (run.path / "previews").mkdir()
    for name in ("0010-0", "0002-0", "0002-1", "image-0", "truth-0"):
        (run.path / "previews" / f"{name}.png").touch()
    assert run.preview_epochs() == [2, 10]
    assert run.preview(2, 1) == run.path / "previews" / "0002-1.png"
    assert run.preview("truth", 0) == run.path / "previews" / "truth-0.png"
    assert run.preview(10, 1) is None


def test_a_mistake_on_purpose_is_said_wherever_the_run_is_shown() -> None:
    note = runs.create(TrainConfig.of(mistake="shifted-labels")).status().note
    assert "makes a mistake on purpose (shifted-labels)" in note
    assert "Do not report its scores" in note


def test_two_hundred_runs_are_listed_at_once() -> None:
    for _ in range(200):
        runs.create(CONFIG)
    [run.status() for run in runs.list_runs()]
    best = min(_seconds_to_list() for _ in range(5))
    assert best < 0.25  # 0.04 s on a free core


def _seconds_to_list() -> float:
    start = time.perf_counter()
    assert len([(run.status(), run.fault) for run in runs.list_runs()]) == 200
    return time.perf_counter() - start


def test_the_folder_of_the_runs_is_asked_for_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNET_RUNS", str(tmp_path / "elsewhere"))
    assert runs.create(CONFIG).path.parent == tmp_path / "elsewhere"
    monkeypatch.delenv("UNET_RUNS")
    assert folders.runs() == Path("runs")


def test_a_run_with_a_leak_says_so() -> None:
    leaky = TrainConfig.of(
        data="synthetic-shapes", target="classes", scheme="leaky", loss="cross-entropy"
    )
    assert runs.create(leaky, note="First.").status().note == f"First. {catalogue.LEAK}"
    assert runs.create(leaky.replace(scheme="fraction")).status().note == ""


@pytest.mark.parametrize("preset", ["quick", "dsb-binary-original"])
def test_a_name_tells_the_recipe_and_another_name_tells_none(preset: str) -> None:
    assert runs.recipe(runs.create(TrainConfig(), preset=preset).id) == preset
    assert runs.recipe("my-own-run") == ""
