"""What a widget is given, in one form: named lists of maps."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from .attention import Attention
from .mechanisms import Trace

MAP_LIKE: Final = (Attention, Trace)
"""What stands for a map: a trace for the map of its weights."""

Maps = dict[str, list[Attention]]
"""Each name with its steps; a single map is one step."""


def as_maps(maps: Any) -> Maps:
    """Return maps in one form.

    Args:
        maps: an ``Attention``, ``{name: Attention or list of them}``, or a list of ``Attention``
            (steps of a sequence). A ``Trace`` stands for its map, and what has ``maps`` (a capture,
            a recorder) for these.

    Raises:
        TypeError: if it is anything else, or holds anything else.
        ValueError: if it is empty.
    """
    maps = held_maps(maps)
    if isinstance(maps, Mapping):
        if not maps:
            raise ValueError("maps must hold at least one Attention; got an empty mapping")
        for name in maps:
            if not isinstance(name, str):
                raise TypeError(f"maps must be named by strings; got the name {name!r}")
        return {str(name): _steps(value, f"maps[{name!r}]") for name, value in maps.items()}
    steps = _steps(maps, "maps")
    return {steps[0].name or "attention": steps}


def held_maps(value: Any) -> Any:
    """Return the maps of what holds them (a capture, a recorder), or the value as it is."""
    return value.maps if hasattr(type(value), "maps") else value


def as_attention(value: object, name: str = "att") -> Attention:
    """Return one map: of an ``Attention``, an array that makes one, or what holds just one.

    Args:
        value: what is given: also a ``Trace``, a capture, or maps by name.
        name: what to call it in messages.

    Raises:
        TypeError: if it is none of these.
        ValueError: if its shape is none of a map, or it holds several maps.
    """
    held = held_maps(value)
    if isinstance(held, (*MAP_LIKE, Mapping)):
        return _only(as_maps(held), name)
    try:
        return Attention(held)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _only(maps: Maps, name: str) -> Attention:
    first, steps = next(iter(maps.items()))
    if len(maps) > 1:
        raise ValueError(
            f"{name} must be one map; got {len(maps)}, {', '.join(maps)}: take one by its name, "
            f"such as maps[{first!r}]"
        )
    if len(steps) > 1:
        raise ValueError(
            f"{name} must be one map; got {len(steps)} steps of {first!r}: take one of them, such "
            "as the last, [-1]"
        )
    return steps[0]


def _steps(value: Any, what: str) -> list[Attention]:
    if isinstance(value, MAP_LIKE):
        return [_map(value)]
    if not isinstance(value, (list, tuple)):
        raise TypeError(
            f"{what} must be an Attention or a list of them; got {type(value).__name__} "
            "(wrap an array first: Attention(weights, queries, keys))"
        )
    if not value:
        raise ValueError(f"{what} must hold at least one Attention; got an empty list")
    for index, item in enumerate(value):
        if not isinstance(item, MAP_LIKE):
            raise TypeError(
                f"{what}[{index}] must be an Attention; got {type(item).__name__} "
                "(wrap an array first: Attention(weights, queries, keys))"
            )
    return [_map(item) for item in value]


def _map(value: Attention | Trace) -> Attention:
    return value.attention if isinstance(value, Trace) else value


_OF_ATTENTION: Final = ("queries", "keys", "kind", "name", "batch")


def unknown_keyword(name: str, known: list[str]) -> TypeError:
    """Return the error for a keyword that is no state of the widget, with the likely one named."""
    if name in _OF_ATTENTION:
        return TypeError(
            f"{name!r} is not a keyword of AttentionWidget; give it to the map: "
            f"Attention(weights, ..., {name}=...)"
        )
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return TypeError(f"{name!r} is not a keyword of AttentionWidget; {hint}")
