"""What was computed and may be wanted again, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Kept:
    """A cache that forgets what was used longest ago.

    Args:
        limit: Bytes to keep at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def get(self, name: Hashable) -> Any:
        """What was kept under a name, or None."""
        found = self._items.get(name)
        if found is None:
            return None
        self._items.move_to_end(name)
        return found[0]

    def put(self, name: Hashable, value: Any, size: int) -> None:
        """Keep a value of some bytes, unless it alone is beyond the limit."""
        _, before = self._items.pop(name, (None, 0))
        self.bytes -= before
        if size > self._limit:
            return
        self._items[name] = (value, size)
        self.bytes += size
        while self.bytes > self._limit:
            _, (_, gone) = self._items.popitem(last=False)
            self.bytes -= gone
