"""Score functions: dot, general, and the tanh of two projections; values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np

from .inputs import gathered, spread
from .softmax import Floats
from .steps import Mechanism

_HELD = 1 << 22
"""Numbers of ``tanh`` held at once: queries × keys × size of the projection."""


Gradients = dict[str, Floats]
"""How a loss changes with queries, keys and parameters, by name."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Queries and keys, and what they score with each other.

    Attributes:
        mechanism: how a score arises.
        query: (L, H, Q, Dq).
        key: (L, Hkv, K, Dk).
        scores: (L, H, Q, K).
        gradients: takes how a loss changes with each score, (L, H, Q, K), and returns how it
            changes with ``query``, ``key`` and the parameters.
        projected_query: (L, H, Q, A) or None.
        projected_key: (L, Hkv, K, A) or None.
        v: (A,) or None.
    """

    mechanism: Mechanism
    query: Floats
    key: Floats
    scores: Floats
    gradients: Callable[[Floats], Gradients]
    projected_query: Floats | None = None
    projected_key: Floats | None = None
    v: Floats | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(L, H, Q, K)."""
        layers, heads, queries, keys = self.scores.shape
        return layers, heads, queries, keys


def score_dot(mechanism: Mechanism, query: Floats, key: Floats) -> Scored:
    """Return ``query · key``, of (L, H, Q, D) and (L, Hkv, K, D)."""
    gradients = partial(_dot_gradients, query, key)
    return Scored(mechanism, query, key, _products(query, key), gradients)


def score_general(query: Floats, key: Floats, w: Floats) -> Scored:
    """Return ``(query @ w) · key``, of (L, H, Q, Dq), (L, Hkv, K, Dk) and (Dq, Dk)."""
    projected = query @ w
    gradients = partial(_general_gradients, query, key, w)
    scores = _products(projected, key)
    return Scored("general", query, key, scores, gradients, projected, key)


def score_additive(query: Floats, key: Floats, w_query: Floats, w_key: Floats, v: Floats) -> Scored:
    """Return ``v · tanh(query @ w_query + key @ w_key)``.

    Args:
        query: (L, H, Q, Dq).
        key: (L, Hkv, K, Dk).
        w_query: (Dq, A).
        w_key: (Dk, A).
        v: (A,).
    """
    projected_query, projected_key = query @ w_query, key @ w_key
    gradients = partial(_additive_gradients, query, key, w_query, w_key, v)
    scores = _tanh_scores(projected_query, projected_key, v)
    return Scored("additive", query, key, scores, gradients, projected_query, projected_key, v)


def score_concat(query: Floats, key: Floats, w: Floats, v: Floats) -> Scored:
    """Return ``v · tanh([query; key] @ w)``: additive scores with both matrices in one.

    Args:
        query: (L, H, Q, Dq).
        key: (L, Hkv, K, Dk).
        w: (Dq + Dk, A).
        v: (A,).
    """
    size = query.shape[3]
    additive = score_additive(query, key, w[:size], w[size:], v)
    gradients = partial(_concat_gradients, query, key, w, v)
    return replace(additive, mechanism="concat", gradients=gradients)


def _dot_gradients(query: Floats, key: Floats, grad: Floats) -> Gradients:
    of_key = np.swapaxes(grad, 2, 3) @ query
    return {
        "query": grad @ spread(key, grad.shape[1]),
        "key": gathered(of_key, key.shape[1]),
    }


def _general_gradients(query: Floats, key: Floats, w: Floats, grad: Floats) -> Gradients:
    found = _dot_gradients(query @ w, key, grad)
    of_projected = found["query"]
    return {**found, "query": of_projected @ w.T, "w": _outer(query, of_projected)}


def _additive_gradients(
    query: Floats, key: Floats, w_query: Floats, w_key: Floats, v: Floats, grad: Floats
) -> Gradients:
    of_query, of_key, of_v = _tanh_gradients(query @ w_query, key @ w_key, v, grad)
    return {
        "query": of_query @ w_query.T,
        "key": of_key @ w_key.T,
        "w_query": _outer(query, of_query),
        "w_key": _outer(key, of_key),
        "v": of_v,
    }


def _concat_gradients(query: Floats, key: Floats, w: Floats, v: Floats, grad: Floats) -> Gradients:
    size = query.shape[3]
    found = _additive_gradients(query, key, w[:size], w[size:], v, grad)
    found["w"] = np.concatenate([found.pop("w_query"), found.pop("w_key")])
    return found


def _tanh_scores(query: Floats, key: Floats, v: Floats) -> Floats:
    scores = np.empty((*query.shape[:3], key.shape[2]))
    for layer, head, group, rows in _blocks(query, key):
        sums = query[layer, head, rows, None] + key[layer, group]
        scores[layer, head, rows] = np.tanh(sums, out=sums) @ v
    return scores


def _tanh_gradients(
    query: Floats, key: Floats, v: Floats, grad: Floats
) -> tuple[Floats, Floats, Floats]:
    of_query, of_key, of_v = np.zeros_like(query), np.zeros_like(key), np.zeros_like(v)
    for layer, head, group, rows in _blocks(query, key):
        tanh = np.tanh(query[layer, head, rows, None] + key[layer, group])
        part = grad[layer, head, rows]
        of_v += np.einsum("qk,qka->a", part, tanh)
        of_sums = part[..., None] * (1 - tanh**2) * v
        of_query[layer, head, rows] = of_sums.sum(axis=1)
        of_key[layer, group] += of_sums.sum(axis=0)
    return of_query, of_key, of_v


def _products(query: Floats, key: Floats) -> Floats:
    return np.asarray(query @ np.swapaxes(spread(key, query.shape[1]), 2, 3))


def _outer(left: Floats, right: Floats) -> Floats:
    """Return the sum of ``leftᵀ right`` over all positions of all heads and layers."""
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


def _blocks(query: Floats, key: Floats) -> Iterator[tuple[int, int, int, slice]]:
    """Yield layer, head, key head and some queries, whose tanh may be held at once."""
    layers, heads, queries, size = query.shape
    times = heads // key.shape[1]
    most = max(1, _HELD // max(1, key.shape[2] * size))
    for layer, head, start in product(range(layers), range(heads), range(0, queries, most)):
        yield layer, head, head // times, slice(start, start + most)
