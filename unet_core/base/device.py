"""Where the network computes, and why there: a GPU that is silently not used costs people days."""

import functools
import hashlib
import itertools
import os
import platform
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unet_core.base import cache

NICENESS = 3  # a third of a core that another program wants, and two thirds for the other
DRIVER_GPUS = Path("/proc/driver/nvidia/gpus")  # a folder for each


@dataclass(frozen=True, kw_only=True)
class Device:
    """A place to compute: its torch name, its name for people, and why it was taken."""

    name: str  # "cuda", "mps" or "cpu"
    title: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What decides the device, as found by `look_around`."""

    cuda: bool  # PyTorch can use an NVIDIA GPU
    cuda_build: bool  # PyTorch was installed with CUDA
    driver: bool  # the NVIDIA driver is installed
    hidden: bool  # CUDA_VISIBLE_DEVICES hides every GPU
    mps: bool  # PyTorch can use an Apple GPU
    gpu_title: str
    warning: str  # what PyTorch said while it looked
    cores: int


def choose(choice: str = "auto") -> Device:
    """The device for a setting "auto", "cuda", "mps" or "cpu" on this machine; imports torch.

    Raises ValueError when the choice is unknown, or is not to be had here.
    """
    return decide_device(choice, look_around())


def decide_device(choice: str, found: Surroundings) -> Device:
    """The device for a choice in given surroundings; "auto" prefers a GPU."""
    if choice not in ("auto", "cuda", "mps", "cpu"):
        raise ValueError(f"device must be auto, cuda, mps or cpu, got {choice!r}")
    cpu = f"CPU, {found.cores} core" + "s" * (found.cores != 1)
    if choice == "cpu":
        return Device(name="cpu", title=cpu, reason="the CPU was asked for")
    if found.cuda and choice != "mps":
        return Device(name="cuda", title=found.gpu_title, reason="PyTorch can use this GPU")
    if found.mps and choice != "cuda":
        return Device(name="mps", title="Apple GPU", reason="PyTorch can use this GPU")
    if choice == "cuda":
        raise ValueError(f"device cuda is not to be had here: {why_no_gpu(found)}")
    if choice == "mps":
        raise ValueError("device mps is not to be had here: PyTorch finds no Apple GPU")
    return Device(name="cpu", title=cpu, reason=why_no_gpu(found))


def why_no_gpu(found: Surroundings) -> str:
    """The likeliest reason why PyTorch finds no GPU, and what helps."""
    if found.hidden:
        return "CUDA_VISIBLE_DEVICES hides the GPUs; unset it to use one"
    if found.driver and not found.cuda_build:
        return "there is an NVIDIA GPU, but this PyTorch has no CUDA; install one from pytorch.org"
    if found.driver and found.warning:
        return f"there is an NVIDIA GPU, but PyTorch says: {found.warning}"
    if found.driver:
        return "there is an NVIDIA driver, but it shows no GPU; see what nvidia-smi says"
    return "no GPU was found"


def look_around() -> Surroundings:
    """What torch and the system say about GPUs here; takes a second the first time."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cuda = torch.cuda.is_available()
    return Surroundings(
        cuda=cuda,
        cuda_build=torch.version.cuda is not None,
        driver=os.path.exists("/proc/driver/nvidia/version") or bool(shutil.which("nvidia-smi")),
        hidden=visible_gpus() == [],
        mps=torch.backends.mps.is_available(),
        gpu_title=_gpu_title() if cuda else "",
        warning=str(caught[0].message).split("\n")[0] if caught else "",
        cores=count_cores(),
    )


