"""The tab "Generator" of the data page: settings, what they draw, patches, and where they go."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from streamlit.testing.v1 import AppTest

from ui.shared import takeover
from unet_core.data import datasets, patch_set, patches
from unet_core.data.patches import Patches
from unet_core.data.shapes import Shapes
from unet_core.imaging import class_map

APP = Path(__file__).resolve().parents[3] / "app.py"
SMALL = "synthetic-shapes:train=6,test=2,rows=64,columns=96,semi_axis=3,9"


@pytest.fixture(autouse=True)
def _only_synthetic_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def open_tab(name: str = SMALL, **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in {"set": name, "tab": "Generator", "patch_side": "32", **query}.items():
        app.query_params[key] = value
    app.switch_page("pages/data.py").run()
    assert not app.exception
    return app


def viewers(app: AppTest) -> list[list[dict]]:
    return [json.loads(one.proto.json)["panels"] for one in app.get("bidi_component")]


def pixels(layer: str) -> np.ndarray:
    data = base64.b64decode(layer.removeprefix("data:image/png;base64,"))
    return np.asarray(PillowImage.open(io.BytesIO(data)))


def widget(app: AppTest, kind: str, name: str, of: str = SMALL):
    return getattr(app, kind)(key=f"gen-{datasets.info(of).name}-{name}")


def test_settings_draw_at_once_and_stand_in_the_name_of_the_set() -> None:
    app = open_tab()
    widget(app, "slider", "noise").set_value(0.0).run()
    widget(app, "number_input", "rows").set_value(48).run()
    assert not app.error
    own = Shapes.from_name(SMALL).replace(noise=0.0, rows=48).name
    assert app.code[0].value == own
    images, _, pieces = viewers(app)
    first = datasets.load(own, "train", datasets.sample_names(own, "train")[0])
    assert [panel["title"] for panel in images[:2]] == [first.name, "Classes"]
    np.testing.assert_array_equal(pixels(images[0]["layers"][0]), first.image_HW)
    cut = Patches(side=32)
    expected = next(patch_set.cut_pairs(first, 0, cut))
    np.testing.assert_array_equal(pixels(pieces[0]["layers"][0]), expected.image_HW)
    shown = PillowImage.fromarray(pixels(pieces[4]["layers"][0]))
    assert (shown.size, pieces[4]["title"]) == ((32, 32), "mask")


def test_a_generated_set_is_nobodys_own_to_describe_or_delete() -> None:
    keys = {button.key for button in open_tab().button}
    assert "add-set" in keys
    assert not {"save-description", "delete"} & keys


def test_the_places_are_outlined_where_the_patches_are_cut() -> None:
    app = open_tab(patch_count="3", patch_seed="5")
    _, (panel,), _ = viewers(app)
    cut = Patches(count=3, side=32, seed=5)
    first = datasets.sample_names(SMALL, "train")[0]
    found = datasets.load(SMALL, "train", first)
    places = patches.places(found.labels_HW, 0, cut)
    expected_HW = patches.mark(found.image_HW.shape, places, 32)
    np.testing.assert_array_equal(pixels(panel["layers"][1]), expected_HW)
    assert any(f"3 places in {first}" in one.value for one in app.caption)


def test_a_set_that_was_made_is_looked_at_in_all_tabs_and_offered_again() -> None:
    app = open_tab("synthetic-shapes", patch_side="96")
    widget(app, "number_input", "seed", of="synthetic-shapes").set_value(7).run()
    app.button(key="gen_use").click().run()
    assert not app.exception
    assert app.selectbox(key="set").value == "synthetic-shapes:seed=7"
    assert app.button(key="gen_use").disabled
    app.selectbox(key="set").set_value("synthetic-nuclei").run()
    assert not app.exception
    assert "Generator" not in [tab.label for tab in app.tabs]
    assert "Synthetic lines and ellipses (seed=7)" in app.selectbox(key="set").options


def test_a_link_to_the_generator_of_another_set_shows_that_set() -> None:
    app = open_tab("synthetic-nuclei")
    assert "Generator" not in [tab.label for tab in app.tabs]
    assert not app.error


def test_patches_and_their_set_go_over_to_the_form_for_a_new_run() -> None:
    app = open_tab(patch_count="4", patch_seed="9")
    app.button(key="patch_train").click().run()
    assert not app.exception
    (offer,) = app.session_state["_takeover"]
    assert isinstance(offer, takeover.Offer)
    assert offer.data == datasets.info(SMALL).name
    assert offer.changes == {
        "crops": "patches", "patches": 4, "crop_size": 32, "patches_on_objects": True,
        "patch_flips": True, "seed": 9,
    }  # fmt: skip
    assert "train" in {one.proto.page for one in app.get("page_link")}


def errors(app: AppTest) -> str:
    return "\n".join(one.value for one in [*app.error, *app.caption, *app.info])


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("rows", 9, "rows must be at least 16, got 9"),
        ("train", 1, "train must be at least 2, got 1"),
        ("columns", 4000, ""),
    ],
)
def test_impossible_settings_are_told_beside_their_field(
    name: str, value: int, sentence: str
) -> None:
    app = open_tab()
    widget(app, "number_input", name).set_value(value).run()
    assert not app.exception
    assert sentence in errors(app)
    assert bool(viewers(app)) is (not sentence)


def test_patches_larger_than_the_image_and_too_many_are_told_in_a_sentence() -> None:
    app = open_tab(patch_side="65")
    assert "1 to 64 pixels for images of 64 rows and 96 columns, got 65" in errors(app)
    app.number_input(key="patch_side").set_value(2).run()
    assert "side must be at least 8, got 2" in errors(app)
    app.number_input(key="patch_side").set_value(16).run()
    app.number_input(key="patch_count").set_value(5000).run()
    assert "a zip holds at most 9999 images, got 100000" in errors(app)
    assert not app.exception


def test_an_image_without_shapes_has_no_patch_that_contains_one() -> None:
    app = open_tab("synthetic-shapes:rows=64,columns=96,lines=0,0,ellipses=0,0")
    assert "This image holds no shape" in errors(app)
    app.toggle(key="patch_must_contain").set_value(False).run()
    assert "This image holds no shape" not in errors(app)
    assert not app.exception


def test_the_legend_names_each_class_once_in_its_colour() -> None:
    (html,) = [one.proto.body for one in open_tab().get("html") if "ellipse" in one.proto.body]
    for name, colour in zip(("background", "line", "ellipse"), class_map.colours(3), strict=True):
        assert html.count(f"rgb{colour}") == 1
        assert html.count(f"</span>{name}</span>") == 1
