"""Attention from queries and keys computed directly, in float64, as the oracle of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget.qk import arithmetic, inputs

Floats = NDArray[np.float64]


def direct(
    query: Any,
    key: Any,
    *,
    scale: float | None = None,
    causal: bool = False,
    mask: Any = None,
    bias: Any = None,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Any = None,
    offset: int = 0,
) -> Floats:
    """Weights (L, H, Q, K) of queries (L, H, Q, D) and keys (L, Hkv, K, D), one step at a time."""
    q, k = np.asarray(query, dtype=np.float64), np.asarray(key, dtype=np.float64)
    k = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
    with np.errstate(all="ignore"):
        logits = np.einsum("lhqd,lhkd->lhqk", q, k) * (
            q.shape[-1] ** -0.5 if scale is None else scale
        )
        if softcap is not None:
            logits = softcap * np.tanh(logits / softcap)
        if bias is not None:
            logits = logits + np.asarray(bias, dtype=np.float64)
        apart = np.arange(q.shape[2])[:, None] + offset - np.arange(k.shape[2])
        allowed = np.ones_like(logits, dtype=bool)
        if causal:
            allowed &= apart >= 0
        if window is not None:
            allowed &= (apart if causal else abs(apart)) < window
        if mask is not None:
            allowed &= np.asarray(mask)
        if bias is not None:
            allowed &= np.asarray(bias) > -1e30
        logits = np.where(allowed, logits, -np.inf)
        top = logits.max(axis=-1, keepdims=True)
        sink = (
            np.full(q.shape[:2], -np.inf) if sinks is None else np.broadcast_to(sinks, q.shape[:2])
        )
        top = np.maximum(top, sink[..., None, None])
        top = np.where(np.isneginf(top), 0.0, top)
        shares = np.exp(logits - top)
        total = shares.sum(axis=-1, keepdims=True) + np.exp(sink[..., None, None] - top)
        return np.where(allowed & (total != 0), shares / total, 0.0)


def pooled(weights: Floats, rows: int, cols: int) -> tuple[Floats, Floats]:
    """Max and mean of each cell of one map (Q, K); position i of n falls in bin i · bins // n."""
    row, col = (
        np.arange(n) * bins // n for n, bins in zip(weights.shape, (rows, cols), strict=True)
    )
    cells = [[weights[row == r][:, col == c] for c in range(cols)] for r in range(rows)]
    return (
        np.array([[cell.max() for cell in line] for line in cells]),
        np.array([[cell.mean() for cell in line] for line in cells]),
    )


def row_entropy(weights: Floats) -> Floats:
    """−Σ p ln p of each row, nats, where p are shares of the row's weight."""
    sums = weights.sum(axis=-1, keepdims=True)
    shares = weights / np.where(sums > 0, sums, 1)
    found: Floats = -np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1)), 0).sum(
        axis=-1
    )
    return found


def assert_close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    """Check weights to what is promised."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@contextmanager
def blocks(rows: int, keys: int, *, single: bool) -> Iterator[None]:
    """Compute in blocks of this size, so that small maps have many; in float32 if ``single``."""
    with ExitStack() as stack:
        for kind in (arithmetic.NumPyArithmetic, arithmetic.TensorArithmetic):
            stack.enter_context(patch.multiple(kind, rows=rows, keys=keys))
        if single:
            stack.enter_context(patch.object(inputs, "DOUBLE", 0))
        yield


@dataclass
class Case:
    """Queries, keys and options of one map."""

    query: NDArray[Any]
    key: NDArray[Any]
    options: dict[str, Any] = field(default_factory=dict)
    rows: int = 256
    keys: int = 4096
    single: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        layers, heads, queries, _ = self.query.shape
        return layers, heads, queries, self.key.shape[2]


@st.composite
def cases(draw: st.DrawFn, tables: bool = True) -> Case:
    """Every combination of options, with masks and biases if ``tables``, in blocks of any size."""
    layers, group, key_heads = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 2)),
    )
    queries, keys, depth = (
        draw(st.integers(1, 24)),
        draw(st.integers(1, 24)),
        draw(st.integers(1, 8)),
    )
    heads = group * key_heads
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["f2", "f4", "f8"]))
    strength = draw(st.sampled_from([0.0, 1.0, 3.0]))
    query = (strength * rng.standard_normal((layers, heads, queries, depth))).astype(dtype)
    key = rng.standard_normal((layers, key_heads, keys, depth)).astype(dtype)
    full = (layers, heads, queries, keys)

    def table() -> tuple[int, ...]:
        own = [size if draw(st.booleans()) else 1 for size in full]
        return tuple(own[draw(st.integers(0, 3)) :])

    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["causal"] = True
    if draw(st.booleans()):
        options["window"] = draw(st.integers(1, 12))
    if tables and draw(st.booleans()):
        options["mask"] = rng.random(table()) < draw(st.sampled_from([0.3, 0.8]))
    if tables and draw(st.booleans()):
        options["bias"] = 4 * rng.standard_normal(table())
        options["bias"][rng.random(options["bias"].shape) < 0.1] = -np.inf
    if draw(st.booleans()):
        options["softcap"] = draw(st.sampled_from([0.5, 5.0, 50.0]))
    if draw(st.booleans()):
        options["sinks"] = 3 * rng.standard_normal(
            draw(st.sampled_from([(heads,), (layers, heads)]))
        )
    if draw(st.booleans()):
        options["scale"] = draw(st.sampled_from([0.1, 1.0, -0.7]))
    if draw(st.booleans()):
        options["offset"] = draw(st.integers(-5, 12))
    size = draw(st.sampled_from([(256, 4096), (5, 7), (1, 3), (16, 1)]))
    return Case(query, key, options, *size, single=draw(st.booleans()))
