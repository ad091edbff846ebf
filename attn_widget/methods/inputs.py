"""What methods are given, checked; and the map they give back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis
from ..made import Made, Notes, Setting
from ..maps import as_attention as as_attention
from ..sources import Source, is_array

Floats = NDArray[np.float64]

FUSIONS = ("mean", "max", "min")
"""How heads can become one."""


def as_fitting(value: object, att: Attention, name: str) -> Attention:
    """A second map of the same shape as ``att``.

    Raises:
        ValueError: If the shapes differ.
    """
    found = as_attention(value, name)
    if found.shape != att.shape:
        raise ValueError(
            f"{name} must have the shape of the map, {att.shape} (layers, heads, queries, keys); "
            f"got {found.shape}"
        )
    return found


def check_square(att: Attention, method: str) -> None:
    """Check that the positions of a map attend to each other, in some layer and head.

    Raises:
        ValueError: If there are not as many queries as keys, or no layer or head.
    """
    layers, heads, queries, keys = att.shape
    if not layers * heads:
        raise ValueError(f"{method} needs a layer and a head; got shape {att.shape}")
    if queries != keys:
        raise ValueError(
            f"{method} follows attention from layer to layer, so it needs self-attention: as many "
            f"queries as keys; got {queries} queries and {keys} keys"
        )


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check that a parameter is one of those there are.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def check_share(name: str, value: float, *, below: float | None = None) -> float:
    """A parameter within 0 and 1, as a float.

    Raises:
        ValueError: If it lies outside, or at ``below`` or above.
    """
    if not 0 <= value <= 1 or (below is not None and value >= below):
        limits = "0 and 1" if below is None else f"0 and below {below:g}"
        raise ValueError(f"{name} must lie within {limits}; got {value!r}")
    return float(value)


def check_layer(name: str, value: int, layers: int) -> int:
    """A layer, counted from the end where negative.

    Raises:
        ValueError: If there is no such layer.
    """
    if not -layers <= value < layers:
        raise ValueError(f"{name} must be in 0 … {layers - 1}; got {value!r}")
    return int(value) % layers


def floats(value: object, name: str) -> Floats:
    """Numbers of any library as float64.

    Raises:
        TypeError: If they are no numbers.
    """
    if isinstance(value, (list, tuple)) and value and all(map(is_array, value)):
        return np.stack([floats(part, name) for part in value])
    if hasattr(value, "detach"):
        value = cast(Any, value).detach().double().cpu().numpy()
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers: {error}") from None
    return found


def layered(value: object, name: str, *shapes: tuple[int, ...]) -> Floats:
    """Numbers of each layer, broadcast to one of some shapes ``(layers, …)``.

    Args:
        value: An array of such a shape, or without its first axis where all layers share it.
        name: What to call it in messages.
        shapes: What it may have, the usual one first.

    Raises:
        ValueError: If the shape is none of these.
    """
    found = floats(value, name)
    for shape in shapes:
        if found.shape in (shape, shape[1:]):
            return np.broadcast_to(found, shape)
    raise ValueError(f"{name} must have shape {' or '.join(map(str, shapes))}; got {found.shape}")


def derived(
    att: Attention,
    source: Source | NDArray[Any],
    method: str,
    *,
    title: str = "",
    settings: Mapping[str, Setting] | None = None,
    notes: Notes = (),
    kind: str | None = None,
    queries: Axis | None = None,
    keys: Axis | None = None,
) -> Attention:
    """A map that a method made of another one, with the record of it.

    Args:
        att: What it was made from.
        source: Its numbers.
        method: The name of the function.
        title: What to call the result; the method, spelt out, where none is given.
        settings: The parameters that decide about the result.
        notes: What to know about it.
        kind: What its numbers are; those of ``att`` where none is given.
        queries: Its queries; those of ``att`` where none are given.
        keys: Likewise.
    """
    title = title or method.replace("_", " ")
    return Attention(
        source,
        att.queries if queries is None else queries,
        att.keys if keys is None else keys,
        kind=kind or att.kind,
        name=f"{title} of {att.name}" if att.name else title,
        made=[*att.made, Made(method, att.name, settings, notes)],
    )
