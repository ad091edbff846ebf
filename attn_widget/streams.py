"""Maps read row by row in blocks of bounded size, heads merged on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .attention import Attention
from .filters import merge_heads

BLOCK_CELLS: Final = 1 << 20
"""Weights read in one go: some 10 ms, and 4 MiB."""

CHUNK_CELLS: Final = 1 << 25
"""Chunks of stored arrays up to this size are read whole, so that none is read twice."""

Rows = tuple[NDArray[np.intp], NDArray[np.float32]]


def stream_rows(
    attention: Attention,
    layer: int,
    heads: Sequence[int],
    combine: str,
    rows: NDArray[np.intp],
    cols: slice,
) -> Iterator[Rows]:
    """Yield some rows of a layer, its heads merged into one, in blocks.

    Args:
        attention: the map.
        layer: the layer.
        heads: at least one head.
        combine: ``"mean"`` or ``"max"`` of the heads.
        rows: ascending queries, all or some.
        cols: keys, a slice of step 1 within bounds.

    Yields:
        The queries of a block and its weights, float32 ``(n, keys)``, which may share memory with
        the map.
    """
    for part in row_blocks(attention, rows, max(1, (cols.stop - cols.start) * len(heads))):
        parts = (
            read_queries(attention, layer, slice(head, head + 1), part, cols) for head in heads
        )
        if len(heads) == 1:
            yield part, next(parts)[0]
        else:
            yield part, merge_heads((block[0] for block in parts), combine)[0]


def row_blocks(attention: Attention, rows: NDArray[np.intp], width: int) -> list[NDArray[np.intp]]:
    """Cut queries into blocks that are read in one go, at the borders of stored chunks.

    Args:
        attention: the map.
        rows: ascending queries.
        width: weights that are read for a query.
    """
    step = max(1, BLOCK_CELLS // width)
    chunk = int(getattr(attention.source, "chunk_rows", 0) or 0)
    if chunk > 1 and chunk * width <= CHUNK_CELLS:
        step = max(step // chunk, 1) * chunk
        cuts = np.searchsorted(rows, np.arange(0, attention.shape[2], step)[1:])
        return [part for part in np.split(rows, cuts) if len(part)]
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def read_queries(
    attention: Attention, layer: int, heads: slice, rows: NDArray[np.intp], cols: slice
) -> NDArray[np.float32]:
    """Read some queries of some heads, float32 ``(heads, n, keys)``.

    It may share memory with the map.
    """
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 == len(rows):
        return attention.source.read(layer, heads, slice(first, last + 1), cols)
    return attention.select(queries=rows.tolist())[layer, heads, :, cols]
