"""Two maps of the same shape, row by row and a layer at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..attention import Attention
from .divergence import Numbers, jsd
from .models import map_of
from .ranks import spearman


class Alike(NamedTuple):
    """How alike two maps are, in the mean over rows; NaN where no row says."""

    divergence: float
    """JSD in nats, 0 to ln 2."""
    correlation: float
    """Spearman's rank correlation over the keys that either map attends to."""
    same_top: float
    """Share of rows with the same strongest key."""


def compare(one: Attention | object, other: Attention | object) -> Alike:
    """Return how alike two maps are; sizes count, signs don't.

    Raises:
        TypeError: if one of them is no map and no array.
        ValueError: if their shapes differ.
    """
    first, second = map_of(one), map_of(other)
    if first.shape != second.shape:
        raise ValueError(
            f"maps must have the same shape to be compared; got {first.shape} and {second.shape}"
        )
    parts: list[Numbers] = []
    for layer in range(first.shape[0]):
        a, b = (_rows(map, layer) for map in (first, second))
        same = (a.argmax(axis=1) == b.argmax(axis=1)).astype(np.float64)
        known = (a.max(axis=1, initial=0) > 0) & (b.max(axis=1, initial=0) > 0)
        parts.append(
            np.stack([jsd(a, b), _correlation(a, b), np.where(known, same, np.nan)], axis=1)
        )
    table = np.concatenate(parts)
    return Alike(*(float(_mean(table[:, column])) for column in range(3)))


def _rows(attention: Attention, layer: int) -> Numbers:
    weights = np.abs(attention[layer]).reshape(-1, attention.shape[3]).astype(np.float64)
    return np.where(np.isfinite(weights), weights, 0.0)


def _correlation(a: Numbers, b: Numbers) -> Numbers:
    # Keys that neither attends to, such as later ones, would all count as agreement.
    used = (a > 0) | (b > 0)
    whole = used.all(axis=1)
    found = np.full(len(a), np.nan)
    if whole.any():
        found[whole] = spearman(a[whole], b[whole])
    for row in np.flatnonzero(~whole & (used.sum(axis=1) > 1)):
        found[row] = spearman(a[row, used[row]], b[row, used[row]])
    return found


def _mean(values: Numbers) -> Numbers:
    known = values[np.isfinite(values)]
    return np.asarray(known.mean() if known.size else np.nan)
