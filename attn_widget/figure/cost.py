"""Charts of what attention costs over sequence length: predicted, and measured.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..cost import Cost
from ..measuring import Fit, Measured, flops_of
from ..units import in_units
from .chart import (
    WIDTH,
    Curve,
    Mark,
    Style,
    draw_curves,
    draw_mark,
    left_end,
    prepare,
    root_of,
    sheet,
)
from .palette import Colour, Theme, theme_of

QUANTITIES: Final = {
    "flops": {"attention": "attention_flops", "projections": "projection_flops"},
    "bytes": {
        "scores and weights": "naive_bytes",
        "KV cache": "kv_cache_bytes",
        "fused": "fused_bytes",
    },
}
"""The curves of each chart: their names, and the attributes of `Cost` that they show."""


def plot_cost(cost: Cost, ax: Axes | None, of: str | None, theme: str) -> Figure:
    """Draw what a cost is over sequence length; see `Cost.plot`.

    Raises:
        ValueError: if ``of`` names no chart.
    """
    if of is not None and of not in QUANTITIES:
        raise ValueError(
            f"of must be one of {', '.join(map(repr, QUANTITIES))} or None; got {of!r}"
        )
    colours = theme_of(theme)
    if ax is not None:
        _draw_cost(ax, cost, of or "flops", colours)
        return root_of(ax)
    charts = [of] if of else list(QUANTITIES)
    figure, panels = sheet(len(charts), colours)
    for panel, chart in zip(panels, charts, strict=True):
        _draw_cost(panel, cost, chart, colours)
    return figure


def plot_measured(measured: Measured, ax: Axes | None, theme: str) -> Figure:
    """Draw measured points over their fitted curves; see `Measured.plot`."""
    colours = theme_of(theme)
    if ax is not None:
        _draw_measured(ax, measured, colours)
        return root_of(ax)
    figure, (panel,) = sheet(1, colours, WIDTH + 100)
    _draw_measured(panel, measured, colours)
    return figure


def _draw_cost(ax: Axes, cost: Cost, chart: str, theme: Theme) -> None:
    one, names = cost.per_layer, QUANTITIES[chart]
    unit, title = ("B", "Bytes") if chart == "bytes" else ("FLOPs", "FLOPs")
    marks = _marks(one, chart, next(iter(names.values())), unit)
    marked = [mark.length for mark in marks]
    high = max([1 << 17, *(4 * length for length in marked)])
    low = left_end(ax, min([64, *marked]), high, marks)
    lengths = np.unique(np.geomspace(max(1, math.ceil(low)), high, 60).round())
    curves = [
        Curve(name, lengths, _values(one, lengths, field), _hue(theme, place))
        for place, (name, field) in enumerate(names.items())
    ]
    prepare(ax, (low, high), curves, theme, f"{title} of one layer", unit, marks)
    draw_curves(ax, curves, theme)
    for mark in marks:
        draw_mark(ax, mark, theme)


def _marks(one: Cost, chart: str, name: str, unit: str) -> list[Mark]:
    """Return the crossover and the length at hand, on the curve of some quantity."""
    marks = []
    # Above attention and projections there is room on the left, below both on the right.
    leads = chart == "bytes" or one.attention_flops >= one.projection_flops
    if chart == "flops" and one.crossover is not None:
        text = f"attention overtakes\nat {one.crossover:,} tokens"
        value = one.at(one.crossover).attention_flops
        marks.append(Mark(one.crossover, value, text, not leads))
    if one.queries == one.keys:
        value = getattr(one, name)
        text = f"{one.queries:,} tokens\n{in_units(value, unit)}"
        marks.append(Mark(one.queries, value, text, leads))
    return marks


def _draw_measured(ax: Axes, measured: Measured, theme: Theme) -> None:
    curves = []
    longest = max((point.length for point in measured.points), default=2)
    shortest = min((point.length for point in measured.points), default=1)
    for place, fit in enumerate(measured.fits):
        points = [point for point in measured.points if point.method == fit.method]
        lengths = np.asarray([point.length for point in points], dtype=np.float64)
        seconds = np.asarray([point.seconds for point in points])
        hue, last = _hue(theme, place), lengths.max()
        spans = [_fitted(measured, fit, lengths.min(), last, hue, "line")]
        if last < longest:
            spans.append(_fitted(measured, fit, last, longest, hue, "dashed"))
        rate = "" if math.isinf(fit.rate) else f" +\n{in_units(fit.rate, 'FLOP/s')}"
        spans[-1] = replace(spans[-1], name=f"{fit.method}\n{in_units(fit.overhead, 's')}{rate}")
        curves += [*spans, Curve("", lengths, seconds, hue, "dots")]
    span = (shortest / 1.1, max(longest, 2 * shortest))
    prepare(ax, span, curves, theme, f"Seconds for one layer, {measured.library}", "s")
    draw_curves(ax, curves, theme)


def _fitted(
    measured: Measured, fit: Fit, first: float, last: float, colour: Colour, style: Style
) -> Curve:
    """Return the fit between two lengths, without a name."""
    lengths = np.unique(np.geomspace(first, last, 40).round())
    seconds = [fit.seconds(flops_of(fit.method, measured.cost.at(int(n)))) for n in lengths]
    return Curve("", lengths, np.asarray(seconds), colour, style)


def _values(cost: Cost, lengths: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    return np.asarray([float(getattr(cost.at(int(length)), name)) for length in lengths])


def _hue(theme: Theme, place: int) -> Colour:
    value = theme.heads[place]
    red, green, blue = (int(value[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
