"""Answers to what the page asks for: rows of a layer, and the strongest edges of a large one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import protocol
from .attention import Attention
from .codec import Packed, pack, wire_dtype
from .filters import Filter
from .methods import merge_words
from .slices import (
    can_merge_words,
    edge_parts,
    element_bytes,
    layer_full_value,
    read_rows,
    strongest_edges,
)

Answer = tuple[dict[str, Any], dict[str, Packed]]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


def reply(
    attention: Attention, request: Mapping[str, Any], revision: int
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the message that answers a request, and its buffers; an error is an answer too.

    Args:
        attention: the map shown.
        request: what the page sent: ``v``, ``id``, ``kind`` and the fields of its kind.
        revision: that of the map shown.
    """
    envelope = {"v": protocol.VERSION, "id": request.get("id"), "revision": revision}
    try:
        fields, arrays = answer(attention, request)
    except Exception as error:
        _log.exception("request %r failed", request.get("kind"))
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return {**envelope, "ok": False, "error": text}, []
    described = {
        name: {"dtype": packed["dtype"], "shape": packed["shape"]}
        for name, packed in arrays.items()
    }
    content = {**envelope, "ok": True, **fields, "arrays": described}
    return content, [packed["data"] for packed in arrays.values()]


def answer(attention: Attention, request: Mapping[str, Any]) -> Answer:
    """Return the fields and arrays that answer a request.

    Raises:
        ValueError: if the request asks for something unknown, out of range or too large; the page
            shows the text where the data would be.
    """
    if request.get("v") != protocol.VERSION:
        raise ValueError(
            f"the page speaks version {request.get('v')!r} and the kernel version "
            f"{protocol.VERSION}: reload the page"
        )
    kind = request.get("kind")
    if not isinstance(kind, str) or kind not in _ANSWERS:
        raise ValueError(f"kind must be one of {', '.join(_ANSWERS)}; got {kind!r}")
    layer = _within(request, "layer", attention.shape[0])
    return _ANSWERS[kind](attention, layer, request)


def hovered_at(reported: object) -> dict[str, Any] | None:
    """Return what the page reports as hovered, None for nothing and for what is no report."""
    if not isinstance(reported, Mapping):
        return None
    return {name: reported.get(name) for name in ("layer", "head", "query", "key", "weight")}


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
            f"rows must fit into {protocol.MESSAGE_BYTES} bytes; got {stop - start} of {heads} "
            f"heads, {size} bytes (show fewer heads: attention.select(heads=...))"
        )
    weights = read_rows(attention, layer, side, start, stop)
    fields = {"layer": layer, "side": side, "start": start, "stop": stop}
    return fields, {"weights": pack(weights, wire_dtype(attention.dtype))}


def _edges(attention: Attention, layer: int, request: Mapping[str, Any]) -> Answer:
    shown = attention
    if request.get("words"):
        if not can_merge_words(attention):
            raise ValueError("words must be False for scores and for maps without words; got True")
        shown = merge_words(attention)
    top_k = request.get("top_k")
    filters = Filter(
        combine=_required(request, "combine"),
        direction=_required(request, "direction"),
        mass=float(_required(request, "mass")),
        threshold=float(_required(request, "threshold")),
        top_k=None if top_k is None else _position("top_k", top_k, 2**53),
        special=_required(request, "special"),
        scale=_required(request, "scale"),
    )
    heads = [_position("heads", head, attention.shape[1]) for head in _required(request, "heads")]
    limit = _position("limit", request.get("limit", protocol.EDGES_LIMIT), protocol.EDGES_LIMIT + 1)
    cells = len(heads) * shown.shape[2] * shown.shape[3]
    if cells > protocol.EDGES_CELLS:
        raise ValueError(
            f"lines are drawn all at once from at most {protocol.EDGES_CELLS} weights; this layer "
            f"has {cells} (pin tokens, or show fewer heads)"
        )
    parts = edge_parts(shown, layer, heads, filters, full=layer_full_value(attention, layer))
    strong, haze = strongest_edges(parts, limit, shown.shape[2], shown.shape[3])
    fields = {
        "layer": layer,
        "total": strong.total,
        "kept": strong.kept,
        "special": strong.special_share,
        "missing": strong.missing,
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


def _required(request: Mapping[str, Any], name: str) -> Any:
    if name not in request:
        raise ValueError(f"a request for edges must have {name}; got {', '.join(request)}")
    return request[name]


def _within(request: Mapping[str, Any], name: str, length: int) -> int:
    return _position(name, request.get(name), length)


def _position(name: str, value: object, length: int) -> int:
    if type(value) is not int or not 0 <= value < length:
        raise ValueError(f"{name} must be an int within 0 and {length - 1}; got {value!r}")
    return value


_ANSWERS: Final[dict[str, Callable[[Attention, int, Mapping[str, Any]], Answer]]] = {
    "rows": _rows,
    "edges": _edges,
}
