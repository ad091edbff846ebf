"""Calls of one place in a model, over forward passes and decoding steps, as layers of a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..qk import QKSource
from ..qk.product import ProductSource
from ..qk.source import CACHE
from ..sources import ArraySource, Source
from .calls import Call
from .masks import Masking
from .sources import RaggedSource, StackedQKSource, StackedSource

Pick = Callable[[Call], int]
"""Which entry of its batch to take of a call."""


@dataclass(frozen=True)
class Layer:
    """One layer of a map: an attention, or its decoding steps one after another.

    Attributes:
        path: Where in the model.
        rows: The calls whose queries follow each other.
        kind: ``"encoder"``, ``"decoder"`` or ``"cross"``.
    """

    path: str
    rows: tuple[Call, ...]
    kind: str

    @property
    def size(self) -> tuple[int, int, int]:
        """(H, Q, K)."""
        queries = sum(call.size[2] for call in self.rows)
        keys = max(call.start + call.size[3] for call in self.rows)
        return self.rows[0].size[1], queries, keys


@dataclass(frozen=True)
class Rules:
    """What makes weights of q·k, as `QKSource` takes it."""

    scale: float
    causal: bool
    offset: int
    window: int | None
    softcap: float | None
    mask: Tensor | None
    bias: Tensor | None
    sinks: Tensor | None

    def agrees(self, other: Rules) -> bool:
        """Whether two layers have the same rules."""
        mine, theirs = vars(self), vars(other)
        return all(_same(mine[name], theirs[name]) for name in mine)


@dataclass(frozen=True)
class Vectors:
    """Queries (H, Q, D), keys (Hkv, K, D), values (Hkv, K, Dv) or None, and their rules.

    Attributes:
        output: What `projection_of` finds.
    """

    query: Tensor
    key: Tensor
    value: Tensor | None
    rules: Rules
    output: Tensor | None


def runs(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls in runs of forward passes of which each goes on from the one before.

    A pass goes on where its self-attention was handed the keys of the pass before by a cache; where
    it only has one query that attends to the same keys; or where it is of another part of the model
    (an encoder that runs once, before its decoder).
    """
    found: list[list[Call]] = []
    for number in sorted({call.forward for call in calls}):
        now = [call for call in calls if call.forward == number]
        if found and _goes_on(found[-1], now):
            found[-1] += now
        else:
            found.append(now)
    return found


def picker(run: Sequence[Call], entry: int) -> Pick:
    """The entry of each call that an entry of the last pass goes on from.

    Args:
        run: The calls of a run.
        entry: The entry; passes with fewer entries (an encoder, whose states every beam attends to)
            have each for as many of them in a row.
    """
    most = max(call.size[0] for call in run)
    parents = {call.forward: call.parents for call in run if call.continued and not call.cross}
    at: dict[int, int] = {}
    for number in sorted({call.forward for call in run}, reverse=True):
        at[number] = entry
        before = parents.get(number, ())
        entry = before[entry] if entry < len(before) else entry
    return lambda call: at[call.forward] * call.size[0] // most


def decoding(calls: Sequence[Call]) -> set[str]:
    """Paths of self-attention that looks back only, in any of its calls."""
    own = [call for call in calls if not call.cross]
    return {one.path for one in own if one.continued or causal(one.masking, one.size[2])}


def kind_of(path: str, cross: bool, back: bool) -> str:
    """``"cross"``; ``"decoder"`` for what looks back only or is called so; else ``"encoder"``."""
    if cross:
        return "cross"
    named = any("decoder" in part.lower() for part in path.split("."))
    return "decoder" if back or named else "encoder"


def layers(run: Sequence[Call], back: set[str]) -> list[Layer]:
    """The layers of a run, in the order in which they were first called.

    Args:
        run: The calls.
        back: Paths of self-attention that looks back only.
    """
    places: dict[str, dict[int, list[Call]]] = {}
    for call in run:
        places.setdefault(call.path, {}).setdefault(call.forward, []).append(call)
    found: list[tuple[int, Layer]] = []
    order = {id(call): place for place, call in enumerate(run)}
    for path, passes in places.items():
        every = [call for calls in passes.values() for call in calls]
        most = max(map(len, passes.values()))
        if most > 1 and not all(call.size[2] == 1 for call in every):
            # A module called again in one pass is a layer of its own: weights that are shared.
            rows = [
                [calls[place] for calls in passes.values() if place < len(calls)]
                for place in range(most)
            ]
        else:
            rows = [every]
        kind = kind_of(path, every[0].cross, path in back)
        found += [(order[id(one[0])], Layer(path, tuple(one), kind)) for one in rows]
    return [layer for _, layer in sorted(found, key=lambda pair: pair[0])]


