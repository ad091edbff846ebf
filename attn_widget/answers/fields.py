"""The fields of a request, checked: what is asked for exists and fits into an answer."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeAlias

from .. import protocol
from ..attention import Attention
from ..memory import Answer
from ..methods import merge_words
from ..slices import can_merge_words

Request: TypeAlias = Mapping[str, Any]

Steps: TypeAlias = Generator[float, None, Answer]
"""An answer in steps: the share done after each, and the fields and arrays at the end."""

ROOM = protocol.MESSAGE_BYTES - protocol.MODULE_BYTES
"""Bytes of arrays that an answer may have."""


def required(request: Request, name: str) -> Any:
    """Return a field.

    Raises:
        ValueError: if there is none.
    """
    if name not in request:
        kind = request.get("kind", "this")
        raise ValueError(f"a request for {kind} must have {name}; got {', '.join(request)}")
    return request[name]


def within(request: Request, name: str, length: int) -> int:
    """Return a field that is an int below ``length``.

    Raises:
        ValueError: if it is anything else.
    """
    return position(name, request.get(name), length)


def position(name: str, value: object, length: int) -> int:
    """Return a value that is an int of at least 0 below ``length``.

    Raises:
        ValueError: if it is anything else.
    """
    if type(value) is not int or not 0 <= value < length:
        raise ValueError(f"{name} must be an int within 0 and {length - 1}; got {value!r}")
    return value


def positions(name: str, value: Any, length: int) -> list[int]:
    """Return a list of ints of at least 0 below ``length``.

    Raises:
        ValueError: if one is anything else.
    """
    return [position(name, item, length) for item in value]


def span(request: Request, name: str, length: int) -> slice:
    """Return a field ``[start, stop]`` as a slice that holds at least one of ``length`` positions.

    Raises:
        ValueError: if it is anything else.
    """
    value = required(request, name)
    ints = isinstance(value, list) and len(value) == 2 and all(type(end) is int for end in value)
    if not ints or not 0 <= value[0] < value[1] <= length:
        raise ValueError(
            f"{name} must be [start, stop] with 0 <= start < stop <= {length}; got {value!r}"
        )
    return slice(value[0], value[1])


def cells(request: Request, name: str, most: tuple[int, int]) -> tuple[int, int]:
    """Return a field ``[rows, cols]``, each at most as many as there are positions.

    Raises:
        ValueError: if it is anything but two ints of at least 1.
    """
    value = required(request, name)
    ints = isinstance(value, list) and len(value) == 2 and all(type(end) is int for end in value)
    if not ints or min(value) < 1:
        raise ValueError(f"{name} must be [rows, cols], ints of at least 1; got {value!r}")
    return min(value[0], most[0]), min(value[1], most[1])


def fitted(size: tuple[int, int], most: int) -> tuple[int, int]:
    """Return a size of at most ``most`` cells, of about the same proportions."""
    rows, cols = size
    if rows * cols <= most:
        return size
    shrunk = max(1, min(rows, int(rows * (most / (rows * cols)) ** 0.5)))
    return shrunk, max(1, min(cols, most // shrunk))


def with_words(attention: Attention, request: Request) -> Attention:
    """Return the map, its sub-words merged where the request says so.

    Raises:
        ValueError: if they can't be.
    """
    if not request.get("words"):
        return attention
    if not can_merge_words(attention):
        raise ValueError("words must be False for scores and for maps without words; got True")
    return merge_words(attention)
