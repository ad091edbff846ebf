"""What a source may do faster than reading: overviews of whole heads, and previews of parts."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Overview:
    """One head, pooled into ``(rows, cols)`` cells; position ``i`` of ``n`` is in ``i*rows//n``."""

    max: NDArray[np.float32]
    """(rows, cols): the weight of largest magnitude in each cell, with its sign."""
    mean: NDArray[np.float32]
    """(rows, cols): the mean weight of each cell."""
    totals: NDArray[np.float64]
    """(K,): the weight of each key, summed over all queries."""
    entropy: NDArray[np.float64] | None
    """(Q,): the entropy of each row in nats; None where it is not known."""


@runtime_checkable
class SupportsOverview(Protocol):
    """A source that reduces a whole head by itself."""

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        """Reduce a head in steps of some 50 ms at most, in bounded memory.

        Args:
            layer: the layer.
            head: the head.
            rows: cells on the query side, at most Q.
            cols: cells on the key side, at most K.

        Yields:
            The share done, 0..1, rising.

        Returns:
            The overview, float32 or better.
        """
        ...


@runtime_checkable
class SupportsPreview(Protocol):
    """A source that knows roughly what a part looks like, at once."""

    def preview(
        self, layer: int, head: int, query: slice, key: slice, rows: int, cols: int
    ) -> tuple[NDArray[np.float32], str]:
        """Return the mean weight of the cells of a part, roughly, within about 0.3 s.

        Args:
            layer: the layer.
            head: the head.
            query: the queries, a slice of step 1 within bounds.
            key: the keys, likewise.
            rows: cells on the query side.
            cols: cells on the key side.

        Returns:
            float32 ``(rows, cols)``, and a few words on how it was made ("from every 64th query").
        """
        ...
