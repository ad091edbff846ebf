"""What a still picture of a matrix view shows, as numbers and words; nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..apart import shown_map
from ..attention import Attention
from ..filters import COMBINED, apply_special, merge_heads
from ..overview import SupportsPreview
from ..pooling import Pool
from ..scale import full_value
from ..selection import MatrixState, shown_positions
from ..slices import layer_full_value
from .grid import cells_of
from .reading import Joint
from .sampling import Values, query_spacing, strongest_cell
from .scene import Side, links_of, sides_of, starts_of

_BLOCK: Final = 2_000_000
"""Weights of one head read at a time."""
_FEWER: Final = 4
_FULL_WEIGHTS: Final = 4_000_000
"""Of larger layers, the magnitude at full strength is that of the weights read."""
Strongest = tuple[int, int, float]
"""Query, key and value of a weight; value 0 where there is none."""
PINNED_READ: Final = 16
"""Most pinned queries read for the answer; more would hardly be named in a sentence."""


@dataclass(frozen=True)
class MatrixScene:
    """Everything a picture of a matrix view depends on, read from the map.

    Positions are those of the axes shown: words where sub-words are merged.
    """

    state: MatrixState
    name: str
    kind: str
    layers: int
    heads: int
    """How many heads the map has; ``state.heads`` are those shown."""
    query: Side
    key: Side
    queries: range
    """The queries shown, all of them."""
    keys: range
    every: int
    """Every so many of the queries are read: 1 where all are."""
    how: str
    """How the source found rough means of the cells; empty where they come from what is read."""
    cells: Values
    """``(r, c)``: pooled weights, or shares of the row's largest on that scale; NaN is missing,
    −inf masked."""
    causal: bool
    """Whether the zeros above the diagonal are those of a causal mask; in ``cells`` they are
    masked."""
    full: float
    joint: tuple[bool, Joint] | None
    """The joint attention of what is pinned, and whether that is queries."""
    strongest: Strongest
    """The strongest weight read, special tokens apart."""
    special_apart: bool
    """Whether a special token has a weight that is larger."""
    row_sums: tuple[float, float] | None
    special_share: float
    missing: int
    """Weights read that are NaN."""
    links: tuple[tuple[int, int], ...]
    """The given links within the part shown, counted from its start."""

    @property
    def pinned(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The pinned queries and keys within the part shown, counted from its start."""
        return (
            tuple(p - self.queries.start for p in self.query.pinned if p in self.queries),
            tuple(p - self.keys.start for p in self.key.pinned if p in self.keys),
        )


def read_matrix(attention: Attention, state: MatrixState) -> MatrixScene:
    """Read from a map what a picture of its matrix in some state shows.

    Where that takes long, every so many queries are read: never more than 24 million weights, and
    fewer where 0.3 s would not do.
    """
    shown = shown_map(attention, state.words, state.aside)
    starts = starts_of(attention, state)
    query, key = sides_of(shown, state, starts)
    queries, keys = _spans(shown, state, starts)
    reader = _Reader(shown, state, queries, keys)
    every = 1
    if reader.rows_weights:
        every = query_spacing(queries, reader.rows_weights, lambda rows: reader.rows(rows))
    rough = _preview(reader) if every > 1 else None
    # Where the source knows what the cells are like, fewer rows do for what is said of them.
    tally = _Tally(reader, key, every if rough is None else _FEWER * every)
    cells = tally.cells()
    how = ""
    if rough is not None:
        cells, how = rough
    full = _full(attention, state, every, tally.largest)
    causal = attention.kind == "weight" and _is_causal(cells, queries, keys, shown)
    if causal:
        cells = _mask_causal(cells, queries, keys, shown)
    return MatrixScene(
        state=state,
        name=attention.name,
        kind=attention.kind,
        layers=attention.shape[0],
        heads=attention.shape[1],
        query=query,
        key=key,
        queries=queries,
        keys=keys,
        every=tally.rows.step,
        how=how,
        cells=cells,
        causal=causal,
        full=full,
        joint=_joint(reader, tally, query, key),
        strongest=tally.strongest,
        special_apart=tally.special_apart,
        row_sums=tally.row_sums if attention.kind == "weight" else None,
        special_share=tally.special / tally.total if tally.total > 0 else 0.0,
        missing=tally.missing,
        links=tuple(
            (at - queries.start, to - keys.start)
            for at, to in links_of(state, starts)
            if at in queries and to in keys
        ),
    )


def _preview(reader: _Reader) -> tuple[Values, str] | None:
    """Return what the source knows of the cells at once, and how; None where it can't know."""
    source, state = reader.shown.source, reader.state
    if (
        not isinstance(source, SupportsPreview)
        or state.pool != "mean"
        or len(state.heads) != 1
        or state.special != "show"
        or reader.by_row
    ):
        return None
    queries, keys = reader.queries, reader.keys
    return source.preview(
        state.layer,
        state.heads[0],
        slice(queries.start, queries.stop),
        slice(keys.start, keys.stop),
        cells_of(len(queries), len(keys)).count,
        cells_of(len(keys), len(queries)).count,
    )


