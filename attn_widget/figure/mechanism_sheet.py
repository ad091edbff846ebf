"""What a panel of a mechanism is planned on: strips of cells, boxes, texts; ``sheet.ts`` alike.

Measures text with Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .colormap import anchors_of, as_colour, colours_at
from .lettering import BOLD, PLAIN, Face, Label, fitted, width_of
from .palette import Colour, Theme, blend
from .reading import short_number
from .shapes import Box

LINE: Final = 22.0
STRIP: Final = 20.0
GAP: Final = 4.0
SIZE: Final = 11.0
STRONG: Final = 12.5
CELL: Final = 10.5
WIDEST: Final = 76.0
"""Cells are at most so wide."""
ROOMY: Final = 36.0
"""Cells as wide as this hold their number."""
LEAST: Final = 3.0
"""Narrower cells go on in another line."""


@dataclass(frozen=True)
class Strip:
    """Cells as an image, and where it lies."""

    cells: NDArray[np.uint8]
    box: Box


@dataclass
class Sheet:
    """Things at their places: a panel begins at ``left``, its next line at ``y``."""

    theme: Theme
    dark: bool
    left: float = 0.0
    y: float = 0.0
    strips: list[Strip] = field(default_factory=list)
    boxes: list[tuple[Box, Colour]] = field(default_factory=list)
    frames: list[Box] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    @property
    def hair(self) -> Colour:
        """The colour of thin lines."""
        return blend(self.theme.muted, self.theme.surface, 0.4)

    def signed(self, share: float) -> Colour:
        """Return the colour of a value, as a share of the largest, −1 … 1."""
        return as_colour(self._signed(np.array(share)))

    def _signed(self, shares: NDArray[np.float64]) -> NDArray[np.uint8]:
        return colours_at(
            anchors_of("auto", True, "dark" if self.dark else "light"), 0.5 + shares / 2
        )

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = SIZE,
        colour: Colour | None = None,
        face: Face = PLAIN,
        align: float = 0.0,
    ) -> None:
        """Write a text whose letters stand around the height ``y`` of the panel."""
        shown = self.theme.text if colour is None else colour
        self.labels.append(Label(text, self.left + x, y, size, shown, face, align))

    def strong(self, x: float, y: float, text: str, colour: Colour | None = None) -> float:
        """Write a number or a name that matters; return its width."""
        self.write(x, y, text, size=STRONG, colour=colour, face=BOLD)
        return width_of(text, STRONG, BOLD)

    def quiet(self, x: float, y: float, text: str, room: float) -> float:
        """Write what a number is, as far as there is room; return its width."""
        shown = fitted(text, SIZE, room)
        self.write(x, y, shown, colour=self.theme.muted)
        return width_of(shown, SIZE)

    def plain(self, x: float, y: float, text: str, room: float) -> None:
        """Write a token, as far as there is room."""
        self.write(x, y, fitted(text, SIZE, room))

    def fill(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fill a box."""
        left = self.left + x
        self.boxes.append(((left, y, left + width, y + height), colour))

    def strip(
        self,
        x: float,
        width: float,
        values: NDArray[np.float64],
        most: float,
        height: float = STRIP,
    ) -> float:
        """Place numbers as coloured cells, in as many lines as they need; return their height."""
        count = len(values)
        lines = max(1, ceil(count * LEAST / width))
        across = ceil(count / lines)
        each = min(WIDEST, (width - 1) / across)
        high = max(7.0, height / 2) if lines > 1 else height
        with np.errstate(invalid="ignore"):
            shares = np.where(np.isfinite(values), values / (most or 1.0), np.sign(values))
        shares = np.nan_to_num(shares)
        whole = np.zeros(lines * across)
        whole[:count] = shares
        box = (self.left + x, self.y, self.left + x + each * across, self.y + high * lines)
        self.strips.append(Strip(self._signed(whole.reshape(lines, across)), box))
        self.frames.append(box)
        if each >= ROOMY and high >= 14:
            for at, (value, share) in enumerate(zip(values, shares, strict=True)):
                colour = self.theme.surface if abs(share) > 0.5 else self.theme.text
                middle = x + (at + 0.5) * each, self.y + high / 2
                text = short_number(float(value))
                if width_of(text, CELL) <= each - 4:
                    self.write(*middle, text, size=CELL, colour=colour, align=0.5)
        return high * lines


def largest(*vectors: NDArray[np.float64]) -> float:
    """Return the largest finite magnitude of some vectors, 0 without any."""
    return max(
        (float(np.abs(v[np.isfinite(v)]).max(initial=0.0)) for v in vectors if v is not None),
        default=0.0,
    )
