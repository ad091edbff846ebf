"""Charts with two logarithmic axes: curves named at their ends, marked points.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from ..units import in_units
from .canvas import PIXELS, NotebookFigure
from .palette import Colour, Theme

WIDTH: Final = 460
"""Width of a panel in CSS pixels."""

_HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 8, 34, 44
_LABELS: Final = 118
"""Room for the names of lines at their right ends, in CSS pixels."""
_TICK: Final = 52
"""Room for the number of a tick."""
_LETTER: Final = 6.6
_LINE: Final = 13.5
_GAP: Final = 8
"""Between a mark and its name, which is set in letters and lines of these sizes."""
_POINT: Final = 72 / PIXELS
"""Points a CSS pixel."""
_TEXT: Final = 12 * _POINT
_SMALL: Final = 11 * _POINT


Style: TypeAlias = Literal["line", "dashed", "dots"]


@dataclass(frozen=True)
class Curve:
    """A line of a chart, or its points; with its name at the right end, unless that is empty."""

    name: str
    lengths: NDArray[np.float64]
    values: NDArray[np.float64]
    colour: Colour
    style: Style = "line"


@dataclass(frozen=True)
class Mark:
    """A point of a curve that is ringed and named, above to its left or below to its right."""

    length: int
    value: float
    text: str
    above: bool


def left_end(ax: Axes, low: float, high: float, marks: Sequence[Mark]) -> float:
    """Return the length at which a chart begins, so that names of marks have room on their left.

    Args:
        ax: the axes.
        low: where it begins if there is room enough.
        high: where curves end.
        marks: what is named.
    """
    width = _curves_width(ax)
    for mark in marks:
        if mark.above:
            needed = _LETTER * max(map(len, mark.text.split("\n"))) + 2 * _GAP
            share = min(0.6, needed / width)
            low = min(low, (mark.length / high**share) ** (1 / (1 - share)))
    return low


def prepare(
    ax: Axes,
    span: tuple[float, float],
    curves: Sequence[Curve],
    theme: Theme,
    title: str,
    unit: str,
    marks: Sequence[Mark] = (),
) -> None:
    """Set scales, limits, ticks and colours, none of which the settings of others decide.

    Args:
        ax: the axes.
        span: the first and the last length.
        curves: what will be drawn.
        theme: the colours.
        title: what it shows.
        unit: of the values.
        marks: what will be marked.
    """
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    start, high = span
    width, height = _curves_width(ax), pixels(ax)[1]
    ax.set_xlim(start, start * (high / start) ** (pixels(ax)[0] / width))
    values = np.concatenate([curve.values for curve in curves] or [np.ones(1)])
    bottom, top = values.min() / 2, values.max() * 2
    for mark in marks:
        if not mark.above:
            share = min(0.5, (_LINE * (1 + mark.text.count("\n")) + _GAP) / height)
            bottom = min(bottom, (mark.value / top**share) ** (1 / (1 - share)))
    ax.set_ylim(bottom, top)
    step = math.ceil(_TICK * math.log2(high / start) / width)
    powers = [1 << power for power in range(0, 41, step)]
    ax.xaxis.set_major_locator(FixedLocator([power for power in powers if start <= power <= high]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda length, _: f"{int(length):,}"))
    ticks = [10.0**n for n in range(math.ceil(math.log10(bottom)), math.ceil(math.log10(top)))]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value, unit)))
    # Grid and axis end where the names of lines begin.
    ax.hlines(ticks, start, high, colors=[theme.line], linewidth=0.5, linestyles="-", zorder=1)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_facecolor(theme.surface)
    ax.set_title(title, loc="left", color=theme.text, fontsize=_TEXT, pad=10)
    ax.set_title("", loc="center")
    ax.set_xlabel("tokens", color=theme.muted, fontsize=_SMALL, loc="left")
    ax.set_ylabel("")
    ax.tick_params(
        which="both", color=theme.line, labelcolor=theme.muted, labelsize=_SMALL, width=1, length=4
    )
    ax.grid(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.line)
    ax.spines["bottom"].set_bounds(start, high)


def draw_curves(ax: Axes, curves: Sequence[Curve], theme: Theme) -> None:
    """Draw curves, with names at their right ends, moved apart where they would overlap.

    Args:
        ax: the axes, prepared.
        curves: what to draw.
        theme: the colours.
    """
    for curve in curves:
        dots = curve.style == "dots"
        ax.plot(
            curve.lengths,
            curve.values,
            color=curve.colour,
            linewidth=1.8,
            linestyle={"line": "-", "dashed": (0, (3, 2)), "dots": "none"}[curve.style],
            marker="o" if dots else "",
            markersize=5.5,
            markeredgecolor=theme.surface,
            markeredgewidth=0.8,
            zorder=4 if dots else 3,
        )
    named = [curve for curve in curves if curve.name]
    low, high = (math.log(limit) for limit in ax.get_ylim())
    scale = pixels(ax)[1] / (high - low)
    wanted = [scale * (math.log(curve.values[-1]) - low) for curve in named]
    sizes = [_LINE * (curve.name.count("\n") + 1) for curve in named]
    for curve, at, middle in zip(named, wanted, spread_labels(wanted, sizes), strict=True):
        ax.annotate(
            curve.name,
            (float(curve.lengths[-1]), float(curve.values[-1])),
            xytext=(7 * _POINT, (middle - at) * _POINT),
            textcoords="offset points",
            va="center",
            color=curve.colour,
            fontsize=_SMALL,
            linespacing=1.15,
        )


def draw_mark(ax: Axes, mark: Mark, theme: Theme) -> None:
    """Ring a point and name it."""
    ax.plot(
        [mark.length],
        [mark.value],
        marker="o",
        markersize=6,
        linestyle="none",
        color=theme.surface,
        markeredgecolor=theme.text,
        markeredgewidth=1.2,
        zorder=5,
    )
    ax.annotate(
        mark.text,
        (mark.length, mark.value),
        xytext=(-_GAP * _POINT, _GAP * _POINT) if mark.above else (_GAP * _POINT, -_GAP * _POINT),
        textcoords="offset points",
        ha="right" if mark.above else "left",
        va="bottom" if mark.above else "top",
        color=theme.text,
        fontsize=_SMALL,
        linespacing=1.15,
        zorder=5,
    )


def spread_labels(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return the middles of labels, moved apart as little as keeps their order."""
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    middles = list(wanted)
    for _ in range(40):
        for below, above in pairwise(order):
            overlap = middles[below] + (sizes[below] + sizes[above]) / 2 - middles[above]
            if overlap > 0:
                middles[below] -= overlap / 2
                middles[above] += overlap / 2
    return middles


