"""One pass over the keys: the log-sum-exp of some queries, and what is pooled on the way.

The reference that keeps ``exp`` in range is the largest logit of the first block of keys that a
query reaches, or 0 where that is small. It is raised where a later block shows it to be too low,
which costs less than a maximum of every block.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arithmetic import FLOOR, Arithmetic, Block
from .rules import Rules, cut

STEP = 0.015
"""Seconds of work between two reports of progress."""

_CHUNK = 128
_SMALL = 20.0
_HIGH = 1e30

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """One head: its keys, how to read its queries, and what happens to their products."""

    arithmetic: Arithmetic
    rules: Rules
    layer: int
    head: int
    keys: Block
    read: Callable[[slice], Block]
    sink: float | None

    def logits(self, query: slice, key: slice, out: Block | None = None) -> Block:
        """Logits of a block, (queries, keys); masked ones are `FLOOR`."""
        block = self.arithmetic.product(self.read(query), self.keys[key], out)
        allowed = self.rules.mask_part(self.arithmetic, self.layer, self.head, query, key)
        self._apply(block, query, key, allowed)
        return block

    def columns(self, queries: Block, query: slice, key: slice, out: Block) -> Block | None:
        """Logits of a block, (keys, queries); None where its mask allows no pair."""
        allowed = self.rules.mask_part(self.arithmetic, self.layer, self.head, query, key)
        if allowed is not None and not bool(allowed.any()):
            return None
        block = self.arithmetic.product(self.keys[key], queries, out)
        self._apply(block.T, query, key, allowed)
        return block

    def blocks(self, query: slice) -> Sequence[slice]:
        """Queries in blocks of the size that suits the arithmetic."""
        most = max(16, self.arithmetic.held // max(1, len(self.keys)))
        return cut(query, min(self.arithmetic.rows, most))

    def work(self, queries: Sequence[slice]) -> int:
        """Pairs of query and key that a pass over some blocks of queries computes."""
        total = 0
        for query in queries:
            span = self.rules.reach.span(query)
            total += (query.stop - query.start) * (span.stop - span.start)
        return total

    def _apply(self, block: Block, query: slice, key: slice, allowed: Block | None) -> None:
        self.rules.apply(self.arithmetic, block, self.layer, self.head, query, key, allowed)


@dataclass(frozen=True)
class Tile:
    """A block of keys on the way.

    Attributes:
        key: The keys.
        logits: (keys, queries), less the reference.
        shares: exp of that.
        sums: Sums of the shares between the edges asked for.
        reference: A number a query.
    """

    key: slice
    logits: Block
    shares: Block
    sums: NDArray[Any]
    reference: Floats


class Sweep:
    """A pass over the keys for some queries.

    Args:
        head: The head.
        query: The queries, as many as fit in a block.
        room: Where shares are written, (keys, queries), if they are to last; else they last until
            the next tile.
    """

    def __init__(self, head: Head, query: slice, room: Block | None = None) -> None:
        self._head = head
        self._query = query
        self._room = room
        self.span = head.rules.reach.span(query)
        count = query.stop - query.start
        self._reference = np.full(count, -np.inf)
        self._total = np.zeros(count)

    def tiles(self, edges: Callable[[slice], Sequence[int]] | None = None) -> Iterator[Tile | int]:
        """Go over the keys in reach, last ones first.

        Args:
            edges: For some keys, where sums begin and end, counted from the first of them.

        Yields:
            Tiles; the number of keys instead where all are masked.
        """
        arithmetic, count = self._head.arithmetic, self._query.stop - self._query.start
        parts = cut(self.span, arithmetic.keys)
        widest = max((part.stop - part.start for part in parts), default=0)
        logits_room = arithmetic.empty(widest, count)
        shares_room = arithmetic.empty(widest, count) if self._room is None else self._room
        queries = self._head.read(self._query)
        for key in reversed(parts):
            size = key.stop - key.start
            block = self._head.columns(queries, self._query, key, logits_room[:size])
            if block is None:
                yield size
                continue
            start = 0 if self._room is None else key.start - self.span.start
            shares = shares_room[start : start + size]
            cuts = [*range(0, size, _CHUNK), size] if edges is None else edges(key)
            if np.isneginf(self._reference).any():
                self._raise(arithmetic.largest(block, [0, size])[0])
            self._shift(block, self._shown())
            arithmetic.exp(block, shares)
            sums = arithmetic.sums(shares, cuts)
            part = sums.sum(axis=0, dtype=np.float64)
            if (part > _HIGH).any():
                before = self._shown()
                self._raise(arithmetic.largest(block, [0, size])[0] + before)
                self._shift(block, self._shown() - before)
                arithmetic.exp(block, shares)
                sums = arithmetic.sums(shares, cuts)
                part = sums.sum(axis=0, dtype=np.float64)
            self._total += part
            yield Tile(key, block, shares, sums, self._shown())

    def log_sum_exp(self) -> Floats:
        """The log-sum-exp of each query after the last tile; −inf where all is masked."""
        with np.errstate(all="ignore"):
            found: Floats = self._shown() + np.log(self._total)
            return found if self._head.sink is None else np.logaddexp(found, self._head.sink)

    def _shown(self) -> Floats:
        return np.where(np.isneginf(self._reference), 0.0, self._reference)

    def _shift(self, block: Block, by: Floats) -> None:
        if by.any():
            block -= self._head.arithmetic.bring(by)

    def _raise(self, peak: NDArray[Any]) -> None:
        """Take the largest logits into account; rows that have seen none stay without reference."""
        peak = peak.astype(np.float64)
        peak[peak <= FLOOR] = -np.inf
        peak[np.abs(peak) <= _SMALL] = 0.0
        # Rounded as the blocks are, so that what is added back is what was taken away.
        peak = self._head.arithmetic.host(self._head.arithmetic.bring(peak)).astype(np.float64)
        known = ~np.isneginf(self._reference)
        higher = np.where(known, np.maximum(self._reference, peak), peak)
        self._total[known] *= np.exp((self._reference - higher)[known])
        self._reference = higher


def stream_log_sum_exp(head: Head, query: slice) -> Generator[float, None, Floats]:
    """The log-sum-exp of some queries.

    Yields:
        The share that is done, 0 … 1.

    Returns:
        One number a query.
    """
    blocks = head.blocks(query)
    found = np.empty(query.stop - query.start)
    progress = Progress(head.work(blocks))
    for block in blocks:
        sweep = Sweep(head, block)
        tiles = sweep.tiles()
        while (tile := following(tiles)) is not None:
            keys = tile if isinstance(tile, int) else tile.key.stop - tile.key.start
            if progress.add(keys * (block.stop - block.start)):
                yield progress.share
        found[block.start - query.start : block.stop - query.start] = sweep.log_sum_exp()
    return found


def following(tiles: Iterator[Tile | int]) -> Tile | int | None:
    """The next tile; None at the end."""
    # NaN and inf of the logits come out in the sums; a warning would say no more.
    with np.errstate(all="ignore"):
        return next(tiles, None)


class Progress:
    """How much of some work is done, and when to say so."""

    def __init__(self, work: int) -> None:
        self._work = max(1, work)
        self._done = 0
        self._said = time.perf_counter()

    @property
    def share(self) -> float:
        """0 … 1."""
        return min(1.0, self._done / self._work)

    def add(self, work: int) -> bool:
        """Count some work; whether it is time to say so."""
        self._done += work
        now = time.perf_counter()
        due = now - self._said > STEP
        if due:
            self._said = now
        return due
