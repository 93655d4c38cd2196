import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import forms
from unet_core.base.config import Segmentation, TrainConfig
from unet_core.training.presets import PRESETS


def form() -> None:
    import streamlit as st

    from ui.shared import forms
    from unet_core.base.config import TrainConfig

    preset = st.session_state.get("preset", "a")
    base = TrainConfig.of(epochs={"a": 20, "b": 7}[preset])

    def idle(config: TrainConfig) -> dict[str, str]:
        return (
            {}
            if config.optimisation.optimizer == "sgd"
            else {"momentum": "SGD alone has momentum."}
        )

    entry = forms.edit(base, key=preset, skip=("data",), idle=idle)
    st.session_state["entry"] = entry


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(form, default_timeout=30).run()


def test_an_untouched_form_gives_its_base_back(app: AppTest) -> None:
    entry = app.session_state["entry"]
    assert (entry.config, entry.reasons) == (TrainConfig.of(epochs=20), {})


def test_every_option_but_the_skipped_has_a_widget_with_its_help(app: AppTest) -> None:
    drawn = {}
    for kind in (app.number_input, app.selectbox, app.text_input, app.toggle):
        drawn |= {widget.key.removeprefix("a-"): widget.help for widget in kind}
    about = {
        one.name: one.metadata["help"]
        for one in TrainConfig.options().values()
        if one.name != "data"
    }
    assert set(drawn) == set(about)
    assert all(drawn[name].startswith(help) for name, help in about.items())


def test_what_is_entered_arrives_in_the_config(app: AppTest) -> None:
    app.number_input(key="a-lr").set_value(0.02)
    app.text_input(key="a-widths").set_value("8, 16")
    app.selectbox(key="a-optimizer").set_value("sgd")
    app.toggle(key="a-flip").set_value(False).run()
    expected = TrainConfig.of(epochs=20, lr=0.02, widths=(8, 16), optimizer="sgd", flip=False)
    assert app.session_state["entry"].config == expected


def test_two_bad_values_are_both_named_beside_their_fields(app: AppTest) -> None:
    app.number_input(key="a-epochs").set_value(0)
    app.text_input(key="a-widths").set_value("8, many").run()
    entry = app.session_state["entry"]
    assert entry.config is None
    assert entry.reasons == {
        "epochs": "epochs must be at least 1, got 0",
        "widths": "widths must be a whole number, got 'many'",
    }
    assert {caption.value for caption in app.caption} >= {
        ":red[epochs must be at least 1, got 0]",
        ":red[widths must be a whole number, got 'many']",
    }


def test_a_fold_says_how_many_of_its_fields_are_changed_and_wrong(app: AppTest) -> None:
    app.number_input(key="a-epochs").set_value(0)
    app.number_input(key="a-patience").set_value(3).run()
    labels = [fold.label for fold in app.expander]
    assert ":primary[2 changed]" in labels[4]
    assert ":red[:material/error: 1 to correct]" in labels[4]
    assert labels[0] == "Data"


def test_another_key_starts_from_its_own_base(app: AppTest) -> None:
    app.number_input(key="a-epochs").set_value(99).run()
    app.session_state["preset"] = "b"
    app.run()
    assert app.session_state["entry"].config.optimisation.epochs == 7


def test_an_option_without_effect_is_greyed_and_says_why(app: AppTest) -> None:
    momentum = app.number_input(key="a-momentum")
    assert momentum.disabled
    assert momentum.help.endswith("SGD alone has momentum.")
    assert not app.number_input(key="a-lr").disabled
    app.selectbox(key="a-optimizer").set_value("sgd").run()
    assert not app.number_input(key="a-momentum").disabled


@pytest.mark.parametrize("name", PRESETS)
def test_text_there_and_back_keeps_every_value(name: str) -> None:
    config = PRESETS[name].config
    entered = {key: forms.as_text(value) for key, value in config.to_dict().items()}
    assert forms.check(TrainConfig(), entered).config == config


def test_options_that_contradict_each_other_are_refused_with_the_reason() -> None:
    entry = forms.check(TrainConfig(), {"target": "three-class", "epochs": "5"})
    assert entry.config is None
    assert "exclusive classes" in entry.reasons["target"]


def test_a_reason_that_names_no_field_is_still_shown() -> None:
    entry = forms.check(TrainConfig.of(loss="bce", target="foreground"), {"loss": "cross-entropy"})
    assert entry.config is None
    assert "independent channels" in entry.reasons["target"]


def test_changes_are_what_the_command_line_needs() -> None:
    base = TrainConfig()
    config = base.replace(lr=3e-4, widths=(8, 16), flip=False)
    assignments = forms.changes(config, base)
    assert sorted(assignments) == ["flip=False", "lr=0.0003", "widths=8,16"]
    assert base.with_text(assignments) == config


def test_a_label_carries_its_unit_and_an_option_without_words_its_name() -> None:
    assert forms.label(Segmentation, "min_size") == "Minimum area (px²)"
    assert forms.label(Segmentation, "fill_holes") == "Fill holes"


def test_one_renderer_suits_every_kind_of_option() -> None:
    def drawn() -> None:
        from dataclasses import fields

        from ui.shared import forms
        from unet_core.data.shapes import Shapes

        for about in fields(Shapes):
            value = getattr(Shapes(), about.name)
            for is_live in (False, True):
                key = f"{about.name}-{is_live}"
                forms.draw(Shapes, about.name, value, key=key, is_live=is_live)

    app = AppTest.from_function(drawn, default_timeout=30).run()
    assert not app.exception
    assert app.number_input(key="rows-False").value == app.number_input(key="rows-True").value
    assert app.text_input(key="thickness-False").value == "2.0, 7.0"
    thickness = app.slider(key="thickness-True")
    assert (thickness.value, thickness.max, thickness.step) == ((2.0, 7.0), 20.0, 0.5)
    assert app.slider(key="lines-True").value == (3, 8)
    assert app.number_input(key="noise-False").value == app.slider(key="noise-True").value == 20


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (1e-3, 1e-8, 10.0, 1e-4),
        (99.8, 51.0, 100.0, 1.0),
        (0.0, 0.0, 1.0, 0.1),
        (0.0, None, None, 0.1),
    ],
)
def test_a_press_of_plus_is_a_tenth_or_finer(value, low, high, expected) -> None:
    assert forms.step(value, low, high) == pytest.approx(expected)
