"""What a mechanism is given: arrays of any library as float64, and whether they belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .softmax import Floats


def as_floats(array: object, name: str) -> Floats:
    """Return an array, a tensor or nested lists of numbers as float64, in memory of its own.

    Raises:
        TypeError: if it holds no real numbers.
        ValueError: if nested lists are not rectangular.
    """
    given = cast(Any, array)
    if hasattr(given, "detach"):
        # Not every device has float64.
        given = given.detach().cpu().double().numpy()
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{name} must be one rectangular array: {error}") from None
    if found.dtype.kind not in "fiu" and "float" not in found.dtype.name:
        raise TypeError(f"{name} must be numbers; got dtype {found.dtype}")
    return np.array(found, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Given:
    """Queries, keys and values that belong together.

    Attributes:
        query: (L, H, Q, Dq).
        key: (L, Hkv, K, Dk).
        value: (L, Hkv, K, Dv) or None.
        axes: how many axes they were given with, 2 to 4.
    """

    query: Floats
    key: Floats
    value: Floats | None
    axes: int


def as_given(query: object, key: object, value: object) -> Given:
    """Return queries, keys and values, (N, D) with up to two leading axes, as float64.

    Raises:
        TypeError: if they hold no real numbers.
        ValueError: if their shapes are none of these, or do not fit each other.
    """
    q, k = _vectors(query, "query", "Q, D"), _vectors(key, "key", "K, D")
    v = None if value is None else _vectors(value, "value", "K, Dv")
    if q.ndim != k.ndim:
        raise ValueError(
            "query and key must have the same number of axes; "
            f"got query {q.shape} and key {k.shape}"
        )
    if q.shape[:-3] != k.shape[:-3]:
        raise ValueError(
            f"query and key must have one number of layers; got query {q.shape} and key {k.shape}"
        )
    if q.ndim > 2 and q.shape[-3] % k.shape[-3]:
        raise ValueError(
            "heads of query must be a multiple of those of key (grouped heads); "
            f"got query {q.shape} and key {k.shape}"
        )
    if v is not None and v.shape[:-1] != k.shape[:-1]:
        raise ValueError(
            f"value must have the layers, heads and positions of key, {(*k.shape[:-1], 'Dv')}; "
            f"got shape {v.shape}"
        )
    return Given(_filled(q), _filled(k), None if v is None else _filled(v), q.ndim)


def as_matrix(array: object, name: str, rows: int, meaning: str) -> Floats:
    """Return a matrix with a given number of rows.

    Raises:
        TypeError: if it holds no real numbers.
        ValueError: if its shape is another.
    """
    found = as_floats(array, name)
    if found.ndim != 2 or found.shape[0] != rows:
        raise ValueError(f"{name} must have shape {meaning} = ({rows}, …); got shape {found.shape}")
    return found


def as_vector(array: object, name: str, size: int, meaning: str) -> Floats:
    """Return a vector of a given length.

    Raises:
        TypeError: if it holds no real numbers.
        ValueError: if its shape is another.
    """
    found = as_floats(array, name)
    if found.shape != (size,):
        raise ValueError(f"{name} must have shape {meaning} = ({size},); got shape {found.shape}")
    return found


def spread(grouped: Floats, heads: int) -> Floats:
    """Return (L, Hkv, …) as (L, H, …): head h reads key head ``h // (H // Hkv)`` (grouped heads).

    Source: Ainslie et al. 2023.
    """
    times = heads // grouped.shape[1]
    return grouped if times == 1 else np.repeat(grouped, times, axis=1)


def gathered(spread_out: Floats, groups: int) -> Floats:
    """Return (L, H, …) summed over the heads of each group, (L, Hkv, …): what gradients take."""
    layers, heads, *rest = spread_out.shape
    return np.asarray(spread_out.reshape(layers, groups, heads // groups, *rest).sum(axis=2))


def _vectors(array: object, name: str, letters: str) -> Floats:
    found = as_floats(array, name)
    if not 2 <= found.ndim <= 4 or 0 in (*found.shape[:-2], found.shape[-1]):
        raise ValueError(
            f"{name} must have shape ({letters}), (heads, {letters}) or "
            f"(layers, heads, {letters}); got shape {found.shape}"
        )
    return found


def _filled(vectors: Floats) -> Floats:
    return vectors.reshape((1,) * (4 - vectors.ndim) + vectors.shape)
