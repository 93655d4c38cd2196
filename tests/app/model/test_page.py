"""The Model page: the picture says what the network does, and every bad setting gets a sentence."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ui.model import facts, maps, picture, start
from ui.shared import page
from unet_core.base import folders
from unet_core.data import datasets
from unet_core.imaging import images
from unet_core.network import checkpoint
from unet_core.network.anatomy import Design, blocks
from unet_core.network.features import Features
from unet_core.predict import export
from unet_core.training import presets

APP = Path(__file__).resolve().parents[3] / "app.py"


def open_model(**query: str) -> AppTest:
    page.finding_device().result()
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    for name, text in query.items():
        app.query_params[name] = text
    app.switch_page("pages/model.py").run()
    assert not app.exception
    return app


def data(app: AppTest, number: int = 0) -> dict:
    """What travels to a component in the browser."""
    return json.loads(app.get("bidi_component")[number].proto.json)


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def words(drawing: str) -> list[str]:
    """All that is written in a picture."""
    root = ElementTree.fromstring(drawing)
    return [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_holds_every_size_and_crop_of_the_papers_figure() -> None:
    design = Design()
    drawn = words(picture.svg(design, blocks(design)))
    for size in ("1 × 572 × 572", "64 × 568 × 568", "1024 × 28 × 28", "2 × 388 × 388"):
        assert drawn.count(size) == 1
    assert [one for one in drawn if "crop" in one] == [
        f"skip, crop {crop} px" for crop in (4, 16, 40, 88)
    ]
    assert (drawn.count("2×2 max-pooling"), drawn.count("2×2 up-convolution")) == (4, 4)
    assert "sees 140 px" in drawn


def test_the_picture_says_how_maps_grow_and_meet_their_skips() -> None:
    design = Design(widths=(4, 8, 8), padding="same", skip="add", up="bilinear", height=8, width=8)
    drawn = words(picture.svg(design, blocks(design)))
    assert (drawn.count("bilinear, ×2"), drawn.count("skip, added")) == (2, 2)
    assert drawn.count("4 × 4 × 4") == 1  # the middle level narrows to the width of the first
    legend = " ".join(text for _, text in picture.explain(design))
    assert "<b>Bilinear upsampling</b>" in legend
    assert "added to those that came up" in legend


@pytest.mark.parametrize("levels", range(1, 9))
def test_no_box_leaves_the_picture_or_covers_another(levels: int) -> None:
    design = Design(widths=(4096,) * levels, padding="same", height=1024, width=1024)
    boxes = picture.place(design, blocks(design))
    assert len(boxes) == 2 + levels + (levels - 1)
    wide, tall = picture.WIDE, picture.TALL
    places = [(box.x, box.y) for box in boxes.values()]
    for index, (x, y) in enumerate(places):
        for other_x, other_y in places[index + 1 :]:
            assert abs(x - other_x) >= wide or abs(y - other_y) >= tall
    found = re.search(r'viewBox="-1 -1 (\d+) (\d+)"', picture.svg(design, blocks(design)))
    assert found
    # Narrow enough to be read on a screen of 800 pixels without being made much smaller.
    assert max(x for x, _ in places) + wide < int(found[1]) <= 790
    assert max(y for _, y in places) + tall < int(found[2])


def test_what_is_explained_is_what_the_network_has() -> None:
    valid = " ".join(text for _, text in picture.explain(Design()))
    assert all(
        word in valid for word in ("Pooling", "Skip", "Up-conv", "Valid", "followed by ReLU")
    )
    flat = Design(widths=(8,), padding="same", norm="group")
    simple = " ".join(text for _, text in picture.explain(flat))
    assert not any(word in simple for word in ("Pooling", "Skip", "Valid"))
    assert "group normalisation and ReLU" in simple


@pytest.mark.parametrize("name", list(presets.of_kind("ours", "original")))
def test_every_recipe_can_be_drawn(name: str) -> None:
    design = start.load(start.RECIPE + name)
    assert design.widths == presets.preset(name).config.network.widths
    assert blocks(design)[-1].shape_CHW[1] >= presets.preset(name).config.images.crop_size


def test_the_page_opens_with_the_paper_and_starts_anew_from_anything(
    save_cutter: Callable[..., str],
) -> None:
    run = save_cutter()
    app = open_model()
    assert "572 × 572" in data(app)["html"]
    names = [start.PAPER, *(start.RECIPE + one for one in presets.of_kind("ours", "original"))]
    names += [start.MODEL + one for one in [*checkpoint.names(), run]]
    assert app.selectbox(key="net_from").options == names
    app.selectbox(key="net_from").select(start.RECIPE + "isbi-valid").run()
    assert app.text_input(key="net_widths").value == "64, 128, 256, 512, 1024"
    app.selectbox(key="net_from").select(start.MODEL + run).run()
    assert app.text_input(key="net_widths").value == "1"
    assert app.number_input(key="net_height").value == 256
    assert "2 × 256 × 256" in data(app)["html"]


def test_a_size_moves_to_the_next_one_that_fits_when_levels_or_padding_change() -> None:
    app = open_model()
    app.segmented_control(key="net_padding").set_value("same").run()
    assert app.number_input(key="net_height").value == 576
    assert "572 → 576" in texts(app)
    assert not app.error
    app.text_input(key="net_widths").set_value("4, 8").run()
    assert app.number_input(key="net_height").value == 576
    assert "→" not in texts(app).replace("572 → 388", "")


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        ({"net_height": "571"}, ["Image height", "which leaves 567 on level 1: 556 and 572 fit"]),
        ({"net_height": "100", "net_width": "100"}, ["must be at least 188 for 5 levels"]),
        (
            {"net_widths": "8,many", "net_in_channels": "0"},
            ["widths must be a whole number, got 'many'", "Image channels", "at least 1, got 0"],
        ),
        ({"net_widths": "8," * 8 + "8"}, ["at most 8 levels, got 9"]),
        ({"net_widths": "64,99999"}, ["widths must be at most 4096, got 99999"]),
        ({"net_widths": " "}, ["widths must name at least one level, got none"]),
    ],
)
def test_an_impossible_network_is_a_sentence(settings: dict, sentences: list[str]) -> None:
    app = open_model(**settings)
    [error] = app.error
    for sentence in sentences:
        assert sentence in error.value
    assert not app.get("bidi_component")


def test_a_size_that_does_not_fit_is_mended_with_one_click() -> None:
    app = open_model(net_height="571", net_width="580")
    labels = [one.label for one in app.button if one.label.startswith("Take")]
    assert labels == ["Take 556 × 572", "Take 572 × 588"]
    app.button(key="net_take1").click().run()
    assert not app.error
    assert "1 × 572 × 588" in data(app)["html"]


def test_a_checkpoint_that_cannot_be_read_is_a_sentence(save_cutter: Callable[..., str]) -> None:
    run = save_cutter()
    (folders.runs() / run / "best.safetensors").write_bytes(b"PK nothing")
    app = open_model(net_from=start.MODEL + run, part="Feature maps", model=run)
    assert len(app.error) == 2
    assert all("save the weights as .safetensors" in one.value for one in app.error)


def test_the_calculator_goes_both_ways_and_refuses_in_a_sentence() -> None:
    app = open_model(part="Sizes")
    numbers = {one.label: one.value for one in app.metric}
    assert (numbers["Its output has"], numbers["The smallest image is"]) == ("388 px", "572 px")
    assert (572, 388) in app.dataframe[0].value.itertuples(index=False, name=None)
    app.number_input(key="net_want").set_value(389).run()
    assert {one.label: one.value for one in app.metric}["The smallest image is"] == "588 px"
    assert "It gives 404 px." in texts(app)
    app.number_input(key="net_have").set_value(187)
    app.number_input(key="net_want").set_value(0).run()
    assert [one.value for one in app.error] == [
        "The side must be at least 188 for 5 levels with padding valid, got 187.",
        "An output has 1 to 4096 pixels a side, not 0.",
    ]


def test_the_table_and_the_totals_are_those_of_the_network() -> None:
    design = Design(widths=(2, 4), padding="same", norm="batch", height=16, width=16)
    layers = facts._finding_layers(design).result()
    app = open_model(
        net_widths="2, 4", net_padding="same", net_norm="batch", net_height="16", net_width="16"
    )
    table = app.dataframe[0].value
    total = sum(layer.parameters for layer in layers)
    assert table["Parameters"].sum() == total
    assert table["Multiply-adds"].sum() == sum(layer.multiply_adds for layer in layers)
    assert {one.label: one.value for one in app.metric}["Parameters"] == f"{total:,}"
    assert table["Part"].iloc[-1] == "output"
    assert f"{total:,} parameters" in texts(app)


def test_time_and_memory_come_from_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"net_widths": "2, 4", "net_padding": "same", "net_height": "64", "net_width": "64"}
    design = Design(widths=(2, 4), padding="same", height=64, width=64)
    monkeypatch.setattr(facts.time, "monotonic", lambda: 0.0)
    facts._measuring(design, 8, 0).result()
    app = open_model(part="Time and memory", **small)
    shown = {one.label: one.value for one in app.metric}
    assert re.fullmatch(r"[\d.]+ m?s", shown["A training step, batch of 8"])
    assert shown["Memory in training"].endswith(" GB")


def test_the_network_goes_to_the_train_page() -> None:
    app = open_model(net_from=start.RECIPE + "isbi-valid")
    app.text_input(key="net_widths").set_value("8, 16").run()
    app.button(key="net_use").click().run()
    app.switch_page("pages/train.py").run()
    assert "From the Model page: widths 8,16, padding valid" in texts(app)


def test_feature_maps_stand_beside_the_image_and_say_their_size(
    save_cutter: Callable[..., str],
) -> None:
    run = save_cutter()
    query = {"part": "Feature maps", "model": run, "set": "synthetic-nuclei"}
    app = open_model(**query, block="output")
    assert "2 maps of 256 × 256 pixels" in texts(app)
    assert "covers **1 × 1** pixels of the image and sees 5 × 5" in texts(app)
    panels = data(app, 1)["panels"]
    assert [one["title"] for one in panels] == ["image", "foreground", "boundary"]
    assert panels[2]["sentence"] == "silent"
    assert "1 silent" in texts(app)


def test_an_upload_is_looked_at_and_one_that_is_no_picture_is_a_sentence(
    save_cutter: Callable[..., str], rng: np.random.Generator
) -> None:
    run = save_cutter()
    app = open_model(part="Feature maps", model=run, input="Upload")
    pixels_HW = rng.integers(0, 255, (40, 60)).astype(np.uint8)
    app.file_uploader(key="map_file").upload("a.tif", export.plane_tiff(pixels_HW), "image/tiff")
    app.run()
    assert "1 map of 40 × 60 pixels" in texts(app)
    app.file_uploader(key="map_file").upload("a.tif", b"no picture", "image/tiff").run()
    [error] = app.error
    assert "not a PNG, JPEG or TIFF" in error.value


def test_maps_are_shown_strongest_first_or_by_number_each_in_its_own_range() -> None:
    maps_CHW = np.zeros((3, 4, 4), np.float32)
    maps_CHW[0, 0, 0], maps_CHW[2] = -5.0, np.arange(16).reshape(4, 4)
    found = Features(np.zeros((8, 8), np.uint8), maps_CHW, 2, is_middle=False)
    assert maps.pick(found, maps.ORDERS[0]).tolist() == [2, 1, 0]
    assert maps.pick(found, maps.ORDERS[1]).tolist() == [0, 1, 2]
    drawn = maps.panels(found, np.array([2, 1]))
    assert [one.title for one in drawn] == ["image", "map 2", "map 1"]
    assert [one.sentence for one in drawn[1:]] == ["mean 7.5", "silent"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0354, "35 ms"), (0.9999, "1 s"), (1.234, "1.2 s"), (81.4, "81 s"), (150, "2.5 min")],
)
def test_a_measured_time_has_two_digits(seconds: float, text: str) -> None:
    assert facts.briefly(seconds) == text


def test_stretching_shows_both_answers_and_calls_one_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_cutter: Callable[..., str]
) -> None:
    monkeypatch.setattr(folders, "SHIPPED", tmp_path)
    assert "There is no network with valid convolutions yet" in texts(open_model(part="Stretching"))
    run = save_cutter(padding="valid", target="foreground")
    (tmp_path / "broken.safetensors").write_bytes(b"half a file")
    app = open_model(part="Stretching")
    assert app.selectbox(key="stretched").options == [run]
    assert not app.error
    assert "A demonstration of a mistake" in texts(app)
    panels = data(app, 1)["panels"]
    sample = datasets.load(
        "synthetic-nuclei", "val", datasets.sample_names("synthetic-nuclei", "val")[0]
    )
    assert [(one["title"], one["sentence"]) for one in panels[:2]] == [
        ("Image", sample.name),
        ("Truth", "What it should be."),
    ]
    # The network answers with what is brighter than this.
    found_HW = images.normalise_for(checkpoint.read_config(run), sample.image_HW) > 0.35
    kinds = [(sample.truth_HW > 0, found_HW), (sample.truth_HW == 0, ~found_HW)]
    right = np.mean([(true & found).sum() / (true | found).sum() for true, found in kinds])
    assert panels[2]["title"] == "Mirrored border, tiles"
    assert panels[2]["sentence"] == f"Right: mean IoU {right:.3f}."
    assert panels[3]["title"] == "Stretched"
    wrong = float(panels[3]["sentence"].removeprefix("Wrong: mean IoU ").removesuffix("."))
    assert wrong < right - 0.001
    assert "the answer for the middle 252 × 252 px" in texts(app)


def test_a_link_from_before_the_widths_had_their_name_still_works() -> None:
    app = open_model(net_channels="4, 8", net_padding="same", net_height="64", net_width="64")
    assert app.text_input(key="net_widths").value == "4, 8"
    assert not app.error
