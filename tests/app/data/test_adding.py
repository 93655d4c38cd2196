"""Adding, deleting and bringing back an own data set, and what the other pages make of it."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from streamlit.testing.v1 import AppTest

from unet_core.base.config import TrainConfig
from unet_core.data import datasets, importing, own, sources, synthetic
from unet_core.runs import runs

APP = Path(__file__).resolve().parents[3] / "app.py"


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("UNET_IMPORT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def tif(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels)
    return buffer.getvalue()


def pairs(count: int = 6) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    files = {}
    for index in range(count):
        image_HW, labels_HW = synthetic.nuclei(rng, (64, 64))
        files[f"images/m{index // 2}_{index}.tif"] = tif(image_HW)
        files[f"masks/m{index // 2}_{index}.tif"] = tif(labels_HW.astype(np.uint16))
    return files


def classes(count: int = 3, colours: int = 3) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    table = np.concatenate([np.zeros((1, 3)), rng.integers(1, 256, (colours - 1, 3))])
    files = {}
    for index in range(count):
        for end, pixels in (
            ("", rng.integers(0, 255, (64, 64)).astype(np.uint8)),
            ("_mask", table.astype(np.uint8)[np.arange(64) // 6 % colours][:, None].repeat(64, 1)),
        ):
            buffer = io.BytesIO()
            PillowImage.fromarray(pixels).save(buffer, "PNG")
            files[f"c{index}{end}.png"] = buffer.getvalue()
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def add(title: str, files: dict[str, bytes], **options: object) -> str:
    plan = importing.look(sources.of_uploads(files))
    return importing.add(title, plan, **options)  # type: ignore[arg-type]


def open_page(page: str = "data", **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def upload(files: dict[str, bytes]) -> AppTest:
    app = open_page(add="1")
    app.file_uploader(key="add_images").upload("mine.zip", zipped(files)).run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    shown = [*app.markdown, *app.caption, *app.subheader, *app.info, *app.warning, *app.error]
    return "\n".join(str(one.value) for one in [*shown, *app.toast])


def metrics(app: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in app.metric}


# --- adding --------------------------------------------------------------------------------------


def test_a_zip_becomes_a_set_that_the_page_then_shows(own_data: Path) -> None:
    app = open_page(set="synthetic-nuclei")
    app.button(key="add-set").click().run()
    assert app.query_params["add"] == "1"
    app.file_uploader(key="add_images").upload("mine.zip", zipped(pairs())).run()
    assert metrics(app) == {"✓ found": "6"}
    table = app.dataframe[0].value
    assert list(table["image"]) == [f"images/m{index // 2}_{index}.tif" for index in range(6)]
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in table["picture"])
    assert "Label images: each object has its own number." in words(app)
    assert not own_data.exists()  # nothing is copied before the button
    assert app.button(key="add").disabled
    app.text_input(key="add_title").set_value("Mice, day 3").run()
    assert "In commands it is called `Mice-day-3`." in words(app)
    app.text_input(key="add_object").set_value("nucleus").run()
    app.button(key="add").click().run()
    assert not app.exception
    assert not app.error
    assert "Mice, day 3 is here" in words(app)
    assert app.selectbox(key="set").value == "Mice-day-3"
    assert app.query_params["set"] == "Mice-day-3"
    assert "add" not in app.query_params
    assert datasets.info("Mice-day-3").classes == ("background", "nucleus")


def test_likely_specimens_stay_together_and_the_leak_is_explained() -> None:
    app = upload(pairs())
    assert app.text_input(key="add_group").value == "{}_*"
    assert "3 specimens (m0, m1, m2), each in one split alone" in words(app)
    app.text_input(key="add_group").set_value("").run()
    [warning] = app.warning
    assert "look alike" in warning.value
    app.text_input(key="add_group").set_value("x{}_*").run()
    assert "does not fit the image m0" in words(app)
    assert app.button(key="add").disabled


def test_what_is_missing_doubtful_or_unusable_stands_first_with_its_reason() -> None:
    files = pairs()
    del files["masks/m0_0.tif"]
    files["masks/m0_1.tif"] = tif(np.zeros((5, 5), np.uint8))
    files["masks/m1_2_mask.tif"] = files["masks/m1_2.tif"]
    app = upload(files)
    assert metrics(app) == {
        "✓ found": "3",
        "– missing": "1",
        "? doubtful": "1",
        "✗ cannot be used": "1",
    }
    table = app.dataframe[0].value
    assert list(table["pair"][:4]) == ["? doubtful", "✗ cannot be used", "– missing", "✓ found"]
    assert "would fit as well" in table["why"][0]
    assert "its labels 5 rows × 5 columns" in table["why"][1]
    app.text_input(key="add_title").set_value("x").run()
    app.button(key="add").click().run()
    assert "is unusable (and 1 more)" in words(app)
    assert own.names() == []
    app.toggle(key="add_take").set_value(True).run()
    app.toggle(key="add_leave").set_value(True).run()
    app.button(key="add").click().run()
    # Two specimens are left, and neither parts.
    splits = datasets.info("x").splits
    assert {split: len(datasets.sample_names("x", split)) for split in splits} == {
        "train": 2,
        "val": 2,
        "unlabelled": 1,
    }


def test_a_title_that_is_taken_is_told_before_anything_is_stored() -> None:
    add("taken", pairs(3))
    app = upload(pairs(3))
    app.text_input(key="add_title").set_value("Taken").run()
    assert "there is a data set taken already" in words(app)
    assert app.button(key="add").disabled


def test_classes_are_shown_with_their_colours_and_can_be_objects_instead() -> None:
    app = upload(classes())
    assert app.segmented_control(key="add_kind").value == "classes"
    assert "3 colours: each is a class" in words(app)
    app.text_input(key="add_title").set_value("plants").run()
    app.button(key="add").click().run()
    assert datasets.info("plants").labels == "classes"
    assert datasets.info("plants").classes[0] == "background"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("mine.zip", b"no zip", "mine.zip cannot be opened"),
        ("mine.zip", zipped({"../a.png": b""}), "leads outside"),
        ("mine.zip", zipped({"notes.txt": b""}), "there are no images"),
    ],
)
def test_a_bad_upload_is_a_sentence(name: str, content: bytes, sentence: str) -> None:
    app = open_page(add="1")
    app.file_uploader(key="add_images").upload(name, content).run()
    assert not app.exception
    assert sentence in words(app)


# --- a folder on the server ----------------------------------------------------------------------


def test_a_folder_on_the_server_is_offered_only_where_the_server_allows_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = open_page(add="1").segmented_control(key="add_from").options
    assert places == ["Files or a zip", "A folder"]
    root, outside = tmp_path / "root", tmp_path / "outside"
    for name, content in pairs(3).items():
        for place in (root / "study", outside):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
    (root / "way-out").symlink_to(outside)
    monkeypatch.setenv("UNET_IMPORT", str(root))
    app = open_page(add="1")
    app.segmented_control(key="add_from").set_value("A folder on the server").run()
    assert app.selectbox(key="add_place").options == [
        "study", "study/images", "study/masks", "way-out", "way-out/images", "way-out/masks"
    ]  # fmt: skip
    app.selectbox(key="add_place").set_value("study").run()
    assert metrics(app) == {"✓ found": "3"}
    app.selectbox(key="add_place").set_value("way-out").run()
    assert "lies outside of" in words(app)
    assert str(tmp_path) not in words(app)


# --- deleting ------------------------------------------------------------------------------------


def test_a_set_goes_into_the_trash_after_a_question_and_comes_back() -> None:
    add("mine", pairs(4))
    app = open_page(set="mine", tab="Sample", split="train")
    app.button(key="delete").click().run()
    assert not app.exception
    assert not app.error
    assert own.names() == []
    assert "mine is in the trash" in words(app)
    assert app.selectbox(key="set").value != "mine"
    app.button(key="add-set").click().run()
    assert "mine: goes for good in 30 days" in words(app)
    app.button(key="restore-0").click().run()
    assert app.selectbox(key="set").value == "mine"
    assert own.names() == ["mine"]


def test_a_set_is_renamed_on_the_page_and_links_with_the_old_name_find_it() -> None:
    add("mine", pairs(4))
    app = open_page(set="mine")
    version = datasets.info("mine").version
    app.text_input(key=f"name-{version}").set_value("livers").run()
    app.button(key="save-description").click().run()
    assert not app.exception
    assert own.names() == ["livers"]
    assert app.selectbox(key="set").value == "livers"
    add("another", pairs(4))
    assert open_page(set="mine").selectbox(key="set").value == "livers"


def test_a_built_in_set_has_no_such_button_and_a_used_one_stays() -> None:
    add("mine", pairs(4))
    assert not [one for one in open_page(set="synthetic-nuclei").button if one.key == "delete"]
    run = runs.create(TrainConfig.of(data="mine"), preset="quick")
    app = open_page(set="mine")
    app.button(key="delete").click().run()
    assert f"mine is in use by run {run.id}" in words(app).replace("\\", "").replace("\u2060", "")
    assert own.names() == ["mine"]


# --- the other pages -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["home", "data", "train", "segment", "evaluate", "model"])
@pytest.mark.parametrize("kind", ["objects", "classes", "unlabelled"])
def test_every_page_takes_an_own_set(page: str, kind: str) -> None:
    add("mine", classes() if kind == "classes" else pairs(4), kind=kind)
    app = open_page(page, set="mine")
    # No model knows these classes yet, and nobody can be scored without labels.
    expected = {"classes": "choose a model", "unlabelled": "Nobody has labelled"}.get(kind, "-")
    assert all(page == "evaluate" and expected in one.value for one in app.error)
    if page in ("data", "segment"):
        assert app.selectbox(key="set").value == "mine"


@pytest.mark.parametrize("tab", ["Overview", "Sample", "Statistics", "Augmentation", "Weight map"])
@pytest.mark.parametrize("kind", ["classes", "unlabelled"])
def test_every_tab_of_the_data_page_takes_an_own_set(tab: str, kind: str) -> None:
    add("mine", classes(colours=10), kind=kind)
    app = open_page(set="mine", tab=tab)
    assert not app.error


def test_pages_outlive_a_set_that_a_model_was_trained_on(save_cutter) -> None:
    add("mine", pairs(4), object_name="nucleus")
    run = save_cutter("mine")
    own.remove("mine")
    for page, query in (
        ("home", {}),
        ("train", {"run": run}),
        ("segment", {"model": run}),
        ("model", {"net_from": f"model {run}"}),
        ("evaluate", {"model": run}),
    ):
        app = open_page(page, **query)
        assert all("was deleted" in one.value for one in app.error)


def test_a_set_that_is_deleted_while_the_train_page_offers_it_leaves_the_page_usable() -> None:
    add("mine", pairs(4))
    app = open_page("train", preset="quick", data="mine")
    assert app.selectbox(key="data-quick").value == "mine"
    own.remove("mine")
    app.run()
    assert not app.exception


def test_a_title_can_be_changed_and_the_name_stays() -> None:
    add("mine", pairs(4))
    app = open_page(set="mine")
    [title] = [one for one in app.text_input if one.label == "Title"]
    title.set_value("Liver *day* 3").run()
    app.button(key="save-description").click().run()
    assert not app.exception
    assert app.selectbox(key="set").value == "mine"
    assert "Liver *day* 3" in app.selectbox(key="set").options
    assert r"**Liver \*day\* 3.**" in words(app)


def test_the_check_up_names_a_copy_and_leads_to_its_image() -> None:
    files = pairs()
    files["images/m2_5.tif"] = files["images/m0_0.tif"]
    add("Mine", files)
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params.update({"set": "Mine", "tab": "Check-up"})
    app.switch_page("pages/data.py").run()
    assert not app.exception
    assert any("with the same pixels" in one.value for one in app.markdown)
    copies = [one for one in app.button if one.key and one.key.startswith("checkup-0-")]
    assert {one.label for one in copies} == {"m0_0", "m2_5"}
    chosen = copies[1].label
    copies[1].click().run()
    assert not app.exception
    assert app.session_state["sample"] == chosen
    assert app.session_state["tab"] == "Sample"


def test_the_check_up_says_when_nothing_is_doubtful_and_asks_a_model_on_request() -> None:
    files = pairs()
    for name in [one for one in files if one.startswith("images")]:
        files[name] = tif(255 - tifffile.imread(io.BytesIO(files[name])))
    add("Mine", files)
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params.update({"set": "Mine", "tab": "Check-up"})
    app.switch_page("pages/data.py").run()
    assert [one.value for one in app.success] == [
        "Nothing is doubtful about these images and labels."
    ]
    app.selectbox(key="checkup_model").set_value("nuclei").run()
    assert not app.exception
    assert not app.success
    assert any("6 images of 6 unlike" in one.value for one in app.markdown)
