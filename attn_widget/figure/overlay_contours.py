"""Lines around the cells that hold a share of the weight on a picture.

``js/src/overlay/contours.ts`` draws the same on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..axes import Patches
from ..panels import Panel, PanelPart, Rect
from .overlay_paint import between_middles, grid_of
from .overlay_scene import OverlayScene

Segment = tuple[tuple[float, float], tuple[float, float]]
"""A straight piece, in original pixels."""

_FINE: Final = 400
"""Steps along the longer side of a grid in which smooth lines are followed, at most."""
_STEPS: Final = 8
"""Steps a cell."""


def enclosing(
    weights: NDArray[np.float32], members: Sequence[int], shares: Sequence[float]
) -> list[list[int]]:
    """Return the smallest sets of members that hold shares of their weight, strongest first.

    What is not finite, or 0, is in none.

    Args:
        weights: ``(n,)``.
        members: positions.
        shares: 0..1 each.
    """
    magnitude = np.abs(weights[list(members)]).astype(np.float64)
    known = np.isfinite(magnitude) & (magnitude > 0)
    order = np.asarray(members, dtype=np.intp)[known]
    size = magnitude[known]
    ranked = np.lexsort((order, -size))
    sums = np.cumsum(size[ranked])
    if not len(sums):
        return [[] for _ in shares]
    # Sums of float32 weights may miss a share by their last digit.
    counts = [int(np.argmax(sums >= share * sums[-1] * (1 - 1e-7))) + 1 for share in shares]
    return [order[ranked][:count].tolist() for count in counts]


def members_of(scene: OverlayScene, panel: Panel) -> list[int]:
    """Return the positions that are painted on a panel."""
    return [
        position
        for part in panel.parts
        if part.side == scene.other
        for position in range(part.start, part.stop)
        if position not in scene.apart and not np.isnan(scene.rects[position, 0])
    ]


def lines_of(
    scene: OverlayScene, row: int, panel: Panel
) -> Iterator[tuple[float, list[Segment], list[Rect]]]:
    """Yield for each share the pieces around its set on grids, and the boxes in the set."""
    weights = scene.painted[row]
    members = members_of(scene, panel)
    shares = sorted(scene.state.contours)
    for share, inside in zip(shares, enclosing(weights, members, shares), strict=True):
        pieces: list[Segment] = []
        boxes: list[Rect] = []
        if not inside:
            continue
        chosen = np.zeros(len(weights), dtype=bool)
        chosen[inside] = True
        level = float(np.abs(weights[inside[-1]]))
        for part in panel.parts:
            if part.side != scene.other:
                continue
            if not isinstance(part.segment, Patches):
                rects = scene.rects[part.start : part.stop][chosen[part.start : part.stop]]
                boxes += [(r[0], r[1], r[2], r[3]) for r in rects.tolist()]
            elif scene.state.paint == "contours" and scene.state.interpolation == "bilinear":
                pieces += _level_lines(scene, weights, part, level)
            else:
                every = scene.state.paint == "outline"
                pieces += _edges(part, _mask(part, chosen[part.start : part.stop]), every)
        yield share, pieces, boxes


def _mask(part: PanelPart, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    assert isinstance(part.segment, Patches)
    cells = part.segment.cells
    mask = np.zeros(part.segment.rows * part.segment.cols, dtype=bool)
    mask[cells[chosen & (cells >= 0)]] = True
    return np.asarray(mask.reshape(part.segment.rows, part.segment.cols))


def _edges(part: PanelPart, mask: NDArray[np.bool_], every: bool) -> list[Segment]:
    """Return the edges between cells in a set and others, or of all cells in it."""
    left, top, _, _ = part.region
    wide, high = part.cell
    padded = np.pad(mask, 1)
    parted = np.logical_or if every else np.not_equal
    pieces: list[Segment] = []
    for row, start, stop in _runs(parted(padded[:-1, 1:-1], padded[1:, 1:-1])):
        y = top + row * high
        pieces.append(((left + start * wide, y), (left + stop * wide, y)))
    for column, start, stop in _runs(parted(padded[1:-1, :-1], padded[1:-1, 1:]).T):
        x = left + column * wide
        pieces.append(((x, top + start * high), (x, top + stop * high)))
    return pieces


def _runs(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Yield the line, start and stop of neighbours that are marked."""
    for line, cells in enumerate(marked):
        changes = np.flatnonzero(np.diff(np.pad(cells, 1).astype(np.int8)))
        for start, stop in changes.reshape(-1, 2).tolist():
            yield line, start, stop


def _level_lines(
    scene: OverlayScene, weights: NDArray[np.float32], part: PanelPart, level: float
) -> list[Segment]:
    """Return where interpolated magnitudes pass a level, along the border of the grid too."""
    from contourpy import contour_generator

    grid, _ = grid_of(scene, np.abs(weights), part)
    steps = max(1, min(_STEPS, _FINE // max(grid.shape)))
    places = [(np.arange(count * steps) + 0.5) / steps for count in grid.shape]
    fine = np.pad(between_middles(grid, places), 1)
    down, across = (
        np.concatenate([[at[0] - 0.5 / steps], at, [at[-1] + 0.5 / steps]]) for at in places
    )
    left, top, _, _ = part.region
    wide, high = part.cell
    lines = contour_generator(x=left + across * wide, y=top + down * high, z=fine).lines(
        level * (1 - 1e-6)
    )
    pieces: list[Segment] = []
    for line in lines:
        points = [(float(x), float(y)) for x, y in np.asarray(line)]
        pieces += [*pairwise(points)]
    return pieces
