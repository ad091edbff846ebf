"""How the weights of a head come about: of all its queries at once, or of one and its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import mechanisms, protocol
from ..attention import Attention
from ..codec import Packed, pack
from ..memory import Memory
from .fields import Request, Steps, positions, within

Panels = tuple[mechanisms.Steps, ...]

WHOLE_CELLS: Final = 1 << 20
"""Heads with more weights are never sent whole: reading all of their rows would take long."""

STRONGEST: Final = 48
"""Keys whose vectors come with a row, beside those asked for: as many as a page shows at most."""

STEP_ROWS: Final = 32
"""Queries read between two chances for the kernel to do something else."""


def mechanism_travels(attention: Attention) -> str | None:
    """Return how a map's mechanism is asked for.

    Returns:
        ``"whole"``: a head at once, ``"row"``: a query at a time, None where there is none.
    """
    if not mechanisms.has_mechanism(attention.source):
        return None
    _, _, queries, keys = attention.shape
    if queries * keys > WHOLE_CELLS:
        return "row"
    size = 0
    for steps in mechanisms.panels_of(attention.source, 0, 0, 0, [0]):
        of_query = (steps.query, steps.projected_query)
        of_key = (steps.key, steps.projected_key, steps.value)
        tables = (steps.bias, steps.locality)
        size += sum(8 * queries * part.size for part in of_query if part is not None)
        size += sum(8 * keys * part.size for part in of_key if part is not None)
        size += sum(8 * queries * keys for part in tables if part is not None)
        size += len(steps.masks) * queries * keys
    return "whole" if size <= protocol.MECHANISM_BYTES else "row"


def answer_mechanism(attention: Attention, request: Request, memory: Memory) -> Steps:
    """Answer with what a head's weights are made of: vectors, masks, biases.

    With a ``query`` in the request: its row, with the raw scores of all keys, the vectors of the
    ``keys`` asked for and of the strongest ones, and the output. Without: all queries and keys of
    the head, whose scores the page computes itself.

    Raises:
        ValueError: if something is missing or out of range, the map has no mechanism, or that of a
            head is too large to be sent whole.
    """
    travels = mechanism_travels(attention)
    if travels is None:
        raise ValueError("how the weights of this map come about is not known")
    layer = within(request, "layer", attention.shape[0])
    head = within(request, "head", attention.shape[1])
    _, _, queries, keys = attention.shape
    if request.get("query") is not None:
        query = within(request, "query", queries)
        asked = positions("keys", request.get("keys", []), keys)
        panels, places = _row(attention, layer, head, query, asked)
        fields = {"layer": layer, "head": head, "query": query, "keys": places}
        return fields | _told(panels), _arrays([panels], alone=True)
    if travels != "whole":
        raise ValueError("a request for a mechanism of this size must have a query; got none")
    rows: list[Panels] = []
    for query in range(queries):
        vectors = range(keys) if query == 0 else ()
        rows.append(mechanisms.panels_of(attention.source, layer, head, query, vectors))
        if query % STEP_ROWS == STEP_ROWS - 1:
            yield (query + 1) / queries
    return {"layer": layer, "head": head} | _told(rows[0]), _arrays(rows, alone=False)


def _row(
    attention: Attention, layer: int, head: int, query: int, asked: Sequence[int]
) -> tuple[Panels, list[int]]:
    """Return one query in each mechanism, with the keys asked for and the strongest ones."""
    source = attention.source
    panels = mechanisms.panels_of(source, layer, head, query, asked)
    places = sorted({*asked, *mechanisms.strongest_keys(panels, STRONGEST)})
    return mechanisms.panels_of(source, layer, head, query, places), places


def _told(panels: Panels) -> dict[str, Any]:
    """Return what is said of each mechanism in words and single numbers."""
    return {
        "panels": [
            {
                "mechanism": steps.mechanism,
                "name": steps.name,
                "scale": steps.scale,
                "temperature": steps.temperature,
                "softcap": steps.softcap,
                "masks": list(steps.masks),
            }
            for steps in panels
        ]
    }


def _arrays(rows: list[Panels], *, alone: bool) -> dict[str, Packed]:
    """Pack the panels of some queries; those of the first hold the vectors of keys."""
    packed: dict[str, Packed] = {}
    for panel, first in enumerate(rows[0]):
        own = [panels[panel] for panels in rows]
        parts = {
            "query": _stacked([steps.query for steps in own]),
            "projected_query": _stacked([steps.projected_query for steps in own]),
            "key": first.key,
            # Keys are what they are projected to.
            "projected_key": None if first.mechanism == "general" else first.projected_key,
            "value": first.value,
            "v": _stacked([first.v]),
            "bias": _stacked([steps.bias for steps in own]),
            "locality": _stacked([steps.locality for steps in own]),
            "sink": _stacked([_numbers(steps.sink) for steps in own]),
            "scores": _stacked([first.scores]) if alone else None,
            "output": _stacked([first.output]) if alone else None,
        }
        for name, values in parts.items():
            if values is not None:
                packed[f"{panel} {name}"] = pack(values, _dtype(values))
        for name in first.masks:
            masks = _alike(np.stack([steps.masks[name] for steps in own]))
            packed[f"{panel} {name}"] = pack(masks, "u1")
    return packed


def _numbers(value: float | None) -> NDArray[np.float64] | None:
    return None if value is None else np.array([value], np.float64)


def _stacked(parts: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """Return vectors of some queries below each other; None where there are none."""
    there = [part for part in parts if part is not None]
    return _alike(np.stack(there)) if there else None


def _alike(values: NDArray[Any]) -> NDArray[Any]:
    """Return one row where all rows are the same."""
    return (
        values[:1] if np.array_equal(values, np.broadcast_to(values[:1], values.shape)) else values
    )


def _dtype(values: NDArray[np.float64]) -> str:
    """Return the smallest dtype that keeps numbers exactly."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return "f4" if np.array_equal(single, values, equal_nan=True) else "f8"
