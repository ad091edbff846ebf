"""What a still picture of a heads view shows, as numbers and words; nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..answers.statistics import STATISTICS, describe_heads, head_places
from ..attention import Attention
from ..pooling import Pool, spread
from ..scale import full_value
from ..selection import HeadsState
from ..streams import read_queries
from .reading import Piece, format_weight
from .sampling import SECONDS, Values
from .shading import Shading

MOST_CELLS: Final = 48
"""Cells of a thumbnail on either side."""
MOST_FLOWING: Final = 60
"""Most heads of a picture in which they don't stand in a row a layer."""
_WEIGHTS: Final = 8_000_000
"""Weights read for a picture, where that is enough for a few queries of each head."""
_LEAST_ROWS: Final = 4

PATTERNS: Final[dict[str, tuple[str, str, float]]] = {
    "previous": ("previous token", "previous", 0.4),
    "next": ("next token", "next", 0.4),
    "sink": ("sink", "sink", 0.5),
    "uniform": ("near uniform", "entropy", 0.85),
    "sharp": ("sharp", "confidence", 0.75),
    "induction": ("induction", "induction", 0.4),
}
"""What each pattern is called, which statistic tells it, and from which value on; as
``js/src/heads/statistics.ts`` says."""

NAMES: Final = {
    "entropy": "entropy",
    "confidence": "confidence",
    "sink": "sink share",
    "distance": "distance",
    "previous": "previous token",
    "next": "next token",
    "induction": "induction",
    "special": "special tokens",
    "image": "image",
}
"""What the statistics are called, as on the page."""

MEANINGS: Final = {
    "entropy": "mean entropy of the rows, 0 (one key) – 1 (all keys alike)",
    "confidence": "mean of the rows' largest weights",
    "sink": "largest mean weight that one key receives",
    "distance": "mean distance from query to key, as a share of the length",
    "previous": "share of the weight on the key just before its query",
    "next": "share of the weight on the key just after its query",
    "induction": "share of the weight on keys that follow an earlier copy of the query's token",
    "special": "share of the weight on special tokens",
    "image": "share of the weight on the image",
}
"""What the statistics are, as the page says it."""


@dataclass(frozen=True)
class HeadsScene:
    """Everything a picture of a heads view depends on, read from the map."""

    state: HeadsState
    name: str
    kind: str
    shape: tuple[int, int, int, int]
    cells: Values
    """``(L, H, r, c)``: pooled weights, or shares of the row's largest on that scale; NaN is
    missing, −inf masked."""
    read: int
    """Layers read: those after are not shown."""
    rows: int
    """Queries read of each head."""
    full: float
    statistics: NDArray[np.float64]
    """``(L, H, 9)``, in the order of ``STATISTICS``; NaN where not read."""

    @property
    def order(self) -> NDArray[np.intp]:
        """Heads as ``layer * H + head``, in the order shown; all of them."""
        count = self.shape[0] * self.shape[1]
        if self.state.sort == "layer":
            return np.arange(count)
        values = self.statistic(self.state.sort).reshape(-1)
        return np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")

    @property
    def flowing(self) -> bool:
        """Whether heads stand in the order of a statistic, not in a row a layer."""
        return self.state.sort != "layer"

    @property
    def all_heads(self) -> bool:
        """Whether all heads of the layer are shown, and not one of several chosen."""
        return len(self.state.heads) == self.shape[1] > 1

    @property
    def strong(self) -> NDArray[np.bool_]:
        """Which heads, ``(L, H)``, are of the pattern asked for."""
        if self.state.pattern is None:
            return np.ones(self.shape[:2], dtype=bool)
        return self.of_pattern(self.state.pattern)

    def of_pattern(self, pattern: str) -> NDArray[np.bool_]:
        """Return which heads, ``(L, H)``, are of a pattern."""
        _, statistic, least = PATTERNS[pattern]
        return np.asarray(np.nan_to_num(self.statistic(statistic), nan=-np.inf) >= least)

    def statistic(self, name: str) -> NDArray[np.float64]:
        """Return a statistic of all heads, ``(L, H)``."""
        return np.asarray(self.statistics[..., STATISTICS.index(name)])

    @property
    def shading(self) -> Shading:
        """How cells are coloured."""
        state = self.state
        return Shading(
            self.kind, state.scale, self.full, self.shape[3], state.colormap, state.theme
        )


