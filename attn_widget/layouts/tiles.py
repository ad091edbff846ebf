"""Layouts that cut an image into tiles: LLaVA-NeXT, InternVL, Idefics3."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..axes import Segment
from .counts import checked, square
from .orders import newline_order
from .original import Original, original, seen

ANYRES = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))
"""The resolutions (height, width) that LLaVA-NeXT chooses among."""


def llava_next(
    image: object = None,
    *,
    patch: int = 14,
    tile: int = 336,
    resolutions: Sequence[tuple[int, int]] = ANYRES,
    newline: str = "⏎",
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The image tokens of LLaVA-NeXT (1.6): an overview, then the tiles without their padding.

    The overview is the image squashed to one tile. For the rest the image is letterboxed to
    the resolution that keeps most of it; whole rows or columns of padding are dropped, and a
    newline token follows each row.

    Args:
        image: The original image; see `Patches`.
        patch: Pixels a patch of the model's input.
        tile: Pixels a side of a tile.
        resolutions: ``image_grid_pinpoints`` of the processor, each (height, width).
        newline: The label of the newline tokens.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the size of the original image is not known, the image is too narrow for
            a patch, or ``count`` is not the number of positions.
    """
    whole = original(image, width, height).known()
    side = tile // patch
    tall, wide = _best_resolution(whole, resolutions)
    rows, cols = tall // tile * side, wide // tile * side
    region = seen(whole, tall, wide, "pad")
    assert region is not None
    left, top, right, bottom = region
    # What is dropped is the same at both ends, so an odd cell of padding stays.
    if whole.width / whole.height > cols / rows:
        kept = int(round(whole.height * (cols / whole.width), 7))
        cut, cell = (rows - kept) // 2, (bottom - top) / rows
        rows, top, bottom = rows - 2 * cut, top + cut * cell, bottom - cut * cell
    else:
        kept = int(round(whole.width * (rows / whole.height), 7))
        cut, cell = (cols - kept) // 2, (right - left) / cols
        cols, left, right = cols - 2 * cut, left + cut * cell, right - cut * cell
    if not (rows > 0 and cols > 0):
        raise ValueError(
            f"an image {whole.width} wide and {whole.height} high is too narrow: no row or column "
            "of patches lies on it"
        )
    order = newline_order(rows, cols)
    segments: list[Segment] = [
        whole.patches(side, side, whole.whole, name="overview"),
        whole.patches(rows, cols, (left, top, right, bottom), order, separator=newline),
    ]

    def hint(more: int) -> str:
        if more == -rows:
            return "are the newline tokens missing?"
        if more == side * side or more == -side * side:
            return "is the overview there once?"
        return f"was the image {whole.width} wide and {whole.height} high for the processor?"

    return checked(segments, count, f"{square(side, side)} + {rows}·({cols} + 1)", hint)