def coarser_scene(scene: MatrixScene, most: int) -> MatrixScene:
    """Return a scene with at most ``most`` cells a side, pooled anew from those there are."""
    rows, columns = scene.cells.shape
    pool = Pool(rows, columns, (min(rows, most), min(columns, most)))
    pool.add(np.arange(rows), scene.cells)
    pooled = pool.means() if scene.state.pool == "mean" else pool.strongest()
    return replace(scene, cells=pooled)


def _spans(
    shown: Attention,
    state: MatrixState,
    starts: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[range, range]:
    _, _, queries, keys = shown.shape
    if state.window is None:
        return range(queries), range(keys)
    top, bottom, left, right = state.window
    rows, columns = (
        shown_positions((first, last - 1), start)
        for first, last, start in ((top, bottom, starts[0]), (left, right, starts[1]))
    )
    return range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1)


class _Reader:
    """Reads rows of one head, or of several as one, as the picture shows them."""

    def __init__(self, shown: Attention, state: MatrixState, queries: range, keys: range) -> None:
        self.shown, self.state = shown, state
        self.queries, self.keys = queries, keys
        self.by_row = state.scale == "row"
        everything = self.by_row or state.special == "renormalise"
        self.read_keys = range(shown.shape[3]) if everything else keys
        self.rows_weights = len(state.heads) * len(self.read_keys)

    def rows(self, queries: range, keys: range | None = None) -> tuple[Values, Values]:
        """Return the weights shown of some queries, and those before special ones are left out.

        Both are ``(len(queries), len(keys))``; without ``keys`` they are those that need be read.
        """
        keys = self.read_keys if keys is None else keys
        part = slice(queries.start, queries.stop, queries.step), slice(keys.start, keys.stop)
        heads = (self.shown[self.state.layer, head, part[0], part[1]] for head in self.state.heads)
        if len(self.state.heads) == 1:
            merged = next(heads)[None]
        else:
            merged = merge_heads(heads, "max" if self.state.combine == "max" else "mean")
        special = [
            [span.index(position) for position in axis.special if position in span]
            for axis, span in ((self.shown.queries, queries), (self.shown.keys, keys))
        ]
        drawn, original = apply_special(merged, self.state.special, special[0], special[1])
        return drawn[0], original[0]


