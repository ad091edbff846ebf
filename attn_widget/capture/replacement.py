"""Weights changed while a model runs: what it would say if it looked elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .groups import template
from .layers import causal, kind_of
from .masks import read_masking
from .mode import name_of, writes
from .modules import Modules
from .multihead import multi_head
from .parts import Attended
from .recorder import brought, folded, heads_of, placed
from .session import uncompiled
from .shapes import batch_and_heads, lead_of, relead
from .trace import Trace


@dataclass(frozen=True)
class Where:
    """Which weights are at hand.

    Attributes:
        path: Module path, as ``named_modules`` says it.
        kind: ``"encoder"``, ``"decoder"`` or ``"cross"``.
        layer: Index among the attentions of this kind that stand in such a place, from 0.
        forward: Number of the forward pass, from 0.
    """

    path: str
    kind: str
    layer: int
    forward: int


Change = Callable[[Tensor, Where], Tensor]


@contextmanager
def replacing(model: nn.Module, change: Change) -> Iterator[None]:
    """Change weights in a block; see `attn_widget.capture.replacing`."""
    modules = Modules(model)
    mode = _ReplacingMode(modules, change)
    with uncompiled(model), modules.watched(mode.began), mode:
        yield


class _ReplacingMode(TorchFunctionMode):
    """Computes attention from its weights, changed."""

    def __init__(self, modules: Modules, change: Change) -> None:
        super().__init__()
        self._modules = modules
        self._change = change
        self._trace = Trace()
        self._counts: Counter[tuple[str, str]] = Counter()

    def began(self) -> None:
        """Begin a forward pass."""
        self._counts.clear()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, or what takes its place."""
        named = kwargs or {}
        name = name_of(func)
        if name == "scaled_dot_product_attention":
            return self._fused(*args, **named)
        if func is F.multi_head_attention_forward:
            return self._heads(*args, **named)
        found = self._trace.attended(name, args, named) if name else None
        if found is not None:
            args = _with(args, found.given, self._eager(found))
        result = func(*args, **named)
        if name and found is None:
            with torch.no_grad():
                self._follow(name, args, named, result)
        return result

    def _follow(
        self, name: str, args: Sequence[Any], named: Mapping[str, Any], result: Any
    ) -> None:
        target = named.get("out", args[0] if writes(name) and args else None)
        if isinstance(target, Tensor):
            self._trace.written(target)
        if name == "__setitem__":
            self._trace.assigned(args)
        else:
            self._trace.follow(name, args, named, result)

    def _changed(self, weights: Tensor, cross: bool, back: bool) -> Tensor:
        """What takes the place of weights, (batch, H, Q, K)."""
        if self._modules.elsewhere:
            return weights
        path = self._modules.path
        kind = kind_of(path, cross, back)
        place = template(path), kind
        where = Where(path, kind, self._counts[place], self._modules.forward)
        self._counts[place] += 1
        found = self._change(weights, where)
        if not isinstance(found, Tensor) or found.shape != weights.shape:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"change must return weights of shape {tuple(weights.shape)} for "
                f"{path or 'the model'}; got {got}"
            )
        return found

    def _eager(self, found: Attended) -> Tensor:
        used, scores = found.used, found.weights.scores
        lead, (queries, keys) = lead_of(used), used.shape[-2:]
        if scores is None:
            final = batch_and_heads(lead, folded(used, self._trace.folded(used)), False)
        else:
            shape = self._trace.folded(scores.query)
            final = heads_of(scores.query, scores.key, shape, found.weights.lead)
        tables = () if scores is None else scores.tables
        back = self._looks_back([relead(*table, final) for table in tables], queries, keys)
        weights = used.reshape(*final, queries, keys)
        changed = self._changed(weights, self._modules.crosses(queries, keys), back)
        changed = changed.reshape(used.shape)
        return changed.transpose(-1, -2) if found.turned else changed

    def _fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        ends = query.shape[-2], key.shape[-2]
        if is_causal:
            attn_mask = query.new_ones(ends, dtype=torch.bool).tril()
        given = query.shape
        shape = self._trace.folded(query)
        query, key, value, final = brought(query, key, value, shape)
        lead = (*given[:-2],) if key.ndim < 4 else (final[0], *given[1:-2])
        groups = query.shape[1] // key.shape[1]
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        factor = query.shape[-1] ** -0.5 if scale is None else scale
        tables = [] if attn_mask is None else [placed(attn_mask, lead, final, query.shape[2])]
        cross = self._modules.crosses(query.shape[2], key.shape[2])
        found = self._attend(query, key, value, tables, factor, dropout_p, cross)
        return found.reshape(*lead, given[-2], value.shape[-1])

    def _heads(self, *args: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
        found = multi_head(*args, **named)
        size = found.query.shape[:2]
        tables = list(found.tables)
        if found.causal:
            ends = found.query.shape[2], found.key.shape[2]
            tables.append(found.query.new_ones(ends, dtype=torch.bool).tril())
        tables = [relead(table, tuple(size), (size[0], size[1])) for table in tables]
        factor = found.query.shape[-1] ** -0.5
        kept: list[Tensor] = []
        output = self._attend(
            found.query, found.key, found.value, tables, factor, found.dropout, found.cross, kept
        )
        return found.finish(output, kept[0])

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        tables: Sequence[Tensor],
        scale: float,
        dropout: float,
        cross: bool,
        kept: list[Tensor] | None = None,
    ) -> Tensor:
        logits = query @ key.transpose(-1, -2) * scale
        for table in tables:
            bare = table.dtype == torch.bool
            logits = logits.masked_fill(~table, -torch.inf) if bare else logits + table
        # A query that may attend to nothing gets zeros, as fused kernels give it.
        empty = (logits == -torch.inf).all(dim=-1, keepdim=True)
        weights = logits.softmax(dim=-1).masked_fill(empty, 0.0)
        back = self._looks_back(tables, query.shape[2], key.shape[2])
        weights = self._changed(weights, cross, back)
        if kept is not None:
            kept.append(weights)
        return F.dropout(weights, dropout) @ value if dropout else weights @ value

    @staticmethod
    def _looks_back(tables: Sequence[Tensor], queries: int, keys: int) -> bool:
        with torch.no_grad():
            return causal(read_masking(tables, queries, keys, lambda table: table), queries)


def _with(args: Sequence[Any], old: Tensor, new: Tensor) -> list[Any]:
    """Arguments with one tensor in the place of another."""
    return [
        _with(one, old, new) if isinstance(one, (list, tuple)) else new if one is old else one
        for one in args
    ]
