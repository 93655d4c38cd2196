"""Ticks and figures told from runs and jobs as their processes leave them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ui.learn import lessons, progress
from ui.learn.progress import Past
from unet_core.runs import jobs, runs
from unet_core.runs.jobs import Job, JobStatus
from unet_core.runs.overview import Seen
from unet_core.runs.status import Status
from unet_core.training import presets

HEAD = "title: T\nteaches: T.\nminutes: 5\nmeasured: here\n"
QUICK = presets.preset("quick").config.replace(data="synthetic-nuclei")


def lesson(*rules: str, link: str = "train?preset=quick", head: str = "") -> lessons.Lesson:
    steps = [f"## Step: S\n[go]({link})\nSee.\nTick: {rule}\n" for rule in rules]
    return lessons.parse("it", f"{HEAD}{head}\n" + "\n".join(steps))


def make_run(state: str = "finished", preset: str = "quick", *, weights: bool = True, **about: Any):
    run = runs.create(QUICK, preset=preset)
    return Seen(run=run, status=Status(state=state, **about), has_weights=weights)


def make_job(result: Any, kind: str = "evaluate", state: str = "finished", words=("evaluate",)):
    job = Job(jobs.folder() / f"20260101-000000-{kind}-{len(jobs.list_jobs()):012x}")
    job.path.mkdir(parents=True)
    about = {"words": list(words), "kind": kind, "title": "it", "created": 1.0}
    (job.path / "job.json").write_text(json.dumps(about))
    status = JobStatus(state=state, pid=1, created_at=1.0)
    (job.path / "progress.json").write_text(json.dumps(status.to_dict()))
    (job.path / "result.json").write_text(result if type(result) is str else json.dumps(result))
    return job


def document(f1: float | None = 0.7, model: str = "20260101-000000-quick-abc123", **about: Any):
    row = {"iou": 0.5, "f1": f1, "ap": None}
    found = {"model": model, "data": "synthetic-nuclei", "split": "test"}
    return found | {"pooled": [row], "by_image": [row]} | about


def test_a_link_and_a_box_tick_only_their_own_step() -> None:
    two = lesson("opened", "by hand")
    assert progress.count_done(Past(), two) == 0
    past = Past(opened=frozenset({"it/1", "it/2", "other/2"}))
    assert [progress.is_done(past, two, number) for number in (1, 2)] == [True, False]
    assert progress.count_done(Past(ticked=frozenset({"it/2"})), two) == 1


@pytest.mark.parametrize(
    ("rule", "state", "is_done"),
    [
        ("run started", "running", True),
        ("run finished", "running", False),
        ("run finished", "stopped", False),
        ("run finished", "finished", True),
        ("run finished preset=nuclei,quick", "finished", True),
        ("run finished preset=nuclei", "finished", False),
        ("run finished data=dsb2018", "finished", False),
    ],
)
def test_a_run_ticks_a_step_when_all_conditions_hold(rule: str, state: str, is_done: bool) -> None:
    past = Past(runs=(make_run(state),))
    assert progress.is_done(past, lesson(rule), 1) == is_done


@pytest.mark.parametrize(
    ("rule", "is_done"),
    [
        ("evaluation", True),
        ("evaluation preset=quick split=test data=synthetic-nuclei", True),
        ("evaluation preset=nuclei", False),
        ("evaluation split=val", False),
        ("evaluation protocol=dl4mia", True),
        ("evaluation protocol=shapes", False),
        ("tuning", False),
    ],
)
def test_an_evaluation_ticks_a_step_when_all_conditions_hold(rule: str, is_done: bool) -> None:
    past = Past(jobs=(make_job(document(protocol={"name": "dl4mia"})),))
    assert progress.is_done(past, lesson(rule), 1) == is_done


def test_what_goes_on_or_cannot_be_read_ticks_nothing() -> None:
    broken = make_run()
    (broken.run.path / "config.json").write_text("{")
    jobs_ = (make_job(document(), state="failed"), make_job("half a {"), make_job([1]))
    past = Past(runs=(broken,), jobs=jobs_)
    assert progress.count_done(past, lesson("run finished", "evaluation")) == 0


def test_a_range_test_is_known_by_the_recipe_of_its_command() -> None:
    words = ("lr-test", "--preset", "isbi-notebook", "--data", "isbi2012")
    past = Past(jobs=(make_job({"suggested": 0.01}, "lr-test", words=words),))
    assert progress.is_done(past, lesson("range test preset=isbi-notebook"), 1)
    assert not progress.is_done(past, lesson("range test preset=quick"), 1)


def test_your_figure_is_the_best_and_an_older_evaluation_that_lacks_it_does_no_harm() -> None:
    one = lesson("opened", head="figure: F1 pooled 0.8 of evaluation split=test\n")
    found = [document(0.6), document(0.7), document(None), {"model": "m", "split": "test"}]
    past = Past(jobs=tuple(make_job(each) for each in found))
    assert progress.best(past, one.figures[0]) == 0.7
    assert progress.best(Past(), one.figures[0]) is None


def test_your_dice_is_the_best_and_your_time_the_newest() -> None:
    head = "figure: Dice 0.9 of run finished preset=quick\ntraining: 2 of run finished\n"
    one = lesson("opened", head=head)
    newest = make_run(best_dice=0.8, seconds=90.0)
    past = Past(runs=(newest, make_run(best_dice=0.9, seconds=30.0)))
    assert progress.best(past, one.figures[0]) == 0.9
    assert one.training is not None
    assert progress.best(past, one.training) == 1.5


def test_own_is_the_newest_fitting_run_and_for_a_model_it_has_weights() -> None:
    going, done = make_run("running", weights=False), make_run()
    other = make_run(preset="nuclei")
    past = Past(runs=(other, going, done))
    for link, expected in (
        ("segment?model=own&set=synthetic-nuclei", {"model": done, "set": "synthetic-nuclei"}),
        ("train?run=own", {"run": going}),
    ):
        one = lesson("run finished preset=quick", link=link)
        found = progress.resolve(past, one, one.steps[0].link)
        assert found == {
            key: value.run.id if isinstance(value, Seen) else value
            for key, value in expected.items()
        }
        assert progress.resolve(Past(runs=(other,)), one, one.steps[0].link) is None


def test_a_job_that_is_deleted_meanwhile_ticks_nothing(tmp_path: Path) -> None:
    past = Past(jobs=(Job(tmp_path / "gone"),))
    assert progress.count_done(past, lesson("evaluation")) == 0
