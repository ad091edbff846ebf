"""A head at a glance: its weights pooled by max and by mean, column totals, row entropy."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..overview import Overview
from .rules import edges_of
from .sweep import Floats, Head, Progress, Sweep, Tile, following


class _Pool:
    """Gathers the overview and the log-sum-exp, some queries at a time."""

    def __init__(self, head: Head, shape: tuple[int, int], bins: tuple[int, int]) -> None:
        self._head = head
        self._edges = [edges_of(size, count) for size, count in zip(shape, bins, strict=True)]
        self._bins = [
            np.repeat(np.arange(count), np.diff(edges))
            for edges, count in zip(self._edges, bins, strict=True)
        ]
        self._max = np.zeros(bins, dtype=np.float32)
        self._sum = np.zeros(bins)
        self._valid = np.zeros(bins[0], dtype=np.intp)
        self._totals = np.zeros(shape[1])
        self._entropy = np.zeros(shape[0])
        self._row_sums = np.zeros(shape[0])
        self.log_sum_exp = np.zeros(shape[0])

    def cuts(self, key: slice) -> list[int]:
        """Where the bins of keys begin within some keys, and both ends."""
        edges = self._edges[1]
        inner = edges[self._bins[1][key.start] + 1 : self._bins[1][key.stop - 1] + 1]
        return [0, *(edge - key.start for edge in inner), key.stop - key.start]

    def add(self, query: slice, tiles: Sequence[_Pooled], log_sum_exp: Floats) -> Iterator[None]:
        """Take in some queries, their tiles in the order of keys; a step a tile."""
        self.log_sum_exp[query] = log_sum_exp
        missing = np.isnan(log_sum_exp)
        rows = self._bins[0][query]
        np.add.at(self._valid, rows, ~missing)
        self._entropy[query] = np.where(missing, np.nan, 0.0)
        if not tiles:
            return
        norm = np.where(missing | np.isneginf(log_sum_exp), 0.0, log_sum_exp)
        largest, sums = [], []
        for tile in tiles:
            with np.errstate(over="ignore", invalid="ignore"):
                factor = np.exp(tile.reference - norm)
                factor[missing | np.isneginf(log_sum_exp)] = 0.0
                if missing.any():
                    _blank(self._head, tile, missing)
                largest.append(tile.largest * factor.astype(tile.largest.dtype))
                sums.append(tile.sums * factor.astype(tile.sums.dtype))
                self._totals[tile.key] += self._head.arithmetic.dot(tile.shares, factor)
                # −Σ a ln a, where ln a = logit − log-sum-exp and logits are less the reference.
                weight = tile.sums.sum(axis=0, dtype=np.float64)
                spread = tile.paired + (tile.reference - norm) * weight
                self._entropy[query] -= spread * factor
                self._row_sums[query] += weight * factor
            yield
        columns = np.concatenate([tile.columns for tile in tiles])
        where = np.ix_(np.unique(rows), np.unique(columns))
        self._max[where] = np.maximum(
            self._max[where], _reduced(np.maximum, largest, columns, rows)
        )
        self._sum[where] += _reduced(np.add, sums, columns, rows)

    def columns(self, key: slice) -> NDArray[np.intp]:
        """The bins that some keys fall in."""
        bins = self._bins[1]
        return np.arange(bins[key.start], bins[key.stop - 1] + 1)

    def overview(self) -> Overview:
        """What has been gathered."""
        cells = self._valid[:, None] * np.diff(self._edges[1])
        gone = np.broadcast_to((self._valid == 0)[:, None], cells.shape)
        # Where sinks take a share of the row, entropy is that of what is left, as a share of it.
        sums = np.where(self._row_sums > 0, self._row_sums, 1.0)
        entropy = self._entropy / sums + np.log(sums)
        return Overview(
            max=np.where(gone, np.float32(np.nan), self._max),
            mean=np.where(gone, np.nan, self._sum / np.maximum(cells, 1)).astype(np.float32),
            totals=self._totals,
            entropy=entropy,
        )


@dataclass
class _Pooled:
    """What is kept of a tile until the log-sum-exp of its queries is known."""

    key: slice
    columns: NDArray[np.intp]
    shares: Any
    largest: NDArray[Any]
    sums: NDArray[Any]
    paired: NDArray[Any]
    reference: Floats


def stream_overview(
    head: Head, shape: tuple[int, int], bins: tuple[int, int]
) -> Generator[float, None, tuple[Overview, Floats]]:
    """Pool all weights of a head in one pass.

    The shares of a block of queries are held until their log-sum-exp is known: then the sums over
    queries take one more product, not another pass. Queries without value (NaN) count nowhere;
    cells that have no others are NaN, and so is their entropy.

    Args:
        head: The head.
        shape: Number of queries and keys.
        bins: Number of rows and columns.

    Yields:
        The share that is done, 0 … 1.

    Returns:
        The overview, and the log-sum-exp of each query.
    """
    pool = _Pool(head, shape, bins)
    blocks = head.blocks(slice(0, shape[0]))
    progress = Progress(head.work(blocks))
    most = max((head.work([block]) for block in blocks), default=0)
    room = head.arithmetic.empty(1, most)[0]
    for block in blocks:
        span, count = head.rules.reach.span(block), block.stop - block.start
        keys = span.stop - span.start
        sweep = Sweep(head, block, room[: keys * count].reshape(keys, count))
        pooled: list[_Pooled] = []
        tiles = sweep.tiles(pool.cuts)
        while (tile := following(tiles)) is not None:
            if isinstance(tile, Tile):
                pooled.append(_pooled(head, pool, tile))
            done = tile.key.stop - tile.key.start if isinstance(tile, Tile) else tile
            if progress.add(done * count):
                yield progress.share
        for _ in pool.add(block, pooled[::-1], sweep.log_sum_exp()):
            if progress.add(0):
                yield progress.share
        yield progress.share
    return pool.overview(), pool.log_sum_exp


def _pooled(head: Head, pool: _Pool, tile: Tile) -> _Pooled:
    with np.errstate(all="ignore"):
        return _Pooled(
            key=tile.key,
            columns=pool.columns(tile.key),
            shares=tile.shares,
            largest=head.arithmetic.largest(tile.shares, pool.cuts(tile.key)),
            sums=tile.sums,
            paired=head.arithmetic.paired(tile.shares, tile.logits).astype(np.float64),
            reference=tile.reference,
        )


def _blank(head: Head, tile: _Pooled, missing: NDArray[np.bool_]) -> None:
    """Let queries without value count nowhere."""
    for found in (tile.largest, tile.sums):
        found[:, missing] = 0
    tile.reference[missing] = 0.0
    tile.paired[missing] = np.nan
    head.arithmetic.fill_(tile.shares, head.arithmetic.bring_mask(missing), 0.0)


def _reduced(
    operation: np.ufunc,
    parts: Sequence[NDArray[Any]],
    columns: NDArray[np.intp],
    rows: NDArray[np.intp],
) -> NDArray[Any]:
    """Parts of (stretches of keys, queries), joined and pooled to (rows, columns)."""
    whole = np.concatenate(parts)
    _, starts = np.unique(columns, return_index=True)
    if len(starts) < len(columns):
        whole = operation.reduceat(whole, starts, axis=0)
    _, starts = np.unique(rows, return_index=True)
    return np.asarray(operation.reduceat(whole, starts, axis=1)).T
