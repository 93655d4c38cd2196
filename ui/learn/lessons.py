"""Lessons as they stand in `lessons/`, a Markdown file each; `lessons/README.md` tells the syntax.

Nothing here draws.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ui.learn import links, measures
from unet_core.data import datasets
from unet_core.scoring import protocols
from unet_core.training import presets

FOLDER = Path(__file__).resolve().parents[2] / "lessons"
GUIDE = "README.md"  # tells the syntax, and is no lesson

OPENED, BY_HAND = "opened", "by hand"
# What a tick rule may be about, and the conditions that may follow.
RUNS = ("run started", "run finished")
JOBS = {"evaluation": "evaluate", "tuning": "tune", "range test": "lr-test"}  # the kind of job
CONDITIONS = {
    OPENED: (),
    BY_HAND: (),
    **dict.fromkeys(RUNS, ("preset", "data")),
    "evaluation": ("preset", "data", "split", "protocol"),
    "tuning": ("preset", "data", "split"),
    "range test": ("preset",),
}

_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_HEADER = ("title", "teaches", "minutes", "measured")


@dataclass(frozen=True)
class Rule:
    """When a step is done: the kind, and what must be so, each with the values that will do."""

    kind: str
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A way to a page with settings."""

    label: str
    page: str
    query: Mapping[str, str]

    @property
    def needs_own(self) -> bool:
        """Whether it leads to the learner's own run or model."""
        return any(value == links.OWN for value in self.query.values())


@dataclass(frozen=True)
class Step:
    """One thing to do: Markdown with what one should see, the way there, and its tick."""

    title: str
    text: str
    link: Link
    rule: Rule


@dataclass(frozen=True)
class Question:
    """A question, and its answer in Markdown."""

    text: str
    answer: str


@dataclass(frozen=True)
class Figure:
    """A figure to expect of the runs or evaluations that fit a rule."""

    measure: str
    expected: float
    rule: Rule


@dataclass(frozen=True)
class Lesson:
    """A lesson; its name is that of its file, and stands in links."""

    name: str
    title: str
    teaches: str
    minutes: int
    measured: str
    figures: tuple[Figure, ...]
    training: Figure | None  # minutes of the runs that fit
    text: str
    steps: tuple[Step, ...]
    questions: tuple[Question, ...]


def load(folder: Path = FOLDER) -> tuple[list[Lesson], list[str]]:
    """The lessons in the order of their files' names, and a sentence for each broken one."""
    found, faults = [], []
    for path in sorted(folder.glob("*.md")):
        if path.name == GUIDE:
            continue
        try:
            found.append(parse(path.stem, path.read_text(encoding="utf-8")))
        except ValueError as error:
            known = str(error) if not isinstance(error, UnicodeDecodeError) else "it is not UTF-8"
            faults.append(f"{folder.name}/{path.name}, {known}")
        except OSError as error:
            faults.append(f"{folder.name}/{path.name} cannot be read: {error.strerror}")
    return found, faults


def parse(name: str, text: str) -> Lesson:
    """A lesson from its text. Raises ValueError, "line 3: ...", for the first mistake in it."""
    lines = text.splitlines()
    end = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    header = _read_header(lines[:end])
    intro, sections = _divide(lines, end)
    steps, questions = [], []
    for start, kind, title, body in sections:
        if kind == "Step":
            steps.append(_read_step(start, title, body))
        else:
            questions.append(Question(title, _join(start, body, "an answer")))
    if not steps:
        raise ValueError("line 1: a lesson needs at least one step: ## Step: ...")
    training = header.get("training")
    return Lesson(
        name=name,
        title=header["title"][0][1],
        teaches=header["teaches"][0][1],
        minutes=_read_minutes(*header["minutes"][0]),
        measured=header["measured"][0][1],
        figures=tuple(_read_figure(*one) for one in header.get("figure", [])),
        training=_read_figure(training[0][0], f"{measures.MINUTES} {training[0][1]}")
        if training
        else None,
        text="\n".join(intro).strip(),
        steps=tuple(steps),
        questions=tuple(questions),
    )


def _fault(number: int, sentence: str) -> ValueError:
    return ValueError(f"line {number}: {sentence}")


