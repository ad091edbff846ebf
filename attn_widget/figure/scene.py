"""What a still picture of a lines view shows, as numbers and words; nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .. import protocol
from ..apart import shown_map
from ..attention import Attention
from ..filters import Edges, select_edges
from ..scale import full_value
from ..selection import LinesState, MatrixState, pinned_edges, shown_positions, word_starts
from ..slices import layer_full_value, read_heads

WEIGHTS_LIMIT: Final = 600_000
"""Most weights read for one picture; of a larger layer, evenly spaced queries are drawn."""


@dataclass(frozen=True)
class Side:
    """The tokens of one side, or its words where sub-words are merged."""

    labels: tuple[str, ...]
    """As a person should read them."""
    pinned: tuple[int, ...]
    special: tuple[int, ...]


@dataclass(frozen=True)
class Scene:
    """Everything a picture of a lines view depends on, read from the map."""

    state: LinesState
    name: str
    kind: str
    layers: int
    heads: int
    """How many heads the map has; ``state.heads`` are those shown."""
    query: Side
    key: Side
    edges: Edges
    focus: NDArray[np.bool_] | None
    """Which edges belong to pinned tokens; None where nothing is pinned."""
    links: tuple[tuple[int, int], ...]
    full: float
    """The magnitude drawn at full strength."""
    row_sums: tuple[float, float] | None
    """Least and largest sum of a row over the weights read, special positions included; None
    where there is no finite row or the numbers are no weights."""
    special_share: float
    """Share of the weight read that special keys receive, 0..1."""
    every: int
    """Every so many queries are drawn: 1 where all are."""


def read_scene(attention: Attention, state: LinesState) -> Scene:
    """Read from a map what a picture of it in some state shows.

    At most :data:`WEIGHTS_LIMIT` weights are read, or a single row of all heads if that is more.
    """
    shown = shown_map(attention, state.words, state.aside)
    starts = starts_of(attention, state)
    queries, keys = sides_of(shown, state, starts)
    rows, every = _rows_to_read(shown, state, queries.pinned)
    part = shown if len(rows) == shown.shape[2] else shown.select(queries=rows)
    weights = read_heads(part, state.layer, state.heads)
    whole = part is shown and len(state.heads) == shown.shape[1]
    full = (
        layer_full_value(attention, state.layer, weights if whole and not state.words else None)
        if part is shown
        else full_value(weights, attention.kind)
    )
    edges = select_edges(
        weights,
        state.heads,
        state.filters,
        full=full,
        query_special=part.queries.special,
        key_special=part.keys.special,
    )
    edges = replace(edges, query=np.asarray(rows, np.uint32)[edges.query])
    focus = None
    if queries.pinned or keys.pinned:
        focus = pinned_edges(edges, queries.pinned, keys.pinned)
    if focus is not None and _focus_only(shown, state):
        edges, focus = pick_edges(edges, focus), np.ones(int(focus.sum()), dtype=bool)
    return Scene(
        state=state,
        name=attention.name,
        kind=attention.kind,
        layers=attention.shape[0],
        heads=attention.shape[1],
        query=queries,
        key=keys,
        edges=edges,
        focus=focus,
        links=links_of(state, starts),
        full=full,
        row_sums=_row_sums(weights) if attention.kind == "weight" else None,
        special_share=_special_share(weights, keys.special),
        every=every,
    )


def starts_of(
    attention: Attention, state: LinesState | MatrixState
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the words of the queries and of the keys begin, as :func:`word_starts` does."""
    return word_starts(attention.queries, state.words), word_starts(attention.keys, state.words)


def sides_of(
    shown: Attention,
    state: LinesState | MatrixState,
    starts: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[Side, Side]:
    """Return the queries and the keys of a picture.

    Args:
        shown: the map, sub-words merged where the state says so.
        state: what is shown of it.
        starts: what :func:`starts_of` returns for the map before merging.
    """
    query, key = (
        Side(tuple(axis.shown), shown_positions(pinned, start), tuple(axis.special))
        for axis, pinned, start in (
            (shown.queries, state.pinned_queries, starts[0]),
            (shown.keys, state.pinned_keys, starts[1]),
        )
    )
    return query, key


def links_of(
    state: LinesState | MatrixState, starts: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[tuple[int, int], ...]:
    """Return the given links between positions shown, sorted; arguments as :func:`sides_of`."""
    links = {
        (shown_positions([query], starts[0])[0], shown_positions([key], starts[1])[0])
        for query, key in state.links
    }
    return tuple(sorted(links))


def pick_edges(edges: Edges, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Edges:
    """Return some of the edges; the accounts stay those of all."""
    return replace(
        edges,
        query=edges.query[keep],
        key=edges.key[keep],
        head=edges.head[keep],
        weight=edges.weight[keep],
        strength=edges.strength[keep],
    )


def _focus_only(attention: Attention, state: LinesState) -> bool:
    """Whether lines of tokens that are not pinned are left out, as the page does by default."""
    return not state.whole and max(attention.shape[2:]) > protocol.FOCUS_ABOVE


def _rows_to_read(
    attention: Attention, state: LinesState, pinned: tuple[int, ...]
) -> tuple[list[int], int]:
    """Return the queries to read, ascending, and their spacing."""
    _, _, queries, keys = attention.shape
    if pinned and _focus_only(attention, state):
        return list(pinned), 1
    every = max(1, ceil(len(state.heads) * queries * keys / WEIGHTS_LIMIT))
    return sorted({*range(0, queries, every), *pinned}), every


def _row_sums(weights: NDArray[np.float32]) -> tuple[float, float] | None:
    if weights.size == 0:
        return None
    sums = weights.sum(axis=2, dtype=np.float64)
    finite = sums[np.isfinite(sums)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _special_share(weights: NDArray[np.float32], special: tuple[int, ...]) -> float:
    finite = np.where(np.isfinite(weights), np.abs(weights), 0)
    total = float(finite.sum(dtype=np.float64))
    return float(finite[..., list(special)].sum(dtype=np.float64)) / total if total > 0 else 0.0
