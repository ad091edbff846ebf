"""Attention as it is taught and published, from queries and keys to weights and output."""

from __future__ import annotations

import math
from typing import Any, Literal

from ..attention import Attention
from .computed import compute
from .conditions import conditions_for
from .inputs import Given, as_given, as_matrix, as_vector
from .local import LocalPosition
from .scores import Scored, score_additive, score_concat, score_dot, score_general
from .softmax import Floats
from .source import TraceSource
from .trace import Trace

Score = Literal["dot", "general", "concat"]


def scaled_dot_product_attention(
    query: object,
    key: object,
    value: object = None,
    *,
    mask: object = None,
    causal: bool = False,
    scale: float | None = None,
    temperature: float = 1.0,
    bias: object = None,
    alibi: object = False,
    window: int | None = None,
    softcap: float | None = None,
    sinks: object = None,
    offset: int = 0,
    queries: object = None,
    keys: object = None,
    name: str = "",
) -> Trace:
    """Attend by scaled dot products, every step kept: ``softmax(scale · query · key) @ value``.

    What happens to a score, in this order: scale, softcap, bias and ALiBi, temperature, masks,
    softmax beside the sinks. Everything is computed and held in float64, Q × K included; for long
    sequences and for real models there is `Attention.from_qk`, which computes what is looked at.
    Without options it equals ``torch.nn.functional.scaled_dot_product_attention``.

    Sources: Vaswani et al. 2017, equation 1; Ainslie et al. 2023 (grouped heads); Press et al.
    2022 (ALiBi); Beltagy et al. 2020 (windows); Gemma 2 2024 (softcap); Xiao et al. 2024 and
    gpt-oss 2025 (sinks).

    Args:
        query: (Q, D), (H, Q, D) or (L, H, Q, D): NumPy, PyTorch (detached) or nested lists. Results
            keep these leading axes.
        key: (K, D), (Hkv, K, D) or (L, Hkv, K, D) with H % Hkv == 0: head h reads key head
            h // (H // Hkv).
        value: (…, K, Dv) with the leading axes of ``key``; None for weights only.
        mask: boolean, True where a query may attend; broadcasts to (…, Q, K), so (K,) is a padding
            mask. A row without keys has zeros for weights.
        causal: whether a query attends to no later key. Query i stands at position i + ``offset``.
        scale: factor of the scores; None is ``1 / sqrt(D)``.
        temperature: divisor of the logits (and sinks): above 1 evens the weights out.
        bias: added to the logits; broadcasts to (…, Q, K).
        alibi: adds ``−slope · abs(position − key)``: True for the slopes of `alibi_slopes`, or one
            slope a head, (H,).
        window: with ``causal`` 0 <= position − key < window, else abs(position − key) < window.
        softcap: ``softcap · tanh(logit / softcap)``, before bias.
        sinks: a logit for all heads, or one a head, (H,) or (L, H), whose share leaves the row.
        offset: position of the first query among the keys; with cached keys K − Q.
        queries: labels of the queries; see `Attention`.
        keys: labels of the keys; None on a square map means "same as queries".
        name: a name to show.

    Raises:
        TypeError: if something is of a wrong type.
        ValueError: if shapes do not fit or numbers are out of range.
    """
    given = as_given(query, key, value)
    q, k = given.query, given.key
    if q.shape[3] != k.shape[3]:
        raise ValueError(f"query and key must have one D, their last axis; got {_both(q, k)}")
    return _trace(
        score_dot("scaled_dot_product", q, k),
        given,
        (queries, keys, name),
        scale=1 / math.sqrt(q.shape[3]) if scale is None else scale,
        temperature=temperature,
        mask=mask,
        causal=causal,
        bias=bias,
        alibi=alibi,
        window=window,
        softcap=softcap,
        sinks=sinks,
        offset=offset,
    )


def additive_attention(
    query: object,
    key: object,
    w_query: object,
    w_key: object,
    v: object,
    value: object = None,
    *,
    mask: object = None,
    causal: bool = False,
    scale: float = 1.0,
    temperature: float = 1.0,
    bias: object = None,
    alibi: object = False,
    window: int | None = None,
    softcap: float | None = None,
    sinks: object = None,
    offset: int = 0,
    queries: object = None,
    keys: object = None,
    name: str = "",
) -> Trace:
    """Attend additively: ``softmax(v · tanh(query @ w_query + key @ w_key)) @ value``.

    Source: Bahdanau et al. 2015, section A.1.2, where queries are decoder states s, keys encoder
    annotations h, and ``w_query``, ``w_key``, ``v`` are W_a, U_a (both transposed) and v_a.

    Args:
        query: (Q, Dq), (H, Q, Dq) or (L, H, Q, Dq).
        key: (K, Dk) likewise; grouped heads are allowed.
        w_query: (Dq, A), shared by all heads.
        w_key: (Dk, A).
        v: (A,).
        value: (…, K, Dv), often the keys; None for weights only.
        mask: this and what follows is as in `scaled_dot_product_attention`.
        causal: whether a query attends to no later key.
        scale: factor of the scores.
        temperature: divisor of the logits.
        bias: added to the logits.
        alibi: linear biases.
        window: keys in reach.
        softcap: largest absolute logit.
        sinks: logits whose share leaves the row.
        offset: position of the first query among the keys.
        queries: labels of the queries.
        keys: labels of the keys.
        name: a name to show.

    Raises:
        TypeError: if something is of a wrong type.
        ValueError: if shapes do not fit or numbers are out of range.
    """
    given = as_given(query, key, value)
    q, k = given.query, given.key
    of_query = as_matrix(w_query, "w_query", q.shape[3], "(Dq, A)")
    of_key = as_matrix(w_key, "w_key", k.shape[3], "(Dk, A)")
    if of_query.shape[1] != of_key.shape[1]:
        raise ValueError(
            f"w_query and w_key must have one A, their last axis; got shapes {of_query.shape} and "
            f"{of_key.shape}"
        )
    of_sum = as_vector(v, "v", of_query.shape[1], "(A,)")
    return _trace(
        score_additive(q, k, of_query, of_key, of_sum),
        given,
        (queries, keys, name),
        scale=scale,
        temperature=temperature,
        mask=mask,
        causal=causal,
        bias=bias,
        alibi=alibi,
        window=window,
        softcap=softcap,
        sinks=sinks,
        offset=offset,
    )