def internvl(
    image: object = None,
    *,
    grid: tuple[int, int] | None = None,
    side: int = 16,
    tile: int = 448,
    most: int = 12,
    thumbnail: bool = True,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The image tokens of InternVL: tiles row by row, each row by row, the thumbnail last.

    The image is squashed to the grid of tiles whose aspect ratio is nearest. One tile alone
    has no thumbnail.

    Args:
        image: The original image; see `Patches`.
        grid: (rows, columns) of tiles; None works it out.
        side: Tokens a side of a tile after the pixel shuffle.
        tile: Pixels a side of a tile.
        most: Most tiles, ``max_num`` of the processor.
        thumbnail: Whether the model has one.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the size of the original image is needed and not known, or ``count`` is
            not the number of positions.
    """
    whole = original(image, width, height)
    rows, cols = _nearest_aspect(whole.known(), most, tile) if grid is None else grid
    segments = _tiles(whole, rows, cols, side)
    if thumbnail and rows * cols > 1:
        segments.append(whole.patches(side, side, whole.whole, name="thumbnail"))
    return checked(segments, count, f"{len(segments)}·{square(side, side)}", _tiles_hint(side))


def idefics3(
    image: object = None,
    *,
    grid: tuple[int, int] | None = None,
    side: int = 13,
    tile: int = 364,
    longest: int = 4 * 364,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The image tokens of Idefics3 and SmolVLM: tiles row by row, the whole image last.

    Text tokens stand between the tiles (``<row_1_col_2>``, newlines): put the segments where
    they belong with `mixed`. An image that is one tile has no tiles but the whole.

    Args:
        image: The original image; see `Patches`.
        grid: (rows, columns) of tiles, 0 and 0 for none; None works it out.
        side: Tokens a side of a tile: 13 in Idefics3, 9 in the first SmolVLM, 8 in the smaller
            ones and in SmolVLM2.
        tile: Pixels a side of a tile: 364, 384 and 512 in the same.
        longest: Pixels of the long side after resizing, ``size["longest_edge"]`` of the
            processor.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis, text left out.

    Raises:
        ValueError: If the size of the original image is needed and not known, or ``count`` is
            not the number of positions.
    """
    whole = original(image, width, height)
    rows, cols = _whole_tiles(whole.known(), tile, longest) if grid is None else grid
    tiles = _tiles(whole, rows, cols, side) if rows * cols > 1 else []
    name = "overview" if tiles else ""
    segments = [*tiles, whole.patches(side, side, whole.whole, name=name)]
    return checked(segments, count, f"{len(segments)}·{square(side, side)}", _tiles_hint(side))


def _tiles(whole: Original, rows: int, cols: int, side: int) -> list[Segment]:
    if min(rows, cols) < 1:
        raise ValueError(f"grid must be (rows, columns) of tiles; got {(rows, cols)}")
    across = np.linspace(0, whole.width, cols + 1).tolist()
    down = np.linspace(0, whole.height, rows + 1).tolist()
    return [
        whole.patches(
            side,
            side,
            (across[col], down[row], across[col + 1], down[row + 1]) if whole.whole else None,
            name=f"tile {row + 1}.{col + 1}" if rows * cols > 1 else "",
        )
        for row in range(rows)
        for col in range(cols)
    ]


def _tiles_hint(side: int) -> Callable[[int], str]:
    def hint(more: int) -> str:
        tiles, rest = divmod(abs(more), side * side)
        if rest or not tiles:
            return ""
        return f"{tiles} tile{'s'[: tiles > 1]} too {'few' if more > 0 else 'many'}: give grid="

    return hint


def _best_resolution(whole: Original, resolutions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The (height, width) that keeps most pixels of the image and then wastes least."""

    def merit(size: tuple[int, int]) -> tuple[int, int]:
        tall, wide = size
        scale = min(wide / whole.width, tall / whole.height)
        resized = int(whole.width * scale) * int(whole.height * scale)
        useful = min(resized, whole.width * whole.height)
        return useful, useful - tall * wide

    return max(resolutions, key=merit)


def _nearest_aspect(whole: Original, most: int, tile: int) -> tuple[int, int]:
    """The (rows, columns) of tiles nearest to the aspect ratio; larger ones for large images."""
    grids = [
        (rows, cols)
        for rows in range(1, most + 1)
        for cols in range(1, most + 1)
        if rows * cols <= most
    ]
    aspect = whole.width / whole.height
    best = (1, 1)
    least = math.inf
    for rows, cols in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        off = abs(aspect - cols / rows)
        large = whole.width * whole.height > 0.5 * tile * tile * rows * cols
        if off < least or (off == least and large):
            best, least = (rows, cols), off
    return best


def _whole_tiles(whole: Original, tile: int, longest: int) -> tuple[int, int]:
    """The (rows, columns) of tiles that hold the image at its resized size."""
    aspect = whole.width / whole.height
    along = -(-longest // tile)
    if whole.width >= whole.height:
        short = _even(longest / aspect)
        return -(-int(along * tile / (longest / short)) // tile) or 1, along
    short = _even(longest * aspect)
    return along, -(-int(along * tile * (short / longest)) // tile) or 1


def _even(length: float) -> int:
    whole = int(length)
    return max(2, whole + whole % 2)
