"""The order of imports, read from the code: pages -> ui -> unet_core, and packages inside."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# The parts of the app: each may import itself and what stands to its right.
PARTS = ("pages", "ui", "unet_core")

# The packages of the core: each may import itself and what stands to its left.
PACKAGES = "base imaging data network predict training scoring runs cli".split()

# A page that only shows tables and pictures must not wait for torch; neither must a command that
# refuses a mistake, nor a process that waits for its turn.
WITHOUT_TORCH = ("base", "imaging", "data", "runs", "cli")
WITHOUT_TORCH_BESIDE = (
    "network.anatomy network.checkpoint predict.batch predict.export predict.recipe "
    "training.presets scoring.published"
).split()


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


def packages_in(part: str) -> list[str]:
    return sorted(path.parent.name for path in (REPOSITORY / part).glob("*/__init__.py"))


def imported_packages(path: Path, part: str) -> set[str]:
    """The packages of a part that a file imports from."""
    return {name.split(".")[1] for name in imports(path) if name.startswith(f"{part}.")} & set(
        packages_in(part)
    )


def core_modules(package: str) -> list[Path]:
    return sorted((REPOSITORY / "unet_core" / package).glob("[!_]*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def test_every_package_of_the_core_has_its_place() -> None:
    assert packages_in("unet_core") == sorted(PACKAGES)
    loose = {path.name for path in (REPOSITORY / "unet_core").glob("*.py")}
    assert loose == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_imports_against_the_order_of_the_parts(path: Path) -> None:
    part = path.relative_to(REPOSITORY).parts[0]
    above = PARTS[: PARTS.index(part)] if part in PARTS else ()
    forbidden = {*above, "app", "tests", "benchmarks"}
    if part == "unet_core":
        forbidden.add("streamlit")
    assert {name.split(".")[0] for name in imports(path)} & forbidden == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    above = set(PACKAGES[PACKAGES.index(package) + 1 :])
    wrong = {
        path.name: found
        for path in (REPOSITORY / "unet_core" / package).glob("*.py")
        if (found := imported_packages(path, "unet_core") & above)
    }
    assert wrong == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_package_do_not_import_each_other_in_a_circle(package: str) -> None:
    graph = {
        dotted(path): imports(path) & {dotted(other) for other in core_modules(package)}
        for path in core_modules(package)
    }
    while graph:
        leaves = {module for module, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"these import each other: {sorted(graph)}"
        graph = {module: needs for module, needs in graph.items() if module not in leaves}


@pytest.mark.parametrize("page", [one for one in packages_in("ui") if one != "shared"])
def test_a_page_imports_no_other_page(page: str) -> None:
    for path in (REPOSITORY / "ui" / page).glob("*.py"):
        assert imported_packages(path, "ui") <= {page, "shared"}, path.name


def test_what_pages_share_imports_no_page() -> None:
    for path in (REPOSITORY / "ui" / "shared").rglob("*.py"):
        assert imported_packages(path, "ui") <= {"shared"}, path.name


def test_modules_without_torch_do_not_load_it() -> None:
    modules = [dotted(path) for package in WITHOUT_TORCH for path in core_modules(package)]
    modules += [f"unet_core.{name}" for name in WITHOUT_TORCH_BESIDE]
    # One process for all is quicker by far; it ends at the first module that brings torch along.
    code = (
        "import importlib, sys\n"
        f"for name in {modules}:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules: sys.exit(f'{name} imports torch')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
