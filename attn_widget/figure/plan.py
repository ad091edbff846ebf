"""Where everything of a picture goes, before any of it is drawn.

Measures text with Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from . import layout as lay
from .layout import Layout
from .legend import above, below
from .lettering import BOLD, MONO, width_of
from .notes import NOTE, Notes
from .palette import Theme, theme_of
from .reading import Joint, focus_joint
from .scene import Scene, Side

PADDING: Final = 14.0
LEAST_WIDTH: Final = 440.0
NUMBER: Final = 11.0
QUERY_HEADING: Final = "target · query"
KEY_HEADING: Final = "source · key"
ROWS_HEADING: Final = "targets · queries above, sources · keys below"
TEXT_SLACK: Final = 1.03
"""Text fitted to the pixels of a bitmap takes up to this much more room than its outlines."""
NUMBERS_SHOWN: Final = 40
LEAST_NUMBER: Final = 0.004
"""Tokens at the other end that get less of the strength than this stay plain."""


@dataclass(frozen=True)
class Plan:
    """A scene with every place decided: what is left is to put ink there."""

    scene: Scene
    strokes: int
    outlines: bool
    theme: Theme
    layout: Layout
    joint: tuple[bool, Joint] | None
    left: float
    """Where the layout's outer edge of the query side (or its first token) lies."""
    top: float
    header: Notes
    footer: Notes
    width: float
    height: float

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps or reaches beyond the picture."""
        layout = self.layout
        along, across = (layout.length, layout.across)
        wide, high = (across, along) if layout.vertical else (along, across)
        if not layout.vertical:
            wide = max(wide, width_of(ROWS_HEADING, NOTE))
        return (
            wide + 2 * PADDING <= self.width + 0.5
            and self.top + high + self.footer.height + PADDING <= self.height + 0.5
            and layout.query_edge + lay.LEAST_LINES < layout.key_edge + 0.5
        )


def plan(
    scene: Scene, strokes: int, *, outlines: bool, room: tuple[float, float] | None = None
) -> Plan:
    """Decide every place of a picture.

    Args:
        scene: what is shown.
        strokes: most lines drawn one by one.
        outlines: whether letters are drawn as outlines, many times faster in a bitmap, or as text,
            which stays text in a PDF.
        room: width and height to fill, in CSS pixels; None takes what the content needs.
    """
    vertical = scene.state.orientation == "vertical"
    slack = slack_of(outlines)
    theme = theme_of(scene.state.theme)
    joint = focus_joint(scene)
    longer = max(len(scene.query.labels), len(scene.key.labels))
    if room is None:
        layout = _arranged(scene, joint, lay.font_of(lay.pitch_of(longer)), None)
        width = max(LEAST_WIDTH, (layout.across if vertical else layout.length) + 2 * PADDING)
        header = above(scene, theme, width - 2 * PADDING, slack)
        footer = below(scene, theme, layout, width - 2 * PADDING, slack, strokes)
        inner = layout.length if vertical else layout.across
        height = header.height + inner + footer.height + 2 * PADDING
    else:
        width, height = room
        header = above(scene, theme, width - 2 * PADDING, slack)
        footer = below(scene, theme, None, width - 2 * PADDING, slack, strokes)
        left = max(40.0, height - header.height - footer.height - 2 * PADDING)
        pitch = lay.pitch_of(longer, left if vertical else width - 2 * PADDING)
        layout = _arranged(scene, joint, lay.font_of(pitch), (width - 2 * PADDING, left))
        footer = below(scene, theme, layout, width - 2 * PADDING, slack, strokes)
    return Plan(
        scene=scene,
        strokes=strokes,
        outlines=outlines,
        theme=theme,
        layout=layout,
        joint=joint,
        left=(width - (layout.across if vertical else layout.length)) / 2,
        top=PADDING + header.height,
        header=header,
        footer=footer,
        width=width,
        height=height,
    )


def slack_of(outlines: bool) -> float:
    """Return the room that drawn letters take, as a multiple of that of their outlines."""
    return 1.0 if outlines else TEXT_SLACK


def _arranged(
    scene: Scene,
    joint: tuple[bool, Joint] | None,
    font: float,
    room: tuple[float, float] | None,
) -> Layout:
    number = width_of("−0.000", NUMBER, MONO) + 8
    return (lay.columns if scene.state.orientation == "vertical" else lay.rows)(
        # Any token may become bold, so that pinning it moves nothing.
        [width_of(label, font, BOLD) for label in scene.query.labels],
        [width_of(label, font, BOLD) for label in scene.key.labels],
        font=font,
        number_room=(
            number if joint is not None and not joint[0] else 0.0,
            number if joint is not None and joint[0] else 0.0,
        ),
        wanted=(_wanted(scene.query, joint, False), _wanted(scene.key, joint, True)),
        heading=(width_of(QUERY_HEADING, NOTE), width_of(KEY_HEADING, NOTE)),
        room=room,
    )


def _wanted(side: Side, joint: tuple[bool, Joint] | None, of_query: bool) -> list[int]:
    """Return the positions to be named first: pinned ones, then the strongest at the other end."""
    wanted = list(side.pinned)
    if joint is not None and joint[0] == of_query:
        strengths = joint[1].strengths
        strongest = np.argsort(-strengths, kind="stable")[:NUMBERS_SHOWN]
        wanted += [int(p) for p in strongest if strengths[p] > LEAST_NUMBER]
    return wanted


def at(plan: Plan, along: float, across: float) -> tuple[float, float]:
    """Return where a place of the layout lies in the picture."""
    if plan.layout.vertical:
        return plan.left + across, plan.top + along
    return plan.left + along, plan.top + across
