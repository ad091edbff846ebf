"""What stands above and below the lines: the answer in words, and the legend.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from ..filters import COMBINED
from .layout import LABEL_ROOM, Layout
from .lettering import BOLD, PLAIN, Face, fitted, width_of
from .palette import Colour, Theme, head_colour
from .reading import Piece, accounts, answer, ordinal, scale_phrase, shape_phrase
from .scene import Scene

NOTE: Final = 11.0
ANSWER: Final = 13.0
HEADINGS: Final = 20.0
"""Room for the names of the two sides."""
_LEADING: Final = 1.5

MARKS: Final = {"dot": 11.0, "ramp": 74.0, "ring": 13.0, "dashed": 26.0, "dotted": 26.0}
"""Width of each mark that stands in a line of text."""
Mark = Literal["dot", "ramp", "ring", "dashed", "dotted"]


@dataclass(frozen=True)
class Word:
    """A word, or a mark, of a line of notes; ``space`` is the room after it."""

    text: str
    size: float
    colour: Colour
    face: Face = PLAIN
    mark: Mark | None = None
    space: float = 0.0

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


def above(scene: Scene, theme: Theme, width: float, slack: float) -> Notes:
    """Return what is shown, in one quiet line, and the answer as a sentence.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: room that drawn letters take, as a multiple of that of their outlines.
    """
    context = _phrases([scene.name] if scene.name else [], theme)
    context += _phrases([f"layer {scene.state.layer}"], theme)
    context += _head_words(scene, theme)
    said = _words_of(answer(scene), theme)
    placed, y = _flow(context, width, slack, 0.0)
    placed_answer, y = _flow(said, width, slack, y + 3)
    return Notes((*placed, *_joined(placed_answer)), y + 8 + HEADINGS)


def below(
    scene: Scene, theme: Theme, layout: Layout | None, width: float, slack: float, strokes: int
) -> Notes:
    """Return the legend: what width, opacity and colour mean, and what is not drawn.

    Args:
        scene: what is shown.
        theme: its colours.
        layout: where tokens stand; None before that is known.
        width: room for a line.
        slack: as for :func:`above`.
        strokes: most lines drawn one by one.
    """
    muted = theme.muted
    colour = head_colour(legend_head(scene), theme)
    legend = [
        Word(f"opacity and width: {scene.kind}", NOTE, muted, space=5),
        Word("", NOTE, colour, mark="ramp", space=6),
        *_phrases([scale_phrase(scene)], theme),
    ]
    weight = scene.edges.weight
    for shown, mark, meaning in (
        (bool(scene.links), "ring", "given link"),
        (bool((weight < 0).any()), "dashed", "negative"),
        (bool((abs(weight) == float("inf")).any()), "dotted", "infinite"),
    ):
        if shown:
            legend += [
                Word("", NOTE, theme.text if mark == "ring" else colour, mark=_MARK[mark], space=5),
                *_phrases([meaning], theme),
            ]
    phrases = list(accounts(scene))
    if len(weight) > strokes:
        phrases.append(f"strongest {strokes:,} of {len(weight):,} lines drawn, the others as haze")
    if layout is not None:
        steps = {
            ordinal(max(2, round(LABEL_ROOM / side.pitch + 0.499)))
            for side in (layout.query, layout.key)
            if len(side.named) < len(side.centres)
        }
        if steps:
            phrases.append(f"every {' or '.join(sorted(steps))} token named")
    if len(scene.state.heads) > 1 and scene.state.filters.combine == "each":
        phrases.insert(0, "colour: head")
    legend += _phrases(phrases, theme)
    placed, y = _flow([*legend, *_phrases([shape_phrase(scene)], theme)], width, slack, 16.0)
    return Notes(_last_to_the_right(placed, width, slack), y)


_MARK: Final[dict[str, Mark]] = {"ring": "ring", "dashed": "dashed", "dotted": "dotted"}


def legend_head(scene: Scene) -> int:
    """Return the head whose colour the legend shows: the only one, or none of them."""
    if len(scene.state.heads) == 1 and scene.state.filters.combine == "each":
        return scene.state.heads[0]
    return COMBINED


def _head_words(scene: Scene, theme: Theme) -> list[Word]:
    heads, combine = scene.state.heads, scene.state.filters.combine
    if not heads:
        return _phrases(["no head"], theme)
    if combine != "each":
        what = "mean" if combine == "mean" else "maximum"
        dot = Word("", NOTE, head_colour(COMBINED, theme), mark="dot", space=3)
        return [dot, *_phrases([f"{what} of {len(heads)} of {scene.heads} heads"], theme)]
    words = [] if len(heads) == 1 else [Word("heads", NOTE, theme.muted, space=5)]
    for head in heads:
        name = f"head {head}" if len(heads) == 1 else str(head)
        words += [
            Word("", NOTE, head_colour(head, theme), mark="dot", space=2),
            Word(name, NOTE, theme.muted, space=7),
        ]
    return words


def _phrases(phrases: Iterable[str], theme: Theme) -> list[Word]:
    return [Word(phrase, NOTE, theme.muted, space=14) for phrase in phrases]


def _words_of(pieces: Sequence[Piece], theme: Theme) -> list[Word]:
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


def _flow(
    words: Sequence[Word], width: float, slack: float, top: float
) -> tuple[list[Placed], float]:
    """Place words in lines from ``top``; return them and where the last line ends."""
    if not words:
        return [], top
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


def _joined(placed: Sequence[Placed]) -> list[Placed]:
    """Join words of one face, so that the spaces between them are those of the typeface."""
    joined: list[Placed] = []
    for item in placed:
        last = joined[-1] if joined else None
        if last is not None and last.y == item.y and last.word.face == item.word.face:
            gap = " " if last.word.space else ""
            word = replace(item.word, text=last.word.text + gap + item.word.text)
            joined[-1] = Placed(word, last.x, last.y)
        else:
            joined.append(item)
    return joined


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


def _last_to_the_right(placed: Sequence[Placed], width: float, slack: float) -> tuple[Placed, ...]:
    *others, last = placed
    return (*others, Placed(last.word, width - last.word.width * slack, last.y))
