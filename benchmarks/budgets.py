"""How long a person waits: the times that the project promises, each beside its budget.

The first point of a run's curve (every preset), a whole `quick` run, the statistics of DSB 2018
without a cache, and the scores of the shipped network on its test images, each as a fresh command.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record

from unet_core.network import checkpoint
from unet_core.training.presets import PRESETS


def main() -> None:
    """Measure everything, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = {
            **os.environ,
            "UNET_DATA": str(record.data_folder()),
            "UNET_RUNS": str(place / "runs"),
            "UNET_CACHE": str(place / "cache"),
        }
        numbers: dict[str, object] = {
            "first_point_seconds": {
                name: first_point(name, place, environment) for name in PRESETS
            },
            "first_point_budget_seconds": 15,
            "quick_run_seconds": seconds(
                ["train", "--preset", "quick", "--run", str(place / "quick")], environment
            ),
            "quick_run_budget_seconds": 120,
            "quick_run_dice": last_dice(place / "quick"),
            "statistics_seconds": seconds(["data", "stats", "dsb2018"], environment),
            "statistics_again_seconds": seconds(["data", "stats", "dsb2018"], environment),
            "statistics_budget_seconds": 15,
        }
        if "nuclei" in checkpoint.names():
            command = ["evaluate", "--model", "nuclei", "--data", "dsb2018", "--split", "test"]
            numbers["evaluate_test_seconds"] = seconds([*command, "--json"], environment)
            numbers["evaluate_test_budget_seconds"] = 120
    record.save("budgets", numbers)


def first_point(preset: str, place: Path, environment: dict[str, str]) -> float:
    """Seconds from the command to the first line of the curve; the run is ended then."""
    run = place / f"first-{preset}"
    command = [sys.executable, "-m", "unet_core", "train", "--preset", preset, "--run", str(run)]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=record.REPOSITORY, env=environment, stdout=subprocess.DEVNULL
    )
    steps = run / "steps.jsonl"
    while process.poll() is None and not (steps.is_file() and steps.stat().st_size):
        time.sleep(0.02)
    taken = time.perf_counter() - start
    process.kill()
    process.wait()
    if not steps.is_file():
        raise SystemExit(f"the run {preset} ended before its first step")
    shutil.rmtree(run)
    return round(taken, 1)


def seconds(arguments: list[str], environment: dict[str, str]) -> float:
    """How long a command takes from its start to its end."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "unet_core", *arguments],
        cwd=record.REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return round(time.perf_counter() - start, 1)


def last_dice(run: Path) -> list[float]:
    """The validation Dice after each epoch."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [round(json.loads(line)["val_dice"], 4) for line in lines]


if __name__ == "__main__":
    main()
