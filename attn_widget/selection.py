"""What is pinned and filtered, as rows of numbers with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .attention import Attention
from .axes import Axis, word_runs
from .filters import COMBINED, Edges, Filter
from .methods import merge_words
from .slices import layer_edges

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LinesState:
    """What a lines view shows of a map: everything a still picture of it depends on."""

    layer: int = 0
    heads: tuple[int, ...] = ()
    filters: Filter = field(default_factory=Filter)
    pinned_queries: tuple[int, ...] = ()
    pinned_keys: tuple[int, ...] = ()
    words: bool = False
    links: tuple[tuple[int, int], ...] = ()
    whole: bool | None = None
    orientation: str = "vertical"
    theme: str = "light"


class Row(NamedTuple):
    """One weight of a selection."""

    layer: int
    head: int | str
    query: int
    query_label: str
    key: int
    key_label: str
    weight: float


def word_starts(axis: Axis, words: bool) -> NDArray[np.int64]:
    """Return the first token of each position shown: of each word where words are merged."""
    if not words:
        return np.arange(len(axis))
    return np.asarray([run.start for run in word_runs(axis)], dtype=np.int64)


def shown_positions(positions: Sequence[int], starts: NDArray[np.int64]) -> tuple[int, ...]:
    """Return token positions as positions on the axis shown, distinct and sorted."""
    found = np.searchsorted(starts, np.asarray(positions, dtype=np.int64), side="right") - 1
    return tuple(sorted({int(position) for position in found}))


def pinned_edges(edges: Edges, queries: Sequence[int], keys: Sequence[int]) -> NDArray[np.bool_]:
    """Mark the edges of the locked selection.

    Pins on one side keep all lines of those tokens; pins on both sides keep the lines between them.
    """
    keep = np.ones(len(edges.query), dtype=bool)
    if len(queries):
        keep &= np.isin(edges.query, list(queries))
    if len(keys):
        keep &= np.isin(edges.key, list(keys))
    return keep


def select_rows(attention: Attention, state: LinesState) -> list[Row]:
    """Return the weights that are pinned and pass the filters, by head, query and key."""
    shown = merge_words(attention) if state.words else attention
    query_starts = word_starts(attention.queries, state.words)
    key_starts = word_starts(attention.keys, state.words)
    edges = layer_edges(attention, state.layer, state.heads, state.filters, words=state.words)
    keep = pinned_edges(
        edges,
        shown_positions(state.pinned_queries, query_starts),
        shown_positions(state.pinned_keys, key_starts),
    )
    return [
        Row(
            state.layer,
            state.filters.combine if head == COMBINED else int(head),
            int(query_starts[query]),
            shown.queries.labels[query],
            int(key_starts[key]),
            shown.keys.labels[key],
            float(weight),
        )
        for head, query, key, weight in zip(
            edges.head[keep], edges.query[keep], edges.key[keep], edges.weight[keep], strict=True
        )
    ]


def to_frame(rows: list[Row]) -> pd.DataFrame:
    """Return rows as a DataFrame with one column a field.

    Raises:
        ImportError: if pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame() needs pandas: pip install pandas") from error
    return pd.DataFrame(rows, columns=list(Row._fields))
