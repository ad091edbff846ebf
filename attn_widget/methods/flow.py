"""Attention flow: how much can run from a position through all layers to an input position."""

from __future__ import annotations

from collections.abc import Generator
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from .aggregate import fused_rows, merged_heads
from .chain import check_finite, normalised, with_identity
from .inputs import (
    FUSIONS,
    Floats,
    as_attention,
    check_choice,
    check_share,
    check_square,
    derived,
)
from .lazy import WholeSource, blocks, told
from .maxflow import Layers

PAUSE_S: Final = 0.02
"""About how long flows are computed between two tellings of the progress."""

MOST_READ: Final = 1 << 26
"""Weights of all layers and heads that are gone through to choose positions."""


def flow(
    att: object, *, residual: float = 0.5, heads: str = "mean", max_positions: int = 64
) -> Attention:
    """Attention flow: the largest flow from each position down to each input position.

    Weights are capacities: ``Â_l = (1 − r) A̅_l + r I``, rows divided by their sums, joins position
    i above layer l with position j below it. ``F[i, j] = maxflow(i above the last layer → j below
    the first)``, rows then divided by their sums; for two layers ``Σ_k min(Â_2[i, k], Â_1[k, j])``.
    It takes n² largest flows, seconds for 64 positions, when the result is first read. Deep flows
    saturate: most values reach the most there can be, and maps become uniform. Source: Abnar and
    Zuidema 2020, arXiv 2005.00928.

    Args:
        att: Self-attention (L, H, n, n), or an array that makes such a map.
        residual: The share r of the residual connection, 0 … 1.
        heads: How heads become one: ``"mean"``, ``"max"`` or ``"min"``.
        max_positions: Of more positions, only those are kept that receive most attention; flow
            through the others is left out. The record of the result says so.

    Returns:
        A map (1, 1, m, m) with m = min(n, max_positions), of kind ``"relevance"``; rows sum to 1.

    Raises:
        ValueError: If the map is not square or a parameter is out of range; on reading, if weights
            are missing.
    """
    att = as_attention(att)
    check_square(att, "flow")
    check_choice("heads", heads, FUSIONS)
    share = check_share("residual", residual)
    if isinstance(max_positions, bool) or max_positions < 1:
        raise ValueError(f"max_positions must be at least 1; got {max_positions!r}")
    layers, count, _, length = att.shape
    kept = list(range(length))
    notes = []
    if length > max_positions:
        if layers * count * length**2 > MOST_READ:
            raise ValueError(
                f"the {max_positions} positions that receive most are chosen from all weights, "
                f"which are too many here ({layers} × {count} × {length} × {length}): select "
                "positions, heads or layers first"
            )
        kept = _most_attended(att, heads, max_positions)
        notes.append(
            f"flow capped at {max_positions} of {length} positions, those that receive most"
        )
    size = len(kept)

    def steps() -> Generator[float, None, NDArray[np.float64]]:
        matrices = []
        for layer in range(layers):
            matrix = np.empty((length, length))
            for rows in blocks(length, length):
                found = yield from told(fused_rows(att, heads, layer, rows), 0.0)
                check_finite(found, att, "flow", layer)
                matrix[rows] = normalised(with_identity((1 - share) * found, rows, share))
            matrices.append(matrix[np.ix_(kept, kept)])
        return normalised((yield from _flows(matrices, size)))

    source = WholeSource((1, 1, size, size), steps)
    queries = att.queries if size == length else att.queries.select(kept)
    return derived(
        att,
        source,
        "flow",
        title="attention flow",
        settings={"residual": share, "heads": heads, "max_positions": int(max_positions)},
        notes=notes,
        kind="relevance",
        queries=queries,
        keys=queries if att.keys is att.queries or size < length else att.keys,
    )


def _flows(matrices: list[Floats], size: int) -> Generator[float, None, Floats]:
    """All largest flows between the first and the last of some layers, (size, size)."""
    graph = Layers(matrices)
    found = np.zeros((size, size))
    paused = perf_counter()
    for source in range(size):
        for sink in range(size):
            found[source, sink] = graph.flow(source, sink)
            if perf_counter() - paused > PAUSE_S:
                yield (source * size + sink) / size**2
                paused = perf_counter()
    return found


def _most_attended(att: Attention, heads: str, count: int) -> list[int]:
    """The positions that receive most over all layers, in their order."""
    layers, _, length, _ = att.shape
    received = np.zeros(length)
    for layer in range(layers):
        rows = merged_heads(att, heads, layer, slice(0, length), slice(0, length))[0]
        received += np.where(np.isfinite(rows), rows, 0.0).sum(axis=0, dtype=np.float64)
    return sorted(np.argsort(-received, kind="stable")[:count].tolist())
