"""Tokens beside the pictures of an overlay: which are named, and where they stand.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..axes import Boxes, Patches
from ..panels import Side
from .lettering import BOLD, MONO, PLAIN, fitted, width_of
from .overlay_scene import OverlayScene
from .reading import short_number

FONT: Final = 13.0
NUMBER: Final = 10.0
HEIGHT: Final = 21.0
INSET: Final = 6.0
_SPACE: Final = 3.0
_LEADING: Final = 26.0
_LINES: Final = 3
"""Of more tokens than fill so many lines, the pinned and the strongest are named."""
_NUMBERS: Final = 12
"""So many of the strongest tokens carry their number."""
_LEAST_NUMBER: Final = 0.02
"""Weaker tokens carry none."""
_LONGEST: Final = 150.0
_MOST_BOXES: Final = 40
"""More boxes are left to their pictures."""
_HEADING: Final = 11.0


@dataclass(frozen=True)
class Chip:
    """A token with its place: left end and middle, in CSS pixels."""

    text: str
    x: float
    y: float
    width: float
    position: int | None = None
    """None for the name of a side, and for a gap between tokens."""
    side: Side | None = None
    pinned: bool = False
    special: bool = False
    apart: bool = False
    strength: float = 0.0
    number: str = ""


def chips_of(scene: OverlayScene, width: float, slack: float) -> tuple[list[Chip], float]:
    """Return the tokens of both sides in lines of some width, and the height they take."""
    found: list[Chip] = []
    y = 0.0
    sides: tuple[Side, ...] = ("key",) if scene.shared else ("query", "key")
    for side in sides:
        chips = _side(scene, side)
        if not chips:
            continue
        heading = "tokens" if scene.shared else "queries" if side == "query" else "keys"
        name = Chip(heading, 0.0, 0.0, width_of(heading, _HEADING) * slack + 8)
        placed, lines = _flow([name, *_fitting(chips, width, slack)], width, slack, y)
        found += placed
        y += lines * _LEADING
    return found, y + (6.0 if found else 0.0)


def _side(scene: OverlayScene, side: Side) -> list[Chip]:
    """Return the tokens of a side that lie on no picture, and its boxes where they are few."""
    axis = scene.queries if side == "query" else scene.keys
    positions: list[int] = []
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Patches) or (
            isinstance(segment, Boxes) and len(segment) > _MOST_BOXES
        ):
            continue
        positions += range(start, start + len(segment))
    painted = side == scene.other
    pinned = set(scene.state.pinned_queries if side == "query" else scene.state.pinned_keys)
    if scene.shared:
        painted, pinned = True, pinned | set(scene.state.pinned_queries)
    strengths = np.zeros(len(axis), np.float32)
    if painted and len(scene.numbers):
        strengths = np.nan_to_num(scene.strengths.max(axis=0))
        strengths[np.isneginf(scene.mean)] = 0.0
    by_strength = sorted(positions, key=lambda at: -float(strengths[at]))[:_NUMBERS]
    numbered = {at for at in by_strength if strengths[at] > _LEAST_NUMBER}
    special, labels = set(axis.special), axis.shown
    return [
        Chip(
            text=labels[at],
            x=0.0,
            y=0.0,
            width=0.0,
            position=at,
            side=side,
            pinned=at in pinned,
            special=at in special,
            apart=painted and at in scene.apart,
            strength=float(strengths[at]),
            number=short_number(float(scene.mean[at])) if at in numbered else "",
        )
        for at in positions
    ]


def _measured(chip: Chip, slack: float) -> Chip:
    face = BOLD if chip.pinned else PLAIN
    text = fitted(chip.text, FONT, _LONGEST, face)
    wide = width_of(text, FONT, face) * slack + 2 * INSET
    if chip.number:
        wide += width_of(chip.number, NUMBER, MONO) * slack + 5
    return replace(chip, text=text, width=wide)


def _fitting(chips: Sequence[Chip], width: float, slack: float) -> list[Chip]:
    """Return all chips, or the most telling ones with gaps between them, in their order."""
    measured = [_measured(chip, slack) for chip in chips]
    room = _LINES * width * 0.92 - 60
    if sum(chip.width + _SPACE for chip in measured) <= room:
        return measured
    ranked = sorted(
        range(len(measured)),
        key=lambda at: (-measured[at].pinned, -round(measured[at].strength, 2), at),
    )
    gap = Chip("…", 0.0, 0.0, 18.0)
    kept: set[int] = set()
    for at in ranked:
        # Each may open a gap before it.
        room -= measured[at].width + 2 * _SPACE + gap.width
        if room < 0:
            break
        kept.add(at)
    found: list[Chip] = []
    for at, chip in enumerate(measured):
        if at in kept:
            found.append(chip)
        elif not found or found[-1] is not gap:
            found.append(gap)
    return found


def _flow(chips: Sequence[Chip], width: float, slack: float, top: float) -> tuple[list[Chip], int]:
    placed: list[Chip] = []
    x, line = 0.0, 0
    for chip in chips:
        if x > 0 and x + chip.width > width:
            x, line = 0.0, line + 1
        placed.append(replace(chip, x=x, y=top + (line + 0.5) * _LEADING))
        x += chip.width + _SPACE
    return placed, line + 1
