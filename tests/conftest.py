"""What several tests share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def rows() -> Callable[..., NDArray[np.float32]]:
    """Make random weights whose rows sum to 1."""

    def make(*shape: int, seed: int = 0) -> NDArray[np.float32]:
        drawn = np.random.default_rng(seed).exponential(size=shape)
        return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True), dtype=np.float32)

    return make
