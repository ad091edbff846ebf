"""Figures and bitmaps for the drawings, without pyplot and without touching its state.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from .palette import Colour, Theme

PIXELS: Final = 96
"""CSS pixels an inch."""
PNG_BYTES: Final = 150_000
"""A saved notebook holds one picture for each display: none may be much larger."""
_LEAST_RATIO: Final = 0.5


class Planned(Protocol):
    """A picture with every place decided, in CSS pixels."""

    @property
    def width(self) -> float:
        """Its width."""

    @property
    def height(self) -> float:
        """Its height."""

    @property
    def theme(self) -> Theme:
        """Its colours."""

    @property
    def fits(self) -> bool:
        """Whether nothing overlaps or reaches beyond the picture."""


PlannedT = TypeVar("PlannedT", bound=Planned)


@dataclass(frozen=True)
class Picture(Generic[PlannedT]):
    """What a view draws, for a bitmap, for a figure or into the axes of others."""

    plan: Callable[[bool, tuple[float, float] | None], PlannedT]
    """Decides every place: with letters as outlines (for a bitmap) or as text, and with the width
    and height to fill, None for what the content needs."""
    draw: Callable[[Axes, PlannedT], None]
    colours: Sequence[Colour]
    """What reducing to a palette must not change, the ground first."""
    ratio: float = 2.0
    """Pixels a CSS pixel with which a bitmap is likely to be small enough."""
    palette: int = 256
    """How many colours a bitmap has."""
    photograph: bool = False
    """Whether colours run into one another: each pixel then gets the nearest of the palette."""
    coarser: Callable[[], Picture[PlannedT] | None] = lambda: None
    """The same with less detail, for where the bitmap is too large; None where nothing is left."""


class NotebookFigure(Figure):
    """A figure that a notebook shows as a picture, whether or not pyplot is in use."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = self.get_size_inches() * PIXELS
        return figure_png(self, 2.0), {"width": round(width), "height": round(height)}


def figure_of(picture: Picture[PlannedT]) -> Figure:
    """Return a new figure as large as the content needs, text at 96 CSS pixels an inch."""
    planned = picture.plan(False, None)
    figure = _sheet(NotebookFigure, planned, 1.5)
    FigureCanvasAgg(figure)
    picture.draw(figure.add_axes((0, 0, 1, 1)), planned)
    return figure


def draw_on(ax: Axes, picture: Picture[PlannedT]) -> Figure:
    """Draw a picture into axes, filling the room they have now; return their figure.

    Where the room is too small for text of its usual size, everything is drawn smaller.
    """
    figure = ax.figure
    if figure is None:
        raise ValueError("ax must belong to a figure; got axes without one")
    inches = (ax.bbox.width / figure.dpi, ax.bbox.height / figure.dpi)
    for reduction in _REDUCTIONS:
        room = (inches[0] * PIXELS * reduction, inches[1] * PIXELS * reduction)
        planned = picture.plan(False, room)
        if planned.fits:
            break
    picture.draw(ax, planned)
    root = figure.figure
    return root if isinstance(root, Figure) else figure


_REDUCTIONS: Final = (1.0, 1.2, 1.45, 1.75, 2.1, 2.5, 3.0, 4.0)


def png_of(picture: Picture[PlannedT]) -> bytes:
    """Return a picture as a PNG of two pixels a CSS pixel; with less detail if it is too large."""
    while True:
        planned = picture.plan(True, None)
        ratio = picture.ratio
        figure = _sheet(Figure, planned, ratio)
        picture.draw(figure.add_axes((0, 0, 1, 1)), planned)
        image = _rendered(figure, ratio)
        palette = _palette(image, picture.colours, picture.palette)
        exact = min(len(picture.colours), picture.palette - 1)
        data = _encoded(_indexed(image, palette, exact, picture.photograph), ratio)
        coarser = picture.coarser() if len(data) > PNG_BYTES else None
        if coarser is None:
            break
        picture = coarser
    while len(data) > PNG_BYTES and ratio > _LEAST_RATIO:
        ratio *= min(0.95, 0.97 * float(PNG_BYTES / len(data)) ** 0.55)
        size = (round(planned.width * ratio), round(planned.height * ratio))
        smaller = image.resize(size, Image.Resampling.BILINEAR)
        data = _encoded(_indexed(smaller, palette, exact, picture.photograph), ratio)
    return data


