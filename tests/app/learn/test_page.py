"""The page Learn in one browser session: overview, a lesson, its ticks, and every link."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.learn import lessons
from ui.shared import learner
from unet_core.base import folders
from unet_core.runs import jobs, runs
from unet_core.training import presets

APP = str(Path(__file__).resolve().parents[3] / "app.py")
BEGINNERS = "1-from-pixels-to-objects"
CODE = "0123456789abcdef"


def open_page(page: str = "learn", *, code: str = CODE, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    app.session_state["_learner"] = code
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py").run()


def words(app: AppTest) -> str:
    links = [one.proto.label for one in app.get("page_link")]
    texts = [*app.markdown, *app.caption, *app.subheader, *app.error, *app.warning]
    return "\n".join([one.value for one in texts] + links)


def remember(what: str, name: str, code: str = CODE) -> None:
    path = folders.runs() / ".learners" / f"{code}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"what": what, "name": name, "is_on": True}) + "\n")


def finish_run(preset: str = "quick") -> runs.Run:
    config = presets.preset(preset).config.replace(data="synthetic-nuclei")
    run = runs.create(config, preset=preset)
    about = {"state": "finished", "epoch": 8, "epochs": 8, "best_dice": 0.912, "seconds": 61.0}
    (run.path / "status.json").write_text(json.dumps(about))
    (run.path / "best.safetensors").write_bytes(b"weights")
    return run


def test_the_overview_shows_every_lesson_with_what_is_done() -> None:
    remember(learner.OPENED, f"{BEGINNERS}/1")
    app = open_page()
    assert not app.exception
    assert not app.error
    found, _ = lessons.load()
    text = words(app)
    for one in found:
        assert one.teaches in text
    assert f"about 20 min · 1 of {len(found[0].steps)} steps done" in text
    app.button(f"open-{BEGINNERS}").click().run()
    assert [one.value for one in app.header] == ["From pixels to objects"]
    assert app.query_params["lesson"] == BEGINNERS
    app.button("leave").click().run()
    assert not app.header


def test_a_lesson_shows_ticks_and_figures_of_own_runs_only() -> None:
    mine, _ = finish_run(), finish_run()
    app = open_page(lesson=BEGINNERS)
    assert "Steps: 0 of" in words(app)
    assert "yours: none yet" in words(app)
    remember(learner.RUN, mine.id)
    text = words(open_page(lesson=BEGINNERS))
    assert "Steps: 2 of" in text  # started, and finished
    assert "yours: 0.912" in text
    assert "yours: 1 min 01 s" in text


def test_runs_of_others_count_on_request() -> None:
    finish_run()
    app = open_page(lesson=BEGINNERS)
    assert "Steps: 0 of" in words(app)
    app.toggle("all").set_value(True).run()
    assert "Steps: 2 of" in words(app)


def test_a_link_to_an_own_model_waits_for_it_and_then_names_it() -> None:
    app = open_page(lesson=BEGINNERS)
    assert "This link opens as soon as" in words(app)
    run = finish_run()
    remember(learner.RUN, run.id)
    app = open_page(lesson=BEGINNERS)
    assert "This link opens as soon as" not in words(app)
    queries = [one.proto.query_string for one in app.get("page_link")]
    assert any(f"model={run.id}" in query for query in queries)


def test_a_box_is_ticked_by_hand_and_stays_so() -> None:
    app = open_page(lesson=BEGINNERS)
    box = app.checkbox[0]
    assert not box.value
    box.check().run()
    assert "Steps: 1 of" in words(app)
    again = open_page(lesson=BEGINNERS)
    assert again.checkbox[0].value
    again.checkbox[0].uncheck().run()
    assert "Steps: 0 of" in words(again)


def test_an_unknown_lesson_and_a_broken_file_give_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.md").write_text("title: x\n")
    monkeypatch.setattr(lessons.load, "__defaults__", (tmp_path,))
    app = open_page(lesson="moon")
    assert not app.exception
    assert "There is no lesson “moon”" in words(app)
    assert "bad.md, line 1: the header has no teaches" in words(app)


def test_opening_a_step_ticks_it_and_shows_the_way_back() -> None:
    app = open_page("data", set="synthetic-nuclei", step=f"{BEGINNERS}/1")
    assert "Back to the lesson, step 1" in words(app)
    assert "Steps: 1 of" in words(open_page(lesson=BEGINNERS))


@pytest.mark.parametrize(
    ("page", "query", "button", "what"),
    [
        ("train", {"preset": "quick", "data": "synthetic-nuclei"}, "start", learner.RUN),
        ("train", {"preset": "quick", "data": "synthetic-nuclei"}, "lr-test", learner.JOB),
        ("evaluate", {"model": "nuclei", "set": "synthetic-nuclei"}, "start-evaluate", learner.JOB),
    ],
)
def test_what_a_browser_starts_is_its_own(
    page: str, query: dict[str, str], button: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "launch", lambda command, log: None)
    open_page(page, **query).button(key=button).click().run()
    [made] = runs.list_runs() if what == learner.RUN else jobs.list_jobs()
    [line] = (folders.runs() / ".learners" / f"{CODE}.jsonl").read_text().splitlines()
    assert json.loads(line) == {"what": what, "name": made.id, "is_on": True}


def test_every_run_of_a_repeat_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "launch", lambda command, log: None)
    app = open_page("train", preset="quick", data="synthetic-nuclei")
    app.number_input(key="seeds").set_value(3).run()
    app.button(key="start").click().run()
    lines = (folders.runs() / ".learners" / f"{CODE}.jsonl").read_text().splitlines()
    assert {json.loads(line)["name"] for line in lines} == {run.id for run in runs.list_runs()}
    assert len(lines) == 3


def test_without_a_lesson_nothing_is_kept_and_no_way_back_is_shown() -> None:
    app = open_page("data", code="", set="synthetic-nuclei")
    assert "Back to the lesson" not in words(app)
    assert not (folders.runs() / ".learners").exists()


@pytest.mark.parametrize("code", ["../../etc/passwd", "0123", "0123456789ABCDEF"])
def test_a_code_that_is_none_is_never_a_file(code: str) -> None:
    app = open_page(code=code, lesson=BEGINNERS)
    assert not app.exception
    app.checkbox[0].check().run()
    kept = [path.stem for path in (folders.runs() / ".learners").glob("*")]
    assert code not in kept


LINKS = sorted(
    {
        (step.link.page, tuple(sorted(step.link.query.items())))
        for one in lessons.load()[0]
        for step in one.steps
        if not step.link.needs_own
    }
)


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize(("page", "query"), LINKS, ids=str)
def test_the_link_of_a_shipped_lesson_opens_what_it_asks_for(
    page: str, query: tuple[tuple[str, str], ...]
) -> None:
    app = open_page(page, **dict(query))
    assert not app.exception
    assert [one.value for one in app.error] == []
    assert [one.value for one in app.toast] == []
    for name, value in query:
        if name in app.session_state:
            assert str(app.session_state[name]) == value
    if page == "train":
        asked = {name: text for name, text in query if name not in ("preset", "data")}
        recipe = presets.preset(dict(query)["preset"]).config
        expected = recipe.with_text(f"{name}={text}" for name, text in asked.items())
        data = dict(query).get("data", recipe.images.data)
        form = f"new-{dict(query)['preset']}-{data}"
        assert app.selectbox(key=f"data-{dict(query)['preset']}").value == data
        for name in asked:
            held = app.session_state[f"{form}-{name}"]
            changed = expected.with_text([f"{name}={held}"])
            assert changed.get(name) == expected.get(name)
