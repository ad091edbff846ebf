"""Answers to what the page asks for: rows of a layer, and the strongest edges of a large one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import protocol
from .attention import Attention
from .codec import Packed, pack, wire_dtype
from .filters import Filter
from .slices import element_bytes, layer_edges, read_rows, strongest_edges

Answer = tuple[dict[str, Any], dict[str, Packed]]


def answer(attention: Attention, request: Mapping[str, Any]) -> Answer:
    """Return the fields and arrays that answer a request.

    Raises:
        ValueError: if the request asks for something unknown, out of range or too large; the page
            shows the text where the data would be.
    """
    kind = request.get("kind")
    if kind not in _ANSWERS:
        raise ValueError(f"kind must be one of {', '.join(_ANSWERS)}; got {kind!r}")
    layer = _within(request, "layer", attention.shape[0])
    return _ANSWERS[kind](attention, layer, request)


def _rows(attention: Attention, layer: int, request: Mapping[str, Any]) -> Answer:
    side = request.get("side")
    if side not in ("query", "key"):
        raise ValueError(f"side must be 'query' or 'key'; got {side!r}")
    _, heads, queries, keys = attention.shape
    length, across = (queries, keys) if side == "query" else (keys, queries)
    start = _within(request, "start", length + 1)
    stop = _within(request, "stop", length + 1)
    size = max(0, stop - start) * heads * across * element_bytes(attention)
    if size > protocol.MESSAGE_BYTES:
        raise ValueError(
            f"rows must fit into {protocol.MESSAGE_BYTES} bytes; "
            f"{start} to {stop} take {size} bytes"
        )
    weights = read_rows(attention, layer, side, start, stop)
    fields = {"layer": layer, "side": side, "start": start, "stop": stop}
    return fields, {"weights": pack(weights, wire_dtype(attention.dtype))}


def _edges(attention: Attention, layer: int, request: Mapping[str, Any]) -> Answer:
    heads = [int(head) for head in request["heads"]]
    words = bool(request.get("words", False))
    top_k = request.get("top_k")
    filters = Filter(
        combine=str(request["combine"]),
        direction=str(request["direction"]),
        mass=float(request["mass"]),
        threshold=float(request["threshold"]),
        top_k=None if top_k is None else int(top_k),
        special=str(request["special"]),
        scale=str(request["scale"]),
    )
    edges = layer_edges(attention, layer, heads, filters, words=words)
    queries, keys = request["shape"]
    limit = min(int(request.get("limit", protocol.EDGES_LIMIT)), protocol.EDGES_LIMIT)
    strong, haze = strongest_edges(edges, limit, int(queries), int(keys))
    fields = {
        "layer": layer,
        "total": edges.total,
        "kept": edges.kept,
        "missing": edges.missing,
        "pooled": len(edges.query) - len(strong.query),
        "fog_heads": haze.heads,
    }
    arrays: dict[str, tuple[NDArray[Any], str]] = {
        "query": (strong.query, "u4"),
        "key": (strong.key, "u4"),
        "head": (strong.head, "u2"),
        "weight": (strong.weight, "f4"),
        "strength": (strong.strength, "f4"),
        "fog": (np.minimum(haze.strength, 65504), "f2"),
    }
    return fields, {name: pack(values, dtype) for name, (values, dtype) in arrays.items()}


def _within(request: Mapping[str, Any], name: str, length: int) -> int:
    value = request.get(name)
    if not isinstance(value, int) or not 0 <= value < length:
        raise ValueError(f"{name} must be an int within 0 and {length - 1}; got {value!r}")
    return value


_ANSWERS: Final[dict[str, Callable[[Attention, int, Mapping[str, Any]], Answer]]] = {
    "rows": _rows,
    "edges": _edges,
}
