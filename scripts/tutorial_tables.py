"""Write the tables of the same and the different into docs/tutorials, from the presets.

    python -m scripts.tutorial_tables

They stand between two marks in each page; a test fails when they are not what this writes.
"""

from pathlib import Path

from unet_core.training import tutorials

PAGES = Path(__file__).parents[1] / "docs" / "tutorials"
BEGIN, END = "<!-- made by scripts/tutorial_tables.py -->", "<!-- end -->"


def fill(text: str, tutorial: tutorials.Tutorial) -> str:
    """The text of a page with its tables as they are now; ValueError where it has no marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{tutorial.page}.md must have the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tutorials.tables(tutorial)}\n\n{END}{after}"


def main() -> None:
    """Fill every page."""
    for tutorial in tutorials.TUTORIALS:
        path = PAGES / f"{tutorial.page}.md"
        path.write_text(fill(path.read_text(encoding="utf-8"), tutorial), encoding="utf-8")


if __name__ == "__main__":
    main()
