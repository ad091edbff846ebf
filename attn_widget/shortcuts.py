"""What a part of a source still does beside reading, where it keeps all keys."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from .mechanisms.steps import Steps, SupportsMechanism, SupportsPanels
from .overview import (
    Overview,
    Picks,
    SupportsElsewhere,
    SupportsOutput,
    SupportsOverview,
    SupportsPreview,
    SupportsReduction,
    SupportsSteps,
    SupportsValues,
)
from .reduction import largest_magnitude

T = TypeVar("T")

OFFERS: Final[tuple[tuple[type[Any], tuple[str, ...]], ...]] = (
    (SupportsOverview, ("overview",)),
    (SupportsSteps, ("read_every",)),
    (SupportsPreview, ("preview",)),
    (SupportsReduction, ("reduce",)),
    (SupportsElsewhere, ("gather", "elsewhere", "largest")),
    (SupportsValues, ("values",)),
    (SupportsOutput, ("output",)),
)

EXPLAINS: Final[tuple[tuple[type[Any], str], ...]] = (
    (SupportsMechanism, "steps"),
    (SupportsPanels, "panels"),
)


def offers(
    source: object,
    layers: Sequence[int],
    heads: Sequence[int],
    queries: Sequence[int] | None,
) -> dict[str, Callable[..., Any]]:
    """Return what a part of a source that has all keys offers beside reading.

    Args:
        source: the whole.
        layers: those of the part.
        heads: those of the part.
        queries: those of the part; None for all. How weights come about is told of any.
    """
    rows = range(cast(Any, source).shape[2]) if queries is None else queries
    explained = _Explained(source, layers, heads, rows)
    found = {
        name: getattr(explained, name) for offer, name in EXPLAINS if isinstance(source, offer)
    }
    if queries is None:
        picked = _Picked(source, layers, heads)
        for offer, names in OFFERS:
            if isinstance(source, offer):
                found |= {name: getattr(picked, name) for name in names}
    return found


class _Explained:
    """Some layers, heads and queries of a source that tells how its weights come about."""

    def __init__(
        self, source: Any, layers: Sequence[int], heads: Sequence[int], queries: Sequence[int]
    ) -> None:
        self._source = source
        self._layers, self._heads, self._queries = layers, heads, queries

    def steps(self, layer: int, head: int, query: int, keys: Sequence[int]) -> Steps:
        found: Steps = self._source.steps(*self._place(layer, head, query), keys)
        return found

    def panels(self, layer: int, head: int, query: int, keys: Sequence[int]) -> tuple[Steps, ...]:
        found: tuple[Steps, ...] = self._source.panels(*self._place(layer, head, query), keys)
        return found

    def _place(self, layer: int, head: int, query: int) -> tuple[int, int, int]:
        return self._layers[layer], self._heads[head], self._queries[query]


class _Picked:
    """Some layers and heads of a source; of the methods, only those it has may be called."""

    def __init__(self, source: Any, layers: Sequence[int], heads: Sequence[int]) -> None:
        self._source = source
        self._layers = layers
        self._heads = heads

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        steps: Generator[float, None, Overview] = self._source.overview(
            self._layers[layer], self._heads[head], rows, cols
        )
        return steps

    def read_every(self, layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float32]:
        blocks = [
            self._source.read_every(self._layers[layer], slice(one, one + 1), query, key)
            for one in self._heads[head]
        ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def preview(
        self, layer: int, head: int, query: slice, key: slice, rows: int, cols: int
    ) -> tuple[NDArray[np.float32], str]:
        found: tuple[NDArray[np.float32], str] = self._source.preview(
            self._layers[layer], self._heads[head], query, key, rows, cols
        )
        return found

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
        steps: Generator[float, None, tuple[Overview, int]] = self._source.reduce(
            self._layers[layer], self._taken(heads), combine, query, key, size, most
        )
        return steps

    def gather(
        self, layer: int, heads: Sequence[int], queries: Sequence[int], keys: Sequence[int]
    ) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._source.gather(
            self._layers[layer], self._taken(heads), queries, keys
        )
        return found

    def elsewhere(
        self, function: Callable[[Any], T], parts: Sequence[Picks]
    ) -> Generator[float, None, list[T]]:
        taken = [(self._layers[part[0]], self._taken(part[1]), *part[2:]) for part in parts]
        steps: Generator[float, None, list[T]] = self._source.elsewhere(function, taken)
        return steps

    def largest(self, layer: int) -> float:
        _, count, queries, keys = self._source.shape
        heads = set(self._heads)
        if len(heads) == count:
            return float(self._source.largest(self._layers[layer]))
        every = range(queries), range(keys)
        parts = [(self._layers[layer], [head], *every) for head in sorted(heads)]
        steps = self._source.elsewhere(largest_magnitude, parts)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return max(end.value, default=0.0)

    def values(self, layer: int, head: int, key: slice) -> NDArray[np.floating[Any]] | None:
        found: NDArray[np.floating[Any]] | None = self._source.values(
            self._layers[layer], self._heads[head], key
        )
        return found

    def output(self, layer: int, head: int) -> object | None:
        found: object | None = self._source.output(self._layers[layer], self._heads[head])
        return found

    def _taken(self, heads: Sequence[int]) -> list[int]:
        return [self._heads[head] for head in heads]