def weights_source(stack: Sequence[Layer], pick: Pick) -> Source:
    """The weights of layers of one size, for one entry of the batch."""
    vectors = [_vectors(layer.rows, pick) for layer in stack]
    known = [one for one in vectors if one is not None]
    cache = CACHE // len(stack)
    if len(known) < len(stack):
        return _stacked(
            [
                _ragged(layer.rows, pick) if one is None else _source([one], cache)
                for layer, one in zip(stack, vectors, strict=True)
            ]
        )
    if all(one.rules.agrees(known[0].rules) for one in known) and _alike(known):
        return _source(known, CACHE)
    return StackedQKSource([_source([one], cache) for one in known])


def gradient_source(stack: Sequence[Layer], pick: Pick) -> Source | None:
    """The gradients of the weights of some layers; None where there are none yet."""
    found = []
    for layer in stack:
        parts: list[tuple[Source, int]] = []
        for call in layer.rows:
            value = call.value(pick(call))
            if call.gradient is None or value is None:
                return None
            parts.append((ProductSource(call.gradient[pick(call)], value), call.start))
        found.append(parts[0][0] if len(parts) == 1 else RaggedSource(parts))
    return _stacked(found)


def projection_of(call: Call) -> Tensor | None:
    """The output matrix behind an attention, (H, Dv, model); None where none is known."""
    heads = call.size[1]
    if call.projection is None or call.projection.shape[1] % heads:
        return None
    return call.projection.T.reshape(heads, -1, call.projection.shape[0])


def _goes_on(run: Sequence[Call], now: Sequence[Call]) -> bool:
    paths = {call.path for call in run}
    if not any(call.path in paths for call in now):
        return True
    own = [call for call in now if not call.cross and call.path in paths]
    if own:
        return all(call.continued or _formed_step(call) for call in own)
    return all(call.size[2] == 1 and (call.continued or _formed_step(call)) for call in now)


def _formed_step(call: Call) -> bool:
    """Whether a call is one query of weights that the model formed."""
    return call.weights is not None and call.size[2] == 1


def causal(masking: Masking, queries: int) -> bool:
    """Whether the first query reaches less than the last one does."""
    allowed = masking.allowed
    if masking.causal:
        return queries > 1
    if allowed is None or allowed.shape[2] < 2 or allowed.shape[3] < 2:
        return False
    return bool((~allowed[:, :, 0, -1] & allowed[:, :, -1, -1]).any())


def _vectors(rows: Sequence[Call], pick: Pick) -> Vectors | None:
    """Queries and keys of one layer under one set of rules; None where there is none."""
    first = rows[0]
    if any(call.query is None for call in rows):
        return None
    if len(rows) == 1:
        rules = _rules(first, pick)
        entry = pick(first)
        assert first.query is not None
        output = projection_of(first)
        return Vectors(first.query[entry], first.key(entry), first.value(entry), rules, output)
    rules_of_all = _common(rows, pick)
    if rules_of_all is None:
        return None
    query = torch.cat([call.query[pick(call)] for call in rows if call.query is not None], dim=1)
    memory, entry, step = rows[-1].memory, pick(rows[-1]), rows[-1].step
    assert memory is not None
    values = memory.values(entry, step)
    return Vectors(query, memory.keys(entry, step), values, rules_of_all, projection_of(first))


def _rules(call: Call, pick: Pick) -> Rules:
    masking, entry = call.masking, pick(call)
    return Rules(
        call.scale,
        masking.causal,
        masking.offset,
        masking.window,
        call.softcap,
        _entry(masking.allowed, entry),
        _entry(masking.bias, entry),
        call.sinks,
    )


