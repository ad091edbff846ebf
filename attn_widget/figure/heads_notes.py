"""What stands above and below the thumbnails of heads: the answer in words, and the legend.

Imports Matplotlib's measures of text, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from math import ceil

from .heads_scene import MEANINGS, MOST_FLOWING, NAMES, PATTERNS, HeadsScene, answer
from .matrix_notes import bar_and_words, swatches
from .notes import NOTE, Notes, Word, flow, joined, last_to_the_right, phrases, words_of
from .palette import Theme


def above(scene: HeadsScene, theme: Theme, width: float, slack: float) -> Notes:
    """Return what is shown, in one quiet line, and the answer as a sentence.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: room that drawn letters take, as a multiple of that of their outlines.
    """
    layers, heads, _, _ = scene.shape
    said = [scene.name] if scene.name else []
    said.append(f"{layers:,} layers × {heads:,} heads")
    if scene.flowing:
        said.append(f"by {NAMES[scene.state.sort]}, largest first")
    if scene.state.pattern is not None:
        name, count = PATTERNS[scene.state.pattern][0], int(scene.strong.sum())
        heads_named = f"{count or 'no'} {name} head{'' if count == 1 else 's'}"
        said.append(f"{heads_named}, the others faint" if count else f"{heads_named}: all faint")
    placed, y = flow(phrases(said, theme), width, slack, 0.0)
    sentence, y = flow(words_of(answer(scene), theme), width, slack, y + 3)
    return Notes((*placed, *joined(sentence)), y + 10)


def below(scene: HeadsScene, theme: Theme, width: float, slack: float) -> Notes:
    """Return the legend: what colours mean, how weights were pooled, what is left out.

    Args:
        scene: what is shown.
        theme: its colours.
        width: room for a line.
        slack: as for :func:`above`.
    """
    _, _, queries, keys = scene.shape
    shading = scene.shading
    placed, lower = bar_and_words(shading, theme, width, slack)
    words = swatches(shading, scene.cells, "masked", theme)
    if scene.state.heads and not (scene.all_heads and scene.flowing):
        words.append(Word("", NOTE, theme.text, mark="ring", space=5))
        words += phrases([f"framed: heads shown of layer {scene.state.layer}"], theme)
    words += phrases(_accounts(scene), theme)
    words += phrases([f"{queries:,} × {keys:,} {scene.kind}s a head"], theme)
    flowing, y = flow(words, width, slack, lower)
    return Notes((*placed, *last_to_the_right(flowing, width, slack)), y)


def _accounts(scene: HeadsScene) -> list[str]:
    """Return how weights were pooled and what the picture leaves out, a phrase each."""
    layers, heads, queries, keys = scene.shape
    said = []
    if scene.state.sort != "layer":
        said.append(f"{NAMES[scene.state.sort]}: {MEANINGS[scene.state.sort]}")
    if scene.cells.size:
        per = (ceil(queries / scene.cells.shape[2]), ceil(keys / scene.cells.shape[3]))
        if max(per) > 1:
            said.append(f"each cell the strongest of up to {per[0]:,} × {per[1]:,} weights")
        if scene.rows < queries:
            said.append(f"from {scene.rows:,} of {queries:,} targets of each head")
        if scene.read < layers:
            said.append(f"layers {scene.read:,} – {layers - 1:,} not read: it would take long")
    if scene.flowing and layers * heads > MOST_FLOWING:
        said.append(f"the first {MOST_FLOWING} of {layers * heads:,} heads")
    return said
