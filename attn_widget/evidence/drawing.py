"""Pictures of findings: a curve, a spread of numbers, several measures of the same keys.

Imports Matplotlib, so it is itself imported only when something is drawn. Neither pyplot nor any
global setting is touched; tokens are drawn as they are, never as formulas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..figure.canvas import PIXELS, NotebookFigure
from ..figure.lettering import PLAIN, drawable, fitted, properties
from ..figure.palette import LIGHT
from .divergence import Numbers

TEXT_PT: Final = 8.0
_WIDE: Final = (440, 250)
_LABEL_PX: Final = 96
MOST_KEYS: Final = 40
"""Beyond so many keys only the strongest are drawn, in their own order."""


@dataclass(frozen=True)
class Curve:
    """A curve and what it is set beside."""

    x: Numbers
    y: Numbers
    across: str
    up: str
    level: float | None = None
    """A horizontal line to compare with."""
    bundle: Numbers | None = None
    """(curves, points), other curves to compare with."""
    beside: str = ""
    """What the level or the bundle is."""


def draw_curve(ax: Axes | None, curve: Curve, title: str) -> Figure:
    """Draw a curve with its points; return the figure."""
    ax = _axes(ax, title)
    colours = LIGHT.heads
    if curve.bundle is not None and len(curve.bundle):
        for place, row in enumerate(curve.bundle):
            label = curve.beside if place == 0 else None
            ax.plot(curve.x, row, color=LIGHT.muted, alpha=0.35, linewidth=0.8, label=label)
    if curve.level is not None:
        ax.axhline(curve.level, color=LIGHT.muted, linestyle="--", linewidth=1, label=curve.beside)
    ax.plot(curve.x, curve.y, color=colours[0], marker="o", markersize=3, label="this map")
    return _finished(ax, curve.across, curve.up, legend=bool(curve.beside))


def draw_spread(ax: Axes | None, values: Numbers, across: str, title: str) -> Figure:
    """Draw how numbers spread, each as a mark, their median as a line; return the figure."""
    ax = _axes(ax, title)
    bins = max(5, min(20, round(len(values) ** 0.5)))
    top = max(float(values.max(initial=0.0)), 1e-3)
    ax.hist(values, bins=bins, range=(0, top), color=LIGHT.accent_soft, edgecolor=LIGHT.accent)
    median = float(np.median(values))
    ax.axvline(median, color=LIGHT.heads[1], linewidth=1.5, label=f"median {median:.3f}")
    return _finished(ax, across, "runs", legend=True)


def draw_pairs(
    ax: Axes | None, labels: Sequence[str], series: Mapping[str, Numbers], title: str
) -> Figure:
    """Draw several measures of the same keys as bars side by side; return the figure."""
    names = list(series)
    table = np.stack([series[name] for name in names])
    chosen = np.arange(table.shape[1])
    if len(chosen) > MOST_KEYS:
        chosen = np.sort(np.argsort(-table.max(axis=0), kind="stable")[:MOST_KEYS])
    wide = max(_WIDE[0], 16 * len(chosen) + 90)
    ax = _axes(ax, title, (wide, _WIDE[1]))
    bar = 0.8 / len(names)
    for place, name in enumerate(names):
        offset = (place - (len(names) - 1) / 2) * bar
        colour = LIGHT.heads[place % len(LIGHT.heads)]
        ax.bar(np.arange(len(chosen)) + offset, table[place, chosen], bar, color=colour, label=name)
    ax.set_xticks(np.arange(len(chosen)))
    size = TEXT_PT / 72 * PIXELS
    tick_labels = [fitted(labels[key], size, _LABEL_PX) for key in chosen.tolist()]
    for text in ax.set_xticklabels(tick_labels, rotation=60, ha="right", rotation_mode="anchor"):
        set_plain(text)
    some = f" ({len(chosen)} of {table.shape[1]} keys)" if len(chosen) < table.shape[1] else ""
    return _finished(ax, f"key{some}", "share" if len(names) > 1 else "weight", legend=True)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in CSS pixels, which a notebook shows as a picture."""
    figure = NotebookFigure(
        figsize=(width / PIXELS, height / PIXELS), dpi=1.5 * PIXELS, facecolor=LIGHT.surface
    )
    figure.set_layout_engine("constrained")
    FigureCanvasAgg(figure)
    return figure


def set_plain(text: Text, size: float = TEXT_PT) -> None:
    """Set what a text says as it stands, in letters that are there."""
    text.set_parse_math(False)
    text.set_usetex(False)
    text.set_fontproperties(properties(PLAIN, size))
    text.set_text(drawable(text.get_text()))


def _axes(ax: Axes | None, title: str, size: tuple[float, float] = _WIDE) -> Axes:
    if ax is None:
        ax = new_figure(*size).add_subplot()
    # The legend stands between the title and the drawing, so that it covers neither.
    set_plain(ax.set_title(title, loc="left", color=LIGHT.text, pad=20), TEXT_PT + 2)
    ax.set_facecolor(LIGHT.surface)
    return ax


def _finished(ax: Axes, across: str, up: str, *, legend: bool) -> Figure:
    for text in (ax.set_xlabel(across), ax.set_ylabel(up)):
        set_plain(text)
        text.set_color(LIGHT.muted)
    ax.tick_params(labelsize=TEXT_PT, colors=LIGHT.muted)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(LIGHT.line)
    if legend:
        box = ax.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=4,
            frameon=False,
            fontsize=TEXT_PT,
            borderaxespad=0.1,
            borderpad=0.1,
        )
        for text in box.get_texts():
            set_plain(text)
    root = ax.figure
    if root is None:
        raise ValueError("ax must belong to a figure; got axes without one")
    figure = root.figure
    return figure if isinstance(figure, Figure) else root
