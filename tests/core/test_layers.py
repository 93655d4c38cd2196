"""The order of imports, read from the code itself: pages -> ui -> unet_core, and levels inside."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# A module of a higher level may import those of lower levels and of its own, without a circle.
LEVELS = {
    1: "catalogue config presets published settings",
    2: "archive cache device calibration formats stacks truth images synthetic shapes targets "
    "weight_map augment model losses metrics matching connectomics instances measure patches "
    "pixel_scores object_groups "
    "class_map pairs recipe "
    "overlay records faults anatomy",
    3: "samples datasets patch_set download statistics checkpoint inference batches slots status "
    "runs jobs draws features stretching",
    4: "engine range_test estimate evaluation predictions landscape tuning ladder export batch "
    "costs",
    5: "stopping recorder worker training commands tune_command range_command cli",
}
LEVEL = {module: level for level, names in LEVELS.items() for module in names.split()}

# A page that only shows tables and pictures must not wait for torch.
WITHOUT_TORCH = (
    "archive catalogue config presets cache device calibration formats stacks truth images "
    "class_map synthetic shapes matching instances measure weight_map samples datasets download "
    "statistics records slots status runs jobs overlay export checkpoint targets patches patch_set "
    "published anatomy connectomics recipe settings"
).split()

# The parts of the app: each may import itself and what stands to its right.
PARTS = ("pages", "ui", "unet_core")


def source_files() -> list[Path]:
    return [
        REPOSITORY / "app.py",
        *sorted(path for part in PARTS for path in (REPOSITORY / part).rglob("*.py")),
    ]


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    package = path.relative_to(REPOSITORY).parent.parts
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*start, *filter(None, [node.module])))
            names |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return names


def core_modules() -> list[str]:
    return [path.stem for path in sorted((REPOSITORY / "unet_core").glob("[!_]*.py"))]


def core_imports(module: str) -> set[str]:
    """The unet_core modules that one of them imports at any place."""
    found = imports(REPOSITORY / "unet_core" / f"{module}.py")
    return {name.split(".")[1] for name in found if name.startswith("unet_core.")} & set(LEVEL)


def test_every_core_module_has_a_level() -> None:
    assert set(core_modules()) - set(LEVEL) == set()


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_imports_against_the_order_of_the_parts(path: Path) -> None:
    part = path.relative_to(REPOSITORY).parts[0]
    above = PARTS[: PARTS.index(part)] if part in PARTS else ()
    forbidden = {*above, "app", "tests", "benchmarks"}
    if part == "unet_core":
        forbidden.add("streamlit")
    assert {name.split(".")[0] for name in imports(path)} & forbidden == set()


@pytest.mark.parametrize("module", core_modules())
def test_no_core_module_imports_from_a_higher_level(module: str) -> None:
    assert {name for name in core_imports(module) if LEVEL[name] > LEVEL[module]} == set()


def test_core_imports_have_no_circle() -> None:
    graph = {module: core_imports(module) for module in core_modules()}
    while graph:
        leaves = {module for module, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"these import each other: {sorted(graph)}"
        graph = {module: needs for module, needs in graph.items() if module not in leaves}


def test_modules_without_torch_do_not_load_it() -> None:
    modules = [name for name in core_modules() if name in WITHOUT_TORCH]
    # One process for all is quicker by far; it ends at the first module that brings torch along.
    code = (
        "import importlib, sys\n"
        f"for name in {modules}:\n"
        "    importlib.import_module(f'unet_core.{name}')\n"
        "    if 'torch' in sys.modules: sys.exit(f'{name} imports torch')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
