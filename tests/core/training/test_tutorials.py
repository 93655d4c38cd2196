"""The tutorials' settings beside our presets, and the pages that show them."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts import tutorial_tables
from unet_core.training import tutorials
from unet_core.training.presets import PRESETS
from unet_core.training.tutorials import TUTORIALS, Fact

PAGES = Path(__file__).parents[3] / "docs" / "tutorials"


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda one: one.page)
def test_the_tables_of_a_page_are_those_of_the_presets(tutorial: tutorials.Tutorial) -> None:
    text = (PAGES / f"{tutorial.page}.md").read_text(encoding="utf-8")
    assert text == tutorial_tables.fill(text, tutorial), "run python -m scripts.tutorial_tables"


def test_a_preset_that_drifts_from_its_tutorial_needs_a_reason() -> None:
    first = TUTORIALS[0]
    drifted = Fact("optimiser", "SGD", ("optimizer=sgd",))
    with pytest.raises(ValueError, match="segmentation-with-u-net differs in 'optimiser': say why"):
        tutorials.tables(replace(first, facts=(drifted,)), {})
    table = tutorials.tables(replace(first, facts=(replace(drifted, why="Adam is quicker"),)), {})
    assert "| optimiser | SGD | Adam is quicker |" in table.partition("Different:")[2]


def test_every_faithful_preset_belongs_to_a_tutorial_and_has_one_of_ours_beside_it() -> None:
    faithful = {name for name, one in PRESETS.items() if one.kind == "original"}
    assert faithful == {name for one in TUTORIALS for name in one.presets}
    for name in faithful:
        assert PRESETS[name.removesuffix("-original")].kind == "ours"
        assert tutorials.changes(name)


def test_nothing_is_called_the_same_by_the_facts_of_another_recipe() -> None:
    for tutorial in TUTORIALS:
        ours = PRESETS[tutorial.presets[0].removesuffix("-original")].config
        assert any(fact.settings and tutorials.differs(fact, ours) for fact in tutorial.facts)


def test_what_mends_a_broken_preset_changes_it_and_is_said_with_a_reason() -> None:
    broken = {name: one for name, one in PRESETS.items() if name.startswith("broken-")}
    assert len(broken) == 9
    for one in broken.values():
        assert one.kind == "broken"
        assert one.wrong
        assert one.config.with_text(one.mend) != one.config
