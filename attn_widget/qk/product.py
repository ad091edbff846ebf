"""ProductSource: a map of plain dot products, computed where it is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..sources import Shape, Weights
from .inputs import Vectors, arithmetic_for, check_fit


class ProductSource:
    """``left · right``, for the part that is read; the matrix is never held.

    With the gradient of an attention's output on the left and its values on the right, this is the
    gradient of its weights: from O = A V follows dA = dO Vᵀ.

    Args:
        left: (L, H, Q, D), leading axes optional, or one (H, Q, D) array a layer.
        right: (L, Hkv, K, D) likewise, H % Hkv == 0; head h reads right head h // (H // Hkv).

    Raises:
        TypeError: If something is of a wrong type.
        ValueError: If shapes do not fit.
    """

    def __init__(self, left: object, right: object) -> None:
        self._left, self._right = Vectors(left, "left", "Q"), Vectors(right, "right", "K")
        check_fit(self._left, self._right, None)
        layers, heads, queries, _ = self._left.shape
        self.shape: Shape = (layers, heads, queries, self._right.shape[2])
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._arithmetic = arithmetic_for(self._left, self._right)

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Compute a block of one layer; see `Source.read`."""
        bring = self._arithmetic.bring
        size = (head.stop - head.start, query.stop - query.start, key.stop - key.start)
        found = np.empty(size, dtype=np.float32)
        group = self.shape[1] // self._right.shape[1]
        for place, one in enumerate(range(head.start, head.stop)):
            left = bring(self._left.part(layer, one, query))
            right = bring(self._right.part(layer, one // group, key))
            found[place] = self._arithmetic.host(self._arithmetic.product(left, right))
        return found
