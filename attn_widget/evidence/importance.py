"""Heads that an answer hangs on, by gradients; keys that receive out of proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..maps import as_attention
from ..methods.inputs import as_fitting
from ..streams import read_queries, row_blocks

Floats = NDArray[np.float64]


def head_importance(
    attention: Attention | object, gradients: object, *, normalise: bool = True
) -> Floats:
    """Return how much a loss hangs on each head, by its gradients.

    ``|Σ_ij A_ij · ∂L/∂A_ij|``. Since a head's output is ``A V``, that is ``|head output · ∂L/∂ head
    output|`` summed over positions: how the loss changes with a gate on the head. Average it over
    several inputs (Michel, Levy, Neubig 2019, section 4.1).

    Args:
        attention: (L, H, Q, K): the weights of one input.
        gradients: of the same shape: how the loss changes with each weight; `capture` with
            ``gradients=True`` has them.
        normalise: whether to divide the heads of a layer by their L2 norm, as the paper does.

    Returns:
        (L, H), in the unit of the loss, or without unit where normalised. A layer without any
        importance is zeros.

    Raises:
        ValueError: if the shapes differ.
    """
    att = as_attention(attention, "attention")
    changes = as_fitting(gradients, att, "gradients")
    layers, heads, queries, keys = att.shape
    found = np.zeros((layers, heads))
    for layer in range(layers):
        for rows in row_blocks(att, np.arange(queries), max(1, heads * keys)):
            parts = (
                read_queries(one, layer, slice(0, heads), rows, slice(0, keys))
                for one in (att, changes)
            )
            found[layer] += np.einsum("hqk,hqk->h", *(part.astype(np.float64) for part in parts))
    found = np.abs(found)
    if not normalise:
        return found
    norms = np.sqrt((found**2).sum(axis=1, keepdims=True))
    # A layer without any importance stays zeros.
    return np.asarray(found / np.where(norms > 0, norms, 1.0))


def outlier_keys(
    attention: Attention | object, layer: int = 0, head: int = 0, *, factor: float = 10.0
) -> tuple[int, ...]:
    """Return the keys that receive more than ``factor`` times what the median key does.

    Such patches of a vision transformer often hold no local content but serve as registers
    (Darcet et al. 2024). Under a causal mask early keys are asked by more queries: keep that in
    mind there.

    Args:
        attention: a map.
        layer: the layer.
        head: the head.
        factor: how many times the median column sum; above 1.

    Returns:
        Keys, by what they receive, the most first.

    Raises:
        ValueError: if ``factor`` is not above 1.
    """
    if not factor > 1:
        raise ValueError(f"factor must be above 1; got {factor!r}")
    att = as_attention(attention, "attention")
    queries, keys = att.shape[2:]
    sums = np.zeros(keys)
    for rows in row_blocks(att, np.arange(queries), max(1, keys)):
        block = read_queries(att, layer, slice(head, head + 1), rows, slice(0, keys))
        sums += np.abs(block[0]).sum(axis=0, dtype=np.float64)
    order = np.argsort(-sums, kind="stable")
    return tuple(int(key) for key in order if sums[key] > factor * np.median(sums))
