"""Where everything of a picture of an overlay goes, before any of it is drawn.

Measures text with Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from ..panels import Panel, Rect
from .notes import Notes
from .overlay_chips import Chip, chips_of
from .overlay_notes import COLUMN, Column, above, below, column
from .overlay_scene import OverlayScene
from .palette import Theme, theme_of
from .plan import LEAST_WIDTH, PADDING, slack_of

CAPTION: Final = 18.0
"""Room above a picture for the name of its head."""
GAP: Final = 10.0
LEAST: Final = 110.0
"""Narrower pictures tell nothing."""
BESIDE: Final = 24.0
"""Room between the pictures and the account."""
_SIDE: Final = 320.0
"""A single picture is as large as a square of this side."""
_WIDEST: Final = 460.0
_HIGHEST: Final = 420.0
_SEVERAL: Final = (580.0, 480.0)
"""Width and height that several pictures may take."""


@dataclass(frozen=True)
class Place:
    """Where a picture stands, in CSS pixels."""

    panel: int
    row: int
    """Which of the rows painted."""
    x: float
    y: float
    width: float
    height: float

    @property
    def box(self) -> Rect:
        """Left, top, right, bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True)
class OverlayPlan:
    """An overlay with every place decided, in CSS pixels."""

    scene: OverlayScene
    outlines: bool
    detail: float
    """Pixels of the pictures a CSS pixel."""
    theme: Theme
    places: tuple[Place, ...]
    chips: tuple[Chip, ...]
    column: Column
    column_at: tuple[float, float]
    header: Notes
    footer: Notes
    width: float
    height: float

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps or reaches beyond the picture."""
        lower = max(
            [place.y + place.height for place in self.places]
            + [self.column_at[1] + self.column.notes.height]
        )
        return (
            lower + 4 + self.footer.height + PADDING <= self.height + 0.5
            and self.column_at[0] + COLUMN + PADDING <= self.width + 0.5
            and all(place.width >= 0.6 * LEAST for place in self.places)
        )


def plan_overlay(
    scene: OverlayScene,
    *,
    outlines: bool,
    detail: float,
    room: tuple[float, float] | None = None,
) -> OverlayPlan:
    """Decide every place of a picture.

    Args:
        scene: what is shown.
        outlines: as for :func:`.plan.plan`.
        detail: pixels of the pictures a CSS pixel.
        room: as for :func:`.plan.plan`.
    """
    theme = theme_of(scene.state.theme)
    slack = slack_of(outlines)
    rows = max(1, len(scene.numbers))
    beside = room is None or room[0] >= 2 * COLUMN + 2 * PADDING + BESIDE
    sides = COLUMN + BESIDE if beside else 0.0
    if room is None:
        placed, wide, high = _natural(scene.panels, rows)
        width = max(LEAST_WIDTH, wide + sides + 2 * PADDING)
    else:
        width = room[0]
    header = above(scene, theme, width - 2 * PADDING, slack)
    chips, words = chips_of(scene, width - 2 * PADDING, slack)
    account = column(scene, theme, COLUMN if beside else width - 2 * PADDING, slack)
    footer = below(scene, theme, width - 2 * PADDING, slack)
    top = PADDING + header.height + words
    if room is not None:
        under = 0.0 if beside else account.notes.height + 10
        left = room[1] - top - under - footer.height - PADDING - 4
        placed, wide, high = arranged(
            scene.panels, rows, max(LEAST, width - sides - 2 * PADDING), max(LEAST, left)
        )
    top = round(top) if room is None else top
    lower = max(high, account.notes.height) if beside else high + 10 + account.notes.height
    return OverlayPlan(
        scene=scene,
        outlines=outlines,
        detail=detail,
        theme=theme,
        places=tuple(
            Place(p.panel, p.row, p.x + PADDING, p.y + top, p.width, p.height) for p in placed
        ),
        chips=tuple(chips),
        column=account,
        column_at=(PADDING + wide + BESIDE, top) if beside else (PADDING, top + high + 10),
        header=header,
        footer=footer,
        width=width,
        height=top + lower + 4 + footer.height + PADDING if room is None else room[1],
    )


def _natural(panels: Sequence[Panel], rows: int) -> tuple[list[Place], float, float]:
    if len(panels) * rows == 1:
        wide, high = _size(panels[0])
        width = min(_WIDEST, _HIGHEST * wide / high, _SIDE * sqrt(wide / high))
        return arranged(panels, rows, float(round(width)), _HIGHEST)
    return arranged(panels, rows, *_SEVERAL)


def arranged(
    panels: Sequence[Panel], rows: int, width: float, most_height: float
) -> tuple[list[Place], float, float]:
    """Place every panel once a row, in columns of one width, as large as fits.

    Pictures too narrow to be read go on below ``most_height`` instead. ``arrange`` in
    ``js/src/overlay/layout.ts`` places them alike.

    Args:
        panels: the pictures.
        rows: how many rows of weights are painted; each has its own pictures.
        width: room for them, in CSS pixels.
        most_height: the same.

    Returns:
        The places from a corner (0, 0), and the width and height they take together.
    """
    caption = CAPTION if rows > 1 else 0.0
    items = [(panel, row) for row in range(rows) for panel in range(len(panels))]
    if not items:
        return [], 0.0, 0.0
    tall = [_size(panels[panel])[1] / _size(panels[panel])[0] for panel, _ in items]
    most = max(1, min(len(items), int((width + GAP) // (LEAST + GAP))))
    columns, size = 1, 0.0
    for count in range(1, most + 1):
        heights = [max(tall[at : at + count]) for at in range(0, len(items), count)]
        left = most_height - ceil(len(items) / count) * (caption + GAP) + GAP
        wide = (width - (count - 1) * GAP) / count
        found = float(int(min(wide, max(left / sum(heights), LEAST))))
        if found > size:
            columns, size = count, found
    places: list[Place] = []
    y = 0.0
    for first in range(0, len(items), columns):
        heights = [max(1.0, round(high * size)) for high in tall[first : first + columns]]
        for at, (item, height) in enumerate(
            zip(items[first : first + columns], heights, strict=True)
        ):
            places.append(Place(*item, at * (size + GAP), y + caption, size, height))
        y += caption + max(heights) + GAP
    return places, min(columns, len(items)) * (size + GAP) - GAP, y - GAP


def _size(panel: Panel) -> tuple[float, float]:
    left, top, right, bottom = panel.extent
    return max(1e-9, right - left), max(1e-9, bottom - top)
