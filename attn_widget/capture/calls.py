"""One attention of one forward pass, kept where and in the precision that was asked for."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .masks import Masking
from .memory import Memory


@dataclass
class Call:
    """One attention of one forward pass, all entries of its batch.

    Attributes:
        path: Where in the model, as ``named_modules`` says it; "" is the model itself.
        cross: Whether the keys come from another sequence.
        forward: Number of the forward pass, from 0.
        query: (batch, H, Q, D); None where only weights could be kept.
        memory: Where its keys, and values if asked for, lie.
        start: The first of its keys there.
        stop: The one after the last.
        step: The last of its blocks there.
        parents: For each batch entry which entry of the pass before it goes on from, where earlier
            keys were kept by an earlier call already; else empty.
        scale: Factor of q·k.
        softcap: Largest logit before biases.
        sinks: (H,), one logit a head.
        masking: Masks and biases.
        weights: (batch, H, Q, K) as the model formed them, where they are not q·k with known rules.
        gradient: (batch, H, Q, Dv): of what was differentiated, with respect to weights · value.
        projection: The weight that maps (H · Dv) to the model, (model, H · Dv).
    """

    path: str
    cross: bool
    forward: int
    query: Tensor | None = None
    memory: Memory | None = None
    start: int = 0
    stop: int = 0
    step: int = 0
    parents: Sequence[int] = ()
    scale: float = 1.0
    softcap: float | None = None
    sinks: Tensor | None = None
    masking: Masking = field(default_factory=Masking)
    weights: Tensor | None = None
    gradient: Tensor | None = None
    projection: Tensor | None = None

    @property
    def size(self) -> tuple[int, int, int, int]:
        """(batch, H, Q, K)."""
        found = self.weights if self.query is None else self.query
        assert found is not None
        batch, heads, queries, last = found.shape
        return batch, heads, queries, last if self.query is None else self.stop - self.start

    @property
    def continued(self) -> bool:
        """Whether earlier keys were kept by an earlier call already."""
        return len(self.parents) > 0

    def key(self, entry: int) -> Tensor:
        """Keys of a batch entry, (Hkv, K, D)."""
        assert self.memory is not None
        return self.memory.keys(entry, self.step)[:, self.start : self.stop]

    def value(self, entry: int) -> Tensor | None:
        """Values of a batch entry, (Hkv, K, Dv), where they were kept."""
        found = None if self.memory is None else self.memory.values(entry, self.step)
        return None if found is None else found[:, self.start : self.stop]


class Keeper:
    """Moves tensors to where they are kept.

    Args:
        device: Where that is.
        dtype: In which precision; None leaves it.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None) -> None:
        self._device, self._dtype = device, dtype
        self._tables: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}

    def convert(self, tensor: Tensor) -> Tensor:
        """A tensor in the precision asked for, where it is."""
        floats = tensor.is_floating_point() and self._dtype is not None
        return tensor.detach().to(dtype=self._dtype) if floats else tensor.detach()

    def keep(self, tensor: Tensor) -> Tensor:
        """A copy that nothing the model does can change."""
        moved = self.convert(tensor).to(self._device)
        same = storage_of(moved) == storage_of(tensor)
        return moved.clone(memory_format=torch.contiguous_format) if same else moved.contiguous()

    def table(self, tensor: Tensor) -> Tensor:
        """A copy of a mask or bias, one for all layers that were given the same."""
        known = self._tables.get(identity(tensor))
        if known is None:
            kept = self.keep(tensor)
            for _, earlier in self._tables.values():
                alike = earlier.shape == kept.shape and earlier.dtype == kept.dtype
                if alike and torch.equal(earlier, kept):
                    kept = earlier
                    break
            # The model's own tensor is held so that no other can take its place in memory.
            known = self._tables[identity(tensor)] = tensor.detach(), kept
        return known[1]

    def changed(self, tensor: Tensor) -> None:
        """Forget copies of a tensor that was written to since."""
        if self._tables:
            storage = storage_of(tensor)
            self._tables = {
                name: pair for name, pair in self._tables.items() if storage_of(pair[0]) != storage
            }

    def forget(self) -> None:
        """Hold no tensor of the model any longer; copies are found again by what they hold."""
        kept = [pair[1] for pair in self._tables.values()]
        self._tables = {(id(one),): (one, one) for one in kept}


def identity(tensor: Tensor) -> tuple[object, ...]:
    """What two views of the same numbers have in common, as long as either lives."""
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)


def storage_of(tensor: Tensor) -> int:
    """Where the memory of a tensor begins; 0 where it has none of its own (sparse, nested)."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


class Alive:
    """What is known of tensors, for as long as they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], object]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, tensor: object) -> object:
        """What is known of a tensor, or None."""
        found = self._known.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def put(self, tensor: Tensor, what: object) -> None:
        """Know something of a tensor."""
        name = id(tensor)

        def gone(_: object) -> None:
            found = self._known.get(name)
            if found is not None and found[0]() is None:
                del self._known[name]

        self._known[name] = weakref.ref(tensor, gone), what

    def drop(self, tensor: object) -> None:
        """Know nothing of a tensor any longer."""
        self._known.pop(id(tensor), None)

    def items(self) -> list[tuple[Tensor, object]]:
        """All living tensors with what is known of them."""
        pairs = [(ref(), what) for ref, what in list(self._known.values())]
        return [(tensor, what) for tensor, what in pairs if tensor is not None]

    def clear(self) -> None:
        """Know nothing."""
        self._known.clear()
