"""Leading axes of attention, whatever a model made of them, as (batch, heads)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

Lead = tuple[int, ...]
"""Sizes of the axes before (query, key) or (position, D)."""


def lead_of(*tensors: Tensor) -> Lead:
    """The leading axes that some tensors broadcast to."""
    leads = [tuple(tensor.shape[:-2]) for tensor in tensors]
    count = max(map(len, leads))
    padded = [(1,) * (count - len(lead)) + lead for lead in leads]
    return tuple(max(sizes) for sizes in zip(*padded, strict=True))


def batch_and_heads(lead: Lead, folded: tuple[int, int] | None, grouped: bool) -> tuple[int, int]:
    """Leading axes as (batch, heads).

    Args:
        lead: The axes, as the model has them.
        folded: (batch, heads) that one axis is known to hold.
        grouped: Whether the last two axes are groups of heads and heads of a group.

    Returns:
        Where one axis may be either, it is the batch: (axis, 1).
    """
    if folded is not None and math.prod(folded) == math.prod(lead):
        return folded
    if len(lead) < 2:
        return math.prod(lead), 1
    heads = math.prod(lead[-2:]) if grouped and len(lead) > 2 else lead[-1]
    return math.prod(lead) // max(1, heads), heads


def spread(tensor: Tensor, lead: Lead, final: tuple[int, int]) -> Tensor:
    """Vectors of all batch entries and heads, (batch, heads, position, D); a view where it can be.

    Args:
        tensor: What broadcasts to ``lead`` and two more axes.
        lead: The leading axes.
        final: The same as (batch, heads).
    """
    return tensor.expand(*lead, *tensor.shape[-2:]).reshape(*final, *tensor.shape[-2:])


def relead(table: Tensor, lead: Lead, final: tuple[int, int]) -> Tensor:
    """A mask or bias with the leading axes (batch, heads), each of full size or 1.

    Args:
        table: What broadcasts to ``lead`` and (query, key).
        lead: The leading axes.
        final: The same as (batch, heads).
    """
    axes = len(lead)
    table = table[(None,) * (axes + 2 - table.ndim)]
    own = tuple(table.shape[:axes])
    expanded: list[int] = []
    sizes: list[int] = []
    for mine, later in _aligned(lead, final):
        alone = all(own[place] == 1 for place in mine)
        expanded += [own[place] if alone else lead[place] for place in mine]
        sizes += [1 if alone else final[place] for place in later]
    rest = tuple(table.shape[-2:])
    return table.expand(*expanded, *rest).reshape(*sizes, *rest)


def _aligned(lead: Sequence[int], final: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Runs of axes on either side that hold the same number of entries."""
    found: list[tuple[list[int], list[int]]] = []
    mine: list[int] = []
    later: list[int] = []
    left, right = list(range(len(lead))), list(range(len(final)))
    while left or right:
        here = math.prod(lead[place] for place in mine)
        there = math.prod(final[place] for place in later)
        if mine and later and here == there:
            found.append((mine, later))
            mine, later = [], []
        elif left and (not mine or here < there or not right):
            mine.append(left.pop(0))
        else:
            later.append(right.pop(0))
    return [*found, (mine, later)]


def repeats(vectors: Tensor) -> int:
    """How many heads in a row hold the same vectors: grouped heads, repeated for each query head.

    Args:
        vectors: (batch, heads, positions, D).
    """
    heads = vectors.shape[1]
    if heads < 2 or not vectors.numel() or not bool((vectors[:, 0] == vectors[:, 1]).all()):
        return 1
    same = (vectors[:, 1:] == vectors[:, :-1]).all(dim=3).all(dim=2).all(dim=0).tolist()
    return math.gcd(heads, *(place + 1 for place, one in enumerate(same) if not one))
