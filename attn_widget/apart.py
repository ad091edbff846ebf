"""Maps some of whose keys are treated like special tokens: set aside for what is shown."""

from __future__ import annotations

from collections.abc import Sequence

from .attention import Attention
from .axes import Axis, word_runs
from .methods import merge_words


def set_aside(attention: Attention, aside: Sequence[int]) -> Attention:
    """Return a map whose special keys are those it has and some more; its queries stay.

    Args:
        attention: the map.
        aside: key positions.
    """
    if not aside:
        return attention
    return _with_keys(attention, attention.keys.with_special({*attention.keys.special, *aside}))


def shown_map(attention: Attention, words: bool, aside: Sequence[int] = ()) -> Attention:
    """Return a map as a view shows it.

    Args:
        attention: the map.
        words: whether its sub-words are merged.
        aside: key tokens that are treated as special; a word is so where all of its tokens are.
    """
    if not words:
        return set_aside(attention, aside)
    return set_aside(merge_words(attention), words_apart(attention.keys, aside))


def words_apart(axis: Axis, aside: Sequence[int]) -> list[int]:
    """Return the words all of whose tokens are special or set aside, where any are set aside."""
    if not aside:
        return []
    apart = {*axis.special, *aside}
    return [word for word, run in enumerate(word_runs(axis)) if apart.issuperset(run)]


def asking(attention: Attention) -> Attention:
    """Return a map none of whose queries is special: what they attend to is asked for."""
    if not attention.queries.special:
        return attention
    queries = attention.queries.with_special(())
    return _with_axes(attention, queries, attention.keys)


def _with_keys(attention: Attention, keys: Axis) -> Attention:
    return _with_axes(attention, attention.queries, keys)


def _with_axes(attention: Attention, queries: Axis, keys: Axis) -> Attention:
    return Attention(
        attention.source,
        queries,
        keys,
        kind=attention.kind,
        name=attention.name,
        made=attention.made,
    )
