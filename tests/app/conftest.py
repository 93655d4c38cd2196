import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import glossary


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_in_the_background() -> Iterator[None]:
    """A page measures in threads, which draw from torch's only generator: later tests seed it."""
    yield
    from ui.model import facts
    from ui.train import costs

    for worker in (facts._worker, costs.DESK.worker):
        worker.submit(int).result(timeout=300)


@pytest.fixture
def unexplained() -> Callable[[AppTest], list[str]]:
    """`unexplained(app)`: terms that stand on a page before anything there has explained them.

    From top to bottom, with what the tabs and folds hold, but for the folded explanation of the
    page. An element explains a term by its help, or in its own words. Charts are not read: what is
    drawn stands in a table or figure beside them.
    """
    return _unexplained


def _unexplained(app: AppTest) -> list[str]:
    assert not app.exception
    known: set[str] = set()
    missing: list[str] = []
    for node in _walk(app.main):
        shown, help = _shown(node), str(getattr(node.proto, "help", ""))
        said = f"{shown}\n{help}"
        known |= {term for term, sentence in glossary.TERMS.items() if sentence in said}
        label = str(getattr(node.proto, "label", ""))
        for term in glossary.find(shown):
            # A widget or figure that is called so tells in its help what it is.
            is_own = bool(help) and term in glossary.find(label)
            if term not in known and not is_own:
                missing.append(f"{term}: {shown[:80]!r}")
            known.add(term)
    return missing


def _walk(block: Any) -> Iterator[Any]:
    for child in block.children.values():
        if getattr(child, "type", "") == "expander" and "What is on" in child.proto.label:
            continue
        if hasattr(child, "children"):
            yield from _walk(child)
        else:
            yield child


def _shown(node: Any) -> str:
    """What people read of an element."""
    proto = node.proto
    parts = [str(getattr(proto, name, "")) for name in ("label", "body")]
    parts += [str(getattr(one, "content", one)) for one in getattr(proto, "options", ())]
    if node.type == "arrow_data_frame":
        parts += [str(column) for column in node.value.columns]
        parts += [str(value) for value in node.value.to_numpy().ravel()]
    return "\n".join(re.sub(r"<style>.*?</style>", "", part, flags=re.DOTALL) for part in parts)
