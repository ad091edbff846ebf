"""Fog: the ink of all lines too many to be drawn one by one, as one image.

Lines are summed as optical depth in floats, whatever their order, so that any number of faint
lines is drawn truly. All lines share one shape: level at both tokens and, a share ``s`` of the way
along, risen by the same share ``r(s)`` of their height. Where they cross a place along the way is
therefore ``(1 − r) · start + r · end``: a projection of the matrix of ink, one for each column of
the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_BLOCKS: Final = 128
"""Tokens are pooled into at most this many blocks a side."""
BLOCK: Final = (1.5, 5.0)
"""Room of a pixel of fog along the tokens and across them, CSS pixels."""


@dataclass(frozen=True)
class Strokes:
    """Lines as columns: entry ``i`` of each array describes line ``i``.

    ``start`` and ``end`` are places along the tokens, ``width`` is in the same unit; ``colour`` is
    ``(n, 3)``, 0..1.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    opacity: NDArray[np.float32]
    width: NDArray[np.float32]
    colour: NDArray[np.float64]


def rises(share: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far lines have risen at a share of the way along, and how steeply, 0..1 across.

    A line is the cubic (1.5t − 1.5t² + t³, 3t² − 2t³): control points half way along.
    """
    low, high = np.zeros(len(share)), np.ones(len(share))
    for _ in range(40):
        t = (low + high) / 2
        below = 1.5 * t - 1.5 * t**2 + t**3 < share
        low, high = np.where(below, t, low), np.where(below, high, t)
    return t**2 * (3 - 2 * t), (6 * t - 6 * t**2) / (1.5 - 3 * t + 3 * t**2)


def fog_image(strokes: Strokes, length: float, across: float) -> NDArray[np.float32]:
    """Return lines as an image of straight alpha, ``(rows, columns, 4)``, 0..1.

    Rows run along the tokens, columns from queries to keys.

    Args:
        strokes: the lines.
        length: extent along the tokens; places outside 0..length are drawn at the edge.
        across: extent from queries to keys, in the same unit.
    """
    rows, columns = (
        int(np.clip(round(extent / block), 1, 640))
        for extent, block in zip((length, across), BLOCK, strict=True)
    )
    if len(strokes.start) == 0:
        return np.zeros((rows, columns, 4), np.float32)
    start, end, ink = _pooled(strokes, length)
    # The ink of a block of several tokens fills the block, that of one token does not.
    several = max(len(np.unique(places)) for places in (strokes.start, strokes.end)) > MOST_BLOCKS
    least = max(1.0, rows / MOST_BLOCKS) if several else 1.0
    if bool((strokes.colour == strokes.colour[0]).all()):
        # One colour throughout: the sums of the others would only repeat the sum of ink.
        ink = ink[:, 3:]
    per_row = length / rows
    borders = rises(np.arange(columns + 1) / columns)[0]
    slopes = rises((np.arange(columns) + 0.5) / columns)[1]
    total = np.empty((rows, columns, ink.shape[1]))
    for column in range(columns):
        entry, leave = (((1 - r) * start + r * end) / per_row for r in borders[column : column + 2])
        # A steep stroke is as wide across its own direction, hence wider along the tokens.
        steep = np.hypot(1, slopes[column] * (end - start) / across)
        total[:, column] = _spread(entry, leave, ink * (steep / per_row)[:, None], rows, least)
    depth = total[..., -1]
    image = np.empty((rows, columns, 4), np.float32)
    image[..., :3] = strokes.colour[0]
    if ink.shape[1] == 4:
        shade = np.zeros((rows, columns, 3))
        np.divide(total[..., :3], depth[..., None], out=shade, where=depth[..., None] > 0)
        image[..., :3] = shade
    image[..., 3] = 1 - np.exp(-depth)
    return np.clip(image, 0, 1)


def _spread(
    entry: NDArray[np.float64],
    leave: NDArray[np.float64],
    amount: NDArray[np.float64],
    rows: int,
    least: float,
) -> NDArray[np.float64]:
    """Sum amounts ``(n, channels)``, each evenly over the rows its line crosses.

    Each line adds a step up where it enters and a step down where it leaves, at least ``least``
    rows on; their running sum is the density.
    """
    middle, half = (entry + leave) / 2, np.maximum(np.abs(leave - entry), least) / 2
    steps = np.zeros((rows + 2, amount.shape[1]))
    for place, sign in ((middle - half, 1.0), (middle + half, -1.0)):
        place = np.clip(place, 0, rows)
        row = np.minimum(place.astype(np.intp), rows - 1)
        upper = place - row
        for channel in range(amount.shape[1]):
            height = sign * amount[:, channel] / (2 * half)
            steps[:, channel] += np.bincount(row, height * (1 - upper), rows + 2)
            steps[:, channel] += np.bincount(row + 1, height * upper, rows + 2)
    return np.maximum(np.cumsum(steps, axis=0)[:rows], 0)


def _pooled(
    strokes: Strokes, length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sum the ink of strokes whose ends share a block.

    Returns:
        Starts, ends, and ``(n, 4)``: red, green and blue times ink, and ink.
    """
    ink = -np.log1p(-np.minimum(strokes.opacity, 0.999).astype(np.float64)) * strokes.width
    size = length / MOST_BLOCKS

    def block(places: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.clip((places / size).astype(np.intp), 0, MOST_BLOCKS - 1)

    cell = block(strokes.start) * MOST_BLOCKS + block(strokes.end)
    cells = MOST_BLOCKS**2
    depth = np.bincount(cell, ink, cells)
    used = np.flatnonzero(depth)

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(cell, ink * values, cells)[used], dtype=np.float64)

    coloured = [summed(strokes.colour[:, channel]) for channel in range(3)]
    # A block's ink starts and ends where, on average, its lines do.
    return (
        summed(strokes.start) / depth[used],
        summed(strokes.end) / depth[used],
        np.stack([*coloured, depth[used]], axis=1),
    )
