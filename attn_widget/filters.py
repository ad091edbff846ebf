"""Which weights become lines: special positions, heads combined, mass, threshold, top-k.

``js/src/lines/edges.ts`` decides the same for the page; ``tests/wire/edges.json`` holds both to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .scale import SCALES, ScaleContext, strength

COMBINED: Final = 0xFFFF
"""Stands for the head number where heads are merged by mean or max."""

COMBINES: Final = ("each", "mean", "max")
DIRECTIONS: Final = ("attends_to", "attended_by")
SPECIALS: Final = ("show", "hide", "renormalise")


@dataclass(frozen=True)
class Filter:
    """The filters of a view; the defaults hide nothing.

    Raises:
        ValueError: if an option is none of those there are, or a number is out of range.
    """

    combine: str = "each"
    direction: str = "attends_to"
    mass: float = 1.0
    threshold: float = 0.0
    top_k: int | None = None
    special: str = "show"
    scale: str = "absolute"

    def __post_init__(self) -> None:
        for name, options in (
            ("combine", COMBINES),
            ("direction", DIRECTIONS),
            ("special", SPECIALS),
            ("scale", SCALES),
        ):
            value = getattr(self, name)
            if value not in options:
                raise ValueError(f"{name} must be one of {', '.join(options)}; got {value!r}")
        if not 0 <= self.mass <= 1:
            raise ValueError(f"mass must lie within 0 and 1; got {self.mass!r}")
        if not self.threshold >= 0:
            raise ValueError(f"threshold must be at least 0; got {self.threshold!r}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, or None; got {self.top_k!r}")

    @property
    def ranks(self) -> bool:
        """Whether a weight is kept or not by its rank among those of its row."""
        return self.mass < 1 or self.top_k is not None


@dataclass(frozen=True)
class Edges:
    """Lines as columns: entry ``i`` of each array describes line ``i``.

    ``total``, ``kept`` and ``special`` are sums of finite magnitudes before any renormalisation:
    all weight of the rows shown, the part that lines carry, and the part that falls on special
    keys. ``missing`` counts NaN cells.
    """

    query: NDArray[np.uint32]
    key: NDArray[np.uint32]
    head: NDArray[np.uint16]
    weight: NDArray[np.float32]
    strength: NDArray[np.float32]
    total: float
    kept: float
    special: float
    missing: int

    @property
    def hidden_share(self) -> float:
        """Share of the weight that no line carries, 0..1."""
        return max(0.0, 1.0 - self.kept / self.total) if self.total > 0 else 0.0

    @property
    def special_share(self) -> float:
        """Share of the weight that falls on special keys, 0..1."""
        return self.special / self.total if self.total > 0 else 0.0


_MERGES: Final = {
    "mean": (np.add, 0.0),
    "max": (np.maximum, -np.inf),
    "min": (np.minimum, np.inf),
}

_NO_EDGES: Final = Edges(
    query=np.zeros(0, np.uint32),
    key=np.zeros(0, np.uint32),
    head=np.zeros(0, np.uint16),
    weight=np.zeros(0, np.float32),
    strength=np.zeros(0, np.float32),
    total=0.0,
    kept=0.0,
    special=0.0,
    missing=0,
)


def combine_heads(weights: NDArray[np.float32], combine: str) -> NDArray[np.float32]:
    """Merge heads: ``(H, Q, K)`` to ``(1, Q, K)`` for mean and max, unchanged for each.

    See :func:`merge_heads` for how.
    """
    if combine == "each" or len(weights) <= 1:
        return weights
    return merge_heads(weights, combine)


def merge_heads(heads: Iterable[NDArray[np.float32]], combine: str) -> NDArray[np.float32]:
    """Merge heads of ``(Q, K)``, taken one at a time, into ``(1, Q, K)``: mean, maximum, minimum.

    Missing cells (NaN) are left out; a cell missing in all heads stays NaN. The mean of
    infinities of both signs is NaN.

    Args:
        heads: at least one.
        combine: ``"mean"``, ``"max"`` or ``"min"``.
    """
    merged: NDArray[np.float64] | None = None
    absent: NDArray[np.int64] | None = None
    count = 0
    how, start = _MERGES[combine]
    for head in heads:
        count += 1
        if merged is None:
            merged = np.full(head.shape, start)
        with np.errstate(invalid="ignore", over="ignore"):
            if np.isfinite(head.sum()):
                how(merged, head, out=merged)
                continue
            missing = np.isnan(head)
            absent = missing.astype(np.int64) if absent is None else absent + missing
            how(merged, head, out=merged, where=~missing)
    if merged is None:
        raise ValueError("heads must hold at least one head; got none")
    if combine == "mean":
        merged /= count if absent is None else np.maximum(count - absent, 1)
    if absent is not None:
        merged[absent == count] = np.nan
    return merged.astype(np.float32)[None]


def select_edges(
    weights: NDArray[np.float32],
    heads: Sequence[int],
    filters: Filter,
    *,
    full: float = 1.0,
    query_special: Sequence[int] = (),
    key_special: Sequence[int] = (),
    only: tuple[str, Sequence[int]] | None = None,
    keys: int | None = None,
) -> Edges:
    """Return the lines of one layer.

    Args:
        weights: ``(H, Q, K)``, the shown heads only.
        heads: the model's number of each of them, ``H`` ints.
        filters: see :class:`Filter`. ``mass`` keeps, for each query (or each key when the direction
            is ``"attended_by"``), the fewest strongest weights whose magnitudes reach that share of
            its finite total; ties go to the lower position. Infinite weights count nothing towards
            it and come first.
        full: the magnitude drawn at full strength, see :func:`attn_widget.scale.full_value`.
        query_special: positions on the query side treated as special.
        key_special: positions on the key side treated as special.
        only: a side, ``"query"`` or ``"key"``, and its positions: of all that the filters keep,
            only the lines and accounts of these.
        keys: keys of the map, where only some are given.
    """
    merged = combine_heads(weights, filters.combine)
    numbers = np.asarray(heads if filters.combine == "each" else [COMBINED] * len(merged))
    shown, original = apply_special(merged, filters.special, query_special, key_special)
    row_axis = -1 if filters.direction == "attends_to" else -2
    context = ScaleContext(full=full, keys=weights.shape[2] if keys is None else keys)
    strengths = strength(shown, filters.scale, context, axis=row_axis)

    magnitude = np.where(np.isnan(shown), 0, np.abs(shown))
    keep = magnitude > 0
    # Compared as float32: a weight stored as 0.7 passes a threshold of 0.7.
    with np.errstate(over="ignore"):
        keep &= magnitude >= np.float32(filters.threshold)
    if filters.ranks:
        keep &= _strongest(magnitude, filters)

    if only is not None:
        side, positions = only
        chosen = np.zeros(keep.shape[1 if side == "query" else 2], dtype=bool)
        chosen[list(positions)] = True
        inside = chosen[:, None] if side == "query" else chosen
        keep &= inside
        original = np.where(inside, original, 0)

    head, query, key = np.nonzero(keep)
    finite = np.where(np.isfinite(original), np.abs(original), 0).astype(np.float64)
    return Edges(
        query=query.astype(np.uint32),
        key=key.astype(np.uint32),
        head=numbers.astype(np.uint16)[head],
        weight=shown[head, query, key],
        strength=strengths[head, query, key],
        total=float(finite.sum()),
        kept=float(finite[head, query, key].sum()),
        special=float(finite[:, :, sorted(set(key_special))].sum()),
        missing=int(np.isnan(original).sum()),
    )


def apply_special(
    weights: NDArray[np.float32],
    special: str,
    query_special: Sequence[int],
    key_special: Sequence[int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights to draw and, for accounts, the weights they came from.

    Args:
        weights: ``(H, Q, K)``.
        special: ``"show"`` changes nothing. ``"hide"`` empties the rows of special queries and the
            columns of special keys. ``"renormalise"`` also divides each row by the sum of the
            finite magnitudes left of it, so that no signs cancel; an emptied row stays empty.
        query_special: special positions on the query side.
        key_special: special positions on the key side.
    """
    if special == "show" or not (len(query_special) or len(key_special)):
        return weights, weights
    original = weights.copy()
    original[:, list(query_special), :] = 0
    drawn = original.copy()
    drawn[:, :, list(key_special)] = 0
    if special == "renormalise":
        finite = np.where(np.isfinite(drawn), np.abs(drawn), 0)
        left = finite.sum(axis=2, keepdims=True, dtype=np.float64)
        drawn = np.divide(drawn, np.where(left > 0, left, 1)).astype(np.float32)
    return drawn, original


