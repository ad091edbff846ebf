"""What stands above and below the lines: the answer in words, and the legend.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from typing import Final

from ..filters import COMBINED
from .layout import LABEL_ROOM, Layout
from .notes import (
    HEADINGS,
    NOTE,
    Mark,
    Notes,
    Word,
    flow,
    joined,
    last_to_the_right,
    phrases,
    words_of,
)
from .palette import Theme, head_colour
from .reading import accounts, answer, ordinal, scale_phrase, shape_phrase
from .scene import Scene


def above(scene: Scene, theme: Theme, width: float, slack: float) -> Notes:
    """Return what is shown, in one quiet line, and the answer as a sentence.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: room that drawn letters take, as a multiple of that of their outlines.
    """
    context = phrases([scene.name] if scene.name else [], theme)
    context += phrases([f"layer {scene.state.layer}"], theme)
    context += _head_words(scene, theme)
    said = words_of(answer(scene), theme)
    placed, y = flow(context, width, slack, 0.0)
    placed_answer, y = flow(said, width, slack, y + 3)
    return Notes((*placed, *joined(placed_answer)), y + 8 + HEADINGS)


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
        *phrases([scale_phrase(scene)], theme),
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
                *phrases([meaning], theme),
            ]
    said = list(accounts(scene))
    if len(weight) > strokes:
        said.append(f"strongest {strokes:,} of {len(weight):,} lines drawn, the others as haze")
    if layout is not None:
        steps = {
            ordinal(max(2, round(LABEL_ROOM / side.pitch + 0.499)))
            for side in (layout.query, layout.key)
            if len(side.named) < len(side.centres)
        }
        if steps:
            said.append(f"every {' or '.join(sorted(steps))} token named")
    if len(scene.state.heads) > 1 and scene.state.filters.combine == "each":
        said.insert(0, "colour: head")
    legend += phrases(said, theme)
    placed, y = flow([*legend, *phrases([shape_phrase(scene)], theme)], width, slack, 16.0)
    return Notes(last_to_the_right(placed, width, slack), y)


_MARK: Final[dict[str, Mark]] = {"ring": "ring", "dashed": "dashed", "dotted": "dotted"}


def legend_head(scene: Scene) -> int:
    """Return the head whose colour the legend shows: the only one, or none of them."""
    if len(scene.state.heads) == 1 and scene.state.filters.combine == "each":
        return scene.state.heads[0]
    return COMBINED


def _head_words(scene: Scene, theme: Theme) -> list[Word]:
    heads, combine = scene.state.heads, scene.state.filters.combine
    if not heads:
        return phrases(["no head"], theme)
    if combine != "each":
        what = "mean" if combine == "mean" else "maximum"
        dot = Word("", NOTE, head_colour(COMBINED, theme), mark="dot", space=3)
        return [dot, *phrases([f"{what} of {len(heads)} of {scene.heads} heads"], theme)]
    words = [] if len(heads) == 1 else [Word("heads", NOTE, theme.muted, space=5)]
    for head in heads:
        name = f"head {head}" if len(heads) == 1 else str(head)
        words += [
            Word("", NOTE, head_colour(head, theme), mark="dot", space=2),
            Word(name, NOTE, theme.muted, space=7),
        ]
    return words
