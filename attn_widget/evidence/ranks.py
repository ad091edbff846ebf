"""How far two orders of the same keys agree."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .divergence import Numbers, as_numbers


def kendall_tau(first: ArrayLike, second: ArrayLike) -> float:
    """Return Kendall's tau-b: pairs in the same order less pairs in the other, as a share.

    ``(C - D) / sqrt((n0 - n1) (n0 - n2))``, ``n1`` and ``n2`` the pairs tied in one of them.
    Source: Kendall 1945; between attention and gradients, Jain and Wallace 2019.

    Args:
        first: (n,).
        second: (n,).

    Returns:
        -1 to 1; NaN where one of them orders nothing.

    Raises:
        ValueError: if the shapes differ.
    """
    a, b = _pair(first, second)
    agreement = 0.0
    ordered = np.zeros(2)
    # A key at a time: n numbers are held, not n squared.
    for place in range(len(a)):
        one, other = np.sign(a[place + 1 :] - a[place]), np.sign(b[place + 1 :] - b[place])
        agreement += float(one @ other)
        ordered += np.abs(one).sum(), np.abs(other).sum()
    most = float(np.sqrt(ordered.prod()))
    return agreement / most if most else float("nan")


def spearman(first: ArrayLike, second: ArrayLike) -> Numbers:
    """Return Spearman's rank correlation of each row, ties sharing their mean rank.

    Source: Spearman 1904; between maps of a model and of a randomised one, Adebayo et al. 2018.

    Args:
        first: (..., n).
        second: (..., n).

    Returns:
        (...): -1 to 1; NaN where one of them orders nothing.

    Raises:
        ValueError: if the shapes differ.
    """
    a, b = as_numbers(first), as_numbers(second)
    if a.shape != b.shape or not a.ndim:
        raise ValueError(f"both must have the same shape (..., n); got {a.shape} and {b.shape}")
    x, y = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (_ranks(a), _ranks(b)))
    most = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    return np.asarray((x * y).sum(axis=-1) / np.where(most > 0, most, np.nan))


def top_k_distance(
    first: ArrayLike,
    second: ArrayLike,
    k: int,
    *,
    penalty: float = 0.5,
    counting: Literal["published", "fagin"] = "published",
) -> float:
    """Return how far the ``k`` strongest of two orders differ: 0 where they are the same.

    Pairs of keys that are in the top of either count 1 if one order contradicts the other. Two
    keys that only one order has at its top, and the other says nothing on, count ``penalty``.

    ``counting="fagin"`` divides by the number of such pairs, so that two orders that contradict
    each other everywhere are 1 apart. ``"published"`` counts as the script of Jain and Wallace
    does, to compare with their figures: pairs both have count about twice, pairs with one key from
    either top not at all, and all is divided by the square of the number of keys.

    Source: Fagin, Kumar and Sivakumar 2003, "Comparing top k lists", ``K^(p)``.

    Args:
        first: (n,).
        second: (n,).
        k: how many of the strongest; at most n are taken. Of equal ones the first come first.
        penalty: 0 to 1, what an unknown order counts.
        counting: see above.

    Raises:
        ValueError: if shapes differ, ``k`` is below 1 or ``penalty`` is out of range.
    """
    a, b = _pair(first, second)
    if k < 1:
        raise ValueError(f"k must be 1 or more; got {k}")
    if not 0 <= penalty <= 1:
        raise ValueError(f"penalty must be 0 to 1; got {penalty}")
    if counting not in ("published", "fagin"):
        raise ValueError(f'counting must be "published" or "fagin"; got {counting!r}')
    tops = [set(np.argsort(-scores, kind="stable")[:k].tolist()) for scores in (a, b)]
    both = sorted(tops[0] & tops[1])
    only = [sorted(tops[0] - tops[1]), sorted(tops[1] - tops[0])]
    union = len(both) + len(only[0]) + len(only[1])
    contradicted = sum(
        int((scores[both] < scores[lower]).sum())
        for scores, own in zip((a, b), only, strict=True)
        for lower in own
    )
    unknown = 2 * penalty * len(only[0]) * (len(only[0]) - 1) / 2
    if counting == "published":
        tau = kendall_tau(a[both], b[both]) if len(both) > 1 else float("nan")
        # Tied or single keys are in no order, which the script counts as no contradiction.
        inverted = 0.0 if np.isnan(tau) else (1 - tau) / 2 * len(both) ** 2
        return (inverted + contradicted + unknown) / union**2
    pairs = union * (union - 1) / 2
    inverted = sum(
        float((np.sign(a[both] - a[one]) * np.sign(b[both] - b[one]) < 0).sum()) for one in both
    )
    across = len(only[0]) * len(only[1])
    return (inverted / 2 + contradicted + across + unknown) / pairs if pairs else 0.0


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Numbers, Numbers]:
    a, b = as_numbers(first), as_numbers(second)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"both must have the same shape (n,); got {a.shape} and {b.shape}")
    return a, b


def _ranks(values: Numbers) -> Numbers:
    """Return the rank of each number of a row, equal ones sharing the mean of theirs."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    places = np.arange(values.shape[-1], dtype=np.float64)
    begins = np.ones(values.shape, dtype=bool)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(begins, places, 0.0), axis=-1)
    ends: NDArray[Any] = np.ones(values.shape, dtype=bool)
    ends[..., :-1] = begins[..., 1:]
    reverse = np.where(ends, places, np.inf)[..., ::-1]
    last = np.minimum.accumulate(reverse, axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2, axis=-1)
    return ranks
