"""Where everything of a picture of a matrix goes, before any of it is drawn.

Measures text with Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .grid import LABEL_GAP, Ticks, cells_of, side_by_side, ticks_of
from .layout import LABEL_ROOM, font_of
from .lettering import BOLD, fitted, width_of
from .matrix_notes import above, below
from .matrix_scene import MatrixScene
from .notes import NOTE, Notes
from .palette import Theme, theme_of
from .plan import LEAST_WIDTH, PADDING, slack_of

LONGEST: Final = 150.0
"""Longer labels are cut."""
COUNT_FONT: Final = 10.0
QUERY_HEADING: Final = "↓ targets · queries"
KEY_HEADING: Final = "→ sources · keys"
_LEAST_SHARE: Final = 0.5
_ROUNDS: Final = 3


@dataclass(frozen=True)
class SidePlan:
    """The labels of one side: which, where along it, how large."""

    ticks: Ticks
    texts: tuple[str, ...]
    """The labels as they fit."""
    centres: tuple[float, ...]
    font: float
    band: float
    """Room that the labels take across their side."""
    pitch: float
    """Room of one position along it."""


@dataclass(frozen=True)
class MatrixPlan:
    """A matrix with every place decided, in CSS pixels."""

    scene: MatrixScene
    outlines: bool
    shades: int | None
    """Shades that cells have, of either sign; None for all."""
    theme: Theme
    query: SidePlan
    key: SidePlan
    lying: bool
    """Whether labels of keys lie side by side; else they stand upright."""
    left: float
    top: float
    """The left and upper edge of the cells."""
    wide: float
    high: float
    header: Notes
    footer: Notes
    width: float
    height: float

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps or reaches beyond the picture."""
        bottom = self.top + self.high + 2 + self.footer.height + PADDING
        right = self.left + max(self.wide, width_of(KEY_HEADING, NOTE))
        return (
            (self.scene.cells.size == 0 or self._area_is_large)
            and bottom <= self.height + 0.5
            and right + PADDING <= self.width + 0.5
        )

    @property
    def _area_is_large(self) -> bool:
        """Whether cells, and not the words around them, take the most of one side."""
        natural = max(_natural(self.scene))
        wanted = _LEAST_SHARE * min(self.width, self.height)
        return max(self.wide, self.high) >= min(natural, wanted)


def plan_matrix(
    scene: MatrixScene,
    *,
    outlines: bool,
    shades: int | None = None,
    room: tuple[float, float] | None = None,
) -> MatrixPlan:
    """Decide every place of a picture.

    Args:
        scene: what is shown.
        outlines: as for :func:`.plan.plan`.
        shades: shades that cells have, of either sign; None for all.
        room: as for :func:`.plan.plan`.
    """
    theme = theme_of(scene.state.theme)
    slack = slack_of(outlines)
    high, wide = natural = _natural(scene)
    width = 0.0
    # What labels need and what they leave for cells depend on each other.
    for _ in range(1 if room is None else _ROUNDS):
        query, key = _sides(scene, high, wide)
        band = max(query.band, width_of(QUERY_HEADING, NOTE) * slack + LABEL_GAP)
        width = room[0] if room else max(LEAST_WIDTH, band + wide + 2 * PADDING)
        header = above(scene, theme, width - 2 * PADDING, slack)
        named = query.ticks.every, key.ticks.every
        footer = below(scene, theme, width - 2 * PADDING, slack, named)
        frame = header.height + key.band + footer.height + 2 * PADDING + 2
        if room is not None and all(natural):
            scale = min((room[1] - frame) / natural[0], (width - band - 2 * PADDING) / natural[1])
            high, wide = (max(1.0, scale * side) for side in natural)
    if room is not None:
        query, key = _sides(scene, high, wide)
    left = (width - band - wide) / 2 + band
    top = PADDING + header.height + key.band
    return MatrixPlan(
        scene=scene,
        outlines=outlines,
        shades=shades,
        theme=theme,
        query=query,
        key=key,
        lying=_lying(key, wide),
        # Whole pixels keep the edges of cells sharp.
        left=float(round(left)) if room is None else left,
        top=float(round(top)) if room is None else top,
        wide=wide,
        high=high,
        header=header,
        footer=footer,
        width=width,
        height=room[1] if room else frame + high + 1,
    )


def _natural(scene: MatrixScene) -> tuple[float, float]:
    """Return the height and width that the cells take where there is room."""
    queries, keys = len(scene.queries), len(scene.keys)
    return cells_of(queries, keys).length, cells_of(keys, queries).length


def _lying(key: SidePlan, wide: float) -> bool:
    return key.band <= 2 * key.font + LABEL_GAP and bool(wide)


def _sides(scene: MatrixScene, high: float, wide: float) -> tuple[SidePlan, SidePlan]:
    pinned = scene.pinned
    query = _side(scene.query.labels, scene.queries, high, pinned[0], False)
    return query, _side(scene.key.labels, scene.keys, wide, pinned[1], True)


def _side(
    labels: Sequence[str], span: range, length: float, pinned: Sequence[int], across: bool
) -> SidePlan:
    shown = labels[span.start : span.stop]
    counted = bool(shown) and all(
        label == str(position) for label, position in zip(shown, span, strict=True)
    )
    pitch = length / len(shown) if shown else length
    ticks = ticks_of(shown, span.start, length, counted, pinned)
    font = font_of(max(pitch, LABEL_ROOM))
    if ticks.every != 1:
        font = COUNT_FONT if ticks.every == 0 else font_of(max(pitch * ticks.every, LABEL_ROOM))
    texts = tuple(fitted(text, font, LONGEST, BOLD) for text in ticks.texts)
    widths = [width_of(text, font, BOLD) for text in texts]
    band = max(widths, default=0.0) + LABEL_GAP
    if across and side_by_side(ticks, widths, length, len(shown)):
        band = 1.5 * font + 2
    centres = tuple((position + 0.5) * pitch for position in ticks.positions)
    return SidePlan(ticks, texts, centres, font, band, pitch)
