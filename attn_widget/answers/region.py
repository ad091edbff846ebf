"""A part of one head, or of several merged, pooled into the cells that a matrix view shows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..codec import Packed, pack
from ..codes import encode, is_signed
from ..evidence import entropy
from ..memory import Memory
from ..overview import Overview, SupportsOverview, SupportsPreview, SupportsReduction
from ..pooling import Pool, bin_means, finite_sums
from ..scale import full_value
from ..slices import FULL_VALUE_BYTES, layer_full_value
from ..streams import sampled_rows, stream_rows
from .fields import (
    ROOM,
    Request,
    Steps,
    cells,
    fitted,
    position,
    required,
    span,
    with_words,
    within,
)

T = TypeVar("T")

PATIENCE_S: Final = 0.3
"""What takes longer is shown roughly first."""

TRIAL: Final = 1 / 3
"""Share of that time after which it is judged at the earliest."""

CHEAP_CELLS: Final = 1 << 25
"""Beyond so many weights it isn't even tried."""

SAMPLED_CELLS: Final = 1 << 22
"""Weights that a rough answer is made from."""

SAMPLED_ROWS: Final = 16
"""Queries that a rough answer is made from at least."""


@dataclass(frozen=True)
class Part:
    """What is asked for, of a map whose words may be merged."""

    shown: Attention
    layer: int
    heads: list[int]
    combine: str
    rows: slice
    cols: slice
    size: tuple[int, int]
    words: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Queries and keys of the part."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def weights(self) -> int:
        """Weights that have to be read."""
        return len(self.heads) * self.shape[0] * self.shape[1]

    @property
    def whole_rows(self) -> bool:
        """Whether all keys are in it."""
        return self.shape[1] == self.shown.shape[3]

    @property
    def whole_cols(self) -> bool:
        """Whether all queries are in it."""
        return self.shape[0] == self.shown.shape[2]

    @property
    def source(self) -> object | None:
        """What may know a short cut: the source, where one head is shown as it is."""
        return self.shown.source if len(self.heads) == 1 and not self.words else None

    @property
    def reducer(self) -> SupportsReduction | None:
        """The source, where it reduces any part by itself and words are as they are."""
        source = self.shown.source
        return source if isinstance(source, SupportsReduction) and not self.words else None

    def reduced(self, most: int | None = None) -> Generator[float, None, tuple[Overview, int]]:
        """Let the source reduce the part; see :class:`SupportsReduction`."""
        reducer = self.reducer
        assert reducer is not None
        return reducer.reduce(
            self.layer, self.heads, self.combine, self.rows, self.cols, self.size, most
        )

    def vectors(self, name: str) -> tuple[object, ...]:
        """Return the key under which a vector of the shown heads is kept."""
        return name, self.layer, tuple(self.heads), self.combine, self.words


@dataclass(frozen=True)
class Cells:
    """What the cells hold, and how it was found."""

    max: NDArray[np.float32]
    mean: NDArray[np.float32]
    exact: bool
    how: str = ""


def answer_region(attention: Attention, request: Request, memory: Memory) -> Steps:
    """Answer with the strongest and the mean weight of each cell of a part.

    Raises:
        ValueError: if something is missing or out of range.
    """
    part = read_part(attention, request)
    found = None
    if request.get("exact") or part.weights <= CHEAP_CELLS:
        patience = None if request.get("exact") else PATIENCE_S
        found = yield from _exact_cells(part, memory, patience)
    if found is None:
        found = yield from _rough_cells(part)
    return _told(attention, part, found, request, memory)


