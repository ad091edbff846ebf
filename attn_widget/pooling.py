"""Many weights in few cells: the strongest and the mean of each, from one pass over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
Size = tuple[int, int]


def bin_starts(length: int, bins: int) -> NDArray[np.intp]:
    """Return the first position of each bin, where position ``i`` is in bin ``i*bins//length``.

    Args:
        length: positions.
        bins: at most ``length``, so that none is empty.
    """
    return (np.arange(bins, dtype=np.intp) * length + bins - 1) // max(bins, 1)


def bin_runs(length: int, bins: int) -> list[range]:
    """Return the positions of each bin; see :func:`bin_starts`."""
    starts = [*bin_starts(length, bins).tolist(), length]
    return [range(*pair) for pair in pairwise(starts)]


def spread(length: int, count: int) -> NDArray[np.intp]:
    """Return at most ``count`` positions of ``length``, all the same distance apart."""
    step = max(1, -(-length // max(1, count)))
    return np.arange((step - 1) // 2, length, step, dtype=np.intp)


def bin_means(values: NDArray[np.floating[Any]], bins: int) -> NDArray[np.float64]:
    """Return the mean of each bin of a vector, NaN where none of its values is finite."""
    starts = bin_starts(len(values), bins)
    finite = np.isfinite(values)
    if not bins:
        return np.zeros(0)
    counts = np.add.reduceat(finite.astype(np.int64), starts)
    sums = np.add.reduceat(np.where(finite, values, 0.0), starts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def finite_sums(block: Weights) -> NDArray[np.float64]:
    """Return the sum of the finite weights of each key, of rows ``(n, K)``."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums: NDArray[np.float64] = block.sum(axis=0, dtype=np.float64)
    if np.isfinite(sums).all():
        return sums
    kept: NDArray[np.float64] = np.where(np.isfinite(block), block, 0).sum(axis=0, dtype=np.float64)
    return kept


@dataclass(frozen=True)
class Cells:
    """What some cells of a grid hold so far; every array is ``(len(rows), cols)``.

    What is None is nowhere: no negative weight, no infinite one, no missing one.
    """

    rows: NDArray[np.intp]
    """The rows of the grid, ascending."""
    cols: slice
    """The columns of the grid."""
    high: Weights
    low: Weights | None
    sum: NDArray[np.float64]
    count: NDArray[np.int64]
    infinite: NDArray[np.bool_] | None
    missing: NDArray[np.bool_] | None


def pool_block(
    block: Weights, rows: NDArray[np.intp], cols: NDArray[np.intp], col: int = 0
) -> Cells:
    """Pool weights, float32 ``(n, k)``, into the cells they fall in.

    Args:
        block: at least one weight.
        rows: the row of the grid that each query falls in, ascending.
        cols: where in the block the keys of each column of the grid begin.
        col: the first column.
    """
    starts = np.flatnonzero(np.diff(rows, prepend=-1))

    def reduce(
        how: np.ufunc, values: NDArray[Any], dtype: type[np.generic] | None = None
    ) -> NDArray[Any]:
        options: dict[str, Any] = {} if dtype is None else {"dtype": dtype}
        if len(cols) < values.shape[1]:
            values = how.reduceat(values, cols, axis=1, **options)
        if len(starts) < len(values):
            values = how.reduceat(values, starts, axis=0, **options)
        return values

    at, across = rows[starts], slice(col, col + len(cols))
    with np.errstate(over="ignore", invalid="ignore"):
        plain = bool(np.isfinite(block.sum()))
    if plain:
        lengths = np.diff(starts, append=len(rows)), np.diff(cols, append=block.shape[1])
        return Cells(
            at,
            across,
            high=reduce(np.maximum, block),
            # Where nothing is negative, the strongest is the highest.
            low=reduce(np.minimum, block) if float(block.min()) < 0 else None,
            sum=reduce(np.add, block, np.float64),
            count=np.multiply.outer(*lengths),
            infinite=None,
            missing=None,
        )
    finite = np.isfinite(block)
    return Cells(
        at,
        across,
        high=reduce(np.maximum, np.where(finite, block, np.float32(-np.inf))),
        low=reduce(np.minimum, np.where(finite, block, np.float32(np.inf))),
        sum=reduce(np.add, np.where(finite, block, np.float32(0)), np.float64),
        count=reduce(np.add, finite, np.int64),
        infinite=reduce(np.logical_or, block == np.inf),
        missing=reduce(np.logical_or, np.isnan(block)),
    )