def _common(rows: Sequence[Call], pick: Pick) -> Rules | None:
    """The rules of all steps as those of one map; None where they are not."""
    first, last = rows[0], rows[-1]
    rules = [_rules(call, pick) for call in rows]
    same = all(
        call.memory is first.memory
        and (one.scale, one.softcap, one.bias) == (rules[0].scale, rules[0].softcap, None)
        and _same(one.sinks, rules[0].sinks)
        for call, one in zip(rows, rules, strict=True)
    )
    if not same or first.memory is None or first.start:
        return None
    if all(call.start == 0 and call.stop == first.stop for call in rows):
        return rules[0] if all(one.agrees(rules[0]) for one in rules) else None
    return _unrolled(rows, rules, len(first.memory)) if last.stop == len(first.memory) else None


def _unrolled(rows: Sequence[Call], rules: Sequence[Rules], keys: int) -> Rules | None:
    """The rules of a causal map whose rows came with the steps of a cache."""
    queries = sum(call.size[2] for call in rows)
    allowed = torch.ones(keys, dtype=torch.bool)
    slid = [call.stop - call.start for call in rows if call.start]
    window = rules[0].window or (slid[0] if slid else None)
    stop = rows[0].stop - rows[0].size[2]
    for call, one in zip(rows, rules, strict=True):
        stop += call.size[2]
        causal = one.causal and one.offset == call.size[3] - call.size[2]
        expected = 0 if window is None else max(0, call.stop - window)
        first = call is rows[0]
        if call.stop != stop or not (causal or call.size[2] == 1):
            return None
        several = call.size[2] > 1 and window is not None
        if not first and (one.window is not None or several or call.start != expected):
            return None
        if first and one.window is None and window is not None and call.stop > window:
            return None
        if one.mask is not None:
            if one.mask.numel() != call.size[3]:
                return None
            allowed[call.start : call.stop] = one.mask.flatten().cpu()
    for call, one in zip(rows, rules, strict=True):
        part = allowed[call.start : call.stop]
        if not bool(part.all() if one.mask is None else (one.mask.flatten().cpu() == part).all()):
            return None
    mask = None if bool(allowed.all()) else allowed
    one = rules[0]
    return Rules(one.scale, True, keys - queries, window, one.softcap, mask, None, one.sinks)


def _ragged(rows: Sequence[Call], pick: Pick) -> Source:
    parts: list[tuple[Source, int]] = []
    for call in rows:
        if call.weights is not None:
            parts.append((ArraySource(call.weights[pick(call)]), call.start))
        else:
            vectors = _vectors([call], pick)
            assert vectors is not None
            parts.append((_source([vectors], CACHE // 64), call.start))
    return parts[0][0] if len(parts) == 1 else RaggedSource(parts)


def _source(stack: Sequence[Vectors], cache: int) -> QKSource:
    rules = stack[0].rules
    values = [one.value for one in stack if one.value is not None]
    outputs = [one.output for one in stack if one.output is not None]
    return QKSource(
        [one.query for one in stack],
        [one.key for one in stack],
        value=values if len(values) == len(stack) else None,
        scale=rules.scale,
        causal=rules.causal,
        mask=rules.mask,
        bias=rules.bias,
        window=rules.window,
        softcap=rules.softcap,
        sinks=rules.sinks,
        offset=rules.offset,
        outputs=outputs if len(outputs) == len(stack) else None,
        cache_bytes=cache,
    )


def _stacked(sources: Sequence[Source]) -> Source:
    if len(sources) == 1:
        return sources[0]
    if all(isinstance(one, QKSource) for one in sources):
        return StackedQKSource(sources)
    return StackedSource(sources)


def _alike(stack: Sequence[Vectors]) -> bool:
    """Whether vectors of all layers have one size."""
    return len({(one.query.shape, one.key.shape) for one in stack}) == 1


def _entry(table: Tensor | None, entry: int) -> Tensor | None:
    """What a mask or bias says for an entry of the batch."""
    return None if table is None else table[entry if table.shape[0] > 1 else 0]


def _same(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and (
            one.data_ptr() == other.data_ptr() or torch.equal(one, other)
        )
    return one is other if isinstance(one, Tensor) or isinstance(other, Tensor) else one == other
