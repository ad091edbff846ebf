"""Every head of some layers as a small picture, and some numbers on each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..codec import pack
from ..codes import BYTES, encode, is_signed
from ..memory import Memory
from ..overview import SupportsElsewhere
from ..pooling import Pool
from ..sources import to_float32
from ..streams import BLOCK_CELLS, read_queries, sampled_rows
from .fields import ROOM, Request, Steps, cells, fitted, span
from .statistics import STATISTICS, HeadPlaces, describe_heads, head_places

MOST_CELLS: Final = 48
"""Thumbnails have at most so many cells on either side."""

CHEAP_CELLS: Final = 1 << 22
"""Up to so many weights of a layer all are read, beyond only some queries."""

HEAD_CELLS: Final = 1 << 22
"""Weights read of one head at most, in one step."""

SAMPLED_ROWS: Final = 16
"""Queries read of each head at least."""


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
    affordable = min(HEAD_CELLS, CHEAP_CELLS // max(1, heads)) // max(1, keys)
    wanted = max(SAMPLED_ROWS, affordable)
    rows = sampled_rows(attention, slice(0, queries), wanted, max(1, heads * keys))
    glance = partial(
        glance_at,
        rows=rows,
        queries=queries,
        size=size,
        signed=signed,
        places=head_places(attention),
    )
    missing = []
    for layer in range(shown.start, shown.stop):
        kept = memory.arrays(("glance", layer, size))
        if kept is None:
            missing.append(layer)
        else:
            place = layer - shown.start
            codes[place], full[place], statistics[place] = kept
    source = attention.source
    parts = _parts(missing, range(heads if codes.size else 0), rows, keys)
    if isinstance(source, SupportsElsewhere):
        picks = [(layer, group, rows.tolist(), range(keys)) for layer, group in parts]
        glances = yield from source.elsewhere(glance, picks)
        for (layer, group), found in zip(parts, glances, strict=True):
            place_of = layer - shown.start, slice(group.start, group.stop)
            codes[place_of], full[place_of], statistics[place_of] = found
    else:
        done = (count - len(missing)) * heads
        for layer, group in parts:
            place_of = layer - shown.start, slice(group.start, group.stop)
            block = read_queries(attention, layer, place_of[1], rows, slice(0, keys))
            codes[place_of], full[place_of], statistics[place_of] = glance(block)
            done += len(group)
            yield done / (count * heads)
    for layer in missing:
        place = layer - shown.start
        found = codes[place].copy(), full[place].copy(), statistics[place].copy()
        memory.keep_arrays(("glance", layer, size), found)
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


def _parts(
    layers: Sequence[int], heads: range, rows: NDArray[np.intp], keys: int
) -> list[tuple[int, range]]:
    """Return layers and heads that are read in one go."""
    together = max(1, BLOCK_CELLS // max(1, len(rows) * keys))
    groups = [heads[first : first + together] for first in range(0, len(heads), together)]
    return [(layer, group) for layer in layers for group in groups]


def glance_at(
    block: object,
    rows: NDArray[np.intp],
    queries: int,
    size: tuple[int, int],
    signed: bool,
    places: HeadPlaces,
) -> tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[np.float32]]:
    """Return codes, full values and statistics of some heads.

    Args:
        block: ``(heads, n, K)``, of any array library.
        rows: the queries that were read.
        queries: how many there are.
        size: cells on either side.
        signed: whether weights are told with their sign.
        places: where the map's positions stand.
    """
    heads = to_float32(block)
    codes = np.zeros((len(heads), *size), np.uint16)
    full = np.ones(len(heads), np.float32)
    statistics = np.full((len(heads), len(STATISTICS)), np.nan, np.float32)
    for head, weights in enumerate(heads):
        pool = Pool(queries, weights.shape[1], size)
        pool.add(rows, weights)
        strongest = pool.strongest()
        finite = np.abs(strongest[np.isfinite(strongest)])
        full[head] = finite.max(initial=0.0) or 1.0
        codes[head] = encode(strongest, float(full[head]), signed, BYTES)
        statistics[head] = describe_heads(weights[None], rows, places)[0]
    return codes, full, statistics