def multiplicative_attention(
    query: object,
    key: object,
    w: object = None,
    value: object = None,
    *,
    v: object = None,
    score: Score | None = None,
    local: LocalPosition | None = None,
    mask: object = None,
    causal: bool = False,
    scale: float = 1.0,
    temperature: float = 1.0,
    bias: object = None,
    alibi: object = False,
    window: int | None = None,
    softcap: float | None = None,
    sinks: object = None,
    offset: int = 0,
    queries: object = None,
    keys: object = None,
    name: str = "",
) -> Trace:
    """Attend by one of the scores of Luong: dot, general or concat; globally or locally.

    ``"dot"``: ``query · key``, not scaled. ``"general"``: ``query @ w @ key.T``. ``"concat"``:
    ``v · tanh([query; key] @ w)``. Source: Luong et al. 2015, equations 7 to 10.

    Args:
        query: (Q, Dq), (H, Q, Dq) or (L, H, Q, Dq).
        key: (K, Dk) likewise; grouped heads are allowed.
        w: None for ``"dot"``, (Dq, Dk) for ``"general"``, (Dq + Dk, A) for ``"concat"``, the rows
            of the query first.
        value: (…, K, Dv); None for weights only.
        v: (A,), for ``"concat"``.
        score: which of them; None tells by what is given: ``v``, only ``w``, or neither.
        local: around which position each query looks (local-p); rows then sum to less than 1.
        mask: this and what follows is as in `scaled_dot_product_attention`.
        causal: whether a query attends to no later key.
        scale: factor of the scores.
        temperature: divisor of the logits.
        bias: added to the logits.
        alibi: linear biases.
        window: keys in reach.
        softcap: largest absolute logit.
        sinks: logits whose share leaves the row.
        offset: position of the first query among the keys.
        queries: labels of the queries.
        keys: labels of the keys.
        name: a name to show.

    Raises:
        TypeError: if something is of a wrong type.
        ValueError: if shapes do not fit, numbers are out of range, or ``score`` needs other
            parameters.
    """
    given = as_given(query, key, value)
    q, k = given.query, given.key
    return _trace(
        _luong(q, k, w, v, score),
        given,
        (queries, keys, name),
        local,
        scale=scale,
        temperature=temperature,
        mask=mask,
        causal=causal,
        bias=bias,
        alibi=alibi,
        window=window,
        softcap=softcap,
        sinks=sinks,
        offset=offset,
    )


def _luong(query: Floats, key: Floats, w: object, v: object, score: Score | None) -> Scored:
    given = "concat" if v is not None else "dot" if w is None else "general"
    needs = {"dot": "neither w nor v", "general": "w alone", "concat": "w and v"}
    if score is not None and score not in needs:
        raise ValueError(f"score must be one of {', '.join(map(repr, needs))}; got {score!r}")
    if (score or given) != given or (given == "concat" and w is None):
        parts = [name for name, part in (("w", w), ("v", v)) if part is not None]
        raise ValueError(
            f"score {score or given!r} takes {needs[score or given]}; "
            f"got {' and '.join(parts) or 'neither'}"
        )
    dq, dk = query.shape[3], key.shape[3]
    if given == "dot":
        if dq != dk:
            raise ValueError(
                "query and key must have one D, their last axis, unless w maps between them; "
                f"got {_both(query, key)}"
            )
        return score_dot("dot", query, key)
    if given == "general":
        matrix = as_matrix(w, "w", dq, "(Dq, Dk)")
        if matrix.shape[1] != dk:
            raise ValueError(f"w must have shape (Dq, Dk) = ({dq}, {dk}); got {matrix.shape}")
        return score_general(query, key, matrix)
    matrix = as_matrix(w, "w", dq + dk, "(Dq + Dk, A)")
    return score_concat(query, key, matrix, as_vector(v, "v", matrix.shape[1], "(A,)"))


def _both(query: Floats, key: Floats) -> str:
    return f"query {query.shape} and key {key.shape} as (layers, heads, positions, D)"


def _trace(
    scored: Scored,
    given: Given,
    labels: tuple[object, object, str],
    local: LocalPosition | None = None,
    **options: Any,
) -> Trace:
    conditions = conditions_for(scored.shape, **options)
    queries, keys, name = labels
    computed = compute(scored, conditions, given.value, local, name)
    return Trace(computed, given.axes, Attention(TraceSource(computed), queries, keys, name=name))
