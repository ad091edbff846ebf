"""Heads that find a thing in an image: much weight on the image, in few places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attention import Attention
from ..axes import Patches

Grid = NDArray[np.float64]


def spatial_entropy(grid: ArrayLike) -> float:
    """Return how scattered a map over patches is: the entropy of its connected parts, in nats.

    What exceeds the mean is kept; cells that touch, also at corners, are one part; each has the
    share of the kept weight that lies in it. 0 is one part, ln 2 two of equal weight (Kang et al.
    2025, section 3.2; the threshold is relative here, so that diffuse maps have parts too).

    Args:
        grid: (rows, cols), at least 0; cells that are not finite count nothing.

    Raises:
        ValueError: if the grid has other than two axes.
    """
    cells = np.asarray(grid, dtype=np.float64)
    if cells.ndim != 2:
        raise ValueError(f"grid must have shape (rows, cols); got {cells.shape}")
    cells = np.where(np.isfinite(cells), cells, 0.0)
    kept = np.maximum(cells - cells.mean(), 0.0) if cells.size else cells
    total = kept.sum()
    if not total > 0:
        return 0.0
    shares = np.array([sum(kept[place] for place in part) for part in _parts(kept)]) / total
    return float(max(0.0, -(shares * np.log(shares)).sum()))


@dataclass(frozen=True)
class LocalisingHead:
    """A head that looks at few places of the image.

    Attributes:
        layer: its layer.
        head: its number.
        image_share: share of the query's weight that lies on the image.
        spatial_entropy: how scattered it is there, in nats.
    """

    layer: int
    head: int
    image_share: float
    spatial_entropy: float


def localising_heads(
    attention: Attention, query: int, *, segment: int | None = None
) -> list[LocalisingHead]:
    """Return the heads that look at the image at all, the least scattered first.

    Those above the elbow of the sorted image shares stay: the point farthest below the line from
    the largest to the smallest (Kang et al. 2025, section 3.2).

    Args:
        attention: a map with patches among its keys.
        query: the position that attends: in a vision-language model the last word of a question.
        segment: which segment of the keys; the first with patches if None.

    Raises:
        ValueError: if no key lies on a grid of patches.
    """
    axis = attention.keys
    wanted = range(len(axis.segments)) if segment is None else (segment,)
    at = next((n for n in wanted if isinstance(axis.segments[n], Patches)), None)
    if at is None:
        raise ValueError("localising_heads needs Patches among the keys; there are none")
    patches = axis.segments[at]
    assert isinstance(patches, Patches)
    start = axis.starts[at]
    heads = attention.shape[1]
    rows = np.abs(np.nan_to_num(attention[:, :, query].astype(np.float64)))
    totals = rows.sum(axis=-1)
    on = rows[..., start : start + len(patches)]
    shares = np.divide(on.sum(axis=-1), totals, out=np.zeros_like(totals), where=totals > 0)
    found = []
    for index in _above_elbow(shares.ravel()):
        layer, head = divmod(int(index), heads)
        grid = np.zeros(patches.rows * patches.cols)
        cells = patches.cells
        grid[cells[cells >= 0]] = on[layer, head][cells >= 0]
        scattered = spatial_entropy(grid.reshape(patches.rows, patches.cols))
        found.append(LocalisingHead(layer, head, float(shares[layer, head]), scattered))
    return sorted(found, key=lambda one: (one.spatial_entropy, -one.image_share))


def _above_elbow(values: Grid) -> NDArray[np.intp]:
    """Places of the values down to the elbow of their sorted curve, all where it has none."""
    order = np.argsort(-values, kind="stable")
    curve = values[order]
    if len(curve) < 3 or curve[0] == curve[-1]:
        return order
    # How far each point lies below the line from the first to the last.
    line = np.linspace(curve[0], curve[-1], len(curve))
    return order[: int(np.argmax(line - curve)) or len(order)]


def _parts(kept: Grid) -> list[list[tuple[int, int]]]:
    """Connected cells above 0, neighbours at corners included."""
    rows, cols = kept.shape
    left = {(int(row), int(col)) for row, col in zip(*np.nonzero(kept), strict=True)}
    parts = []
    while left:
        part, front = [], [left.pop()]
        while front:
            row, col = front.pop()
            part.append((row, col))
            near = {
                (y, x)
                for y in range(max(0, row - 1), min(rows, row + 2))
                for x in range(max(0, col - 1), min(cols, col + 2))
            } & left
            left -= near
            front += near
        parts.append(part)
    return parts
