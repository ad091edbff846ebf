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
from ..panels import Panel, PanelPart, Rect, roles_of
from .overlay_paint import between_middles, grid_of
from .overlay_scene import OverlayScene

Segment = tuple[tuple[float, float], tuple[float, float]]
"""A straight piece, in original pixels."""

_SAMPLES: Final = 128
"""Samples along the longer side of a grid whose smooth lines are followed."""
_STEPS: Final = 8
"""Samples along a cell, at most."""


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
    """Return the positions that are painted on the image of a panel, not beside it."""
    roles = roles_of(scene.axis)
    return [
        position
        for part in panel.parts
        if part.side == scene.other
        for position in range(part.start, part.stop)
        if position not in scene.apart and roles[position] == "image"
    ]


def lines_of(
    scene: OverlayScene, row: int, panel: Panel
) -> Iterator[tuple[float, list[Segment], list[Rect]]]:
    """Yield for each share the pieces around its set on grids, and the boxes in the set.

    Interpolated contours hold their share of the interpolated weight.
    """
    weights = scene.painted[row]
    shares = sorted(scene.state.contours)
    smooth = scene.state.paint == "contours" and scene.state.interpolation == "bilinear"
    parts = [part for part in panel.parts if part.side == scene.other]
    grids = [part for part in parts if isinstance(part.segment, Patches)]
    fields = [_field(scene, weights, part, panel) for part in grids] if smooth else []
    sets = enclosing(weights, members_of(scene, panel), shares)
    for share, inside in zip(shares, sets, strict=True):
        if not inside:
            continue
        chosen = np.zeros(len(weights), dtype=bool)
        chosen[inside] = True
        boxes: list[Rect] = []
        for part in parts:
            if not isinstance(part.segment, Patches):
                rects = scene.rects[part.start : part.stop][chosen[part.start : part.stop]]
                boxes += [(r[0], r[1], r[2], r[3]) for r in rects.tolist()]
        pieces: list[Segment] = []
        for index, part in enumerate(grids):
            if smooth:
                pieces += _level_lines(part, fields[index], _level(fields, share))
            else:
                mask = _mask(part, chosen[part.start : part.stop])
                pieces += _edges(part, mask, scene.state.paint == "outline")
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


def _field(
    scene: OverlayScene, weights: NDArray[np.float32], part: PanelPart, panel: Panel
) -> NDArray[np.float64]:
    """Return samples of interpolated magnitudes on the image, 0 beside it and on odd cells."""
    grid, odd = grid_of(scene, weights, part)
    steps = max(1, min(_STEPS, _SAMPLES // max(grid.shape)))
    places = [(np.arange(count * steps) + 0.5) / steps for count in grid.shape]
    field = np.abs(between_middles(grid, places))
    field[np.repeat(np.repeat(odd, steps, axis=0), steps, axis=1)] = 0
    for axis, at in enumerate(places):
        along = part.region[1 - axis] + at * part.cell[1 - axis]
        beside = (along < 0) | (along > panel.size[1 - axis])
        field[(slice(None),) * axis + (beside,)] = 0
    return field


def _level(fields: Sequence[NDArray[np.float64]], share: float) -> float:
    """Return the magnitude above which samples hold a share of all."""
    ranked = np.sort(np.concatenate([field.ravel() for field in fields]))[::-1]
    sums = np.cumsum(ranked)
    return float(ranked[int(np.argmax(sums >= share * sums[-1] * (1 - 1e-7)))])


def _level_lines(part: PanelPart, field: NDArray[np.float64], level: float) -> list[Segment]:
    """Return where samples pass a level, along the border of the grid too."""
    from contourpy import contour_generator

    if level <= 0:
        return []
    left, top, right, bottom = part.region
    x, y = (
        np.concatenate([[start], start + (np.arange(n) + 0.5) * (end - start) / n, [end]])
        for start, end, n in ((left, right, field.shape[1]), (top, bottom, field.shape[0]))
    )
    pieces: list[Segment] = []
    for line in contour_generator(x=x, y=y, z=np.pad(field, 1)).lines(level):
        points = [(float(x), float(y)) for x, y in np.asarray(line)]
        pieces += pairwise(points)
    return pieces
