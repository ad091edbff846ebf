"""What a view needs of a map, as arrays: whole maps, layers, rows, and the strongest edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import protocol
from .attention import Attention
from .codec import wire_dtype
from .filters import Edges, Filter, join_edges, merge_heads, select_edges, take_edges
from .overview import SupportsElsewhere
from .pooling import spread
from .scale import full_value

FULL_VALUE_BYTES: Final = 64 * 1024 * 1024

FOG_FINE: Final = 512
"""Most blocks of pooled weight along the side where lines of one token still lie together."""

FOG_COARSE: Final = 32
"""Most blocks of it along the other side."""

LINE_BYTES: Final = 18
"""What a line takes in a message: query, key, head, weight and strength."""

FOG_ROOM: Final = protocol.MESSAGE_BYTES - protocol.EDGES_LIMIT * LINE_BYTES - 150_000
"""Bytes of pooled weight in a message that also holds the most lines drawn one by one."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Block:
    """Weights of ``layers`` × all heads × ``queries`` × all keys (half-open ranges).

    ``full`` holds, for each layer, the magnitude that is drawn at full strength.
    """

    layers: tuple[int, int]
    queries: tuple[int, int]
    weights: NDArray[np.float32]
    full: list[float]


@dataclass(frozen=True)
class Haze:
    """Weight beyond the edges drawn one by one: summed strength, ``(H, rows, cols)``.

    ``query`` and ``key`` hold the same weight, pooled finely along that side and coarsely along the
    other.
    """

    heads: list[int]
    strength: NDArray[np.float32]
    query: NDArray[np.float32]
    key: NDArray[np.float32]


def can_merge_words(attention: Attention) -> bool:
    """Return whether sub-words of the map can be merged: words are known, and sums mean something.

    Scores before softmax can't be summed.
    """
    known = attention.queries.words is not None or attention.keys.words is not None
    return known and attention.kind != "score"


def element_bytes(attention: Attention) -> int:
    """Return the bytes one weight takes on the wire."""
    return 2 if wire_dtype(attention.dtype) == "f2" else 4


