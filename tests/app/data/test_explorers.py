"""The tabs "Augmentation" and "Weight map" of the data page."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from streamlit.testing.v1 import AppTest

from ui.data import augmentation, augmentation_pictures, weight_pictures, weights
from ui.data.weight_pictures import Formula
from ui.shared import page
from unet_core.base.config import ModelConfig, TrainConfig
from unet_core.data import datasets, synthetic
from unet_core.imaging.weight_map import profile, weight_map
from unet_core.training import presets

APP = Path(__file__).resolve().parents[3] / "app.py"


@pytest.fixture(scope="module", autouse=True)
def _torch_is_here() -> None:
    page.finding_device().result(timeout=120)


@pytest.fixture(autouse=True)
def _only_synthetic_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def open_tab(tab: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in {"set": "synthetic-nuclei", "tab": tab, **query}.items():
        app.query_params[key] = value
    app.switch_page("pages/data.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.info, *app.latex]
    return "\n".join(one.value for one in parts)


def viewers(app: AppTest) -> list[dict]:
    """What the browser gets to draw, from top to bottom."""
    return [json.loads(one.proto.json) for one in app.get("bidi_component")]


def layers(viewer: dict) -> list[list[str]]:
    return [panel["layers"] for panel in viewer["panels"]]


def decode(source: str | bytes) -> np.ndarray:
    if isinstance(source, str):
        source = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    return np.asarray(PillowImage.open(io.BytesIO(source)).convert("RGBA"))


def read(viewer: dict, name: str) -> np.ndarray:
    """The numbers under the pointer."""
    [one] = [one for one in viewer["readings"] if one["name"] == name]
    number_HW = decode(one["source"])[..., :3].astype(int) @ [1, 256, 65536]
    return one["offset"] + one["scale"] * number_HW


def offered(app: AppTest) -> dict:
    """What the form for a new run will start with."""
    [one] = app.session_state["_takeover"]
    assert one.data in (None, "synthetic-nuclei")
    return dict(one.changes)


# --- augmentation --------------------------------------------------------------------------------


def test_the_crop_with_eight_draws_and_one_of_them_in_four_views() -> None:
    app = open_tab("Augmentation", aug_crop="96")
    assert not app.error
    tiles, closer = viewers(app)
    assert [panel["title"] for panel in tiles["panels"]] == ["before", *"12345678"]
    assert (tiles["height"], tiles["width"]) == (96, 96)
    assert len({tuple(one) for one in layers(tiles)}) == 9
    assert [panel["title"] for panel in closer["panels"]] == ["Image", "Labels", "Both", "Weights"]
    assert layers(closer)[2] == layers(tiles)[1]  # draw 1, "Both"
    labels_HW = np.rint(read(closer, "nucleus")).astype(int)
    expected_HW = weight_map(labels_HW)
    assert labels_HW.any()
    np.testing.assert_allclose(read(closer, "weight"), expected_HW, atol=0.006)
    app.segmented_control(key="aug_draw").set_value("before").run()
    before = viewers(app)[1]
    assert layers(before) != layers(closer)
    assert viewers(app)[0] == tiles


def test_in_a_lesson_the_draws_wait_for_a_guess() -> None:
    app = open_tab("Augmentation", aug_seed="3", step="a-lesson/1")
    assert not viewers(app)
    key = "moved-synthetic-nuclei-nuclei-3"
    app.number_input(key=f"guess-{key}").set_value(0).run()
    app.button(key=f"guess-go-{key}").click().run()
    assert len(viewers(app)) == 2
    assert "You guessed 0; it is 8, 8 more" in "".join(one.value for one in app.info)


def test_switches_and_sliders_change_the_draws_and_reset_takes_them_back() -> None:
    app = open_tab("Augmentation", aug_from="quick", aug_view="Image")
    first = viewers(app)[0]
    assert app.slider(key="aug_noise").disabled
    app.toggle(key="aug_noise_on").set_value(True).run()
    little = viewers(app)[0]
    app.slider(key="aug_noise").set_value(0.3).run()
    much = viewers(app)[0]
    assert layers(first) != layers(little) != layers(much) != layers(first)
    assert much["revision"] == first["revision"]  # so the zoom stays
    app.toggle(key="aug_noise_on").set_value(False).run()
    assert layers(viewers(app)[0]) == layers(first)
    assert app.button(key="aug_reset").disabled
    app.toggle(key="aug_flip").set_value(False)
    app.select_slider(key="aug_crop").set_value(64).run()
    assert viewers(app)[0]["width"] == 64
    app.button(key="aug_reset").click().run()
    assert layers(viewers(app)[0]) == layers(first)
    app.button(key="aug_new").click().run()
    assert layers(viewers(app)[0]) != layers(first)
    assert app.number_input(key="aug_seed").value == 1
    assert not app.error


def test_the_brightness_of_a_draw_is_seen_and_not_stretched_away() -> None:
    app = open_tab("Augmentation", aug_from="quick", aug_view="Image", aug_crop="64")
    app.toggle(key="aug_contrast_on").set_value(False)
    app.slider(key="aug_brightness").set_value(0.6).run()
    means = [decode(one[0])[..., 0].mean() for one in layers(viewers(app)[0])]
    assert max(means) - min(means) > 40


def test_a_recipe_sets_every_switch_and_all_of_it_is_handed_to_training() -> None:
    app = open_tab("Augmentation", aug_crop="64")
    app.selectbox(key="aug_from").set_value("quick").run()
    assert app.select_slider(key="aug_crop").value == 128
    assert not app.toggle(key="aug_rotate_on").value
    assert app.slider(key="aug_contrast").value == 0.2
    app.toggle(key="aug_flip").set_value(False)
    app.toggle(key="aug_shift_on").set_value(True).run()
    app.slider(key="aug_shift").set_value(0.25)
    app.button(key="aug_use").click().run()
    assert not app.error
    assert "Taken over" in "\n".join(one.label for one in app.get("page_link"))
    wanted = presets.preset("quick").config.replace(flip=False, shift=0.25)
    options = [one.name for one in augmentation.augmentations(TrainConfig())]
    assert offered(app) == {name: wanted.get(name) for name in options}


def test_class_labels_are_drawn_without_weights_and_say_why() -> None:
    app = open_tab("Augmentation", set="synthetic-shapes", aug_crop="64")
    assert not app.error
    assert [one["title"] for one in viewers(app)[1]["panels"]] == ["Image", "Labels", "Both"]
    assert augmentation_pictures.NO_WEIGHTS in words(app)
    assert app.segmented_control(key="aug_view").options == ["Image", "Labels", "Both"]


def test_a_recipe_that_normalises_by_the_data_set_is_shown_in_its_numbers() -> None:
    app = open_tab("Augmentation", aug_from="dsb-binary", aug_draw="before", aug_crop="64")
    assert not app.error
    tiles, closer = viewers(app)
    assert len({tuple(one) for one in layers(tiles)}) == 1  # it changes nothing
    assert read(closer, "intensity").min() < -0.1  # less than the mean of all images


def test_every_option_of_augmentation_has_a_widget_that_reaches_what_recipes_have() -> None:
    options = augmentation.augmentations(TrainConfig())
    grouped = [
        one for one in TrainConfig.options().values() if one.metadata.get("group") == "Augmentation"
    ]
    assert options == grouped
    for recipe in presets.PRESETS.values():
        held = augmentation.widgets(recipe.config)
        for about in options:
            value = recipe.config.get(about.name)
            if augmentation.is_strength(about):
                assert held[f"aug_{about.name}_on"] == (value > 0)
                assert 0 < held[f"aug_{about.name}"] <= augmentation.top(about)
                assert augmentation.top(about) <= about.metadata["high"]
            else:
                assert held[f"aug_{about.name}"] == value


def test_probability_and_smoothness_are_no_strengths() -> None:
    strengths = {
        one.name
        for one in augmentation.augmentations(TrainConfig())
        if augmentation.is_strength(one)
    }
    assert {"rotate", "elastic", "noise"} <= strengths
    assert not {"augment_probability", "elastic_sigma", "flip", "geometry"} & strengths


def test_the_crop_size_is_handed_over_only_when_it_was_moved() -> None:
    base = presets.preset("quick").config
    assert "crop_size" not in augmentation.changes(base, base.replace(noise=0.1))
    assert augmentation.changes(base, base.replace(crop_size=64))["crop_size"] == 64


# --- weight map ----------------------------------------------------------------------------------


def test_the_pointer_reads_the_weight_map_of_the_sample() -> None:
    app = open_tab("Weight map", w0="6", sigma="3")
    labels_HW = datasets.load("synthetic-nuclei", "train", "nuclei-train-000").labels_HW
    [viewer] = viewers(app)
    assert (read(viewer, "object") == labels_HW).all()
    np.testing.assert_allclose(read(viewer, "weight"), weight_map(labels_HW, 6, 3), atol=0.006)
    assert "made in" in words(app)
    app.slider(key="sigma").set_value(8.0).run()
    [wider] = viewers(app)
    assert read(wider, "weight").sum() > read(viewer, "weight").sum()
    assert wider["revision"] == viewer["revision"]
    assert not app.error


def test_the_profile_follows_the_line_and_the_formula_has_its_numbers() -> None:
    app = open_tab("Weight map")
    labels_HW = datasets.load("synthetic-nuclei", "train", "nuclei-train-000").labels_HW
    row, column = weight_pictures.heaviest(labels_HW, weight_map(labels_HW))
    assert app.slider(key="row").value == row
    [chart] = app.get("plotly_chart")
    drawn = json.loads(chart.proto.spec)
    assert drawn["data"][0]["name"] == "weight"
    assert f"= {weight_map(labels_HW)[row, column]:.2f}$" in words(app)
    before = viewers(app)[0]["panels"][0]["layers"]
    app.segmented_control(key="line").set_value("Column").run()
    assert app.slider(key="column").value == column
    after = viewers(app)[0]["panels"][0]["layers"]
    assert (before[:2], before[2] != after[2]) == (after[:2], True)
    app.segmented_control(key="line").set_value("Two points").run()
    assert {"row1", "column1", "row2", "column2"} <= {one.key for one in app.slider}
    app.button(key="go1").click().run()  # another image: the line goes to its own heaviest pixel
    other_HW = datasets.load("synthetic-nuclei", "train", "nuclei-train-001").labels_HW
    row, column = weight_pictures.heaviest(other_HW, weight_map(other_HW))
    (row1, column1), _ = weights.through(row, column, other_HW.shape)
    assert (app.slider(key="row1").value, app.slider(key="column1").value) == (row1, column1)
    assert not app.error


def test_balanced_classes_are_numbers_and_are_handed_to_training() -> None:
    app = open_tab("Weight map", balance="true", w0="12.5")
    labels_HW = datasets.load("synthetic-nuclei", "train", "nuclei-train-000").labels_HW
    share = (labels_HW > 0).mean()
    assert f"objects **{0.5 / share:.3g}**" in words(app)
    app.button(key="use_weights").click().run()
    assert offered(app) == {"weight_map": True, "w0": 12.5, "sigma": 5.0, "balance": True}
    assert "Taken over" in "\n".join(one.label for one in app.get("page_link"))


def test_class_labels_have_no_weight_map_and_an_own_image_is_still_welcome() -> None:
    app = open_tab("Weight map", set="synthetic-shapes")
    [told] = [one.value for one in app.info]
    assert "are classes, not single objects" in told
    assert viewers(app) == []
    app.segmented_control(key="labels_from").set_value("Upload").run()
    assert not app.error
    assert app.file_uploader(key="labels_file").label.startswith("A label image")


def tiff(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels)
    return buffer.getvalue()


def upload(data: bytes, name: str = "mine.tif") -> AppTest:
    app = open_tab("Weight map", labels_from="Upload")
    app.file_uploader(key="labels_file").upload(name, data, "image/tiff").run()
    assert not app.exception
    return app


def boxes(count: int) -> np.ndarray:
    labels_HW = np.zeros((20, 30), np.uint8)
    for index in range(count):
        labels_HW[5:15, 2 + 9 * index : 9 + 9 * index] = index + 1
    return labels_HW


@pytest.mark.parametrize(("count", "sentence"), [(0, weights.NO_OBJECTS), (1, weights.ONE_OBJECT)])
def test_an_upload_without_two_objects_says_why_the_border_term_is_zero(
    count: int, sentence: str
) -> None:
    app = upload(tiff(boxes(count)))
    assert not app.error
    assert sentence in words(app)
    [viewer] = viewers(app)
    assert (np.abs(read(viewer, "weight") - 1) < 1e-6).all()


def test_an_uploaded_label_image_has_its_map_and_its_name_is_only_a_name() -> None:
    app = upload(tiff(boxes(3)), "../../x/mine.tif")
    assert not app.error
    [viewer] = viewers(app)
    assert viewer["revision"] == "mine"
    np.testing.assert_allclose(read(viewer, "weight"), weight_map(boxes(3)), atol=0.006)
    app.button(key="use_weights").click().run()
    [one] = app.session_state["_takeover"]
    assert (one.data, one.source) == (None, "the weight-map explorer")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"no picture", ""),
        (tiff(np.random.default_rng(0).random((9, 9)).astype(np.float32)), "has float32 numbers"),
        (tiff(np.full((9, 9), -1, np.int16)), "has negative labels"),
    ],
)
def test_an_upload_that_is_no_label_image_is_one_sentence(data: bytes, sentence: str) -> None:
    app = upload(data)
    [error] = app.error
    assert sentence in error.value
    assert "went wrong" not in error.value
    assert viewers(app) == []


@pytest.mark.parametrize(
    "query", [{"row": "99999"}, {"w0": "-3"}, {"sigma": "x"}, {"line": "Circle"}, {"column": "-1"}]
)
def test_a_broken_link_shows_the_map_nevertheless(query: dict) -> None:
    app = open_tab("Weight map", **query)
    assert not app.error
    assert viewers(app)


# --- the parts without an interface --------------------------------------------------------------


def test_the_line_lies_on_its_row_and_stays_thin() -> None:
    picture = decode(weight_pictures.draw_line((5, 0), (5, 29), (20, 30)))
    white = (picture == (*weight_pictures.LINE,)).all(axis=-1)
    rows = np.flatnonzero(white.any(axis=1)) * 20 / len(picture)
    assert 5 < rows.min() < rows.max() < 6
    assert picture.shape[1] == weight_pictures.LINE_SIDE
    assert (picture[..., 3] == 0).mean() > 0.9


def test_objects_along_a_line_are_its_runs() -> None:
    label_P = np.array([3, 3, 0, 0, 5, 7, 7, 0])
    assert weight_pictures.objects_along(label_P) == [(0, 1), (4, 4), (5, 6)]
    assert weight_pictures.objects_along(np.zeros(4, int)) == []


def test_the_worked_example_is_equation_2() -> None:
    labels_HW = np.array([[1, 0, 0, 0, 2]])
    formula = Formula(10, 5, (1.0, 1.0))
    told = weight_pictures.work_out(profile(labels_HW, (0, 0), (0, 4)), formula)
    assert r"e^{-(1.0 + 3.0)^2 / (2 \cdot 5^2)} = 8.26$" in told  # 1 + 10 exp(-16 / 50)
    alone = profile(np.array([[1, 0]]), (0, 0), (0, 1))
    assert weight_pictures.work_out(alone, formula) == ""


def test_distances_that_do_not_exist_are_gaps_in_the_curves() -> None:
    fig = weight_pictures.draw_profile(profile(np.array([[1, 0, 0]]), (0, 0), (0, 2)))
    by_name = {one.name.split(":")[0]: list(one.y) for one in fig.data}
    assert by_name == {"weight": [1, 1, 1], "d1": [0, 1, 2], "d2": [None] * 3}


@pytest.mark.parametrize(
    ("ends", "title", "x"),
    [
        (((2, 0), (2, 3)), "column, in row 2", [0, 1, 2, 3]),
        (((0, 1), (2, 1)), "row, in column 1", [0, 1, 2]),
        (((0, 0), (2, 2)), "pixels from the first point", [0, 2**0.5, 8**0.5]),
    ],
)
def test_the_axis_says_where_one_is(ends: tuple, title: str, x: list[float]) -> None:
    fig = weight_pictures.draw_profile(profile(np.zeros((3, 4), int), *ends))
    assert fig.layout.xaxis.title.text == title
    np.testing.assert_allclose(fig.data[0].x, x)


def test_the_heaviest_pixel_lies_between_objects_even_where_objects_weigh_more() -> None:
    labels_HW = boxes(2)
    weights_HW = weight_map(labels_HW, 1, 2, class_weights=(1, 50))
    row, column = weight_pictures.heaviest(labels_HW, weights_HW)
    assert (labels_HW[row, column], 9 <= column <= 10) == (0, True)
    for even_HW in (np.zeros((4, 6), int), np.ones((4, 6), int)):
        assert weight_pictures.heaviest(even_HW, weight_map(even_HW)) == (2, 3)


@pytest.mark.parametrize("at", [(0, 0), (3, 9), (0, 9), (2, 5)])
def test_a_slanting_line_holds_its_pixel_and_stays_inside(at: tuple[int, int]) -> None:
    start, stop = weights.through(*at, (4, 10))
    found = profile(np.zeros((4, 10), int), start, stop)
    assert at in list(zip(found.row_P, found.column_P, strict=True))


def test_colours_reach_from_the_least_to_the_greatest_weight() -> None:
    assert Formula(10, 5, (1.0, 1.0)).range == (1, 11)
    assert Formula(2, 5, (0.5, 4.0)).range == (0.5, 4)
    bar = weight_pictures.colour_bar(1, 11)
    assert "rgb(68, 1, 84)" in bar
    assert ">11<" in bar


def test_intensities_of_a_draw_and_of_all() -> None:
    from unet_core.training.augmentation_preview import draw  # imports torch

    image_HW, labels_HW = synthetic.nuclei(np.random.default_rng(0), (64, 64))
    config = ModelConfig(train=TrainConfig.of(crop_size=32), outputs=("a", "b"))
    draws = draw(image_HW, labels_HW, config, count=3)
    found = augmentation_pictures.intensities(draws, "2")
    assert {name: len(values) for name, values in found.items()} == {
        "before": 1024,
        "draw 2": 1024,
        "all 3 draws": 3072,
    }
    assert list(augmentation_pictures.intensities(draws, "before")) == ["before", "all 3 draws"]


def test_the_histogram_has_mean_and_two_deviations_and_says_how_much_is_object() -> None:
    app = open_tab("Augmentation", aug_draw="before", aug_crop="64")
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    texts = [one["text"] for one in figure["layout"]["annotations"]]
    assert texts == ["−2σ", "mean", "+2σ"]
    left, middle, right = (one["x0"] for one in figure["layout"]["shapes"])
    seen = read(viewers(app)[1], "intensity")
    assert middle == pytest.approx(seen.mean(), abs=0.01)
    assert right - left == pytest.approx(4 * seen.std(), rel=0.02)
    assert "are no background, before" in words(app)
