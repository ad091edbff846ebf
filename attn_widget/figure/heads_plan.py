"""Where everything of a picture of heads goes, before any of it is drawn.

Measures text with Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from ..selection import HeadsState
from .heads_notes import above, below
from .heads_scene import MOST_CELLS, MOST_FLOWING, HeadsScene
from .notes import HEADINGS, Notes
from .palette import Theme, theme_of
from .plan import LEAST_WIDTH, PADDING, slack_of

MOST_PITCH: Final = 84.0
LEAST_PITCH: Final = 8.0
FLOWING_PITCH: Final = 76.0
FLOWING_LEAST: Final = 44.0
"""With less room the numbers below thumbnails are no longer legible."""
COMFORTABLE: Final = 792.0
"""Room for the thumbnails of a row, where they need it."""
LABEL: Final = 10.0
GUTTER: Final = 34.0
"""Room for the names of layers."""
BELOW: Final = 15.0
"""Room for the name and number below a thumbnail."""


@dataclass(frozen=True)
class Tiling:
    """How thumbnails stand: columns and lines, and what one takes in CSS pixels."""

    columns: int
    lines: int
    pitch: tuple[float, float]
    box: tuple[float, float]
    """Width and height of a thumbnail, at the left top of its place."""
    natural: float
    """Width of a place where there is room for all."""


@dataclass(frozen=True)
class HeadsPlan:
    """Thumbnails with every place decided, in CSS pixels."""

    scene: HeadsScene
    outlines: bool
    shades: int | None
    theme: Theme
    tiling: Tiling
    places: tuple[int, ...]
    """The head, ``layer * H + head``, in each place, line after line."""
    left: float
    top: float
    header: Notes
    footer: Notes
    width: float
    height: float

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps or reaches beyond the picture."""
        bottom = self.top + self.tiling.lines * self.tiling.pitch[1] + self.footer.height
        right = self.left + self.tiling.columns * self.tiling.pitch[0]
        least = FLOWING_LEAST if self.scene.flowing else LEAST_PITCH
        return (
            self.tiling.pitch[0] >= min(least, self.tiling.natural)
            and bottom + PADDING <= self.height + 0.5
            and right + PADDING <= self.width + 0.5
        )

    def place(self, at: int) -> tuple[float, float]:
        """Return the left top of a place."""
        line, column = divmod(at, self.tiling.columns)
        return (
            self.left + column * self.tiling.pitch[0],
            self.top + line * self.tiling.pitch[1],
        )


def tiling_of(
    state: HeadsState,
    shape: tuple[int, int, int, int],
    room: tuple[float, float] | None = None,
) -> Tiling:
    """Arrange the thumbnails of a map.

    Args:
        state: what is shown.
        shape: layers, heads, queries, keys.
        room: width and height for all of them; None takes what they need.
    """
    layers, heads, queries, keys = shape
    flowing = state.sort != "layer"
    count = min(layers * heads, MOST_FLOWING) if flowing else layers * heads
    aspect = min(2.0, max(0.5, queries / keys)) if keys and queries else 1.0
    if flowing:
        columns = max(1, min(count, int(COMFORTABLE // FLOWING_PITCH)))
        across = FLOWING_PITCH
    else:
        columns = max(1, heads)
        across = max(LEAST_PITCH, min(MOST_PITCH, COMFORTABLE // columns))
    lines, natural = ceil(count / columns), across
    under = BELOW if flowing else 0.0
    if room is not None:
        down = room[1] / max(1, lines) - under
        across = max(2.0, min(room[0] / columns, down / aspect))
    gap = 1.0 if across < 16 else 3.0 if across < 56 else 6.0
    wide = across - gap
    cells = min(MOST_CELLS, keys or 1)
    if room is None and cells < 2 * wide:
        # Cells of half or whole CSS pixels are sharp.
        wide = int(2 * wide / cells) / 2 * cells
    high = float(max(4, round(wide * aspect)))
    return Tiling(columns, lines, (wide + gap, high + gap + under), (wide, high), natural)


def cells_in(tiling: Tiling, shape: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return how many cells a thumbnail has: at most two a CSS pixel."""
    wide, high = tiling.box
    return (
        min(shape[2], MOST_CELLS, max(1, int(high))),
        min(shape[3], MOST_CELLS, max(1, int(wide))),
    )


def plan_heads(
    scene: HeadsScene,
    *,
    outlines: bool,
    shades: int | None = None,
    room: tuple[float, float] | None = None,
) -> HeadsPlan:
    """Decide every place of a picture.

    Args:
        scene: what is shown.
        outlines: as for :func:`.plan.plan`.
        shades: shades that cells have, of either sign; None for all.
        room: as for :func:`.plan.plan`.
    """
    theme = theme_of(scene.state.theme)
    slack = slack_of(outlines)
    gutter = 0.0 if scene.flowing else GUTTER
    head = 0.0 if scene.flowing else HEADINGS - 4
    tiling = tiling_of(scene.state, scene.shape)
    width = room[0] if room else max(LEAST_WIDTH, gutter + _wide(tiling) + 2 * PADDING)
    header = above(scene, theme, width - 2 * PADDING, slack)
    footer = below(scene, theme, width - 2 * PADDING, slack)
    frame = header.height + head + footer.height + 2 * PADDING
    if room is not None:
        inner = width - gutter - 2 * PADDING, max(20.0, room[1] - frame)
        tiling = tiling_of(scene.state, scene.shape, inner)
    # What is drawn begins on whole pixels, so that the edges of cells stay sharp.
    left = gutter + (width - gutter - _wide(tiling)) / 2
    top = PADDING + header.height + head
    order = scene.order.tolist()
    return HeadsPlan(
        scene=scene,
        outlines=outlines,
        shades=shades,
        theme=theme,
        tiling=tiling,
        places=tuple(order[: tiling.columns * tiling.lines]),
        left=float(round(left)),
        top=float(round(top)),
        header=header,
        footer=footer,
        width=width,
        height=room[1] if room else frame + tiling.lines * tiling.pitch[1] + 1,
    )


def _wide(tiling: Tiling) -> float:
    return tiling.columns * tiling.pitch[0]
