"""The home page: what is there is named, what is not there says how to get it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import page
from unet_core.base import folders
from unet_core.base.config import TrainConfig
from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.runs import runs

APP = str(Path(__file__).resolve().parents[3] / "app.py")


def open_home() -> AppTest:
    return AppTest.from_file(APP, default_timeout=30).run()


def words(app: AppTest) -> str:
    """Everything that is written on the page, links included."""
    links = [one.proto.label for one in app.get("page_link")]
    return "\n".join([one.value for one in [*app.markdown, *app.caption, *app.subheader]] + links)


def test_home_opens_without_an_error() -> None:
    app = open_home()
    assert [one.value for one in app.title] == ["U-Net Workbench"]
    assert not app.exception
    assert not app.error


def test_home_opens_by_deep_link_and_from_another_page() -> None:
    cold = AppTest.from_file(APP, default_timeout=30).switch_page("pages/home.py").run()
    warm = open_home().switch_page("pages/home.py").run()
    for app in (cold, warm):
        assert [one.value for one in app.title] == ["U-Net Workbench"]
        assert not app.exception
        assert not app.error


def test_three_starting_points_lead_to_pages() -> None:
    links = {one.proto.page for one in open_home().get("page_link")}
    assert {"data", "train", "segment"} <= links


def test_the_device_and_its_reason_are_shown() -> None:
    found = page.finding_device().result(timeout=60)
    text = words(open_home())
    assert found.title in text
    assert found.reason in text


def test_nothing_downloaded_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    app = open_home()
    text = words(app)
    assert text.count("downloads it with one click") == 2
    assert "Synthetic nuclei" in text
    assert not app.error


def test_the_real_sets_are_counted(real_data: Path) -> None:
    text = words(open_home())
    assert "Images: 380 train, 67 val, 50 test" in text
    assert "downloads it" not in text


def test_a_broken_data_set_is_one_sentence_and_the_rest_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("train/images", "train/masks", "test/images", "test/masks"):
        (tmp_path / "dsb2018" / folder).mkdir(parents=True)
    (tmp_path / "dsb2018" / "train" / "images" / "alone.tif").write_bytes(b"")
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    app = open_home()
    assert len(app.error) == 1
    assert "Synthetic nuclei" in words(app)
    assert not app.exception


def test_without_runs_it_says_so() -> None:
    assert "None yet. A run keeps" in words(open_home())


def test_runs_are_listed_with_their_state_and_a_link() -> None:
    run = runs.create(TrainConfig.of(data="synthetic-nuclei", epochs=7), preset="quick")
    app = open_home()
    text = words(app)
    assert "epoch 0 of 7" in text
    assert run.id in text
    [link] = [one.proto for one in app.get("page_link") if one.proto.label == run.id]
    assert link.query_string == f"run={run.id}"


def test_a_broken_run_is_listed_with_what_is_wrong() -> None:
    (folders.runs() / "half-written").mkdir(parents=True)
    app = open_home()
    assert "half-written" in words(app)
    assert "config.json is missing" in words(app)
    assert not app.exception


def test_more_runs_than_fit_are_behind_one_link() -> None:
    for seed in range(7):
        runs.create(TrainConfig.of(data="synthetic-nuclei", seed=seed))
    assert "All 7 runs" in words(open_home())


def test_every_shipped_model_is_named() -> None:
    text = words(open_home())
    for name in checkpoint.names():
        assert name in text
    assert datasets.info("dsb2018").title in text
