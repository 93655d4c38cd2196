"""What other pages found goes into the form for a new run, and out of it again."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import takeover
from unet_core.cli import main, train
from unet_core.training import presets

APP = Path(__file__).resolve().parents[3] / "app.py"
QUICK = presets.preset("quick").config.replace(data="synthetic-nuclei")


def open_with(
    changes: dict[str, Any], *, source: str = "Augmentation", data: str | None = "synthetic-nuclei"
) -> AppTest:
    """The train page with an offer, as another page's button makes it."""
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    app.switch_page("pages/train.py").run()
    give(app, changes, source=source, data=data)
    return app.run()


def give(app: AppTest, changes: dict[str, Any], *, source: str, data: str | None = None) -> None:
    known = list(app.session_state["_takeover"]) if "_takeover" in app.session_state else []
    number = 1 + max((one.number for one in known), default=0)
    known = [one for one in known if one.source != source]
    app.session_state["_takeover"] = [*known, takeover.Offer(number, source, changes, data)]
    app.session_state["_takeover-count"] = number


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.warning, app.error)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def field(app: AppTest, name: str, form: str = "new-quick-synthetic-nuclei") -> Any:
    kinds = (app.number_input, app.selectbox, app.text_input, app.toggle)
    (found,) = [one for kind in kinds for one in kind if one.key == f"{form}-{name}"]
    return found


def test_the_form_starts_from_what_was_offered_and_the_command_holds_it() -> None:
    app = open_with({"elastic": 2, "flip": False, "widths": (8, 16), "schedule": "poly"})
    assert app.selectbox(key="data-quick").value == "synthetic-nuclei"
    assert "From Augmentation: elastic 2, flip off, widths 8,16, schedule poly" in texts(app)
    words = shlex.split(app.code[0].value)
    config, _ = train.configure(main.build_parser().parse_args(words[3:]))
    assert config == QUICK.replace(elastic=2.0, flip=False, widths=(8, 16), schedule="poly")


def test_only_what_differs_from_the_recipe_is_told() -> None:
    app = open_with({"elastic": 2, "brightness": QUICK.augmentation.brightness})
    assert "From Augmentation: elastic 2" in texts(app)
    assert "brightness" not in texts(app)
    app = open_with({"brightness": QUICK.augmentation.brightness})
    assert "From Augmentation: the same values as the recipe's" in texts(app)


def test_dropping_gives_back_the_recipe_but_keeps_what_was_entered_by_hand() -> None:
    app = open_with({"elastic": 2.0, "noise": 0.1})
    field(app, "elastic").set_value(5.0)
    field(app, "epochs").set_value(3).run()
    assert "From Augmentation: noise 0.1" in texts(app)
    app.button(key="drop-Augmentation").click().run()
    assert [field(app, name).value for name in ("elastic", "noise", "epochs")] == [5.0, 0.0, 3]
    assert "From Augmentation" not in texts(app)


def test_an_offer_follows_to_another_recipe_and_another_data_set() -> None:
    app = open_with({"elastic": 2.0})
    app.radio(key="preset").set_value("dsb-binary").run()
    assert field(app, "elastic", "new-dsb-binary-synthetic-nuclei").value == 2.0
    app.selectbox(key="data-dsb-binary").set_value("synthetic-shapes").run()
    assert field(app, "elastic", "new-dsb-binary-synthetic-shapes").value == 2.0
    app.radio(key="preset").set_value("quick").run()
    assert field(app, "elastic").value == 2.0


def test_a_second_source_adds_its_changes_and_counts_where_both_disagree() -> None:
    app = open_with({"elastic": 2.0, "lr": 0.01})
    field(app, "batch_size").set_value(4).run()
    give(app, {"lr": 0.002}, source="Range test")
    app.run()
    assert [field(app, name).value for name in ("elastic", "lr", "batch_size")] == [2.0, 0.002, 4]
    assert "From Augmentation: elastic 2" in texts(app)
    app.button(key="drop-Range test").click().run()
    assert field(app, "lr").value == 0.01


def test_changes_that_do_not_go_together_with_the_recipe_are_a_sentence_and_cannot_start() -> None:
    app = open_with({"target": "three-class", "crop_size": 100})
    said = app.error[0].value
    assert "target three-class has exclusive classes: choose a loss with cross-entropy" in said
    assert "crop_size must be a multiple of 8" in said
    assert app.button(key="start").disabled
    app.button(key="drop-Augmentation").click().run()
    assert not app.error


def test_a_value_that_the_data_set_has_no_choice_for_is_left_out_and_named() -> None:
    app = open_with({"target": "classes", "lr": 0.01})
    assert "Not possible with synthetic-nuclei: target classes." in texts(app)
    assert field(app, "target").value == "foreground+boundary"
    assert field(app, "lr").value == 0.01


@pytest.mark.parametrize(
    ("changes", "data", "sentence"),
    [
        ({"elastics": 2}, None, "unknown setting 'elastics'"),
        ({"elastic": 200.0}, None, "elastic must be at most 50, got 200.0"),
        ({"norm": "layer"}, None, "norm must be one of batch, group, none, got 'layer'"),
        ({"data": "dsb2018"}, None, "changes must not hold data"),
        ({}, "dsb2019", "data set must be one of"),
    ],
)
def test_what_no_recipe_could_have_is_refused_at_once(
    changes: dict[str, Any], data: str | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        takeover.offer(changes, source="Test", data=data)


def test_an_offer_replaces_the_earlier_one_of_its_source_and_ignores_combinations() -> None:
    def give_thrice() -> None:
        from ui.shared import takeover

        takeover.offer({"elastic": 1.0}, source="A")
        takeover.offer({"target": "three-class"}, source="B", data="isbi2012")
        takeover.offer({"noise": 0.1}, source="A")

    app = AppTest.from_function(give_thrice).run()
    assert not app.exception
    kept = app.session_state["_takeover"]
    assert [(one.number, one.source, one.changes) for one in kept] == [
        (2, "B", {"target": "three-class"}),
        (3, "A", {"noise": 0.1}),
    ]
