"""Maps put together: layers with rules of their own, rows of one decoding step after another."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from ..mechanisms.steps import Steps
from ..overview import Overview
from ..qk import QKSource
from ..sources import Shape, Source, Weights


class StackedSource:
    """One source a layer, of one size.

    Args:
        layers: The sources, of one layer each.
    """

    def __init__(self, layers: Sequence[Source]) -> None:
        self.layers = tuple(layers)
        self.shape: Shape = (len(layers), *layers[0].shape[1:])
        self.dtype: np.dtype[Any] = np.dtype(np.float32)

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        return self.layers[layer].read(0, head, query, key)


class StackedQKSource(StackedSource):
    """Layers of queries and keys whose rules differ: windows, biases, scales.

    Args:
        layers: The sources, of one layer each.
    """

    layers: tuple[QKSource, ...]

    @property
    def head_dim(self) -> int:
        """The size of a query."""
        return self.layers[0].head_dim

    @property
    def kv_heads(self) -> int:
        """Heads with keys of their own."""
        return self.layers[0].kv_heads

    def steps(self, layer: int, head: int, query: int, keys: Sequence[int]) -> Steps:
        """How the weights of a query come about; see `QKSource.steps`."""
        return self.layers[layer].steps(0, head, query, keys)

    def values(self, layer: int, head: int, key: slice) -> Weights | None:
        """The values that a head reads, (keys, Dv); None where they were not kept."""
        return self.layers[layer].values(0, head, key)

    def output(self, layer: int, head: int) -> object | None:
        """A head's part of the output matrix; see `QKSource.output`."""
        return self.layers[layer].output(0, head)

    def read_every(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Compute every n-th query of one layer; see `QKSource.read_every`."""
        return self.layers[layer].read_every(0, head, query, key)

    def log_sum_exp(
        self, layer: int, head: int, query: slice | None = None
    ) -> Generator[float, None, Any]:
        """The log-sum-exp of the logits of each query; see `QKSource.log_sum_exp`."""
        return self.layers[layer].log_sum_exp(0, head, query)

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        """One head pooled to a grid; see `QKSource.overview`."""
        return self.layers[layer].overview(0, head, rows, cols)

    def preview(
        self, layer: int, head: int, query: slice, key: slice, rows: int, cols: int
    ) -> tuple[Weights, str]:
        """Roughly the mean weight of each cell of a grid; see `QKSource.preview`."""
        return self.layers[layer].preview(0, head, query, key, rows, cols)


class RaggedSource:
    """Rows of one source below those of another, each with its own keys; zeros elsewhere.

    Args:
        parts: Sources of one layer, and where the first key of each lies.
    """

    def __init__(self, parts: Sequence[tuple[Source, int]]) -> None:
        self._parts = tuple(parts)
        counts = [part.shape[2] for part, _ in parts]
        self._rows = np.cumsum([0, *counts])
        keys = max(first + part.shape[3] for part, first in parts)
        self.shape: Shape = (1, parts[0][0].shape[1], int(self._rows[-1]), keys)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block; see `Source.read`."""
        size = (head.stop - head.start, query.stop - query.start, key.stop - key.start)
        found = np.zeros(size, dtype=np.float32)
        begin = int(np.searchsorted(self._rows, query.start, side="right")) - 1
        for place in range(max(0, begin), len(self._parts)):
            part, first = self._parts[place]
            top, bottom = int(self._rows[place]), int(self._rows[place + 1])
            if top >= query.stop:
                break
            rows = slice(max(top, query.start), min(bottom, query.stop))
            keys = slice(max(first, key.start), min(first + part.shape[3], key.stop))
            if rows.start < rows.stop and keys.start < keys.stop:
                inner = slice(rows.start - top, rows.stop - top)
                block = part.read(0, head, inner, slice(keys.start - first, keys.stop - first))
                found[
                    :,
                    rows.start - query.start : rows.stop - query.start,
                    keys.start - key.start : keys.stop - key.start,
                ] = block
        return found
