"""Statistics of heads, from weights ``(..., query, key)`` and nothing else.

All work on magnitudes; missing and infinite weights count nothing. Rows need not sum to 1: shares
are of what a row holds. Where there is no weight at all, statistics are NaN. ``positions`` says
which queries the rows stand for where only some were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Numbers = NDArray[np.float64]
Positions = Sequence[int] | NDArray[np.integer[Any]] | None


def entropy(weights: Array, smoothing: float = 0.0) -> Numbers:
    """Return the entropy of each row in nats: ``-sum p ln p`` with ``p = |a| / sum |a|``.

    Source: Ghader and Monz 2017; Clark et al. 2019 smooth by 0.0001.

    Args:
        weights: (..., query, key).
        smoothing: the share of each row that is spread evenly over all keys first.

    Returns:
        (..., query): 0 where a row is on one key, ``ln n`` where it is even over ``n``.

    Raises:
        ValueError: if smoothing is no share.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be a share, 0 to 1; got {smoothing}")
    if not smoothing:
        return entropy_of(*entropy_sums(weights))
    magnitude = magnitude_of(weights).astype(np.float64)
    totals = magnitude.sum(axis=-1, keepdims=True)
    shares = magnitude / np.where(totals > 0, totals, np.nan)
    even = smoothing / max(1, weights.shape[-1])
    found = entropy_of(*entropy_sums((1 - smoothing) * shares + even))
    return np.where(totals[..., 0] > 0, found, np.nan)


def entropy_sums(weights: Array) -> tuple[Numbers, Numbers]:
    """Return ``sum |a|`` and ``sum |a| ln |a|`` of each row, which parts of a row add up to.

    Args:
        weights: (..., query, key).

    Returns:
        Two arrays (..., query); :func:`entropy_of` makes the entropy of them.
    """
    magnitude = magnitude_of(weights)
    totals = magnitude.sum(axis=-1).astype(np.float64)
    # The logarithm of the smallest number there is stands for that of 0, and counts 0 times.
    smallest = np.nextafter(magnitude.dtype.type(0), magnitude.dtype.type(1))
    logarithms = np.log(np.maximum(magnitude, smallest))
    return totals, np.einsum("...k,...k->...", magnitude, logarithms).astype(np.float64)


def entropy_of(totals: Numbers, terms: Numbers) -> Numbers:
    """Return the entropy of rows in nats, of the sums of their parts; see :func:`entropy_sums`."""
    sums = np.where(totals > 0, totals, np.nan)
    return np.asarray(np.maximum(np.log(sums) - terms / sums, 0.0))


def relative_entropy(
    weights: Array, allowed: int | NDArray[np.integer[Any]] | None = None
) -> Numbers:
    """Return the entropy of each row as a share of the most it could be, 0..1.

    Source: Ghader and Monz 2017, normalised.

    Args:
        weights: (..., query, key).
        allowed: how many keys each query may attend to, all of them if None.

    Returns:
        (..., query); 0 where only one key is allowed.
    """
    count = np.asarray(weights.shape[-1] if allowed is None else allowed)
    most = np.log(np.maximum(count, 2))
    return np.where(count > 1, entropy(weights) / most, 0.0)


def confidence(weights: Array) -> Numbers:
    """Return the mean over queries of the largest weight of a row.

    Source: Voita et al. 2019, without their exclusion of end-of-sentence.

    Args:
        weights: (..., query, key).

    Returns:
        (...).
    """
    largest = magnitude_of(weights).max(axis=-1, initial=0.0)
    return mean_of(largest.astype(np.float64))


def sink_score(weights: Array, *, causal: bool = False, positions: Positions = None) -> Numbers:
    """Return the mean weight of each key: of all queries, or of those that may see it.

    ``a_k = 1/(T-k+1) sum_{i>=k} A_ik`` where causal. Source: Gu et al. 2024.

    Args:
        weights: (..., query, key).
        causal: whether queries see only keys up to their own position.
        positions: the position of each row; 0, 1, 2 … if None.

    Returns:
        (..., key).
    """
    magnitude = magnitude_of(weights)
    sums = magnitude.sum(axis=-2, dtype=np.float64)
    rows, keys = weights.shape[-2:]
    if not causal:
        return np.asarray(sums / rows) if rows else np.full(sums.shape, np.nan)
    seeing = (positions_or_all(positions, rows)[:, None] >= np.arange(keys)).sum(axis=0)
    return np.asarray(np.where(seeing > 0, sums / np.maximum(seeing, 1), np.nan))


