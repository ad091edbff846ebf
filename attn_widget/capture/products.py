"""Products of matrices, however they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from torch import Tensor

from .parts import Arguments, Named, Scores


@dataclass(frozen=True)
class Pair:
    """Two operands of a product of matrices.

    Attributes:
        given: The first as it was given.
        left: (…, rows, summed).
        right: (…, summed, columns).
        straight: Whether ``left`` is laid out like ``given``.
        ordered: Whether the result is laid out as (…, rows, columns).
        arrange: Brings what is laid out like the result to (…, rows, columns).
        added: What else than the product the result is made of.
    """

    given: Tensor
    left: Tensor
    right: Tensor
    straight: bool = True
    ordered: bool = True
    arrange: Callable[[Tensor], Tensor] = lambda output: output
    added: Callable[[Scores], Scores] | None = None


def _matmul(args: Arguments, named: Named) -> Pair | None:
    left = args[0]
    right = args[1] if len(args) > 1 else named.get("other", named.get("mat2"))
    both = isinstance(left, Tensor) and isinstance(right, Tensor)
    return Pair(left, left, right) if both else None


def _baddbmm(args: Arguments, named: Named) -> Pair | None:
    table = args[0]
    left = args[1] if len(args) > 1 else named["batch1"]
    right = args[2] if len(args) > 2 else named["batch2"]
    beta, alpha = named.get("beta", 1), named.get("alpha", 1)

    def added(scores: Scores) -> Scores:
        scaled = table.detach() if beta == 1 else table.detach() * beta
        tables = ((scaled, scores.lead),) if beta else ()
        return replace(scores, scale=float(alpha), tables=tables)

    return Pair(left, left, right, added=added)


def _einsum(args: Arguments, named: Named) -> Pair | None:
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    if not isinstance(equation, str) or len(operands) != 2:
        return None
    inputs, _, output = equation.replace(" ", "").partition("->")
    first, _, second = inputs.partition(",")
    lead = [one for one in output if one in first and one in second]
    rows = [one for one in output if one in first and one not in second]
    columns = [one for one in output if one in second and one not in first]
    summed = [one for one in first if one in second and one not in output]
    sizes = len(rows), len(columns), len(summed), len(first) - len(lead), len(second) - len(lead)
    if "." in inputs or sizes != (1, 1, 1, 2, 2):
        return None
    front = [first.index(one) for one in (*lead, *rows, *summed)]
    back = [second.index(one) for one in (*lead, *summed, *columns)]
    order = [output.index(one) for one in (*lead, *rows, *columns)]
    return Pair(
        operands[0],
        operands[0].permute(front),
        operands[1].permute(back),
        straight=front == sorted(front),
        ordered=order == sorted(order),
        arrange=lambda found: found.permute(order),
    )


PRODUCTS: Final[dict[str, Callable[[Arguments, Named], Pair | None]]] = {
    "matmul": _matmul,
    "__matmul__": _matmul,
    "bmm": _matmul,
    "baddbmm": _baddbmm,
    "einsum": _einsum,
}
