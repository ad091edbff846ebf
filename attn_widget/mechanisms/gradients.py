"""Gradients of attention in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .computed import Computed
from .inputs import gathered, spread
from .softmax import Floats


@dataclass(frozen=True, eq=False)
class Gradients:
    """How a loss changes with what attention was made of; each in the shape of its namesake.

    Attributes:
        query: (…, Q, Dq).
        key: (…, K, Dk); of grouped heads summed over the heads that share a key.
        value: (…, K, Dv); None unless the loss depends on the output.
        weights: (…, Q, K).
        masked: (…, Q, K): with what softmax is taken of; 0 where a query may not attend.
        scores: (…, Q, K).
        w: the matrix of ``"general"`` (Dq, Dk) or ``"concat"`` (Dq + Dk, A).
        w_query: (Dq, A), of ``"additive"``.
        w_key: (Dk, A), of ``"additive"``.
        v: (A,), of ``"additive"`` and ``"concat"``.
        position_w: (Dq, A), of local-p.
        position_v: (A,), of local-p.
    """

    query: Floats
    key: Floats
    weights: Floats
    masked: Floats
    scores: Floats
    value: Floats | None = None
    w: Floats | None = None
    w_query: Floats | None = None
    w_key: Floats | None = None
    v: Floats | None = None
    position_w: Floats | None = None
    position_v: Floats | None = None


def gradients_of(
    computed: Computed, grad_output: Floats | None, grad_weights: Floats | None
) -> dict[str, Floats]:
    """Return the fields of `Gradients`, (L, H, …).

    Args:
        computed: the attention.
        grad_output: (L, H, Q, Dv) or None.
        grad_weights: (L, H, Q, K) or None.
    """
    shape, conditions = computed.weights.shape, computed.conditions
    found: dict[str, Floats] = {}
    of_weights = np.zeros(shape) if grad_weights is None else grad_weights
    if grad_output is not None and computed.value is not None:
        heads, groups = shape[1], computed.value.shape[1]
        of_weights = of_weights + grad_output @ np.swapaxes(spread(computed.value, heads), 2, 3)
        of_value = np.swapaxes(computed.weights, 2, 3) @ grad_output
        found["value"] = gathered(of_value, groups)
    of_shares, locality = of_weights, computed.locality
    if locality is not None:
        of_shares = of_weights * locality.factor
    # A sink's share is left out of the sum: nothing depends on it.
    mean = (of_shares * computed.shares).sum(axis=-1, keepdims=True)
    of_masked = computed.shares * (of_shares - mean)
    of_scores = of_masked * (conditions.scale / conditions.temperature)
    if conditions.softcap is not None:
        of_scores = of_scores * (1 - np.tanh(computed.scaled / conditions.softcap) ** 2)
    found |= {"weights": of_weights, "masked": of_masked, "scores": of_scores}
    found |= computed.scored.gradients(of_scores)
    if locality is not None:
        of_position = locality.gradients(of_weights * computed.shares)
        found["query"] = found["query"] + of_position.pop("query")
        found |= of_position
    return found
