"""Draws planned mechanisms on Matplotlib axes: how a weight arises, number by number.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from .canvas import Picture
from .colormap import anchors_of, as_colour, colours_at
from .lettering import draw_labels
from .marks import draw_cells, draw_footer, draw_notes, frame, prepare
from .mechanism_panel import plan_keys, plan_score
from .mechanism_scene import MechanismScene, answer
from .mechanism_sheet import Sheet
from .notes import NOTE, Notes, Word, flow, joined, phrases, words_of
from .palette import Theme, head_colour, theme_of
from .plan import PADDING, slack_of
from .shapes import fill, stroke

WIDTH: Final = 780.0
"""Width of a picture of one panel or of two side by side, CSS pixels."""
BETWEEN: Final = 28.0
SIDE_BY_SIDE: Final = 620.0
"""Panels stand side by side from this width on; ``js/src/mechanism/view.ts`` alike."""


@dataclass(frozen=True)
class MechanismPlan:
    """A mechanism with every place decided, in CSS pixels."""

    sheet: Sheet
    outlines: bool
    theme: Theme
    header: Notes
    footer: Notes
    width: float
    height: float
    needed: float
    """The height that the content takes."""

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps or reaches beyond the picture."""
        return self.width >= 300 and self.needed <= self.height + 0.5


def mechanism_picture(scene: MechanismScene) -> Picture[MechanismPlan]:
    """Return the picture of a mechanism."""
    theme = theme_of(scene.state.theme)
    hue = head_colour(scene.state.head or 0, theme)
    ramp = colours_at(anchors_of("auto", True, scene.state.theme), np.linspace(0, 1, 33))
    return Picture(
        plan=lambda outlines, room: plan_mechanism(scene, outlines=outlines, room=room),
        draw=draw_mechanism,
        colours=[*theme.neutrals, hue, *(as_colour(colour) for colour in ramp)],
    )


def plan_mechanism(
    scene: MechanismScene, *, outlines: bool, room: tuple[float, float] | None = None
) -> MechanismPlan:
    """Decide every place of a picture.

    Args:
        scene: what is shown.
        outlines: whether letters are drawn as outlines, for a bitmap.
        room: width and height to fill; None takes what the content needs.
    """
    theme, slack = theme_of(scene.state.theme), slack_of(outlines)
    width = room[0] if room else WIDTH
    inner = width - 2 * PADDING
    header, footer = _above(scene, theme, inner, slack), _below(scene, theme, inner, slack)
    sheet = Sheet(theme, scene.state.theme == "dark", PADDING)
    count = len(scene.panels)
    across = count if inner >= SIDE_BY_SIDE else 1
    each = (inner - (across - 1) * BETWEEN) / max(1, across)
    top = bottom = PADDING + header.height
    for group in range(0, count, max(1, across)):
        panels = scene.panels[group : group + across]
        starts = []
        for column, panel in enumerate(panels):
            sheet.left, sheet.y = PADDING + column * (each + BETWEEN), top
            plan_score(sheet, scene, panel, each)
            starts.append(sheet.y)
        for column, panel in enumerate(panels):
            # Keys of panels side by side stand in line.
            sheet.left, sheet.y = PADDING + column * (each + BETWEEN), max(starts)
            plan_keys(sheet, scene, panel, each)
            bottom = max(bottom, sheet.y)
        top = bottom + BETWEEN / 2
    needed = bottom + 8 + footer.height + PADDING
    return MechanismPlan(
        sheet, outlines, theme, header, footer, width, room[1] if room else needed, needed
    )


def draw_mechanism(ax: Axes, plan: MechanismPlan) -> None:
    """Draw a planned mechanism on axes; their limits become its width and height in CSS pixels.

    Args:
        ax: the axes; whatever they show stays below.
        plan: what to draw.
    """
    prepare(ax, plan.width, plan.height)
    sheet = plan.sheet
    for box, colour in sheet.boxes:
        fill(ax, box, colour, 1.0, radius=1.0)
    for strip in sheet.strips:
        draw_cells(ax, strip.cells, strip.box, order=3.5)
    if sheet.frames:
        frames = [frame(box) for box in sheet.frames]
        stroke(ax, frames, [sheet.hair], 0.75)
    labels = [*sheet.labels, *draw_notes(ax, plan.header, PADDING, PADDING)]
    labels += draw_footer(ax, plan, PADDING)
    draw_labels(ax, labels, outlines=plan.outlines)


def _above(scene: MechanismScene, theme: Theme, width: float, slack: float) -> Notes:
    said = [scene.name] if scene.name else []
    said += [f"layer {scene.state.layer}"]
    said += [] if scene.state.head is None else [f"head {scene.state.head}"]
    placed, y = flow(phrases(said, theme), width, slack, 0.0)
    sentence, y = flow(words_of(answer(scene), theme), width, slack, y + 3)
    return Notes((*placed, *joined(sentence)), y + 12)


def _below(scene: MechanismScene, theme: Theme, width: float, slack: float) -> Notes:
    anchors = anchors_of("auto", True, scene.state.theme)
    ramp = tuple(as_colour(colour) for colour in colours_at(anchors, np.linspace(0, 1, 60)))
    words = [
        Word("", NOTE, theme.line, mark="bar", space=6, colours=ramp),
        *phrases(["negative to positive, each step to its own largest"], theme),
        *phrases(["bars: exp and weight from 0 to 1"], theme),
    ]
    placed, y = flow(words, width, slack, 6.0)
    return Notes(tuple(placed), y)