def read_part(attention: Attention, request: Request) -> Part:
    """Return what a request asks for.

    Raises:
        ValueError: if something is missing or out of range.
    """
    shown = with_words(attention, request)
    _, count, queries, keys = shown.shape
    layer = within(request, "layer", shown.shape[0])
    heads = [position("heads", head, count) for head in required(request, "heads")]
    if not heads:
        raise ValueError("heads must hold at least one head; got none")
    combine = request.get("combine", "mean")
    if combine not in ("mean", "max"):
        raise ValueError(f"combine must be 'mean' or 'max'; got {combine!r}")
    rows, cols = span(request, "rows", queries), span(request, "cols", keys)
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    size = cells(request, "size", shape)
    # Two codes of two bytes a cell, and a number of four bytes a row and column.
    size = fitted(size, (ROOM - 4 * (size[0] + size[1])) // 4)
    return Part(shown, layer, heads, combine, rows, cols, size, shown is not attention)


def _exact_cells(
    part: Part, memory: Memory, patience: float | None
) -> Generator[float, None, Cells | None]:
    """Read all of it; None where that turns out to take longer than ``patience`` seconds."""
    source = part.source
    if part.reducer is not None:
        reduced = yield from _patient(part.reduced(), patience)
        return None if reduced is None else _overview(part, reduced[0], memory)
    if isinstance(source, SupportsOverview) and part.whole_rows and part.whole_cols:
        found = yield from _patient(
            source.overview(part.layer, part.heads[0], *part.size), patience
        )
        return None if found is None else _overview(part, found, memory)
    pool = Pool(*part.shape, part.size)
    totals, entropies = np.zeros(part.shape[1]), np.zeros(part.shape[0])
    signed = is_signed(part.shown.kind)
    rows = np.arange(part.rows.start, part.rows.stop)
    spent, done = 0.0, 0
    blocks = stream_rows(part.shown, part.layer, part.heads, part.combine, rows, part.cols)
    while True:
        started = perf_counter()
        taken = next(blocks, None)
        if taken is None:
            break
        at, block = taken[0] - part.rows.start, taken[1]
        pool.add(at, block)
        if part.whole_cols and not signed:
            totals += finite_sums(block)
        if part.whole_rows and not signed:
            entropies[at] = entropy(block)
        done += len(at)
        spent += perf_counter() - started
        if patience is not None and spent / done * len(rows) > patience and done < len(rows):
            return None
        yield done / len(rows)
    if not signed:
        if part.whole_cols:
            memory.keep_vector(part.vectors("totals"), part.shown.shape[3], part.cols, totals)
        if part.whole_rows:
            memory.keep_vector(part.vectors("entropy"), part.shown.shape[2], part.rows, entropies)
    return Cells(pool.strongest(), pool.means(), exact=True)


def _patient(
    steps: Generator[float, None, T], patience: float | None
) -> Generator[float, None, T | None]:
    """Go on while the whole seems to take no more than ``patience`` seconds; None where it does."""
    spent = 0.0
    while True:
        started = perf_counter()
        try:
            share = next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        spent += perf_counter() - started
        if patience is not None and spent > patience * max(share, TRIAL):
            steps.close()
            return None
        yield share


def _overview(part: Part, found: Overview, memory: Memory) -> Cells:
    if not is_signed(part.shown.kind):
        if part.whole_cols:
            totals = np.asarray(found.totals, dtype=np.float64)
            memory.keep_vector(part.vectors("totals"), part.shown.shape[3], part.cols, totals)
        if part.whole_rows and found.entropy is not None:
            entropies = np.asarray(found.entropy, dtype=np.float64)
            memory.keep_vector(part.vectors("entropy"), part.shown.shape[2], part.rows, entropies)
    return Cells(found.max, found.mean, exact=True)


def _rough_cells(part: Part) -> Generator[float, None, Cells]:
    """Make a rough answer: the source's own, or one from queries that are evenly spread."""
    source = part.source
    if isinstance(source, SupportsPreview):
        mean, how = source.preview(part.layer, part.heads[0], part.rows, part.cols, *part.size)
        return Cells(mean, mean, exact=False, how=how)
    if part.reducer is not None:
        found, read = yield from part.reduced(SAMPLED_CELLS)
        return _sampled(part, found.max, found.mean, read)
    width = len(part.heads) * part.shape[1]
    count = max(SAMPLED_ROWS, SAMPLED_CELLS // width)
    rows = sampled_rows(part.shown, part.rows, count, width)
    pool = Pool(*part.shape, part.size)
    done = 0
    blocks = stream_rows(part.shown, part.layer, part.heads, part.combine, rows, part.cols)
    for queries, block in blocks:
        pool.add(queries - part.rows.start, block)
        done += len(queries)
        yield done / len(rows)
    return _sampled(part, pool.strongest(), pool.means(), len(rows))


def _sampled(
    part: Part, strongest: NDArray[np.float32], means: NDArray[np.float32], queries: int
) -> Cells:
    exact = queries == part.shape[0]
    how = "" if exact else f"from {queries} of {part.shape[0]} queries"
    return Cells(strongest, means, exact, how)


def _told(
    attention: Attention, part: Part, found: Cells, request: Request, memory: Memory
) -> tuple[dict[str, Any], dict[str, Packed]]:
    full = full_of(attention, part.layer, found.max, memory)
    signed = is_signed(attention.kind)
    fields = {
        **{name: request.get(name) for name in ("layer", "heads", "rows", "cols")},
        "combine": part.combine,
        "size": list(part.size),
        "words": part.words,
        "full": full,
        "signed": signed,
        "exact": found.exact,
        "how": found.how,
    }
    arrays = {"max": pack(encode(found.max, full, signed), "u2")}
    if part.size != part.shape:
        arrays["mean"] = pack(encode(found.mean, full, signed), "u2")
    for name, where, bins in (
        ("totals", part.cols, part.size[1]),
        ("entropy", part.rows, part.size[0]),
    ):
        vector = memory.vector(part.vectors(name), where)
        if vector is not None:
            arrays[name] = pack(bin_means(vector, bins).astype(np.float32), "f4")
    return fields, arrays


def full_of(attention: Attention, layer: int, seen: NDArray[np.float32], memory: Memory) -> float:
    """Return the magnitude a layer draws at full strength, as far as it is known by now.

    Layers of moderate size are read; of larger ones it is the largest seen so far.
    """
    if layer not in memory.full:
        _, heads, queries, keys = attention.shape
        moderate = heads * queries * keys * 4 <= FULL_VALUE_BYTES
        memory.full[layer] = layer_full_value(attention, layer) if moderate else 0.0
    # A map of zeros has a full value of 1, which must not stay where more is seen.
    most = full_value(seen, attention.kind)
    largest = float(np.abs(seen[np.isfinite(seen)]).max(initial=0.0))
    memory.full[layer] = max(memory.full[layer], most if largest else 0.0)
    return memory.full[layer] or most
