"""Draws a planned matrix on Matplotlib axes.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from numpy.typing import NDArray

from ..filters import COMBINED
from .canvas import Picture
from .grid import LABEL_GAP
from .ink import MOST_TINT
from .lettering import BOLD, PLAIN, Label, draw_labels, width_of
from .marks import draw_cells, draw_footer, draw_notes, frame, prepare
from .matrix_notes import shading_of
from .matrix_plan import KEY_HEADING, QUERY_HEADING, MatrixPlan, SidePlan, plan_matrix
from .matrix_scene import MatrixScene, coarser_scene
from .notes import HEADINGS, NOTE
from .palette import Colour, Theme, head_colour, theme_of
from .plan import LEAST_NUMBER, PADDING
from .shading import SHADES, hatching
from .shapes import Box, circle, fill, stroke

_LEAST_BAND: Final = 4.0
"""The frame around a pinned row or column is at least so wide."""


_LEAST_CELLS: Final = 100
"""A side with fewer cells is never pooled further, however large the bitmap."""


def matrix_picture(scene: MatrixScene) -> Picture[MatrixPlan]:
    """Return the picture of a matrix view."""
    return _with_detail(scene, 0)


def _with_detail(whole: MatrixScene, step: int) -> Picture[MatrixPlan]:
    """Return the picture with the detail of a step: fewer shades first, then half the cells …."""
    part, few = divmod(step, len(SHADES))
    longer = max(whole.cells.shape)
    # Cells that each pool as many of those before show no pattern of their own.
    scene = coarser_scene(whole, -(-longer // (part + 1))) if part else whole
    shading = shading_of(scene)
    shades = SHADES[few] // (2 if shading.signed else 1)
    theme = theme_of(scene.state.theme)
    head = _head_colour(scene, theme)
    ends = (step + 1) % len(SHADES) == 0 and longer / (part + 2) < _LEAST_CELLS
    return Picture(
        plan=lambda outlines, room: plan_matrix(
            scene, outlines=outlines, shades=shades if outlines else None, room=room
        ),
        draw=draw_matrix,
        colours=[*theme.neutrals, head, *shading.table(shades)],
        coarser=lambda: None if ends else _with_detail(whole, step + 1),
    )


def _head_colour(scene: MatrixScene, theme: Theme) -> Colour:
    """Return the hue of the head shown, or that of heads combined."""
    heads = scene.state.heads
    return head_colour(heads[0] if len(heads) == 1 else COMBINED, theme)


def draw_matrix(ax: Axes, plan: MatrixPlan) -> None:
    """Draw a planned matrix on axes; their limits become its width and height in CSS pixels.

    Args:
        ax: the axes; whatever they show stays below.
        plan: what to draw.
    """
    prepare(ax, plan.width, plan.height)
    _draw_area(ax, plan)
    labels = [*_draw_side(ax, plan, True), *_draw_side(ax, plan, False)]
    if plan.scene.cells.size:
        labels += _headings(plan)
    labels += draw_notes(ax, plan.header, PADDING, PADDING)
    labels += draw_footer(ax, plan, PADDING)
    draw_labels(ax, labels, outlines=plan.outlines)


def _draw_area(ax: Axes, plan: MatrixPlan) -> None:
    scene = plan.scene
    if scene.cells.size == 0:
        return
    box = (plan.left, plan.top, plan.left + plan.wide, plan.top + plan.high)
    shading = shading_of(scene)
    draw_cells(ax, shading.colours(scene.cells, shades=plan.shades), box)
    hatched = hatching(scene.cells, shading, (round(2 * plan.high), round(2 * plan.wide)))
    if hatched is not None:
        draw_cells(ax, hatched, box, order=1.5)
    stroke(ax, [frame(box)], [plan.theme.line], 0.75)
    _draw_links(ax, plan)
    bands = [_band(plan, position, True) for position in scene.pinned[0]]
    bands += [_band(plan, position, False) for position in scene.pinned[1]]
    if bands:
        # A rim of the ground keeps the frame visible on cells of any colour.
        stroke(ax, [frame(band) for band in bands], [plan.theme.surface] * len(bands), 3.0)
        stroke(ax, [frame(band) for band in bands], [plan.theme.accent] * len(bands), 1.5)


def _draw_links(ax: Axes, plan: MatrixPlan) -> None:
    """Draw a ring on the cell of each given link."""
    pitch = plan.key.pitch, plan.query.pitch
    radius = max(2.0, min(8.0, 0.42 * min(pitch)))
    rings = [
        circle(plan.left + (key + 0.5) * pitch[0], plan.top + (query + 0.5) * pitch[1], radius)
        for query, key in plan.scene.links
    ]
    if rings:
        stroke(ax, rings, [plan.theme.surface], 3.0)
        stroke(ax, rings, [plan.theme.text], 1.25)


def _band(plan: MatrixPlan, position: int, of_query: bool) -> Box:
    """Return the frame around a pinned row or column."""
    side = plan.query if of_query else plan.key
    middle = (position + 0.5) * side.pitch
    half = max(_LEAST_BAND, side.pitch) / 2
    if of_query:
        return plan.left, plan.top + middle - half, plan.left + plan.wide, plan.top + middle + half
    return plan.left + middle - half, plan.top, plan.left + middle + half, plan.top + plan.high


def _draw_side(ax: Axes, plan: MatrixPlan, of_query: bool) -> list[Label]:
    scene, theme = plan.scene, plan.theme
    places, side, span, pinned = (
        (plan.query, scene.query, scene.queries, set(scene.pinned[0]))
        if of_query
        else (plan.key, scene.key, scene.keys, set(scene.pinned[1]))
    )
    special, tints = set(side.special), _tints(plan, of_query)
    labels = []
    for at, text in enumerate(places.texts):
        position = places.ticks.positions[at]
        is_pinned = position in pinned
        label, box = _tick(plan, places, of_query, places.centres[at], text, is_pinned)
        if is_pinned:
            fill(ax, box, theme.accent_soft, 1.0, edge=theme.accent)
        elif tints is not None and tints[span[position]] > LEAST_NUMBER:
            fill(ax, box, _head_colour(scene, theme), MOST_TINT * float(tints[span[position]]))
        if span[position] in special and places.ticks.every != 0:
            label = replace(label, colour=theme.muted)
            if scene.state.special != "show":
                stroke(ax, [_through(label, box)], [theme.muted])
        labels.append(label)
    return labels


def _tints(plan: MatrixPlan, of_query: bool) -> NDArray[np.float32] | None:
    """Return how strongly each token of a side is tinted: by its weight, at the other end."""
    scene = plan.scene
    if scene.joint is None or scene.joint[0] == of_query:
        return None
    found = np.nan_to_num(scene.joint[1].weights)
    return np.asarray(np.clip(np.abs(found) / scene.full, 0, 1), dtype=np.float32)


def _tick(
    plan: MatrixPlan, places: SidePlan, of_query: bool, centre: float, text: str, pinned: bool
) -> tuple[Label, Box]:
    """Return a label and the box behind it."""
    face, size, colour = BOLD if pinned else PLAIN, places.font, plan.theme.text
    width = width_of(text, size, face)
    half = min(0.82 * size, max(0.55 * size, 0.5 * places.pitch - 0.5))
    if of_query:
        x, y = plan.left - LABEL_GAP, plan.top + centre
        return (
            Label(text, x, y, size, colour, face, 1.0),
            (x - width - 3, y - half, x + 3, y + half),
        )
    x = plan.left + centre
    if plan.lying:
        y = plan.top - 4 - 0.75 * size
        return (
            Label(text, x, y, size, colour, face, 0.5),
            (x - width / 2 - 3, y - 0.7 * size, x + width / 2 + 3, y + 0.7 * size),
        )
    y = plan.top - LABEL_GAP
    return (
        Label(text, x, y, size, colour, face, 0.0, upright=True),
        (x - half, y - width - 3, x + half, y + 3),
    )


def _through(label: Label, box: Box) -> Path:
    """Return the line that strikes a token out."""
    left, top, right, bottom = box
    if label.upright:
        return Path([(label.x, top + 3), (label.x, bottom - 3)])
    return Path([(left + 3, label.y), (right - 3, label.y)])


def _headings(plan: MatrixPlan) -> list[Label]:
    """Return the names of the two sides, in one line above the labels."""
    y, muted = PADDING + plan.header.height - HEADINGS / 2, plan.theme.muted
    return [
        Label(QUERY_HEADING, plan.left - LABEL_GAP, y, NOTE, muted, align=1.0),
        Label(KEY_HEADING, plan.left, y, NOTE, muted),
    ]
