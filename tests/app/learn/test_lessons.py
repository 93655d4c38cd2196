"""Lessons as files: what is read from them, and the sentence for each mistake."""

from pathlib import Path

import pytest

from ui.learn import lessons, links
from unet_core.data import datasets
from unet_core.scoring import protocols, published

GOOD = """title: Count nuclei
teaches: Counting.
minutes: 5
measured: one run of ours
figure: F1 pooled 0.8 of evaluation split=test preset=quick,nuclei
training: 2.5 of run finished preset=quick

Begin **here**.

## Step: Look
[Open it](data?set=synthetic-nuclei&split=train&sample=nuclei-train-000&tab=Sample)
See a nucleus.
Tick: opened

## Step: Train
[Train](train?preset=quick&data=synthetic-nuclei&epochs=2)
See a curve.
Tick: run finished preset=quick

## Question: Why?
Because
of this.
"""


def test_a_file_gives_header_steps_and_questions() -> None:
    found = lessons.parse("count", GOOD)
    assert (found.name, found.title, found.minutes) == ("count", "Count nuclei", 5)
    assert found.text == "Begin **here**."
    assert [(step.title, step.text) for step in found.steps] == [
        ("Look", "See a nucleus."),
        ("Train", "See a curve."),
    ]
    assert found.steps[1].link.query == {
        "preset": "quick",
        "data": "synthetic-nuclei",
        "epochs": "2",
    }
    assert found.steps[1].rule == lessons.Rule("run finished", {"preset": ("quick",)})
    assert found.questions == (lessons.Question("Why?", "Because\nof this."),)
    rule = lessons.Rule("evaluation", {"split": ("test",), "preset": ("quick", "nuclei")})
    assert found.figures == (lessons.Figure("F1 pooled", 0.8, rule),)
    assert found.training is not None
    assert found.training.expected == 2.5


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("title: Count nuclei\n", "", "line 1: the header has no title"),
        ("minutes: 5", "minutes: five", "line 3: minutes must be a whole number above 0"),
        ("minutes: 5", "hours: 5", "line 3: the header ends with an empty line"),
        ("minutes: 5", "minutes: 5\nminutes: 6", "line 4: minutes stands there twice"),
        ("teaches: Counting.", "teaches:", "line 2: teaches has no value"),
        ("F1 pooled 0.8", "beauty 0.8", "line 5: measures of evaluation are: F1 pooled"),
        ("0.8 of evaluation", "0.8 in evaluation", "line 5: write it as measure, number, of, rule"),
        ("preset=quick,nuclei", "preset=slow", "line 5: unknown preset 'slow'"),
        ("split=test preset", "split=exam preset", "line 5: split must be one of train, val, test"),
        ("split=test preset=quick,nuclei", "protocol=mine", "line 5: unknown protocol 'mine'"),
        ("Tick: opened", "Tick: wished", "line 13: there is no rule 'wished'"),
        ("Tick: opened", "Tick: opened data=x", "line 13: conditions of opened are: none"),
        ("Tick: opened\n", "", "line 10: a step has exactly one line with Tick:"),
        ("[Open it](data?", "(", "line 10: a step has exactly one link to a page, this one has 0"),
        ("(data?", "(dta?", "line 11: there is no page 'dta'; there are: data, model, train"),
        ("&tab=Sample", "&tab=Simple", "line 11: there is no tab 'Simple'; there are: Overview"),
        ("&tab=", "&leaf=", "line 11: there is no setting of the page data 'leaf'"),
        ("set=synthetic-nuclei&s", "set=moon&s", "line 11: data set must be one of"),
        ("nuclei-train-000", "nuclei-train-999", "line 11: there is no sample 'nuclei-train-999'"),
        ("(train?preset=quick", "(train?preset=slow", "line 16: there is no preset 'slow'"),
        ("epochs=2", "epochs=many", "line 16: epochs must be a whole number, got 'many'"),
        ("epochs=2", "epoch=2", "line 16: there is no setting of the page train 'epoch'"),
        ("See a nucleus.\n", "", "line 10: there is no text below this heading"),
        ("Because\nof this.\n", "", "line 20: there is no answer below this heading"),
        ("## Question:", "## Riddle:", "line 20: a heading begins with ## Step: or ## Question:"),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, sentence: str) -> None:
    assert GOOD.count(before) >= 1
    with pytest.raises(ValueError) as raised:
        lessons.parse("count", GOOD.replace(before, after, 1))
    assert str(raised.value).startswith(sentence)


def test_a_lesson_without_a_step_is_told() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        lessons.parse("empty", GOOD.partition("## Step")[0])


def test_a_broken_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text(GOOD)
    (tmp_path / "bad.md").write_text(GOOD.replace("title: Count nuclei\n", ""))
    (tmp_path / "binary.md").write_bytes(b"title: \xff\xfe")
    (tmp_path / "README.md").write_text("no lesson")
    found, faults = lessons.load(tmp_path)
    assert [one.name for one in found] == ["good"]
    folder = tmp_path.name
    assert faults == [
        f"{folder}/bad.md, line 1: the header has no title",
        f"{folder}/binary.md, it is not UTF-8",
    ]


def test_every_shipped_lesson_is_whole() -> None:
    """Pages, recipes, sets, samples, models and settings of every link are there, too."""
    found, faults = lessons.load()
    assert faults == []
    assert len(found) >= 6
    assert all(one.questions for one in found)


def test_a_figure_of_a_protocol_is_the_one_that_was_published() -> None:
    metrics = {"F1": "f1", "AP": "ap", "mean IoU of patches": "patch_mean_iou"}
    metrics |= {"mean IoU": "mean_iou", "accuracy of three": "three_class_accuracy"}
    metrics |= {"accuracy of the": "accuracy"}
    checked = 0
    for lesson in lessons.load()[0]:
        for figure in lesson.figures:
            for name in figure.rule.conditions.get("protocol", ()):
                protocol = protocols.find(name)
                rows = published.find(
                    protocol.data, "test", scheme=datasets.info(protocol.data).default_scheme
                )
                metric = next(
                    metrics[words]
                    for words in sorted(metrics, key=len, reverse=True)
                    if figure.measure.startswith(words)
                )
                theirs = [
                    row.values[0][1]
                    for row in rows
                    if (row.method, row.metric) == (protocol.method, metric)
                ]
                assert figure.expected == pytest.approx(theirs[0], abs=5e-4)
                checked += 1
    assert checked == 7


def test_the_example_in_the_guide_is_a_lesson() -> None:
    text = (lessons.FOLDER / lessons.GUIDE).read_text()
    example = text.partition("```markdown\n")[2].partition("```")[0]
    assert lessons.parse("example", example).title == "Count nuclei"


def test_the_guide_names_every_rule_and_measure() -> None:
    text = (lessons.FOLDER / lessons.GUIDE).read_text()
    for word in (*lessons.CONDITIONS, *lessons.measures.EVALUATION, *lessons.links.PAGES):
        assert f"`{word}`" in text, word


def test_tabs_that_a_link_may_open_are_on_their_pages() -> None:
    root = lessons.FOLDER.parent
    for page, parts in links.PARTS.items():
        files = [root / "pages" / f"{page}.py", *(root / "ui" / page).glob("*.py")]
        source = "".join(path.read_text() for path in files)
        for setting, known in parts.items():
            assert f'"{setting}"' in source
            if setting in ("tab", "part", "task", "result"):
                assert all(f'"{one}"' in source for one in known)
