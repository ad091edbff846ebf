"""Takes down attentions as they are seen: brought into one form, moved to where they are kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from .calls import Call, Keeper, identity, storage_of
from .masks import Masking, read_masking
from .memory import Memory
from .modules import Modules, in_backward
from .parts import Table
from .shapes import Lead, batch_and_heads, lead_of, relead, repeats, spread


@dataclass(frozen=True)
class Seen:
    """An attention as a model computed it.

    Attributes:
        query: (…, Q, D).
        key: (…, K, D).
        value: (…, K, Dv).
        scale: Factor of q·k.
        tables: Masks and biases.
        causal: Whether query i reaches keys up to i only.
        softcap: Largest logit before biases.
        sinks: (H,), one logit a head.
        cross: Whether keys come from another sequence; None where the modules tell.
        shape: The shape that the queries had before they were reshaped to this, if they were.
        lead: The leading axes of the weights, where they may be others than those of q·k.
        output: What was made of the weights and values, or of it all.
        arrange: Brings a gradient of that to (…, Q, Dv).
        projection: The weight of the output projection where it is known.
        inner: Path of the attention in the module at work, where that is a larger one.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    output: object
    arrange: Callable[[Tensor], Tensor]
    scale: float
    tables: Sequence[Table] = ()
    causal: bool = False
    softcap: float | None = None
    sinks: Tensor | None = None
    cross: bool | None = None
    shape: tuple[int, ...] | None = None
    projection: Tensor | None = None
    inner: str = ""
    lead: Lead | None = None


