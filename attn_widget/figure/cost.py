"""Charts of what attention costs over sequence length: predicted, and measured.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from ..cost import Cost
from ..measuring import Measured, flops_of
from ..units import in_units
from .canvas import PIXELS, NotebookFigure
from .palette import Colour, Theme, theme_of

CHARTS: Final = ("flops", "bytes")

_WIDTH: Final = 460
_HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 8, 34, 44
_LABELS: Final = 118
"""Room for the names of lines at their right ends, in CSS pixels."""
_POINT: Final = 72 / PIXELS
"""Points a CSS pixel."""
_TEXT: Final = 12 * _POINT
_SMALL: Final = 11 * _POINT
_LINE: Final = 13.5


@dataclass(frozen=True)
class _Curve:
    """A line of a chart, with its name at the right end."""

    name: str
    lengths: NDArray[np.float64]
    values: NDArray[np.float64]
    colour: Colour
    dashed: bool = False


def plot_cost(cost: Cost, ax: Axes | None, of: str | None, theme: str) -> Figure:
    """Draw what a cost is over sequence length; see `Cost.plot`.

    Raises:
        ValueError: if ``of`` names no chart.
    """
    if of is not None and of not in CHARTS:
        raise ValueError(f"of must be one of {', '.join(map(repr, CHARTS))} or None; got {of!r}")
    colours = theme_of(theme)
    if ax is not None:
        _draw_cost(ax, cost, of or "flops", colours)
        return _root(ax)
    charts = [of] if of else list(CHARTS)
    figure, panels = _sheet(len(charts), colours)
    for panel, chart in zip(panels, charts, strict=True):
        _draw_cost(panel, cost, chart, colours)
    return figure


def plot_measured(measured: Measured, ax: Axes | None, theme: str) -> Figure:
    """Draw measured points over their fitted curves; see `Measured.plot`."""
    colours = theme_of(theme)
    if ax is not None:
        _draw_measured(ax, measured, colours)
        return _root(ax)
    figure, (panel,) = _sheet(1, colours, _WIDTH + 100)
    _draw_measured(panel, measured, colours)
    return figure


def _draw_cost(ax: Axes, cost: Cost, chart: str, theme: Theme) -> None:
    one = cost.per_layer
    lengths = _lengths(one)
    names = {
        "flops": {
            "attention": "attention_flops",
            "projections": "projection_flops",
        },
        "bytes": {
            "scores and weights": "naive_bytes",
            "KV cache": "kv_cache_bytes",
            "fused": "fused_bytes",
        },
    }[chart]
    hues = [_hue(theme, place) for place in range(len(names))]
    curves = [
        _Curve(name, lengths, _values([one.at(int(n)) for n in lengths], field), hue)
        for (name, field), hue in zip(names.items(), hues, strict=True)
    ]
    unit = "FLOPs" if chart == "flops" else "B"
    title = "FLOPs of one layer" if chart == "flops" else "Bytes of one layer"
    _prepare(ax, curves, theme, title, unit)
    _draw_curves(ax, curves, [curve.name for curve in curves], theme)
    # Above attention and projections there is room on the left, below both on the right.
    leads = chart == "bytes" or one.attention_flops >= one.projection_flops
    if chart == "flops" and one.crossover is not None:
        at = one.at(one.crossover)
        text = f"attention overtakes\nat {one.crossover:,} tokens"
        _mark(ax, (one.crossover, at.attention_flops), text, theme, above=not leads)
    if one.queries == one.keys:
        own = float(_values([one], next(iter(names.values())))[0])
        text = f"{one.queries:,} tokens\n{in_units(own, unit)}"
        _mark(ax, (one.queries, own), text, theme, above=leads)


def _draw_measured(ax: Axes, measured: Measured, theme: Theme) -> None:
    curves, labels = [], []
    longest = max((point.length for point in measured.points), default=0)
    for place, fit in enumerate(measured.fits):
        points = [point for point in measured.points if point.method == fit.method]
        last = max(point.length for point in points)
        first = min(point.length for point in points)
        for start, stop in ((first, last), (last, longest)):
            if start < stop or start == first:
                lengths = np.unique(np.geomspace(start, stop, 40).round())
                seconds = [
                    fit.seconds(flops_of(fit.method, measured.cost.at(int(n)))) for n in lengths
                ]
                curve = _Curve(
                    fit.method, lengths, np.asarray(seconds), _hue(theme, place), start == last
                )
                curves.append(curve)
                labels.append("")
        rate = "" if math.isinf(fit.rate) else f" +\n{in_units(fit.rate, 'FLOP/s')}"
        labels[-1] = f"{fit.method}\n{in_units(fit.overhead, 's')}{rate}"
    _prepare(ax, curves, theme, f"Seconds for one layer, {measured.library}", "s")
    for place, fit in enumerate(measured.fits):
        points = [point for point in measured.points if point.method == fit.method]
        ax.plot(
            [point.length for point in points],
            [point.seconds for point in points],
            linestyle="none",
            marker="o",
            markersize=5.5,
            color=_hue(theme, place),
            markeredgecolor=theme.surface,
            markeredgewidth=0.8,
            zorder=4,
        )
    _draw_curves(ax, curves, labels, theme)


def _prepare(ax: Axes, curves: Sequence[_Curve], theme: Theme, title: str, unit: str) -> None:
    """Set scales, limits, ticks and colours, none of which the settings of others decide."""
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    low = min((curve.lengths[0] for curve in curves), default=1.0)
    high = max(max((curve.lengths[-1] for curve in curves), default=2.0), 2 * low)
    room = min(0.45, _LABELS / max(1.0, _pixels(ax)[0]))
    ax.set_xlim(low / 1.1, high * (high / low) ** (room / (1 - room)))
    values = np.concatenate([curve.values for curve in curves] or [np.ones(1)])
    ax.set_ylim(values.min() / 2, values.max() * 2)
    step = 2 if math.log2(high / low) > 6 else 1
    powers = [1 << power for power in range(0, 41, step)]
    ax.xaxis.set_major_locator(FixedLocator([power for power in powers if low <= power <= high]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda length, _: f"{int(length):,}"))
    bottom, top = (math.log10(limit) for limit in ax.get_ylim())
    ticks = [10.0**power for power in range(math.ceil(bottom), math.floor(top) + 1)]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value, unit)))
    # Grid and axis end where the names of lines begin.
    start = ax.get_xlim()[0]
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


def _draw_curves(ax: Axes, curves: Sequence[_Curve], labels: Sequence[str], theme: Theme) -> None:
    for curve in curves:
        ax.plot(
            curve.lengths,
            curve.values,
            color=curve.colour,
            linewidth=1.8,
            linestyle=(0, (3, 2)) if curve.dashed else "-",
            marker="",
            zorder=3,
        )
    named = [(curve, label) for curve, label in zip(curves, labels, strict=True) if label]
    low, high = (math.log(limit) for limit in ax.get_ylim())
    scale = _pixels(ax)[1] / (high - low)
    wanted = [scale * (math.log(curve.values[-1]) - low) for curve, _ in named]
    sizes = [_LINE * (label.count("\n") + 1) for _, label in named]
    for (curve, label), at, middle in zip(named, wanted, spread_labels(wanted, sizes), strict=True):
        ax.annotate(
            label,
            (float(curve.lengths[-1]), float(curve.values[-1])),
            xytext=(7 * _POINT, (middle - at) * _POINT),
            textcoords="offset points",
            va="center",
            color=curve.colour,
            fontsize=_SMALL,
            linespacing=1.15,
        )


def _mark(ax: Axes, where: tuple[float, float], text: str, theme: Theme, *, above: bool) -> None:
    """Ring a point and say what it is, above to its left or below to its right."""
    ax.plot(
        [where[0]], [where[1]], marker="o", markersize=6, linestyle="none",
        color=theme.surface, markeredgecolor=theme.text, markeredgewidth=1.2, zorder=5,
    )  # fmt: skip
    ax.annotate(
        text,
        where,
        xytext=(-8 * _POINT, 8 * _POINT) if above else (8 * _POINT, -7 * _POINT),
        textcoords="offset points",
        ha="right" if above else "left",
        va="bottom" if above else "top",
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


def _lengths(cost: Cost) -> NDArray[np.float64]:
    """Powers of 2 that hold what a chart marks: the length at hand and the crossover."""
    marked = [cost.queries, *([cost.crossover] if cost.crossover else [])]
    # Names of marks stand to their left.
    low = max(1, min(64, min(marked) / 16))
    high = min(1 << 24, max(1 << 17, 4 * max(marked)))
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    return np.asarray([2.0**n for n in range(first, last + 1)])


def _values(costs: Sequence[Cost], name: str) -> NDArray[np.float64]:
    return np.asarray([float(getattr(one, name)) for one in costs])


def _plain(value: float, unit: str) -> str:
    """Return a power of ten without decimals."""
    number, _, rest = in_units(value, unit).partition(" ")
    return f"{float(number):g} {rest}"


def _hue(theme: Theme, place: int) -> Colour:
    value = theme.heads[place]
    red, green, blue = (int(value[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _sheet(panels: int, theme: Theme, width: int = _WIDTH) -> tuple[Figure, list[Axes]]:
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


def _pixels(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in CSS pixels."""
    figure = _root(ax)
    return ax.bbox.width / figure.dpi * PIXELS, ax.bbox.height / figure.dpi * PIXELS


def _root(ax: Axes) -> Figure:
    figure = ax.figure
    if figure is None:
        raise ValueError("ax must belong to a figure; got axes without one")
    root = figure.figure
    return root if isinstance(root, Figure) else figure
