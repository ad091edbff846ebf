"""Keys and values of one attention, kept once however often a cache hands them in again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_BITS: Final = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class _Block:
    """Keys and values that came in at once.

    Attributes:
        key: (batch, heads, positions, D).
        value: (batch, heads, positions, Dv), or None where values are not kept.
        parents: For each entry of the batch which entry it goes on from, in the block before.
    """

    key: Tensor
    value: Tensor | None
    parents: Sequence[int]


class Memory:
    """Keys and values in the order they came in.

    Args:
        key: (batch, heads, positions, D), kept.
        value: (batch, heads, positions, Dv) likewise, or None.
    """

    def __init__(self, key: Tensor, value: Tensor | None) -> None:
        self._blocks = [_Block(key, value, range(len(key)))]
        self._marks: Tensor | None = None
        self._size = key.shape[2]

    def __len__(self) -> int:
        return self._size

    @property
    def step(self) -> int:
        """Index of the last block."""
        return len(self._blocks) - 1

    def keys(self, entry: int, step: int) -> Tensor:
        """Keys of a batch entry up to a block, (heads, positions, D)."""
        return torch.cat([block.key[one] for block, one in self._line(entry, step)], dim=1)

    def values(self, entry: int, step: int) -> Tensor | None:
        """Values of a batch entry likewise, or None where they were not kept."""
        line = self._line(entry, step)
        found = [block.value[one] for block, one in line if block.value is not None]
        return torch.cat(found, dim=1) if len(found) == len(line) else None

    def extend(
        self, key: Tensor, value: Tensor | None, new: int, keep: Callable[[Tensor], Tensor]
    ) -> tuple[int, Sequence[int]] | None:
        """Keep the new ones of some keys whose others are the last of those kept, bit by bit.

        Args:
            key: (batch, heads, positions, D) in the precision that is kept.
            value: (batch, heads, positions, Dv) likewise, or None.
            new: How many are new, at the end.
            keep: Moves what is kept to where it is kept.

        Returns:
            Where the first of the keys lies, and which entry each entry of the batch goes on from
            (beam search changes them); None, and nothing is kept, where they do not go on from
            those kept.
        """
        old = key.shape[2] - new
        kept = self._blocks[0].key
        same = (*kept.shape[:2], kept.shape[3]) == (*key.shape[:2], key.shape[3])
        if not (same and kept.dtype == key.dtype and 0 < old <= self._size):
            return None
        if not new and old != self._size:
            return None
        if self._marks is None:
            self._marks = _marks(kept).cpu()
        marks = _marks(key).cpu()
        parents = _parents(marks[..., :old], self._marks[..., self._size - old :])
        if parents is None:
            return None
        start = self._size - old
        if new:
            later = None if value is None else keep(value[:, :, old:])
            self._blocks.append(_Block(keep(key[:, :, old:]), later, parents))
            self._marks = torch.cat([self._marks[list(parents)], marks[..., old:]], dim=2)
            self._size += new
        return start, parents

    def _line(self, entry: int, step: int) -> list[tuple[_Block, int]]:
        """The blocks up to one, each with the entry that a batch entry goes on from there."""
        found: list[tuple[_Block, int]] = []
        for block in reversed(self._blocks[: step + 1]):
            found.append((block, entry))
            entry = block.parents[entry]
        return found[::-1]


def _parents(now: Tensor, before: Tensor) -> Sequence[int] | None:
    """For each entry the one that holds the same; None where one has none."""
    if torch.equal(now, before):
        return range(len(now))
    same = (now[:, None] == before[None]).flatten(2).all(dim=2)
    return same.int().argmax(dim=1).tolist() if bool(same.any(dim=1).all()) else None


def _marks(vectors: Tensor) -> Tensor:
    """A number for each vector made of all its bits, (batch, heads, positions): a hash."""
    bits = vectors.contiguous().view(_BITS[vectors.element_size()]).to(torch.int64)
    places = torch.arange(1, 2 * bits.shape[-1], 2, device=bits.device)
    # Odd factors lose no bit, and int64 wraps alike on every device.
    return (bits * (places * 0x9E3779B97F4A7C1 + 1 | 1)).sum(dim=-1)
