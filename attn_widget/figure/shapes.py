"""Lines, boxes and rings on axes whose units are CSS pixels.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path

from .lettering import points_of
from .palette import Colour

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

DASHES: Final = {"dashed": (7.0, 4.0), "dotted": (2.0, 4.0)}
"""Of negative and of infinite weights: stroke and gap in CSS pixels."""


def stroke(
    ax: Axes,
    paths: Sequence[Path],
    colours: Sequence[Colour],
    width: float = 1.0,
    *,
    face: Colour | str = "none",
    dash: tuple[float, float] | None = None,
    order: float = 4,
) -> None:
    """Stroke paths; ``dash`` is a stroke and a gap in CSS pixels."""
    ax.add_collection(
        PathCollection(
            paths,
            facecolors=[face],
            edgecolors=colours,
            linewidths=width * points_of(ax),
            linestyles="-" if dash is None else [(0, tuple(d / width for d in dash))],
            transform=ax.transData,
            clip_on=False,
            zorder=order,
        ),
        autolim=False,
    )


def fill(
    ax: Axes,
    box: Box,
    colour: Colour,
    opacity: float,
    *,
    edge: Colour | None = None,
    radius: float = 3.5,
) -> None:
    """Fill a box with round corners."""
    ax.add_collection(
        PathCollection(
            [_rounded(box, radius)],
            facecolors=[(*colour, opacity)],
            edgecolors="none" if edge is None else [edge],
            linewidths=1.2 * points_of(ax) if edge is not None else 0,
            transform=ax.transData,
            clip_on=False,
            zorder=3,
        ),
        autolim=False,
    )


def _rounded(box: Box, radius: float) -> Path:
    left, top, right, bottom = box
    r = min(radius, (right - left) / 2, (bottom - top) / 2)
    points = [
        (left + r, top), (right - r, top), (right, top), (right, top + r),
        (right, bottom - r), (right, bottom), (right - r, bottom),
        (left + r, bottom), (left, bottom), (left, bottom - r),
        (left, top + r), (left, top), (left + r, top), (left + r, top),
    ]  # fmt: skip
    move, line, curve = Path.MOVETO, Path.LINETO, Path.CURVE3
    codes = [
        move, line, curve, curve, line, curve, curve,
        line, curve, curve, line, curve, curve, Path.CLOSEPOLY,
    ]  # fmt: skip
    return Path(points, codes)


def circle(x: float, y: float, radius: float) -> Path:
    """Return a circle around a place."""
    unit = Path.unit_circle()
    return Path(np.asarray(unit.vertices) * radius + np.array([x, y]), unit.codes)
