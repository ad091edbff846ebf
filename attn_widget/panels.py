"""The pictures that positions lie on: which share one, where each lies, what role it plays.

``js/src/overlay/panels.ts`` decides the same for the page; ``tests/wire/panels.json`` holds both
to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .attention import Attention
from .axes import Axis, Boxes, Patches, Tokens
from .images import Image

Side: TypeAlias = Literal["query", "key"]
Rect: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the original image."""
Rects: TypeAlias = NDArray[np.float64]
"""``(n, 4)`` of them; NaN for a position that lies nowhere."""
Role: TypeAlias = Literal["image", "padding", "special", "text"]
"""Where the weight of a position lies: see :func:`roles_of`."""

_SLACK: Final = 1e-6
"""Share of a cell by which neighbours may overlap for want of precision."""


@dataclass(frozen=True)
class PanelPart:
    """Positions ``start`` … ``stop - 1`` of one side, which lie on a picture."""

    side: Side
    start: int
    stop: int
    segment: Patches | Boxes

    @property
    def region(self) -> Rect:
        """What the patches or boxes cover, as one rectangle."""
        if isinstance(self.segment, Patches):
            return region_of(self.segment)
        return _union([tuple(rect) for rect in self.segment.regions.tolist()])

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a patch; 0 for boxes."""
        if not isinstance(self.segment, Patches):
            return 0.0, 0.0
        left, top, right, bottom = self.region
        return (right - left) / self.segment.cols, (bottom - top) / self.segment.rows


@dataclass(frozen=True)
class Panel:
    """A picture with the positions that lie on it."""

    image: Image | None
    size: tuple[float, float]
    """Width and height of the original image; of what is covered where there is none."""
    parts: tuple[PanelPart, ...]
    """A segment of an axis that both sides share is a part of each."""

    @property
    def extent(self) -> Rect:
        """The image and all that reaches beyond it."""
        return _union([(0.0, 0.0, *self.size), *(part.region for part in self.parts)])

    def patches(self) -> Iterator[PanelPart]:
        """Yield the parts that are patches."""
        return (part for part in self.parts if isinstance(part.segment, Patches))


def panels_of(attention: Attention) -> tuple[Panel, ...]:
    """Return the pictures that a map's positions lie on, in the order in which they are shown.

    Patches of keys come first, then those of queries, then boxes. A segment joins the first picture
    of the same image on which no patches of its side lie already where it would lie; else it opens
    a new one, and boxes do so only where none has their image. A grid without an image stands
    alone.
    """
    panels: list[Panel] = []
    found = [*_parts(attention)]
    for kind in (Patches, Boxes):
        for parts in found:
            if isinstance(parts[0].segment, kind):
                _place(panels, parts)
    return tuple(panels)


def _parts(attention: Attention) -> Iterator[tuple[PanelPart, ...]]:
    """Yield the segments that lie somewhere, each as a part of the side or sides it belongs to."""
    shared = attention.keys is attention.queries
    axes: tuple[tuple[Axis, tuple[Side, ...]], ...] = (
        ((attention.keys, ("key", "query")),)
        if shared
        else ((attention.keys, ("key",)), (attention.queries, ("query",)))
    )
    for axis, sides in axes:
        for start, segment in zip(axis.starts, axis.segments, strict=False):
            if not isinstance(segment, Tokens) and len(segment):
                stop = start + len(segment)
                yield tuple(PanelPart(side, start, stop, segment) for side in sides)


def _place(panels: list[Panel], parts: tuple[PanelPart, ...]) -> None:
    segment = parts[0].segment
    for index, panel in enumerate(panels):
        if not _same(panel.image, segment.image):
            continue
        if isinstance(segment, Boxes) or not any(
            part.side == there.side and _overlap(part, there)
            for part in parts
            for there in panel.patches()
        ):
            panels[index] = Panel(panel.image, panel.size, (*panel.parts, *parts))
            return
    panels.append(Panel(segment.image, _size(segment), parts))


def _same(first: Image | None, second: Image | None) -> bool:
    if first is None or second is None:
        return False
    return first is second or np.array_equal(first, second)


def _overlap(first: PanelPart, second: PanelPart) -> bool:
    mine, theirs = first.region, second.region
    return all(
        min(mine[axis + 2], theirs[axis + 2]) - max(mine[axis], theirs[axis])
        > _SLACK * min(first.cell[axis], second.cell[axis])
        for axis in (0, 1)
    )


def region_of(patches: Patches) -> Rect:
    """Return what a grid covers; one without a region has cells of one pixel."""
    return patches.region or (0.0, 0.0, float(patches.cols), float(patches.rows))


def _size(segment: Patches | Boxes) -> tuple[float, float]:
    """Return width and height of the picture a segment lies on."""
    if segment.image is not None:
        height, width = segment.image.shape[:2]
        return float(width), float(height)
    region = PanelPart("key", 0, len(segment), segment).region
    return max(0.0, region[2]), max(0.0, region[3])


def _union(rects: list[tuple[float, ...]]) -> Rect:
    left, top, right, bottom = (
        pick(rect[corner] for rect in rects) for corner, pick in enumerate((min, min, max, max))
    )
    return left, top, right, bottom


def rects_of(axis: Axis) -> Rects:
    """Return where each position of an axis lies: its cell or its box."""
    parts = [_rects(segment) for segment in axis.segments]
    return np.concatenate([np.empty((0, 4)), *parts])


def _rects(segment: Tokens | Patches | Boxes) -> Rects:
    if isinstance(segment, Boxes):
        return segment.regions
    rects = np.full((len(segment), 4), np.nan)
    if isinstance(segment, Tokens):
        return rects
    left, top, right, bottom = region_of(segment)
    cells = segment.cells
    on = cells >= 0
    row, column = np.divmod(cells[on], segment.cols)
    wide, high = (right - left) / segment.cols, (bottom - top) / segment.rows
    rects[on] = np.stack(
        [
            left + column * wide,
            top + row * high,
            left + (column + 1) * wide,
            top + (row + 1) * high,
        ],
        axis=1,
    )
    return rects


def roles_of(axis: Axis) -> tuple[Role, ...]:
    """Return what each position is, for the account of weights.

    ``"image"`` lies on an image (or on a grid without one), at least in part; ``"padding"`` lies
    wholly outside it; ``"special"`` is a special token, or a position of a grid that lies on no
    cell; ``"text"`` is any other token.
    """
    special = frozenset(axis.special)
    roles: list[Role] = []
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Tokens):
            every = range(start, start + len(segment))
            roles += ["special" if position in special else "text" for position in every]
            continue
        roles += _roles(_rects(segment), _size(segment) if len(segment) else (0.0, 0.0))
    return tuple(roles)


def _roles(rects: Rects, size: tuple[float, float]) -> list[Role]:
    slack = _SLACK * (rects[:, 2:] - rects[:, :2])
    with np.errstate(invalid="ignore"):
        inside = (rects[:, :2] < np.asarray(size) - slack) & (rects[:, 2:] > slack)
    on_image = np.all(inside, axis=1)
    return [
        "special" if np.isnan(rect[0]) else "image" if on else "padding"
        for rect, on in zip(rects, on_image, strict=True)
    ]
