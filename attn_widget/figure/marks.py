"""Draws notes: the marks that stand among words. The words themselves are returned as labels.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path

from .ink import line_opacity, line_width
from .lettering import Label, points_of
from .notes import MARKS, Notes, Word
from .palette import Colour, Theme
from .shapes import DASHES, Box, circle, fill, stroke

BAR_HEIGHT = 9.0


class Footed(Protocol):
    """A planned picture with a footer."""

    @property
    def theme(self) -> Theme:
        """Its colours."""

    @property
    def width(self) -> float:
        """Its width in CSS pixels."""

    @property
    def height(self) -> float:
        """Its height in CSS pixels."""

    @property
    def footer(self) -> Notes:
        """What stands at its lower edge."""


def prepare(ax: Axes, width: float, height: float) -> None:
    """Make axes a sheet of CSS pixels, y downwards; whatever they show stays below."""
    ax.set_axis_off()
    ax.set_autoscale_on(False)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)


def draw_footer(ax: Axes, plan: Footed, padding: float, pitch: float = 24.0) -> list[Label]:
    """Draw the footer below its rule; arguments and result as for :func:`draw_notes`."""
    foot = plan.height - padding - plan.footer.height
    rule = Path([(padding, foot + 6), (plan.width - padding, foot + 6)])
    stroke(ax, [rule], [plan.theme.line])
    return draw_notes(ax, plan.footer, padding, foot, pitch)


def draw_notes(ax: Axes, notes: Notes, left: float, top: float, pitch: float = 24.0) -> list[Label]:
    """Draw the marks of notes and return their words as labels.

    Args:
        ax: axes whose units are CSS pixels.
        notes: what to draw.
        left: where the notes begin.
        top: their upper edge.
        pitch: room of a token, of which lines in a legend take their share.
    """
    labels = []
    for word, x, y in notes.placed:
        x, y = x + left, y + top
        if word.mark is None:
            labels.append(Label(word.text, x, y, word.size, word.colour, word.face))
        else:
            _draw_mark(ax, word, x, y, pitch)
    return labels


def _draw_mark(ax: Axes, word: Word, x: float, y: float, pitch: float) -> None:
    if word.mark == "dot":
        fill(ax, (x + 1, y - 4, x + 9, y + 4), word.colour, 1.0, radius=4.0)
    elif word.mark == "ring":
        stroke(ax, [circle(x + 6, y, 3.5)], [word.colour], 1.2)
    elif word.mark == "ramp":
        _draw_ramp(ax, word.colour, x, y, MARKS["ramp"], pitch)
    elif word.mark == "bar":
        box = (x, y - BAR_HEIGHT / 2, x + MARKS["bar"], y + BAR_HEIGHT / 2)
        draw_cells(ax, np.round(255 * np.asarray([word.colours])).astype(np.uint8), box)
        stroke(ax, [frame(box)], [word.colour], 0.75)
    elif word.mark == "hatch":
        box = (x, y - 5, x + 10, y + 5)
        fill(ax, box, word.colour, 1.0, radius=1.5)
        lines = [Path([(x, y + 1), (x + 6, y - 5)]), Path([(x + 3, y + 5), (x + 10, y - 2)])]
        stroke(ax, lines, [word.colours[0]], 1.0)
    elif word.mark is not None:
        line = Path([(x, y), (x + MARKS[word.mark], y)])
        stroke(ax, [line], [word.colour], 1.5, dash=DASHES[word.mark])


def draw_cells(ax: Axes, cells: np.ndarray, box: Box, order: float = 1) -> None:
    """Draw an image, one cell a pixel, with sharp edges.

    Args:
        ax: axes prepared by :func:`prepare`; their limits stay.
        cells: uint8 (rows, columns, 3 or 4).
        box: where to.
        order: what is drawn above what.
    """
    left, top, right, bottom = box
    limits = ax.get_xlim(), ax.get_ylim()
    ax.imshow(
        cells,
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="nearest",
        origin="upper",
        clip_on=False,
        zorder=order,
    )
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])


def frame(box: Box) -> Path:
    """Return the outline of a box."""
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return Path(corners, closed=True)


def _draw_ramp(ax: Axes, colour: Colour, x: float, y: float, width: float, pitch: float) -> None:
    """A line of growing strength, in the ink that the lines have."""
    strengths = np.linspace(0.125, 1, 8, dtype=np.float32)
    step = width / len(strengths)
    paths = [Path([(x + i * step, y), (x + (i + 1) * step, y)]) for i in range(len(strengths))]
    ax.add_collection(
        PathCollection(
            paths,
            facecolors="none",
            edgecolors=[(*colour, float(opacity)) for opacity in line_opacity(strengths)],
            linewidths=line_width(strengths, pitch) * points_of(ax),
            capstyle="butt",
            transform=ax.transData,
            clip_on=False,
            zorder=4,
        ),
        autolim=False,
    )
