"""What stands above and below a matrix: the answer in words, and the legend.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from itertools import pairwise

from ..filters import COMBINED
from .colormap import MARKS, as_colour, theme_key
from .lettering import width_of
from .matrix_reading import accounts, answer, window_phrases
from .matrix_scene import MatrixScene
from .notes import (
    HEADINGS,
    NOTE,
    Notes,
    Placed,
    Word,
    flow,
    joined,
    last_to_the_right,
    phrases,
    words_of,
)
from .notes import MARKS as WIDTHS
from .palette import Colour, Theme, head_colour
from .reading import ordinal, sums_phrase
from .sampling import Values
from .shading import Shading

_TICK = 10.0
_BAR_MIDDLE = 24.0
_TICKS_BELOW = 14.0


def shading_of(scene: MatrixScene) -> Shading:
    """Return how the cells of a scene are coloured."""
    state = scene.state
    return Shading(
        kind=scene.kind,
        scale=state.scale,
        full=scene.full,
        keys=len(scene.key.labels),
        colormap=state.colormap,
        theme=state.theme,
    )


def above(scene: MatrixScene, theme: Theme, width: float, slack: float) -> Notes:
    """Return what is shown, in one quiet line, and the answer as a sentence.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: room that drawn letters take, as a multiple of that of their outlines.
    """
    context = phrases([scene.name] if scene.name else [], theme)
    context += phrases([f"layer {scene.state.layer}"], theme)
    context += _heads(scene, theme)
    context += phrases(window_phrases(scene), theme)
    placed, y = flow(context, width, slack, 0.0)
    said, y = flow(words_of(answer(scene), theme), width, slack, y + 3)
    return Notes((*placed, *joined(said)), y + 8 + HEADINGS)


def below(
    scene: MatrixScene,
    theme: Theme,
    width: float,
    slack: float,
    named: tuple[int, int],
) -> Notes:
    """Return the legend: what colours mean, how weights were pooled, what is left out.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: as for :func:`above`.
        named: every how many tokens of each side are named; 0 where positions are counted.
    """
    shading = shading_of(scene)
    placed, lower = bar_and_words(shading, theme, width, slack)
    size = f"{len(scene.query.labels):,} × {len(scene.key.labels):,} {scene.kind}s"
    masked = "masked (causal)" if scene.causal else "masked"
    words = swatches(shading, scene.cells, masked, theme)
    if scene.links:
        words += [Word("", NOTE, theme.text, mark="ring", space=5), *phrases(["given link"], theme)]
    words += phrases([*accounts(scene), *_naming(named)], theme)
    sums = sums_phrase(scene.row_sums)
    words += phrases([f"{size} · {sums}" if sums else size], theme)
    flowing, y = flow(words, width, slack, lower)
    return Notes((*placed, *last_to_the_right(flowing, width, slack)), y)


def bar_and_words(
    shading: Shading, theme: Theme, width: float, slack: float
) -> tuple[list[Placed], float]:
    """Return the colour bar with its numbers, what they are of, and where that ends.

    Args:
        shading: how cells are coloured.
        theme: the picture's colours.
        width: room for a line.
        slack: as for :func:`above`.
    """
    below_bar = _BAR_MIDDLE + _TICKS_BELOW + 10
    start = WIDTHS["bar"] + width_of(shading.ticks()[-1][1], _TICK) / 2 + 12
    beside = start + width_of(shading.phrase(), NOTE) * slack <= width
    said, end = flow(
        phrases([shading.phrase()], theme),
        width,
        slack,
        _BAR_MIDDLE - 0.75 * NOTE if beside else below_bar,
    )
    placed = colour_bar(shading, theme)
    placed += [Placed(word, x + (start if beside else 0.0), y) for word, x, y in said]
    return placed, below_bar if beside else end


def colour_bar(
    shading: Shading, theme: Theme, colours: tuple[Colour, ...] | None = None
) -> list[Placed]:
    """Return the colour bar, smooth or of some colours, and the numbers below it."""
    bar = Word("", NOTE, theme.line, mark="bar", colours=colours or shading.bar())
    placed = [Placed(bar, 0.0, _BAR_MIDDLE)]
    ticks = _spans_of(shading.ticks())
    if any(right + 6 > left for (_, right, _), (left, _, _) in pairwise(ticks)):
        # The ends and the middle say the most.
        ticks = ticks[:: len(ticks) // 2]
    for left, _, text in ticks:
        number = Word(text, _TICK, theme.muted)
        placed.append(Placed(number, left, _BAR_MIDDLE + _TICKS_BELOW))
    return placed


def _spans_of(ticks: list[tuple[float, str]]) -> list[tuple[float, float, str]]:
    """Return where the numbers of a colour bar begin and end."""
    spans = []
    for at, text in ticks:
        wide = width_of(text, _TICK)
        # The first begins with the bar, so that nothing stands out to the left.
        left = max(0.0, at * WIDTHS["bar"] - wide / 2)
        spans.append((left, left + wide, text))
    return spans


def _heads(scene: MatrixScene, theme: Theme) -> list[Word]:
    heads = scene.state.heads
    if not heads:
        return phrases(["no head"], theme)
    alone = len(heads) == 1
    dot = Word("", NOTE, head_colour(heads[0] if alone else COMBINED, theme), mark="dot", space=3)
    what = "maximum" if scene.state.combine == "max" else "mean"
    named = f"head {heads[0]}" if alone else f"{what} of {len(heads)} of {scene.heads} heads"
    return [dot, *phrases([named], theme)]


def swatches(shading: Shading, cells: Values, masked: str, theme: Theme) -> list[Word]:
    """Return what hatchings mean, where there are any.

    Args:
        shading: how cells are coloured.
        cells: the cells.
        masked: what masked ones are called.
        theme: the picture's colours.
    """
    marks = MARKS[theme_key(shading.theme)]
    words: list[Word] = []
    for _, name in shading.marks(cells):
        lines = (as_colour(marks[name].line),)
        ground = as_colour(marks[name].ground)
        words.append(Word("", NOTE, ground, mark="hatch", space=5, colours=lines))
        words += phrases([masked if name == "masked" else name], theme)
    return words


def _naming(named: tuple[int, int]) -> list[str]:
    steps = sorted({step for step in named if step > 1})
    return [f"every {' or '.join(map(ordinal, steps))} token named"] if steps else []
