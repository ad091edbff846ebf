"""Draws the tokens of a picture: what stands behind them, and their labels and numbers.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.path import Path

from . import layout as lay
from .ink import MOST_TINT
from .layout import SideLayout
from .lettering import BOLD, MONO, PLAIN, Face, Label, fitted, width_of
from .notes import HEADINGS, NOTE
from .palette import head_colour
from .plan import (
    KEY_HEADING,
    LEAST_NUMBER,
    NUMBER,
    NUMBERS_SHOWN,
    QUERY_HEADING,
    ROWS_HEADING,
    Plan,
    at,
)
from .reading import Joint, short_number
from .shapes import Box, fill, stroke


def draw_tokens(ax: Axes, plan: Plan) -> list[Label]:
    """Draw what stands behind the tokens and return the tokens' labels."""
    labels = []
    for of_query in (True, False):
        labels += _draw_side(ax, plan, of_query)
    return labels


def _draw_side(ax: Axes, plan: Plan, of_query: bool) -> list[Label]:
    scene, layout, theme = plan.scene, plan.layout, plan.theme
    side = scene.query if of_query else scene.key
    places = layout.query if of_query else layout.key
    joint = plan.joint[1] if plan.joint is not None and plan.joint[0] != of_query else None
    numbered = _numbered(joint, places)
    pinned, special = set(side.pinned), set(side.special)
    labels = []
    for position in places.named:
        face = BOLD if position in pinned else PLAIN
        text = fitted(side.labels[position], layout.font, lay.LONGEST_LABEL, face)
        label, box = _token(plan, of_query, float(places.centres[position]), text, face)
        tint = 0.0 if joint is None else float(joint.strengths[position])
        if position in pinned:
            fill(ax, box, theme.accent_soft, 1.0, edge=theme.accent)
        elif joint is not None and tint > LEAST_NUMBER:
            colour = head_colour(int(joint.heads[position]), theme)
            fill(ax, box, colour, MOST_TINT * tint)
        if position in special:
            label = replace(label, colour=theme.muted)
            if scene.state.filters.special != "show":
                stroke(ax, [_through(label, box)], [theme.muted])
        labels.append(label)
        if joint is not None and position in numbered:
            labels.append(_number(plan, of_query, label, box, float(joint.weights[position])))
    return labels


def _through(label: Label, box: Box) -> Path:
    """Return the line that strikes a token out."""
    left, top, right, bottom = box
    if label.upright:
        return Path([(label.x, top + 3), (label.x, bottom - 3)])
    return Path([(left + 4, label.y), (right - 4, label.y)])


def _numbered(joint: Joint | None, places: SideLayout) -> set[int]:
    """Return the positions beside which a number stands: the strongest, where there are many."""
    if joint is None:
        return set()
    named = [p for p in places.named if joint.strengths[p] > LEAST_NUMBER]
    strongest = sorted(named, key=lambda p: -abs(float(joint.weights[p])))
    return set(strongest[:NUMBERS_SHOWN])


def _token(plan: Plan, of_query: bool, centre: float, text: str, face: Face) -> tuple[Label, Box]:
    """Return a token's label and the box behind it: left, top, right, bottom."""
    layout = plan.layout
    size, colour = layout.font, plan.theme.text
    width = width_of(text, size, face)
    pitch = (layout.query if of_query else layout.key).pitch
    half = min(0.82 * size, max(0.5 * size, 0.5 * pitch - 0.5))
    edge = layout.query_edge - lay.LABEL_GAP if of_query else layout.key_edge + lay.LABEL_GAP
    x, y = at(plan, centre, edge)
    if layout.vertical:
        left = x - width if of_query else x
        box = (left - 4, y - half, left + width + 4, y + half)
        return Label(text, x, y, size, colour, face, 1.0 if of_query else 0.0), box
    if layout.turned:
        top = y - width if of_query else y
        box = (x - half, top - 3, x + half, top + width + 3)
        return Label(text, x, y, size, colour, face, 0.0 if of_query else 1.0, upright=True), box
    y += -0.6 * size if of_query else 0.6 * size
    box = (x - width / 2 - 4, y - half, x + width / 2 + 4, y + half)
    return Label(text, x, y, size, colour, face, 0.5), box


def _number(
    plan: Plan,
    of_query: bool,
    label: Label,
    box: Box,
    weight: float,
) -> Label:
    """Return the number that stands beyond a token."""
    layout = plan.layout
    size = min(NUMBER, layout.font)
    number = Label(short_number(weight), label.x, label.y, size, plan.theme.muted, MONO)
    left, top, right, bottom = box
    if layout.vertical:
        x = left - 4 if of_query else right + 4
        return replace(number, x=x, align=1.0 if of_query else 0.0)
    if layout.turned:
        y = top - 3 if of_query else bottom + 3
        return replace(number, y=y, align=0.0 if of_query else 1.0, upright=True)
    return replace(number, y=top - 0.7 * size if of_query else bottom + 0.7 * size, align=0.5)


def headings(plan: Plan) -> list[Label]:
    """Return the names of the two sides."""
    layout, muted = plan.layout, plan.theme.muted
    y = plan.top - HEADINGS / 2
    if layout.vertical:
        query = plan.left + layout.query_edge - lay.LABEL_GAP
        key = plan.left + layout.key_edge + lay.LABEL_GAP
        return [
            Label(QUERY_HEADING, query, y, NOTE, muted, align=1.0),
            Label(KEY_HEADING, key, y, NOTE, muted),
        ]
    return [Label(ROWS_HEADING, plan.width / 2, y, NOTE, muted, align=0.5)]