class Recorder:
    """What was captured so far.

    Args:
        model: The model.
        keeper: Moves tensors to where they are kept.
        values: Whether values are kept.
        gradients: Whether gradients are kept; values then are as well.

    Attributes:
        calls: All attentions, in order.
        missed: What could not be captured, by module, and why.
    """

    def __init__(self, model: nn.Module, keeper: Keeper, values: bool, gradients: bool) -> None:
        self.modules = Modules(model)
        self.calls: list[Call] = []
        self.missed: dict[str, str] = {}
        self._keeper = keeper
        self._values, self._gradients = values or gradients, gradients
        self._memories: dict[tuple[str, int], Memory] = {}
        self._counts: Counter[str] = Counter()
        self._read_before: dict[tuple[object, ...], tuple[list[Tensor], Masking]] = {}

    def began(self) -> None:
        """Begin a forward pass."""
        self._counts.clear()
        self.forget()

    def forget(self) -> None:
        """Hold no tensor of the model any longer."""
        self._read_before.clear()
        self._keeper.forget()

    def saw(self, seen: Seen) -> None:
        """Take down an attention of queries and keys."""
        if self.modules.elsewhere or in_backward():
            return
        query, key, value, final = brought(
            seen.query.detach(), seen.key.detach(), seen.value.detach(), seen.shape, seen.lead
        )
        queries, keys = query.shape[2], key.shape[2]
        cross = self.modules.crosses(queries, keys) if seen.cross is None else seen.cross
        shared = math.gcd(repeats(key), repeats(value) if self._values else 0)
        if key.shape[1] == query.shape[1]:
            key, value = key[:, ::shared], value[:, ::shared]
        tables = [placed(table.detach(), lead, final, queries) for table, lead in seen.tables]
        masking = self._read(tables, queries, keys)
        if seen.causal:
            masking = replace(masking, causal=True)
        if queries != keys and not cross:
            key, value, masking = _trimmed(key, value, masking)
        call = Call(
            ".".join(filter(None, (self.modules.path, seen.inner))),
            cross,
            self.modules.forward,
            self._keeper.keep(query),
            scale=seen.scale,
            softcap=seen.softcap,
            sinks=None if seen.sinks is None else self._keeper.keep(seen.sinks),
            masking=masking,
        )
        self._remember(call, key, value if self._values else None)
        width = final[1] * value.shape[3]
        self._finish(call, seen.output, seen.arrange, (*final, queries), width, seen.projection)

    def formed(
        self,
        weights: Tensor,
        value: Tensor,
        output: object,
        arrange: Callable[[Tensor], Tensor],
        shape: tuple[int, ...] | None,
    ) -> None:
        """Take down weights as the model formed them, (…, Q, K), and values, (…, K, Dv).

        ``shape`` is what the weights had before they were reshaped to this, if they were.
        """
        if self.modules.elsewhere or in_backward():
            return
        weights, value = weights.detach(), value.detach()
        lead = lead_of(weights, value)
        final = batch_and_heads(lead, folded(weights, shape), False)
        weights, value = spread(weights, lead, final), spread(value, lead, final)
        queries, keys = weights.shape[2:]
        cross = self.modules.crosses(queries, keys)
        call = Call(self.modules.path, cross, self.modules.forward)
        call.weights = self._keeper.keep(weights)
        if self._values:
            kept = self._keeper.keep(value)
            call.memory, call.stop = Memory(kept, kept), keys
        width = final[1] * value.shape[3]
        self._finish(call, output, arrange, (*final, queries), width, None)

    def failed(self, why: str) -> None:
        """Take down that the module at work has an attention that could not be captured."""
        if self.modules.elsewhere:
            return
        self.missed[self.modules.path or type(self.modules.module).__name__] = why

    def written(self, tensor: Tensor) -> None:
        """Tell that a tensor was written to."""
        self._keeper.changed(tensor)
        if self._read_before:
            storage = storage_of(tensor)
            self._read_before = {
                name: pair
                for name, pair in self._read_before.items()
                if all(storage_of(table) != storage for table in pair[0])
            }

    def _read(self, tables: list[Tensor], queries: int, keys: int) -> Masking:
        """What masks and biases say, read once for all layers that are given the same."""
        name = (queries, keys, *map(identity, tables))
        if name not in self._read_before:
            found = read_masking(tables, queries, keys, self._keeper.table)
            # The tables are held so that no others can take their place in memory.
            self._read_before[name] = tables, found
        return self._read_before[name][1]

    def _remember(self, call: Call, key: Tensor, value: Tensor | None) -> None:
        """Keep keys and values, unless a cache handed them in before."""
        name = call.path, self._counts[call.path]
        keep, convert = self._keeper.keep, self._keeper.convert
        queries, keys = call.size[2], key.shape[2]
        call.stop = keys
        earlier = self._memories.get(name)
        if earlier is None and queries == 1 and name[1]:
            earlier = self._memories.get((call.path, name[1] - 1))
        if earlier is not None and (queries == 1 or keys > queries):
            key = convert(key)
            value = None if value is None else convert(value)
            for new in (0,) if call.cross else (queries, 0):
                found = earlier.extend(key, value, new, keep)
                if found is not None:
                    call.memory, call.step = earlier, earlier.step
                    call.start, call.parents = found
                    call.stop = call.start + keys
                    break
        if call.memory is None:
            call.memory = Memory(keep(key), None if value is None else keep(value))
        self._memories[name] = call.memory

    def _finish(
        self,
        call: Call,
        output: object,
        arrange: Callable[[Tensor], Tensor],
        size: tuple[int, ...],
        width: int,
        projection: Tensor | None,
    ) -> None:
        call.projection = projection
        if call.projection is None:
            call.projection = self.modules.projection(width)
        if self._gradients and isinstance(output, Tensor) and output.requires_grad:
            keep = self._keeper.keep

            def hook(gradient: Tensor) -> None:
                found = arrange(gradient)
                call.gradient = keep(found.reshape(*size, found.shape[-1]))

            output.register_hook(hook)
        self._counts[call.path] += 1
        self.calls.append(call)
        self.modules.saw(call.path)


