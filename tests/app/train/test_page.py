"""The train page against run directories: real files, and locks that this process holds."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from ui.shared import models, page
from ui.train import costs, form
from ui.train import table as run_table
from unet_core.base import device, folders
from unet_core.cli import main, train
from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.runs import runs, slots
from unet_core.runs.status import Status
from unet_core.training import presets
from unet_core.training.estimate import Estimate

APP = Path(__file__).resolve().parents[3] / "app.py"
QUICK = presets.preset("quick").config.replace(data="synthetic-nuclei")


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing was downloaded."""
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def make_run(
    epochs: int = 3, *, state: str = "finished", preset: str = "quick", **about
) -> runs.Run:
    """A run directory as the trainer leaves it after some epochs."""
    changes = about.pop("changes", {})
    config = QUICK.replace(**changes)
    run = runs.create(config, preset="quick")
    rows = [
        {"epoch": epoch, "train_loss": 1 / epoch, "val_loss": 1.1 / epoch,
         "train_dice": 0.9, "val_dice": 0.8 + epoch / 100, "val_soft_dice": None, "lr": 0.003,
         "images_per_second": 41.5, "seconds": 9.0}
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    steps = [
        {"step": step, "epoch": 1 + step // 30, "loss": 1 / step, "lr": 0.003,
         "images_per_second": 41.5}
        for step in range(10, 30 * epochs + 1, 10)
    ]  # fmt: skip
    append(run, "metrics.jsonl", rows)
    append(run, "steps.jsonl", steps)
    (run.path / "log.txt").write_text("it begins\nit ends\n")
    (run.path / "previews").mkdir()
    for epoch in range(1, epochs + 1):
        add_previews(run, epoch)
    if epochs:
        for name in ("best.safetensors", "last.pt"):
            (run.path / name).write_bytes(b"weights")
    about = {"epoch": epochs, "step": 30 * epochs, "best_epoch": epochs or None, "pid": 1} | about
    set_status(run, state=state, epochs=8, steps=240, **about)
    return run


def append(run: runs.Run, name: str, rows: list[dict]) -> None:
    with open(run.path / name, "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def add_previews(run: runs.Run, epoch: int) -> None:
    for index in range(4):
        for kind in ("image", "truth", f"{epoch:04d}"):
            pixels = np.full((8, 8), 10 * epoch, np.uint8)
            iio.imwrite(run.path / "previews" / f"{kind}-{index}.png", pixels)


def set_status(run: runs.Run, **about) -> None:
    now = time.time()
    runs.write_status(run, Status(created_at=now - 60, started_at=now - 50, **about))


@pytest.fixture
def alive() -> Iterator[runs.Run]:
    """A run that trains: this process holds its lock."""
    run = make_run(2, state="running", seconds_left=42.0, device="CPU, 2 cores")
    with FileLock(run.path / "lock"):
        yield run


def charts(app: AppTest) -> list[dict]:
    """The options of the charts as they travel to the browser."""
    return [json.loads(chart.proto.spec) for chart in app.get("echarts_chart")]


def open_train(**query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    for name, text in query.items():
        app.query_params[name] = text
    app.switch_page("pages/train.py").run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_without_a_run_the_page_offers_the_form_and_says_how_to_begin() -> None:
    app = open_train()
    assert app.radio(key="preset").options == list(presets.of_kind("ours"))
    assert "No run yet" in texts(app)
    assert not app.button(key="start").disabled


def test_every_recipe_stands_with_its_sentence_among_those_of_its_kind() -> None:
    app = open_train()
    shown: dict[str, str] = {}
    for kind in form.KINDS:
        app.button_group(key="kind").set_value(kind).run()
        radio = app.radio(key="preset")
        shown |= dict(zip(radio.options, radio.proto.captions, strict=True))
        assert radio.value == radio.options[0]
    assert shown == {name: one.sentence for name, one in presets.PRESETS.items()}


@pytest.mark.usefixtures("no_data")
def test_quick_falls_back_to_synthetic_nuclei_and_says_so() -> None:
    app = open_train()
    assert app.selectbox(key="data-quick").value == "synthetic-nuclei"
    assert "training on synthetic nuclei instead" in texts(app)
    assert not app.button(key="start").disabled


def test_a_link_brings_recipe_set_and_settings_and_what_is_changed_by_hand_stays() -> None:
    app = open_train(preset="dsb-binary", data="synthetic-nuclei", epochs="3", widths="8,16")
    assert app.radio(key="preset").value == "dsb-binary"
    assert app.selectbox(key="data-dsb-binary").value == "synthetic-nuclei"
    form = "new-dsb-binary-synthetic-nuclei"
    assert app.number_input(key=f"{form}-epochs").value == 3
    assert app.text_input(key=f"{form}-widths").value == "8, 16"
    assert "From the link: epochs 3, widths 8,16" in texts(app)
    app.number_input(key=f"{form}-epochs").set_value(4).run()
    assert app.number_input(key=f"{form}-epochs").value == 4
    app.radio(key="preset").set_value("nuclei").run()
    assert app.radio(key="preset").value == "nuclei"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"preset": "slow"}, "unknown preset 'slow'"),
        ({"preset": "quick", "data": "moon"}, "data set must be one of"),
        ({"preset": "quick", "epochs": "many"}, "epochs must be a whole number, got 'many'"),
    ],
)
def test_a_link_to_what_is_not_there_is_a_sentence_above_the_form(
    query: dict[str, str], sentence: str
) -> None:
    app = open_train(**query)
    assert sentence in app.error[0].value
    assert app.radio(key="preset").value == "quick"


