"""What a learner has done of a lesson, told from runs and jobs on disk and from what was opened.

Nothing here draws.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ui.learn import links, measures
from ui.learn.lessons import BY_HAND, JOBS, OPENED, RUNS, Figure, Lesson, Link, Rule
from unet_core.base import records
from unet_core.runs import runs
from unet_core.runs.jobs import Job
from unet_core.runs.overview import Seen


@dataclass(frozen=True)
class Past:
    """The learner's own runs and jobs, the newest first, and the steps opened and ticked by hand.

    Steps are named `lesson/number`, the first has the number 1.
    """

    runs: tuple[Seen, ...] = ()
    jobs: tuple[Job, ...] = ()
    opened: frozenset[str] = frozenset()
    ticked: frozenset[str] = frozenset()

    @property
    def is_going(self) -> bool:
        """Whether one of the runs or jobs goes on, so that the ticks may change by themselves."""
        return any(one.status.is_alive for one in self.runs) or any(
            job.status().is_alive for job in self.jobs
        )


def step_name(lesson: Lesson, number: int) -> str:
    """What a step is called in links and notes; the first has the number 1."""
    return f"{lesson.name}/{number}"


def is_done(past: Past, lesson: Lesson, number: int) -> bool:
    """Whether a step is done."""
    rule, name = lesson.steps[number - 1].rule, step_name(lesson, number)
    if rule.kind == OPENED:
        return name in past.opened
    if rule.kind == BY_HAND:
        return name in past.ticked
    return any(True for _ in (_runs(past, rule) if rule.kind in RUNS else _documents(past, rule)))


def count_done(past: Past, lesson: Lesson) -> int:
    """How many steps are done."""
    return sum(is_done(past, lesson, number) for number in range(1, len(lesson.steps) + 1))


def best(past: Past, figure: Figure) -> float | None:
    """The learner's best value of a figure, of minutes the newest; None where there is none."""
    if figure.rule.kind in RUNS:
        if figure.measure == measures.MINUTES:
            return next((one.status.seconds / 60 for one in _runs(past, figure.rule)), None)
        found = [one.status.best_dice for one in _runs(past, figure.rule)]
    else:
        read = measures.EVALUATION[figure.measure]
        found = [read(document) for document in _documents(past, figure.rule)]
    return max((value for value in found if value is not None), default=None)


def resolve(past: Past, lesson: Lesson, link: Link) -> dict[str, str] | None:
    """A link's settings, with the newest own model in place of `own`; None where there is none.

    Own is a run with weights, for a model, that fits a rule of the lesson about runs.
    """
    if not link.needs_own:
        return dict(link.query)
    rules = [step.rule for step in lesson.steps if step.rule.kind in RUNS]
    for one in past.runs:
        is_ready = one.has_weights or "run" in link.query
        if is_ready and any(_fits(one, rule, started=True) for rule in rules):
            own = one.run.id
            return {key: own if value == links.OWN else value for key, value in link.query.items()}
    return None


def _runs(past: Past, rule: Rule) -> Iterator[Seen]:
    """The runs that fit a rule."""
    started = rule.kind == "run started"
    return (one for one in past.runs if _fits(one, rule, started=started))


def _fits(one: Seen, rule: Rule, *, started: bool) -> bool:
    if one.run.fault or not (started or one.status.state == "finished"):
        return False
    about = {"preset": runs.recipe(one.run.id), "data": one.run.config.images.data}
    return all(about[key] in values for key, values in rule.conditions.items())


def _documents(past: Past, rule: Rule) -> Iterator[dict[str, Any]]:
    """The results of jobs that fit a rule."""
    for job in past.jobs:
        if job.kind == JOBS[rule.kind]:
            document = _result(job)
            about = _about(job, document)
            if document and all(about[key] in one for key, one in rule.conditions.items()):
                yield document


def _about(job: Job, document: dict[str, Any]) -> dict[str, str]:
    words = job.words
    preset = runs.recipe(str(document.get("model", "")))
    if not preset and "--preset" in words[:-1]:
        preset = words[words.index("--preset") + 1]
    return {
        "preset": preset,
        "data": str(document.get("data", "")),
        "split": str(document.get("split", "")),
        "protocol": str((document.get("protocol") or {}).get("name", "")),
    }


def _result(job: Job) -> dict[str, Any]:
    """What came out of a finished job; empty for others, and for one that nobody can read."""
    try:
        return _read_result(job, records.version(job.path / "progress.json"))
    except (OSError, ValueError):
        return {}


@functools.lru_cache(maxsize=256)
def _read_result(job: Job, seen: tuple[int, ...]) -> dict[str, Any]:
    return job.result() if job.last_status().state == "finished" else {}
