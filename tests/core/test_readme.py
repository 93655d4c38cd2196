"""What README and docs/NEWCOMER.md say about the code is true."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_core.base.config import TrainConfig
from unet_core.training import presets
from unet_core.training.presets import Preset

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
NEWCOMER = (REPOSITORY / "docs" / "NEWCOMER.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+\?) \| (\S+) \| `(\S+)` \| `(\w+)` \|$", NEWCOMER, re.MULTILINE)


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def listed_paths() -> list[str]:
    """The paths in README's picture of the folders; what is indented lies in the folder above."""
    (picture,) = [block for block in blocks("") if block.startswith("app.py")]
    paths, parent = [], ""
    for line in picture.splitlines():
        names = [word for word in line[:24].split() if re.fullmatch(r"\w+(\.py|/)", word)]
        if not line.startswith(" "):
            parent = names[0]
            paths.append(parent)
        else:
            paths += [parent + name for name in names]
    return paths


def defined_names(path: Path) -> set[str]:
    """Functions, methods and classes of a module."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_the_python_of_the_readme_runs_as_it_stands(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    pixels_HW = rng.integers(0, 40, (64, 64)).astype(np.uint8)
    pixels_HW[10:26, 10:26] += 200
    pixels_HW[40:56, 30:46] += 200
    tifffile.imwrite(tmp_path / "cells.tif", pixels_HW)
    monkeypatch.chdir(tmp_path)
    # A recipe of the same name that takes a second.
    monkeypatch.setitem(presets.PRESETS, "quick", Preset(sentence="", config=tiny))
    names: dict[str, object] = {}
    found = blocks("python")
    assert len(found) == 2
    for block in found:
        exec(block, names)
    assert np.max(names["labels"]) == 2  # type: ignore[arg-type]
    assert 0 <= names["f1"] <= 1  # type: ignore[operator]


def test_the_folders_in_the_readme_are_those_that_there_are() -> None:
    listed = listed_paths()
    assert [path for path in listed if not (REPOSITORY / path).exists()] == []
    for parent in ("unet_core", "ui"):
        there = {
            f"{path.parent.relative_to(REPOSITORY)}/"
            for path in (REPOSITORY / parent).glob("*/__init__.py")
        }
        assert there <= set(listed)


def test_there_are_ten_questions_about_all_packages() -> None:
    assert len(ROWS) == 10
    assert {path.split("/")[1] for _, _, path, _ in ROWS} >= {
        path.name
        for path in (REPOSITORY / "unet_core").iterdir()
        if (path / "__init__.py").exists()
    }


@pytest.mark.parametrize(("question", "package", "module", "name"), ROWS)
def test_the_answer_to_a_question_is_where_it_says(
    question: str, package: str, module: str, name: str
) -> None:
    assert any(path.endswith(f"{package}/") for path in listed_paths())
    assert f"/{package}/" in f"/{module}"
    assert name in defined_names(REPOSITORY / module)


def test_the_readme_leads_to_the_questions_and_every_file_it_names_exists() -> None:
    assert "](docs/NEWCOMER.md)" in README
    for text, folder in ((README, REPOSITORY), (NEWCOMER, REPOSITORY / "docs")):
        links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
        assert [link for link in links if not (folder / link).exists()] == []
