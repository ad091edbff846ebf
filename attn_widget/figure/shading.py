"""How pooled weights become colours, and what a colour bar says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..codes import is_signed
from ..scale import LOG_DECADES, TIMES_UNIFORM_FULL, ScaleContext, strength
from .colormap import MARKS, anchors_of, as_colour, colours_at, theme_key
from .palette import Colour
from .reading import format_weight
from .sampling import Values

SHADES: Final = (160, 64)
"""Shades of a bitmap's cells: as many as a palette has room for; few where it is too large."""


@dataclass(frozen=True)
class Shading:
    """What the colour of a cell depends on, beside its weight."""

    kind: str
    scale: str
    full: float
    keys: int
    colormap: str
    theme: str

    @property
    def signed(self) -> bool:
        """Whether weights below zero have colours of their own."""
        return is_signed(self.kind)

    def shares(self, cells: Values) -> NDArray[np.float64]:
        """Return how far along the colour map cells lie, 0..1; NaN and −inf as anything.

        Args:
            cells: weights of any shape, or shares of the row's largest on that scale.
        """
        # Cells of the row scale are shares of their row already.
        scale, full = ("absolute", 1.0) if self.scale == "row" else (self.scale, self.full)
        known = np.nan_to_num(cells, nan=0.0, neginf=0.0)
        found = strength(known, scale, ScaleContext(full, self.keys)).astype(np.float64)
        return (1 + np.sign(known) * found) / 2 if self.signed else found

    def colours(self, cells: Values, *, shades: int | None) -> NDArray[np.uint8]:
        """Return the colours of cells, ``(…, 3)``.

        Args:
            cells: as for :meth:`shares`.
            shades: colours to choose from; None for all there are.
        """
        shares = self.shares(cells)
        if shades is not None:
            zero = 0.5 if self.signed else 0.0
            steps = np.floor(np.abs(shares - zero) / (1 - zero) * shades + 0.5)
            # Only what is zero looks like zero.
            steps[(steps == 0) & (cells != 0)] = 1
            shares = zero + np.where(shares < zero, -1, 1) * (1 - zero) * steps / shades
        colours = colours_at(anchors_of(self.colormap, self.signed, self.theme), shares)
        for where, name in self.marks(cells):
            colours[where] = MARKS[theme_key(self.theme)][name].ground
        return colours

    def marks(self, cells: Values) -> list[tuple[NDArray[np.bool_], str]]:
        """Return where cells hold no finite number, and what they are, where there are any."""
        found = (
            (np.isnan(cells), "missing"),
            (cells == -np.inf, "masked"),
            (cells == np.inf, "infinite"),
        )
        return [(where, name) for where, name in found if where.any()]

    def table(self, shades: int) -> list[Colour]:
        """Return all colours that cells of so many shades, of either sign, may have."""
        shares = np.arange(shades + 1) / shades
        if self.signed:
            shares = np.unique(np.concatenate([(1 - shares) / 2, (1 + shares) / 2]))
        colours = colours_at(anchors_of(self.colormap, self.signed, self.theme), shares)
        marks = MARKS[theme_key(self.theme)].values()
        both = [as_colour(colour) for mark in marks for colour in (mark.ground, mark.line)]
        return [*(as_colour(colour) for colour in colours), *both]

    def bar(self, count: int = 90) -> tuple[Colour, ...]:
        """Return the colours of a colour bar, from its left end to its right."""
        anchors = anchors_of(self.colormap, self.signed, self.theme)
        return tuple(as_colour(c) for c in colours_at(anchors, np.linspace(0, 1, count)))

    def ticks(self) -> list[tuple[float, str]]:
        """Return places along the colour bar, 0..1, and the weights there, as text."""
        if not self.signed:
            return [(at, self._at(at)) for at in (0.0, 0.5, 1.0)]
        middle = [] if self.scale == "log" else [(0.25, f"−{self._at(0.5)}")]
        right = [] if self.scale == "log" else [(0.75, self._at(0.5))]
        return [(0.0, f"−{self._at(1.0)}"), *middle, (0.5, "0"), *right, (1.0, self._at(1.0))]

    def _at(self, share: float) -> str:
        """Return the magnitude that is drawn with a strength."""
        return format_weight(
            {
                "absolute": self.full * share,
                "row": share,
                "sqrt": self.full * share * share,
                "log": self.full * 10 ** (LOG_DECADES * (share - 1)),
                "times_uniform": TIMES_UNIFORM_FULL * share,
            }[self.scale]
        )

    def phrase(self) -> str:
        """Return what the numbers of the colour bar are: "weight, absolute scale"."""
        least = format_weight(self.full / 10**LOG_DECADES)
        return {
            "absolute": self.kind,
            "row": f"{self.kind} over the largest of its row",
            "sqrt": f"{self.kind}, square-root scale",
            "log": f"{self.kind}, logarithmic scale; below {least} all alike",
            "times_uniform": f"{self.kind} over 1 / {self.keys:,}, times uniform; "
            f"{TIMES_UNIFORM_FULL:g} and more look alike",
        }[self.scale]


HATCH: Final = (10, 2)
"""Pixels from line to line of a hatching, and of a line."""


def hatching(cells: Values, shading: Shading, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Return the hatching of cells that hold no finite number, as an image to lay over them.

    Args:
        cells: ``(r, c)``.
        shading: how cells are coloured.
        size: rows and columns of the image.

    Returns:
        uint8 ``(*size, 4)``, transparent where nothing is hatched; None where nothing is.
    """
    marks = shading.marks(cells)
    if not marks:
        return None
    rows, columns = (
        np.minimum((np.arange(pixels) + 0.5) * count / pixels, count - 1).astype(np.intp)
        for pixels, count in zip(size, cells.shape, strict=True)
    )
    down, across = np.arange(size[0])[:, None], np.arange(size[1])[None, :]
    pitch, width = HATCH
    line = (down + across) % pitch < width
    image = np.zeros((*size, 4), np.uint8)
    for where, name in marks:
        colour: Any = MARKS[theme_key(shading.theme)][name].line
        image[where[rows][:, columns] & line] = (*colour, 255)
    return image