def mean_distance(weights: Array, positions: Positions = None) -> Numbers:
    """Return how far away weight falls: the mean over queries of ``sum p |q - k|``, in positions.

    Source: Dosovitskiy et al. 2021, figure 7, along one axis.

    Args:
        weights: (..., query, key).
        positions: the position of each row; 0, 1, 2 … if None.

    Returns:
        (...).
    """
    magnitude = magnitude_of(weights)
    rows, keys = weights.shape[-2:]
    away = np.abs(positions_or_all(positions, rows)[:, None] - np.arange(keys))
    totals = magnitude.sum(axis=-1).astype(np.float64)
    sums = np.einsum("...qk,qk->...q", magnitude, away.astype(magnitude.dtype)).astype(np.float64)
    return mean_of(np.where(totals > 0, sums / np.where(totals > 0, totals, 1), np.nan))


def previous_token(weights: Array, positions: Positions = None) -> Numbers:
    """Return the share of all weight that falls on the key just before its query.

    ``sum_q A[q, q-1] / sum A``. Source: Olsson et al. 2022; TransformerLens, ``head_detector``.

    Args:
        weights: (..., query, key).
        positions: the position of each row; 0, 1, 2 … if None.

    Returns:
        (...).
    """
    return _diagonal(weights, -1, positions)


def next_token(weights: Array, positions: Positions = None) -> Numbers:
    """Return the share of all weight that falls on the key just after its query.

    ``sum_q A[q, q+1] / sum A``, as :func:`previous_token`.

    Args:
        weights: (..., query, key).
        positions: the position of each row; 0, 1, 2 … if None.

    Returns:
        (...).
    """
    return _diagonal(weights, 1, positions)


def diagonal(weights: Array, positions: Positions = None) -> Numbers:
    """Return the share of all weight that falls on the key where its query stands.

    ``sum_q A[q, q] / sum A``, as :func:`previous_token`.

    Args:
        weights: (..., query, key).
        positions: the position of each row; 0, 1, 2 … if None.

    Returns:
        (...).
    """
    return _diagonal(weights, 0, positions)


def _diagonal(weights: Array, offset: int, positions: Positions) -> Numbers:
    magnitude = magnitude_of(weights)
    rows, keys = weights.shape[-2:]
    key = positions_or_all(positions, rows) + offset
    inside = np.flatnonzero((key >= 0) & (key < keys))
    on = magnitude[..., inside, key[inside]].sum(axis=-1, dtype=np.float64)
    total = magnitude.sum(axis=-1).sum(axis=-1, dtype=np.float64)
    return np.asarray(np.where(total > 0, on / np.where(total > 0, total, 1), np.nan))


def positions_or_all(positions: Positions, rows: int) -> NDArray[np.int64]:
    """Return the position of each row: those given, or 0, 1, 2 …."""
    return np.arange(rows) if positions is None else np.asarray(positions, dtype=np.int64)


def magnitude_of(weights: Array) -> Array:
    """Return what weights count: their magnitude, nothing where they are missing or infinite."""
    if weights.dtype == np.float16:
        weights = weights.astype(np.float32)
    # Most weights are magnitudes already; comparisons with NaN are false.
    if weights.size and weights.min() >= 0 and weights.max() < np.inf:
        return weights
    magnitude = np.abs(weights)
    return np.where(np.isfinite(magnitude), magnitude, magnitude.dtype.type(0))


def shares_of(rows: Array) -> Array:
    """Return what each weight is of its row, NaN where there is no weight at all.

    Args:
        rows: (..., key).

    Returns:
        (..., key).
    """
    magnitude = magnitude_of(rows)
    totals = magnitude.sum(axis=-1, keepdims=True)
    return np.asarray(magnitude / np.where(totals > 0, totals, np.nan))


def mean_of(rows: Numbers) -> Numbers:
    """Return the mean over the last axis of what is a number."""
    known = np.isfinite(rows)
    count = known.sum(axis=-1)
    sums = np.where(known, rows, 0.0).sum(axis=-1)
    return np.asarray(np.where(count > 0, sums / np.maximum(count, 1), np.nan))
