"""Keys and values of one attention, kept once however often a cache hands them in again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

_BITS: Final = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Memory:
    """Keys and values in the order they came in.

    Args:
        key: (batch, heads, positions, D), kept.
        value: (batch, heads, positions, Dv) likewise, or None.
    """

    def __init__(self, key: Tensor, value: Tensor | None) -> None:
        self._keys, self._values = [key], [value]
        self._marks: Tensor | None = None
        self._size = key.shape[2]

    def __len__(self) -> int:
        return self._size

    def keys(self) -> Tensor:
        """All keys, (batch, heads, positions, D)."""
        if len(self._keys) > 1:
            self._keys = [torch.cat(self._keys, dim=2)]
        return self._keys[0]

    def values(self) -> Tensor | None:
        """All values, or None where they were not kept."""
        found = [value for value in self._values if value is not None]
        if len(found) < len(self._values):
            return None
        if len(found) > 1:
            self._values = [torch.cat(found, dim=2)]
        return self._values[0]

    def extend(
        self, key: Tensor, value: Tensor | None, new: int, keep: Callable[[Tensor], Tensor]
    ) -> int | None:
        """Keep the new ones of some keys whose others are the last of those kept, bit by bit.

        Args:
            key: (batch, heads, positions, D) in the precision that is kept.
            value: (batch, heads, positions, Dv) likewise, or None.
            new: How many are new, at the end.
            keep: Moves what is kept to where it is kept.

        Returns:
            Where the first of the keys lies; None, and nothing is kept, where they do not go on
            from those kept.
        """
        old = key.shape[2] - new
        kept = self._keys[0]
        same = (*kept.shape[:2], kept.shape[3]) == (*key.shape[:2], key.shape[3])
        if not (same and kept.dtype == key.dtype and 0 < old <= self._size):
            return None
        if not new and old != self._size:
            return None
        if self._marks is None:
            self._marks = _marks(self.keys()).cpu()
        marks = _marks(key).cpu()
        if not torch.equal(marks[..., :old], self._marks[..., self._size - old :]):
            return None
        start = self._size - old
        if new:
            self._keys.append(keep(key[:, :, old:]))
            self._values.append(None if value is None else keep(value[:, :, old:]))
            self._marks = torch.cat([self._marks, marks[..., old:]], dim=2)
            self._size += new
        return start


def _marks(vectors: Tensor) -> Tensor:
    """A number for each vector made of all its bits, (batch, heads, positions): a hash."""
    bits = vectors.contiguous().view(_BITS[vectors.element_size()]).to(torch.int64)
    places = torch.arange(1, 2 * bits.shape[-1], 2, device=bits.device)
    # Odd factors lose no bit, and int64 wraps alike on every device.
    return (bits * (places * 0x9E3779B97F4A7C1 + 1 | 1)).sum(dim=-1)
