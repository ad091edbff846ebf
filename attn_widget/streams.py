"""Maps read row by row in blocks of bounded size, heads merged on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .attention import Attention
from .filters import merge_heads
from .overview import SupportsElsewhere, SupportsSteps

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
    chunk = _chunk_rows(attention)
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
    source = attention.source
    if isinstance(source, SupportsElsewhere):
        picks = range(heads.start, heads.stop), rows.tolist(), range(cols.start, cols.stop)
        return source.gather(layer, *picks)
    gaps = np.diff(rows)
    if isinstance(source, SupportsSteps) and len(gaps) and gaps[0] > 1 and (gaps == gaps[0]).all():
        every = slice(int(rows[0]), int(rows[-1]) + 1, int(gaps[0]))
        return source.read_every(layer, heads, every, cols)
    chunk = _chunk_rows(attention)
    apart = np.diff(rows // chunk) > 0 if chunk > 1 else np.diff(rows) > 1
    runs = np.split(rows, np.flatnonzero(apart) + 1)
    blocks = []
    for run in runs:
        span = slice(int(run[0]), int(run[-1]) + 1)
        block = source.read(layer, heads, span, cols)
        blocks.append(block if len(run) == block.shape[1] else block[:, run - run[0]])
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def _chunk_rows(attention: Attention) -> int:
    """Return how many queries are stored together, and therefore read together."""
    return max(1, int(getattr(attention.source, "chunk_rows", 1) or 1))
