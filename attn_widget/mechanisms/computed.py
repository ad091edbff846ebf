"""Attention with every intermediate: from scores to output."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .conditions import Conditions
from .inputs import spread
from .local import Locality, LocalPosition, locality_of
from .scores import Scored
from .softmax import Floats


@dataclass(frozen=True, eq=False)
class Computed:
    """Attention with every intermediate, all (L, H, …), in float64.

    Attributes:
        scored: queries, keys and scores.
        conditions: what happens to the scores.
        scaled: (L, H, Q, K).
        masked: (L, H, Q, K).
        shares: (L, H, Q, K): softmax; the weights, unless ``locality`` thins them out.
        weights: (L, H, Q, K).
        value: (L, Hkv, K, Dv) or None.
        output: (L, H, Q, Dv) or None.
        locality: around which keys each query looks, or None.
        name: what to call it.
    """

    scored: Scored
    conditions: Conditions
    scaled: Floats
    masked: Floats
    shares: Floats
    weights: Floats
    value: Floats | None
    output: Floats | None
    locality: Locality | None
    name: str


def compute(
    scored: Scored,
    conditions: Conditions,
    value: Floats | None,
    local: LocalPosition | None = None,
    name: str = "",
) -> Computed:
    """Return what some scores come to.

    Args:
        scored: queries, keys and scores.
        conditions: what happens to the scores.
        value: (L, Hkv, K, Dv) or None.
        local: around which keys each query looks, or None.
        name: what to call it.

    Raises:
        TypeError: if the parameters of ``local`` hold no real numbers.
        ValueError: if they do not fit.
    """
    locality = None
    if local is not None:
        locality = locality_of(local, scored.query, scored.shape[3])
        if locality.mask is not None:
            conditions = replace(conditions, masks={**conditions.masks, "local": locality.mask})
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = conditions.scale * scored.scores
    masked = conditions.logits(scaled)
    shares = conditions.weights(masked)
    weights = shares if locality is None else shares * locality.factor
    output = None if value is None else weights @ spread(value, weights.shape[1])
    return Computed(
        scored, conditions, scaled, masked, shares, weights, value, output, locality, name
    )
