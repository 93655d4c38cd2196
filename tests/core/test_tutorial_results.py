"""The tutorials' measured figures: each with its own origin, none in another's place."""

import json
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results" / "tutorials"


@pytest.fixture
def tutorials(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    monkeypatch.setattr(sys, "path", list(sys.path))  # the scripts add the repository
    import tutorials

    return tutorials


def test_every_result_lies_with_its_tutorial_and_says_where_it_comes_from(tutorials) -> None:
    for path in RESULTS.glob("*.json"):
        assert (REPOSITORY / "docs" / "tutorials" / f"{path.stem}.md").exists()
        for label, entry in json.loads(path.read_text()).items():
            assert tutorials.PAGES[label.partition(":")[0]] == path.stem
            assert {"numbers", "commands", "machine", "date", "commit"} <= set(entry)
            assert entry["commands"]


def test_every_protocol_has_its_page(tutorials) -> None:
    from unet_core.scoring.protocols import PROTOCOLS

    assert set(tutorials.PAGES) == set(PROTOCOLS)


def test_a_run_takes_its_own_place_but_not_another_s(tutorials, tmp_path: Path) -> None:
    path = tmp_path / "new" / "dl4mia.json"
    tutorials.keep(path, "dl4mia", {"weights_sha256": "a", "numbers": 1})
    tutorials.keep(path, "dl4mia:wide", {"weights_sha256": "b", "numbers": 2})
    tutorials.keep(path, "dl4mia", {"weights_sha256": "a", "numbers": 3})
    with pytest.raises(ValueError, match="another run as 'dl4mia': give this one a note"):
        tutorials.keep(path, "dl4mia", {"weights_sha256": "b", "numbers": 4})
    found = json.loads(path.read_text())
    assert {label: entry["numbers"] for label, entry in found.items()} == {
        "dl4mia": 3,
        "dl4mia:wide": 2,
    }
