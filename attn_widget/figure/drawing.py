"""Draws a planned picture on Matplotlib axes.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes

from .canvas import Picture
from .legend import legend_head
from .lettering import draw_labels
from .marks import draw_footer, draw_notes, prepare
from .palette import Colour, Theme, blend, head_colour, theme_of
from .plan import PADDING, Plan, plan
from .scene import Scene
from .strokes import draw_lines
from .tokens import draw_tokens, headings

PNG_STROKES: Final = 600
FIGURE_STROKES: Final = 2_000


def lines_picture(scene: Scene) -> Picture[Plan]:
    """Return the picture of a lines view."""
    lines = len(scene.edges.weight)
    # Crowded lines make the most of a picture's bytes, and need the fewest colours.
    crowded = lines > PNG_STROKES
    return Picture(
        plan=lambda outlines, room: plan(
            scene, PNG_STROKES if outlines else FIGURE_STROKES, outlines=outlines, room=room
        ),
        draw=draw,
        colours=_exact_colours(scene, theme_of(scene.state.theme)),
        ratio=2.0 if not crowded else 1.6 if lines <= 6_000 else 1.3,
        palette=256 if lines <= 6_000 else 96,
    )


def _exact_colours(scene: Scene, theme: Theme) -> list[Colour]:
    """Return colours that reducing to a palette must not change, the ground first."""
    heads = dict.fromkeys([legend_head(scene), *scene.state.heads[:_EXACT_HEADS]])
    hues = [head_colour(head, theme) for head in heads]
    blends = [blend(hue, theme.surface, share) for hue in hues for share in (1.0, 0.7, 0.4)]
    return [*theme.neutrals, *blends]


_EXACT_HEADS: Final = 24


def draw(ax: Axes, plan: Plan) -> None:
    """Draw a planned picture on axes; their limits become its width and height in CSS pixels.

    Args:
        ax: the axes; whatever they show stays below.
        plan: what to draw.
    """
    prepare(ax, plan.width, plan.height)
    draw_lines(ax, plan)
    labels = [*draw_tokens(ax, plan), *headings(plan)]
    labels += draw_notes(ax, plan.header, PADDING, plan.top - plan.header.height)
    labels += draw_footer(ax, plan, PADDING, plan.layout.pitch)
    draw_labels(ax, labels, outlines=plan.outlines)