def read_heads(attention: Attention, state: HeadsState, size: tuple[int, int]) -> HeadsScene:
    """Read from a map what a picture of its heads in some state shows.

    Of large maps only some queries of each head are read, evenly spread; where even that takes
    long, only the first layers.

    Args:
        attention: the map.
        state: what is shown of it.
        size: cells of a thumbnail, at most as many as queries and keys.
    """
    layers, heads, queries, keys = attention.shape
    cells = np.full((layers, heads, *size), np.nan, np.float32)
    statistics = np.full((layers, heads, len(STATISTICS)), np.nan)
    places = head_places(attention)
    largest, read = 0.0, 0
    width = layers * heads * keys
    count = min(queries, max(_LEAST_ROWS, _WEIGHTS // max(1, width)))
    began = perf_counter()
    for layer in range(layers if cells.size else 0):
        rows = spread(queries, count)
        block = read_queries(attention, layer, slice(0, heads), rows, slice(0, keys))
        largest = max(largest, _largest(block))
        statistics[layer] = describe_heads(block, rows, places)
        for head, weights in enumerate(block):
            cells[layer, head] = _pooled(weights, rows, queries, size, state.scale == "row")
        read += 1
        spent = perf_counter() - began
        if spent > 1.5 * SECONDS:
            break
        if layer == 0 and spent * layers > 1.5 * SECONDS:
            count = max(1, int(count * SECONDS / (spent * layers)))
    return HeadsScene(
        state=state,
        name=attention.name,
        kind=attention.kind,
        shape=attention.shape,
        cells=cells,
        read=read,
        rows=count,
        full=full_value(np.array([largest], np.float32), attention.kind),
        statistics=statistics,
    )


def coarser_heads(scene: HeadsScene, most: int) -> HeadsScene:
    """Return a scene whose thumbnails have at most ``most`` cells a side, pooled anew."""
    layers, heads, rows, columns = scene.cells.shape
    size = min(rows, most), min(columns, most)
    cells = np.empty((layers, heads, *size), np.float32)
    for layer in range(layers):
        for head in range(heads):
            pool = Pool(rows, columns, size)
            pool.add(np.arange(rows), scene.cells[layer, head])
            cells[layer, head] = pool.strongest()
    return replace(scene, cells=cells)


def _pooled(
    weights: Values, rows: NDArray[np.intp], queries: int, size: tuple[int, int], by_row: bool
) -> Values:
    if by_row:
        finite = np.where(np.isfinite(weights), np.abs(weights), 0)
        most = finite.max(axis=1, keepdims=True, initial=0.0)
        weights = np.divide(weights, np.where(most > 0, most, 1), dtype=np.float32)
    pool = Pool(queries, weights.shape[1], size)
    pool.add(rows, weights)
    return pool.strongest()


def _largest(weights: Values) -> float:
    most = float(np.abs(weights).max(initial=0.0))
    if np.isfinite(most):
        return most
    return float(np.where(np.isfinite(weights), np.abs(weights), 0).max())


def answer(scene: HeadsScene) -> list[Piece]:
    """Return the answer a picture gives: which heads come first, or what heads there are."""
    layers, heads, queries, keys = scene.shape
    if not layers * heads:
        return [Piece("This map has no heads: there is nothing to draw.")]
    if not queries * keys:
        return [Piece(f"This map has no {'sources' if queries else 'targets'}.")]
    if scene.flowing:
        values = scene.statistic(scene.state.sort).reshape(-1)
        first = [cell for cell in scene.order[:3] if np.isfinite(values[cell])]
        if not first:
            return [Piece(f"{NAMES[scene.state.sort]}: not known of this map")]
        pieces = [Piece(f"largest {NAMES[scene.state.sort]}: ")]
        for at, cell in enumerate(first):
            pieces += [Piece(", ")] if at else []
            pieces += [Piece(head_name(scene, int(cell)), strong=True)]
            pieces += [Piece(f" {format_weight(float(values[cell]))}")]
        return pieces
    if scene.kind != "weight":
        return [Piece(f"{layers * heads:,} heads of {queries:,} × {keys:,} {scene.kind}s")]
    counts = [
        (name, int(scene.of_pattern(pattern).sum())) for pattern, (name, _, _) in PATTERNS.items()
    ]
    known = [(name, count) for name, count in counts if count]
    pieces = [Piece(f"of {scene.read * heads:,} heads: " if known else "no head has a pattern")]
    for at, (name, count) in enumerate(known):
        pieces += [Piece(", ")] if at else []
        pieces += [Piece(f"{count:,} "), Piece(name, strong=True)]
    return pieces


def head_name(scene: HeadsScene, cell: int) -> str:
    """Return what a head is called: "L3 H7"."""
    return f"L{cell // scene.shape[1]} H{cell % scene.shape[1]}"
