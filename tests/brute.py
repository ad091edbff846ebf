"""Pooling, slow and plain: one cell at a time."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

Grid = list[list[float]]


def pooled(weights: NDArray[Any], size: tuple[int, int]) -> tuple[Grid, Grid]:
    """Return the strongest weight of each cell and the mean of its finite weights."""
    queries, keys = weights.shape
    cells: dict[tuple[int, int], list[float]] = {}
    for query in range(queries):
        for key in range(keys):
            cell = (query * size[0] // queries, key * size[1] // keys)
            cells.setdefault(cell, []).append(float(weights[query, key]))
    strongest: Grid = [[math.nan] * size[1] for _ in range(size[0])]
    means: Grid = [[math.nan] * size[1] for _ in range(size[0])]
    for (row, col), values in cells.items():
        finite = [value for value in values if math.isfinite(value)]
        if math.inf in values:
            strongest[row][col] = means[row][col] = math.inf
        elif finite:
            # Of equal magnitudes the positive one.
            strongest[row][col] = max(finite, key=lambda value: (abs(value), value))
            means[row][col] = math.fsum(finite) / len(finite)
        elif not any(map(math.isnan, values)):
            strongest[row][col] = means[row][col] = -math.inf
    return strongest, means


def row_entropy(row: NDArray[Any]) -> float:
    """Return the entropy of the finite magnitudes of a row, nats."""
    shares = [abs(float(value)) for value in row if math.isfinite(value)]
    total = math.fsum(shares)
    if total == 0:
        return math.nan
    parts = [share / total for share in shares]
    return -math.fsum(part * math.log(part) for part in parts if part)
