"""Masks of a model, as rules by position where they are just that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LOW = -1e4
"""What is added to a logit from here down leaves nothing of its weight in any float."""

FLOOR = -1e30
"""Biases from here down mask, as in `attn_widget.qk`."""

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Masking:
    """What limits or changes the logits of an attention beside q·k.

    Attributes:
        causal: Whether query i reaches keys up to i + offset only.
        offset: Position of the first query among the keys.
        window: How far a query reaches; see `Attention.from_qk`.
        allowed: Boolean, (batch, heads, queries, keys), each of full size or 1; True may attend.
        bias: Added to the logits, likewise.
    """

    causal: bool = False
    offset: int = 0
    window: int | None = None
    allowed: Tensor | None = None
    bias: Tensor | None = None


def read_masking(
    tables: Sequence[Tensor], queries: int, keys: int, keep: Callable[[Tensor], Tensor]
) -> Masking:
    """Read what masks and biases say; nothing of their size is made where rules say it.

    Args:
        tables: (batch, heads, queries, keys), each of full size or 1: boolean ones allow where
            True, others are added.
        queries: Number of queries.
        keys: Number of keys.
        keep: Moves what must be kept to where it is kept.
    """
    slim = [_slim(table) for table in tables]
    pure = [table.dtype == torch.bool or _only_masks(table) for table in slim]
    masks = [table for table, alone in zip(slim, pure, strict=True) if alone]
    added = [table for table, alone in zip(slim, pure, strict=True) if not alone]
    bias = keep(sum(added[1:], start=added[0])) if added else None
    if masks:
        allowed = _Allowed(masks, queries, keys, LOW)
        rule = allowed.usual_rule() or allowed.rule()
        if rule is None:
            return Masking(allowed=keep(allowed.whole()), bias=bias)
        some = allowed.keys
        return Masking(*rule, None if bool(some.all()) else keep(some), bias)
    if added:
        # A bias that masks as well stays as it is; how far it reaches is worth knowing.
        allowed = _Allowed(added, queries, keys, FLOOR)
        rule = allowed.usual_rule() if bool(allowed.keys.all()) else None
        return Masking(bias=bias) if rule is None else Masking(*rule, bias=bias)
    return Masking()


class _Allowed:
    """Which pairs some masks allow, in blocks of rows.

    Args:
        masks: (batch, heads, queries, keys), each of full size or 1.
        queries: Number of queries.
        keys: Number of keys.
        floor: What is added masks up to here.

    Attributes:
        keys: (batch, heads, 1, keys), each of full size or 1: what any query may attend to.
    """

    def __init__(self, masks: Sequence[Tensor], queries: int, keys: int, floor: float) -> None:
        self._masks = [mask.expand(*mask.shape[:3], keys) for mask in masks]
        self._floor = floor
        self._size = (1 if all(mask.shape[2] == 1 for mask in masks) else queries, keys)
        entries = torch.broadcast_shapes(*(mask.shape[:2] for mask in masks))
        self._step = max(1, _BLOCK // max(1, entries.numel() * keys))
        # What the last query may attend to is what any may, in most masks.
        self.keys = self._part(slice(self._size[0] - 1, self._size[0]))

    def usual_rule(self) -> tuple[bool, int, int | None] | None:
        """The rule of padding, or of that and a causal mask; None where it is another."""
        queries, keys = self._size
        usual = [(False, 0)] if queries == 1 else [(True, keys - queries), (True, 0), (False, 0)]
        fits = (one for one in dict.fromkeys(usual) if self._fits(*one, None))
        return next(((causal, offset, None) for causal, offset in fits), None)

    def whole(self) -> Tensor:
        """The masks as one."""
        return self._part(slice(0, self._size[0]))

    def rule(self) -> tuple[bool, int, int | None] | None:
        """(causal, offset, window) where that and `keys` is all the masks say."""
        some = [(block.any(dim=2), block.any(dim=3)) for _, block in self._blocks()]
        self.keys = torch.stack([keys for keys, _ in some]).any(dim=0)[:, :, None]
        self._rows = torch.cat([rows for _, rows in some], dim=2)
        sound = (rule for rule in self._candidates() if rule[2] is None or rule[2] > 0)
        return next((rule for rule in sound if self._fits(*rule)), None)

    def _part(self, rows: slice) -> Tensor:
        found = self._boolean(self._masks[0], rows)
        for mask in self._masks[1:]:
            found = found & self._boolean(mask, rows)
        return found

    def _boolean(self, mask: Tensor, rows: slice) -> Tensor:
        part = mask if mask.shape[2] == 1 else mask[:, :, rows]
        return part if part.dtype == torch.bool else part > self._floor

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, self._size[0], self._step):
            rows = slice(start, min(start + self._step, self._size[0]))
            yield rows, self._part(rows)

    def _candidates(self) -> Iterator[tuple[bool, int, int | None]]:
        """Rules that the first and last rows would agree with, simplest first."""
        yield False, 0, None
        queries, keys = self._size
        # Where most keys are left, padding hides least of the rule.
        place = int(self.keys.flatten(0, 2).sum(dim=1).argmax())
        rows = torch.nonzero(self._rows.flatten(0, 1)[place]).flatten().tolist()
        if queries < 2 or not rows:
            return
        (top, bottom) = rows[0], rows[-1]
        last, first = self._extent(place, top)[1], self._extent(place, bottom)[0]
        usual = dict.fromkeys((0, keys - queries))
        for offset in usual:
            yield True, offset, None
        for offset in usual:
            yield True, offset, bottom + offset - first + 1
        for offset in usual:
            yield False, offset, last - top - offset + 1
            yield False, offset, bottom + offset - first + 1
        yield True, last - top, None
        yield True, last - top, bottom + (last - top) - first + 1

    def _extent(self, place: int, row: int) -> tuple[int, int]:
        """The first and the last key of a row."""
        found = torch.nonzero(self._part(slice(row, row + 1)).flatten(0, 2)[place]).flatten()
        return int(found[0]), int(found[-1])

    def _fits(self, causal: bool, offset: int, window: int | None) -> bool:
        keys = torch.arange(self._size[1], device=self.keys.device)
        for rows, block in self._blocks():
            places = torch.arange(rows.start, rows.stop, device=keys.device)[:, None] + offset
            reach = self.keys
            if causal:
                reach = reach & (keys <= places)
            if window is not None:
                reach = reach & (keys > places - window)
            if window is not None and not causal:
                reach = reach & (keys < places + window)
            if not torch.equal(reach.expand_as(block), block):
                return False
        return True


def _slim(table: Tensor) -> Tensor:
    """A table without what was only expanded."""
    for axis in range(3):
        if table.shape[axis] > 1 and table.stride(axis) == 0:
            table = table.narrow(axis, 0, 1)
    return table


def _only_masks(table: Tensor) -> bool:
    """Whether what is added is nothing, or masks."""
    batch, heads, queries, keys = table.shape
    step = max(1, _BLOCK // max(1, batch * heads * keys))
    for start in range(0, queries, step):
        part = table[:, :, start : start + step]
        if not bool(((part == 0) | (part <= LOW)).all()):
            return False
    return True
