"""Every head of some layers as a small picture, and six numbers on each."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..codec import pack
from ..codes import BYTES, encode, is_signed
from ..evidence import (
    confidence,
    mean_distance,
    next_token,
    previous_token,
    relative_entropy,
    sink_score,
)
from ..memory import Memory
from ..pooling import Pool, spread
from ..streams import BLOCK_CELLS, read_queries
from .fields import ROOM, Request, Steps, cells, fitted, span

MOST_CELLS: Final = 48
"""Thumbnails have at most so many cells on either side."""

CHEAP_CELLS: Final = 1 << 24
"""Up to so many weights all are read, beyond only some queries."""

HEAD_CELLS: Final = 1 << 22
"""Weights read of one head at most, in one step."""

SAMPLED_ROWS: Final = 16
"""Queries read of each head at least."""

STATISTICS: Final = ("entropy", "confidence", "sink", "distance", "previous", "next")


def answer_thumbnails(attention: Attention, request: Request, memory: Memory) -> Steps:
    """Answer with the strongest weight of each cell of every head, and with statistics.

    Raises:
        ValueError: if something is missing or out of range.
    """
    layers, heads, queries, keys = attention.shape
    shown = span(request, "layers", layers)
    count = shown.stop - shown.start
    most = min(MOST_CELLS, queries), min(MOST_CELLS, keys)
    size = cells(request, "size", most) if heads and queries and keys else (0, 0)
    about = 4 * (1 + len(STATISTICS))
    size = fitted(size, max(1, ROOM // max(1, count * heads) - about))
    signed = is_signed(attention.kind)
    codes = np.zeros((count, heads, *size), np.uint16)
    full = np.ones((count, heads), np.float32)
    statistics = np.full((count, heads, len(STATISTICS)), np.nan, np.float32)
    affordable = min(HEAD_CELLS // max(1, keys), CHEAP_CELLS // max(1, count * heads * keys))
    rows = spread(queries, max(SAMPLED_ROWS, affordable))
    together = max(1, BLOCK_CELLS // max(1, len(rows) * keys))
    done = 0
    for layer in range(count if codes.size else 0):
        for first in range(0, heads, together):
            group = slice(first, min(first + together, heads))
            block = read_queries(attention, shown.start + layer, group, rows, slice(0, keys))
            for head, weights in enumerate(block, first):
                pool = Pool(queries, keys, size)
                pool.add(rows, weights)
                strongest = pool.strongest()
                finite = np.abs(strongest[np.isfinite(strongest)])
                full[layer, head] = finite.max(initial=0.0) or 1.0
                codes[layer, head] = encode(strongest, float(full[layer, head]), signed, BYTES)
                statistics[layer, head] = describe_head(weights, rows)
            done += group.stop - group.start
            yield done / (count * heads)
    fields = {
        "layers": [shown.start, shown.stop],
        "size": list(size),
        "signed": signed,
        "exact": len(rows) == queries,
    }
    arrays = {
        "max": pack(codes, "u1"),
        "full": pack(full, "f4"),
        "statistics": pack(statistics, "f4"),
    }
    return fields, arrays


def describe_head(weights: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the six numbers of a head; see :data:`STATISTICS`.

    Mean relative entropy of rows, mean of their largest weights, largest mean of a key, mean
    distance as a share of the keys, and the shares of weight on the key before and after.

    Args:
        weights: float32 (n, K), rows of one head.
        rows: the queries they are of.
    """
    keys = weights.shape[-1]
    relative = relative_entropy(weights)
    known = relative[np.isfinite(relative)]
    return np.array(
        [
            known.mean() if known.size else np.nan,
            confidence(weights),
            sink_score(weights).max(initial=0.0),
            mean_distance(weights, rows) / keys,
            previous_token(weights, rows),
            next_token(weights, rows),
        ]
    )
