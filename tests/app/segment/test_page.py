"""The Segment page: from a link or a file to objects and scores; a sentence for each mistake."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from streamlit.testing.v1 import AppTest

from ui.segment import result
from ui.shared import cache, uploads
from ui.shared.cache import Treatment
from unet_core.base import folders
from unet_core.base.config import Segmentation, TrainConfig
from unet_core.data import datasets
from unet_core.imaging import instances, label_files, matching
from unet_core.network import checkpoint
from unet_core.predict import export
from unet_core.runs import runs

APP = str(Path(__file__).resolve().parents[3] / "app.py")
NUCLEI = {"set": "synthetic-nuclei", "split": "test"}


@pytest.fixture(autouse=True)
def _no_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")


@pytest.fixture
def model(save_cutter: Callable[..., str]) -> str:
    return save_cutter()


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page("pages/segment.py").run()


def numbers(app: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in app.metric}


def upload(app: AppTest, content: bytes, name: str = "cells.tif", key: str = "image_file") -> None:
    app.file_uploader(key=key).upload(name, content).run()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def squares(count: int = 4, shape: tuple[int, int] = (64, 80)) -> tuple[np.ndarray, np.ndarray]:
    """A picture with bright squares in a row, and their labels."""
    labels_HW = np.zeros(shape, np.int32)
    for index in range(count):
        labels_HW[20:32, 4 + 19 * index : 16 + 19 * index] = index + 1
    return np.where(labels_HW > 0, 200, 20).astype(np.uint8), labels_HW


def expected(sample: str, options: Segmentation) -> tuple[int, matching.Counts]:
    """Objects and counts, without the page: the network is one threshold on the intensity."""
    found = datasets.load("synthetic-nuclei", "test", sample)
    trained = checkpoint.load(runs.list_runs()[0].id, device="cpu")
    prob_CHW = export.predict(trained, found.image_HW).prob_CHW
    labels_HW = instances.segment(*prob_CHW, options)
    return int(labels_HW.max()), matching.match(found.labels_HW, labels_HW)


def test_without_a_model_the_page_says_how_to_get_one() -> None:
    app = open_page()
    assert not app.exception
    assert not app.error
    assert any("There is no model yet" in one.value for one in app.markdown)
    assert "train" in {one.proto.page for one in app.get("page_link")}


def test_the_first_visit_shows_objects_and_scores(model: str) -> None:
    app = open_page(**NUCLEI)
    assert not app.exception
    assert not app.error
    count, counts = expected("nuclei-test-000", Segmentation(min_size=20))
    found = numbers(app)
    assert count > 5
    assert found["Objects found"] == str(count)
    assert found["Objects in truth"] == str(counts.n_true)
    for name in ("f1", "ap", "pq"):
        assert found[name.upper()] == f"{getattr(counts, name):.3f}"
    formula = f"F1 = 2*{counts.tp} / (2*{counts.tp} + {counts.fp} + {counts.fn}) = {counts.f1:.3f}"
    assert any(formula in one.value for one in app.markdown)


def test_a_moved_threshold_finds_again_without_the_network(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(**NUCLEI)
    before = numbers(app)
    monkeypatch.setattr(export, "predict", lambda *_, **__: pytest.fail("the network ran again"))
    app.slider(key="threshold").set_value(0.95).run()
    assert not app.error
    options = Segmentation(threshold=0.95, min_size=20)
    count, counts = _expected_from_cache(model, "nuclei-test-000", options)
    assert numbers(app)["Objects found"] == str(count)
    assert numbers(app)["F1"] == f"{counts.f1:.3f}"
    assert numbers(app) != before


def _expected_from_cache(
    model: str, sample: str, options: Segmentation
) -> tuple[int, matching.Counts]:
    found = datasets.load("synthetic-nuclei", "test", sample)
    prediction = cache.prediction(
        found.image_HW, datasets.pixel_hash(found.image_HW), model, Treatment()
    )
    labels_HW = export.find_objects(prediction, options).labels_HW
    return int(labels_HW.max()), matching.match(found.labels_HW, labels_HW)


def test_a_link_restores_sample_model_and_settings(
    model: str, save_cutter: Callable[..., str]
) -> None:
    other = save_cutter()
    app = open_page(
        **NUCLEI, sample="nuclei-test-003", model=other, threshold="0.7", marker_threshold="-0.25",
        method="components", min_size="33", fill_holes="true", connectivity="4", iou="0.75",
        result="Table", invert="true",
    )  # fmt: skip
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="sample").value == "nuclei-test-003"
    assert app.selectbox(key="model").value == other
    [command] = app.code
    for words in (
        "segment nuclei-test-003.tif", f"--model {other}", "--threshold 0.7", "--min-size 33",
        "--marker-threshold -0.25", "--method components", "--fill-holes", "--connectivity 4",
        "--invert",
    ):  # fmt: skip
        assert words in command.value
    assert any("at IoU ≥ 0.75" in one.value for one in app.markdown)
    assert len(app.dataframe) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"threshold": "7"},
        {"threshold": "nan"},
        {"threshold": "x"},
        {"min_size": "-4"},
        {"method": "magic"},
        {"iou": "0.51"},
        {"result": "Nonsense"},
        {"set": "dsb2018"},
        {"set": "../../etc"},
        {"split": "none"},
        {"sample": "<script>"},
        {"model": "../../x"},
        {"input": "none"},
        {"diameter": "-1", "size": "by object diameter"},
        {"factor": "1e9", "size": "by factor"},
        {"opacity": "inf"},
    ],
)
def test_a_nonsense_link_shows_what_a_plain_one_does(model: str, query: dict[str, str]) -> None:
    app = open_page(**query)
    assert not app.exception
    assert not app.error
    assert int(numbers(app)["Objects found"]) > 5
    assert numbers(app) == numbers(open_page())


def test_a_set_is_chosen_by_its_title_and_the_address_keeps_its_name(model: str) -> None:
    app = open_page(set="synthetic-shapes", split="test")
    assert app.selectbox(key="set").value == "synthetic-shapes"
    app.selectbox(key="set").set_value("synthetic-nuclei").run()
    assert not app.exception
    assert app.query_params["set"] == "synthetic-nuclei"


def test_the_table_has_words_and_units_over_its_columns_and_code_names_in_it(model: str) -> None:
    table = open_page(**NUCLEI, result="Table").dataframe[0]
    assert "equivalent_diameter_area" in table.value
    words = json.loads(table.proto.columns)
    assert words["area"]["label"] == "Area (px²)"
    assert words["equivalent_diameter_area"]["label"] == "Diameter (px)"


def test_the_page_says_which_image_of_how_many_is_shown(model: str) -> None:
    app = open_page(**NUCLEI, sample="nuclei-test-003")
    assert "image 4 of 12" in {one.value for one in app.caption}


def test_the_weight_s_slider_is_fine_where_it_matters_and_reaches_what_a_link_asks_for(
    model: str,
) -> None:
    weight = open_page(**NUCLEI).slider(key="boundary_weight")
    assert (weight.min, weight.max, weight.step) == (0.0, 3.0, 0.05)
    app = open_page(**NUCLEI, boundary_weight="7.5")
    assert app.slider(key="boundary_weight").value == 7.5
    assert "--boundary-weight 7.5" in app.code[0].value
    app.slider(key="boundary_weight").set_value(2.0).run()
    assert app.slider(key="boundary_weight").value == 2.0


def test_the_inside_alone_is_a_choice_for_models_with_a_rim(
    model: str, save_cutter: Callable[..., str]
) -> None:
    three = save_cutter(target="three-class")
    whole, inside = (
        open_page(**NUCLEI, model=three, reading=reading, min_size="0", result="Steps")
        for reading in ("objects", "inside")
    )
    assert not inside.exception
    assert not inside.segmented_control(key="reading").disabled
    assert "--reading inside" in inside.code[0].value
    assert numbers(inside) != numbers(whole)
    other = open_page(**NUCLEI, model=model, reading="inside")
    assert other.segmented_control(key="reading").disabled
    assert "no class for a boundary" in other.segmented_control(key="reading").help


def test_growing_across_corners_is_idle_where_nothing_is_connected_there(model: str) -> None:
    assert not open_page(**NUCLEI).toggle(key="flood_corners").disabled
    app = open_page(**NUCLEI, connectivity="4")
    assert app.toggle(key="flood_corners").disabled
    assert "across corners" in app.toggle(key="flood_corners").help


def test_a_link_to_what_is_gone_says_so(model: str) -> None:
    app = open_page(model="20200101-000000-quick-abcdef")
    assert any("20200101-000000-quick-abcdef" in one.value for one in app.toast)
    assert app.selectbox(key="model").value == model


def test_previous_and_next_walk_through_the_samples(model: str) -> None:
    app = open_page(**NUCLEI)
    assert app.button(key="go-1").disabled
    app.button(key="go1").click().run()
    assert app.selectbox(key="sample").value == "nuclei-test-001"
    app.button(key="go-1").click().run()
    assert app.selectbox(key="sample").value == "nuclei-test-000"
    last = open_page(**NUCLEI, sample="nuclei-test-011")
    assert last.button(key="go1").disabled


def test_another_model_brings_its_own_settings_and_the_reset_returns_to_them(
    model: str, save_cutter: Callable[..., str]
) -> None:
    tuned = Segmentation(threshold=0.61, marker_threshold=0.7, min_size=44, drop_border=True)
    other = save_cutter(segmentation=tuned, tuned_on="67 images")
    app = open_page(**NUCLEI, model=model)
    app.slider(key="threshold").set_value(0.2).run()
    app.selectbox(key="model").set_value(other).run()
    assert app.slider(key="threshold").value == 0.61
    assert app.number_input(key="min_size").value == 44
    assert app.toggle(key="drop_border").value is True
    assert app.button(key="reset").disabled
    app.slider(key="threshold").set_value(0.3).run()
    app.toggle(key="drop_border").set_value(False).run()
    app.button(key="reset").click().run()
    assert app.slider(key="threshold").value == 0.61
    assert app.toggle(key="drop_border").value is True


def test_settings_that_test_images_have_chosen_are_not_passed_off_as_honest(
    save_cutter: Callable[..., str],
) -> None:
    marked = save_cutter(tuned_on="TEST IMAGES of dsb2018 (50, scheme stardist)")
    app = open_page(**NUCLEI, model=marked)
    told = "These settings were chosen on TEST IMAGES of dsb2018 (50, scheme stardist)"
    assert [one.value.startswith(told) for one in app.warning].count(True) == 1
    app.slider(key="threshold").set_value(0.3).run()
    assert not any(one.value.startswith(told) for one in app.warning)


def test_a_model_without_boundary_takes_components_and_disables_the_rest(
    save_cutter: Callable[..., str],
) -> None:
    save_cutter(target="foreground")
    app = open_page(**NUCLEI, method="watershed")
    assert not app.error
    assert app.slider(key="marker_threshold").disabled
    assert app.slider(key="boundary_weight").disabled
    assert not app.slider(key="threshold").disabled
    assert "--method components" in app.code[0].value


@pytest.mark.parametrize("view", ["Objects", "Hits and misses", "Probabilities", "Steps", "Table"])
@pytest.mark.parametrize("method", ["watershed", "components"])
def test_every_view_draws_without_an_error(model: str, view: str, method: str) -> None:
    app = open_page(**NUCLEI, result=view, method=method, draw="filled")
    assert not app.exception
    assert not app.error
    assert app.segmented_control(key="result").value == view
    assert bool(app.get("bidi_component")) == (view != "Table")


def test_an_uploaded_file_is_segmented_and_scored_with_its_truth(model: str) -> None:
    image_HW, labels_HW = squares()
    app = open_page(input="Upload")
    assert not app.error
    assert any("will stand here" in one.value for one in app.info)
    assert any("until this page is reloaded" in one.value for one in app.caption)
    upload(app, png(image_HW), "my cells.png")
    assert numbers(app) == {"Objects found": "4"}
    assert "segment 'my cells.png'" in app.code[0].value
    upload(app, tiff(labels_HW.astype(np.uint16)), "truth.tif", key="truth_file")
    assert not app.error
    assert numbers(app)["F1"] == "1.000"


def test_a_stack_offers_its_planes_and_a_colour_picture_its_channels(model: str) -> None:
    image_HW, _ = squares()
    app = open_page(input="Upload")
    upload(app, tiff(np.stack([image_HW * 0, image_HW, image_HW * 0, image_HW // 2])))
    assert app.select_slider(key="plane").value == "plane 2"
    assert any("stack of 4 planes, and this is plane 2" in one.value for one in app.caption)
    assert any("one value" in one.value for one in app.warning)
    app.select_slider(key="plane").set_value("plane 1").run()
    assert numbers(app)["Objects found"] == "4"
    assert "--plane 1" in app.code[0].value

    noise_HW = np.random.default_rng(0).integers(0, 30, image_HW.shape).astype(np.uint8)
    upload(app, png(np.stack([noise_HW, image_HW, noise_HW // 2], axis=-1)), "rgb.png")
    assert app.selectbox(key="channel").options == ["grey mix", "red", "green", "blue"]
    assert any("3 filled channels, and this is the grey mix" in one.value for one in app.caption)
    app.selectbox(key="channel").set_value("green").run()
    assert numbers(app)["Objects found"] == "4"
    assert "--channel 1" in app.code[0].value
    assert not any("grey mix" in one.value for one in app.caption)

    upload(app, png(np.repeat(image_HW[..., None], 3, axis=-1)), "grey.png")
    assert not [one for one in app.selectbox if one.key == "channel"]
    assert numbers(app)["Objects found"] == "4"


def test_dark_objects_are_found_when_inverted(model: str) -> None:
    image_HW, _ = squares()
    app = open_page(input="Upload", invert="true")
    upload(app, png(255 - image_HW))
    assert numbers(app)["Objects found"] == "4"


BAD_FILES = {
    "empty": (b"", "empty"),
    "text": (b"just words, renamed", "not a PNG, JPEG or TIFF"),
    "cut": (png(squares()[0])[:90], "damaged"),
    "hollow": (tiff(np.full((5, 5), np.nan, np.float32)), "finite"),
}


@pytest.mark.parametrize("bad", BAD_FILES)
def test_a_bad_file_is_one_sentence_and_loses_nothing(model: str, bad: str) -> None:
    content, told = BAD_FILES[bad]
    app = open_page(input="Upload", threshold="0.66")
    app.number_input(key="min_size").set_value(17).run()
    upload(app, content, "bad.png")
    assert not app.exception
    [error] = app.error
    assert told in error.value
    assert app.slider(key="threshold").value == 0.66
    assert app.number_input(key="min_size").value == 17
    upload(app, png(squares()[0]))
    assert not app.error
    assert numbers(app)["Objects found"] == "4"


BAD_TRUTHS = {
    "other shape": (
        tiff(np.zeros((9, 7), np.uint16)),
        "9 × 7 pixels (rows × columns)",
    ),
    "floats": (tiff(squares()[1].astype(np.float32)), "whole numbers"),
    "negative": (tiff(-squares()[1].astype(np.int16)), "negative"),
}


@pytest.mark.parametrize("bad", BAD_TRUTHS)
def test_a_bad_truth_is_one_sentence_and_the_image_stays(model: str, bad: str) -> None:
    content, told = BAD_TRUTHS[bad]
    app = open_page(input="Upload")
    upload(app, png(squares()[0]))
    upload(app, content, "truth.tif", key="truth_file")
    assert not app.exception
    [error] = app.error
    assert told in error.value
    assert numbers(app) == {"Objects found": "4"}


@pytest.mark.parametrize("shape", [(1, 1), (30, 40)])
def test_an_image_without_contrast_gives_nothing_and_says_so(
    model: str, shape: tuple[int, int]
) -> None:
    app = open_page(input="Upload")
    upload(app, tiff(np.full(shape, 9, np.uint16)))
    assert not app.exception
    assert not app.error
    assert numbers(app) == {"Objects found": "0"}
    assert any("nothing to find" in one.value for one in app.warning)


def test_a_broken_model_is_one_sentence_and_another_can_be_chosen(model: str) -> None:
    broken = runs.create(TrainConfig.of(data="synthetic-nuclei"), preset="quick")
    (broken.path / "best.safetensors").write_bytes(b"\x80\x04 a pickle")
    app = open_page(**NUCLEI, model=broken.id)
    assert not app.exception
    [error] = app.error
    assert "pickle" in error.value
    app.selectbox(key="model").set_value(model).run()
    assert not app.error
    assert int(numbers(app)["Objects found"]) > 5


@pytest.mark.parametrize(
    ("split", "told"),
    [("train", "trained on this very image"), ("val", "helped to choose"), ("test", "")],
)
def test_the_page_says_when_the_model_knows_the_image(model: str, split: str, told: str) -> None:
    app = open_page(set="synthetic-nuclei", split=split)
    warnings = " ".join(one.value for one in app.warning)
    assert (told in warnings) if told else (warnings == "")


def test_an_uploaded_training_image_is_recognised(model: str) -> None:
    name = datasets.sample_names("synthetic-nuclei", "train")[3]
    sample = datasets.load("synthetic-nuclei", "train", name)
    app = open_page(input="Upload")
    upload(app, tiff(sample.image_HW), "renamed.tif")
    upload(app, tiff(sample.labels_HW.astype(np.uint16)), "truth.tif", key="truth_file")
    assert any("trained on this very image" in one.value for one in app.warning)


def test_objects_of_another_size_are_noticed_and_the_diameter_mends_it(
    save_cutter: Callable[..., str],
) -> None:
    save_cutter(diameter=40.0, small=35.0, large=45.0)
    app = open_page(input="Upload")
    upload(app, png(squares()[0]))  # squares of 12 x 12, as large as a circle of 13.5 px
    coarse, warning = app.warning
    assert "only 2 grey values" in coarse.value
    assert "typically 14 px wide" in warning.value
    assert "35 to 45 px" in warning.value
    app.selectbox(key="size").set_value("by object diameter").run()
    app.number_input(key="diameter").set_value(13.5).run()
    assert len(app.warning) == 1
    assert numbers(app)["Objects found"] == "4"
    assert "--scale 2.96" in app.code[0].value


def test_a_button_resizes_the_image_as_the_warning_advises(
    save_cutter: Callable[..., str],
) -> None:
    save_cutter(diameter=40.0, small=35.0, large=45.0)
    app = open_page(input="Upload")
    upload(app, png(squares()[0]))
    app.button(key="follow-1").click().run()
    assert app.selectbox(key="size").value == "by factor"
    assert app.number_input(key="factor").value == 2.95
    assert not any("px wide" in one.value for one in app.warning)
    assert "--scale 2.95" in app.code[0].value


def test_an_image_unlike_the_training_images_is_noticed_and_a_button_inverts_it(
    save_cutter: Callable[..., str],
) -> None:
    image_HW = datasets.load("synthetic-nuclei", "test", "nuclei-test-000").image_HW
    dark = ((0.0, 0.0, 0.0, -8.0, 1.0), (0.2, 0.2, 0.5, 0.0, 6.0))
    save_cutter(looks_low=dark[0], looks_high=dark[1])
    app = open_page(input="Upload")
    upload(app, tiff(image_HW))
    assert not app.warning
    upload(app, tiff(255 - image_HW), "inverted.tif")
    assert any("unlike those that the model was trained on" in one.value for one in app.warning)
    app.button(key="follow-0").click().run()
    assert app.toggle(key="invert").value is True
    assert not app.warning


def test_a_set_of_classes_is_scored_by_connected_parts(model: str) -> None:
    app = open_page(set="synthetic-shapes", split="test")
    assert not app.error
    assert any("connected parts" in one.value for one in app.caption)
    assert int(numbers(app)["Objects in truth"]) > 1


def test_a_set_that_is_not_downloaded_is_not_offered(model: str) -> None:
    app = open_page()
    assert app.selectbox(key="set").options == ["Synthetic nuclei", "Synthetic lines and ellipses"]


def test_real_sections_without_labels_have_no_score(
    real_data: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNET_DATA", str(real_data))
    app = open_page(set="isbi2012", split="unlabelled", sample="unlabelled-04")
    assert not app.error
    assert set(numbers(app)) == {"Objects found"}
    assert any("there is no score" in one.value for one in app.caption)


def test_the_page_opens_from_another_page_with_its_sample(model: str) -> None:
    app = AppTest.from_file(APP, default_timeout=60).run()
    app.switch_page("pages/segment.py").run()
    assert not app.exception
    assert not app.error
    assert [one.value for one in app.title] == ["Segment"]
    assert int(numbers(app)["Objects found"]) > 0


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("a.tif", "a.tif"),
        ("../../etc/a.tif", "a.tif"),
        ("C:\\x\\a.tif", "a.tif"),
        ("..", "image"),
        ("", "image"),
    ],
)
def test_only_the_name_of_a_path_is_kept(told: str, name: str) -> None:
    assert uploads.file_name(told) == name


@pytest.mark.parametrize(
    ("amount", "word", "text"),
    [(0, "hit", "0 hits"), (1, "hit", "1 hit"), (1, "miss", "1 miss"), (2, "miss", "2 misses")],
)
def test_amounts_read_well(amount: int, word: str, text: str) -> None:
    assert result.many(amount, word) == text


def test_the_curve_holds_every_score_and_a_line_at_the_chosen_iou(model: str) -> None:
    app = open_page(**NUCLEI, iou="0.75")
    [chart] = app.get("plotly_chart")
    drawn = json.loads(chart.proto.spec)
    sample = datasets.load("synthetic-nuclei", "test", "nuclei-test-000")
    trained = checkpoint.load(model, device="cpu")
    found = export.find_objects(export.predict(trained, sample.image_HW), Segmentation(min_size=20))
    counts = matching.match_many(sample.labels_HW, found.labels_HW)
    for line, name in zip(drawn["data"], ("f1", "ap", "pq"), strict=True):
        assert line["name"] == name.upper()
        assert line["x"] == list(matching.IOUS)
        assert line["y"] == pytest.approx([getattr(one, name) for one in counts])
    [mark] = drawn["layout"]["shapes"]
    assert mark["x0"] == mark["x1"] == 0.75


def test_a_score_that_does_not_exist_is_a_dash_and_a_sentence() -> None:
    assert result.number(float("nan")) == "–"
    assert "no score" in result.formula(matching.Counts(), 0.5)
    text = result.formula(matching.Counts(41, 6, 3, 35.0), 0.5)
    assert "2*41 / (2*41 + 6 + 3) = 0.901" in text


def test_the_errors_of_the_image_are_listed_at_the_chosen_iou(model: str) -> None:
    for iou in ("0.50", "0.90"):
        app = open_page(**NUCLEI, model=model, result="Errors", iou=iou)
        assert [*app.exception, *app.error] == []
        _, counts = expected(app.selectbox(key="sample").value, Segmentation(min_size=20))
        listed, kinds = (one.value for one in app.dataframe)
        assert {"Place", "Kind", "Area", "IoU"} <= set(listed)
        assert listed["Place"].str.startswith("data:image/png").all()
        missed = int(re.search(r"(\d+) miss", " ".join(one.value for one in app.markdown))[1])
        assert kinds["Missed"].sum() == missed
        if iou == "0.50":
            assert missed == counts.fn
    # Without a truth there is nothing to list.
    app = open_page(input="Upload", model=model)
    upload(app, tiff(squares()[0]))
    assert not any("Errors" in one.options for one in app.get("button_group"))


def test_a_place_in_the_address_that_is_not_in_the_image_is_told(model: str) -> None:
    app = open_page(
        **NUCLEI, model=model, sample="nuclei-test-002", place="nuclei-test-002,0,0,9,9"
    )
    assert not any("not in this image" in one.value for one in app.caption)
    app = open_page(
        **NUCLEI, model=model, sample="nuclei-test-002", place="nuclei-test-002,9,0,9,9"
    )
    assert any("not in this image" in one.value for one in app.caption)
    assert app.metric  # and the image is shown all the same


def test_an_image_without_an_error_says_so(model: str) -> None:
    pixels_HW, labels_HW = squares()
    app = open_page(input="Upload", model=model)
    upload(app, tiff(pixels_HW))
    upload(app, tiff(labels_HW.astype(np.uint16)), "truth.tif", "truth_file")
    app.session_state["result"] = "Errors"
    app.run()
    assert numbers(app)["F1"] == "1.000"
    assert any("Not one error" in one.value for one in app.success)


@pytest.mark.parametrize("name", ["rois", "geojson", "coco"])
def test_outlines_of_other_programs_are_the_truth_too(model: str, name: str) -> None:
    image_HW, labels_HW = squares()
    form = label_files.FORMATS[name]
    app = open_page(input="Upload")
    upload(app, png(image_HW))
    upload(app, form.encode(labels_HW, "a.png", None), f"a{form.ending}", key="truth_file")
    assert not app.error
    assert numbers(app)["Objects in truth"] == "4"
    assert numbers(app)["F1"] == "1.000"
    upload(app, form.encode(labels_HW, "a.png", None)[:-30], f"b{form.ending}", key="truth_file")
    assert not app.exception
    assert len(app.error) == 1