@pytest.mark.usefixtures("no_data")
def test_a_set_that_is_not_there_says_how_to_get_it_and_cannot_start() -> None:
    app = open_train()
    app.radio(key="preset").set_value("dsb-binary").run()
    assert "data fetch dsb2018" in texts(app)
    assert app.button(key="start").disabled


def test_a_bad_value_is_named_before_the_start_and_start_is_greyed() -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    app.number_input(key="new-quick-synthetic-nuclei-batch_size").set_value(0).run()
    assert "batch_size must be at least 1, got 0" in app.error[0].value
    assert app.button(key="start").disabled
    app.number_input(key="new-quick-synthetic-nuclei-batch_size").set_value(4).run()
    assert not app.error
    assert not app.button(key="start").disabled


def test_a_set_with_classes_brings_its_own_target_and_loss() -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-shapes").run()
    assert "the target is classes" in texts(app)
    assert app.selectbox(key="new-quick-synthetic-shapes-loss").value == "cross-entropy+dice"
    assert not app.button(key="start").disabled


@pytest.mark.parametrize("data", ["synthetic-nuclei", "synthetic-shapes"])
def test_the_command_gives_the_settings_that_the_form_shows(data: str) -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value(data).run()
    app.number_input(key=f"new-quick-{data}-lr").set_value(0.01)
    app.text_input(key=f"new-quick-{data}-widths").set_value("8, 16").run()
    words = shlex.split(app.code[0].value)
    assert words[:4] == ["python", "-m", "unet_core", "train"]
    config, _ = train.configure(main.build_parser().parse_args(words[3:]))
    about = datasets.info(data)
    base, _ = presets.move(
        presets.preset("quick").config, data, has_classes=about.labels == "classes"
    )
    assert config == base.replace(lr=0.01, widths=(8, 16))


def test_a_data_folder_with_unpaired_files_is_named_and_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("images", "masks"):
        (tmp_path / "dsb2018" / "train" / part).mkdir(parents=True)
    (tmp_path / "dsb2018" / "train" / "images" / "alone.tif").write_bytes(b"")
    monkeypatch.setenv("UNET_DATA", str(tmp_path))
    app = open_train()
    assert "the image alone.tif" in app.warning[0].value
    assert app.button(key="start").disabled


def test_weights_for_another_number_of_classes_are_refused_before_the_start() -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-shapes").run()
    app.text_input(key="new-quick-synthetic-shapes-class_weights").set_value("1, 2").run()
    assert "class_weights must hold 3 numbers for background, line, ellipse" in app.error[0].value
    assert app.button(key="start").disabled


def test_a_device_that_is_not_here_is_refused_before_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = device.Surroundings(
        cuda=False, cuda_build=False, driver=False, hidden=False, mps=False, gpu_title="",
        warning="", cores=2,
    )  # fmt: skip
    monkeypatch.setattr(device, "look_around", lambda: nothing)
    page.finding_device().result(timeout=60)
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    app.selectbox(key="new-quick-synthetic-nuclei-device").set_value("cuda").run()
    assert "device cuda is not to be had here: no GPU was found" in app.error[0].value
    assert app.button(key="start").disabled