def sheet(panels: int, theme: Theme, width: int = WIDTH) -> tuple[Figure, list[Axes]]:
    """Return a figure of panels side by side, with room for their ticks."""
    whole = width * panels
    figure = NotebookFigure(
        figsize=(whole / PIXELS, _HEIGHT / PIXELS), dpi=PIXELS, facecolor=theme.surface
    )
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    size = ((width - _LEFT - _RIGHT) / whole, (_HEIGHT - _TOP - _BOTTOM) / _HEIGHT)
    axes = [
        figure.add_axes(((width * place + _LEFT) / whole, _BOTTOM / _HEIGHT, *size))
        for place in range(panels)
    ]
    return figure, axes


def pixels(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in CSS pixels."""
    figure = root_of(ax)
    return ax.bbox.width / figure.dpi * PIXELS, ax.bbox.height / figure.dpi * PIXELS


def root_of(ax: Axes) -> Figure:
    """Return the figure that axes belong to, in the end."""
    figure = ax.figure
    if figure is None:
        raise ValueError("ax must belong to a figure; got axes without one")
    root = figure.figure
    return root if isinstance(root, Figure) else figure


def _curves_width(ax: Axes) -> float:
    """Width of axes in CSS pixels, less the room for names of lines."""
    width = max(1.0, pixels(ax)[0])
    return width - min(0.45 * width, _LABELS)


def _plain(value: float, unit: str) -> str:
    """Return a power of ten without decimals."""
    number, _, rest = in_units(value, unit).partition(" ")
    return f"{float(number):g} {rest}"
