"""Deformable attention: weights at points of an image instead of at cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis, Boxes, Segment, Tokens
from .original import Original, Size, original, pair, part


def deformable(
    locations: object,
    weights: object,
    shapes: Sequence[tuple[int, int]],
    queries: object = None,
    *,
    image: object = None,
    strides: Sequence[int] | None = None,
    input_size: Size | None = None,
    width: int | None = None,
    height: int | None = None,
    name: str = "",
) -> Attention:
    """Deformable attention as a map over the cells of its feature levels.

    A point takes its value from the four cells around it, so its weight belongs to these in the
    same shares: ``map @ value`` is then exactly what the model computed. What lies beyond the
    edge of a level reads zeros and is lost, so rows may sum to less than 1. To see the points
    themselves, use `dots`.

    Args:
        locations: (queries, heads, levels, points, 2) x and y in 0 … 1 of the level.
        weights: (queries, heads, levels, points).
        shapes: (rows, columns) of each level.
        queries: What the queries are; see `Attention`.
        image: The original image; see `Patches`.
        strides: Pixels a cell of the model's input at each level, where the last row and column
            reach beyond it; None means that each level covers the image exactly.
        input_size: (height, width) of the model's input, needed with ``strides``.
        width: Width of the original image, where the image is not given.
        height: Its height.
        name: A name to show.

    Returns:
        A map (1, heads, queries, cells of all levels), float32, with one segment a level.

    Raises:
        ValueError: If the shapes do not fit each other.

    Source: Zhu et al. 2021, Deformable DETR (arXiv 2010.04159), equation 3.
    """
    points, shares = _points(locations, weights)
    number, heads, levels, _ = shares.shape
    if len(shapes) != levels:
        raise ValueError(f"expected (rows, columns) of {levels} levels; got {len(shapes)}")
    sizes = [rows * cols for rows, cols in shapes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    total = np.zeros((heads, number, int(starts[-1])), dtype=np.float32)
    query, head = np.meshgrid(np.arange(number), np.arange(heads), indexing="ij")
    for level, (rows, cols) in enumerate(shapes):
        # Values stand at the centres of cells.
        x = points[:, :, level, :, 0] * cols - 0.5
        y = points[:, :, level, :, 1] * rows - 0.5
        for down in (0, 1):
            for across in (0, 1):
                col, row = np.floor(x) + across, np.floor(y) + down
                share = (1 - abs(x - col)) * (1 - abs(y - row)) * shares[:, :, level]
                inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
                key = starts[level] + np.where(inside, row * cols + col, 0).astype(np.int64)
                where = (head[:, :, None], query[:, :, None], key)
                np.add.at(total, where, np.where(inside, share, 0).astype(np.float32))
    whole = original(image, width, height)
    keys = [
        whole.patches(
            rows,
            cols,
            _covered(whole, rows, cols, None if strides is None else strides[level], input_size),
            name=f"level {level + 1}" if levels > 1 else "",
        )
        for level, (rows, cols) in enumerate(shapes)
    ]
    return Attention(total, queries, keys, name=name)


def dots(
    locations: object,
    weights: object,
    query: str = "query",
    *,
    image: object = None,
    radius: float | None = None,
    width: int | None = None,
    height: int | None = None,
    name: str = "",
) -> Attention:
    """The sampling points of one query of deformable attention, each a small box.

    Every head has points of its own; those of other heads are missing (NaN) in its row, not 0.

    Args:
        locations: (heads, levels, points, 2) x and y in 0 … 1 of the image.
        weights: (heads, levels, points).
        query: The label of the query.
        image: The original image; see `Boxes`.
        radius: Half a side of a box in pixels of the original image; None means 1 % of the
            longer side.
        width: Width of the original image, where the image is not given.
        height: Its height.
        name: A name to show.

    Returns:
        A map (1, heads, 1, heads · levels · points).

    Raises:
        ValueError: If the shapes do not fit, or the size of the image is not known.
    """
    points, shares = _points(np.asarray(locations)[None], np.asarray(weights)[None])
    heads, levels, each = shares.shape[1:]
    whole = original(image, width, height).known()
    near = max(whole.width, whole.height) / 100 if radius is None else radius
    centres = points.reshape(-1, 2) * (whole.width, whole.height)
    labels = [
        f"head {head + 1}, level {level + 1}, point {point + 1}"
        for head in range(heads)
        for level in range(levels)
        for point in range(each)
    ]
    boxes = Boxes(
        np.concatenate([centres - near, centres + near], axis=1), labels=labels, image=whole.image
    )
    rows = np.full((heads, heads, levels * each), np.nan, dtype=np.float32)
    rows[np.arange(heads), np.arange(heads)] = shares[0].reshape(heads, -1)
    segments: list[Segment] = [boxes]
    return Attention(
        rows.reshape(heads, 1, -1), Axis([Tokens([query], special=())]), Axis(segments), name=name
    )


def _points(locations: object, weights: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = np.asarray(locations, dtype=np.float64)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.ndim != 4 or points.shape != (*shares.shape, 2):
        raise ValueError(
            "locations must have shape (queries, heads, levels, points, 2) and weights the same "
            f"without the last axis; got {points.shape} and {shares.shape}"
        )
    return points, shares


def _covered(
    whole: Original, rows: int, cols: int, stride: int | None, input_size: Size | None
) -> tuple[float, float, float, float] | None:
    if stride is None:
        return whole.whole
    if input_size is None:
        raise ValueError("strides need input_size, (height, width) of the model's input")
    down, across = pair(input_size, "input_size")
    return part(whole.whole, cols * stride / across, rows * stride / down)
