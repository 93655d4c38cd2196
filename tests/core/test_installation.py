"""`pip install .`: the library, its weights and its command, far from the checkout."""

import ast
import json
import os
import re
import shutil
import site
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

REPOSITORY = Path(__file__).resolve().parents[2]
# Names on the index that differ from those that are imported.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "lazy_loader": "lazy-loader",
    "bioimageio": "bioimageio.spec",
}
# Packages that others import for us: PyTorch writes ONNX files with two, bioimageio.spec needs one.
INDIRECT = {"onnx", "onnxscript", "pydantic"}
SMALL = "crop_size=32, batch_size=2, epochs=1, steps_per_epoch=2, val_images=1, device='cpu'"


@dataclass(frozen=True)
class Installation:
    """An environment in which the library lies as pip puts it, and the folder to work in."""

    wheel: Path
    programs: Path
    folder: Path

    def run(self, program: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYTHON", "UNET"))
        }
        return subprocess.run(
            [self.programs / program, *words],
            cwd=self.folder,
            env=environment | variables | {"UNET_CACHE": str(self.folder / "cache")},
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Built from a copy, for building writes beside the sources; nothing is downloaded."""
    place = tmp_path_factory.mktemp("installation")
    source = place / "source"
    nothing_compiled = shutil.ignore_patterns("__pycache__")
    for name in ("unet_core", "checkpoints"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=nothing_compiled)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index"]
    build = ["wheel", *alone, "--no-build-isolation", "-w", str(place), str(source)]
    subprocess.run([*pip, *build], check=True, timeout=120)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", symlinks=os.name != "nt")
    programs = place / "env" / ("Scripts" if os.name == "nt" else "bin")
    into = ["--python", str(programs / "python"), "install", *alone, "--no-compile", str(wheel)]
    subprocess.run([*pip, *into], check=True, timeout=120)
    # What the library needs is taken from the environment of the tests.
    ours = subprocess.run(
        [programs / "python", "-c", "import site; print(site.getsitepackages()[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = "\n".join(site.getsitepackages())
    (Path(ours.stdout.strip()) / "tests.pth").write_text(theirs)
    folder = place / "empty"
    folder.mkdir()
    return Installation(wheel, programs, folder)


def test_the_command_segments_from_any_folder_with_a_shipped_model(
    installed: Installation, rng: np.random.Generator
) -> None:
    pixels_HW = rng.integers(0, 40, (64, 80)).astype(np.uint8)
    pixels_HW[20:36, 30:46] += 200
    tifffile.imwrite(installed.folder / "cells.tif", pixels_HW)
    done = installed.run("unet-workbench", "segment", "cells.tif", "--model", "nuclei", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["files"][0]["objects"] == 1
    code = (
        "import unet_core, numpy; pixels = unet_core.read_image('cells.tif').pixels;"
        "labels = unet_core.load('nuclei').segment(pixels);"
        "stored = unet_core.read_image('cells_labels.tif').pixels;"
        "print(unet_core.__file__, numpy.array_equal(labels, stored))"
    )
    done = installed.run("python", "-c", code)
    assert done.stderr == ""
    assert done.stdout.startswith(str(installed.programs.parent))
    assert done.stdout.endswith(" True\n")


def test_a_run_that_is_started_from_an_installation_trains(
    installed: Installation, tiny_data: Path
) -> None:
    code = (
        "import time; from unet_core.runs import recipes, runs;"
        "config = recipes.choose('quick', 'dsb2018')[0];"
        f"run = runs.start(runs.create(config.replace({SMALL})));"
        "end = time.monotonic() + 100\n"
        "while run.status().state in ('queued', 'running') and time.monotonic() < end:"
        " time.sleep(0.05)\n"
        "print(run.status().state, run.status().reason, run.has_weights())"
    )
    done = installed.run("python", "-c", code, UNET_DATA=str(tiny_data))
    assert (done.stderr, done.stdout) == ("", "finished  True\n")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["unet-workbench"], "unet-workbench"),
        (["python", "-m", "unet_core"], "python -m unet_core"),
    ],
    ids=["command", "module"],
)
def test_the_usage_names_the_program_as_it_was_called(
    installed: Installation, words: list[str], name: str
) -> None:
    assert installed.run(*words, "--help").stdout.startswith(f"usage: {name} [-h]")
    done = installed.run(*words, "segment")
    assert done.returncode == 2
    assert done.stderr.endswith(f"see {name} segment --help\n")


def test_the_wheel_holds_the_whole_library_and_nothing_else(installed: Installation) -> None:
    packed = {
        name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name
    }
    expected = {
        path.relative_to(REPOSITORY).as_posix()
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in (REPOSITORY / "unet_core").rglob(pattern)
    }
    shipped = {
        f"unet_core/checkpoints/{path.name}" for path in (REPOSITORY / "checkpoints").iterdir()
    }
    assert packed == expected | shipped


def test_dependencies_are_what_the_library_imports_and_each_has_a_tried_version() -> None:
    imported = set()
    for path in (REPOSITORY / "unet_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    needed = (imported | INDIRECT) - set(sys.stdlib_module_names) - {"unet_core"}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    named = {re.split("[<>=]", line)[0] for lines in lists for line in lines}
    assert named == {DISTRIBUTIONS.get(name, name) for name in needed}
    pinned = {
        line.partition("==")[0]
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (REPOSITORY / name).read_text().splitlines()
    }
    assert named <= pinned
