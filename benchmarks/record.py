"""What the benchmark scripts share: a clock, the crowded image, results as JSON with their origin.

It also makes unet_core importable, so that `python benchmarks/<script>.py` needs no setting.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
sys.path.insert(0, str(REPOSITORY))


def median_milliseconds(
    function: Callable[[], object],
    repeats: int = 20,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The median time of a call, after one that is not counted.

    With `time.process_time` as the clock, what other programs take from the machine is left out.
    """
    function()
    taken = []
    for _ in range(repeats):
        start = clock()
        function()
        taken.append(clock() - start)
    return round(1000 * statistics.median(taken), 2)


def data_folder() -> Path:
    """Where dsb2018/ and isbi2012/ lie: $UNET_DATA, ./data, or a shared folder beside this one."""
    places = [os.environ.get("UNET_DATA"), REPOSITORY / "data", REPOSITORY.parent / "shared/data"]
    for place in places:
        if place and (Path(place) / "dsb2018").is_dir():
            return Path(place)
    raise SystemExit("This benchmark measures on real data: set UNET_DATA to its folder.")


def crowded_nuclei() -> tuple[np.ndarray, np.ndarray, str]:
    """Image, labels and name of the DSB training image with the most nuclei (369 in 520x696)."""
    masks = data_folder() / "dsb2018" / "train" / "masks"
    path = max(sorted(masks.glob("*.tif")), key=lambda path: len(np.unique(tifffile.imread(path))))
    return tifffile.imread(masks.parent / "images" / path.name), tifffile.imread(path), path.stem


def save(name: str, numbers: dict[str, object]) -> None:
    """Print the numbers, and write them with machine, date and commit to results/<name>.json."""
    text = json.dumps({"numbers": numbers, **origin()}, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def origin() -> dict[str, object]:
    """Machine, date and commit of what was measured."""
    return {
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
    }


def machine() -> dict[str, object]:
    """Processor, cores, load and versions, for times mean nothing without."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def commit(tree: Path = REPOSITORY) -> str:
    """The commit that was measured; "+" says that files had been changed since."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--exclude=*", "--dirty=+"],
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
