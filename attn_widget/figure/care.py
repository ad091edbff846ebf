"""Notes on how to read a map, below its still picture.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .canvas import Picture
from .notes import Notes, Placed, flow, joined, phrases
from .plan import PADDING, slack_of

_GAP = 4.0


def with_notes(picture: Picture[Any], texts: Sequence[str]) -> Picture[Any]:
    """Return a picture, as large as its content needs, with sentences below its legend."""
    if not texts:
        return picture

    def plan(outlines: bool, _: tuple[float, float] | None) -> Any:
        planned = picture.plan(outlines, None)
        footer: Notes = planned.footer
        width, y = planned.width - 2 * PADDING, footer.height
        placed: list[Placed] = []
        for text in texts:
            words = phrases([text], planned.theme)
            lines, y = flow(words, width, slack_of(outlines), y + _GAP)
            placed += joined(lines)
        return replace(
            planned,
            footer=Notes((*footer.placed, *placed), y),
            height=planned.height + y - footer.height,
        )

    def coarser() -> Picture[Any] | None:
        found = picture.coarser()
        return None if found is None else with_notes(found, texts)

    return replace(picture, plan=plan, coarser=coarser)
