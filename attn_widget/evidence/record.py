"""What `describe` returns: statistics of heads, sorted, shown and turned into frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..frames import frame_of
from ..thresholds import SINK_SCORE
from .places import Unit

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class HeadValue(NamedTuple):
    """One head and its value of a statistic."""

    layer: int
    head: int
    value: float


@dataclass(frozen=True, repr=False)
class HeadStatistics:
    """Statistics of every head of a map, as arrays (L, H).

    Weights count by their magnitude; missing and infinite ones count nothing. Shares are of all
    weight a head holds. What cannot be said is NaN: of a head without weight, or of copies of
    tokens where the map does not know its tokens.
    """

    name: str
    """The name of the map."""
    shape: tuple[int, int, int, int]
    """(layers, heads, queries, keys) of the map."""
    queries: NDArray[np.intp]
    """(n,) the queries read of each head."""
    exact: bool
    """Whether these are all queries; else they are spread evenly."""
    unit: Unit
    """What distances are in: ``"tokens"``, or ``"pixels"`` of the original image."""

    entropy: Floats
    """Mean entropy of the rows, in nats; Ghader and Monz 2017."""
    relative_entropy: Floats
    """Mean entropy of the rows as a share of the most it could be over the keys each may attend
    to, 0..1; rows with only one such key tell nothing and are left out."""
    confidence: Floats
    """Mean of the rows' largest weights; Voita et al. 2019."""
    sink_score: Floats
    """Largest mean weight that one key receives from the queries that may see it; Gu et al. 2024.
    Keys that less than half as many queries may see as another are left out: few can tell."""
    sink_position: Ints
    """The key that receives it; -1 where there is no weight."""
    sinks: tuple[tuple[tuple[int, ...], ...], ...]
    """For each layer and head all keys that receive more than 0.3, the threshold of Gu et al."""
    mean_distance: Floats
    """Mean distance from query to key, weighted, in ``unit``. On pictures only the weight between
    positions of the same picture counts; Dosovitskiy et al. 2021, figure 7."""
    previous_token: Floats
    """Share of the weight on the key just before its query."""
    next_token: Floats
    """Share of the weight on the key just after its query."""
    diagonal: Floats
    """Share of the weight on the key where its query stands."""
    duplicate: Floats
    """Share of the weight on earlier copies of the query's token."""
    induction: Floats
    """Share of the weight on keys that follow an earlier copy of the query's token; Olsson et al.
    2022."""
    vertical: Floats
    """Share of the weight on the one key that receives most; Jiang et al. 2024."""
    slash: Floats
    """Share of the weight on the strongest diagonal; Jiang et al. 2024."""
    slash_offset: Ints
    """Where that diagonal lies: key less query."""
    special_share: Floats
    """Share of the weight on special tokens."""
    image_share: Floats
    """Share of the weight on patches and boxes of an image."""
    padding_share: Floats
    """Share of the weight on patches that lie wholly outside the image."""
    row_sum: Floats
    """Mean sum of the rows that hold any weight; it need not be 1."""
    row_sum_least: Floats
    """The smallest of these sums."""
    row_sum_most: Floats
    """The largest of these sums."""
    empty_rows: Floats
    """Share of the rows read that hold no weight: masked or missing."""
    not_finite: Ints
    """How many weights read are missing or infinite."""
    distances: Floats
    """(L, H, H) how far the heads of a layer are from each other: mean Jensen-Shannon divergence
    of their rows, in nats, 0 for the same and at most 0.693; Clark et al. 2019, section 6."""
    distance_queries: int
    """On how many queries they were compared."""

    def rank(
        self, by: str, *, largest: bool = True, count: int | None = None
    ) -> tuple[HeadValue, ...]:
        """Return the heads in the order of a statistic; those it says nothing of come last.

        Args:
            by: the name of a statistic, such as ``"induction"``.
            largest: whether the largest value comes first.
            count: how many to return; all if None.

        Raises:
            ValueError: if there is no such statistic.
        """
        values = self._column(by).ravel()
        order = np.argsort(-values if largest else values, kind="stable")[:count]
        heads = max(1, self.shape[1])
        return tuple(
            HeadValue(int(place) // heads, int(place) % heads, float(values[place]))
            for place in order
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a head: ``layer``, ``head`` and every statistic.

        Raises:
            ImportError: if pandas is not installed.
        """
        layers, heads = self.shape[:2]
        place: dict[str, NDArray[Any]] = {
            "layer": np.repeat(np.arange(layers), heads),
            "head": np.tile(np.arange(heads), layers),
        }
        return frame_of(place | {name: getattr(self, name).ravel() for name in STATISTICS})

    def _column(self, name: str) -> Floats:
        if name not in STATISTICS:
            raise ValueError(f"by must be one of {', '.join(STATISTICS)}; got {name!r}")
        return np.asarray(getattr(self, name), dtype=np.float64)

    def __repr__(self) -> str:
        layers, heads, queries, keys = self.shape
        name = f"{self.name!r}, " if self.name else ""
        read = f"all {queries:,}" if self.exact else f"{len(self.queries):,} of {queries:,}"
        sinks = int((self.sink_score > SINK_SCORE).sum())
        lines = [
            f"HeadStatistics({name}{layers:,} layers × {heads:,} heads, {read} queries × "
            f"{keys:,} keys, distances in {self.unit})",
            f"{'statistic':<17}{'least':>10}{'median':>10}{'most':>10}  most in",
        ]
        for name in STATISTICS:
            values = self._column(name)
            known = values[np.isfinite(values)]
            if known.any() and name not in ("sink_position", "slash_offset"):
                top = self.rank(name, count=1)[0]
                numbers = (known.min(), np.median(known), known.max())
                told = "".join(f"{number:>10.4g}" for number in numbers)
                lines.append(f"{name:<17}{told}  layer {top.layer}, head {top.head}")
        lines.append(f"{sinks} of {layers * heads} heads have a sink (> {SINK_SCORE})")
        return "\n".join(lines)


STATISTICS: Final = tuple(
    name
    for name, kind in HeadStatistics.__annotations__.items()
    if kind in ("Floats", "Ints") and name != "distances"
)
"""The names of all statistics with one number a head."""
