"""Write the tables of the same and the different into docs/tutorials, from the presets.

    python -m scripts.tutorial_tables

They stand between two marks in each page; a test fails when they are not what this writes. What the
changes do was measured by benchmarks/changes.py.
"""

import json
from pathlib import Path

from unet_core.training import tutorials

REPOSITORY = Path(__file__).parents[1]
PAGES = REPOSITORY / "docs" / "tutorials"
MEASURED = REPOSITORY / "benchmarks" / "results" / "changes"
BEGIN, END = "<!-- made by scripts/tutorial_tables.py -->", "<!-- end -->"


def fill(text: str, tutorial: tutorials.Tutorial) -> str:
    """The text of a page with its tables as they are now; ValueError where it has no marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{tutorial.page}.md must have the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tutorials.tables(tutorial, effects())}\n\n{END}{after}"


def effects() -> dict[str, tutorials.Effects]:
    """What was measured of our changes, by the original's name."""
    found = {}
    for path in sorted(MEASURED.glob("*.json")):
        measured = json.loads(path.read_text(encoding="utf-8"))
        noise, small = measured["noise"], ", ".join(f"`{one}`" for one in measured["small"])
        found[path.stem] = tutorials.Effects(
            f"each gain is that of this change alone, on a small scale ({small}), in "
            f"{measured['score']}: {measured['original']:.3f} for the original; mean of two seeds "
            f"with and without it. What is below {noise:.3f} is noise, and a larger scale may "
            "differ.",
            {
                title: f"{gain:+.3f}" if abs(gain) < noise else f"**{gain:+.3f}**"
                for title, gain in measured["gains"].items()
            },
        )
    return found


def main() -> None:
    """Fill every page."""
    for tutorial in tutorials.TUTORIALS:
        path = PAGES / f"{tutorial.page}.md"
        path.write_text(fill(path.read_text(encoding="utf-8"), tutorial), encoding="utf-8")


if __name__ == "__main__":
    main()
