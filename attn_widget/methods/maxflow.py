"""The largest flow through layers of positions, from one position at the top to one at the bottom.

Dinic's method on the layered graph that rollout multiplies: an edge from position i of a layer to
position j of the layer below has capacity ``M[i, j]``. Neighbours are sets of bits, so that levels
of many positions are found a word at a time. Source: Dinic 1970; Abnar and Zuidema 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from .inputs import Floats

NOTHING: Final = 1e-12
"""Capacities this small are rounding."""


class Layers:
    """A layered graph, asked for one largest flow after the other.

    Args:
        matrices: (n, n) capacities of each layer, first layer first; at least one.
    """

    def __init__(self, matrices: Sequence[Floats]) -> None:
        self._top: list[list[float]] = matrices[-1].tolist()
        self._bottom: list[list[float]] = matrices[0].tolist()
        # From the top down: what lies between the first and the last layer.
        self._middle: list[list[list[float]]] = [
            matrix.tolist() for matrix in reversed(matrices[1:-1])
        ]
        self._edges = [[_bits(row) for row in matrix] for matrix in self._middle]
        self._single = len(matrices) == 1

    def flow(self, source: int, sink: int) -> float:
        """The largest flow from a position above the last layer to one below the first."""
        if self._single:
            return self._top[source][sink]
        left = list(self._top[source])
        right = [row[sink] for row in self._bottom]
        if not self._middle:
            return sum(map(min, left, right))
        return _Flow(self._middle, self._edges, left, right).largest()


class _Flow:
    """One flow: capacities that are left, copied only where it runs.

    Rows of positions are counted from the top; a *place* is a row and a position in it.

    Args:
        middle: Capacities from each row to the next.
        edges: For each of its positions, the bits of those it has an edge to.
        left: What the source can give to each position of the first row.
        right: What each position of the last row can give to the sink.
    """

    def __init__(
        self,
        middle: list[list[list[float]]],
        edges: list[list[int]],
        left: list[float],
        right: list[float],
    ) -> None:
        self._left, self._right = left, right
        self._down = [list(matrix) for matrix in middle]
        self._open = [list(bits) for bits in edges]
        self._copied = [0] * len(middle)
        # Flow that could be taken back: how much runs down an edge, and the bits of its origins.
        self._flow: list[dict[tuple[int, int], float]] = [{} for _ in middle]
        self._origins = [[0] * len(left) for _ in middle]
        self._last = len(middle)

    def largest(self) -> float:
        """Push until nothing goes through any more."""
        most = min(sum(self._left), sum(self._right))
        total = self._straight()
        while most - total > NOTHING:
            levels = self._levels()
            pushed = self._blocking(levels) if levels else 0.0
            if pushed <= NOTHING:
                break
            total += pushed
        return total

    def _straight(self) -> float:
        """Push straight down from each position: with residual shares, most there is."""
        total = 0.0
        for place, amount in enumerate(map(min, self._left, self._right)):
            amount = min([amount, *(rows[place][place] for rows in self._down)])
            if amount > NOTHING:
                self._push([(row, place) for row in range(self._last + 1)], amount)
                total += amount
        return total

    def _levels(self) -> list[list[int]]:
        """The places at each distance from the source, as bits by row; none if the sink is cut."""
        ends = _bits(self._right)
        here = [0] * (self._last + 1)
        here[0] = _bits(self._left)
        fresh = [~0] * (self._last + 1)
        levels = []
        while any(here):
            levels.append(here)
            if here[-1] & ends:
                return levels
            fresh = [free & ~bits for free, bits in zip(fresh, here, strict=True)]
            following = [0] * (self._last + 1)
            for row, bits in enumerate(here):
                while bits:
                    position = _lowest(bits)
                    bits &= bits - 1
                    if row < self._last:
                        following[row + 1] |= self._open[row][position]
                    if row:
                        following[row - 1] |= self._origins[row - 1][position]
            here = [free & bits for free, bits in zip(fresh, following, strict=True)]
        return []

    def _blocking(self, levels: list[list[int]]) -> float:
        """Push along shortest ways until each has a full edge."""
        total = 0.0
        while levels[0][0]:
            start = _lowest(levels[0][0])
            way = self._way(levels, start)
            if way:
                total += self._push(way, self._room(way))
                if self._left[start] <= NOTHING:
                    levels[0][0] &= levels[0][0] - 1
        return total

    def _way(self, levels: list[list[int]], start: int) -> list[tuple[int, int]]:
        """Places from a start to the sink; nothing if none leads there. Dead ends are struck."""
        way = [(0, start)]
        while way:
            row, position = way[-1]
            level = len(way) - 1
            if level == len(levels) - 1:
                if row == self._last and self._right[position] > NOTHING:
                    return way
            else:
                following = levels[level + 1]
                down = self._open[row][position] & following[row + 1] if row < self._last else 0
                if down:
                    straight = down >> position & 1
                    way.append((row + 1, position if straight else _lowest(down)))
                    continue
                back = self._origins[row - 1][position] & following[row - 1] if row else 0
                if back:
                    way.append((row - 1, _lowest(back)))
                    continue
            levels[level][row] &= ~(1 << position)
            way.pop()
        return []

    def _room(self, way: list[tuple[int, int]]) -> float:
        amount = min(self._left[way[0][1]], self._right[way[-1][1]])
        for (row, one), (other, two) in pairwise(way):
            room = self._down[row][one][two] if other > row else self._flow[other][two, one]
            amount = min(amount, room)
        return amount

    def _push(self, way: list[tuple[int, int]], amount: float) -> float:
        self._left[way[0][1]] -= amount
        self._right[way[-1][1]] -= amount
        for (row, one), (other, two) in pairwise(way):
            if other > row:
                self._run(row, one, two, amount)
            else:
                self._run(other, two, one, -amount)
        return amount

    def _run(self, row: int, upper: int, lower: int, amount: float) -> None:
        """Let so much more flow run down an edge."""
        rows, flow = self._down[row], self._flow[row]
        if not self._copied[row] >> upper & 1:
            self._copied[row] |= 1 << upper
            rows[upper] = rows[upper].copy()
        rows[upper][lower] -= amount
        flow[upper, lower] = runs = flow.get((upper, lower), 0.0) + amount
        if rows[upper][lower] <= NOTHING:
            self._open[row][upper] &= ~(1 << lower)
        else:
            self._open[row][upper] |= 1 << lower
        if runs <= NOTHING:
            self._origins[row][lower] &= ~(1 << upper)
        else:
            self._origins[row][lower] |= 1 << upper


def _bits(amounts: Sequence[float]) -> int:
    """The places of amounts worth the name, as bits."""
    return sum(1 << place for place, amount in enumerate(amounts) if amount > NOTHING)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
