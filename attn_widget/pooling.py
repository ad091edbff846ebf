"""Many weights in few cells: the strongest and the mean of each, from one pass over rows."""

from __future__ import annotations

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
    """Return ``count`` positions spread evenly over ``length``, or all where there are fewer."""
    if count >= length:
        return np.arange(length, dtype=np.intp)
    return ((2 * np.arange(count, dtype=np.intp) + 1) * length) // (2 * count)


def bin_means(values: NDArray[np.floating[Any]], bins: int) -> NDArray[np.float64]:
    """Return the mean of each bin of a vector, NaN where none of its values is finite."""
    starts = bin_starts(len(values), bins)
    finite = np.isfinite(values)
    if not bins:
        return np.zeros(0)
    counts = np.add.reduceat(finite.astype(np.int64), starts)
    sums = np.add.reduceat(np.where(finite, values, 0.0), starts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


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
        self._rows, self._cols, self.size = rows, cols, size
        self._high = np.full(size, -np.inf, np.float32)
        self._low = np.full(size, np.inf, np.float32)
        self._sum = np.zeros(size)
        self._count = np.zeros(size, np.int64)
        self._infinite = np.zeros(size, bool)
        self._missing = np.zeros(size, bool)
        self._seen = np.zeros(size[0], bool)

    def add(self, positions: NDArray[np.intp], block: Weights) -> None:
        """Pool some rows, float32 ``(n, cols)``, that stand at ``n`` ascending positions."""
        if not block.size:
            return
        bins = positions * self.size[0] // self._rows
        starts = np.flatnonzero(np.diff(bins, prepend=-1))
        cells = bins[starts]
        with np.errstate(over="ignore", invalid="ignore"):
            plain = bool(np.isfinite(block.sum()))
        finite = None if plain else np.isfinite(block)
        if finite is None:
            high, low, filled = block, block, block
            count = self._lengths(starts, len(positions))
        else:
            high = np.where(finite, block, np.float32(-np.inf))
            low = np.where(finite, block, np.float32(np.inf))
            filled = np.where(finite, block, np.float32(0))
            count = self._reduce(np.add, finite, starts, np.int64)
            self._infinite[cells] |= self._reduce(np.logical_or, block == np.inf, starts)
            self._missing[cells] |= self._reduce(np.logical_or, np.isnan(block), starts)
        self._count[cells] += count
        self._sum[cells] += self._reduce(np.add, filled, starts, np.float64)
        self._high[cells] = np.maximum(self._high[cells], self._reduce(np.maximum, high, starts))
        # Where nothing is negative, the strongest is the highest.
        if float(filled.min()) < 0 or finite is not None:
            lowest = self._reduce(np.minimum, low, starts)
            self._low[cells] = np.minimum(self._low[cells], lowest)
        self._seen[cells] = True

    def strongest(self) -> Weights:
        """Return the weight of largest magnitude in each cell, with its sign; + where both are."""
        with np.errstate(invalid="ignore"):
            chosen = np.where(self._high >= -self._low, self._high, self._low)
        return self._told(chosen)

    def means(self) -> Weights:
        """Return the mean of the finite weights in each cell."""
        return self._told(self._sum / np.maximum(self._count, 1))

    def _told(self, values: NDArray[np.floating[Any]]) -> Weights:
        empty = self._count == 0
        told = np.where(empty, np.where(self._missing, np.nan, -np.inf), values)
        told[self._infinite] = np.inf
        told = told.astype(np.float32)
        seen = np.flatnonzero(self._seen)
        if 0 < len(seen) < len(self._seen):
            # Rows of cells that no sampled row fell into show the nearest one that has some.
            after = np.searchsorted(seen, np.arange(len(self._seen))).clip(1, len(seen) - 1)
            left, right = (seen[after - 1], seen[after]) if len(seen) > 1 else (seen, seen)
            at = np.arange(len(self._seen))
            told = told[np.where(at - left <= right - at, left, right)]
        return told

    def _lengths(self, starts: NDArray[np.intp], count: int) -> NDArray[np.int64]:
        rows = np.diff(starts, append=count)
        cols = np.diff(bin_starts(self._cols, self.size[1]), append=self._cols)
        return np.multiply.outer(rows, cols)

    def _reduce(
        self,
        how: np.ufunc,
        values: NDArray[Any],
        starts: NDArray[np.intp],
        dtype: type[np.generic] | None = None,
    ) -> NDArray[Any]:
        options: dict[str, Any] = {} if dtype is None else {"dtype": dtype}
        reduced = values
        if self.size[1] < self._cols:
            columns = bin_starts(self._cols, self.size[1])
            reduced = how.reduceat(reduced, columns, axis=1, **options)
        if len(starts) < len(reduced):
            reduced = how.reduceat(reduced, starts, axis=0, **options)
        return reduced
