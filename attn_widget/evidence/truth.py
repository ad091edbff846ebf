"""Does the weight lie on what is known to decide?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from ..attention import Attention
from . import leanings
from .divergence import Numbers
from .finding import Finding, Leaning, frozen
from .models import Mask, map_of


@dataclass(frozen=True, eq=False, repr=False)
class WeightOnTruth(Finding):
    """How much of the weight lies on the keys that are known to decide."""

    shares: Numbers
    """(n,): of each query that has such keys, the mean over layers and heads."""
    chances: Numbers
    """(n,): the share of the keys that they are."""
    hits: Numbers
    """(n,): whether the strongest key is one of them, the mean over layers and heads."""
    queries: tuple[int, ...]
    """Which queries these are."""

    title: ClassVar[str] = "Weight on the truth"
    source: ClassVar[str] = "Zhang et al. 2016 (pointing), Wang et al. 2020 (share)"

    @property
    def value(self) -> float:
        """The mean share."""
        return float(self.shares.mean())

    @property
    def compared_with(self) -> str:
        """What even weights would have."""
        return f"{self.chances.mean():.3f} for even weights"

    @property
    def leaning(self) -> Leaning:
        """For, if the share is twice that of even weights; against, if it is no more."""
        return leanings.of_truth(self.value, float(self.chances.mean()))

    @property
    def told(self) -> str:
        """The share and the hits."""
        rows = f" of {self.n} queries" if self.n > 1 else ""
        return (
            f"{self.value:.0%} of the weight{rows} lies on what is known to decide (even weights: "
            f"{self.chances.mean():.0%}); the strongest key is one of them in "
            f"{self.hits.mean():.0%} of rows."
        )

    def columns(self) -> Mapping[str, Any]:
        """A row each query."""
        return {
            "query": np.array(self.queries),
            "share": self.shares,
            "chance": self.chances,
            "hit": self.hits,
        }


def weight_on_truth(
    attention: Attention | object, truth: object, *, query: int | None = None
) -> WeightOnTruth:
    """Compare where the weight lies with what is known to decide.

    Source: the pointing game of Zhang et al. 2016 and the share of Wang et al. 2020, for tokens.

    Args:
        attention: a map, or an array of one; shares are of what a row holds.
        truth: (K,) or (Q, K) boolean, True on the keys that decide; or pairs (query, key). Queries
            without any are left out.
        query: the only query to look at; all of them if None.

    Raises:
        IndexError: if a pair or the query is outside of the map.
        ValueError: if the shape doesn't fit or nothing is true.
    """
    map = map_of(attention)
    layers, _, queries, keys = map.shape
    wanted = _table(truth, queries, keys)
    rows = np.flatnonzero(wanted.any(axis=1))
    if query is not None:
        rows = rows[rows == range(queries)[query]]
    if not len(rows):
        raise ValueError("truth must mark at least one key; got none")
    total, hits = np.zeros(len(rows)), np.zeros(len(rows))
    for layer in range(layers):
        weights = np.abs(map[layer][:, rows]).astype(np.float64)
        sums = weights.sum(axis=-1)
        on = np.where(wanted[rows], weights, 0.0).sum(axis=-1)
        total += (on / np.where(sums > 0, sums, 1.0)).mean(axis=0) / layers
        strongest = weights.argmax(axis=-1)
        hits += wanted[rows[None], strongest].mean(axis=0) / layers
    return WeightOnTruth(
        n=len(rows),
        shares=frozen(total),
        chances=frozen(wanted[rows].mean(axis=1)),
        hits=frozen(hits),
        queries=tuple(rows.tolist()),
    )


def _table(truth: object, queries: int, keys: int) -> Mask:
    if isinstance(truth, (set, frozenset)) or _is_pairs(truth):
        table = np.zeros((queries, keys), dtype=bool)
        for query, key in cast("Iterable[tuple[int, int]]", truth):
            if not (0 <= query < queries and 0 <= key < keys):
                raise IndexError(
                    f"truth has the pair {(query, key)}; the map has {queries} × {keys} positions"
                )
            table[query, key] = True
        return table
    marks = np.asarray(truth)
    if marks.dtype != np.bool_ or marks.shape not in ((keys,), (queries, keys)):
        raise ValueError(
            f"truth must be pairs (query, key), or boolean of shape ({keys},) or ({queries}, "
            f"{keys}); got {marks.dtype} of shape {marks.shape}"
        )
    return np.broadcast_to(marks, (queries, keys))


def _is_pairs(truth: object) -> bool:
    return isinstance(truth, (list, tuple)) and all(isinstance(pair, tuple) for pair in truth)
