"""Still pictures of a widget's state: which view is drawn, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attention import Attention
from .selection import LinesState
from .state import WidgetState

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PictureState = LinesState
"""What a still picture depends on, beside the map."""


def picture_state(state: WidgetState) -> PictureState:
    """Return what a still picture of a widget's view depends on; equal ones look alike."""
    return state.lines_state()


def picture_png(attention: Attention, state: PictureState) -> bytes:
    """Return a map in some state as a PNG."""
    from .figure import render_png

    return render_png(attention, state)


def plot_picture(attention: Attention, state: PictureState, ax: Axes | None) -> Figure:
    """Draw a map in some state with Matplotlib, into ``ax`` where there is one."""
    from .figure import plot_lines

    return plot_lines(attention, state, ax)