def _read_header(lines: list[str]) -> dict[str, list[tuple[int, str]]]:
    """What stands at the top: the values of each key, with their lines."""
    known = (*_HEADER, "figure", "training")
    found: dict[str, list[tuple[int, str]]] = {}
    for number, line in enumerate(lines, 1):
        key, colon, value = line.partition(":")
        if not colon or key.strip() not in known:
            raise _fault(
                number,
                f"the header ends with an empty line, and each of its lines is one of "
                f"{', '.join(known)}, a colon and a value, got {line[:60]!r}",
            )
        if found.get(key.strip()) and key.strip() != "figure":
            raise _fault(number, f"{key.strip()} stands there twice")
        if not value.strip():
            raise _fault(number, f"{key.strip()} has no value")
        found.setdefault(key.strip(), []).append((number, value.strip()))
    for key in _HEADER:
        if key not in found:
            raise _fault(1, f"the header has no {key}")
    return found


def _read_minutes(number: int, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise _fault(number, f"minutes must be a whole number above 0, got {text!r}")
    return int(text)


def _read_figure(number: int, text: str) -> Figure:
    """`F1 by image 0.747 of evaluation split=test`."""
    found = re.fullmatch(r"(.+?) (\d*\.?\d+) of (.+)", text)
    if found is None:
        raise _fault(number, f"write it as measure, number, of, rule, got {text!r}")
    measure, expected, rule = found.groups()
    read = _read_rule(number, rule)
    known = measures.known(read.kind)
    if measure not in known:
        listed = ", ".join(known) or "none"
        raise _fault(number, f"measures of {read.kind} are: {listed}; got {measure!r}")
    return Figure(measure, float(expected), read)


def _divide(
    lines: list[str], end: int
) -> tuple[list[str], list[tuple[int, str, str, list[tuple[int, str]]]]]:
    """The text before the first step, and each step or question: line, kind, title, its lines."""
    intro: list[str] = []
    sections: list[tuple[int, str, str, list[tuple[int, str]]]] = []
    for number, line in enumerate(lines[end:], end + 1):
        if line.startswith("## "):
            head = re.fullmatch(r"## (Step|Question): (.+)", line.strip())
            if head is None:
                raise _fault(
                    number, f"a heading begins with ## Step: or ## Question:, got {line[:60]!r}"
                )
            sections.append((number, head[1], head[2], []))
        elif sections:
            sections[-1][3].append((number, line))
        else:
            intro.append(line)
    return intro, sections


def _read_step(start: int, title: str, body: list[tuple[int, str]]) -> Step:
    rules = list(_take(body, "Tick:"))
    ways = [(number, found) for number, line in body if (found := _LINK.fullmatch(line.strip()))]
    for what, entries in (("link to a page", ways), ("line with Tick:", rules)):
        if len(entries) != 1:
            raise _fault(start, f"a step has exactly one {what}, this one has {len(entries)}")
    (at, found), (rule_at, rule) = ways[0], rules[0]
    try:
        page, query = links.read(found[2])
    except ValueError as error:
        raise _fault(at, str(error)) from None
    rest = [(number, line) for number, line in body if number not in (at, rule_at)]
    text = _join(start, rest, "a text")
    return Step(title, text, Link(found[1], page, query), _read_rule(rule_at, rule))


def _take(body: list[tuple[int, str]], word: str) -> Iterator[tuple[int, str]]:
    for number, line in body:
        if line.startswith(word):
            yield number, line.removeprefix(word).strip()


def _join(start: int, body: list[tuple[int, str]], what: str) -> str:
    text = "\n".join(line for _, line in body).strip()
    if not text:
        raise _fault(start, f"there is no {what.partition(' ')[2]} below this heading")
    return text


def _read_rule(number: int, text: str) -> Rule:
    """`run finished preset=quick data=dsb2018,synthetic-nuclei`."""
    words = text.split()
    bare = [word for word in words if "=" not in word]
    kind = " ".join(bare)
    if kind not in CONDITIONS:
        raise _fault(number, f"there is no rule {kind!r}; there are: {', '.join(CONDITIONS)}")
    conditions = {}
    for word in words[len(bare) :]:
        key, _, values = word.partition("=")
        if key not in CONDITIONS[kind]:
            listed = ", ".join(CONDITIONS[kind]) or "none"
            raise _fault(number, f"conditions of {kind} are: {listed}; got {key!r}")
        conditions[key] = tuple(values.split(","))
        _check_condition(number, key, conditions[key])
    return Rule(kind, conditions)


def _check_condition(number: int, key: str, values: tuple[str, ...]) -> None:
    try:
        for value in values:
            if key == "preset":
                presets.preset(value)
            elif key == "data":
                datasets.info(value)
            elif key == "protocol":
                protocols.find(value)
            elif value not in links.SPLITS:
                raise ValueError(f"split must be one of {', '.join(links.SPLITS)}, got {value!r}")
    except ValueError as error:
        raise _fault(number, str(error)) from None
