"""Rows that a model produced step after step while it generated, put together as one map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, cast

import numpy as np

from ..sources import LayersSource, Shape, Source, Weights, float_dtype, shape_of, to_float32

Steps = Sequence[Sequence[object]]
"""For each step one array (B, H, q, k) a layer: the new rows, over the keys there were by then."""


class StepsSource:
    """The rows of all steps, one below the other; nothing is copied.

    A step that saw fewer keys than there were by then saw the last ones (a sliding window); one
    that saw more, a cache of fixed size, saw the first ones. What a step did not see is 0.

    Args:
        steps: The weights of each step; see `Steps`.
        entries: Which entry of the batch axis to read at each step.
        there: How many keys there were at the end of each step.

    Raises:
        ValueError: If the steps do not have the same layers and heads.
        TypeError: If the numbers are not floats.
    """

    def __init__(self, steps: Steps, entries: Sequence[int], there: Sequence[int]) -> None:
        self._steps = tuple(map(tuple, steps))
        self._entries = tuple(entries)
        self._there = tuple(there)
        first = self._steps[0][0]
        self.dtype, self.dtype_name = float_dtype(first)
        layers, heads = len(self._steps[0]), shape_of(first)[1]
        for number, step in enumerate(self._steps):
            sizes = [shape_of(layer) for layer in step]
            if [size[1:3] for size in sizes] != [(heads, rows_of(step))] * layers:
                raise ValueError(
                    f"every step must have {layers} layers of {heads} heads, as step 0 has; "
                    f"step {number} has {sizes}"
                )
        self._starts = tuple(accumulate(map(rows_of, self._steps), initial=0))
        self.shape: Shape = (layers, heads, self._starts[-1], self._there[-1])

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        size = (head.stop - head.start, query.stop - query.start, key.stop - key.start)
        block = np.zeros(size, dtype=np.float32)
        if not block.size:
            return block
        first = int(np.searchsorted(self._starts, query.start, side="right")) - 1
        last = int(np.searchsorted(self._starts, query.stop, side="left"))
        for step in range(first, last):
            array = self._steps[step][layer]
            seen = shape_of(array)[-1]
            origin = max(0, self._there[step] - seen)
            rows = _overlap(query, self._starts[step], self._starts[step + 1])
            keys = _overlap(key, origin, origin + seen)
            if keys.start < keys.stop:
                part = (self._entries[step], head, _moved(rows, -self._starts[step]))
                found = cast(Any, array)[(*part, _moved(keys, -origin))]
                place = (slice(None), _moved(rows, -query.start), _moved(keys, -key.start))
                block[place] = to_float32(found)
        return block


def assembled(
    steps: Steps, entries: Sequence[int], *, cross: bool = False, positions: int | None = None
) -> Source:
    """The map of a generation.

    Args:
        steps: The weights of each step; see `Steps`.
        entries: Which entry of the batch axis to read at each step.
        cross: Whether the keys are those of another sequence, the same at each step.
        positions: How many positions there were at the end, where it is known.

    Returns:
        The rows of all steps; of a model without a cache, which repeats them, the last step.

    Raises:
        ValueError: If the steps do not fit each other.
    """
    rows = [rows_of(step) for step in steps]
    if len(rows) > 1 and rows[1] > max(1, rows[0]):
        return LayersSource(steps[-1], entries[-1])
    if cross:
        return StepsSource(steps, entries, [shape_of(steps[0][0])[-1]] * len(steps))
    before = _cached_before(steps) if positions is None else positions - sum(rows)
    return StepsSource(steps, entries, list(accumulate(rows, initial=before))[1:])


def rows_of(step: Sequence[object]) -> int:
    """How many rows a step adds."""
    return shape_of(step[0])[-2]


def _cached_before(steps: Steps) -> int:
    """How many positions a cache held before the first step."""
    seen = [max(shape_of(layer)[-1] for layer in step) for step in steps[:2]]
    more = seen[0] - rows_of(steps[0])
    # A cache of fixed size shows as many keys at every step.
    return 0 if more and len(seen) > 1 and seen[0] == seen[1] else more


def _overlap(asked: slice, start: int, stop: int) -> slice:
    return slice(max(asked.start, start), min(asked.stop, stop))


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
