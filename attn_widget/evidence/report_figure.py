"""The page of a report as a picture, for readers of notebooks that show no HTML, and for papers.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ..figure.canvas import PIXELS, figure_png
from ..figure.lettering import BOLD, PLAIN, Face, drawable, fitted, properties
from ..figure.palette import LIGHT
from .curves import AnswerCurve
from .drawing import TEXT_PT, new_figure, set_plain
from .report_page import CARE, HEADINGS, NOT_RUN, NOTHING, PAGE_WIDTH, SAYS

if TYPE_CHECKING:
    from .report import Report

_PANELS: Final = 230
_LINE: Final = 16
_CHARACTERS: Final = 118
_COLOURS: Final = 48


def report_figure(report: Report, *, text: bool = True) -> Figure:
    """Return the page as a figure: the strongest keys, a curve where there is one, and the text.

    Args:
        report: what to draw.
        text: whether the sentences stand below.
    """
    lines = list(_lines(report)) if text else []
    text_height = _LINE * (len(lines) + 1) if lines else 1
    figure = new_figure(PAGE_WIDTH, _PANELS + text_height)
    halves: Any = figure.subfigures(2, 1, height_ratios=[_PANELS, text_height])
    top, bottom = halves
    curves = [finding for finding in report.findings if isinstance(finding, AnswerCurve)][:1]
    panels = top.subplots(1, 1 + len(curves), squeeze=False)[0]
    _draw_top(panels[0], report)
    for ax, curve in zip(panels[1:], curves, strict=True):
        curve.plot(ax)
    for place, (line, face) in enumerate(lines):
        bottom.text(
            0.02,
            1 - (place + 0.5) * _LINE / text_height,
            drawable(line, face),
            fontproperties=properties(face, TEXT_PT),
            color=LIGHT.text,
            verticalalignment="center",
            parse_math=False,
            usetex=False,
        )
    return figure


def report_png(report: Report, *, text: bool = True) -> bytes:
    """Return the picture as a PNG of few colours, small enough for a saved notebook."""
    image = Image.open(BytesIO(figure_png(report_figure(report, text=text), 1.5)))
    stream = BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _draw_top(ax: Axes, report: Report) -> None:
    labels = [label for _, label, _ in report.top]
    weights = np.array([weight for *_, weight in report.top])
    places = np.arange(len(labels))
    ax.barh(places, weights, color=LIGHT.heads[0])
    ax.invert_yaxis()
    ax.set_yticks(places)
    size = TEXT_PT / 72 * PIXELS
    for text in ax.set_yticklabels([fitted(label, size, 110) for label in labels]):
        set_plain(text)
    title = fitted(f"Strongest keys of {report.name}", size, PAGE_WIDTH / 3)
    set_plain(ax.set_title(title, loc="left"), TEXT_PT + 2)
    ax.tick_params(labelsize=TEXT_PT, colors=LIGHT.muted)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _lines(report: Report) -> Iterator[tuple[str, Face]]:
    yield SAYS, BOLD
    yield from _wrapped(" ".join(report.facts))
    if report.care:
        yield CARE, BOLD
        for note in report.care:
            yield from _wrapped(note)
    for leaning, heading in HEADINGS:
        yield heading, BOLD
        found = report.leaning(leaning)
        for finding in found:
            yield from _wrapped(f"{finding.title}: {finding.sentence} [{finding.source}]")
        if not found:
            yield NOTHING, PLAIN
    if report.skipped:
        yield NOT_RUN, BOLD
        for title, why in report.skipped:
            yield from _wrapped(f"{title}: {why}")


def _wrapped(text: str) -> Iterator[tuple[str, Face]]:
    for place, line in enumerate(wrap(text, _CHARACTERS)):
        yield ("– " if place == 0 else "   ") + line, PLAIN