def test_time_and_memory_are_estimated_before_the_start() -> None:
    page.finding_device().result(timeout=60)
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    costs.DESK.worker.submit(int).result(timeout=120)
    time_, memory = app.run().metric
    assert re.fullmatch(r"(up|[\d.]+) to [\d.]+ (s|min|h)", time_.value)
    assert float(memory.value.removesuffix(" GB")) > 0.5


def test_a_run_remembers_what_was_expected_of_it_only_when_that_was_measured_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "start", lambda run: None)
    for is_rough, expected, shown in ((False, 90.0, "1 to 6 min"), (True, None, "1 to 10 min")):
        found = Estimate(8.0, 90.0, 10**9, is_rough=is_rough)
        answer: Future[costs.Costs] = Future()
        answer.set_result(costs.Costs(device.choose("cpu"), found, 2.0))
        monkeypatch.setattr(costs, "ask", lambda config, answer=answer: answer)
        app = open_train()
        assert app.metric[0].value == shown  # 8 + 2 x 90 seconds, with room on both sides
        assert ("Something else computes" in texts(app)) is is_rough
        app.button(key="start").click().run()
        run = runs.find(app.query_params["run"])
        assert run.status().expected_seconds == expected


def test_start_makes_one_run_also_when_pressed_twice_and_shows_it() -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    token = app.session_state["_token"]
    app.button(key="start").click().run()
    (run,) = runs.list_runs()
    assert app.query_params["run"] == run.id
    assert run.config == QUICK
    assert run.status().is_alive
    # The second click of a double click comes with the form as it was at the first.
    del app.query_params["run"]
    del app.session_state["_used_token"]
    app.session_state["_token"] = token
    app.run().button(key="start").click().run()
    assert runs.list_runs() == [run]
    run.stop()
    until = time.monotonic() + 60
    while run.status().is_alive and time.monotonic() < until:
        time.sleep(0.1)
    assert run.status().state == "stopped"


def test_a_folder_that_cannot_hold_runs_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("UNET_RUNS", str(tmp_path / "file" / "runs"))
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    app.button(key="start").click().run()
    assert not app.exception
    assert "The computer could not do this: Not a directory" in app.error[0].value


def test_after_a_start_the_form_makes_another_run() -> None:
    app = open_train()
    first = app.session_state["_token"]
    app.session_state["_used_token"] = first
    app.run()
    assert app.session_state["_token"] != first


def test_a_finished_run_shows_its_numbers_curves_and_predictions() -> None:
    run = make_run(3, seconds=75.0, best_epoch=2)
    app = open_train(run=run.id)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Validation Dice"] == "0.820"
    assert shown["Validation loss"] == "0.55"
    assert shown["Trained for"] == "1 min 15 s"
    assert shown["Time left"] == "–"
    loss, dice = charts(app)
    assert [line["name"] for line in loss["series"]] == [
        "training, each step", "training", "validation",
    ]  # fmt: skip
    assert dice["series"][1]["markPoint"]["data"] == [{"coord": [2, 0.82]}]
    assert len(app.get("image")) == 12
    assert app.select_slider[0].value == 3


def test_the_curves_of_a_run_can_be_taken_home_as_a_table_and_for_tensorboard() -> None:
    found = open_train(run=make_run().id).get("download_button")
    assert [one.proto.label for one in found] == ["Curve as CSV", "For TensorBoard"]


def test_a_finished_run_gets_more_epochs_or_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, bool]] = []
    monkeypatch.setattr(runs, "start", lambda run, resume: started.append((run.id, resume)))
    run = make_run(8)
    app = open_train(run=run.id)
    app.number_input(key="more-epochs").set_value(8)
    app.button(key="more").click().run()
    assert "epochs must be more than the run has (8), got 8" in app.error[0].value
    app.number_input(key="more-epochs").set_value(12)
    app.button(key="more").click().run()
    assert (started, run.config.optimisation.epochs) == ([(run.id, True)], 12)


def test_weights_to_start_from_must_fit_and_are_part_of_the_command() -> None:
    app = open_train()
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    field = app.selectbox(key="new-quick-synthetic-nuclei-init_from")
    assert field.options[0] == "–"
    field.set_value("nuclei").run()
    assert "init_from nuclei does not fit: its widths is 32,64,128,256" in app.error[0].value
    assert app.button(key="start").disabled
    assert any("--set init_from=nuclei" in one.value for one in app.code)


