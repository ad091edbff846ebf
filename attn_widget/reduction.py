"""A part of a map reduced tile by tile, where each tile is; what travels is cells, not weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence.statistics import entropy_of, entropy_sums
from .filters import merge_heads
from .overview import Overview
from .pooling import Cells, Pool, Size, bin_starts, finite_sums, join_cells, pool_block
from .sources import to_float32

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Reduction:
    """What becomes of the ``rows`` × ``cols`` weights of a part: ``size`` cells."""

    rows: int
    cols: int
    size: Size
    combine: str = "mean"
    """``"mean"`` or ``"max"`` of several heads."""


@dataclass(frozen=True)
class Piece:
    """What is known of a part from one tile, or from several."""

    cells: Cells
    keys: int
    """The first key that ``totals`` are of."""
    totals: Vector
    """(k,): the weight of each key, summed over the queries seen."""
    queries: int
    """The first query that ``sums`` and ``terms`` are of."""
    sums: Vector
    """(q,): ``sum |a|`` over the keys seen."""
    terms: Vector
    """(q,): ``sum |a| ln |a|`` over the keys seen."""


def reduce_tile(heads: Sequence[Any], query: int, key: int, plan: Reduction) -> Piece:
    """Reduce a tile of a part.

    Args:
        heads: the tile of one head or of several, ``(q, k)`` each, of any array library.
        query: the first query, counted from that of the part.
        key: the first key, likewise.
        plan: what becomes of the part.
    """
    blocks = [to_float32(head) for head in heads]
    block = blocks[0] if len(blocks) == 1 else merge_heads(blocks, plan.combine)[0]
    queries, keys = block.shape
    rows = (query + np.arange(queries)) * plan.size[0] // plan.rows
    starts = bin_starts(plan.cols, plan.size[1])
    first, last = (np.array([key, key + keys - 1]) * plan.size[1] // plan.cols).tolist()
    cols = np.maximum(starts[first : last + 1] - key, 0)
    sums, terms = entropy_sums(block)
    return Piece(
        cells=pool_block(block, rows, cols, first),
        keys=key,
        totals=finite_sums(block),
        queries=query,
        sums=sums,
        terms=terms,
    )


def join_pieces(pieces: Sequence[Piece]) -> Piece:
    """Return what several pieces, at least one, hold together."""
    if len(pieces) == 1:
        return pieces[0]
    keys, totals = _added([(piece.keys, piece.totals) for piece in pieces])
    queries, sums = _added([(piece.queries, piece.sums) for piece in pieces])
    terms = _added([(piece.queries, piece.terms) for piece in pieces])[1]
    cells = join_cells([piece.cells for piece in pieces])
    return Piece(cells, keys, totals, queries, sums, terms)


class Reduced:
    """What pieces of a part come to, one after the other."""

    def __init__(self, plan: Reduction) -> None:
        self._pool = Pool(plan.rows, plan.cols, plan.size)
        self._totals = np.zeros(plan.cols)
        self._sums, self._terms = np.zeros(plan.rows), np.zeros(plan.rows)

    def add(self, piece: Piece) -> None:
        """Take in a piece."""
        self._pool.add_cells(piece.cells)
        self._totals[piece.keys : piece.keys + len(piece.totals)] += piece.totals
        rows = slice(piece.queries, piece.queries + len(piece.sums))
        self._sums[rows] += piece.sums
        self._terms[rows] += piece.terms

    def overview(self) -> Overview:
        """Return what they come to; rows that none was of are taken from near ones."""
        return Overview(
            max=self._pool.strongest(),
            mean=self._pool.means(),
            totals=self._totals,
            entropy=entropy_of(self._sums, self._terms),
        )


def finish_reduction(pieces: Sequence[Piece], plan: Reduction) -> Overview:
    """Return the overview that pieces come to."""
    reduced = Reduced(plan)
    for piece in pieces:
        reduced.add(piece)
    return reduced.overview()


def largest_magnitude(block: Any) -> float:
    """Return the largest finite magnitude of a block of any array library; 0 without one."""
    weights = to_float32(block)
    return float(np.abs(weights[np.isfinite(weights)]).max(initial=0.0))


def _added(parts: Sequence[tuple[int, Vector]]) -> tuple[int, Vector]:
    """Add vectors that begin at different places."""
    start = min(at for at, _ in parts)
    added = np.zeros(max(at + len(values) for at, values in parts) - start)
    for at, values in parts:
        added[at - start : at - start + len(values)] += values
    return start, added