def count_cores() -> int:
    """The CPU cores that this process may use, which a container makes fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores() -> None:
    """Let threads sleep while they wait for each other; to be called before torch is imported.

    By themselves OpenMP's threads spin. As soon as another program wants a core, too, they take it
    from the very thread that they wait for. Whoever has set OMP_WAIT_POLICY is obeyed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def give_way() -> None:
    """Leave the cores to the interface first, when a page has started this process.

    Linux counts niceness for each thread, and those that are there already keep theirs: all are
    told, or the others would wait for the one that was. Told again, as by a notebook that trains
    several times, they stay where they are.
    """
    if not hasattr(os, "getsid") or os.getsid(0) != os.getpid():
        return
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        os.nice(max(0, NICENESS - os.nice(0)))
        return
    for thread in threads.iterdir():
        number = int(thread.name)
        with suppress(OSError):  # it has just ended
            if os.getpriority(os.PRIO_PROCESS, number) < NICENESS:
                os.setpriority(os.PRIO_PROCESS, number, NICENESS)


def is_busy() -> bool:
    """Whether other work fills the cores, as the last minute tells; False where nobody says."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] >= count_cores()


def free_bytes(device: str) -> int | None:
    """The memory that a run could still take on a device; None where nobody says."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def _gpu_title() -> str:
    import torch

    about = torch.cuda.get_device_properties(0)
    count = torch.cuda.device_count()
    more = f", the first of {count}" if count > 1 else ""
    return f"{about.name}, {about.total_memory / 2**30:.0f} GiB{more}"


def slots(wanted: str = "auto") -> list[str]:
    """The names of the places where one run at a time may train; without importing torch.

    One for each NVIDIA GPU that the driver lists (and `CUDA_VISIBLE_DEVICES` lets through), else
    the CPU as a whole.
    """
    if wanted == "cpu":
        return ["cpu"]
    count = len(list(DRIVER_GPUS.iterdir())) if DRIVER_GPUS.is_dir() else 0
    visible = visible_gpus()
    if visible is not None:
        count = min(count, len(visible))
    return [f"cuda-{index}" for index in range(count)] or ["cpu"]


def visible_gpus() -> list[str] | None:
    """The GPUs that `CUDA_VISIBLE_DEVICES` lets through, as it names them; None where it is unset.

    What stands behind an empty name or -1 is hidden, too: so CUDA reads it.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return None
    names = (name.strip() for name in listed.split(","))
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))


def use_bfloat16(device: str, wanted: str = "auto") -> bool:
    """What a wanted precision ("auto", "float32", "bfloat16") means on a device of this machine.

    Whoever trains asks once and keeps to the answer: a run must not change its numbers on the way.
    """
    return wanted == "bfloat16" or (wanted == "auto" and bfloat16_pays(device))


@functools.cache
def bfloat16_pays(device: str) -> bool:
    """Whether a training step is clearly faster in bfloat16; the same answer at every start.

    GPUs from the year 2020 on have it in hardware, as the driver says. A CPU without it emulates it
    ten times slower, so it is not even tried there. One with it is timed once on each machine.
    """
    import torch

    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if device != "cpu" or not _has_bfloat16():
        return False
    facts = f"{platform.node()} {_cpu_title()} {torch.__version__}"
    key = hashlib.sha256(facts.encode()).hexdigest()
    found = cache.remember("bfloat16", key, lambda: {"pays": np.array(_time_bfloat16())})
    return bool(found["pays"])


def _has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16 itself."""
    import torch

    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _cpu_title() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), platform.processor())


def _time_bfloat16() -> bool:
    """Whether a small convolution is faster in bfloat16: the best of five, taken in turns."""
    import torch

    image = torch.randn(2, 32, 96, 96).contiguous(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(32, 32, 3, padding=1)
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def seconds(bfloat16: bool) -> float:
        start = time.perf_counter()
        with precision("cpu", bfloat16=bfloat16):
            layer(image).float().square().mean().backward()
        return time.perf_counter() - start

    pairs = [(seconds(True), seconds(False)) for _ in range(6)][1:]  # the first also prepares
    return min(one for one, _ in pairs) < 0.8 * min(other for _, other in pairs)


@contextmanager
def precision(device: str, *, bfloat16: bool) -> Iterator[None]:
    """Compute inside in bfloat16 where it may be used, else in float32."""
    import torch

    with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
        yield