def join_edges(parts: Sequence[Edges]) -> Edges:
    """Return the lines of several heads as one, in their order."""
    every = [_NO_EDGES, *parts]
    return Edges(
        query=np.concatenate([part.query for part in every]),
        key=np.concatenate([part.key for part in every]),
        head=np.concatenate([part.head for part in every]),
        weight=np.concatenate([part.weight for part in every]),
        strength=np.concatenate([part.strength for part in every]),
        total=sum(part.total for part in every),
        kept=sum(part.kept for part in every),
        special=sum(part.special for part in every),
        missing=sum(part.missing for part in every),
    )


def take_edges(edges: Edges, which: NDArray[np.bool_] | NDArray[np.intp]) -> Edges:
    """Return some of the lines; the accounts stay those of all."""
    return replace(
        edges,
        query=edges.query[which],
        key=edges.key[which],
        head=edges.head[which],
        weight=edges.weight[which],
        strength=edges.strength[which],
    )


def _strongest(magnitude: NDArray[np.float32], filters: Filter) -> NDArray[np.bool_]:
    """Mark the weights that mass and top-k keep, a row (or column) at a time."""
    rows = magnitude if filters.direction == "attends_to" else magnitude.transpose(0, 2, 1)
    order = np.argsort(-rows, axis=-1, kind="stable")
    keep_ranked = np.ones(rows.shape, dtype=bool)
    if filters.top_k is not None:
        keep_ranked[..., filters.top_k :] = False
    if filters.mass < 1:
        ranked = np.take_along_axis(rows, order, axis=-1).astype(np.float64)
        finite = np.where(np.isfinite(ranked), ranked, 0)
        # One running sum gives both sides of the comparison, so that the page, which adds in the
        # same order, decides every tie alike.
        running = np.cumsum(finite, axis=-1)
        before = np.concatenate([np.zeros_like(running[..., :1]), running[..., :-1]], axis=-1)
        keep_ranked &= (before < filters.mass * running[..., -1:]) | np.isinf(ranked)
    keep = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(keep, order, keep_ranked, axis=-1)
    return keep if filters.direction == "attends_to" else keep.transpose(0, 2, 1)