class Grid:
    """Cells that are being filled.

    Args:
        rows: the rows of the grid that it covers, ascending.
        cols: the columns.
    """

    def __init__(self, rows: NDArray[np.intp], cols: slice) -> None:
        self.rows, self.cols = rows, cols
        size = (len(rows), cols.stop - cols.start)
        self.high = np.full(size, -np.inf, np.float32)
        self.low = np.full(size, np.inf, np.float32)
        self.sum = np.zeros(size)
        self.count = np.zeros(size, np.int64)
        self.infinite = np.zeros(size, bool)
        self.missing = np.zeros(size, bool)
        self.seen = np.zeros(len(rows), bool)

    def add(self, cells: Cells) -> None:
        """Take in cells, each of which it covers."""
        rows = np.searchsorted(self.rows, cells.rows)
        where = rows, slice(cells.cols.start - self.cols.start, cells.cols.stop - self.cols.start)
        self.high[where] = np.maximum(self.high[where], cells.high)
        if cells.low is not None:
            self.low[where] = np.minimum(self.low[where], cells.low)
        self.sum[where] += cells.sum
        self.count[where] += cells.count
        if cells.infinite is not None:
            self.infinite[where] |= cells.infinite
        if cells.missing is not None:
            self.missing[where] |= cells.missing
        self.seen[rows] = True

    def cells(self) -> Cells:
        """Return what it holds."""
        return Cells(
            rows=self.rows,
            cols=self.cols,
            high=self.high,
            low=self.low if np.isfinite(self.low).any() else None,
            sum=self.sum,
            count=self.count,
            infinite=self.infinite if self.infinite.any() else None,
            missing=self.missing if self.missing.any() else None,
        )


def join_cells(parts: Sequence[Cells]) -> Cells:
    """Return what several parts of a grid, at least one, hold together."""
    if len(parts) == 1:
        return parts[0]
    rows = np.unique(np.concatenate([part.rows for part in parts]))
    first = min(part.cols.start for part in parts)
    grid = Grid(rows, slice(first, max(part.cols.stop for part in parts)))
    for part in parts:
        grid.add(part)
    return grid.cells()


class Pool:
    """Cells that rows of weights are pooled into; position ``i`` of ``n`` is in ``i*r//n``.

    Missing weights (NaN) and masked ones (-inf) count only in cells that hold nothing else; NaN
    then wins. A cell with an infinite weight is infinite.

    Args:
        rows: queries of the part.
        cols: keys of the part.
        size: cells on either side, at most as many as positions.
    """

    def __init__(self, rows: int, cols: int, size: Size) -> None:
        self.size = size
        self._rows, self._starts = rows, bin_starts(cols, size[1])
        self._grid = Grid(np.arange(size[0], dtype=np.intp), slice(0, size[1]))

    def add(self, positions: NDArray[np.intp], block: Weights) -> None:
        """Pool some rows, float32 ``(n, cols)``, that stand at ``n`` ascending positions."""
        if block.size:
            rows = positions * self.size[0] // self._rows
            self._grid.add(pool_block(block, rows, self._starts))

    def add_cells(self, cells: Cells) -> None:
        """Take in cells that were pooled elsewhere."""
        self._grid.add(cells)

    def strongest(self) -> Weights:
        """Return the weight of largest magnitude in each cell, with its sign; + where both are."""
        high, low = self._grid.high, self._grid.low
        with np.errstate(invalid="ignore"):
            chosen = np.where(high >= -low, high, low)
        return self._told(chosen)

    def means(self) -> Weights:
        """Return the mean of the finite weights in each cell."""
        return self._told(self._grid.sum / np.maximum(self._grid.count, 1))

    def _told(self, values: NDArray[np.floating[Any]]) -> Weights:
        grid = self._grid
        told = np.where(grid.count == 0, np.where(grid.missing, np.nan, -np.inf), values)
        told[grid.infinite] = np.inf
        told = told.astype(np.float32)
        seen = np.flatnonzero(grid.seen)
        if 0 < len(seen) < len(grid.seen):
            # Rows of cells that no sampled row fell into show the nearest one that has some.
            after = np.searchsorted(seen, np.arange(len(grid.seen))).clip(1, len(seen) - 1)
            left, right = (seen[after - 1], seen[after]) if len(seen) > 1 else (seen, seen)
            at = np.arange(len(grid.seen))
            told = told[np.where(at - left <= right - at, left, right)]
        return told
