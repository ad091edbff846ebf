"""Layouts of Qwen2-VL and its successors: merged patches, images and videos."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..axes import Segment
from ..regions import Order
from .counts import checked, square
from .orders import merge_order, window_merge_order
from .original import original


def smart_resize(
    height: int,
    width: int,
    factor: int = 28,
    min_pixels: int = 56 * 56,
    max_pixels: int = 14 * 14 * 4 * 1280,
) -> tuple[int, int]:
    """The size to which Qwen2-VL resizes an image: multiples of a factor, near the aspect ratio.

    Args:
        height: Height of the original image.
        width: Its width.
        factor: ``patch · merge``: 28, or 32 for Qwen3-VL.
        min_pixels: Least area after resizing; see the processor.
        max_pixels: Most area after resizing; see the processor.

    Returns:
        (height, width).

    Raises:
        ValueError: If one side is more than 200 times the other, which the models refuse.
    """
    if max(height, width) > 200 * min(height, width):
        raise ValueError(
            f"the longer side must be at most 200 times the shorter; got {height}×{width}"
        )
    down = round(height / factor) * factor
    across = round(width / factor) * factor
    if down * across > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        down = max(factor, math.floor(height / shrink / factor) * factor)
        across = max(factor, math.floor(width / shrink / factor) * factor)
    elif down * across < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        down = math.ceil(height * grow / factor) * factor
        across = math.ceil(width * grow / factor) * factor
    return down, across


def qwen2_vl(
    image: object = None,
    *,
    frames: Sequence[object] | None = None,
    grid: Sequence[int] | None = None,
    tower: bool = False,
    window: int | None = None,
    patch: int = 14,
    merge: int = 2,
    min_pixels: int = 56 * 56,
    max_pixels: int = 14 * 14 * 4 * 1280,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """An image or a video in Qwen2-VL, Qwen2.5-VL or Qwen3-VL.

    The language model sees merged patches row by row; the vision tower sees single patches
    block by block (and those of Qwen2.5-VL window by window). A video is one segment for each
    group of frames that share patches.

    Args:
        image: The original image, squashed to multiples of ``patch · merge``; see `Patches`.
        frames: The frames of a video instead; each group shows its first.
        grid: (time, rows, columns) in patches, as ``image_grid_thw`` and ``video_grid_thw`` of
            the processor give it. None works it out for an image.
        tower: Whether the positions are those of the vision tower.
        window: Sides of the tower's windows in merged patches (4 in Qwen2.5-VL); None means
            that it has none. Layers of full attention keep the order of the windows.
        patch: Pixels a patch: 14, or 16 for Qwen3-VL.
        merge: Sides of the blocks of patches that become one token.
        min_pixels: Least area after resizing; see `smart_resize`.
        max_pixels: Most area after resizing; see `smart_resize`.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the grid is not possible or is missing for a video, or ``count`` is not
            the number of positions.
    """
    if frames is not None and (image is not None or not len(frames)):
        raise ValueError("give either image= or frames=, at least one")
    pictures = [image] if frames is None else list(frames)
    if grid is None:
        if frames is not None:
            raise ValueError("the layout of a video needs grid=, video_grid_thw of the processor")
        whole = original(image, width, height).known()
        down, across = smart_resize(
            whole.height, whole.width, patch * merge, min_pixels, max_pixels
        )
        grid = (1, down // patch, across // patch)
    times, rows, cols = _grid(grid, merge)
    if window is not None and not tower:
        raise ValueError("only the vision tower has windows: give tower=True as well")
    order: Order = "raster"
    if not tower:
        rows, cols = rows // merge, cols // merge
    elif window is None:
        order = merge_order(rows, cols, merge)
    else:
        order = window_merge_order(rows, cols, merge, window)
    segments: list[Segment] = []
    # A group of no more than `share` frames; the last one may be repeated to fill it.
    share = -(-len(pictures) // times)
    for time in range(times):
        first = min(time * share, len(pictures) - 1)
        shot = original(pictures[first], width, height)
        name = ""
        if frames is not None:
            last = min(first + share, len(pictures))
            name = f"frame {last}" if last == first + 1 else f"frames {first + 1}–{last}"
        elif times > 1:
            name = f"group {time + 1}"
        segments.append(shot.patches(rows, cols, shot.whole, order, name=name))

    def hint(more: int) -> str:
        if not tower and more == (merge**2 - 1) * sum(map(len, segments)):
            return "are these the patches of the vision tower? Then tower=True"
        return "is it the grid_thw of the processor?"

    one = square(rows, cols)
    return checked(segments, count, one if times == 1 else f"{times}·{one}", hint)


def _grid(grid: Sequence[int], merge: int) -> tuple[int, int, int]:
    sides = tuple(int(side) for side in grid)
    if len(sides) != 3 or min(sides) < 1:
        raise ValueError(f"grid must be (time, rows, columns) in patches; got {grid!r}")
    times, rows, cols = sides
    if rows % merge or cols % merge:
        raise ValueError(
            f"rows and columns of grid must be multiples of merge={merge}; got {rows} and {cols}"
        )
    return times, rows, cols
