"""What changes a logit on its way from q·k to softmax: softcap, bias, masks, windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..sources import Shape
from .arithmetic import FLOOR, Arithmetic, Block


class Table:
    """An array that broadcasts to (layer, head, query, key), read in parts and never spread out.

    Args:
        array: Anything with ``shape`` and slicing; axes are counted from the last, as in NumPy.
        sizes: What it must broadcast to.
        name: What to call it in messages.

    Raises:
        ValueError: If it does not broadcast.
    """

    def __init__(self, array: object, sizes: Shape, name: str) -> None:
        self._array = cast(Any, array)
        self.shape = tuple(int(size) for size in self._array.shape)
        axes = len(self.shape)
        fits = axes <= 4 and all(
            own in (1, size)
            for own, size in zip(self.shape, sizes[4 - min(axes, 4) :], strict=False)
        )
        if not fits or axes == 0:
            raise ValueError(
                f"{name} must broadcast to (layers, heads, queries, keys) = {sizes}; "
                f"got shape {self.shape}"
            )

    def whole(self) -> object:
        """All of it, as it was given."""
        return self._array[(slice(None),) * len(self.shape)]

    def part(self, layer: int, head: int, query: slice, key: slice) -> object:
        """The part for a block of one head: up to two axes, each of full size or 1."""
        wanted: tuple[int | slice, ...] = (layer, head, query, key)
        one: tuple[int | slice, ...] = (0, 0, slice(0, 1), slice(0, 1))
        axes = len(self.shape)
        return self._array[
            tuple(
                alone if size == 1 else part
                for size, part, alone in zip(
                    self.shape, wanted[4 - axes :], one[4 - axes :], strict=True
                )
            )
        ]


@dataclass(frozen=True)
class Reach:
    """Which keys a query may attend to by its position alone.

    Query i stands at position i + offset. Causal: no key after it. Window w: with causal
    0 <= position - key < w, else abs(position - key) < w.
    """

    keys: int
    causal: bool = False
    window: int | None = None
    offset: int = 0

    def bounds(self, queries: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each query the first key in reach and the one after the last; empty where equal."""
        places = queries + self.offset
        first, stop = np.zeros_like(places), np.full_like(places, self.keys)
        if self.causal:
            stop = places + 1
        elif self.window is not None:
            stop = places + self.window
        if self.window is not None:
            first = places - self.window + 1
        stop = np.clip(stop, 0, self.keys)
        return np.clip(first, 0, stop), stop

    def span(self, query: slice) -> slice:
        """The keys that at least one of some queries reaches."""
        if query.stop <= query.start:
            return slice(0, 0)
        ends = np.array([query.start, query.stop - 1], dtype=np.intp)
        first, stop = self.bounds(ends)
        return slice(int(first[0]), int(stop[1]))

    def beyond(self, query: slice, key: slice) -> NDArray[np.bool_] | None:
        """Which pairs (query, key) of a block are out of reach; None where none is."""
        first, stop = self.bounds(np.arange(query.start, query.stop, query.step, dtype=np.intp))
        if not len(first) or (first.max() <= key.start and stop.min() >= key.stop):
            return None
        keys = np.arange(key.start, key.stop, dtype=np.intp)
        return (keys < first[:, None]) | (keys >= stop[:, None])


@dataclass(frozen=True)
class Rules:
    """What happens to q·k · scale, in this order: softcap, bias, then masks."""

    reach: Reach
    scale: float
    softcap: float | None = None
    bias: Table | None = None
    mask: Table | None = None

    def mask_part(
        self, arithmetic: Arithmetic, layer: int, head: int, query: slice, key: slice
    ) -> Block | None:
        """Where the mask allows in a block; None where there is no mask."""
        if self.mask is None:
            return None
        return arithmetic.bring_mask(self.mask.part(layer, head, query, key))

    def apply(
        self,
        arithmetic: Arithmetic,
        block: Block,
        layer: int,
        head: int,
        query: slice,
        key: slice,
        allowed: Block | None,
    ) -> None:
        """Turn scaled products, (queries, keys), into logits in place; masked ones into `FLOOR`."""
        if self.softcap is not None:
            arithmetic.softcap_(block, self.softcap)
        if self.bias is not None:
            bias = arithmetic.bring(self.bias.part(layer, head, query, key))
            block += bias
            arithmetic.fill_(block, bias <= FLOOR, FLOOR)
        if allowed is not None:
            arithmetic.fill_(block, ~allowed, FLOOR)
        beyond = self.reach.beyond(query, key)
        if beyond is not None:
            arithmetic.fill_(block, arithmetic.bring_mask(beyond), FLOOR)


def edges_of(size: int, bins: int) -> list[int]:
    """Where the bins of an axis begin, and its end: position i of n falls in bin i · bins // n."""
    return [-(-place * size // bins) for place in range(bins + 1)]


def cut(span: slice, most: int) -> Sequence[slice]:
    """A span in stretches of at most ``most``."""
    return [
        slice(start, min(start + most, span.stop)) for start in range(span.start, span.stop, most)
    ]
