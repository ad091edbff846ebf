"""The one static renderer in Python: the PNG beside the widget, snapshots, figures for papers.

Matplotlib and Pillow are imported when something is drawn, and not before.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..attention import Attention
from ..selection import (
    HeadsState,
    LinesState,
    MatrixState,
    MechanismState,
    OverlayState,
    PictureState,
)
from .matrix_scene import read_matrix
from .reading import answer, plain
from .scene import read_scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Snapshot",
    "describe_picture",
    "plot_heads",
    "plot_lines",
    "plot_matrix",
    "plot_overlay",
    "plot_picture",
    "png_metadata",
    "render_png",
]


def plot_lines(attention: Attention, state: LinesState, ax: Axes | None = None) -> Figure:
    """Draw the lines view of a map with Matplotlib, for papers.

    Text stays text and lines stay lines in vector formats; beyond 2,000 lines the faintest are one
    image. Neither pyplot nor any global setting is touched.

    Args:
        attention: the map.
        state: what is shown of it.
        ax: axes to draw into: the drawing fills them, and they lose their frame and ticks. None
            makes a figure as large as the content needs.

    Returns:
        The new figure, or the one that ``ax`` belongs to.
    """
    return plot_picture(attention, state, ax)


def plot_matrix(attention: Attention, state: MatrixState, ax: Axes | None = None) -> Figure:
    """Draw the matrix view of a map with Matplotlib, for papers.

    Text stays text in vector formats; cells are an image with sharp edges, of at most 600 × 600
    cells. Of maps that take long to read, evenly spaced queries are drawn, and the picture says so.

    Args:
        attention: the map.
        state: what is shown of it.
        ax: as for :func:`plot_lines`.

    Returns:
        The new figure, or the one that ``ax`` belongs to.
    """
    return plot_picture(attention, state, ax)


def plot_heads(attention: Attention, state: HeadsState, ax: Axes | None = None) -> Figure:
    """Draw every head of a map as a thumbnail with Matplotlib, for papers.

    Text stays text in vector formats; thumbnails are one image with sharp edges. Of large maps only
    some queries of each head are read, and the picture says so.

    Args:
        attention: the map.
        state: what is shown of it.
        ax: as for :func:`plot_lines`.

    Returns:
        The new figure, or the one that ``ax`` belongs to.
    """
    return plot_picture(attention, state, ax)


def plot_overlay(attention: Attention, state: OverlayState, ax: Axes | None = None) -> Figure:
    """Draw a map's weights on the image they lie on with Matplotlib, for papers.

    Text stays text and contours stay lines in vector formats; pictures with the colours of weights
    on them are images. With nothing pinned they show the mean over all queries; of maps that take
    long to read, over evenly spaced queries, and the picture says so.

    Args:
        attention: the map.
        state: what is shown of it.
        ax: as for :func:`plot_lines`.

    Returns:
        The new figure, or the one that ``ax`` belongs to.
    """
    return plot_picture(attention, state, ax)


def plot_picture(attention: Attention, state: PictureState, ax: Axes | None = None) -> Figure:
    """Draw a view of a map with Matplotlib: the one whose state is given.

    Args:
        attention: the map.
        state: what is shown of it.
        ax: as for :func:`plot_lines`.

    Returns:
        The new figure, or the one that ``ax`` belongs to.
    """
    from .pictures import plot_view

    return plot_view(attention, state, ax)


def render_png(attention: Attention, state: PictureState, notes: Sequence[str] = ()) -> bytes:
    """Return a view of a map as a PNG of at most about 150 kB: the one whose state is given.

    It has two pixels a CSS pixel; fewer, and fewer colours, where many lines would make it larger,
    and fewer cells of a matrix. Beyond 600 lines the faintest are drawn together, as haze.

    Args:
        attention: the map.
        state: what is shown of it.
        notes: sentences below it.
    """
    from .pictures import view_png

    return view_png(attention, state, notes)


def describe_picture(attention: Attention, state: PictureState) -> str:
    """Return in words what a picture of the map in this state says."""
    if isinstance(state, OverlayState):
        from .overlay_reading import answer as overlay_answer
        from .overlay_scene import read_overlay

        return plain(overlay_answer(read_overlay(attention, state)))
    if isinstance(state, MatrixState):
        from .matrix_reading import answer as matrix_answer

        return plain(matrix_answer(read_matrix(attention, state)))
    if isinstance(state, MechanismState):
        from .mechanism_scene import answer as mechanism_answer
        from .mechanism_scene import read_mechanism

        return plain(mechanism_answer(read_mechanism(attention, state)))
    if isinstance(state, HeadsState):
        from .heads_scene import answer as heads_answer
        from .heads_scene import read_heads

        return plain(heads_answer(read_heads(attention, state, (1, 1))))
    return plain(answer(read_scene(attention, state)))


def png_metadata(png: bytes) -> dict[str, int]:
    """Return the size at which a PNG is to be shown, ``width`` and ``height`` in CSS pixels.

    Args:
        png: a PNG that states its resolution, 96 dots an inch for one pixel a CSS pixel.
    """
    width, height = struct.unpack(">II", png[16:24])
    at = png.find(b"pHYs", 0, 2000)
    metre = struct.unpack(">I", png[at + 4 : at + 8])[0] if at >= 0 else 0
    ratio = metre * 0.0254 / 96 if metre else 1.0
    return {"width": round(width / ratio), "height": round(height / ratio)}


class Snapshot:
    """A plain picture: what every reader of notebooks shows, with or without a kernel.

    Args:
        png: the picture.
        text: what is shown where pictures aren't.
    """

    def __init__(self, png: bytes, text: str) -> None:
        self.png = png
        self.text = text

    def save(self, path: str) -> None:
        """Write the picture to a ``.png`` file."""
        with open(path, "wb") as stream:
            stream.write(self.png)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"image/png": self.png, "text/plain": self.text}
        return data, {"image/png": png_metadata(self.png)}

    def __repr__(self) -> str:
        return self.text