def test_a_link_trains_a_model_on_with_its_own_settings_at_a_tenth_of_the_rate() -> None:
    app = open_train(**models.fine_tuning("nuclei"))
    app.selectbox(key="data-quick").set_value("synthetic-nuclei").run()
    assert not app.exception
    form = "new-quick-synthetic-nuclei"
    assert app.selectbox(key=f"{form}-init_from").value == "nuclei"
    assert app.text_input(key=f"{form}-widths").value == "32, 64, 128, 256"
    own = checkpoint.read_config("nuclei").train.optimisation.lr
    assert app.number_input(key=f"{form}-lr").value == pytest.approx(own / 10)


def test_a_run_with_classes_shows_their_iou_first_and_dice_on_request() -> None:
    changes = {"target": "classes", "loss": "cross-entropy", "data": "synthetic-shapes"}
    run = make_run(2, changes=changes)
    scores = {"val_miou": 0.7, "val_iou_background": 0.9, "val_iou_line": 0.5, "val_ap": None}
    row = {"epoch": 3, "train_loss": 0.2, "val_loss": 0.25, "val_dice": 0.9, **scores}
    append(run, "metrics.jsonl", [row])
    set_status(run, state="finished", epoch=3, epochs=3, step=90, steps=90, best_epoch=3)
    app = open_train(run=run.id)
    assert (app.metric[0].label, app.metric[0].value) == ("Validation Mean IoU", "0.700")
    [choice] = [one for one in app.segmented_control if one.options == ["Dice", "Mean IoU"]]
    names = [line["name"] for line in charts(app)[1]["series"]]
    assert names == ["mean of the classes", "background", "line"]
    assert "in the colour of its class" in " ".join(one.value for one in app.caption)
    choice.set_value("Dice").run()
    assert "validation" in [line["name"] for line in charts(app)[1]["series"]]


def test_terms_of_a_run_and_of_the_table_of_runs_are_explained(
    unexplained: Callable[[AppTest], list[str]],
) -> None:
    run = make_run(3)
    assert unexplained(open_train(run=run.id)) == []
    assert unexplained(open_train()) == []


def test_logarithmic_loss_changes_the_axis() -> None:
    app = open_train(run=make_run().id)
    app.toggle(key="log-loss").set_value(True).run()
    assert charts(app)[0]["yAxis"]["type"] == "log"


def test_only_new_lines_are_read_and_the_newest_epoch_is_shown(alive: runs.Run) -> None:
    app = open_train(run=alive.id)
    first = app.session_state["_curves"][1]["metrics"].cursor
    row = {"epoch": 3, "train_loss": 0.2, "val_loss": 0.25, "val_dice": 0.9}
    append(alive, "metrics.jsonl", [row])
    add_previews(alive, 3)
    set_status(alive, state="running", epoch=3, epochs=8, step=90, steps=240, best_epoch=3)
    app.run()
    curve = app.session_state["_curves"][1]["metrics"]
    assert curve.cursor[1] > first[1]
    assert list(curve.frame["epoch"]) == [1, 2, 3]
    assert app.metric[0].value == "0.900"
    assert app.select_slider[0].value == 3


def test_an_epoch_that_was_gone_back_to_stays(alive: runs.Run) -> None:
    app = open_train(run=alive.id)
    app.select_slider[0].set_value(1).run()
    add_previews(alive, 3)
    app.run()
    assert app.select_slider[0].value == 1
    app.select_slider[0].set_value(3).run()
    add_previews(alive, 4)
    app.run()
    assert app.select_slider[0].value == 4


def test_a_run_that_trains_can_be_stopped_and_not_deleted(alive: runs.Run) -> None:
    app = open_train(run=alive.id)
    assert "running" in texts(app)
    assert "42 s left" in texts(app)
    assert labels(app) == ["All runs", "Stop"]
    app.button(key="stop").click().run()
    assert (alive.path / "stop").is_file()


def test_a_lost_run_says_so_and_offers_resume() -> None:
    run = make_run(2, state="running")
    app = open_train(run=run.id)
    assert "The training process ended" in app.error[0].value
    assert app.button(key="resume").label == "Resume"


def test_a_failed_run_shows_its_reason_as_a_sentence() -> None:
    app = open_train(run=make_run(0, state="failed", reason="the disk is full").id)
    assert app.error[0].value == "The disk is full."
    assert app.button(key="resume").label == "Start again"


def test_a_queued_run_shows_its_place_and_what_is_ahead(alive: runs.Run) -> None:
    waiting = make_run(0, state="queued")
    with FileLock(waiting.path / "lock"):
        slots.take_ticket(folders.runs(), waiting.path, wanted="auto", since=time.time(), pid=None)
        app = open_train(run=waiting.id)
    assert "Place 1 in the queue" in texts(app)
    assert f"Ahead: quick {alive.id[-6:]}, running. Epoch 2 of 8" in texts(app)


