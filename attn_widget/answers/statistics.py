"""Numbers that say what a head does; ``js/src/heads/statistics.ts`` computes the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..evidence import (
    confidence,
    mean_distance,
    next_token,
    previous_token,
    relative_entropy,
    sink_score,
)
from ..evidence.patterns import Ids, duplicates, following, ids_of, shares_of
from ..evidence.places import texts_of
from ..evidence.statistics import magnitude_of
from ..panels import roles_of

STATISTICS: Final = (
    "entropy",
    "confidence",
    "sink",
    "distance",
    "previous",
    "next",
    "induction",
    "special",
    "image",
)


@dataclass(frozen=True)
class HeadPlaces:
    """What the statistics of a head must know of its positions."""

    tokens: Ids | None = None
    """(K,) the same number for the same token, -1 for none; None where queries are other tokens
    than keys, or none stands twice."""
    special: tuple[int, ...] = ()
    """Special keys."""
    image: tuple[int, ...] = ()
    """Keys that lie on an image."""


def head_places(attention: Attention) -> HeadPlaces:
    """Return what the statistics of a map's heads must know of its positions."""
    queries, keys = attention.queries, attention.keys
    tokens = None
    if queries is keys or queries.labels == keys.labels:
        (ids,) = ids_of(texts_of(keys))
        texts = ids[ids >= 0]
        tokens = ids if len(np.unique(texts)) < len(texts) else None
    roles = enumerate(roles_of(keys))
    return HeadPlaces(tokens, keys.special, tuple(at for at, role in roles if role == "image"))


def describe_heads(
    weights: NDArray[np.float32], rows: NDArray[np.intp], places: HeadPlaces
) -> NDArray[np.float64]:
    """Return the numbers of some heads, ``(H, 9)``; see :data:`STATISTICS`.

    Mean relative entropy of rows, mean of their largest weights, largest mean of a key, mean
    distance as a share of the keys, and shares of the weight: on the key before and after, on keys
    that follow an earlier copy of the query's token, on special tokens, and on images. What can't
    be said is NaN.

    Args:
        weights: float32 (H, n, K), rows of some heads.
        rows: the queries they are of.
        places: where the map's positions stand.
    """
    relative = relative_entropy(weights)
    known = np.isfinite(relative)
    entropy = np.where(known, relative, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    told = {
        "entropy": np.where(known.any(axis=1), entropy, np.nan),
        "confidence": confidence(weights),
        "sink": sink_score(weights).max(axis=1, initial=0.0),
        "distance": mean_distance(weights, rows) / weights.shape[2],
        "previous": previous_token(weights, rows),
        "next": next_token(weights, rows),
        "induction": _induction(weights, rows, places.tokens),
        "special": _on(weights, places.special),
        "image": _on(weights, places.image),
    }
    return np.stack([told[name] for name in STATISTICS], axis=1)


def _induction(
    weights: NDArray[np.float32], rows: NDArray[np.intp], tokens: Ids | None
) -> NDArray[np.float64]:
    if tokens is None:
        return np.full(len(weights), np.nan)
    pattern = following(duplicates(tokens[rows], rows, tokens))
    return _share(weights, magnitude_of(weights[:, pattern]).sum(axis=1, dtype=np.float64))


def _on(weights: NDArray[np.float32], keys: tuple[int, ...]) -> NDArray[np.float64]:
    if not keys:
        return np.full(len(weights), np.nan)
    on = magnitude_of(weights[:, :, list(keys)])
    return _share(weights, on.sum(axis=(1, 2), dtype=np.float64))


def _share(weights: NDArray[np.float32], part: NDArray[np.float64]) -> NDArray[np.float64]:
    return shares_of(part, magnitude_of(weights).sum(axis=(1, 2), dtype=np.float64))
