"""One query of a map computed from queries and keys, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mechanisms.softmax import Booleans
from ..mechanisms.steps import Steps, recompute
from ..sources import GAP, spans_of
from .arithmetic import NumPyArithmetic
from .inputs import Vectors
from .rules import Reach, Rules, Table, cut
from .sweep import Floats

_HELD = 1 << 20
"""Numbers brought to float64 at once."""

_DOUBLE = NumPyArithmetic(np.float64)


def steps_of(
    query: Vectors,
    key: Vectors,
    value: Vectors | None,
    rules: Rules,
    sink: float | None,
    place: tuple[int, int, int],
    keys: NDArray[np.intp],
) -> Steps:
    """Return one query in float64, with some of its keys; see `SupportsMechanism.steps`.

    Args:
        query: all queries.
        key: all keys.
        value: all values, or None.
        rules: what happens to q·k.
        sink: the sink of the head.
        place: layer, head and query.
        keys: positions whose vectors are wanted.
    """
    layer, head, index = place
    group = head // (query.shape[1] // key.shape[1])
    vector = _DOUBLE.bring(query.part(layer, head, slice(index, index + 1)))[0]
    asked = _vectors(key, layer, group, keys)
    scores = np.empty(key.shape[2])
    with np.errstate(over="ignore", invalid="ignore"):
        for part in _parts(key):
            scores[part] = _DOUBLE.bring(key.part(layer, group, part)) @ vector
    steps = Steps(
        mechanism="scaled_dot_product",
        query=vector,
        keys=keys,
        key=asked,
        scores=scores,
        weights=scores,
        scale=rules.scale,
        softcap=rules.softcap,
        bias=None if rules.bias is None else _row(rules.bias, place, len(scores)),
        masks=_masks(rules, place, len(scores)),
        sink=sink,
    )
    weights = recompute(steps).weights
    if value is None:
        return replace(steps, weights=weights)
    return replace(
        steps,
        weights=weights,
        value=_vectors(value, layer, group, keys),
        output=_output(value, layer, group, weights),
    )


def _masks(rules: Rules, place: tuple[int, int, int], keys: int) -> dict[str, Booleans]:
    masks = reach_masks(rules.reach, np.array([place[2]]))
    found = {name: mask[0] for name, mask in masks.items()}
    if rules.mask is not None:
        found["mask"] = _row(rules.mask, place, keys) != 0
    return found


def reach_masks(reach: Reach, queries: NDArray[np.intp]) -> dict[str, Booleans]:
    """Return what a causal map and a window leave of some queries, (queries, keys), by name."""
    apart = queries[:, None] + reach.offset - np.arange(reach.keys)
    masks: dict[str, Booleans] = {}
    if reach.causal:
        masks["causal"] = apart >= 0
    if reach.window is not None:
        masks["window"] = (apart if reach.causal else np.abs(apart)) < reach.window
    return masks


def _row(table: Table, place: tuple[int, int, int], keys: int) -> Any:
    layer, head, index = place
    part = table.part(layer, head, slice(index, index + 1), slice(0, keys))
    return np.broadcast_to(_DOUBLE.bring(part).reshape(-1), (keys,))


def _parts(vectors: Vectors) -> Sequence[slice]:
    return cut(slice(0, vectors.shape[2]), max(1, _HELD // vectors.shape[3]))


def _vectors(vectors: Vectors, layer: int, group: int, places: NDArray[np.intp]) -> Floats:
    found = np.empty((len(places), vectors.shape[3]))
    for span in spans_of(places.tolist(), GAP):
        for part in cut(span, max(1, _HELD // vectors.shape[3])):
            inside = np.flatnonzero((places >= part.start) & (places < part.stop))
            block = _DOUBLE.bring(vectors.part(layer, group, part))
            found[inside] = block[places[inside] - part.start]
    return found


def _output(value: Vectors, layer: int, group: int, weights: Floats) -> Floats:
    total = np.zeros(value.shape[3])
    with np.errstate(over="ignore", invalid="ignore"):
        for part in _parts(value):
            there = np.flatnonzero(weights[part])
            if len(there):
                # What has no weight adds nothing, whatever it holds.
                block = _DOUBLE.bring(value.part(layer, group, part))
                total += weights[part][there] @ block[there]
    return total
