"""What was computed for the page and may be wanted again: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .codec import Packed

Answer = tuple[dict[str, Any], dict[str, Packed]]
Vector = NDArray[np.float64]

MEMORY_BYTES: Final = 64 * 1024 * 1024


class Memory:
    """Answers and vectors of one map, within a limit of bytes.

    Args:
        limit: bytes kept; one item larger than that is not kept at all.
    """

    def __init__(self, limit: int = MEMORY_BYTES) -> None:
        self._limit = limit
        self._items: OrderedDict[object, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self.full: dict[int, float] = {}
        """The magnitude drawn at full strength, by layer, as far as it is known."""

    @property
    def bytes(self) -> int:
        """The bytes held."""
        return self._bytes

    def answer(self, key: str) -> Answer | None:
        """Return the answer kept for a request, None without one."""
        found: Answer | None = self._get(key)
        return found

    def keep_answer(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._put(key, answer, sum(len(packed["data"]) for packed in answer[1].values()))

    def arrays(self, key: tuple[object, ...]) -> tuple[NDArray[Any], ...] | None:
        """Return arrays that were kept together, None without them."""
        found: tuple[NDArray[Any], ...] | None = self._get(key)
        return found

    def keep_arrays(self, key: tuple[object, ...], arrays: tuple[NDArray[Any], ...]) -> None:
        """Keep some arrays together."""
        self._put(key, arrays, sum(array.nbytes for array in arrays))

    def vector(self, key: tuple[object, ...], part: slice) -> Vector | None:
        """Return a part of a vector, None unless all of it is known."""
        found: tuple[Vector, NDArray[np.bool_]] | None = self._get(key)
        if found is None or not found[1][part].all():
            return None
        return found[0][part]

    def keep_vector(self, key: tuple[object, ...], length: int, part: slice, known: Vector) -> None:
        """Keep a part of a vector of ``length`` numbers."""
        found: tuple[Vector, NDArray[np.bool_]] | None = self._get(key)
        vector, there = found or (np.zeros(length), np.zeros(length, bool))
        vector[part], there[part] = known, True
        self._put(key, (vector, there), vector.nbytes + there.nbytes)

    def _get(self, key: object) -> Any:
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def _put(self, key: object, item: Any, size: int) -> None:
        self._bytes -= self._items.pop(key, (None, 0))[1]
        if size > self._limit:
            return
        self._items[key] = (item, size)
        self._bytes += size
        while self._bytes > self._limit:
            _, (_, freed) = self._items.popitem(last=False)
            self._bytes -= freed
