"""The data page: browse, open, link, download, count; against real files and a real server."""

import base64
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from streamlit.testing.v1 import AppTest

from ui.data import sample as data_sample
from ui.data import statistics as data_statistics
from unet_core.data import datasets, statistics, synthetic
from unet_core.imaging import images, overlay
from unet_core.runs import jobs, runs

APP = Path(__file__).resolve().parents[3] / "app.py"


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and no other one beside it."""
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def small_dsb(own_data: Path) -> Path:
    """Thirty small images in the layout of DSB 2018: 25 to train with, 5 to test."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 25), ("test", 5)):
        for part in ("images", "masks"):
            (own_data / "dsb2018" / split / part).mkdir(parents=True)
        for index in range(count):
            image_HW, labels_HW = synthetic.nuclei(rng, (64, 64))
            for part, pixels in (("images", image_HW), ("masks", labels_HW.astype(np.uint16))):
                tifffile.imwrite(own_data / "dsb2018" / split / part / f"n{index:02d}.tif", pixels)
    return own_data / "dsb2018"


def open_data(**query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page("pages/data.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(one.value for one in [*app.markdown, *app.caption, *app.subheader, *app.info])


def cards(app: AppTest) -> list[str]:
    return [one.label for one in app.button if str(one.key).startswith("open-")]


def shown(app: AppTest) -> dict:
    """What the browser gets to draw."""
    [viewer] = app.get("bidi_component")
    return json.loads(viewer.proto.json)


def settle(app: AppTest) -> AppTest:
    """Wait for the jobs, then let the page look again, as its timer does."""
    end = time.monotonic() + 60
    while any(job.status().is_alive for job in jobs.list_jobs()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return app.run()


# --- browsing ------------------------------------------------------------------------------------


def test_without_any_download_the_synthetic_sets_can_be_browsed(own_data: Path) -> None:
    app = open_data(set="synthetic-nuclei")
    assert [one.value for one in app.title] == ["Data"]
    assert not app.error
    assert cards(app) == datasets.sample_names("synthetic-nuclei", "train")[:24]
    assert len(app.image) == 24


def test_a_small_picture_is_packed_once(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_data(set="synthetic-nuclei")
    monkeypatch.setattr(
        PillowImage.Image, "save", lambda *_, **__: pytest.fail("it is packed again")
    )
    app.run()
    assert not app.exception
    assert len(app.image) == 24


def test_the_second_page_holds_the_next_images_and_the_last_one_the_rest(own_data: Path) -> None:
    names = datasets.sample_names("synthetic-nuclei", "train")
    app = open_data(set="synthetic-nuclei", page="2")
    assert cards(app) == names[24:48]
    assert f"25 to 48 of {len(names)} images" in words(app)
    app.pagination(key="page").set_value(3).run()
    assert cards(app) == names[48:]


def test_another_split_begins_at_its_first_page(own_data: Path) -> None:
    app = open_data(set="synthetic-nuclei", page="2")
    app.selectbox(key="split").set_value("test").run()
    assert cards(app) == datasets.sample_names("synthetic-nuclei", "test")
    assert not app.exception


def test_a_chosen_picture_opens_its_sample(small_dsb: Path) -> None:
    app = open_data(split="test")
    app.button(key="open-2").click().run()
    assert app.session_state["tab"] == "Sample"
    assert app.selectbox(key="sample").value == "n02"
    assert shown(app)["revision"] == "dsb2018 n02"
    assert not app.error


def test_a_link_restores_set_split_scheme_and_sample(small_dsb: Path) -> None:
    wanted = datasets.sample_names("dsb2018", "val", scheme="fraction")[1]
    app = open_data(set="dsb2018", split="val", scheme="fraction", sample=wanted)
    assert [app.selectbox(key=key).value for key in ("split", "scheme", "sample")] == [
        "val",
        "fraction",
        wanted,
    ]
    assert shown(app)["revision"] == f"dsb2018 {wanted}"


def test_previous_and_next_walk_through_the_split_and_stop_at_its_ends(small_dsb: Path) -> None:
    app = open_data(split="test", tab="Sample")
    assert app.button(key="go-1").disabled
    for name in ("n01", "n02", "n03", "n04"):
        app.button(key="go1").click().run()
        assert shown(app)["revision"] == f"dsb2018 {name}"
    assert app.button(key="go1").disabled
    app.button(key="go-1").click().run()
    assert shown(app)["revision"] == "dsb2018 n03"


@pytest.mark.parametrize(
    "query",
    [
        {"set": "nonsense"},
        {"split": "<b>train"},
        {"sample": "../../etc/passwd"},
        {"tab": "Sample", "target": "dreams", "contrast": "a"},
        {"tab": "Nothing", "page": "-4"},
        {"page": "99999999999999999999"},
        {"tab": "Sample", "contrast": "90,10"},
    ],
)
def test_a_broken_link_shows_the_page_nevertheless(small_dsb: Path, query: dict) -> None:
    app = open_data(**query)
    assert not app.error
    assert cards(app) or shown(app)["panels"]


def test_a_link_to_a_sample_that_is_not_here_says_so(small_dsb: Path) -> None:
    app = open_data(sample="gone")
    assert ["gone" in one.value for one in app.toast] == [True]


# --- one sample ----------------------------------------------------------------------------------


def decode(source: str | bytes) -> np.ndarray:
    if isinstance(source, str):
        source = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    return np.asarray(PillowImage.open(io.BytesIO(source)).convert("RGBA"))[..., :3]


def numbers(source: str) -> np.ndarray:
    return decode(source).astype(int) @ [1, 256, 65536]


def test_the_pointer_reads_intensity_label_and_target_of_the_sample(small_dsb: Path) -> None:
    app = open_data(split="test", sample="n01", target="three-class", boundary="inner")
    truth = datasets.load("dsb2018", "test", "n01")
    drawn = shown(app)
    by_name = {one["name"]: one for one in drawn["readings"]}
    assert (numbers(by_name["intensity"]["source"]) == truth.image_HW).all()
    assert (numbers(by_name["nucleus"]["source"]) == truth.labels_HW).all()
    target = by_name["target"]
    assert target["words"] == ["background", "inside", "boundary"]
    inside_HW = numbers(target["source"]) == 1
    assert (truth.labels_HW[inside_HW] > 0).all()
    assert [one["title"] for one in drawn["panels"]] == ["Image", "Labels", "Target: three-class"]


def test_contrast_changes_the_picture_and_not_what_the_pointer_reads(small_dsb: Path) -> None:
    app = open_data(split="test", sample="n01")
    before = shown(app)
    app.slider(key="contrast").set_value((20.0, 80.0)).run()
    after = shown(app)
    pixels_HW = datasets.load("dsb2018", "test", "n01").image_HW
    grey_HW = images.display(pixels_HW, low=20, high=80)
    assert (decode(after["panels"][0]["layers"][0])[..., 0] == grey_HW).all()
    assert before["panels"][0]["layers"] != after["panels"][0]["layers"]
    assert before["readings"] == after["readings"]
    assert before["revision"] == after["revision"]  # so the zoom stays


def test_one_value_for_black_and_white_is_one_sentence(small_dsb: Path) -> None:
    app = open_data(tab="Sample")
    app.slider(key="contrast").set_value((50.0, 50.0)).run()
    assert [one.value for one in app.error] == [
        "The two ends of the contrast must differ: draw them apart."
    ]


def touching_boxes() -> np.ndarray:
    labels_HW = np.zeros((6, 10), np.int32)
    labels_HW[1:5, 1:5], labels_HW[1:5, 5:9] = 1, 2
    return labels_HW


def colour_words(target: str, boundary: str) -> list[list[str]]:
    """The word behind the colour of each pixel, by the legend."""
    drawn = data_sample.draw_target(touching_boxes(), target, boundary, ("background", "nucleus"))
    words = {mark.colour: mark.text for mark in drawn.legend}
    return [[words[tuple(pixel)] for pixel in row] for row in decode(drawn.png).tolist()]


def test_colours_and_legend_of_the_foreground_are_those_of_the_objects() -> None:
    row = colour_words("foreground", "thick")[2]
    assert row == ["background", *["foreground"] * 8, "background"]


def test_an_inner_boundary_lies_in_both_objects_and_not_outside() -> None:
    rows = colour_words("three-class", "inner")
    inside = ["boundary", "inside", "inside", "boundary"]
    assert rows[2] == ["background", *inside, *inside, "background"]
    assert set(rows[0]) == {"background"}
    assert rows[1] == ["background", *["boundary"] * 8, "background"]


def test_an_outer_boundary_lies_around_the_objects_and_where_they_touch() -> None:
    row = colour_words("three-class", "outer")[2]
    inside = ["inside"] * 3
    assert row == ["boundary", *inside, "boundary", "boundary", *inside, "boundary"]


def test_two_channels_show_where_both_are_on() -> None:
    row = colour_words("foreground+boundary", "thick")[2]
    both = "foreground and boundary"
    inside = [both, "foreground", "foreground", both]
    assert row == ["boundary", *inside, *inside, "boundary"]


def test_a_distance_is_darkest_at_the_rim_and_read_in_percent() -> None:
    labels_HW = np.zeros((11, 11), np.int32)
    labels_HW[1:10, 1:10] = 1
    drawn = data_sample.draw_target(labels_HW, "distance", "thick", ("background", "nucleus"))
    percent_HW = drawn.reading.number_HW
    assert (percent_HW[5, 5], percent_HW[0, 0], percent_HW[1, 5]) == (100, 0, 20)
    picture = decode(drawn.png).astype(int).sum(axis=2)
    assert picture[5, 5] > picture[1, 5] > picture[0, 0]


def test_border_weights_are_read_as_numbers() -> None:
    labels_HW = np.zeros((9, 20), np.int32)
    labels_HW[2:7, 2:9], labels_HW[2:7, 10:17] = 1, 2
    drawn = data_sample.draw_target(labels_HW, "border weights", "thick", ("background", "nucleus"))
    value = drawn.reading.number_HW[4, 9] * drawn.reading.scale
    assert value == pytest.approx(1 + 10 * np.exp(-((1 + 1) ** 2) / 50), abs=0.01)


def test_classes_have_one_colour_each_in_labels_and_target(own_data: Path) -> None:
    app = open_data(set="synthetic-shapes", tab="Sample", style="colours")
    drawn = shown(app)
    assert [one["name"] for one in drawn["readings"]] == ["intensity", "class"]
    assert drawn["readings"][1]["words"] == ["background", "line", "ellipse"]
    truth_HW = datasets.load("synthetic-shapes", "train", "shapes-train-000").labels_HW
    target = decode(drawn["panels"][2]["layers"][0])
    assert len(np.unique(target.reshape(-1, 3), axis=0)) == len(np.unique(truth_HW))


def test_class_numbers_fill_regions_and_outline_them_with_the_colour_of_their_class() -> None:
    classes_HW = np.zeros((5, 8), np.uint8)
    classes_HW[1:4, 1:4], classes_HW[1:4, 5:8] = 1, 2
    number_HW = overlay.number_classes(classes_HW, 2)
    assert number_HW[2].tolist() == [0, 3, 1, 3, 0, 4, 2, 2]  # the image border is no border
    shades = overlay.shades(overlay.OBJECTS[:2], filled=True)
    assert (shades[3, :3] == shades[1, :3]).all()


def test_isbi_is_a_stack_with_a_slider_and_the_unlabelled_part_has_no_target(
    real_data: Path,
) -> None:
    app = open_data(set="isbi2012", sample="section-05")
    assert app.select_slider(key="sample").value == "section-05"
    assert len(shown(app)["panels"]) == 3
    app.select_slider(key="sample").set_value("section-07").run()
    assert shown(app)["revision"] == "isbi2012 section-07"
    app.selectbox(key="split").set_value("unlabelled").run()
    assert shown(app)["revision"] == "isbi2012 unlabelled-00"
    assert [one["title"] for one in shown(app)["panels"]] == ["Image"]
    assert "nobody has labelled it" in words(app)
    assert not app.error


def test_a_large_image_travels_as_less_than_a_megabyte_and_a_half(real_data: Path) -> None:
    names = datasets.sample_names("dsb2018", "test")
    loaded = ((name, datasets.load("dsb2018", "test", name)) for name in names)
    sample = next(name for name, one in loaded if one.image_HW.shape == (520, 696))
    app = open_data(split="test", sample=sample, target="distance", style="colours")
    [viewer] = app.get("bidi_component")
    assert len(viewer.proto.json) < 1_500_000


# --- what can be wrong with a folder -------------------------------------------------------------


@pytest.mark.parametrize("tab", ["Overview", "Sample", "Statistics"])
def test_an_unpaired_file_is_one_sentence_and_other_sets_stay(small_dsb: Path, tab: str) -> None:
    (small_dsb / "train" / "masks" / "n03.tif").unlink()
    app = open_data(tab=tab)
    [error] = app.error
    assert "n03.tif" in error.value
    assert "has no mask" in error.value
    app.selectbox(key="set").set_value("synthetic-shapes").run()
    assert not app.error


def test_a_damaged_image_is_marked_and_explained_and_the_others_are_shown(small_dsb: Path) -> None:
    (small_dsb / "test" / "images" / "n01.tif").write_bytes(b"no picture")
    app = open_data(split="test")
    assert words(app).count("cannot be read") == 1
    assert len(app.image) == 4
    assert not app.error
    app.button(key="open-1").click().run()
    [error] = app.error
    assert "n01.tif cannot be read" in error.value
    app.button(key="go1").click().run()
    assert not app.error


def test_statistics_of_a_damaged_set_end_with_a_sentence_and_start_anew(small_dsb: Path) -> None:
    broken = small_dsb / "test" / "images" / "n01.tif"
    whole = broken.read_bytes()
    broken.write_bytes(b"no picture")
    app = settle(open_data(tab="Statistics"))
    [error] = app.error
    assert "n01.tif cannot be read" in error.value
    broken.write_bytes(whole)
    settle(app.run())
    assert not app.error
    assert "At a glance" in words(app)


# --- a set that is not there ---------------------------------------------------------------------


@pytest.fixture
def served(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """DSB 2018 at an address of this machine: one image per split. Gives the paths asked for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for split in ("train", "test"):
            for part, dtype in (("images", np.uint8), ("masks", np.uint16)):
                for name in ("one", "two"):
                    file = io.BytesIO()
                    tifffile.imwrite(file, np.eye(32, dtype=dtype))
                    archive.writestr(f"dsb2018/{split}/{part}/{name}.tif", file.getvalue())
    content, asked = buffer.getvalue(), []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            time.sleep(0.3)  # long enough for a second click
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    set_address("dsb2018", f"http://127.0.0.1:{server.server_port}/set.zip", content, monkeypatch)
    yield asked
    server.shutdown()
    server.server_close()


# A command for which a set lies at another address; all else is as it is.
ELSEWHERE = """
import dataclasses, sys
from unet_core.cli import main
from unet_core.data import catalogue
name, url, sha256, *words = sys.argv[1:]
about = catalogue.SETS[name]
change = {"url": url, "sha256": sha256, "git_blob": ""}
remotes = tuple(dataclasses.replace(one, **change) for one in about.remotes)
catalogue.SETS[name] = dataclasses.replace(about, remotes=remotes)
sys.exit(main.main(words))
"""


def set_address(name: str, url: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that pages start find a set at another address."""
    start, sha256 = runs.launch, hashlib.sha256(content).hexdigest()

    def launch(command: list[str], *, log: Path) -> None:
        assert command[1:3] == ["-m", "unet_core"]
        start([command[0], "-c", ELSEWHERE, name, url, sha256, *command[3:]], log=log)

    monkeypatch.setattr(runs, "launch", launch)


def test_a_download_ends_in_the_overview_and_two_browsers_start_it_once(
    served: list[str], own_data: Path
) -> None:
    first, second = open_data(set="dsb2018"), open_data(set="dsb2018")
    assert "CC0" in words(first)
    first.button(key="download").click().run()
    second.button(key="download").click().run()
    for app in (first, second):
        assert not app.error
        settle(app)
        assert cards(app) == datasets.sample_names("dsb2018", "train") != []
    assert served == ["/set.zip"]


def test_the_isbi_licence_is_shown_and_accepted_before_anything_is_downloaded(
    own_data: Path,
) -> None:
    app = open_data(set="isbi2012")
    assert "non-commercial" in words(app)
    assert "Cardona et al. 2010" in words(app)
    assert app.button(key="download").disabled
    app.checkbox(key="accepted-isbi2012").check().run()
    assert not app.button(key="download").disabled
    assert jobs.list_jobs() == []


def test_the_way_by_hand_is_told_without_the_servers_folders(own_data: Path) -> None:
    for name in ("dsb2018", "isbi2012"):
        told = words(open_data(set=name))
        assert f"the folder `{name}` of the data folder" in told
        assert str(own_data) not in told


def test_offline_is_one_sentence_with_the_folder_and_the_button_stays(
    own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_address("isbi2012", "http://127.0.0.1:9/", b"", monkeypatch)
    app = open_data(set="isbi2012")
    app.checkbox(key="accepted-isbi2012").check().run()
    app.button(key="download").click().run()
    settle(app)
    [error] = app.error
    assert "cannot be downloaded (no connection)" in error.value
    assert "into …/isbi2012" in error.value
    assert app.checkbox(key="accepted-isbi2012").value
    assert not app.button(key="download").disabled


def test_a_cancelled_download_leaves_nothing_half_and_can_be_started_again(
    served: list[str], own_data: Path
) -> None:
    app = open_data(set="dsb2018")
    app.button(key="download").click().run()
    app.button(key="cancel").click().run()
    settle(app)
    assert "Cancelled" in app.info[0].value
    assert not (own_data / "dsb2018").exists()
    app.button(key="download").click().run()
    settle(app)
    assert cards(app) == datasets.sample_names("dsb2018", "train") != []


def test_a_download_goes_on_without_the_page_and_whoever_comes_sees_it(
    served: list[str], own_data: Path
) -> None:
    open_data(set="dsb2018").button(key="download").click().run()
    app = open_data(set="dsb2018")
    assert app.button(key="cancel")
    assert [one.key for one in app.button if one.key == "download"] == []
    settle(app)
    assert cards(app) == datasets.sample_names("dsb2018", "train") != []


# --- statistics ----------------------------------------------------------------------------------


def test_every_measure_has_a_chart_and_one_sentence(small_dsb: Path) -> None:
    app = settle(open_data(tab="Statistics"))
    told = statistics.meaning(statistics.summary(datasets.statistics("dsb2018"))["train"])
    assert len(app.get("plotly_chart")) == len(data_statistics.MEASURES) + 1
    written = [one.value for one in app.markdown]
    for sentence in told.values():
        assert written.count(sentence) == 1
    assert not app.error


def test_the_glance_and_the_shapes_hold_the_published_facts(real_data: Path) -> None:
    facts = statistics.summary(datasets.statistics("dsb2018"))
    glance = data_statistics.at_a_glance(facts)
    assert list(glance) == ["train", "val", "test"]
    assert list(glance.loc["Images"]) == ["380", "67", "50"]
    assert glance.loc["Objects", "val"] == "2,543"
    assert glance.loc["Objects", "test"] == "2,460"
    assert glance.loc["Median object", "test"] == "397.5 px²"
    assert glance.loc["Largest object", "test"] == "6,074 px²"
    assert glance.loc["Foreground", "test"] == "14.5 %"
    shapes = data_statistics.image_shapes(facts)
    assert list(shapes.loc["256 × 256"]) == [235, 41, 26]
    assert shapes.to_numpy().sum() == 497


def test_statistics_are_shown_also_where_the_cache_cannot_be_written(
    small_dsb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNET_CACHE", str(tmp_path / "file" / "cache"))
    app = settle(open_data(tab="Statistics"))
    assert list(app.table[0].value.loc["Images", ["test"]]) == ["5"]
    assert len(jobs.list_jobs("statistics")) == 1


@pytest.mark.parametrize("view", ["Images", "Objects"])
def test_a_table_has_every_row_and_its_csv_too(small_dsb: Path, view: str) -> None:
    app = settle(open_data(tab="Statistics", view=view))
    table = getattr(datasets.statistics("dsb2018"), view.lower())
    assert f"{len(table):,} {view.lower()}" in words(app)
    [shown] = app.dataframe
    assert list(shown.value.columns) == list(table.columns)
    [button] = app.download_button
    assert button.label == "Download CSV"


def test_statistics_move_images_when_the_scheme_changes(small_dsb: Path) -> None:
    app = settle(open_data(tab="Statistics", scheme="every-20th"))
    assert list(app.table[0].value.loc["Images"]) == ["24", "1", "5"]
    app.selectbox(key="scheme").set_value("fraction").run()
    assert list(app.table[0].value.loc["Images"]) == ["21", "4", "5"]


@pytest.mark.parametrize("tab", ["Overview", "Sample", "Augmentation", "Weight map"])
def test_a_split_without_images_is_told_in_a_sentence(small_dsb: Path, tab: str) -> None:
    app = open_data(tab=tab, scheme="all", split="val")
    assert "Scheme all leaves no image for val: choose another scheme or split." in words(app)
    assert not app.exception
    app.selectbox(key="scheme").set_value("stardist").run()
    assert "leaves no image" not in words(app)


def test_statistics_are_studied_once_and_anew_when_a_file_has_changed(
    small_dsb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = settle(open_data(tab="Statistics"))
    assert list(app.table[0].value.loc["Images without objects"]) == ["0", "0", "0"]
    studied = []
    monkeypatch.setattr(
        data_statistics, "summary", lambda one: studied.append(one) or statistics.summary(one)
    )
    app.run()
    open_data(tab="Statistics", view="Objects")
    assert studied == []
    tifffile.imwrite(small_dsb / "test" / "masks" / "n03.tif", np.zeros((64, 64), np.uint16))
    settle(app.run())
    assert len(studied) == 1
    assert list(app.table[0].value.loc["Images without objects"]) == ["0", "0", "1"]


def test_statistics_of_a_scheme_without_validation_leave_it_out(small_dsb: Path) -> None:
    app = settle(open_data(tab="Statistics", scheme="all"))
    assert list(app.table[0].value.loc["Images"]) == ["25", "5"]


# --- what the page costs -------------------------------------------------------------------------

WITHOUT_TORCH = """
import sys
from unet_core.base import device
device.choose = lambda wanted="auto": device.Device(name="cpu", title="none", reason="none")
from streamlit.testing.v1 import AppTest
for tab in ("Overview", "Sample", "Statistics", "Weight map"):
    app = AppTest.from_file(sys.argv[1], default_timeout=60)
    app.query_params.update({"set": "synthetic-nuclei", "tab": tab})
    app.switch_page("pages/data.py").run()
    assert not app.exception and not app.error, app.error
    assert app.session_state["tab"] == tab
print("torch" in sys.modules, "requests" in sys.modules)
"""


def test_looking_at_data_does_not_wait_for_torch_nor_for_downloads(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(APP)],
        cwd=APP.parent,
        env={**os.environ, "UNET_DATA": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["False", "False"], done.stderr[-2000:]
