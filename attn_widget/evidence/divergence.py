"""How far apart two distributions or two answers of a model are."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .statistics import entropy, shares_of

Numbers = NDArray[np.float64]

SUM_TOLERANCE: Final = 1e-3
"""How far from 1 a distribution may sum: the rounding of float16."""


def tvd(first: ArrayLike, second: ArrayLike) -> Numbers:
    """Return the total variation distance: ``1/2 sum |p - q|``.

    Source: Jain and Wallace 2019, section 3.

    Args:
        first: (..., n).
        second: (..., n), likewise.

    Returns:
        (...): 0 where equal, 1 where two distributions share nothing.

    Raises:
        ValueError: if the shapes differ.
    """
    p, q = _pair(first, second)
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def jsd(first: ArrayLike, second: ArrayLike) -> Numbers:
    """Return the Jensen-Shannon divergence in nats: ``1/2 KL(p|m) + 1/2 KL(q|m)``, ``m`` the mean.

    Source: Lin 1991; of attention, Jain and Wallace 2019, section 3. Rows are divided by their
    sums: attention whose rows sum to less than 1 is compared by its shares.

    Args:
        first: (..., n), 0 or more.
        second: (..., n), likewise.

    Returns:
        (...): 0 where equal, ln 2 = 0.693 where nothing is shared, NaN where a row is all 0.

    Raises:
        ValueError: if the shapes differ or a number is negative.
    """
    p, q = _pair(first, second)
    if (p < 0).any() or (q < 0).any():
        raise ValueError("distributions must be 0 or more; got negative numbers")
    first_shares, second_shares = shares_of(p), shares_of(q)
    apart = (entropy(first_shares) + entropy(second_shares)) / 2
    return np.asarray(np.maximum(entropy((first_shares + second_shares) / 2) - apart, 0.0))


def answer(value: object) -> Numbers:
    """Return the answer of a model as a number ``()`` or a distribution ``(classes,)``.

    Args:
        value: one number, or probabilities; arrays or tensors, leading axes of length 1 allowed.

    Raises:
        ValueError: if it is neither.
    """
    array = as_numbers(value)
    flat = array.reshape(-1)
    if array.ndim and max(array.shape) != flat.size:
        raise ValueError(
            "the model must return one number or one distribution; got an array of shape "
            f"{array.shape}"
        )
    if not np.isfinite(flat).all() or not flat.size:
        raise ValueError(f"the model must return finite numbers; got {flat}")
    if flat.size == 1:
        return flat.reshape(())
    if (flat < -SUM_TOLERANCE).any() or abs(flat.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(
            "several numbers from a model must be probabilities that sum to 1 (apply a softmax, "
            f"or return the one number that matters); got {flat.size} that sum to {flat.sum():.4g}"
        )
    return flat


def difference(first: Numbers, second: Numbers) -> float:
    """Return how far apart two answers are: ``|a - b|`` of numbers, `tvd` of distributions.

    For the probability of one of two classes both are the same.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"the model must always return the same shape; got {first.shape} and {second.shape}"
        )
    return float(tvd(first, second)) if first.ndim else float(abs(first - second))


def as_numbers(value: object) -> Numbers:
    """Return anything like an array (a tensor on any device too) as float64."""
    if hasattr(value, "detach"):
        detached: Any = value.detach()
        value = detached.cpu().double().numpy()
    return np.asarray(value, dtype=np.float64)


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Numbers, Numbers]:
    p, q = as_numbers(first), as_numbers(second)
    if p.shape != q.shape or not p.ndim:
        raise ValueError(
            f"both must have the same shape (..., n) to be compared; got {p.shape} and {q.shape}"
        )
    return p, q