class _Tally:
    """Goes through the rows of a picture once and keeps what the picture says of them."""

    def __init__(self, reader: _Reader, key: Side, every: int) -> None:
        self._reader = reader
        # From the middle of each stretch, so that what runs along the diagonal stays on it.
        self.rows = reader.queries[min(every // 2, max(0, len(reader.queries) - 1)) :: every]
        self.largest = 0.0
        self.total = self.special = 0.0
        self.missing = 0
        self._any: Strongest = (0, 0, 0.0)
        self._ordinary: Strongest = (0, 0, 0.0)
        self.row_sums: tuple[float, float] | None = None
        keys = reader.keys
        self._special = [p - keys.start for p in key.special if p in keys]
        self._pinned = [p - keys.start for p in key.pinned if p in keys]
        self.columns = np.full((reader.shown.shape[2], len(self._pinned)), np.nan, np.float32)
        """The weights of pinned keys, ``(Q, pins)``; NaN where not read."""

    def cells(self) -> Values:
        """Read, and return the cells."""
        reader = self._reader
        queries, keys = reader.queries, reader.keys
        high = min(cells_of(len(queries), len(keys)).count, max(1, len(queries) // self.rows.step))
        wide = cells_of(len(keys), len(queries)).count
        if not (high and wide and reader.state.heads):
            return np.zeros((0, 0), np.float32)
        pool = Pool(len(queries), len(keys), (high, wide))
        block = max(1, _BLOCK // len(reader.read_keys))
        for first in range(0, len(self.rows), block):
            rows = self.rows[first : first + block]
            pool.add(np.asarray(rows, np.intp) - queries.start, self._take(rows))
        return pool.means() if reader.state.pool == "mean" else pool.strongest()

    def _take(self, rows: range) -> Values:
        """Read some rows, note what they tell, and return the part of them to be pooled."""
        reader = self._reader
        drawn, original = reader.rows(rows)
        left = reader.keys.start - reader.read_keys.start
        inside = slice(left, left + len(reader.keys))
        window = drawn[:, inside]
        self._note(rows, window, original)
        if not reader.by_row:
            return window
        finite = np.where(np.isfinite(drawn), np.abs(drawn), 0)
        most = finite.max(axis=1, keepdims=True, initial=0.0)
        return np.asarray(np.divide(window, np.where(most > 0, most, 1)), dtype=np.float32)

    def _note(self, rows: range, window: Values, original: Values) -> None:
        self.columns[rows.start : rows.stop : rows.step] = window[:, self._pinned]
        if window.size:
            self._note_strongest(rows, np.where(window == -np.inf, np.float32(np.nan), window))
        with np.errstate(invalid="ignore"):
            sums = original.sum(axis=1, dtype=np.float64)
        self.missing += int(np.isnan(original).sum()) if np.isnan(sums).any() else 0
        if len(self._reader.read_keys) < self._reader.shown.shape[3]:
            return
        finite_sums = sums[np.isfinite(sums)]
        if finite_sums.size:
            span = float(finite_sums.min()), float(finite_sums.max())
            before = self.row_sums or span
            self.row_sums = min(before[0], span[0]), max(before[1], span[1])
        special = [*self._reader.shown.keys.special]
        self.total += _finite_sum(original)
        self.special += _finite_sum(original[:, special]) if special else 0.0

    def _note_strongest(self, rows: range, window: Values) -> None:
        keys = self._reader.keys
        ordinary = np.ones(window.shape[1], dtype=bool)
        row, column, most = strongest_cell(window, ordinary)
        self._any = max(self._any, (rows[row], keys[column], most), key=_magnitude)
        if np.isinf(most):
            most = float(np.where(np.isfinite(window), np.abs(window), 0).max())
        self.largest = max(self.largest, abs(most))
        ordinary[self._special] = False
        row, column, most = strongest_cell(window, ordinary)
        self._ordinary = max(self._ordinary, (rows[row], keys[column], most), key=_magnitude)

    @property
    def strongest(self) -> Strongest:
        """The strongest weight; that of special keys only where there is no other."""
        return self._ordinary if self._ordinary[2] else self._any

    @property
    def special_apart(self) -> bool:
        """Whether a special key has a weight that is larger."""
        return _magnitude(self._any) > _magnitude(self.strongest)


def _magnitude(strongest: Strongest) -> float:
    return abs(strongest[2])


def _finite_sum(values: Values) -> float:
    total = float(np.abs(values).sum(dtype=np.float64))
    if np.isfinite(total):
        return total
    return float(np.where(np.isfinite(values), np.abs(values), 0).sum(dtype=np.float64))


def _full(attention: Attention, state: MatrixState, every: int, largest: float) -> float:
    """Return the magnitude at full strength: the same as in other views where reading is cheap."""
    _, heads, queries, keys = attention.shape
    if every == 1 and heads * queries * keys <= _FULL_WEIGHTS:
        return layer_full_value(attention, state.layer)
    return full_value(np.array([largest], np.float32), attention.kind)


def _joint(reader: _Reader, tally: _Tally, query: Side, key: Side) -> tuple[bool, Joint] | None:
    """Return the joint attention of what is pinned within the part shown."""
    pinned = [position for position in query.pinned if position in reader.queries]
    keys = [position for position in key.pinned if position in reader.keys]
    if not reader.state.heads or not (pinned or keys):
        return None
    if pinned:
        everything = range(reader.shown.shape[3])
        rows = [
            reader.rows(range(position, position + 1), everything)[0][0]
            for position in pinned[:PINNED_READ]
        ]
        weights = np.stack(rows)
        if keys:
            others = np.ones(weights.shape[1], dtype=bool)
            others[keys] = False
            weights[:, others] = 0
    else:
        weights = tally.columns.T
    present = ~np.isnan(weights) & (weights != 0) & (weights != -np.inf)
    with np.errstate(invalid="ignore"):
        mean = np.where(present, weights, 0).sum(axis=0, dtype=np.float64) / len(weights)
    mean[~present.any(axis=0)] = np.nan
    count = len(mean)
    joint = Joint(
        mean.astype(np.float32),
        np.zeros(count, np.float32),
        np.full(count, COMBINED, np.uint16),
    )
    return bool(pinned), joint


def _above_diagonal(
    shape: tuple[int, int], queries: range, keys: range, shown: Attention
) -> NDArray[np.bool_]:
    """Mark the cells whose every key comes after its every query; the last query sees all keys."""
    offset = shown.shape[3] - shown.shape[2]
    last_query = queries.start + _borders(len(queries), shape[0])[1:] - 1
    first_key = keys.start + _borders(len(keys), shape[1])[:-1]
    return np.asarray(first_key[None, :] > last_query[:, None] + offset)


def _borders(count: int, cells: int) -> NDArray[np.int64]:
    """Return where each cell begins, and where the last one ends."""
    return np.asarray(-(-np.arange(cells + 1) * count // cells), dtype=np.int64)


def _is_causal(cells: Values, queries: range, keys: range, shown: Attention) -> bool:
    if cells.size == 0 or shown.shape[3] < shown.shape[2]:
        return False
    above = cells[_above_diagonal((cells.shape[0], cells.shape[1]), queries, keys, shown)]
    return bool(above.size and ((above == 0) | (above == -np.inf)).all())


def _mask_causal(cells: Values, queries: range, keys: range, shown: Attention) -> Values:
    """Tell the zeros that a causal mask makes from weights that are merely 0."""
    above = _above_diagonal((cells.shape[0], cells.shape[1]), queries, keys, shown)
    return np.where(above, np.float32(-np.inf), cells)
