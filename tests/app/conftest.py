from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_in_the_background() -> Iterator[None]:
    """A page measures in threads, which draw from torch's only generator: later tests seed it."""
    yield
    from ui import model_facts, run_form

    for worker in (model_facts._worker, run_form._worker):
        worker.submit(int).result(timeout=300)
