"""The strongest lines of a layer, between positions or blocks of them, and the rest pooled."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import protocol
from ..apart import set_aside, words_apart
from ..attention import Attention
from ..codec import pack
from ..filters import Edges, Filter, apply_special, merge_heads, select_edges
from ..memory import Memory
from ..pooling import bin_runs, bin_starts, spread
from ..slices import FULL_VALUE_BYTES, Strongest, edge_parts, layer_full_value
from ..streams import read_queries, row_blocks
from .fields import Request, Steps, cells, position, positions, required, with_words, within

BLOCKED_CELLS: Final = 1 << 26
"""Weights read for lines between blocks; of more, the mean is that of some queries of each."""

HALF_MOST: Final = 65504
"""The largest finite float16."""

Focus = tuple[str, list[int]]


@dataclass(frozen=True)
class Lines:
    """What is asked for, of a map whose words may be merged."""

    shown: Attention
    layer: int
    heads: list[int]
    filters: Filter
    focus: Focus | None
    full: float


def answer_edges(attention: Attention, request: Request, memory: Memory) -> Steps:
    """Answer with the lines that the filters keep: the strongest ones, and blocks of the rest.

    Raises:
        ValueError: if something is missing or out of range, or too many weights would be filtered.
    """
    layer = within(request, "layer", attention.shape[0])
    shown = with_words(attention, request)
    aside = positions("aside", request.get("aside") or (), attention.shape[3])
    shown = set_aside(shown, aside if shown is attention else words_apart(attention.keys, aside))
    filters = _filters(request)
    heads = positions("heads", required(request, "heads"), attention.shape[1])
    limit = position("limit", request.get("limit", protocol.EDGES_LIMIT), protocol.EDGES_LIMIT + 1)
    size: tuple[int, int] = shown.shape[2], shown.shape[3]
    blocks = None
    if request.get("blocks") is not None:
        if attention.kind == "score":
            raise ValueError("blocks must be None for scores, which can't be summed; got blocks")
        blocks = size = cells(request, "blocks", size)
    focus = _focus(request, size)
    lines = Lines(shown, layer, heads, filters, focus, 1.0)
    read = len(heads) * _read(lines) if blocks is None else 0
    if read > protocol.EDGES_CELLS:
        raise ValueError(
            f"lines are drawn all at once from at most {protocol.EDGES_CELLS} weights; this layer "
            f"has {read} (pin tokens, or show fewer heads)"
        )
    lines = replace(lines, full=_full_of(attention, layer, memory) if heads else 1.0)
    exact, how = True, ""
    found = Strongest(limit, *size, len(set(heads)) if filters.combine == "each" else 1)
    if blocks is None:
        for done, part in enumerate(_focused(lines), 1):
            found.add(part)
            yield min(1.0, done / len(heads))
    else:
        exact, how = yield from _between_blocks(lines, blocks, found, memory)
    strong, haze = found.edges, found.haze()
    fields = {
        "layer": layer,
        "total": strong.total,
        "kept": strong.kept,
        "special": strong.special_share,
        "missing": strong.missing,
        "fog_heads": haze.heads,
        "size": list(size),
        "exact": exact,
        "how": how,
    }
    arrays: dict[str, tuple[NDArray[Any], str]] = {
        "query": (strong.query, "u4"),
        "key": (strong.key, "u4"),
        "head": (strong.head, "u2"),
        "weight": (strong.weight, "f4"),
        "strength": (strong.strength, "f4"),
    }
    for name, pooled in (
        ("fog", haze.strength),
        ("fog_query", haze.query),
        ("fog_key", haze.key),
    ):
        arrays[name] = np.minimum(pooled, HALF_MOST), "f2"
    return fields, {name: pack(values, dtype) for name, (values, dtype) in arrays.items()}


def _full_of(attention: Attention, layer: int, memory: Memory) -> float:
    """Return the magnitude a layer draws at full strength, read only once."""
    _, heads, queries, keys = attention.shape
    if heads * queries * keys * 4 <= FULL_VALUE_BYTES:
        if layer not in memory.full:
            memory.full[layer] = layer_full_value(attention, layer)
        return memory.full[layer]
    # What is remembered there of larger layers grows with what was seen of them, but lines in
    # focus must be as strong as they are among all.
    kept = memory.arrays(("full", layer))
    if kept is None:
        kept = (np.array(layer_full_value(attention, layer)),)
        memory.keep_arrays(("full", layer), kept)
    return float(kept[0])


def _filters(request: Request) -> Filter:
    top_k = request.get("top_k")
    return Filter(
        combine=required(request, "combine"),
        direction=required(request, "direction"),
        mass=float(required(request, "mass")),
        threshold=float(required(request, "threshold")),
        top_k=None if top_k is None else position("top_k", top_k, 2**53),
        special=required(request, "special"),
        scale=required(request, "scale"),
    )


def _focus(request: Request, size: tuple[int, int]) -> Focus | None:
    given = request.get("focus")
    if given is None:
        return None
    side = given.get("side") if isinstance(given, dict) else None
    if side not in ("query", "key"):
        raise ValueError(f"focus must have a side, 'query' or 'key', and positions; got {given!r}")
    length = size[0] if side == "query" else size[1]
    return side, sorted(set(positions("focus", given.get("positions") or (), length)))


def _alone(attention: Attention, filters: Filter, side: str) -> bool:
    """Return whether the filters decide about the lines of a position without all the others."""
    across = "attended_by" if side == "query" else "attends_to"
    if filters.direction == across and (filters.ranks or filters.scale == "row"):
        return False
    if filters.special != "renormalise":
        return True
    # Rows are renormalised wherever there is anything special, be it another query.
    queries, keys = bool(attention.queries.special), bool(attention.keys.special)
    return keys or not queries if side == "query" else not (keys or queries)


def _read(lines: Lines) -> int:
    """Return how many weights of a head have to be read."""
    queries, keys = lines.shown.shape[2:]
    if lines.focus is None or not _alone(lines.shown, lines.filters, lines.focus[0]):
        return queries * keys
    return len(lines.focus[1]) * (keys if lines.focus[0] == "query" else queries)


def _focused(lines: Lines) -> Iterator[Edges]:
    shown, layer, heads, filters = lines.shown, lines.layer, lines.heads, lines.filters
    if lines.focus is None:
        yield from edge_parts(shown, layer, heads, filters, full=lines.full)
        return
    side, at = lines.focus
    if not _alone(shown, filters, side):
        yield from edge_parts(shown, layer, heads, filters, full=lines.full, only=lines.focus)
        return
    part = shown.select(queries=at) if side == "query" else shown.select(keys=at)
    numbers = np.asarray(at, np.uint32)
    keys = shown.shape[3]
    for edges in edge_parts(part, layer, heads, filters, full=lines.full, keys=keys):
        if side == "query":
            yield replace(edges, query=numbers[edges.query])
        else:
            yield replace(edges, key=numbers[edges.key])


@dataclass(frozen=True)
class Blocks:
    """One head, or several merged, as means over queries of sums over keys."""

    drawn: NDArray[np.float32]
    """(rows, cols): what the filters decide about."""
    accounts: NDArray[np.float32]
    """(rows, cols): the magnitude it came from, of all queries of a block together."""
    special: float
    missing: int


def _between_blocks(
    lines: Lines, size: tuple[int, int], found: Strongest, memory: Memory
) -> Generator[float, None, tuple[bool, str]]:
    """Sum weights over the keys of a block, average them over its queries, then filter."""
    shown, heads, filters = lines.shown, lines.heads, lines.filters
    queries, keys = shown.shape[2:]
    rows = _sampled(queries, size[0], BLOCKED_CELLS // max(1, len(heads) * keys))
    # Words merged or not tell by the length of the axes.
    what = lines.layer, filters.combine, filters.special, shown.keys.special, shown.shape
    same = ("blocks", *what, size, len(rows))
    groups = [[head] for head in heads] if filters.combine == "each" else [heads] if heads else []
    for done, group in enumerate(groups):
        blocks = _kept_blocks(memory, (*same, *group))
        if blocks is None:
            blocks = yield from _blocks_of(lines, group, rows, size, (done, len(groups)))
            told = np.array([blocks.special, blocks.missing])
            memory.keep_arrays((*same, *group), (blocks.drawn, blocks.accounts, told))
        selected = select_edges(
            blocks.drawn[None],
            group[:1],
            replace(filters, special="show"),
            full=lines.full,
            only=lines.focus,
        )
        inside = _inside(lines.focus, size)
        found.add(
            replace(
                selected,
                total=float(blocks.accounts[inside].sum(dtype=np.float64)),
                kept=float(blocks.accounts[selected.query, selected.key].sum(dtype=np.float64)),
                special=blocks.special,
                missing=blocks.missing,
            )
        )
        yield (done + 1) / len(groups)
    exact = len(rows) == queries
    return exact, "" if exact else f"from {len(rows)} of {queries} queries"


def _kept_blocks(memory: Memory, key: tuple[object, ...]) -> Blocks | None:
    kept = memory.arrays(key)
    if kept is None:
        return None
    drawn, accounts, told = kept
    return Blocks(drawn, accounts, float(told[0]), int(told[1]))


def _blocks_of(
    lines: Lines,
    group: list[int],
    rows: NDArray[np.intp],
    size: tuple[int, int],
    turn: tuple[int, int],
) -> Generator[float, None, Blocks]:
    """Pool some queries of one head, or of several merged; it is its turn after some of all."""
    shown = lines.shown
    queries, keys = shown.shape[2:]
    weights = np.maximum(np.bincount(rows * size[0] // max(queries, 1), minlength=size[0]), 1)
    lengths = np.diff(bin_starts(queries, size[0]), append=queries)
    drawn, original = np.zeros(size), np.zeros(size)
    special, missing, done = 0.0, 0, 0
    for at in row_blocks(shown, rows, keys * len(group)):
        parts = apply_special(
            _merged(lines, group, at),
            lines.filters.special,
            np.flatnonzero(np.isin(at, shown.queries.special)).tolist(),
            shown.keys.special,
        )
        bins = at * size[0] // queries
        for pooled, values in zip((drawn, original), parts, strict=True):
            pooled += _summed(values[0], bins, size, keys)
        missing += int(np.isnan(parts[1]).sum())
        outside = np.abs(parts[1][0][:, list(shown.keys.special)])
        factor = (lengths / weights)[bins]
        special += float((np.where(np.isfinite(outside), outside, 0).sum(axis=1) * factor).sum())
        done += len(at)
        yield (turn[0] + done / len(rows)) / turn[1]
    share = weights[:, None]
    accounts = np.abs(original / share) * lengths[:, None]
    return Blocks((drawn / share).astype(np.float32), accounts.astype(np.float32), special, missing)


def _merged(lines: Lines, group: list[int], at: NDArray[np.intp]) -> NDArray[np.float32]:
    cols = slice(0, lines.shown.shape[3])
    parts = (
        read_queries(lines.shown, lines.layer, slice(head, head + 1), at, cols)[0] for head in group
    )
    return next(parts)[None] if len(group) == 1 else merge_heads(parts, lines.filters.combine)


def _summed(
    values: NDArray[np.float32], bins: NDArray[np.intp], size: tuple[int, int], keys: int
) -> NDArray[np.float64]:
    """Return the finite weights of some rows, summed into all blocks."""
    with np.errstate(over="ignore", invalid="ignore"):
        plain = bool(np.isfinite(values.sum()))
    filled = values if plain else np.where(np.isfinite(values), values, 0)
    summed = np.add.reduceat(filled, bin_starts(keys, size[1]), axis=1, dtype=np.float64)
    pooled = np.zeros(size)
    np.add.at(pooled, bins, summed)
    return pooled


def _sampled(queries: int, blocks: int, most: int) -> NDArray[np.intp]:
    """Return the queries to read: all, or as many of each block, at least one."""
    if queries <= max(most, blocks):
        return np.arange(queries)
    each = max(1, most // blocks)
    runs = bin_runs(queries, blocks)
    return np.concatenate([spread(len(run), each) + run.start for run in runs])


def _inside(focus: Focus | None, size: tuple[int, int]) -> tuple[Sequence[int] | slice, ...]:
    if focus is None:
        return slice(None), slice(None)
    return (focus[1], slice(None)) if focus[0] == "query" else (slice(None), focus[1])
