"""Which device is taken, and whether the reason names the true cause."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unet_core.base import cache, device
from unet_core.base.device import Surroundings, choose, decide_device, why_no_gpu
from unet_core.cli import main
from unet_core.runs import process


def surroundings(**changes: object) -> Surroundings:
    nothing = {
        "cuda": False,
        "cuda_build": False,
        "driver": False,
        "hidden": False,
        "mps": False,
        "gpu_title": "",
        "warning": "",
        "cores": 2,
    }
    return Surroundings(**{**nothing, **changes})  # type: ignore[arg-type]


GPU = {"cuda": True, "cuda_build": True, "driver": True, "gpu_title": "A100, 80 GiB"}


@pytest.mark.parametrize(
    ("choice", "found", "name"),
    [
        ("auto", {}, "cpu"),
        ("auto", GPU, "cuda"),
        ("auto", {"mps": True}, "mps"),
        ("cpu", GPU, "cpu"),
        ("cuda", {**GPU, "mps": True}, "cuda"),
        ("mps", {**GPU, "mps": True}, "mps"),
    ],
)
def test_a_gpu_is_taken_unless_another_device_is_asked_for(
    choice: str, found: dict, name: str
) -> None:
    assert decide_device(choice, surroundings(**found)).name == name


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "no GPU was found"),
        ({"driver": True, "cuda_build": True, "hidden": True}, "CUDA_VISIBLE_DEVICES"),
        ({"driver": True}, "this PyTorch has no CUDA"),
        ({"driver": True, "cuda_build": True, "warning": "driver too old"}, "driver too old"),
        ({"driver": True, "cuda_build": True}, "nvidia-smi"),
    ],
)
def test_the_reason_for_the_cpu_names_the_cause(found: dict, words: str) -> None:
    assert words in decide_device("auto", surroundings(**found)).reason
    assert words in why_no_gpu(surroundings(**found))


@pytest.mark.parametrize("choice", ["cuda", "mps"])
def test_asking_for_a_gpu_that_is_not_there_is_an_error_and_not_the_cpu(choice: str) -> None:
    with pytest.raises(ValueError, match=f"device {choice} is not to be had here"):
        decide_device(choice, surroundings())


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(ValueError, match="got 'tpu'"):
        decide_device("tpu", surroundings())


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (None, ["0", "1", "2"]),
        ("", []),
        ("-1", []),
        ("1", ["1"]),
        (" 2, GPU-5f", ["2", "GPU-5f"]),
        ("2,-1,0", ["2"]),
        ("-1,0", []),
        ("2,,0", ["2"]),
    ],
)
def test_each_slot_shows_torch_its_own_visible_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str | None, names: list[str]
) -> None:
    for name in "012":
        (tmp_path / name).mkdir()
    monkeypatch.setattr(device, "DRIVER_GPUS", tmp_path)

    def surround() -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed or "")  # so that it is undone at the end
        if listed is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    surround()
    slots = device.slots()
    assert slots == ([f"cuda-{index}" for index in range(len(names))] or ["cpu"])
    assert device.slots("cpu") == ["cpu"]
    shown = []
    for slot in slots:
        surround()
        process._use_slot(slot)
        shown.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
    assert shown == (names or [listed])


def test_this_machine_has_a_device_that_torch_can_use() -> None:
    import torch

    found = choose()
    assert torch.ones(2, device=found.name).sum().item() == 2
    assert found.title
    assert found.reason


def test_a_cpu_without_bfloat16_never_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a busy machine may time it."""
    monkeypatch.setattr(device, "_has_bfloat16", lambda: False)
    monkeypatch.setattr(device, "_time_bfloat16", lambda: True)
    device.bfloat16_pays.cache_clear()
    assert not device.use_bfloat16("cpu", "auto")
    assert device.use_bfloat16("cpu", "bfloat16")


def test_bfloat16_is_timed_once_on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[bool] = []
    monkeypatch.setattr(device, "_has_bfloat16", lambda: True)
    monkeypatch.setattr(device, "_time_bfloat16", lambda: not timed.append(True))
    monkeypatch.setattr(cache, "_memory", {})
    answers = []
    for _ in range(3):  # three processes
        device.bfloat16_pays.cache_clear()
        cache._memory.clear()
        answers.append(device.use_bfloat16("cpu"))
    assert (answers, len(timed)) == ([True] * 3, 1)
    device.bfloat16_pays.cache_clear()


NICE = """
import os, threading
from unet_core.base import device
over = threading.Event()
threading.Thread(target=over.wait).start()
device.give_way()
device.give_way()
threads = [int(name) for name in os.listdir("/proc/self/task")]
print({os.getpriority(os.PRIO_PROCESS, one) for one in threads})
over.set()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux has niceness by thread")
@pytest.mark.parametrize("is_started_by_a_page", [True, False])
def test_all_threads_give_way_to_a_page_and_none_to_a_terminal(is_started_by_a_page: bool) -> None:
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if is_started_by_a_page:
        niceness = max(niceness, device.NICENESS)
    done = subprocess.run(
        [sys.executable, "-c", NICE],
        start_new_session=is_started_by_a_page,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == f"{{{niceness}}}", done.stderr


def test_threads_that_wait_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert main.main(["data", "list"]) == 0
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_a_way_of_waiting_that_somebody_has_chosen_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    device.share_cores()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
