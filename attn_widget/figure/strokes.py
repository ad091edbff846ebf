"""Draws the lines of a picture: the strongest one by one, all others as fog.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from numpy.typing import NDArray

from .fog import Strokes, fog_image
from .ink import CONTEXT_OPACITY, VISIBLE_OPACITY, line_opacity, line_width
from .lettering import points_of
from .palette import head_colour
from .plan import Plan, at
from .shapes import DASHES, circle, stroke


def draw_lines(ax: Axes, plan: Plan) -> None:
    """Draw lines and links; beyond the ``plan.strokes`` strongest, lines become fog."""
    limit = plan.strokes
    drawn, focus = _strokes(plan), plan.scene.focus
    everything = np.arange(len(drawn.start))
    if focus is None:
        _draw_group(ax, plan, drawn, everything, limit)
    else:
        _draw_context(ax, plan, drawn, everything[~focus], limit)
        _draw_group(ax, plan, drawn, everything[focus], limit)
    _draw_links(ax, plan)


def _draw_group(ax: Axes, plan: Plan, drawn: Strokes, which: NDArray[np.intp], limit: int) -> None:
    """Draw the strongest lines one by one and all others as fog below them."""
    strong = which
    if len(which) > limit:
        importance = (drawn.opacity * drawn.width)[which]
        parted = which[np.argpartition(-importance, limit)]
        strong = parted[:limit]
        _draw_fog(ax, plan, _picked(drawn, parted[limit:]))
    # Weak ones first, so that strong ones stay on top.
    strong = strong[np.argsort((drawn.opacity * drawn.width)[strong], kind="stable")]
    strong = strong[drawn.opacity[strong] >= VISIBLE_OPACITY]
    weight = plan.scene.edges.weight[strong]
    infinite, negative = np.isinf(weight), weight < 0
    for mine, dash in (
        (~infinite & ~negative, None),
        (negative & ~infinite, DASHES["dashed"]),
        (infinite, DASHES["dotted"]),
    ):
        _stroke_lines(ax, plan, _picked(drawn, strong[mine]), dash)


def _draw_context(
    ax: Axes, plan: Plan, drawn: Strokes, which: NDArray[np.intp], limit: int
) -> None:
    """Draw the lines of tokens that are not pinned, faintly.

    Lines of several heads lie on each other: only dimmed as a whole do they stay faint.
    """
    if len(which) <= limit and len(np.unique(plan.scene.edges.head[which])) == 1:
        faint = replace(drawn, opacity=drawn.opacity * np.float32(CONTEXT_OPACITY))
        _draw_group(ax, plan, faint, which, limit)
    else:
        _draw_fog(ax, plan, _picked(drawn, which), CONTEXT_OPACITY)


def _strokes(plan: Plan) -> Strokes:
    scene = plan.scene
    edges = scene.edges
    opacity = line_opacity(np.nan_to_num(edges.strength))
    heads = np.unique(edges.head)
    table = np.array([head_colour(int(head), plan.theme) for head in heads]).reshape(-1, 3)
    return Strokes(
        start=plan.layout.query.centres[edges.query],
        end=plan.layout.key.centres[edges.key],
        opacity=opacity,
        width=line_width(np.nan_to_num(edges.strength), plan.layout.pitch),
        colour=table[np.searchsorted(heads, edges.head)],
    )


def _picked(strokes: Strokes, which: NDArray[np.intp]) -> Strokes:
    return Strokes(
        strokes.start[which],
        strokes.end[which],
        strokes.opacity[which],
        strokes.width[which],
        strokes.colour[which],
    )


def _stroke_lines(ax: Axes, plan: Plan, strokes: Strokes, dash: tuple[float, float] | None) -> None:
    if len(strokes.start) == 0:
        return
    paths = [
        _curve(plan, start, end)
        for start, end in zip(strokes.start.tolist(), strokes.end.tolist(), strict=True)
    ]
    lines = PathCollection(
        paths,
        facecolors="none",
        edgecolors=np.column_stack([strokes.colour, strokes.opacity]),
        linewidths=strokes.width * points_of(ax),
        capstyle="butt",
        transform=ax.transData,
        clip_on=False,
        zorder=2,
    )
    if dash is not None:
        # Matplotlib scales dashes by the line's width; dividing by it keeps them as they are.
        lines.set_linestyle([(0, tuple(d / w for d in dash)) for w in strokes.width.tolist()])
    ax.add_collection(lines, autolim=False)


def _curve(plan: Plan, start: float, end: float) -> Path:
    """The cubic from a query to a key, its control points half way along."""
    layout = plan.layout
    middle = (layout.query_edge + layout.key_edge) / 2
    points = [
        at(plan, start, layout.query_edge),
        at(plan, start, middle),
        at(plan, end, middle),
        at(plan, end, layout.key_edge),
    ]
    return Path(points, _CUBIC)


_CUBIC: Final = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]


def _draw_fog(ax: Axes, plan: Plan, strokes: Strokes, opacity: float = 1.0) -> None:
    if len(strokes.start) == 0:
        return
    layout = plan.layout
    image = fog_image(strokes, layout.length, layout.key_edge - layout.query_edge)
    image[..., 3] *= opacity
    left, top = at(plan, 0.0, layout.query_edge)
    right, bottom = at(plan, layout.length, layout.key_edge)
    ax.imshow(
        image if layout.vertical else image.transpose(1, 0, 2),
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="bilinear",
        origin="upper",
        clip_on=False,
        zorder=1,
    )
    ax.set_xlim(0, plan.width)
    ax.set_ylim(plan.height, 0)


def _draw_links(ax: Axes, plan: Plan) -> None:
    """A ring at both ends of each link and a thin line between: given, not attended."""
    if not plan.scene.links:
        return
    layout = plan.layout
    ends = [
        (float(layout.query.centres[query]), float(layout.key.centres[key]))
        for query, key in plan.scene.links
    ]
    curves = PathCollection(
        [_curve(plan, start, end) for start, end in ends],
        facecolors="none",
        edgecolors=[(*plan.theme.text, 0.6)],
        linewidths=0.9 * points_of(ax),
        linestyles=[(0, (1.2, 3.0))],
        transform=ax.transData,
        clip_on=False,
        zorder=3,
    )
    ax.add_collection(curves, autolim=False)
    rings = {at(plan, start, layout.query_edge) for start, _ in ends}
    rings |= {at(plan, end, layout.key_edge) for _, end in ends}
    radius = min(3.5, 0.3 * layout.pitch)
    circles = [circle(x, y, radius) for x, y in sorted(rings)]
    stroke(ax, circles, [plan.theme.text], 1.2, face=plan.theme.surface)