def brought(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    shape: tuple[int, ...] | None,
    last: Lead | None = None,
) -> tuple[Tensor, Tensor, Tensor, tuple[int, int]]:
    """Queries, keys and values as (batch, heads, positions, D), and (batch, heads).

    Args:
        query: (…, Q, D).
        key: (…, K, D).
        value: (…, K, Dv).
        shape: The shape that the queries had before they were reshaped to this, if they were.
        last: The leading axes of the weights in the end, where logits were reshaped.

    Returns:
        Keys and values may have fewer heads, each for some query heads in a row.
    """
    heads = key.shape[1] if key.ndim == 4 else 0
    if query.ndim == 4 == key.ndim and query.shape[1] > heads > 1 and not query.shape[1] % heads:
        # Fewer key heads than query heads, as ``enable_gqa`` has them.
        batch = max(query.shape[0], key.shape[0])
        query, key, value = (part.expand(batch, *part.shape[1:]) for part in (query, key, value))
        return query, key, value, (batch, query.shape[1])
    lead = lead_of(query, key)
    packed = (query.shape[0], heads * query.shape[-2], 1, query.shape[-1]) if heads else ()
    if query.ndim == 4 and shape == packed:
        # One query of grouped heads, laid out as the queries of one head.
        batch = lead[0]
        count = heads * query.shape[2]
        query = query.expand(batch, *query.shape[1:]).reshape(batch, count, 1, -1)
        key, value = (spread(part, lead, (batch, heads)) for part in (key, value))
        return query, key, value, (batch, count)
    ending = lead if last is None else last
    final = heads_of(query, key, shape, ending)
    query, key = spread(query, lead, final), spread(key, lead, final)
    return query, key, spread(value, ending, final), final


def heads_of(
    query: Tensor, key: Tensor, shape: tuple[int, ...] | None, lead: Lead
) -> tuple[int, int]:
    """(batch, heads) of an attention with some leading axes.

    Args:
        query: (…, Q, D).
        key: (…, K, D).
        shape: The shape that the queries had before they were reshaped to this, if they were.
        lead: The leading axes.
    """
    grouped = len(lead) > 2 and (key.shape[-3] == 1 or key.stride(-3) == 0)
    return batch_and_heads(lead, folded(query, shape), grouped)


def folded(tensor: Tensor, shape: tuple[int, ...] | None) -> tuple[int, int] | None:
    """(batch, heads) where a tensor of three axes was made of one of four."""
    if shape is None or len(shape) != 4 or tensor.ndim != 3 or shape[2:] != tensor.shape[1:]:
        return None
    return shape[0], shape[1]


def placed(table: Tensor, lead: Lead, final: tuple[int, int], queries: int) -> Tensor:
    """A mask or bias for what `brought` made, each axis of full size or 1.

    Args:
        table: What broadcasts to ``lead`` and (query, key).
        lead: The leading axes, as the model has them.
        final: The same as (batch, heads).
        queries: Number of queries.
    """
    if len(lead) != 2 or tuple(lead) == final or lead[0] != final[0]:
        return relead(table, lead, final)
    # Rows are heads of a group here.
    table = table[(None,) * (4 - table.ndim)]
    if table.shape[1] == table.shape[2] == 1:
        return table
    rows = final[1] // lead[1]
    spread_out = table.expand(-1, lead[1], rows, -1)
    return spread_out.reshape(table.shape[0], final[1], queries, table.shape[3])


def _trimmed(key: Tensor, value: Tensor, masking: Masking) -> tuple[Tensor, Tensor, Masking]:
    """Without the keys at the end that no query may attend to: room of a cache not yet used."""
    allowed = masking.allowed
    if allowed is None or allowed.shape[3] == 1:
        return key, value, masking
    some = allowed.flatten(0, 2).any(dim=0).nonzero().flatten().tolist()
    if not some:
        return key, value, masking
    kept = slice(0, some[-1] + 1)
    allowed = allowed[..., kept]
    bias = masking.bias
    if bias is not None and bias.shape[3] > 1:
        bias = bias[..., kept]
    left = None if bool(allowed.all()) else allowed
    return key[:, :, kept], value[:, :, kept], replace(masking, allowed=left, bias=bias)
