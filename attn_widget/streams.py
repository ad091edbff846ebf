"""Maps read row by row in blocks of bounded size, heads merged on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .attention import Attention
from .filters import merge_heads
from .overview import SupportsElsewhere, SupportsSteps
from .pooling import spread

BLOCK_CELLS: Final = 1 << 20
"""Weights read in one go: some 10 ms, and 4 MiB."""

CHUNK_CELLS: Final = 1 << 25
"""Chunks of stored arrays up to this size are read whole, so that none is read twice."""

BANDS_CELLS: Final = 1 << 26
"""Weights in chunks that are read or computed for a sample of queries."""

LEAST_BANDS: Final = 4
"""Rows of chunks that a sample is taken from at least."""

MOST_BANDS: Final = 16
"""Rows of chunks that a sample is taken from at most."""

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


def sampled_rows(attention: Attention, rows: slice, count: int, width: int) -> NDArray[np.intp]:
    """Return about ``count`` queries, spread evenly: of few chunks, where they are stored in such.

    Args:
        attention: the map.
        rows: the queries to choose from, a slice of step 1 within bounds.
        count: how many; all where there are fewer.
        width: weights that are read for a query.
    """
    length = rows.stop - rows.start
    chunk = _chunk_rows(attention)
    if chunk <= 1 or count >= length:
        return np.arange(rows.start, rows.stop)[spread(length, count)]
    inner = range(rows.start - rows.start % chunk + chunk, rows.stop, chunk)
    bands = [range(*ends) for ends in pairwise([rows.start, *inner, rows.stop])]
    few = min(len(bands), count, max(LEAST_BANDS, min(MOST_BANDS, BANDS_CELLS // (chunk * width))))
    chosen = [bands[band] for band in spread(len(bands), few)]
    return np.concatenate([spread(len(band), count // few) + band.start for band in chosen])


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
