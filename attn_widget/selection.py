"""What is pinned and filtered, as rows of numbers with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .apart import asking, shown_map
from .attention import Attention
from .axes import Axis, word_runs
from .filters import Edges, Filter, take_edges
from .frames import frame_of
from .outlines import Outline
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
    aside: tuple[int, ...] = ()
    """Keys treated like special tokens."""
    asking: bool = False
    """Whether special queries keep their weights while special positions are hidden."""
    links: tuple[tuple[int, int], ...] = ()
    whole: bool | None = None
    orientation: str = "vertical"
    theme: str = "light"


@dataclass(frozen=True)
class MatrixState:
    """What a matrix view shows of a map: everything a still picture of it depends on."""

    layer: int = 0
    heads: tuple[int, ...] = ()
    combine: str = "each"
    """How several heads become one matrix: ``"max"``, or their mean."""
    pinned_queries: tuple[int, ...] = ()
    pinned_keys: tuple[int, ...] = ()
    scale: str = "absolute"
    colormap: str = "auto"
    pool: str = "max"
    window: tuple[int, int, int, int] | None = None
    """First query, last query + 1, first key, last key + 1, in tokens; None for all."""
    words: bool = False
    special: str = "show"
    aside: tuple[int, ...] = ()
    """Keys treated like special tokens."""
    links: tuple[tuple[int, int], ...] = ()
    theme: str = "light"


@dataclass(frozen=True)
class HeadsState:
    """What a heads view shows of a map: everything a still picture of it depends on."""

    layer: int = 0
    heads: tuple[int, ...] = ()
    """The heads shown of ``layer``."""
    sort: str = "layer"
    pattern: str | None = None
    scale: str = "absolute"
    colormap: str = "auto"
    theme: str = "light"


@dataclass(frozen=True)
class OverlayState:
    """What an overlay shows of a map: everything a still picture of it depends on."""

    layer: int = 0
    heads: tuple[int, ...] = ()
    combine: str = "mean"
    """``"each"`` draws a panel a head."""
    direction: str = "attends_to"
    pinned_queries: tuple[int, ...] = ()
    pinned_keys: tuple[int, ...] = ()
    special: str = "show"
    aside: tuple[int, ...] = ()
    scale: str = "absolute"
    colormap: str = "auto"
    opacity: float = 0.8
    interpolation: str = "nearest"
    paint: str = "heat"
    contours: tuple[float, ...] = (0.5, 0.9)
    masks: tuple[tuple[str, tuple[Outline, ...]], ...] = ()
    """Outlines of masks given as the truth, by the name of the image."""
    theme: str = "light"


@dataclass(frozen=True)
class MechanismState:
    """What a mechanism view shows of a map: everything a still picture of it depends on."""

    layer: int = 0
    head: int | None = 0
    """None shows no head."""
    query: int = 0
    key: int | None = None
    """None takes the one with the most weight."""
    theme: str = "light"


PictureState: TypeAlias = LinesState | MatrixState | HeadsState | OverlayState | MechanismState
"""What a still picture depends on, beside the map: the state of one view."""

ROWS_LIMIT: Final = 1_000_000
"""Most rows that a list of them holds; 32 heads of 512 tokens have eight times as many."""


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
    """Return the weights that are pinned and pass the filters, by head, query and key.

    Raises:
        ValueError: if there are more than :data:`ROWS_LIMIT`.
    """
    columns = select_columns(attention, state)
    count = len(columns["weight"])
    if count > ROWS_LIMIT:
        raise ValueError(
            f"a selection must hold at most {ROWS_LIMIT} rows; got {count} (pin tokens, raise the "
            "threshold, or take all as columns with to_frame())"
        )
    return [
        Row(*row) for row in zip(*(values.tolist() for values in columns.values()), strict=True)
    ]


def select_frame(attention: Attention, state: LinesState) -> pd.DataFrame:
    """Return the same as a DataFrame with one column a field, and no limit.

    Raises:
        ImportError: if pandas is not installed.
    """
    return frame_of(select_columns(attention, state))


def select_columns(attention: Attention, state: LinesState) -> dict[str, NDArray[Any]]:
    """Return the selection as one array for each field of :class:`Row`.

    Only the rows and columns of pinned positions are read, where the filters don't rank a weight
    among others.
    """
    shown = shown_map(attention, state.words, state.aside)
    if state.asking:
        shown = asking(shown)
    query_starts = word_starts(attention.queries, state.words)
    key_starts = word_starts(attention.keys, state.words)
    pinned_queries = shown_positions(state.pinned_queries, query_starts)
    pinned_keys = shown_positions(state.pinned_keys, key_starts)
    queries, keys = _needed(shown, state.filters, pinned_queries, pinned_keys)
    part = shown.select(queries=queries, keys=keys)
    edges = layer_edges(part, state.layer, state.heads, state.filters)
    edges = replace(
        edges,
        query=np.asarray(queries, np.uint32)[edges.query],
        key=np.asarray(keys, np.uint32)[edges.key],
    )
    edges = take_edges(edges, pinned_edges(edges, pinned_queries, pinned_keys))
    combined = np.full(len(edges.head), state.filters.combine, dtype=object)
    return {
        "layer": np.full(len(edges.head), state.layer),
        "head": edges.head.astype(np.int64) if state.filters.combine == "each" else combined,
        "query": query_starts[edges.query],
        "query_label": np.asarray([*shown.queries.labels], dtype=object)[edges.query],
        "key": key_starts[edges.key],
        "key_label": np.asarray([*shown.keys.labels], dtype=object)[edges.key],
        "weight": edges.weight.astype(np.float64),
    }


def _needed(
    attention: Attention, filters: Filter, queries: tuple[int, ...], keys: tuple[int, ...]
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the positions to read, so that filters see all weights they rank or sum up."""
    rows, columns = (
        not filters.ranks or filters.direction == direction
        for direction in ("attends_to", "attended_by")
    )
    _, _, query_count, key_count = attention.shape
    return (
        queries if queries and rows else range(query_count),
        keys if keys and columns and filters.special != "renormalise" else range(key_count),
    )
