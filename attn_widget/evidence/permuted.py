"""Two groups of numbers compared in many cells at once, with labels dealt at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice, product
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..tasks import Steps

Numbers = NDArray[np.float64]

STEP_CELLS: Final = 1 << 19
"""Permuted cells looked at in one step."""

ALL_CELLS: Final = 1 << 31
"""Permuted cells looked at in all: beyond, fewer permutations must do."""

LEAST_DRAWN: Final = 999
"""Permutations drawn at least, unless fewer are asked for."""

_TIE: Final = 1e-9
"""Share by which equal statistics may differ for want of precision."""


@dataclass(frozen=True)
class Tested:
    """What a comparison found, one number a cell."""

    effect: Numbers
    """Cohen's d; NaN where nothing varies."""
    p: Numbers
    """Two-sided, of the cell alone; NaN where a number is missing."""
    p_adjusted: Numbers
    """That of the largest statistic of all cells."""
    permutations: int
    exact: bool


def compare(first: Numbers, second: Numbers, permutations: int, seed: int) -> Steps[Tested]:
    """Compare two groups, the labels of whose members may be dealt anew.

    Args:
        first: (n, cells).
        second: (m, cells).
        permutations: how many to look at; all where there are no more.
        seed: of those drawn.

    Yields:
        The share done, 0..1.
    """
    ones, twos = len(first), len(second)
    count = ones + twos
    values = np.concatenate([first, second])
    gap = _Gap(values - values.mean(axis=0), ones * twos / count, count - 2)
    total = comb(count, ones)
    labels = _labels(count, ones, None if total <= permutations else seed)
    weights = (np.where(label, 1 / ones, -1 / twos) for label in labels)
    observed = np.where(np.arange(count) < ones, 1 / ones, -1 / twos)
    return (yield from _tested(gap, observed, weights, total, permutations))


def compare_pairs(first: Numbers, second: Numbers, permutations: int, seed: int) -> Steps[Tested]:
    """Compare pairs, in each of which either could have been the first.

    Args:
        first: (n, cells).
        second: (n, cells).
        permutations: how many to look at; all where there are no more.
        seed: of those drawn.

    Yields:
        The share done, 0..1.
    """
    count = len(first)
    gap = _Gap(first - second, count, count - 1)
    total = 2**count
    labels = _coins(count, None if total <= permutations else seed)
    weights = (np.where(label, 1, -1) / count for label in labels)
    return (yield from _tested(gap, np.full(count, 1 / count), weights, total, permutations))


class _Gap:
    """Differences of means and their studentised size, for weights that deal the labels.

    Args:
        rows: (members, cells); weights of members that sum up rows give a difference of means.
        factor: what the square of that takes off the sum of squares of a cell.
        freedom: degrees of freedom of what is left.
    """

    def __init__(self, rows: Numbers, factor: float, freedom: int) -> None:
        self.known: NDArray[np.bool_] = np.asarray(np.isfinite(rows).all(axis=0))
        self._rows = rows[:, self.known]
        self._squares = (self._rows**2).sum(axis=0)
        self._factor, self._freedom = factor, freedom
        spread = np.sqrt(self._squares / max(1, len(rows)))
        varying = spread[spread > 0]
        # The same for all ways of dealing labels, so that the test stays exact.
        self._slack = float(np.median(varying)) if varying.size else 1.0

    def effect(self, weights: Numbers) -> Numbers:
        """Return Cohen's d, (cells,) of those known."""
        gap, within = self._parts(weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(gap / within)

    def statistics(self, weights: Numbers) -> Numbers:
        """Return the studentised size of the difference, (ways, cells) of those known."""
        gap, within = self._parts(weights)
        return np.asarray(np.abs(gap) / (within + self._slack))

    def _parts(self, weights: Numbers) -> tuple[Numbers, Numbers]:
        gap = weights @ self._rows
        left = self._squares - self._factor * gap**2
        # What rounding leaves of a cell that does not vary within groups is nothing.
        left[left < _TIE * self._squares] = 0
        return gap, np.sqrt(left / self._freedom)


def _tested(
    gap: _Gap, observed: Numbers, weights: Iterator[Numbers], total: int, permutations: int
) -> Steps[Tested]:
    """Count how often labels dealt at random give as much, of each cell and of the largest."""
    exact = total <= permutations
    cells = int(gap.known.sum())
    most = max(min(permutations, LEAST_DRAWN), min(permutations, ALL_CELLS // max(1, cells)))
    wanted = total if exact else most
    least = gap.statistics(observed[None])[0] * (1 - _TIE)
    alone, any_cell = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    order = np.sort(least)
    together = max(1, STEP_CELLS // max(1, cells))
    done = 0
    while done < wanted and cells:
        ways = np.stack([*islice(weights, min(together, wanted - done))])
        found = gap.statistics(ways)
        alone += (found >= least).sum(axis=0)
        reached = np.searchsorted(order, found.max(axis=1), side="right")
        any_cell += _reaching(reached, cells)[np.searchsorted(order, least, side="left")]
        done += len(ways)
        yield done / wanted
    # Labels as they are count as one of those drawn: p is never 0 (Phipson and Smyth 2010).
    extra = 0 if exact else 1
    p, p_adjusted, effect = (np.full(gap.known.shape, np.nan) for _ in range(3))
    p[gap.known] = (alone + extra) / (wanted + extra)
    p_adjusted[gap.known] = (any_cell + extra) / (wanted + extra)
    effect[gap.known] = gap.effect(observed)
    return Tested(effect, p, p_adjusted, wanted, exact)


def _reaching(reached: NDArray[np.intp], cells: int) -> NDArray[np.int64]:
    """Return how many of some maxima reach the cell of each rank, smallest first."""
    counts = np.bincount(reached, minlength=cells + 1)
    return np.asarray(counts[::-1].cumsum()[::-1][1:])


def _labels(count: int, ones: int, seed: int | None) -> Iterator[NDArray[np.bool_]]:
    """Yield ways to label some members as of the first group: all, or drawn ones without end."""
    if seed is None:
        for chosen in combinations(range(count), ones):
            yield np.isin(np.arange(count), chosen)
        return
    random = np.random.default_rng(seed)
    while True:
        yield random.permutation(count) < ones


def _coins(count: int, seed: int | None) -> Iterator[NDArray[np.bool_]]:
    """Yield ways for some coins to fall: all, or drawn ones without end."""
    if seed is None:
        for sides in product((True, False), repeat=count):
            yield np.array(sides)
        return
    random = np.random.default_rng(seed)
    while True:
        yield random.random(count) < 0.5
