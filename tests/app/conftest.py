from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_in_the_background() -> Iterator[None]:
    """A page measures in threads, which draw from torch's only generator: later tests seed it."""
    yield
    from ui.model import facts
    from ui.train import costs

    for worker in (facts._worker, costs.DESK.worker):
        worker.submit(int).result(timeout=300)
