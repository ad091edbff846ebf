"""Which view a state is of, and the picture of it.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..attention import Attention
from ..selection import HeadsState, MatrixState, MechanismState, OverlayState, PictureState
from .canvas import Picture, draw_on, figure_of, png_of
from .care import with_notes
from .drawing import lines_picture
from .heads import heads_picture
from .matrix import matrix_picture
from .matrix_scene import read_matrix
from .mechanism import mechanism_picture
from .mechanism_scene import read_mechanism
from .overlay import overlay_picture
from .overlay_scene import read_overlay
from .scene import read_scene


def plot_view(attention: Attention, state: PictureState, ax: Axes | None) -> Figure:
    """Return a figure of the view whose state is given, or that of ``ax``, drawn into it."""
    picture = _picture(attention, state)
    return figure_of(picture) if ax is None else draw_on(ax, picture)


def view_png(attention: Attention, state: PictureState, notes: Sequence[str] = ()) -> bytes:
    """Return a PNG of the view whose state is given, with notes below it."""
    return png_of(with_notes(_picture(attention, state), notes))


def _picture(attention: Attention, state: PictureState) -> Picture[Any]:
    if isinstance(state, OverlayState):
        return overlay_picture(read_overlay(attention, state))
    if isinstance(state, MatrixState):
        return matrix_picture(read_matrix(attention, state))
    if isinstance(state, MechanismState):
        return mechanism_picture(read_mechanism(attention, state))
    if isinstance(state, HeadsState):
        return heads_picture(attention, state)
    return lines_picture(read_scene(attention, state))
