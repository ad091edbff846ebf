"""What a source may do faster than reading: overviews, previews, work where the weights are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

Picks = tuple[int, Sequence[int], Sequence[int], Sequence[int]]
"""A layer; and the heads, queries and keys to take of it, each in order."""


@dataclass(frozen=True)
class Overview:
    """One head, pooled into ``(rows, cols)`` cells; position ``i`` of ``n`` is in ``i*rows//n``."""

    max: NDArray[np.float32]
    """(rows, cols): the weight of largest magnitude in each cell, with its sign."""
    mean: NDArray[np.float32]
    """(rows, cols): the mean weight of each cell."""
    totals: NDArray[np.float64]
    """(K,): the weight of each key, summed over all queries."""
    entropy: NDArray[np.float64] | None
    """(Q,): the entropy of each row in nats; None where it is not known."""


@runtime_checkable
class SupportsOverview(Protocol):
    """A source that reduces a whole head by itself."""

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        """Reduce a head in steps of some 50 ms at most, in bounded memory.

        Args:
            layer: the layer.
            head: the head.
            rows: cells on the query side, at most Q.
            cols: cells on the key side, at most K.

        Yields:
            The share done, 0..1, rising.

        Returns:
            The overview, float32 or better.
        """
        ...


@runtime_checkable
class SupportsSteps(Protocol):
    """A source that reads every n-th query at once."""

    def read_every(self, layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float32]:
        """Read some queries of one layer.

        Args:
            layer: the layer.
            head: the heads, a slice of step 1 within bounds.
            query: the queries, a slice of any positive step within bounds.
            key: the keys, a slice of step 1 within bounds.

        Returns:
            float32 ``(heads, queries, keys)``.
        """
        ...


@runtime_checkable
class SupportsPreview(Protocol):
    """A source that knows roughly what a part looks like, at once."""

    def preview(
        self, layer: int, head: int, query: slice, key: slice, rows: int, cols: int
    ) -> tuple[NDArray[np.float32], str]:
        """Return the mean weight of the cells of a part, roughly, within about 0.3 s.

        Args:
            layer: the layer.
            head: the head.
            query: the queries, a slice of step 1 within bounds.
            key: the keys, likewise.
            rows: cells on the query side.
            cols: cells on the key side.

        Returns:
            float32 ``(rows, cols)``, and a few words on how it was made ("from every 64th query").
        """
        ...


@runtime_checkable
class SupportsReduction(Protocol):
    """A source that reduces any part by itself, several heads merged."""

    def reduce(
        self,
        layer: int,
        heads: Sequence[int],
        combine: str,
        query: slice,
        key: slice,
        size: tuple[int, int],
        most: int | None = None,
    ) -> Generator[float, None, tuple[Overview, int]]:
        """Reduce a part in steps of some 50 ms at most, in bounded memory.

        Args:
            layer: the layer.
            heads: the heads, at least one.
            combine: ``"mean"`` or ``"max"`` of several heads.
            query: the queries, a slice of step 1 within bounds.
            key: the keys, likewise.
            size: cells on either side, at most as many as positions.
            most: about how many weights are enough, where it is no matter if queries are left out.

        Yields:
            The share done, 0..1, rising.

        Returns:
            The overview of the part, and how many queries it was made from.
        """
        ...


@runtime_checkable
class SupportsElsewhere(Protocol):
    """A source whose weights are elsewhere: functions go to them, and their results come back."""

    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]

    def read(self, layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float32]:
        """Read a block of one layer."""
        ...

    def select(self, picks: Sequence[Sequence[int]]) -> SupportsElsewhere:
        """Return a part: for layers, heads, queries and keys ascending indices."""
        ...

    def gather(
        self, layer: int, heads: Sequence[int], queries: Sequence[int], keys: Sequence[int]
    ) -> NDArray[np.float32]:
        """Read the weights at some heads, queries and keys in one go, float32, and no others."""
        ...

    def elsewhere(
        self, function: Callable[[Any], T], parts: Sequence[Picks]
    ) -> Generator[float, None, list[T]]:
        """Call a function with each of some parts, where the weights are.

        Args:
            function: importable there; it is given an array ``(heads, queries, keys)``.
            parts: what it is given.

        Yields:
            The share done, 0..1, rising, at least every 50 ms.

        Returns:
            What it returned for each part.
        """
        ...

    def largest(self, layer: int) -> float:
        """Return the largest finite magnitude of a layer."""
        ...


@runtime_checkable
class SupportsOutput(Protocol):
    """A source that may know what its layers do with what its weights add up."""

    def output(self, layer: int, head: int) -> object | None:
        """Return a head's part ``(Dv, D)`` of the output matrix; None where it is not known.

        It is applied from the right, and an array of any library.

        Args:
            layer: the layer.
            head: the head.
        """
        ...


@runtime_checkable
class SupportsValues(Protocol):
    """A source that may know the values that its weights add up."""

    def values(self, layer: int, head: int, key: slice) -> NDArray[np.floating[Any]] | None:
        """Return the values ``(keys, D)`` that a head reads; None where they are not known.

        Args:
            layer: the layer.
            head: the head.
            key: the keys, a slice of step 1 within bounds.
        """
        ...
