"""Label images with all that can go wrong when objects become outlines."""

import numpy as np
import pytest

_RING = [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 2, 1], [1, 1, 1, 1]]  # a hole, and an object in it
_CORNER_HOLES = [[3, 3, 3, 3], [3, 0, 3, 3], [3, 3, 0, 3], [3, 3, 3, 0]]  # they meet, one is open
_PARTS = [[5, 5, 0, 0, 5], [0, 0, 5, 0, 5], [4, 0, 0, 0, 9], [4, 4, 0, 7, 7]]
_DRAWN = {"ring": _RING, "corner holes": _CORNER_HOLES, "parts": _PARTS}


def _random(seed: int) -> np.ndarray:
    """Every fifth is fine noise, the others are coarse; all touch each other and the edge."""
    rng = np.random.default_rng(seed)
    labels_HW = rng.integers(0, rng.integers(2, 6), rng.integers(1, 14, 2)) * 7
    return labels_HW if seed % 5 == 0 else np.kron(labels_HW, np.ones((3, 2), int))


CASES = {
    "none": np.zeros((3, 4), int),
    "one pixel": np.eye(1, dtype=int),
    "all": np.full((3, 5), 70_000),
    **{name: np.array(drawn) for name, drawn in _DRAWN.items()},
    **{f"random {seed}": _random(seed) for seed in range(20)},
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def any_labels(request: pytest.FixtureRequest) -> np.ndarray:
    """Objects that touch, have holes, several parts, one pixel, and lie at the edge."""
    return request.param
