"""From scores to weights: scale, softcap, bias, temperature, masks, sinks and softmax."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FLOOR = -1e30
"""Biases from here down mask; where blocks are streamed it is the logit of a masked pair.

Finite, since 0 · inf is NaN.
"""


def masked_logits(
    scaled: Floats,
    *,
    softcap: float | None = None,
    bias: Floats | None = None,
    temperature: float = 1.0,
    masks: Iterable[Booleans] = (),
) -> Floats:
    """Return what softmax is taken of: ``(softcap(scaled) + bias) / temperature`` where allowed.

    ``softcap(z) = softcap · tanh(z / softcap)``, as in Gemma 2 (2024).

    Args:
        scaled: (..., K): scores times scale.
        softcap: the largest absolute logit before bias; None for no limit.
        bias: what is added, such as ALiBi; broadcasts to ``scaled``. From −1e30 down it masks.
        temperature: above 1 evens the weights out, below 1 sharpens them.
        masks: True where a query may attend; each broadcasts to ``scaled``.

    Returns:
        (..., K): −inf where some mask forbids.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        logits = scaled if softcap is None else softcap * np.tanh(scaled / softcap)
        forbidden: Booleans = np.zeros((1,) * max(1, scaled.ndim), dtype=np.bool_)
        if bias is not None:
            logits = logits + bias
            forbidden = forbidden | (bias <= FLOOR)
        for mask in masks:
            forbidden = forbidden | ~mask
        return np.asarray(np.where(forbidden, -np.inf, logits / temperature))


def softmax(logits: Floats, sink: Floats | float | None = None) -> Floats:
    """Return the share of each key in ``exp(logits)``, summed over the last axis and the sink.

    A row without keys is zeros. A row with a NaN or +inf among its logits is NaN where it may
    attend. A sink is one more logit whose share is dropped (gpt-oss 2025; at 0 it is the softmax1
    of Miller 2023): what is left sums to less than 1.

    Args:
        logits: (..., K), −inf where a query may not attend.
        sink: a logit a row, which broadcasts to (..., 1); None for none.

    Returns:
        (..., K).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        peak = logits.max(axis=-1, keepdims=True, initial=-np.inf)
        if sink is not None:
            peak = np.maximum(peak, sink)
        shares = np.exp(logits - np.where(np.isneginf(peak), 0.0, peak))
        total = shares.sum(axis=-1, keepdims=True)
        if sink is not None:
            total = total + np.exp(sink - peak)
        weights = shares / np.where(total == 0, 1.0, total)
    return np.asarray(np.where(np.isneginf(logits), 0.0, weights))
