"""Local attention around a predicted position (Luong local-p)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .inputs import as_matrix, as_vector
from .softmax import Booleans, Floats


@dataclass(frozen=True, eq=False)
class LocalPosition:
    """Where each query looks: ``p = K · sigmoid(v · tanh(query @ w))``, and how far around.

    Weights are multiplied by ``exp(−(k − p)² / 2σ²)`` with ``σ = width / 2``, after softmax: rows
    then sum to less than 1. Source: Luong et al. 2015, equations 9 and 10.

    Args:
        w: (Dq, A).
        v: (A,).
        width: D of the paper, in positions, above 0.
        truncate: whether keys further than ``width`` from p are masked, as in the paper; else the
            softmax is over all keys.
    """

    w: Any
    v: Any
    width: float
    truncate: bool = False


@dataclass(frozen=True, eq=False)
class Locality:
    """What a `LocalPosition` comes to.

    Attributes:
        positions: (L, H, Q): the predicted position, 0 … K.
        factor: (L, H, Q, K): what weights are multiplied by, 0 … 1.
        mask: (L, H, Q, K): keys within reach; None where all are.
    """

    positions: Floats
    factor: Floats
    mask: Booleans | None
    _query: Floats
    _w: Floats
    _v: Floats
    _width: float

    def gradients(self, grad: Floats) -> dict[str, Floats]:
        """Return how a loss changes with queries and parameters.

        Args:
            grad: (L, H, Q, K): how the loss changes with each factor.

        Returns:
            ``query``, ``position_w`` and ``position_v``.
        """
        count = self.factor.shape[3]
        away = np.arange(count) - self.positions[..., None]
        of_positions = (grad * self.factor * away).sum(axis=-1) / (self._width / 2) ** 2
        share = self.positions / count
        of_sums = of_positions * count * share * (1 - share)
        tanh = np.tanh(self._query @ self._w)
        of_projected = of_sums[..., None] * (1 - tanh**2) * self._v
        flat = self._query.reshape(-1, self._query.shape[-1])
        return {
            "query": of_projected @ self._w.T,
            "position_w": flat.T @ of_projected.reshape(len(flat), -1),
            "position_v": np.einsum("lhq,lhqa->a", of_sums, tanh),
        }


def locality_of(local: LocalPosition, query: Floats, keys: int) -> Locality:
    """Return the factors of some queries, (L, H, Q, Dq), on a number of keys.

    Raises:
        TypeError: if parameters hold no real numbers.
        ValueError: if shapes do not fit or the width is not above 0.
    """
    w = as_matrix(local.w, "w of local", query.shape[3], "(Dq, A)")
    v = as_vector(local.v, "v of local", w.shape[1], "(A,)")
    width = float(local.width)
    if not 0 < width < np.inf:
        raise ValueError(f"width of local must be a finite number above 0; got {local.width!r}")
    positions = keys / (1 + np.exp(-(np.tanh(query @ w) @ v)))
    away = np.arange(keys) - positions[..., None]
    return Locality(
        positions,
        np.exp(-2 * (away / width) ** 2),
        np.abs(away) <= width if local.truncate else None,
        query,
        w,
        v,
        width,
    )
