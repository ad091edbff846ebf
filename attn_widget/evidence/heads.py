"""Every head of a map in numbers, read in blocks of bounded size however long the map is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..maps import as_attention
from ..pooling import spread
from ..streams import BLOCK_CELLS, read_queries, row_blocks, sampled_rows
from ..tasks import run_steps
from .places import Places, places_of
from .record import STATISTICS, HeadStatistics
from .similarity import MOST_ROWS, MeanDistance
from .sums import HeadSums

EXACT_CELLS: Final = 1 << 28
"""Maps of up to so many weights are read whole: some ten seconds."""

LEAST_QUERIES: Final = 32
"""Queries read of each head at least."""

PAIR_CELLS: Final = 1 << 26
"""Weights of pairs of heads compared in a layer."""

_READING: Final = 0.8
"""Share of the work that reading takes, beside comparing heads."""

_TALL: Final = 16
"""Queries of a head read in one go, before several heads are."""

_SLOWER: Final = 4
"""How many times less than is read at once otherwise: a weight takes longer here."""

_INTEGERS: Final = ("sink_position", "slash_offset", "not_finite")

T = TypeVar("T")


def describe(
    att: Attention | Any,
    *,
    tokens: Iterable[Hashable | None] | None = None,
    causal: bool | None = None,
    queries: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> HeadStatistics:
    """Return statistics of every head: entropy, sinks, distances, patterns, shares, likeness.

    Maps of up to 2²⁸ weights are read whole; of larger ones queries spread evenly, and the record
    says so. Memory stays bounded; weights from queries and keys are computed block by block.

    Args:
        att: a map, or an array that can become one.
        tokens: the token at each key, text or ids, for copies of tokens; the labels of the map if
            None, of which special ones count as no token.
        causal: whether no query may attend to a later key: such rows are measured against the keys
            up to their own. None takes it from the source, or sees it from the weights.
        queries: how many queries to read of each head; None decides by size.
        progress: told the share done, 0..1, now and then.

    Raises:
        ValueError: if ``queries`` is no count or ``tokens`` do not fit.
    """
    steps = describe_steps(att, tokens=tokens, causal=causal, queries=queries)
    return run_steps(steps, progress)


def describe_steps(
    att: Attention | Any,
    *,
    tokens: Iterable[Hashable | None] | None = None,
    causal: bool | None = None,
    queries: int | None = None,
    distances: bool = True,
) -> Generator[float, None, HeadStatistics]:
    """Do the work of :func:`describe` in short steps; closing the generator stops it.

    Args:
        att: as for :func:`describe`, like ``tokens``, ``causal`` and ``queries``.
        tokens: see there.
        causal: see there.
        queries: see there.
        distances: whether heads are compared with each other; else their distances are NaN.

    Yields:
        The share done, 0..1, rising.

    Returns:
        The record.
    """
    attention = as_attention(att)
    layers, heads, count, keys = attention.shape
    rows = _rows(attention, queries)
    places = places_of(attention, tokens)
    pairs = rows[spread(len(rows), _pair_rows(heads, keys))] if distances else rows[:0]
    found: list[LayerNumbers] = []
    apart = np.full((layers, heads, heads), np.nan)
    for layer in range(layers):
        reading = read_layer(attention, layer, rows, places, causal)
        found.append((yield from _scaled(reading, layer / layers, _READING / layers)))
        if len(pairs):
            comparing = _compare_layer(attention, layer, pairs)
            before, part = (layer + _READING) / layers, (1 - _READING) / layers
            apart[layer] = yield from _scaled(comparing, before, part)
    return HeadStatistics(
        name=attention.name,
        shape=attention.shape,
        queries=rows,
        exact=len(rows) == count,
        unit=places.unit,
        sinks=tuple(numbers.sinks for numbers in found),
        distances=apart,
        distance_queries=len(pairs),
        **{name: _stacked(name, found, heads) for name in STATISTICS},
    )


@dataclass(frozen=True)
class LayerNumbers:
    """What the heads of one layer come to."""

    statistics: dict[str, NDArray[Any]]
    """Each statistic of `HeadStatistics`, (heads,)."""
    sinks: tuple[tuple[int, ...], ...]
    """The sinks of each head."""
    received: NDArray[np.float64]
    """(K,) the weight of each key, its mean over heads and the queries read."""


def read_layer(
    attention: Attention,
    layer: int,
    rows: NDArray[np.intp],
    places: Places,
    causal: bool | None = None,
) -> Generator[float, None, LayerNumbers]:
    """Read some queries of one layer in short steps, and sum them up.

    Args:
        attention: the map.
        layer: the layer.
        rows: ascending queries.
        places: where its positions stand.
        causal: see :func:`describe`.

    Yields:
        The share done, 0..1, rising.
    """
    _, heads, _, keys = attention.shape
    parts: list[dict[str, NDArray[Any]]] = []
    sinks: list[tuple[int, ...]] = []
    received = np.zeros(keys)
    together = max(1, min(heads, BLOCK_CELLS // (max(1, keys) * max(1, min(len(rows), _TALL)))))
    for start in range(0, heads, together):
        group = slice(start, min(start + together, heads))
        count = group.stop - group.start
        sums = HeadSums(count, keys, places, signed=attention.kind == "score")
        blocks = row_blocks(attention, rows, max(1, count * keys) * _SLOWER)
        for done, part in enumerate(blocks, 1):
            sums.add(part, read_queries(attention, layer, group, part, slice(0, keys)))
            yield (start + count * done / len(blocks)) / heads
        numbers, here = sums.numbers(causal)
        parts.append(numbers)
        sinks += here
        received += sums.received / heads
    joined = {name: np.concatenate([part[name] for part in parts]) for name in STATISTICS if parts}
    return LayerNumbers(joined, tuple(sinks), received)


def _compare_layer(
    attention: Attention, layer: int, rows: NDArray[np.intp]
) -> Generator[float, None, NDArray[np.float64]]:
    """Return how far the heads of a layer are from each other."""
    _, heads, _, keys = attention.shape
    mean = MeanDistance(heads)
    done = 0
    for part in row_blocks(attention, rows, max(1, heads * keys)):
        block = read_queries(attention, layer, slice(0, heads), part, slice(0, keys))
        for row in range(len(part)):
            for _ in mean.add(block[:, row]):
                yield done / len(rows)
            done += 1
    return mean.value()


def _rows(attention: Attention, wanted: int | None) -> NDArray[np.intp]:
    """Return the queries to read of each head."""
    layers, heads, count, keys = attention.shape
    if wanted is None:
        wanted = max(LEAST_QUERIES, EXACT_CELLS // max(1, layers * heads * keys))
    elif isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise ValueError(f"queries must be an int of at least 1; got {wanted!r}")
    return sampled_rows(attention, slice(0, count), wanted, max(1, heads * keys))


def _pair_rows(heads: int, keys: int) -> int:
    """Return on how many queries the heads of a layer are compared."""
    return max(1, min(MOST_ROWS, 2 * PAIR_CELLS // max(1, heads * heads * keys)))


def _stacked(name: str, layers: Sequence[LayerNumbers], heads: int) -> NDArray[Any]:
    """Return a statistic of all layers, (L, H)."""
    kind = np.int64 if name in _INTEGERS else np.float64
    if not heads or not layers:
        return np.zeros((len(layers), heads), kind)
    return np.stack([layer.statistics[name] for layer in layers]).astype(kind)


def _scaled(
    steps: Generator[float, None, T], start: float, length: float
) -> Generator[float, None, T]:
    """Run some steps as a part of longer ones."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        yield start + length * share
