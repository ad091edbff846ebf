"""What stands around the pictures of an overlay: the answer, the account, the legend.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..account import Share
from ..filters import COMBINED
from .colormap import MARKS, as_colour, theme_key
from .lettering import BOLD, MONO, fitted, width_of
from .matrix_notes import colour_bar
from .notes import NOTE, Notes, Placed, Word, flow, joined, last_to_the_right, phrases, words_of
from .overlay_paint import PADDING, UNSEEN, hatched
from .overlay_reading import (
    FAR_FROM_ONE,
    accounts,
    answer,
    context,
    heads_phrase,
    percent,
    places_name,
    scale_phrase,
)
from .overlay_scene import OverlayScene
from .palette import Colour, Theme, blend, head_colour, theme_of
from .reading import Piece, format_weight, sums_phrase
from .shapes import Box

COLUMN: Final = 196.0
"""Width of the account."""
_TEXT: Final = 12.0
_LINE: Final = 18.0
_BAR: Final = 8.0
_SWATCH: Final = 8.0
_GAP: Final = 9.0
_ASIDE: Final = 0.35
_STEPS: Final = 30
"""Steps of the colour bar."""


def _hatchings(scene: OverlayScene, theme: Theme) -> list[Word]:
    """Return what hatchings mean, where there are any."""
    marks = MARKS[theme_key(scene.state.theme)]
    neutral = {
        UNSEEN: (blend(theme.muted, theme.surface, 0.15), theme.muted),
        PADDING: (as_colour(marks["masked"].ground), as_colour(marks["masked"].line)),
        "set aside": (as_colour(marks["masked"].ground), theme.muted),
    }
    odd = {name: (as_colour(mark.ground), as_colour(mark.line)) for name, mark in marks.items()}
    words: list[Word] = []
    for name in hatched(scene):
        ground, line = (neutral | odd)[name]
        words.append(Word("", NOTE, ground, mark="hatch", space=5, colours=(line,)))
        words += phrases([name], theme)
    return words


@dataclass(frozen=True)
class Column:
    """The account: words at their places, and filled boxes with their colours."""

    notes: Notes
    boxes: tuple[tuple[Box, Colour], ...]


def above(scene: OverlayScene, theme: Theme, width: float, slack: float) -> Notes:
    """Return what is shown, in one quiet line, and the answer as a sentence.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: room that drawn letters take, as a multiple of that of their outlines.
    """
    words = phrases(context(scene), theme)
    heads = heads_phrase(scene)
    if heads:
        number = scene.numbers[0] if scene.numbers else COMBINED
        words += [Word("", NOTE, head_colour(number, theme), mark="dot", space=3)]
        words += phrases([heads], theme)
    placed, y = flow(words, width, slack, 0.0)
    said, y = flow(_together(words_of(answer(scene), theme)), width, slack, y + 3)
    return Notes((*placed, *joined(said)), y + 10)


def _together(words: Sequence[Word]) -> list[Word]:
    """Return words with each "%" joined to its number, so that no line breaks between them."""
    found: list[Word] = []
    for word in words:
        if found and word.text.startswith("%"):
            found[-1] = replace(word, text=f"{found[-1].text} {word.text}")
        else:
            found.append(word)
    return found


def below(scene: OverlayScene, theme: Theme, width: float, slack: float) -> Notes:
    """Return what is left out, and the size of the map; arguments as for :func:`above`."""
    size = f"{len(scene.queries):,} × {len(scene.keys):,} {scene.kind}s"
    sums = sums_phrase(scene.row_sums)
    said = [*phrases(accounts(scene)[:1], theme), *_hatchings(scene, theme)]
    if any(scene.truth(panel) for panel in scene.panels):
        said += [Word("", NOTE, theme.text, mark="dashed", space=5)]
        said += phrases(["mask given as the truth"], theme)
    said += phrases([*accounts(scene)[1:], f"{size} · {sums}" if sums else size], theme)
    placed, y = flow(said, width, slack, 16.0)
    return Notes(last_to_the_right(placed, width, slack), y)


def column(scene: OverlayScene, theme: Theme, width: float, slack: float) -> Column:
    """Return the account of the weight and what colours mean; arguments as for :func:`above`."""
    placed: list[Placed] = []
    y = 0.0
    several = (
        [Piece(f"of the mean of {len(scene.numbers)} heads:")] if len(scene.numbers) > 1 else []
    )
    for said in (several, _strongest(scene), _half(scene)):
        if said:
            lines, y = flow(_small(said, theme), width, slack, y)
            placed += joined(lines)
    boxes: list[tuple[Box, Colour]] = []
    if scene.account.shares and scene.numbers:
        y += _GAP if placed else 0
        heading, y = flow(phrases([f"where the {scene.kind} lies"], theme), width, slack, y)
        placed += heading
        listed, boxes, y = _shares(scene, theme, width, slack, y + 2)
        placed += listed
    for text in _remarks(scene):
        lines, y = flow(_together(_small([Piece(text)], theme)), width, slack, y + 3)
        placed += joined(lines)
    if scene.numbers:
        ramped = scene.state.paint in ("heat", "dim")
        y += _GAP + (2 if ramped else 0)
        if ramped:
            bar = colour_bar(scene.shading, theme, bar_colours(scene))
            least = min(item.y for item in bar)
            placed += [Placed(word, x, at - least + y + 5) for word, x, at in bar]
            y += max(item.y for item in bar) - least + 16
        lines, y = flow(_together(_small([Piece(scale_phrase(scene))], theme)), width, slack, y)
        placed += joined(lines)
    return Column(Notes(tuple(placed), y), tuple(boxes))


def bar_colours(scene: OverlayScene) -> tuple[Colour, ...]:
    """Return the colours of the colour bar: few enough to be kept exactly in a bitmap.

    Where weights lighten a veil they are those of a grey picture under it.
    """
    if scene.state.paint != "dim":
        return scene.shading.bar(_STEPS)
    surface = theme_of(scene.state.theme).surface
    veils = (scene.state.opacity * (1 - at / (_STEPS - 1)) for at in range(_STEPS))
    if scene.shading.signed:
        veils = (scene.state.opacity * (1 - abs(2 * at / (_STEPS - 1) - 1)) for at in range(_STEPS))
    return tuple(blend(surface, (0.5, 0.5, 0.5), veil) for veil in veils)


def _small(pieces: Sequence[Piece], theme: Theme) -> list[Word]:
    """Return a sentence in the size of the column."""
    shrink = _TEXT / 13.0
    return [
        Word(
            word.text,
            _TEXT,
            theme.text if word.face == BOLD else theme.muted,
            word.face,
            space=word.space * shrink,
        )
        for word in words_of(pieces, theme)
    ]


def _strongest(scene: OverlayScene) -> list[Piece]:
    at = scene.account.strongest
    if at < 0:
        return []
    weight = format_weight(float(scene.mean[at]))
    return [
        Piece("strongest: "),
        Piece(scene.axis.shown[at], True),
        Piece(" "),
        Piece(weight, True),
    ]


def _half(scene: OverlayScene) -> list[Piece]:
    account = scene.account
    if account.half == 0 or account.of < 2:
        return []
    return [
        Piece(f"half of the {scene.kind} on the image lies in "),
        Piece(f"{account.half:,} of {account.of:,}", True),
        Piece(f" {places_name(scene)}"),
    ]


def _remarks(scene: OverlayScene) -> list[str]:
    said = []
    total = scene.account.total
    if (
        scene.kind == "weight"
        and scene.side == "query"
        and scene.numbers
        and abs(1 - total) > FAR_FROM_ONE
    ):
        said.append(f"the weights sum to {format_weight(total)}")
    if scene.sinks and scene.sinks_share > 0:
        count = len(scene.sinks)
        many = "1 patch takes" if count == 1 else f"{count:,} patches take"
        named = "perhaps a sink" if count == 1 else "perhaps sinks"
        said.append(f"{many} {percent(scene.sinks_share)}, and much of every row: {named}")
    if scene.account.set_aside > 0:
        done = ", rows renormalised" if scene.state.special == "renormalise" else ""
        said.append(f"{percent(scene.account.set_aside)} set aside{done}")
    return said


def _shares(
    scene: OverlayScene, theme: Theme, width: float, slack: float, top: float
) -> tuple[list[Placed], list[tuple[Box, Colour]], float]:
    """Return a bar of shares, a line for each with its number to the right, and where they end."""
    colours = share_colours(scene.account.shares, theme)
    boxes: list[tuple[Box, Colour]] = []
    x = 0.0
    for share, colour in zip(scene.account.shares, colours, strict=True):
        wide = width * share.share
        if wide > 0.2:
            boxes.append(((x, top, x + wide, top + _BAR), colour))
        x += wide
    placed: list[Placed] = []
    y = top + _BAR + 4 + _LINE / 2
    for share, colour in zip(scene.account.shares, colours, strict=True):
        boxes.append(((0, y - _SWATCH / 2, _SWATCH, y + _SWATCH / 2), colour))
        number = percent(share.share)
        wide = width_of(number, _TEXT, MONO) * slack
        name = f"{share.name}, set aside" if share.aside else share.name
        name = fitted(name, _TEXT, width - _SWATCH - 8 - wide - 8)
        placed.append(Placed(Word(name, _TEXT, theme.text), _SWATCH + 7, y))
        placed.append(Placed(Word(number, _TEXT - 1, theme.muted, MONO), width - wide, y))
        y += _LINE
    return placed, boxes, y - _LINE / 2 + 2


def share_colours(shares: Sequence[Share], theme: Theme) -> list[Colour]:
    """Return the accent for the image, one hue for text, one for special tokens in steps.

    What is set aside has the same colour, faint.
    """
    found: list[Colour] = []
    specials = 0
    for share in shares:
        colour = {
            "image": theme.accent,
            "text": head_colour(2, theme),
            "padding": theme.line,
            "special": blend(
                head_colour(1, theme), theme.surface, (1.0, 0.65, 0.4)[min(specials, 2)]
            ),
        }[share.role]
        specials += share.role == "special"
        found.append(blend(colour, theme.surface, _ASIDE) if share.aside else colour)
    return found
