"""Rows and columns of a layer, exactly as they are: what hover and pins show."""

from __future__ import annotations

from typing import Any

from .. import protocol
from ..attention import Attention
from ..codec import pack, wire_dtype
from ..memory import Memory
from ..overview import SupportsElsewhere
from ..slices import element_bytes, read_rows
from ..sources import to_float32
from .fields import Request, Steps, positions, within


def answer_rows(attention: Attention, request: Request, memory: Memory) -> Steps:
    """Answer with the weights of some queries or keys, of all heads or of ``heads``.

    Raises:
        ValueError: if something is out of range, or the rows are too large for a message.
    """
    layer = within(request, "layer", attention.shape[0])
    side = request.get("side")
    if side not in ("query", "key"):
        raise ValueError(f"side must be 'query' or 'key'; got {side!r}")
    _, count, queries, keys = attention.shape
    length, across = (queries, keys) if side == "query" else (keys, queries)
    start = within(request, "start", length + 1)
    stop = within(request, "stop", length + 1)
    asked = request.get("heads")
    heads = list(range(count)) if asked is None else positions("heads", asked, count)
    size = max(0, stop - start) * len(heads) * across * element_bytes(attention)
    if size > protocol.MESSAGE_BYTES:
        raise ValueError(
            f"rows must fit into {protocol.MESSAGE_BYTES} bytes; got {stop - start} of "
            f"{len(heads)} heads, {size} bytes (show fewer heads: attention.select(heads=...))"
        )
    along = range(start, max(start, stop))
    source = attention.source
    if isinstance(source, SupportsElsewhere):
        picks = (along, range(keys)) if side == "query" else (range(queries), along)
        (weights,) = yield from source.elsewhere(to_float32, [(layer, heads, *picks)])
    else:
        # Nothing here takes long enough to be done in steps.
        picked = attention if asked is None else attention.select(heads=heads)
        weights = read_rows(picked, layer, side, along.start, along.stop)
    fields: dict[str, Any] = {"layer": layer, "side": side, "start": start, "stop": stop}
    if asked is not None:
        fields["heads"] = heads
    return fields, {"weights": pack(weights, wire_dtype(attention.dtype))}
