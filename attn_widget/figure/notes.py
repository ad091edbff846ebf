"""Lines of words and marks above and below a picture: how they flow, and how they are drawn.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from .lettering import BOLD, PLAIN, Face, fitted, width_of
from .palette import Colour, Theme
from .reading import Piece

NOTE: Final = 11.0
ANSWER: Final = 13.0
HEADINGS: Final = 20.0
"""Room for the names of the two sides."""
_LEADING: Final = 1.5

MARKS: Final = {
    "dot": 11.0,
    "ramp": 74.0,
    "bar": 180.0,
    "ring": 13.0,
    "hatch": 12.0,
    "dashed": 26.0,
    "dotted": 26.0,
}
"""Width of each mark that stands in a line of text."""
Mark = Literal["dot", "ramp", "bar", "ring", "hatch", "dashed", "dotted"]


@dataclass(frozen=True)
class Word:
    """A word, or a mark, of a line of notes; ``space`` is the room after it.

    ``colours`` are those of a colour bar from left to right, or the one of a hatch's lines.
    """

    text: str
    size: float
    colour: Colour
    face: Face = PLAIN
    mark: Mark | None = None
    space: float = 0.0
    colours: tuple[Colour, ...] = ()

    @property
    def width(self) -> float:
        """Room it takes, without the space after it."""
        if self.mark is not None:
            return MARKS[self.mark]
        return width_of(self.text, self.size, self.face)


class Placed(NamedTuple):
    """A word at its place: left end, middle of the line."""

    word: Word
    x: float
    y: float


@dataclass(frozen=True)
class Notes:
    """Words at their places, relative to the notes' own corner, and the height they take."""

    placed: tuple[Placed, ...]
    height: float


def phrases(texts: Iterable[str], theme: Theme) -> list[Word]:
    """Return phrases in the quiet voice of notes, some room after each."""
    return [Word(text, NOTE, theme.muted, space=14) for text in texts]


def words_of(pieces: Sequence[Piece], theme: Theme) -> list[Word]:
    """Return a sentence as words between which a line may break."""
    space = width_of(" ", ANSWER)
    words: list[Word] = []
    for text, strong in pieces:
        face = BOLD if strong else PLAIN
        # A token is one word, whatever spaces it holds.
        parts = [text] if strong else text.split(" ")
        for index, part in enumerate(parts):
            if index and words:
                words[-1] = replace(words[-1], space=space)
            if part:
                words.append(Word(part, ANSWER, theme.text, face))
    return words


def flow(
    words: Sequence[Word], width: float, slack: float, top: float
) -> tuple[list[Placed], float]:
    """Place words in lines from ``top``; return them and where the last line ends."""
    if not words:
        return [], top
    words = [part for word in words for part in _broken(word, width / slack)]
    leading = _LEADING * max(word.size for word in words)
    x, y = 0.0, top + leading / 2
    placed: list[Placed] = []
    for unit in _units(words):
        extent = sum(word.width * slack + word.space for word in unit) - unit[-1].space
        if x > 0 and x + extent > width:
            x, y = 0.0, y + leading
        for word in unit:
            if word.width > width and word.mark is None:
                word = replace(word, text=fitted(word.text, word.size, width, word.face))
            placed.append(Placed(word, x, y))
            x += word.width * slack + word.space
    return placed, y + leading / 2


def _broken(word: Word, width: float) -> list[Word]:
    """Return a phrase too long for a line as its words, anything else as it is."""
    parts = word.text.split(" ")
    if word.face != PLAIN or len(parts) == 1 or word.width <= width:
        return [word]
    space = width_of(" ", word.size)
    return [
        *(replace(word, text=part, space=space) for part in parts[:-1]),
        replace(word, text=parts[-1]),
    ]


def joined(placed: Sequence[Placed]) -> list[Placed]:
    """Join words of one face, so that the spaces between them are those of the typeface."""
    result: list[Placed] = []
    for item in placed:
        last = result[-1] if result else None
        if last is not None and last.y == item.y and last.word.face == item.word.face:
            gap = " " if last.word.space else ""
            word = replace(item.word, text=last.word.text + gap + item.word.text)
            result[-1] = Placed(word, last.x, last.y)
        else:
            result.append(item)
    return result


def _units(words: Sequence[Word]) -> list[list[Word]]:
    """Group words that must stay together: a mark with its meaning, a token with its comma."""
    units: list[list[Word]] = []
    stick = False
    for word in words:
        if stick:
            units[-1].append(word)
        else:
            units.append([word])
        stick = word.mark is not None or word.space == 0
    return units


def last_to_the_right(placed: Sequence[Placed], width: float, slack: float) -> tuple[Placed, ...]:
    """Move the last word to the end of its line."""
    *others, last = placed
    return (*others, Placed(last.word, width - last.word.width * slack, last.y))
