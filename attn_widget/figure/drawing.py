"""Draws a planned picture on Matplotlib axes.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path

from .ink import line_opacity, line_width
from .lettering import Label, draw_labels, points_of
from .notes import MARKS, Notes
from .palette import Colour
from .plan import PADDING, Plan
from .shapes import DASHES, circle, fill, stroke
from .strokes import draw_lines
from .tokens import draw_tokens, headings


def draw(ax: Axes, plan: Plan) -> None:
    """Draw a planned picture on axes; their limits become its width and height in CSS pixels.

    Args:
        ax: the axes; whatever they show stays below.
        plan: what to draw.
    """
    ax.set_axis_off()
    ax.set_autoscale_on(False)
    ax.set_xlim(0, plan.width)
    ax.set_ylim(plan.height, 0)
    draw_lines(ax, plan)
    labels = [*draw_tokens(ax, plan), *headings(plan)]
    labels += _draw_notes(ax, plan, plan.header, plan.top - plan.header.height)
    foot = plan.height - PADDING - plan.footer.height
    stroke(ax, [Path([(PADDING, foot + 6), (plan.width - PADDING, foot + 6)])], [plan.theme.line])
    labels += _draw_notes(ax, plan, plan.footer, foot)
    draw_labels(ax, labels, outlines=plan.outlines)


def _draw_notes(ax: Axes, plan: Plan, notes: Notes, top: float) -> list[Label]:
    """Draw the marks of notes and return their words as labels."""
    labels = []
    for word, x, y in notes.placed:
        x, y = x + PADDING, y + top
        if word.mark is None:
            labels.append(Label(word.text, x, y, word.size, word.colour, word.face))
        elif word.mark == "dot":
            fill(ax, (x + 1, y - 4, x + 9, y + 4), word.colour, 1.0, radius=4.0)
        elif word.mark == "ring":
            stroke(ax, [circle(x + 6, y, 3.5)], [word.colour], 1.2)
        elif word.mark == "ramp":
            _draw_ramp(ax, plan, word.colour, x, y, MARKS["ramp"])
        else:
            line = Path([(x, y), (x + MARKS[word.mark], y)])
            stroke(ax, [line], [word.colour], 1.5, dash=DASHES[word.mark])
    return labels


def _draw_ramp(ax: Axes, plan: Plan, colour: Colour, x: float, y: float, width: float) -> None:
    """A line of growing strength, in the ink that the lines have."""
    strengths = np.linspace(0.125, 1, 8, dtype=np.float32)
    step = width / len(strengths)
    paths = [Path([(x + i * step, y), (x + (i + 1) * step, y)]) for i in range(len(strengths))]
    ax.add_collection(
        PathCollection(
            paths,
            facecolors="none",
            edgecolors=[(*colour, float(opacity)) for opacity in line_opacity(strengths)],
            linewidths=line_width(strengths, plan.layout.pitch) * points_of(ax),
            capstyle="butt",
            transform=ax.transData,
            clip_on=False,
            zorder=4,
        ),
        autolim=False,
    )
