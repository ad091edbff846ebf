"""Where the cells of a matrix stand and which of its positions are named. Pure numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

import numpy as np

from .layout import LABEL_ROOM, MOST_PITCH, named_positions

MOST_CELLS: Final = 600
"""Cells a side; more positions are pooled. Also the most CSS pixels that they take."""
LEAST_SIDE: Final = 120.0
"""A side much shorter than the other is stretched to this, or to cells of the largest size."""
LABEL_GAP: Final = 7.0
COUNTED_FROM: Final = 20
"""Where at most every so many tokens could be named, positions are counted instead."""


@dataclass(frozen=True)
class Cells:
    """Cells of one side, and the room they take in CSS pixels."""

    count: int
    length: float


def cells_of(positions: int, other: int, most: int = MOST_CELLS) -> Cells:
    """Return the cells of a side of ``positions``, the other side having ``other``.

    Cells are as high as they are wide, except where one side would be too short to be seen. Cells
    that hold one position each measure half or whole CSS pixels, so that all look alike.
    """
    longer = max(positions, other)
    if positions == 0 or longer == 0:
        return Cells(0, 0.0)
    natural = min(MOST_PITCH, MOST_CELLS / longer)
    length = max(natural * positions, min(LEAST_SIDE, MOST_PITCH * positions))
    count = min(positions, most, max(1, floor(length)))
    if count == positions:
        pitch = floor(2 * length / count + 1e-6) / 2
        return Cells(count, pitch * count)
    return Cells(count, float(round(length)))


@dataclass(frozen=True)
class Ticks:
    """The labels of one side: positions, counted within the part shown, and what they say."""

    positions: tuple[int, ...]
    texts: tuple[str, ...]
    every: int
    """Every so many tokens are named: 1 for all, 0 where positions are counted instead."""


def ticks_of(
    labels: Sequence[str], first: int, length: float, counted: bool, wanted: Sequence[int]
) -> Ticks:
    """Choose the positions to be named so that no two labels, one line each, overlap.

    Args:
        labels: of the positions shown.
        first: the position that the first of them has on its axis.
        length: room for all of them, CSS pixels.
        counted: whether labels only count the positions.
        wanted: positions, counted within ``labels``, to be named first.
    """
    count = len(labels)
    if count == 0:
        return Ticks((), (), 1)
    pitch = length / count
    step = max(1, ceil(LABEL_ROOM / pitch - 1e-6))
    if step < COUNTED_FROM and not (counted and step > 1):
        named = named_positions(count, pitch, wanted)
        return Ticks(named, tuple(labels[position] for position in named), step)
    spacing = round_step(4 * LABEL_ROOM / pitch)
    start = -(-first // spacing) * spacing - first
    taken = np.asarray(wanted, dtype=np.int64)
    placed = {position: labels[position] for position in spread(wanted, step)}
    for position in range(start, count, spacing):
        if not (np.abs(taken - position) < step).any():
            placed[position] = f"{first + position:,}"
    ordered = sorted(placed)
    return Ticks(tuple(ordered), tuple(placed[position] for position in ordered), 0)


def spread(wanted: Sequence[int], step: int) -> list[int]:
    """Return those of the positions, the most wanted first, that are ``step`` apart."""
    kept: list[int] = []
    for position in wanted:
        if all(abs(position - other) >= step for other in kept):
            kept.append(position)
    return kept


def round_step(least: float) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50 … that is not below ``least``."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= least:
                return step * scale
        scale *= 10


def side_by_side(
    ticks: Ticks, widths: Sequence[float], length: float, count: int, gap: float = 6.0
) -> bool:
    """Return whether labels centred at their positions fit one beside the other."""
    if not ticks.positions:
        return True
    centres = (np.asarray(ticks.positions) + 0.5) * (length / max(1, count))
    half = np.asarray(widths, dtype=np.float64) / 2
    return bool(
        (np.diff(centres) >= half[1:] + half[:-1] + gap).all()
        and centres[0] - half[0] >= -MOST_PITCH
        and centres[-1] + half[-1] <= length + MOST_PITCH
    )