def test_delete_asks_first_and_then_leads_back_to_the_form() -> None:
    run = make_run(1, state="stopped")
    app = open_train(run=run.id)
    assert "cannot be undone" in texts(app)
    app.button(key="delete").click().run()
    assert not run.path.exists()
    assert "run" not in app.query_params
    assert app.radio(key="preset").value == "quick"


def test_a_link_to_a_run_that_is_gone_is_one_sentence() -> None:
    app = open_train(run="20260101-000000-quick-abcdef")
    assert "There is no run" in app.warning[0].value
    assert labels(app) == ["All runs"]


def test_a_broken_run_directory_is_a_sentence_and_can_be_deleted() -> None:
    run = make_run(1)
    (run.path / "config.json").write_text('{"epochs": ')
    app = open_train(run=run.id)
    assert "config.json cannot be used" in app.error[0].value
    assert labels(app) == ["All runs", "Delete for good"]
    assert run.id in list(open_train().dataframe[0].value["Name"])


def test_the_table_lists_runs_with_state_score_and_changes() -> None:
    make_run(3, changes={"lr": 0.01})
    make_run(0, state="failed")
    table = open_train().dataframe[0].value
    by_state = {row["State"][0]: row for _, row in table.iterrows()}
    assert set(by_state) == {"finished", "failed"}
    assert by_state["finished"]["Dice"] == pytest.approx(0.83)
    assert by_state["finished"]["Changed settings"] == "lr=0.01"
    assert by_state["finished"]["Progress"] == 100
    assert by_state["failed"]["Progress"] == 0


def test_many_runs_come_in_pages_and_are_found_by_their_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_table, "PER_PAGE", 2)
    for state in ("stopped", "finished", "failed"):
        make_run(1, state=state, changes={"lr": 0.01} if state == "finished" else {})
    newest = [run.id for run in runs.list_runs()]
    app = open_train()
    assert list(app.dataframe[0].value["Name"]) == newest[:2]
    assert "1 to 2 of 3 runs" in texts(app)
    app.pagination(key="runs-page").set_value(2).run()
    assert list(app.dataframe[0].value["Name"]) == newest[2:]
    app.text_input(key="find-runs").set_value("QUICK finished lr=0.01, nothing").run()
    assert [state[0] for state in app.dataframe[0].value["State"]] == ["finished"]
    app.text_input(key="find-runs").set_value("stopped, failed").run()
    assert len(app.dataframe[0].value) == 2
    app.text_input(key="find-runs").set_value("nothing").run()
    assert "No run has these words." in texts(app)
    assert not app.dataframe
    assert not app.exception


def test_chosen_runs_are_compared_in_one_chart_with_the_settings_that_differ() -> None:
    def compared() -> None:
        from ui.train import table as run_table
        from unet_core.runs import runs

        run_table._compare(runs.list_runs())

    longer = make_run(3, changes={"lr": 0.01})
    shorter = make_run(2, changes={"lr": 0.02})
    app = AppTest.from_function(compared, default_timeout=30).run()
    points = {line["name"]: len(line["data"]) for line in charts(app)[0]["series"]}
    assert points == {f"quick {longer.id[-6:]}": 3, f"quick {shorter.id[-6:]}": 2}
    table = app.dataframe[0].value
    assert list(table.index) == ["lr"]
    assert table[f"quick {longer.id[-6:]}"]["lr"] == "0.01"
    assert table[f"quick {shorter.id[-6:]}"]["lr"] == "0.02"


def test_a_run_that_is_broken_on_purpose_says_why_and_how_to_mend_it() -> None:
    recipe = presets.preset("broken-rate")
    run = runs.create(recipe.config.replace(data="synthetic-nuclei"), preset="broken-rate")
    app = open_train(run=run.id)
    assert recipe.wrong in texts(app)
    assert "One setting mends it: `lr=0.003`." in texts(app)
    assert "Open the form with it mended" in [one.proto.label for one in app.get("page_link")]
    mended = runs.create(run.config.replace(lr=0.003), preset="broken-rate")
    assert "This run is mended, with `lr=0.003`" in texts(open_train(run=mended.id))
    usual = runs.create(run.config.replace(lr=0.003), preset="quick")
    assert "mends it" not in texts(open_train(run=usual.id))
