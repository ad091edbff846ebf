"""What several tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

import attn_widget as aw
from channel import EARLY_COMM, Channel, recording
from states import Make, attention

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Let the oldest ipywidgets and Matplotlib do what their dependencies deprecated since."""
    if EARLY_COMM:
        for message in (
            "Deprecated in traitlets 4.1",
            "The `ipykernel.comm.Comm` class has been deprecated",
            r"'\w+' (argument is )?deprecated",
        ):
            config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")


@pytest.fixture
def rows() -> Callable[..., NDArray[np.float32]]:
    """Make random weights whose rows sum to 1."""

    def make(*shape: int, seed: int = 0) -> NDArray[np.float32]:
        drawn = np.random.default_rng(seed).exponential(size=shape)
        return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True), dtype=np.float32)

    return make


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """The page's end of the channels opened during a test."""
    with recording(monkeypatch) as channel:
        yield channel


@pytest.fixture
def make() -> Iterator[Make]:
    """Make widgets that are closed at the end."""
    made: list[aw.AttentionWidget] = []

    def widget(maps: Any = None, **state: Any) -> aw.AttentionWidget:
        made.append(aw.AttentionWidget(attention() if maps is None else maps, **state))
        return made[-1]

    yield widget
    for one in made:
        one.close()
