"""Heads or layers merged into one: mean, maximum, minimum."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..filters import merge_heads
from ..sources import Weights
from .inputs import as_attention, check_choice, derived
from .lazy import PartSource, chunk_rows

OVER = ("heads", "layers")


def mean(att: object, over: str = "heads") -> Attention:
    """The mean over heads, or over layers.

    ``A̅[l, i, j] = 1/H Σ_h A[l, h, i, j]``; rows that sum to 1 still do. Missing weights (NaN) are
    left out. Read when asked for.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        over: ``"heads"`` or ``"layers"``.

    Returns:
        A map (L, 1, Q, K) or (1, H, Q, K) of the same kind.

    Raises:
        ValueError: If ``over`` is neither.
    """
    return _merged(as_attention(att), "mean", over)


def maximum(att: object, over: str = "heads") -> Attention:
    """The largest weight over heads, or over layers, of each query and key.

    Rows no longer sum to 1: compare with care. Missing weights (NaN) are left out.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        over: ``"heads"`` or ``"layers"``.

    Returns:
        A map (L, 1, Q, K) or (1, H, Q, K) of the same kind.

    Raises:
        ValueError: If ``over`` is neither.
    """
    return _merged(as_attention(att), "maximum", over)


def minimum(att: object, over: str = "heads") -> Attention:
    """The smallest weight over heads, or over layers: what all of them agree on.

    Rows no longer sum to 1. Missing weights (NaN) are left out.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        over: ``"heads"`` or ``"layers"``.

    Returns:
        A map (L, 1, Q, K) or (1, H, Q, K) of the same kind.

    Raises:
        ValueError: If ``over`` is neither.
    """
    return _merged(as_attention(att), "minimum", over)


def merged_heads(att: Attention, combine: str, layer: int, query: slice, key: slice) -> Weights:
    """A block of one layer with its heads merged, one read at a time.

    Returns:
        float32 (1, queries, keys).
    """
    heads = range(att.shape[1])
    blocks = (att.source.read(layer, slice(one, one + 1), query, key)[0] for one in heads)
    return merge_heads(blocks, combine)


def fused_rows(
    att: Attention, combine: str, layer: int, rows: slice
) -> Generator[None, None, NDArray[np.float64]]:
    """Some queries of one layer with their heads merged, a head a step; NaN stays NaN.

    Returns:
        (queries, K).
    """
    _, heads, _, keys = att.shape
    how = {"mean": np.add, "max": np.maximum, "min": np.minimum}[combine]
    total: NDArray[np.float64] | None = None
    for head in range(heads):
        block = att.source.read(layer, slice(head, head + 1), rows, slice(0, keys))[0]
        total = block.astype(np.float64) if total is None else how(total, block)
        yield
    assert total is not None
    return total / heads if combine == "mean" else total


def _merged(att: Attention, method: str, over: str) -> Attention:
    check_choice("over", over, OVER)
    layers, heads, queries, keys = att.shape
    if not layers * heads:
        raise ValueError(f"a map without layers or heads has no {method}; got shape {att.shape}")
    combine = {"mean": "mean", "maximum": "max", "minimum": "min"}[method]

    def of_heads(layer: int, head: slice, query: slice, key: slice) -> Weights:
        return merged_heads(att, combine, layer, query, key)[head]

    def of_layers(_: int, head: slice, query: slice, key: slice) -> Weights:
        every: Sequence[int] = range(layers)
        blocks = (att.source.read(one, head, query, key) for one in every)
        merged: Weights = merge_heads(blocks, combine)[0]
        return merged

    by_heads = over == "heads"
    source = PartSource(
        (layers, 1, queries, keys) if by_heads else (1, heads, queries, keys),
        of_heads if by_heads else of_layers,
        chunk_rows(att),
    )
    notes = () if combine == "mean" else ("rows no longer sum to 1",)
    title = f"{method} over {over}"
    return derived(att, source, method, title=title, settings={"over": over}, notes=notes)
