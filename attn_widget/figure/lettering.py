"""Text in a picture: what can be drawn of it, how wide it is, and how it gets onto the axes.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib import ft2font
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.path import Path
from numpy.typing import NDArray

from .palette import Colour

ELLIPSIS: Final = "…"
MISSING: Final = "□"
_LONGEST: Final = 200
"""No label of more characters fits any picture."""

_FALLBACKS: Final = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Nirmala UI",
    "Noto Emoji",
    "Noto Sans Symbols",
    "Noto Sans Symbols2",
    "Segoe UI Symbol",
    "Apple Symbols",
    "Symbola",
)
"""Fonts for what DejaVu Sans, which comes with Matplotlib, has no letters for."""


class Face(NamedTuple):
    """A typeface of the picture."""

    bold: bool = False
    mono: bool = False


PLAIN: Final = Face()
BOLD: Final = Face(bold=True)
MONO: Final = Face(mono=True)


@dataclass(frozen=True)
class Label:
    """A line of text on the axes, in CSS pixels; ``y`` is the middle of its lower-case letters.

    ``align`` is the share of its width that lies before ``x``: 0 starts there, 1 ends there.
    """

    text: str
    x: float
    y: float
    size: float
    colour: Colour
    face: Face = PLAIN
    align: float = 0.0
    upright: bool = False
    """Turned by 90°, read from below."""


# The flags became an enumeration in Matplotlib 3.10.
_NO_HINTING: Final[Any] = (
    ft2font.LoadFlags.NO_HINTING
    if hasattr(ft2font, "LoadFlags")
    else getattr(ft2font, "LOAD_NO_HINTING")  # noqa: B009
)


class _Glyph(NamedTuple):
    """Outline and advance at size 1, y upwards."""

    vertices: NDArray[np.float64]
    codes: NDArray[np.uint8]
    advance: float


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    installed = {entry.name for entry in fontManager.ttflist}
    return tuple(name for name in _FALLBACKS if name in installed)


def properties(face: Face, size: float = 1.0) -> FontProperties:
    """Return a typeface with fallbacks for what it has no letters for; size in points."""
    first = "DejaVu Sans Mono" if face.mono else "DejaVu Sans"
    # Naming only what is installed keeps Matplotlib from warning about the rest.
    families = [first, *(["DejaVu Sans"] if face.mono else []), *_families()]
    return FontProperties(family=families, weight="bold" if face.bold else "normal", size=size)


@lru_cache(maxsize=8)
def _fonts(face: Face) -> tuple[Any, ...]:
    wanted = properties(face)
    paths = []
    for family in wanted.get_family():
        alone = FontProperties(family=[family], weight=wanted.get_weight())
        paths.append(findfont(alone))
    return tuple(get_font(path) for path in dict.fromkeys(paths))


@lru_cache(maxsize=4096)
def _glyph(face: Face, character: str) -> _Glyph:
    code = ord(character)
    fonts = _fonts(face)
    font = next((font for font in fonts if font.get_char_index(code)), fonts[0])
    size = 100.0
    font.set_size(size, 72)
    glyph = font.load_char(code, flags=_NO_HINTING)
    vertices, codes = font.get_path()
    return _Glyph(np.asarray(vertices) / size, codes, glyph.linearHoriAdvance / 65536 / size)


def _has_glyph(face: Face, character: str) -> bool:
    return any(font.get_char_index(ord(character)) for font in _fonts(face))


@lru_cache(maxsize=16384)
def drawable(text: str, face: Face = PLAIN) -> str:
    """Return text as it can be drawn: a visible box for what no installed font has letters for.

    Joiners and variation selectors go with the character they alter, so that an emoji of several
    parts is one box.
    """
    drawn: list[str] = []
    joined = False
    for character in text[: _LONGEST + 1]:
        if character == "\u200d" or unicodedata.category(character) == "Cf":
            joined = character == "\u200d" and bool(drawn) and drawn[-1] == MISSING
        elif "\ufe00" <= character <= "\ufe0f" or "\U0001f3fb" <= character <= "\U0001f3ff":
            continue
        else:
            known = character.isprintable() and _has_glyph(face, character)
            if known or not joined:
                drawn.append(character if known else MISSING)
            joined = False
    return "".join(drawn)


def is_simple(text: str) -> bool:
    """Whether letters can be set one after another: not in right-to-left or joining scripts."""
    return all(
        unicodedata.bidirectional(character) not in ("R", "AL", "AN", "NSM")
        and not "\u0900" <= character <= "\u1cff"
        for character in text
    )


def width_of(text: str, size: float, face: Face = PLAIN) -> float:
    """Return how wide a text is drawn, CSS pixels."""
    return size * sum(_glyph(face, character).advance for character in drawable(text, face))


def fitted(text: str, size: float, most: float, face: Face = PLAIN) -> str:
    """Return the text, its end replaced by an ellipsis where it is wider than ``most``."""
    drawn = drawable(text, face)
    if width_of(drawn, size, face) <= most:
        return drawn
    left = most - width_of(ELLIPSIS, size, face)
    kept = 0
    for character in drawn:
        left -= size * _glyph(face, character).advance
        if left < 0:
            break
        kept += 1
    return drawn[:kept] + ELLIPSIS


def points_of(ax: Axes) -> float:
    """Return the points in a CSS pixel, the unit of the axes: text and widths are set in points."""
    left, right = ax.get_xlim()
    dpi = 72.0 if ax.figure is None else ax.figure.dpi
    return float(72 * ax.bbox.width / dpi / (right - left))


def draw_labels(ax: Axes, labels: Sequence[Label], *, outlines: bool) -> None:
    """Put labels on axes whose units are CSS pixels, y downwards.

    Args:
        ax: the axes.
        labels: what to write.
        outlines: True fills outlines of letters, many times faster in a bitmap; False writes text
            that stays text in a PDF. Scripts whose letters join are always written as text.
    """
    filled = [label for label in labels if outlines and is_simple(label.text)]
    if filled:
        ax.add_collection(
            PathCollection(
                [_outline(label) for label in filled],
                facecolors=[label.colour for label in filled],
                linewidths=0,
                transform=ax.transData,
                clip_on=False,
                zorder=5,
            ),
            autolim=False,
        )
    points = points_of(ax)
    for label in labels:
        if not outlines or not is_simple(label.text):
            _write(ax, label, points)


def _outline(label: Label) -> Path:
    text = drawable(label.text, label.face)
    glyphs = [_glyph(label.face, character) for character in text]
    if not any(len(glyph.codes) for glyph in glyphs):
        return Path(np.zeros((1, 2)))
    ends = np.cumsum([glyph.advance for glyph in glyphs])
    starts = ends - [glyph.advance for glyph in glyphs] - label.align * ends[-1]
    vertices = np.concatenate(
        [
            glyph.vertices + np.array([start, 0.0])
            for glyph, start in zip(glyphs, starts, strict=True)
        ]
    )
    codes = np.concatenate([glyph.codes for glyph in glyphs])
    across, up = label.size * vertices[:, 0], label.size * (vertices[:, 1] - _HALF_HEIGHT)
    if label.upright:
        placed = np.stack([label.x - up, label.y - across], axis=1)
    else:
        placed = np.stack([label.x + across, label.y - up], axis=1)
    return Path(placed, codes)


_HALF_HEIGHT: Final = 0.30
"""Half of what letters rise above the baseline, on average, as a share of the text size."""


def _write(ax: Axes, label: Label, points: float) -> None:
    shift = _HALF_HEIGHT * label.size
    ax.text(
        label.x + (shift if label.upright else 0),
        label.y + (0 if label.upright else shift),
        drawable(label.text, label.face),
        fontproperties=properties(label.face, label.size * points),
        color=label.colour,
        horizontalalignment=_HORIZONTAL[label.align],
        verticalalignment="baseline",
        rotation=90 if label.upright else 0,
        rotation_mode="anchor",
        parse_math=False,
        usetex=False,
        clip_on=False,
        zorder=5,
    )


_HORIZONTAL: Final[dict[float, Any]] = {0.0: "left", 0.5: "center", 1.0: "right"}
