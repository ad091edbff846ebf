"""How alike heads are: the Jensen-Shannon divergence of their rows, and a plane to draw them on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attention import Attention
from ..streams import BLOCK_CELLS, read_queries, row_blocks, sampled_rows
from .statistics import Array, Numbers, entropy, shares_of

MOST_ROWS: Final = 64
"""Queries that heads are compared on at most, unless more are asked for."""


def head_distances(att: Attention, *, queries: int = MOST_ROWS) -> Numbers:
    """Return how far every head is from every other: the mean divergence of their rows.

    The divergence of two rows is that of Jensen and Shannon, ``H((p + q) / 2) - (H(p) + H(q)) / 2``
    of their shares ``p`` and ``q``: 0 for the same, ``ln 2`` for rows without a key in common. The
    heads of all layers are compared on the same queries, spread evenly over the map. Source: Clark
    et al. 2019, section 6.

    Args:
        att: a map.
        queries: how many to compare on.

    Returns:
        (L · H, L · H), in nats; head h of layer l is at l · H + h. NaN where heads have no row in
        common.
    """
    layers, heads, count, keys = att.shape
    rows = sampled_rows(att, slice(0, count), queries, max(1, heads * keys))
    mean = MeanDistance(layers * heads)
    for part in row_blocks(att, rows, max(1, layers * heads * keys)):
        blocks = [
            read_queries(att, layer, slice(0, heads), part, slice(0, keys))
            for layer in range(layers)
        ]
        for row in range(len(part)):
            for _ in mean.add(np.concatenate([block[:, row] for block in blocks])):
                pass
    return mean.value()


def embed(distances: ArrayLike, dimensions: int = 2) -> NDArray[np.float64]:
    """Return places whose distances are as near as possible to those given.

    Classical multidimensional scaling (Torgerson 1952); the axes mean nothing but their order.

    Args:
        distances: (n, n), symmetric; see :func:`head_distances`.
        dimensions: of the places.

    Returns:
        (n, dimensions).

    Raises:
        ValueError: if distances are not square and finite.
    """
    given = np.asarray(distances, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise ValueError(f"distances must be square; got shape {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError("distances must be finite; leave out heads without weight")
    squared = given**2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    order = np.argsort(values)[::-1][:dimensions]
    places = np.zeros((len(given), dimensions))
    places[:, : len(order)] = vectors[:, order] * np.sqrt(np.maximum(values[order], 0))
    # A vector and its opposite are as good: the largest part is taken as positive.
    signs = np.sign(places[np.abs(places).argmax(axis=0), range(dimensions)]) if len(given) else 1.0
    return np.asarray(places * np.where(signs == 0, 1, signs))


class MeanDistance:
    """The mean divergence between heads over rows that are added one after the other."""

    def __init__(self, heads: int) -> None:
        self._sums = np.zeros((heads, heads))
        self._counts = np.zeros((heads, heads), dtype=np.int64)

    def add(self, row: Array) -> Iterator[None]:
        """Take in one query of all heads, (heads, keys), in steps of bounded work."""
        shares = shares_of(row)
        entropies = entropy(shares)
        heads, keys = shares.shape
        together = max(1, BLOCK_CELLS // max(1, keys))
        for head in range(heads):
            for start in range(head + 1, heads, together):
                others = slice(start, min(start + together, heads))
                middle = entropy((shares[head] + shares[others]) / 2)
                apart = np.maximum(middle - (entropies[head] + entropies[others]) / 2, 0.0)
                known = np.isfinite(apart)
                self._sums[head, others] += np.where(known, apart, 0)
                self._counts[head, others] += known
                yield

    def value(self) -> Numbers:
        """Return the means, (heads, heads): symmetric, 0 on the diagonal, NaN where unknown."""
        counts, sums = self._counts + self._counts.T, self._sums + self._sums.T
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        np.fill_diagonal(means, 0.0)
        return means
