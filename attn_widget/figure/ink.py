"""How strength becomes ink; ``js/src/lines/ink.ts`` holds the same numbers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL_OPACITY: Final = 0.9
"""Opacity of a line of full strength: crossings must stay readable."""
VISIBLE_OPACITY: Final = 1 / 510
"""A fainter line changes no pixel of an 8-bit picture."""
CONTEXT_OPACITY: Final = 0.16
"""Beside pinned tokens, the lines of the others keep this share of their opacity."""
MOST_TINT: Final = 0.36
"""The strongest tint behind a token: text on it must stay readable in both themes."""


def line_opacity(strength: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return opacities, 0..1, for strengths of any shape."""
    return np.asarray(FULL_OPACITY * strength, dtype=np.float32)


def line_width(strength: NDArray[np.float32], pitch: float) -> NDArray[np.float32]:
    """Return widths in CSS pixels; a full line takes about a third of its token's room.

    Args:
        strength: 0..1, any shape.
        pitch: room of one token across the lines, in CSS pixels.
    """
    full = min(7.0, max(1.25, 0.3 * pitch))
    return np.asarray(0.75 + (full - 0.75) * strength, dtype=np.float32)
