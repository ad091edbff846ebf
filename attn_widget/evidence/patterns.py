"""Shapes that heads draw: copies of a token, keys that all attend to, diagonals.

As in :mod:`.statistics`, all work on magnitudes, ``(..., query, key)``, and shares are of all
weight that a head holds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .statistics import Array, Numbers, Positions, magnitude_of, positions_or_all

Mask = NDArray[np.bool_]
Ids = NDArray[np.int64]


def ids_of(*sequences: Iterable[Hashable | None]) -> tuple[Ids, ...]:
    """Return a number for each token, the same for the same token in any of the sequences.

    Args:
        sequences: tokens; None stands for a position without one, and becomes -1.
    """
    known: dict[Hashable, int] = {}
    return tuple(
        np.array(
            [-1 if token is None else known.setdefault(token, len(known)) for token in tokens],
            dtype=np.int64,
        )
        for tokens in sequences
    )


def duplicate_pattern(tokens: Iterable[Hashable | None], positions: Positions = None) -> Mask:
    """Return which keys are earlier copies of the token of the query.

    ``M[q, k] = t[k] == t[q] and k < q``. Source: TransformerLens, ``head_detector``.

    Args:
        tokens: the tokens of the sequence, text or ids; None where there is none.
        positions: the queries wanted; all of them if None.

    Returns:
        (query, key).
    """
    (ids,) = ids_of(tokens)
    rows = positions_or_all(positions, len(ids))
    return duplicates(ids[rows], rows, ids)


def induction_pattern(tokens: Iterable[Hashable | None], positions: Positions = None) -> Mask:
    """Return which keys follow an earlier copy of the token of the query.

    ``M[q, k] = t[k-1] == t[q] and k-1 < q``. Source: Olsson et al. 2022; TransformerLens,
    ``head_detector``.

    Args:
        tokens: the tokens of the sequence, text or ids; None where there is none.
        positions: the queries wanted; all of them if None.

    Returns:
        (query, key).
    """
    return following(duplicate_pattern(tokens, positions))


def duplicates(queries: Ids, positions: Ids, keys: Ids) -> Mask:
    """Return which keys are earlier copies, of ids; see :func:`duplicate_pattern`.

    Args:
        queries: (Q,) the id of each query; below 0 for none.
        positions: (Q,) where each stands among the keys.
        keys: (K,) the id of each key.

    Returns:
        (Q, K).
    """
    earlier = positions[:, None] > np.arange(len(keys))
    same: Mask = (queries[:, None] == keys) & (queries[:, None] >= 0)
    return same & earlier


def following(pattern: Mask) -> Mask:
    """Return a pattern moved by one key: what it marked, the key before now is."""
    moved = np.zeros_like(pattern)
    moved[..., 1:] = pattern[..., :-1]
    return moved


def pattern_score(
    weights: Array, pattern: ArrayLike, measure: Literal["mul", "abs"] = "mul"
) -> Numbers:
    """Return how far heads follow a pattern.

    ``"mul"`` is the share of their weight on it, ``sum(A * M) / sum A``: 0..1. ``"abs"`` is one
    less their distance from it, ``1 - n mean|A - M|`` for ``n`` rows: 1 where they are the
    pattern, and below 0 far from it. Source: TransformerLens, ``head_detector``.

    Args:
        weights: (..., query, key).
        pattern: (query, key), True or a number where weight is looked for.
        measure: which of the two.

    Returns:
        (...); NaN where there is no weight.

    Raises:
        ValueError: if shapes do not fit or there is no such measure.
    """
    wanted = np.asarray(pattern, dtype=np.float64)
    if wanted.shape != weights.shape[-2:]:
        raise ValueError(
            f"pattern must have the shape of a head, {weights.shape[-2:]}; got {wanted.shape}"
        )
    if measure not in ("mul", "abs"):
        raise ValueError(f'measure must be "mul" or "abs"; got {measure!r}')
    magnitude = magnitude_of(weights).astype(np.float64)
    total = magnitude.sum(axis=(-2, -1))
    if measure == "mul":
        on = np.einsum("...qk,qk->...", magnitude, wanted)
        return shares_of(on, total)
    distance = np.abs(magnitude - wanted).mean(axis=(-2, -1)) if wanted.size else np.nan * total
    return np.where(total > 0, 1 - len(wanted) * distance, np.nan)


def vertical_sums(weights: Array) -> Numbers:
    """Return the weight that each key receives, ``v[k] = sum_q A[q, k]``.

    Source: Jiang et al. 2024 (MInference).

    Args:
        weights: (..., query, key).

    Returns:
        (..., key).
    """
    return np.asarray(magnitude_of(weights).sum(axis=-2, dtype=np.float64))


def slash_sums(weights: Array) -> Numbers:
    """Return the weight on each diagonal, ``s[d] = sum_q A[q, q + d]``.

    Source: Jiang et al. 2024 (MInference).

    Args:
        weights: (..., query, key).

    Returns:
        (..., query + key - 1), from ``d = 1 - queries`` to ``d = keys - 1``.
    """
    magnitude = magnitude_of(weights)
    rows, keys = weights.shape[-2:]
    sums = np.zeros((*weights.shape[:-2], max(0, rows + keys - 1)))
    add_slashes(sums, magnitude, np.arange(rows), rows - 1)
    return sums


def add_slashes(sums: Numbers, magnitude: Array, positions: Ids, zero: int) -> None:
    """Add the weight of some rows to sums of diagonals.

    Args:
        sums: (..., diagonals), added to in place.
        magnitude: (..., query, key).
        positions: the position of each row.
        zero: where in ``sums`` the diagonal of no distance is: the largest position at least.
    """
    keys = magnitude.shape[-1]
    for row, position in enumerate(positions.tolist()):
        start = zero - position
        sums[..., start : start + keys] += magnitude[..., row, :]


def shares_of(part: NDArray[Any], total: NDArray[Any]) -> Numbers:
    """Return a part as a share of a total, NaN where there is none."""
    return np.asarray(np.where(total > 0, part / np.where(total > 0, total, 1), np.nan))
