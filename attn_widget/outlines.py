"""Outlines of masks: closed lines along the edges of pixels, as points and as text for the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]
Point: TypeAlias = tuple[int, int]
Outline: TypeAlias = tuple[Point, ...]
"""Corners ``(x, y)`` of a closed line in pixels; what is marked lies at its right hand."""

Run: TypeAlias = tuple[int, int, int]
"""A straight piece: the row or column it is on, where it starts, where it ends."""

MOST_POINTS: Final = 16_000
"""Corners of the outlines on one image at most: with more, of finer noise, a coarser mask stands
for the given one. As text they take some 60 kB."""


def outlines_of(masks: Sequence[Mask]) -> tuple[Outline, ...]:
    """Return the outlines of some masks of one image: the outer lines, and those around holes.

    They follow the pixels exactly unless they had more than :data:`MOST_POINTS` corners. Then each
    of 2 × 2 pixels, 4 × 4 and so on counts as marked where half of them or more are.

    Args:
        masks: ``(height, width)`` each.
    """
    block = 1
    while True:
        runs = [_runs_of(_coarser(mask, block)) for mask in masks]
        # A run is a straight piece, and has a corner at its end.
        if sum(len(right) + len(down) for right, down in runs) <= MOST_POINTS:
            break
        block *= 2
    found = [line for right, down in runs for line in _lines(right, down)]
    height, width = masks[0].shape if masks else (0, 0)
    return tuple(
        tuple((min(x * block, width), min(y * block, height)) for x, y in line) for line in found
    )


def path_of(outlines: Sequence[Outline]) -> str:
    """Return outlines as the path of an SVG, ``M2 1h3v2h-3z``: relative steps, and no last one."""
    return "".join(f"M{line[0][0]} {line[0][1]}{_steps(line)}z" for line in outlines)


def _steps(line: Outline) -> str:
    return "".join(
        f"h{x - before_x}" if y == before_y else f"v{y - before_y}"
        for (before_x, before_y), (x, y) in pairwise(line)
    )


def _coarser(mask: Mask, block: int) -> Mask:
    if block == 1:
        return mask
    height, width = (-(-size // block) for size in mask.shape)
    padded = np.zeros((height * block, width * block), dtype=np.float32)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    means = padded.reshape(height, block, width, block).mean(axis=(1, 3))
    return np.asarray(means >= 0.5)


def _runs_of(mask: Mask) -> tuple[list[Run], list[Run]]:
    """Return the edges of a mask that lie, and those that stand, the way its outlines run."""
    padded = np.pad(mask, 1).astype(np.int8)
    # Across an edge that lies, 1 where what is below is marked; along it lines then run right.
    return _runs(np.diff(padded, axis=0)[:, 1:-1]), _runs(-np.diff(padded, axis=1)[1:-1].T)


def _lines(right: list[Run], down: list[Run]) -> Iterator[Outline]:
    """Follow edges from corner to corner."""
    ends: dict[Point, list[Point]] = defaultdict(list)
    for y, start, stop in right:
        ends[start, y].append((stop, y))
    for x, start, stop in down:
        ends[x, start].append((x, stop))
    for first in [*ends]:
        while ends[first]:
            line = [first]
            at = ends[first].pop()
            while at != first:
                onward = _rightmost(line[-1], at, ends[at])
                ends[at].remove(onward)
                line.append(at)
                at = onward
            yield tuple(line)


def _runs(signs: NDArray[np.int8]) -> list[Run]:
    """Return the runs of each row of signs: row, where it starts, where it ends, by direction."""
    padded = np.pad(signs, ((0, 0), (1, 1)))
    row, at = np.nonzero(np.diff(padded, axis=1))
    # Each change ends one run, begins another, or does both.
    before, after = padded[row, at], padded[row, at + 1]
    starts, ends = after != 0, before != 0
    sign = after[starts]
    first, last = at[starts], at[ends]
    forward = sign > 0
    start, stop = np.where(forward, first, last), np.where(forward, last, first)
    return [*zip(row[starts].tolist(), start.tolist(), stop.tolist(), strict=True)]


def _rightmost(before: Point, at: Point, onward: list[Point]) -> Point:
    """Return the way on: to the right where two pixels meet in a corner, which stay apart."""
    along = at[0] - before[0], at[1] - before[1]
    return max(onward, key=lambda to: along[0] * (to[1] - at[1]) - along[1] * (to[0] - at[0]))
