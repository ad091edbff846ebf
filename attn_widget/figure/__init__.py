"""The one static renderer in Python: the PNG beside the widget, snapshots, figures for papers.

Matplotlib and Pillow are imported when something is drawn, and not before.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ..attention import Attention
from ..selection import LinesState
from .reading import answer, plain
from .scene import read_scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Snapshot", "describe_picture", "plot_lines", "png_metadata", "render_png"]


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
    from .canvas import draw_on, figure_of
    from .drawing import lines_picture

    picture = lines_picture(read_scene(attention, state))
    return figure_of(picture) if ax is None else draw_on(ax, picture)


def render_png(attention: Attention, state: LinesState) -> bytes:
    """Return the lines view of a map as a PNG of at most about 150 kB.

    It has two pixels a CSS pixel; fewer, and fewer colours, where many lines would make it larger.
    Beyond 600 lines the faintest are drawn together, as haze.

    Args:
        attention: the map.
        state: what is shown of it.
    """
    from .canvas import png_of
    from .drawing import lines_picture

    return png_of(lines_picture(read_scene(attention, state)))


def describe_picture(attention: Attention, state: LinesState) -> str:
    """Return in words what a picture of the map in this state says."""
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
