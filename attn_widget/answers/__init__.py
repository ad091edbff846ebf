"""Answers to what the page asks for: thumbnails, regions, edges, rows and mechanisms."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .. import protocol
from ..attention import Attention
from ..codec import Packed
from ..memory import Memory
from .edges import answer_edges
from .fields import Request, Steps
from .mechanism import answer_mechanism
from .region import answer_region
from .rows import answer_rows
from .thumbnails import answer_thumbnails

__all__ = ["Reply", "hovered_at", "reply", "reply_steps"]

_ENVELOPE: Final = ("v", "id", "kind", "hold")

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Reply:
    """What is sent for a request: the message, its buffers, and what goes into a trait instead."""

    content: dict[str, Any]
    buffers: list[bytes] = field(default_factory=list)
    held: tuple[str, Any] | None = None
    """The name of the trait and its value, where the request says ``hold``."""


def reply_steps(
    attention: Attention, request: Request, revision: int, memory: Memory
) -> Generator[float, None, Reply]:
    """Answer a request in steps of about 50 ms at most; an error is an answer too.

    Args:
        attention: the map shown.
        request: what the page sent: ``v``, ``id``, ``kind`` and the fields of its kind.
        revision: that of the map shown.
        memory: answers given before.

    Yields:
        The share done, 0..1.
    """
    envelope = {"v": protocol.VERSION, "id": request.get("id"), "revision": revision}
    try:
        fields, arrays = yield from _answer(attention, request, memory)
    except Exception as error:
        _log.exception("request %r failed", request.get("kind"))
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return Reply({**envelope, "ok": False, "error": text})
    if request.get("hold") is True:
        asked = {name: value for name, value in request.items() if name not in _ENVELOPE}
        value = {**fields, "revision": revision, "request": asked, "arrays": arrays}
        return Reply({**envelope, "ok": True, "held": True}, held=(f"_{request['kind']}", value))
    described = {
        name: {"dtype": packed["dtype"], "shape": packed["shape"]}
        for name, packed in arrays.items()
    }
    content = {**envelope, "ok": True, **fields, "arrays": described}
    return Reply(content, [packed["data"] for packed in arrays.values()])


def reply(
    attention: Attention, request: Request, revision: int
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the message that answers a request, and its buffers, all at once."""
    steps = reply_steps(attention, request, revision, Memory())
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answered: Reply = end.value
            return answered.content, answered.buffers


def _answer(
    attention: Attention, request: Request, memory: Memory
) -> Generator[float, None, tuple[dict[str, Any], dict[str, Packed]]]:
    if request.get("v") != protocol.VERSION:
        raise ValueError(
            f"the page speaks version {request.get('v')!r} and the kernel version "
            f"{protocol.VERSION}: reload the page"
        )
    kind = request.get("kind")
    if not isinstance(kind, str) or kind not in _ANSWERS:
        raise ValueError(f"kind must be one of {', '.join(_ANSWERS)}; got {kind!r}")
    asked = {name: value for name, value in request.items() if name not in ("v", "id", "hold")}
    key = json.dumps(asked, sort_keys=True, default=repr)
    known = memory.answer(key)
    if known is None:
        known = yield from _ANSWERS[kind](attention, request, memory)
        # The page keeps rows itself.
        if kind != "rows":
            memory.keep_answer(key, known)
    return known


def hovered_at(reported: object) -> dict[str, Any] | None:
    """Return what the page reports as hovered, None for nothing and for what is no report."""
    if not isinstance(reported, Mapping):
        return None
    return {name: reported.get(name) for name in ("layer", "head", "query", "key", "weight")}


_ANSWERS: Final[dict[str, Callable[[Attention, Request, Memory], Steps]]] = {
    "thumbnails": answer_thumbnails,
    "region": answer_region,
    "edges": answer_edges,
    "rows": answer_rows,
    "mechanism": answer_mechanism,
}
