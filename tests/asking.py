"""Asking as the page does, and decoding what comes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attn_widget import Attention, protocol
from attn_widget.answers import Reply, reply_steps
from attn_widget.codec import Packed, unpack
from attn_widget.memory import Memory

Arrays = dict[str, NDArray[Any]]


def replied(
    asked: Attention, request: dict[str, Any], memory: Memory | None = None
) -> tuple[Reply, list[float]]:
    """Return the reply to a request and the shares told on the way."""
    message = {"v": protocol.VERSION, "id": "a-1", **request}
    # Only what JSON can carry arrives.
    arrived = json.loads(json.dumps(message))
    steps = reply_steps(asked, arrived, 7, Memory() if memory is None else memory)
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            return end.value, shares


def ask(
    asked: Attention, request: dict[str, Any], memory: Memory | None = None
) -> tuple[dict[str, Any], Arrays]:
    """Return the fields and arrays of a good reply."""
    reply, shares = replied(asked, request, memory)
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    content = json.loads(json.dumps(reply.content, allow_nan=False))
    assert content["ok"] is True, content.get("error")
    assert sum(map(len, reply.buffers)) < protocol.MESSAGE_BYTES
    arrays = {
        name: unpack(Packed(dtype=described["dtype"], shape=described["shape"], data=data))
        for (name, described), data in zip(content["arrays"].items(), reply.buffers, strict=True)
    }
    return content, arrays


def refused(asked: Attention, request: dict[str, Any]) -> str:
    """Return the error that a bad request is answered with."""
    reply, _ = replied(asked, request)
    assert reply.content["ok"] is False
    assert reply.buffers == []
    return str(reply.content["error"])


def rows_of(*shape: int, seed: int = 0, dtype: str = "f4") -> NDArray[Any]:
    """Make weights whose rows sum to 1."""
    drawn = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True), dtype=dtype)
