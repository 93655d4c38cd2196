"""Many images on the Segment page; the job works within the test, at once."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from streamlit.testing.v1 import AppTest

from ui.segment import many
from unet_core.base import folders
from unet_core.base.config import Segmentation
from unet_core.cli import main
from unet_core.runs import batches, runs

APP = str(Path(__file__).resolve().parents[3] / "app.py")


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("UNET_IMPORT", raising=False)
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "checkpoints")
    monkeypatch.setattr(runs, "launch", lambda command, *, log: main.main(command[3:]))


@pytest.fixture(autouse=True)
def model(save_cutter: Callable[..., str]) -> str:
    return save_cutter(segmentation=Segmentation(threshold=0.5, marker_threshold=0, min_size=20))


def picture(count: int, **options: object) -> bytes:
    """So many squares of 100 pixels each."""
    pixels_HW = np.full((40, 60), 10, np.uint8)
    for index in range(count):
        pixels_HW[5:15, 5 + 15 * index : 15 + 15 * index] = 200
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels_HW)
    return buffer.getvalue()


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in {"input": "Many", **query}.items():
        app.query_params[name] = value
    return app.switch_page("pages/segment.py").run()


def segment(*files: tuple[str, bytes]) -> AppTest:
    app = open_page()
    app.file_uploader(key="many_files").set_value([(*one, "") for one in files]).run()
    return app.button(key="many_start").click().run()


def numbers(app: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in app.metric}


def captions(app: AppTest) -> list[str]:
    """The images of the gallery, in order."""
    return [one.value.partition("  \n")[0] for one in app.caption if "doubt" in one.value]


THREE = (("a.tif", picture(2)), ("b ü.tif", picture(1)), ("🔬.tif", picture(3)))


def test_many_files_become_a_gallery_and_a_bad_one_is_named(
    unexplained: Callable[[AppTest], list[str]],
) -> None:
    app = segment(*THREE, ("bad.png", b"hello"))
    assert unexplained(app) == unexplained(open_page()) == []
    assert numbers(app) == {"Images": "3", "Objects": "6", "Mean doubt": "0.00"}
    assert app.expander[1].label == "1 file could not be done"
    assert "not a PNG" in app.dataframe[0].value["Why"].iloc[0]
    app.segmented_control(key="many_order").set_value("most objects").run()
    assert captions(app) == ["**🔬**", "**a**", "**b ü**"]
    app.segmented_control(key="many_order").set_value("fewest objects").run()
    assert captions(app) == ["**b ü**", "**a**", "**🔬**"]


def test_an_image_opens_with_its_model_and_what_is_tuned_there_is_moved_for_all(model: str) -> None:
    app = segment(*THREE)
    app.button(key="open-🔬.tif:0").click().run()
    assert not app.exception
    assert numbers(app)["Objects found"] == "3"
    assert app.selectbox(key="model").value == model
    app.number_input(key="min_size").set_value(101).run()
    assert numbers(app)["Objects found"] == "0"
    app.button(key="close-image").click().run()
    assert numbers(app)["Objects"] == "6"  # as before, until all are made anew
    app.button(key="relabel").click().run()
    assert not app.exception
    assert numbers(app)["Objects"] == "0"
    assert app.button(key="relabel").disabled
    (batch,) = batches.list_batches()
    assert batch.recipe.segmentation.min_size == 101


def test_from_one_image_the_next_is_opened_in_the_order_of_the_gallery() -> None:
    app = segment(*THREE)
    app.segmented_control(key="many_order").set_value("most objects").run()
    app.button(key="open-🔬.tif:0").click().run()
    found = [numbers(app)["Objects found"]]
    assert app.button(key="go-1").disabled
    for _ in range(2):
        app.button(key="go1").click().run()
        found.append(numbers(app)["Objects found"])
    assert found == ["3", "2", "1"]
    assert "image 3 of 3" in [one.value for one in app.caption]
    assert app.button(key="go1").disabled


def test_a_link_shows_the_batch_and_its_settings_in_another_browser() -> None:
    segment(*THREE)
    (batch,) = batches.list_batches()
    batch.relabel(Segmentation(threshold=0.5, marker_threshold=0, min_size=101))
    app = open_page(batch=batch.id)
    assert numbers(app)["Objects"] == "0"
    assert app.number_input(key="min_size").value == 101
    app = open_page(batch=batch.id, open="a.tif:0")
    assert numbers(app)["Objects found"] == "0"
    for wrong in ("none.tif:0", "a.tif:7", "a.tif", "../a.tif:0"):
        app = open_page(batch=batch.id, open=wrong)
        assert not app.exception
        assert "There is no image" in app.error[0].value
    app = open_page(batch="20260101-gone")
    assert ["they were deleted" in one.value for one in app.warning] == [True]


def test_a_paused_batch_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runs, "launch", lambda command, *, log: None)
        app = segment(*THREE)
    assert "Starting" in app.get("progress")[0].proto.text
    (batch,) = batches.list_batches()
    app.button(key="pause").click().run()
    job = batch.job()
    assert job is not None
    assert (job.path / "stop").exists()
    job.update(state="stopped", pid=1)
    app.run()
    assert "Paused" in app.info[0].value
    app.button(key="resume").click().run()
    assert numbers(app)["Images"] == "3"


def test_all_batches_are_listed_and_one_is_deleted_with_its_uploads() -> None:
    segment(*THREE)
    segment(THREE[0])
    app = open_page()
    assert list(app.dataframe[0].value["Images"]) == ["a.tif", "3 files, a.tif to 🔬.tif"]
    first, second = batches.list_batches()
    app = open_page(batch=first.id)
    app.button(key="delete").click().run()
    assert not app.exception
    assert batches.list_batches() == [second]


def test_a_zip_that_is_not_safe_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 1_000_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.tif", b"\0" * 2_000_000)
    app = segment(("bomb.zip", buffer.getvalue()))
    assert "must unpack to at most 1 MB" in app.error[0].value
    assert batches.list_batches() == []


def test_a_folder_is_offered_only_below_the_one_that_the_server_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "many_from" not in [one.key for one in open_page().segmented_control]
    root = tmp_path / "root"
    (root / "plate 1" / "day 2").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (root / "door").symlink_to(tmp_path)
    (root / "plate 1" / "day 2" / "a.tif").write_bytes(picture(2))
    monkeypatch.setenv("UNET_IMPORT", str(root))
    assert many.list_folders(root) == ["plate 1", "plate 1/day 2"]
    app = open_page()
    app.segmented_control(key="many_from").set_value(many.FOLDER).run()
    app.selectbox(key="many_folder").set_value("plate 1").run()
    app.button(key="many_start").click().run()
    assert "in its subfolders only" in app.error[0].value
    assert str(tmp_path) not in app.error[0].value
    app.checkbox(key="many_recursive").check().run()
    app.button(key="many_start").click().run()
    assert numbers(app)["Objects"] == "2"
    (root / "plate 1" / "day 2" / "a.tif").unlink()
    app.button(key="open-day 2/a.tif:0").click().run()
    assert "cannot be read" in app.error[0].value
