import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.runs import process, repeats, runs, slots
from unet_core.runs.repeats import Repeat
from unet_core.runs.status import Status
from unet_core.training import loader

CONFIG = TrainConfig.of(epochs=3, seed=5)


def until(is_true, seconds: float = 180.0) -> None:
    """Wait for another process."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def states(repeat: Repeat) -> list[str]:
    return [status.state for status in repeat.statuses()]


def test_the_runs_of_a_repeat_differ_in_the_seed_alone_and_carry_its_name() -> None:
    repeat = repeats.create(CONFIG, 3, preset="quick", note="moved")
    assert [run.config.images.seed for run in repeat.runs] == [5, 6, 7]
    assert runs.differences(list(repeat.runs)) == {"seed": [5, 6, 7]}
    assert {run.status().repeat for run in repeat.runs} == {repeat.name}
    assert {run.status().note for run in repeat.runs} == {"moved"}
    assert repeats.find(repeat.name) == repeat
    assert repeats.create(CONFIG, 3, preset="quick").name != repeat.name


@pytest.mark.parametrize("scheme", datasets.info("dsb2018").schemes)
def test_the_seed_leaves_training_and_validation_images_as_they_are(
    tiny: TrainConfig, scheme: str
) -> None:
    first, second = (
        loader.load(tiny.replace(scheme=scheme, crops="patches", patches=2, seed=seed))
        for seed in (0, 1)
    )
    assert [one.name for one in first.train] == [one.name for one in second.train]
    assert [one.name for one in first.val] == [one.name for one in second.val]
    assert first.places != second.places  # but not where the patches are cut


def test_a_form_that_is_sent_twice_at_once_makes_one_repeat() -> None:
    found: list[Repeat] = []
    threads = [
        threading.Thread(target=lambda: found.append(repeats.create(CONFIG, 3, token="form 1")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 4
    assert len(runs.list_runs()) == 3
    assert repeats.create(CONFIG, 3, token="form 2") not in found


@pytest.mark.parametrize(
    ("seeds", "first", "words"),
    [
        (1, 0, "repeats must be 2 to 20 seeds, got 1"),
        (21, 0, "repeats must be 2 to 20 seeds, got 21"),
        (3, 2**31 - 2, "seed must be at most"),
    ],
)
def test_an_impossible_repeat_is_one_sentence_and_leaves_no_run(
    seeds: int, first: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        repeats.create(CONFIG.replace(seed=first), seeds)
    assert runs.list_runs() == []


def test_a_repeat_that_cannot_be_made_whole_is_not_made_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = runs.create

    def full(config: TrainConfig, **about):  # type: ignore[no-untyped-def]
        if config.images.seed == 7:
            raise OSError(28, "No space left on device")
        return create(config, **about)

    monkeypatch.setattr(runs, "create", full)
    with pytest.raises(OSError, match="No space left"):
        repeats.create(CONFIG, 3)
    assert runs.list_runs() == []


@pytest.mark.parametrize("name", ["", "none", "../x"])
def test_only_names_of_repeats_are_found(name: str) -> None:
    runs.create(CONFIG)
    repeats.create(CONFIG, 2)
    with pytest.raises(ValueError, match="there is no repeat"):
        repeats.find(name)


def test_a_run_that_was_deleted_is_no_part_of_its_repeat_any_more() -> None:
    repeat = repeats.create(CONFIG, 3)
    repeat.runs[0].delete()
    assert repeats.find(repeat.name).runs == repeat.runs[1:]


def test_a_seed_that_fails_is_named_and_the_others_go_on(tiny: TrainConfig) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    repeat = repeats.create(tiny.replace(epochs=1), 3)
    (repeat.runs[1].path / "steps.jsonl").symlink_to("/dev/full")
    for run in repeat.runs:
        process.train(run)
    assert states(repeat) == ["finished", "failed", "finished"]
    assert repeats.state(repeat.statuses()) == "failed"
    assert repeats.summary(repeat, repeat.statuses()) == (
        "2 of 3 seeds finished: seed 1 failed: the disk is full: make room, then start again."
    )
    assert repeat.finished() == [repeat.runs[0], repeat.runs[2]]
    dice = [run.status().best_dice for run in repeat.finished()]
    assert dice[0] != dice[1]  # the seed does change the training
    (repeat.runs[1].path / "steps.jsonl").unlink()
    process.train(repeat.runs[1], resume=True)
    assert repeats.summary(repeat, repeat.statuses()) == "3 of 3 seeds finished."


def test_a_killed_seed_is_lost_the_next_one_trains_and_a_second_start_resumes_it(
    tiny: TrainConfig,
) -> None:
    repeat = repeats.create(tiny.replace(steps_per_epoch=100_000), 2)
    first = repeat.runs[0]
    repeat.start()
    repeat.start()  # a double click: nothing more begins
    until(lambda: first.status().step > 0)
    # Whoever comes later waits for all of its seeds.
    assert states(repeat) == ["running", "queued"]
    assert repeats.state(repeat.statuses()) == "running"
    assert "seed 0 is running; 1 seed waits" in repeats.summary(repeat, repeat.statuses())
    with pytest.raises(ValueError, match="still going: stop it before deleting it"):
        repeat.delete()
    pid = first.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: states(repeat) == ["lost", "running"])
    text = repeats.summary(repeat, repeat.statuses())
    assert "seed 0 is lost: the training process ended without a word" in text
    repeat.start()
    until(lambda: first.status().pid not in (None, pid))
    assert states(repeat) == ["queued", "running"]
    until(lambda: repeat.runs[1].status().step > 0)
    repeat.stop()
    until(lambda: states(repeat) == ["stopped", "stopped"])
    assert "seed 1 was stopped in epoch 1 of 2" in repeats.summary(repeat, repeat.statuses())
    repeat.delete()
    assert runs.list_runs() == []


def test_stopping_a_waiting_repeat_lets_none_of_its_seeds_begin(tiny: TrainConfig) -> None:
    repeat = repeats.create(tiny, 2)
    with FileLock(slots.folder(folders.runs()) / "cpu.lock"):
        repeat.start()
        assert [status.queue_place for status in repeat.statuses()] == [1, 2]
        repeat.stop()
        until(lambda: states(repeat) == ["stopped", "stopped"])
    assert not any(run.steps().rows for run in repeat.runs)
    text = repeats.summary(repeat, repeat.statuses())
    assert "seed 0 was stopped before it began; seed 1 was stopped before it began" in text


def test_a_broken_run_is_skipped_and_the_others_start(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(runs, "launch", lambda command, log: started.append(command[5]))
    repeat = repeats.create(CONFIG, 3)
    (repeat.runs[0].path / "config.json").write_text("{")
    repeats.find(repeat.name).start()
    assert started == [str(run.path) for run in repeat.runs[1:]]
    assert "seed unknown failed" in repeats.summary(
        repeats.find(repeat.name), repeats.find(repeat.name).statuses()
    )


def test_a_seed_that_cannot_start_does_not_keep_the_others_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[int | None] = []

    def start(run: runs.Run, *, resume: bool) -> None:
        if repeats.seed(run) == 5:
            raise ValueError("run 5 has finished meanwhile")
        started.append(repeats.seed(run))

    monkeypatch.setattr(runs, "start", start)
    with pytest.raises(ValueError, match="finished meanwhile"):
        repeats.create(CONFIG, 3).start()
    assert started == [6, 7]


def test_a_run_of_an_earlier_version_belongs_to_no_repeat() -> None:
    run = runs.create(CONFIG)
    assert '"repeat": ""' in (run.path / "status.json").read_text()
    old = (run.path / "status.json").read_text().replace('"repeat": "",', "")
    (run.path / "status.json").write_text(old)
    assert run.status().state == "queued"
    assert run.status().repeat == ""


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # seconds done, seconds left of the one that goes; two more wait
        ([("running", 10.0, 30.0), ("queued", 0.0, None), ("queued", 0.0, None)], 30 + 2 * 40),
        ([("finished", 20.0, None), ("queued", 0.0, None)], 20.0),
        ([("finished", 20.0, None), ("queued", 15.0, None)], 5.0),  # resumed
        ([("running", 10.0, 30.0), ("running", 10.0, 30.0)], 30.0),  # on two devices
        ([("running", 0.0, None), ("queued", 0.0, None)], None),
        ([("finished", 20.0, None), ("failed", 1.0, None)], None),
    ],
)
def test_the_time_left_counts_the_seeds_that_wait(
    found: list[tuple[str, float, float | None]], expected: float | None
) -> None:
    statuses = [
        Status(state=state, seconds=seconds, seconds_left=left) for state, seconds, left in found
    ]
    assert repeats.seconds_left(statuses) == expected


def test_what_is_left_of_a_repeat_can_be_deleted_whatever_happened() -> None:
    repeat = repeats.create(CONFIG, 2)
    shutil.rmtree(repeat.runs[0].path)
    repeat.delete()
    assert runs.list_runs() == []
