"""What an operation makes of logits and of weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from .masks import LOW
from .parts import Arguments, Named, Scores, Weights, flat

SAME: Final = frozenset(
    {
        *("to", "float", "half", "double", "bfloat16", "type", "type_as"),
        *("contiguous", "clone", "detach", "__getitem__"),
    }
)
"""Operations that change nothing but the precision, where the shape stays."""

TURNS: Final = frozenset(("transpose", "mT", "swapaxes", "permute"))
"""Operations that may exchange the last two axes."""

RESHAPES: Final = frozenset(("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"))
"""Operations that may change the leading axes."""


def weights_after(name: str, what: Weights, source: Tensor, result: Tensor) -> Weights | None:
    """What is known of weights after an operation."""
    if name in TURNS and result.shape[:-2] == source.shape[:-2]:
        ends = result.shape[-2:], result.stride()[-2:]
        swapped = (source.shape[-1], source.shape[-2]), (source.stride(-1), source.stride(-2))
        # With as many queries as keys only the strides tell that nothing else was turned.
        whole = result.stride()[:-2] == source.stride()[:-2]
        return replace(what, turned=not what.turned) if whole and ends == swapped else None
    if what.open_sinks:
        cut = (*source.shape[:-1], source.shape[-1] - 1)
        first = result.shape == cut and result.storage_offset() == source.storage_offset()
        if name == "__getitem__" and first:
            return replace(what, open_sinks=False)
    # Rows without keys are zeros here anyhow.
    if name in (*SAME, "nan_to_num") and result.shape == source.shape:
        return what
    if what.turned:
        return None
    if name == "dropout":
        # What training leaves out at random is no matter of where a query looks.
        same = what.scores is None and what.formed is None and result is not source
        return replace(what, formed=source) if same else what
    if name in RESHAPES and result.shape[-2:] == source.shape[-2:]:
        formed = what.formed
        lead = tuple(result.shape[:-2])
        return replace(
            what, lead=lead, formed=None if formed is None else formed.reshape(result.shape)
        )
    if name == "unsqueeze" and what.scores is None and result.shape[-1] == source.shape[-1]:
        formed = None if what.formed is None else what.formed.reshape(result.shape)
        return Weights(None, tuple(result.shape[:-2]), formed=formed)
    if result.shape == source.shape:
        # Weights that were changed are kept as they are.
        return Weights(None, tuple(result.shape[:-2]))
    return None


def scores_after(
    name: str, what: Scores, place: int, args: Arguments, named: Named, result: Tensor
) -> Scores | None:
    """What is known of logits after an operation; None where nothing is."""
    source = flat(args)[place]
    if name in RESHAPES:
        kept = result.shape[-2:] == source.shape[-2:] and what.sinks is None
        return replace(what, lead=tuple(result.shape[:-2])) if kept else None
    if name == "cat":
        return _with_sinks(what, args, named, result)
    if result.shape != source.shape:
        return None
    if name in SAME or (name == "dropout" and not _drops(args, named)):
        return what
    if name == "tanh":
        plain = not what.tables and what.softcap is None and not what.bent and not what.shifted
        return replace(what, bent=True) if plain else None
    if name in ("mul", "div"):
        return _scaled(what, name, place, args)
    if name in ("add", "sub"):
        return _added(what, name, place, args, named)
    if name == "masked_fill":
        mask = args[1] if len(args) > 1 else named["mask"]
        value = args[2] if len(args) > 2 else named["value"]
        return masked(what, ~mask) if is_low(value) and mask.dtype == torch.bool else None
    if name == "where":
        chosen = next(one for one in args if isinstance(one, Tensor) and one.dtype == torch.bool)
        rest = [one for one in (*args, *named.values()) if one is not chosen]
        if len(rest) != 2:
            return None
        other = rest[1] if rest[0] is source else rest[0]
        # Where the condition is True, the first of the other two is taken.
        allowed = chosen if rest[0] is source else ~chosen
        return masked(what, allowed) if is_low(other) else None
    return None


def _scaled(what: Scores, name: str, place: int, args: Arguments) -> Scores | None:
    if what.sinks is not None or what.shifted or (name == "div" and place != 0):
        return None
    other = args[1 - place]
    number = _number(other)
    if number is None:
        plain = not what.tables and what.softcap is None and not what.bent
        if not (plain and other.ndim >= 2 and other.shape[-1] == 1):
            return None
        factor = other if name == "mul" else 1 / other
        return replace(what, query=what.query * factor.detach())
    factor = number if name == "mul" else 1 / number
    if what.bent:
        return replace(what, bent=False, softcap=factor, scale=what.scale * factor)
    if what.softcap is not None or not factor > 0:
        return None
    tables = tuple(
        (table if table.dtype == torch.bool else table * factor, lead)
        for table, lead in what.tables
    )
    return replace(what, scale=what.scale * factor, tables=tables)


def _added(what: Scores, name: str, place: int, args: Arguments, named: Named) -> Scores | None:
    other = args[1 - place] if len(args) > 1 else named.get("other")
    if what.bent or named.get("alpha", 1) != 1 or (name == "sub" and place != 0):
        return None
    if not isinstance(other, Tensor):
        return None if what.sinks is not None else replace(what, shifted=True)
    if name == "sub" and other.ndim and other.shape[-1] == 1:
        return replace(what, shifted=True)
    if what.sinks is not None:
        return None
    # A boolean tensor that is added is numbers, not a mask.
    table = other.detach().to(what.query.dtype) if other.dtype == torch.bool else other.detach()
    table = table if name == "add" else -table
    if table.ndim < 2:
        table = table.reshape((1,) * (2 - table.ndim) + tuple(table.shape))
    return replace(what, tables=(*what.tables, (table, what.lead)))


def masked(what: Scores, allowed: Tensor) -> Scores | None:
    """Logits after those that are not allowed were lowered; None where nothing is known then."""
    if what.bent or what.sinks is not None:
        return None
    table = allowed[(None,) * max(0, 2 - allowed.ndim)]
    return replace(what, tables=(*what.tables, (table, what.lead)))


def _with_sinks(what: Scores, args: Arguments, named: Named, result: Tensor) -> Scores | None:
    """Logits with a column of sinks at their end."""
    parts = args[0]
    axis = args[1] if len(args) > 1 else named.get("dim", 0)
    if len(parts) != 2 or axis not in (-1, result.ndim - 1) or what.shifted or what.bent:
        return None
    column = parts[1]
    if column.shape[-1] != 1 or column.ndim != 4 or what.sinks is not None:
        return None
    sinks = column[0, :, 0, 0].detach()
    if not bool((column[..., 0] == sinks[:, None]).all()):
        return None
    return replace(what, sinks=sinks)


def _number(value: object) -> float | None:
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 else None
    return float(value) if isinstance(value, (int, float)) else None


def is_low(value: object) -> bool:
    """Whether a logit of this value leaves nothing of its weight."""
    if isinstance(value, Tensor):
        return bool((value <= LOW).all())
    return isinstance(value, (int, float)) and value <= LOW


def _drops(args: Arguments, named: Named) -> bool:
    rate = args[1] if len(args) > 1 else named.get("p", 0.5)
    training = args[2] if len(args) > 2 else named.get("training", True)
    return bool(training) and rate > 0