def _sheet(kind: type[Figure], planned: Planned, ratio: float) -> Figure:
    figure = kind(
        figsize=(planned.width / PIXELS, planned.height / PIXELS),
        dpi=ratio * PIXELS,
        facecolor=planned.theme.surface,
        edgecolor="none",
    )
    figure.set_layout_engine("none")
    return figure


def figure_png(figure: Figure, ratio: float) -> bytes:
    """Return a figure as a PNG of ``ratio`` pixels a CSS pixel, in full colour."""
    return _encoded(_rendered(figure, ratio), ratio)


def _rendered(figure: Figure, ratio: float) -> Image.Image:
    """Paint a figure, whose own canvas and resolution stay as they are."""
    canvas, dpi = figure.canvas, figure.dpi
    try:
        figure.dpi = ratio * PIXELS
        agg: Any = FigureCanvasAgg(figure)
        agg.draw()
        size = agg.get_width_height()
        return Image.frombuffer("RGBA", size, agg.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
    finally:
        figure.dpi = dpi
        figure.set_canvas(canvas)


_SAMPLED: Final = 5
"""A palette is chosen from every so many pixels of every so many rows: far quicker, as good."""


def _palette(image: Image.Image, exact: Sequence[Colour], colours: int) -> Image.Image:
    """Return an image whose palette holds the ``exact`` colours and the most useful others."""
    size = (max(1, image.width // _SAMPLED), max(1, image.height // _SAMPLED))
    sample = image.resize(size, Image.Resampling.NEAREST)
    useful = sample.quantize(colours - len(exact), dither=Image.Dither.NONE).getpalette() or []
    kept = [round(255 * channel) for colour in exact for channel in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette((kept + useful)[: 3 * colours])
    return palette


def _indexed(
    image: Image.Image, palette: Image.Image, exact: int, photograph: bool = False
) -> Image.Image:
    """Return an image in the colours of a palette, of which the first ``exact`` are kept exactly.

    Pillow finds near colours, not always the nearest: a photograph shows the difference.
    """
    if photograph:
        indexed = _nearest(image, palette)
    else:
        indexed = image.quantize(palette=palette, dither=Image.Dither.NONE)
    colours = np.asarray(palette.getpalette(), dtype=np.uint32).reshape(-1, 3)[:exact]
    # One number a colour; a table of all there are is far quicker than any search.
    table = np.zeros(1 << 24, np.uint8)
    numbers = colours[:, 0] | colours[:, 1] << 8 | colours[:, 2] << 16
    table[numbers[::-1]] = np.arange(exact, 0, -1)
    pixels = np.asarray(image.convert("RGBX")).view("<u4")[..., 0] & 0xFFFFFF
    found = table[pixels]
    indexed.paste(Image.fromarray(found - 1), mask=Image.fromarray(found > 0))
    return indexed


def _nearest(image: Image.Image, palette: Image.Image) -> Image.Image:
    """Return an image in the nearest colours of a palette, told apart by five bits a channel."""
    colours = np.asarray(palette.getpalette(), dtype=np.float32).reshape(-1, 3)
    step = np.arange(4, 256, 8, dtype=np.float32)
    green, blue = np.meshgrid(step, step, indexing="ij")
    table = np.empty((32, 32, 32), np.uint8)
    for at, red in enumerate(step):
        rest = [(channel[..., None] - colours[:, i]) ** 2 for i, channel in ((1, green), (2, blue))]
        table[at] = ((red - colours[:, 0]) ** 2 + rest[0] + rest[1]).argmin(axis=2)
    pixels = np.asarray(image) >> 3
    indexed = Image.fromarray(table[pixels[..., 0], pixels[..., 1], pixels[..., 2]])
    indexed.putpalette(palette.getpalette() or [])
    return indexed


def _encoded(image: Image.Image, ratio: float) -> bytes:
    stream = io.BytesIO()
    dots = ratio * PIXELS
    image.save(stream, format="PNG", dpi=(dots, dots), compress_level=6)
    return stream.getvalue()
