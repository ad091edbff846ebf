"""Orders in which models walk over a grid: the raster cell of each position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]


def newline_order(rows: int, cols: int) -> Cells:
    """Row by row with one position on no cell after each row (LLaVA-NeXT, Pixtral).

    Returns:
        (rows · (cols + 1),) raster cells, -1 for the newline.
    """
    cells = np.full((rows, cols + 1), -1, dtype=np.int64)
    cells[:, :cols] = _raster(rows, cols)
    return cells.ravel()


def merge_order(rows: int, cols: int, merge: int = 2) -> Cells:
    """Block by block, row by row within each block: the vision tower of Qwen2-VL.

    Args:
        rows: Patch rows; a multiple of ``merge``.
        cols: Patch columns; a multiple of ``merge``.
        merge: Sides of the blocks whose patches are merged later.

    Returns:
        (rows · cols,) raster cells: a permutation.

    Raises:
        ValueError: If the blocks do not fill the grid.
    """
    return _blocks(rows, cols, merge).ravel()


def window_merge_order(rows: int, cols: int, merge: int = 2, window: int = 4) -> Cells:
    """Window by window of merged blocks: the vision tower of Qwen2.5-VL.

    Args:
        rows: Patch rows; a multiple of ``merge``.
        cols: Patch columns; a multiple of ``merge``.
        merge: Sides of the blocks whose patches are merged later.
        window: Sides of the windows in blocks: ``window_size // merge // patch``, 4 for windows
            of 112 pixels. Windows at the right and bottom edge may be smaller.

    Returns:
        (rows · cols,) raster cells: a permutation.

    Raises:
        ValueError: If the blocks do not fill the grid.
    """
    blocks = _blocks(rows, cols, merge)
    order = windows(rows // merge, cols // merge, window).ravel()
    return blocks[order[order >= 0]].ravel()


def windows(rows: int, cols: int, window: int, shift: int = 0) -> Cells:
    """The cells of each window of windowed attention with a cyclic shift (Swin).

    Args:
        rows: Patch rows.
        cols: Patch columns.
        window: Sides of the windows. Grids they don't fill are padded right and bottom.
        shift: How far the grid is rolled up and left before it is cut into windows.

    Returns:
        (windows, window²) raster cells; -1 where a window lies on the padding.

    Raises:
        ValueError: If the shift is not in 0 … window - 1.
    """
    down, across = _padded(rows, cols, window, shift)
    cells = np.full((down, across), -1, dtype=np.int64)
    cells[:rows, :cols] = _raster(rows, cols)
    return _cut(np.roll(cells, (-shift, -shift), axis=(0, 1)), window)


def window_mask(rows: int, cols: int, window: int, shift: int = 0) -> NDArray[np.bool_]:
    """Which pairs of each window may attend to each other.

    The shift brings cells from opposite edges of the picture into one window; such pairs have
    no weight. Put NaN there: ``np.where(mask[i], weights, np.nan)``.

    Args:
        rows: Patch rows.
        cols: Patch columns.
        window: Sides of the windows.
        shift: How far the grid is rolled.

    Returns:
        (windows, window², window²), True where query and key may attend.

    Raises:
        ValueError: If the shift is not in 0 … window - 1.
    """
    down, across = _padded(rows, cols, window, shift)
    row, col = np.divmod(np.arange(down * across), across)
    # What was rolled over the edge stands in the last `shift` rows and columns.
    stretch = 2 * (row >= down - shift) + (col >= across - shift)
    areas = _cut(stretch.reshape(down, across), window)
    return np.equal(areas[:, :, None], areas[:, None, :])


def _raster(rows: int, cols: int) -> Cells:
    return np.arange(rows * cols, dtype=np.int64).reshape(rows, cols)


def _blocks(rows: int, cols: int, merge: int) -> Cells:
    """(blocks, merge²) raster cells, blocks row by row."""
    if merge < 1 or rows % merge or cols % merge:
        raise ValueError(
            f"blocks of {merge}·{merge} do not fill a grid of {rows}·{cols}: both sides must be "
            f"multiples of {merge}"
        )
    return _cut(_raster(rows, cols), merge)


def _cut(grid: Cells, side: int) -> Cells:
    """(squares, side²): the squares of a grid row by row, each row by row."""
    rows, cols = grid.shape
    squares = grid.reshape(rows // side, side, cols // side, side).transpose(0, 2, 1, 3)
    return squares.reshape(-1, side * side)


def _padded(rows: int, cols: int, window: int, shift: int) -> tuple[int, int]:
    if window < 1 or not 0 <= shift < window:
        raise ValueError(
            f"window must be at least 1 and shift in 0 … window - 1; got {window} and {shift}"
        )
    return -(-rows // window) * window, -(-cols // window) * window
