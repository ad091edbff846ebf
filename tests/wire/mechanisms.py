"""How weights come about, as the kernel tells the page: `mechanism.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isinf, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.answers import reply
from attn_widget.codec import Packed, unpack
from attn_widget.mechanisms import Steps, panels_of, recompute
from attn_widget.protocol import VERSION

Case = dict[str, Any]


def plain(values: Any) -> list[float | str]:
    """Write doubles so that JSON can hold them."""
    found = (float(value) for value in np.asarray(values, dtype=np.float64).flat)
    return [
        "NaN" if isnan(one) else ("-Infinity" if one < 0 else "Infinity") if isinf(one) else one
        for one in found
    ]


def answered(attention: aw.Attention, request: Case) -> tuple[Case, dict[str, NDArray[Any]]]:
    """Return the fields and arrays that the kernel answers a request for a mechanism with."""
    asked = {"v": VERSION, "id": "wire", "kind": "mechanism", "layer": 0, "head": 0, **request}
    content, buffers = reply(attention, asked, 1)
    described = content.pop("arrays")
    assert content["ok"]
    arrays = {
        name: unpack(Packed(dtype=one["dtype"], shape=one["shape"], data=data))
        for (name, one), data in zip(described.items(), buffers, strict=True)
    }
    return {name: content[name] for name in content if name not in ("v", "id", "ok")}, arrays


def terms_of(steps: Steps) -> list[NDArray[np.float64]]:
    """Return what the score of the first key in ``steps`` is the sum of, as it arises."""
    left = steps.query if steps.projected_query is None else steps.projected_query
    right = (steps.key if steps.projected_key is None else steps.projected_key)[0]
    if steps.v is None:
        return [left * right]
    bent = np.tanh(left + right)
    return [left + right, bent, bent * steps.v]


def case(name: str, attention: aw.Attention, query: int, key: int, *, whole: bool) -> Case:
    """Make a case: what the kernel answers, and what comes of it."""
    request = {} if whole else {"query": query, "keys": [key]}
    fields, arrays = answered(attention, request)
    trials: list[Case] = []
    square = attention.shape[2] == attention.shape[3]
    for steps in panels_of(attention.source, 0, 0, query, [key]):
        masks = dict(steps.masks)
        if square:
            masks.setdefault("causal", np.arange(attention.shape[3]) <= query)
        offered = replace(steps, masks=masks)
        own = tuple(steps.masks)
        trials.append(
            {
                "terms": [plain(part) for part in terms_of(steps)],
                "output": None if steps.output is None else plain(steps.output),
                "trials": [
                    trial(offered, scale, temperature, on)
                    for scale, temperature, on in (
                        (1.0, 1.0, own),
                        (0.25, 1.0, own),
                        (2.0, 4.0, own),
                        (1.0, 0.5, tuple(masks)),
                        (1.0, 1.0, ()),
                    )
                ],
            }
        )
    return {
        "name": f"{name}, {'whole' if whole else 'one row'}",
        "keys": attention.shape[3],
        "query": query,
        "key": key,
        "fields": fields,
        "arrays": {
            name: {"shape": list(array.shape), "values": plain(array)}
            for name, array in arrays.items()
        },
        "panels": trials,
    }


def trial(steps: Steps, scale: float, temperature: float, masks: Sequence[str]) -> Case:
    """Return the row with scale and temperature changed by factors, and some masks on."""
    row = recompute(
        steps,
        scale=steps.scale * scale,
        temperature=steps.temperature * temperature,
        masks=masks,
    )
    return {
        "scale": scale,
        "temperature": temperature,
        "masks": list(masks),
        "scaled": plain(row.scaled),
        "masked": plain(row.masked),
        "weights": plain(row.weights),
        "leak": float(row.leak),
    }


def mechanism_cases() -> list[Case]:
    """Make cases for every mechanism, and for all that changes a logit."""
    rng = np.random.default_rng(7)
    query, key, value = (rng.normal(size=(6, 4)).round(2) for _ in range(3))
    w_query, w_key = (rng.normal(size=(4, 3)).round(2) for _ in range(2))
    v, w = rng.normal(size=3).round(2), rng.normal(size=(4, 4)).round(2)
    padding = np.array([True, True, True, True, False, False])
    bias = -0.5 * np.abs(np.arange(6)[:, None] - np.arange(6))
    bias[2, 0], bias[3, 1] = -1e30, -np.inf
    plain_dot = aw.Attention.from_qk(query, key, value=value)
    ruled = aw.Attention.from_qk(
        query.astype(np.float32), key.astype(np.float32), value=value.astype(np.float32),
        causal=True, window=4, mask=padding, bias=bias, softcap=2.0, sinks=[0.5],
    )  # fmt: skip
    nothing = aw.Attention.from_qk(query, key, mask=np.arange(6)[:, None] != 1)
    dot = aw.scaled_dot_product_attention(query, key, value, temperature=0.5, name="dot")
    additive = aw.additive_attention(query, key, w_query, w_key, v, value, mask=padding)
    general = aw.multiplicative_attention(query, key, w, value)
    cross = aw.additive_attention(query[:2], key, w_query, w_key, v)
    odd = aw.Attention.from_qk(query, np.where(np.arange(6)[:, None] == 2, np.nan, key))
    named = [
        ("dot product", plain_dot, 2, 4),
        ("every rule", ruled, 2, 1),
        ("every rule, masked by all", ruled, 5, 0),
        ("a row without keys", nothing, 1, 0),
        ("additive", additive.attention, 0, 3),
        ("general", general.attention, 3, 3),
        ("cross", cross.attention, 1, 5),
        ("side by side", dot.beside(additive), 4, 2),
        ("a key that is NaN", odd, 0, 1),
    ]
    return [
        case(name, attention, at, to, whole=whole)
        for name, attention, at, to in named
        for whole in (True, False)
    ]
