"""Maps that are computed when they are read: part by part, or whole and then kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..qk.source import finish
from ..sources import Shape, Weights

STEP_CELLS: Final = 1 << 17
"""Weights of one head that make a step: some 10 ms, also where they are computed."""

T = TypeVar("T")

Steps = Generator[float, None, None]
Pauses = Generator[None, None, None]

Part = Callable[[int, slice, slice, slice], NDArray[Any]]
"""Computes a block of one layer, as `Source.read` returns it but of any float dtype."""


@runtime_checkable
class SupportsPrepare(Protocol):
    """A source that has work to do before its first read."""

    def prepare(self) -> Steps:
        """Do now what the first read would do, in steps of some 50 ms at most.

        A generator that is closed leaves the source as it was.

        Yields:
            The share done, 0 … 1, rising.
        """
        ...


def prepared(att: Attention) -> Generator[float, None, Attention]:
    """Yield the share done while a map is made ready to be read, and return it."""
    if isinstance(att.source, SupportsPrepare):
        yield from att.source.prepare()
    return att


class PartSource:
    """A map whose parts are computed from parts of others, each time they are read.

    Args:
        shape: (layers, heads, queries, keys).
        part: Computes a block.
        chunk_rows: How many queries are stored, and so read, together; 0 where it is no matter.
    """

    def __init__(
        self,
        shape: Shape,
        part: Part,
        chunk_rows: int = 0,
    ) -> None:
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.chunk_rows = chunk_rows
        self._part = part

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Compute a block of one layer; see `Source.read`."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._part(layer, head, query, key).astype(np.float32, copy=False)


class WholeSource:
    """A map computed whole when first read, and kept.

    Args:
        shape: (layers, heads, queries, keys).
        steps: Computes all of it: yields the share done, returns an array of that shape.
    """

    def __init__(
        self, shape: Shape, steps: Callable[[], Generator[float, None, NDArray[Any]]]
    ) -> None:
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._steps = steps
        self._known: Weights | None = None

    def prepare(self) -> Steps:
        """Compute it, unless it is known; see `SupportsPrepare.prepare`."""
        if self._known is None:
            found = yield from self._steps()
            self._known = found.astype(np.float32).reshape(self.shape)

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        if self._known is None:
            finish(self.prepare())
        assert self._known is not None
        return self._known[layer, head, query, key]


def blocks(length: int, width: int, cells: int = STEP_CELLS) -> list[slice]:
    """All rows in slices of so few that one head of them takes some 10 ms.

    Args:
        length: How many rows there are.
        width: Numbers in one of them.
        cells: Numbers in a slice.
    """
    step = max(1, cells // max(1, width))
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def told(steps: Generator[None, None, T], share: float) -> Generator[float, None, T]:
    """Go through steps that know no share, telling one; return what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        yield share


def chunk_rows(*maps: Attention) -> int:
    """How many queries of maps are stored, and so best read, together."""
    return max(int(getattr(att.source, "chunk_rows", 0) or 0) for att in maps)
