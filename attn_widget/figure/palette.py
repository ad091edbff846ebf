"""Colours of a picture: one hue a head, and the neutrals around them.

``js/src/scale/palette.ts`` holds the same hues; ``tests/wire/palette.json`` holds both to it.

The hues start from those of Okabe and Ito (2008, *Color Universal Design*), the same hue for a head
on light and on dark. Their lightness was moved until each stands 3:1 against the background, which
half of the originals don't on white, and the rest were chosen to keep all twelve apart in OKLab for
readers with and without colour-vision deficiency (simulated after Machado et al. 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..filters import COMBINED

Colour = tuple[float, float, float]
"""Red, green, blue, 0..1."""

_Bytes = tuple[int, int, int]


@dataclass(frozen=True)
class Theme:
    """The colours of a light or a dark picture."""

    surface: Colour
    text: Colour
    muted: Colour
    line: Colour
    accent: Colour
    accent_soft: Colour
    heads: tuple[str, ...]
    """Twelve hues without repetition."""
    combined: str
    """Heads merged by mean or max: no head's hue."""
    strong: _Bytes
    """What the next twelve heads are mixed with: away from the background."""

    @property
    def neutrals(self) -> tuple[Colour, ...]:
        """All that is no head's colour, the background first."""
        return (
            self.surface, self.text, self.muted, self.line, self.accent, self.accent_soft
        )  # fmt: skip


def head_colour(head: int, theme: Theme) -> Colour:
    """Return the colour of a head.

    Twelve heads have a hue each. The next twelve repeat the hues away from the background (darker
    on light, lighter on dark), twelve more repeat them greyed; then it begins again.
    """
    red, green, blue = head_bytes(head, theme)
    return red / 255, green / 255, blue / 255


def head_bytes(head: int, theme: Theme) -> _Bytes:
    """Return :func:`head_colour` as bytes."""
    if head == COMBINED:
        return _parsed(theme.combined)
    hue = _parsed(theme.heads[head % len(theme.heads)])
    turn = head // len(theme.heads) % 3
    return (hue, _mixed(hue, theme.strong, 45), _mixed(hue, _GREY, 60))[turn]


def blend(colour: Colour, ground: Colour, share: float) -> Colour:
    """Return what ``colour`` of opacity ``share`` looks like on ``ground``."""
    red, green, blue = (
        share * mine + (1 - share) * theirs for mine, theirs in zip(colour, ground, strict=True)
    )
    return red, green, blue


def theme_of(name: str) -> Theme:
    """Return the colours of ``"dark"``, and of ``"light"`` for every other name."""
    return DARK if name == "dark" else LIGHT


_GREY: Final = (128, 128, 128)


def _parsed(colour: str) -> _Bytes:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(colour: _Bytes, other: _Bytes, percent: int) -> _Bytes:
    """Return a mixture in whole numbers, so that both languages round alike."""
    red, green, blue = (
        (mine * (100 - percent) + theirs * percent + 50) // 100
        for mine, theirs in zip(colour, other, strict=True)
    )
    return red, green, blue


def _colour(colour: str) -> Colour:
    red, green, blue = _parsed(colour)
    return red / 255, green / 255, blue / 255


LIGHT: Final = Theme(
    surface=_colour("#ffffff"),
    text=_colour("#1f2328"),
    muted=_colour("#5b6470"),
    line=_colour("#d5dae1"),
    accent=_colour("#0072b2"),
    accent_soft=_colour("#dbeaf4"),
    heads=(
        "#0072b2", "#d55e00", "#009e73", "#be72a6", "#885f10", "#005076",
        "#858544", "#2b7061", "#6b48da", "#740d31", "#6077db", "#6f5a8c",
    ),
    combined="#3d4855",
    strong=(0, 0, 0),
)  # fmt: skip

DARK: Final = Theme(
    surface=_colour("#17191c"),
    text=_colour("#e6e8eb"),
    muted=_colour("#9aa3ae"),
    line=_colour("#3a4048"),
    accent=_colour("#56b4e9"),
    accent_soft=_colour("#1d3a4d"),
    heads=(
        "#56b4e9", "#e66a1a", "#00b386", "#ce74b2", "#e79f01", "#96c9ec",
        "#e9e748", "#388f7d", "#7a52fa", "#fb859e", "#7992ed", "#8d63bf",
    ),
    combined="#c9d1d9",
    strong=(255, 255, 255),
)  # fmt: skip
