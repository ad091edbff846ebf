"""What a view needs of a map, as arrays: whole maps, layers, rows, and the strongest edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import protocol
from .attention import Attention
from .filters import Edges, Filter, select_edges
from .methods import merge_words
from .scale import full_value

_FULL_VALUE_BYTES: Final = 64 * 1024 * 1024


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
    """Weight beyond the edges drawn one by one: summed strength, ``(H, rows, cols)``."""

    heads: list[int]
    strength: NDArray[np.float32]


def can_merge_words(attention: Attention) -> bool:
    """Return whether sub-words of the map can be merged: words are known, and sums mean something.

    Scores before softmax can't be summed.
    """
    known = attention.queries.words is not None or attention.keys.words is not None
    return known and attention.kind != "score"


def element_bytes(attention: Attention) -> int:
    """Return the bytes one weight takes on the wire."""
    return 2 if attention.dtype == np.float16 else 4


def block_plan(attention: Attention, layer: int, focus: int = 0) -> tuple[slice, slice]:
    """Return the layers and queries to send unasked, so that what is on screen can be drawn.

    Args:
        attention: the map.
        layer: the layer shown.
        focus: a query near which rows are wanted when a layer is too large to send.
    """
    layers, heads, queries, keys = attention.shape
    row_bytes = heads * keys * element_bytes(attention)
    layer_bytes = row_bytes * queries
    if layer_bytes * layers <= protocol.WHOLE_BYTES:
        return slice(0, layers), slice(0, queries)
    if layer_bytes <= protocol.LAYER_BYTES:
        return slice(layer, layer + 1), slice(0, queries)
    count = max(1, min(queries, protocol.ROWS_BYTES // max(1, row_bytes)))
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
    beyond that the scale is that of the part known.
    """
    _, heads, queries, keys = attention.shape
    large = heads * queries * keys * 4 > _FULL_VALUE_BYTES
    if known is not None and (known.shape == (heads, queries, keys) or large):
        return full_value(known, attention.kind)
    return max(
        full_value(attention[layer, head, :, :], attention.kind) for head in range(heads)
    )


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
    words: bool = False,
) -> Edges:
    """Return every line of a layer that the filters keep; see :func:`select_edges`.

    With ``words``, positions count words: sub-words are merged, summed over keys and averaged
    over queries.
    """
    shown = merge_words(attention) if words else attention
    weights = read_heads(shown, layer, heads)
    return select_edges(
        weights,
        heads,
        filters,
        full=layer_full_value(attention, layer),
        query_special=shown.queries.special,
        key_special=shown.keys.special,
    )


def read_heads(
    attention: Attention, layer: int, heads: Sequence[int]
) -> NDArray[np.float32]:
    """Read some heads of a layer, ``(len(heads), Q, K)``."""
    _, count, queries, keys = attention.shape
    if len(heads) == 0:
        return np.zeros((0, queries, keys), np.float32)
    if list(heads) == list(range(count)):
        return attention[layer, :, :, :]
    return np.stack([attention[layer, head, :, :] for head in heads])


def strongest_edges(edges: Edges, limit: int, queries: int, keys: int) -> tuple[Edges, Haze]:
    """Split edges into the ``limit`` strongest and the rest, pooled into blocks.

    Args:
        edges: all lines of a view.
        limit: most lines kept one by one.
        queries: length of the query axis.
        keys: length of the key axis.
    """
    order = np.argsort(-edges.strength, kind="stable")
    strong = np.sort(order[:limit])
    weak = order[limit:]
    rows = min(queries, protocol.FOG_CELLS)
    cols = min(keys, protocol.FOG_CELLS)
    numbers = sorted(set(edges.head[weak].tolist()))
    pooled = np.zeros((len(numbers), rows, cols), np.float32)
    for index, number in enumerate(numbers):
        mine = weak[edges.head[weak] == number]
        row = edges.query[mine].astype(np.int64) * rows // queries
        col = edges.key[mine].astype(np.int64) * cols // keys
        np.add.at(pooled[index], (row, col), edges.strength[mine])
    kept = Edges(
        query=edges.query[strong],
        key=edges.key[strong],
        head=edges.head[strong],
        weight=edges.weight[strong],
        strength=edges.strength[strong],
        total=edges.total,
        kept=edges.kept,
        missing=edges.missing,
    )
    return kept, Haze(numbers, pooled)