def block_plan(
    attention: Attention, layer: int, focus: int = 0, room: int = protocol.LAYER_BYTES
) -> tuple[slice, slice]:
    """Return the layers and queries to send unasked, so that what is on screen can be drawn.

    The whole map if it is small, else the layer, else some rows of it; no rows where one row of all
    heads is more than a message can hold.

    Args:
        attention: the map.
        layer: the layer shown.
        focus: a query near which rows are wanted when a layer is too large to send.
        room: bytes that may be sent.
    """
    layers, heads, queries, keys = attention.shape
    row_bytes = heads * keys * element_bytes(attention)
    layer_bytes = row_bytes * queries
    if layer_bytes * layers <= min(protocol.WHOLE_BYTES, room):
        return slice(0, layers), slice(0, queries)
    if layer_bytes <= min(protocol.LAYER_BYTES, room):
        return slice(layer, layer + 1), slice(0, queries)
    count = min(protocol.ROWS_BYTES, room) // row_bytes
    if row_bytes <= room:
        count = max(count, 1)
    start = max(0, min(focus - count // 4, queries - count))
    return slice(layer, layer + 1), slice(start, start + count)


def read_block(attention: Attention, layers: slice, queries: slice) -> Block:
    """Read a block of the map, float32 ``(layers, heads, queries, keys)``."""
    weights = attention[layers, :, queries, :]
    full = [
        layer_full_value(attention, layer, weights[index])
        for index, layer in enumerate(range(layers.start, layers.stop))
    ]
    return Block((layers.start, layers.stop), (queries.start, queries.stop), weights, full)


def layer_full_value(
    attention: Attention, layer: int, known: NDArray[np.float32] | None = None
) -> float:
    """Return the magnitude a layer draws at full strength, the same whichever heads are shown.

    ``known`` is the part already read. The rest is read only while the layer is of moderate size;
    beyond that the scale is that of the part known. Where none is, it is that of 16 queries a head,
    and 1 for weights.
    """
    _, heads, queries, keys = attention.shape
    large = heads * queries * keys * 4 > FULL_VALUE_BYTES
    if known is not None and (known.shape == (heads, queries, keys) or large):
        return full_value(known, attention.kind)
    if 0 in attention.shape:
        return 1.0
    parts = [slice(0, queries)]
    if heads * queries * keys > protocol.EDGES_CELLS:
        if attention.kind == "weight":
            return 1.0
        parts = [slice(row, row + 1) for row in spread(queries, 16).tolist()]
    elif isinstance(attention.source, SupportsElsewhere):
        return full_value(np.array([attention.source.largest(layer)]), attention.kind)
    largest = np.zeros((heads, len(parts)), np.float32)
    for head in range(heads):
        for place, rows in enumerate(parts):
            weights = attention.source.read(layer, slice(head, head + 1), rows, slice(0, keys))
            largest[head, place] = np.abs(weights[np.isfinite(weights)]).max(initial=0.0)
    return full_value(largest, attention.kind)


def read_rows(
    attention: Attention, layer: int, side: str, start: int, stop: int
) -> NDArray[np.float32]:
    """Read all heads of some queries ``(H, n, K)``, or of some keys ``(H, Q, n)``."""
    if side == "query":
        return attention[layer, :, start:stop, :]
    return attention[layer, :, :, start:stop]


def layer_edges(
    attention: Attention,
    layer: int,
    heads: Sequence[int],
    filters: Filter,
    *,
    full: float = 1.0,
) -> Edges:
    """Return every line of a layer that the filters keep; see :func:`select_edges`."""
    return join_edges(list(edge_parts(attention, layer, heads, filters, full=full)))


def edge_parts(
    attention: Attention,
    layer: int,
    heads: Sequence[int],
    filters: Filter,
    *,
    full: float = 1.0,
    only: tuple[str, Sequence[int]] | None = None,
    keys: int | None = None,
) -> Iterator[Edges]:
    """Yield the lines of a layer head by head, or all at once where heads are merged.

    No more than one head is held at a time; see :func:`select_edges`.
    """
    if not len(heads):
        return
    if filters.combine == "each":
        parts = ((head, attention[layer, head : head + 1, :, :]) for head in heads)
    else:
        merged = merge_heads((attention[layer, head, :, :] for head in heads), filters.combine)
        parts = ((head, merged) for head in heads[:1])
    for head, weights in parts:
        yield select_edges(
            weights,
            [head],
            filters,
            full=full,
            query_special=attention.queries.special,
            key_special=attention.keys.special,
            only=only,
            keys=keys,
        )


def read_heads(attention: Attention, layer: int, heads: Sequence[int]) -> NDArray[np.float32]:
    """Read some heads of a layer, ``(len(heads), Q, K)``."""
    _, count, queries, keys = attention.shape
    if len(heads) == 0:
        return np.zeros((0, queries, keys), np.float32)
    if list(heads) == list(range(count)):
        return attention[layer, :, :, :]
    return np.stack([attention[layer, head, :, :] for head in heads])


def fog_sizes(queries: int, keys: int, heads: int) -> tuple[Size, Size, Size]:
    """Return the blocks of pooled weight: rows and columns, in the middle, by query and by key.

    Sides are halved in turn, so that blocks still lie within one another, until those of ``heads``
    heads fit into a message.
    """
    most = [protocol.FOG_CELLS, FOG_COARSE, FOG_FINE]
    turn = 0
    while True:
        middle, coarse, fine = most
        sizes = (
            (min(queries, middle), min(keys, middle)),
            (min(queries, fine), min(keys, coarse)),
            (min(queries, coarse), min(keys, fine)),
        )
        # Two bytes a cell; and the number of the head, which the request repeats.
        each = 2 * sum(rows * cols for rows, cols in sizes) + 16
        if heads * each <= FOG_ROOM or max(most) == 1:
            return sizes
        most[turn % 3] = max(1, most[turn % 3] // 2)
        turn += 1


class Strongest:
    """The ``limit`` strongest lines of a view one by one, and the rest pooled into blocks.

    Args:
        limit: most lines kept one by one, at least 0; of equals, those that come first.
        queries: length of the query axis.
        keys: length of the key axis.
        heads: how many heads may have lines; of very many, blocks are larger.
    """

    def __init__(self, limit: int, queries: int, keys: int, heads: int = 1) -> None:
        self._limit = limit
        self._size = queries, keys
        self._sizes = fog_sizes(queries, keys, heads)
        self._pooled: dict[int, list[NDArray[np.float64]]] = {}
        self.edges = join_edges([])
        """The strongest of all lines added; the accounts are those of all."""

    def add(self, part: Edges) -> None:
        """Take in some lines."""
        both = join_edges([self.edges, part])
        chosen = _most(both.strength, self._limit)
        self.edges, weak = take_edges(both, chosen), take_edges(both, ~chosen)
        for head in np.unique(weak.head).tolist():
            mine = weak.head == head
            lines = weak.query[mine], weak.key[mine], weak.strength[mine]
            found = _pools(*lines, self._size, self._sizes)
            known = self._pooled.get(head)
            self._pooled[head] = found if known is None else [*map(np.add, known, found)]

    def haze(self) -> Haze:
        """Return all lines but the strongest, pooled."""
        numbers = sorted(self._pooled)
        strength, query, key = (
            np.asarray([self._pooled[number][i] for number in numbers], dtype=np.float32).reshape(
                len(numbers), *size
            )
            for i, size in enumerate(self._sizes)
        )
        return Haze(numbers, strength, query, key)


def _pools(
    query: NDArray[Any],
    key: NDArray[Any],
    strength: NDArray[Any],
    size: Size,
    sizes: Sequence[Size],
) -> list[NDArray[np.float64]]:
    """Return the summed strength of lines on axes of some ``size``, in blocks of some ``sizes``."""
    finest = min(size[0], FOG_FINE), min(size[1], FOG_FINE)
    if len(query) > finest[0] * finest[1]:
        # All other blocks are made of the finest ones: many lines are gone through only once.
        fine = _pooled(query, key, strength, size, finest)
        query, key = np.nonzero(fine)
        strength, size = fine[query, key], finest
    return [_pooled(query, key, strength, size, blocks) for blocks in sizes]


def _pooled(
    query: NDArray[Any], key: NDArray[Any], strength: NDArray[Any], size: Size, blocks: Size
) -> NDArray[np.float64]:
    rows, cols = blocks
    cell = _blocks(size[0], rows)[query] * cols + _blocks(size[1], cols)[key]
    sums = np.bincount(cell, strength, minlength=rows * cols)
    return np.asarray(sums, dtype=np.float64).reshape(blocks)


def _blocks(length: int, blocks: int) -> NDArray[np.intp]:
    """Return the block of each position of an axis."""
    return np.arange(length, dtype=np.intp) * blocks // max(length, 1)


def strongest_edges(
    parts: Iterable[Edges], limit: int, queries: int, keys: int
) -> tuple[Edges, Haze]:
    """Split lines, in any number of parts, into the strongest and the rest.

    See :class:`Strongest`.
    """
    strongest = Strongest(limit, queries, keys)
    for part in parts:
        strongest.add(part)
    return strongest.edges, strongest.haze()


def _most(strength: NDArray[np.float32], limit: int) -> NDArray[np.bool_]:
    """Mark the ``limit`` largest; of equals, the first."""
    count = len(strength)
    if count <= limit:
        return np.ones(count, dtype=bool)
    if limit == 0:
        return np.zeros(count, dtype=bool)
    least = np.partition(strength, count - limit)[count - limit]
    chosen: NDArray[np.bool_] = strength > least
    equal = np.flatnonzero(strength == least)
    chosen[equal[: limit - int(chosen.sum())]] = True
    return chosen
