"""Attention while a model trains or decodes: its steps recorded, shown as they come, and played."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from .attention import Attention
from .maps import held_maps
from .sources import float_dtype, is_array, shape_of, to_float32
from .widget import AttentionWidget

MB: Final = 1_000_000
LEAST_STEPS: Final = 4
"""The memory must hold so many steps: the first, the last and some between."""


@dataclass(frozen=True)
class Step:
    """One recorded step."""

    number: int
    """How many steps came before it, those that were dropped included."""
    name: str
    """What it is called."""
    measured: Mapping[str, float]
    """What was measured then."""
    maps: Mapping[str, Attention]
    """Copies of the maps."""


class Recorder:
    """Keeps the attention of a model while it changes, and plays it.

    Weights are copied, since training overwrites them. When there are too many steps, every
    other one is dropped, and from then on every other one that comes; the first and the newest
    always stay. ``repr`` says what was dropped.

    Args:
        most: Steps to keep at most.
        limit_mb: Memory for their weights, in MB (1,000,000 bytes).

    Raises:
        ValueError: If ``most`` is below 4.
    """

    def __init__(self, *, most: int = 200, limit_mb: float = 256) -> None:
        if most < LEAST_STEPS:
            raise ValueError(f"most must be at least {LEAST_STEPS}; got {most}")
        self._most = most
        self._limit = limit_mb * MB
        self._steps: list[Step] = []
        self._count = 0
        self._stride = 1
        self._widgets: weakref.WeakSet[AttentionWidget] = weakref.WeakSet()

    def add(self, maps: object, name: str | None = None, **measured: float) -> None:
        """Record a step, and show it in the widgets.

        Args:
            maps: An `Attention`, ``{name: Attention}`` with the same names at every step, or what
                holds such, as a capture does.
            name: What to call the step; None calls it by what was measured.
            **measured: Numbers to call it by and to keep: ``step=120, loss=1.31``.

        Raises:
            TypeError: If ``maps`` is none of these.
            ValueError: If a step takes more than a quarter of the memory, or names differ.
        """
        maps = held_maps(maps)
        given = maps if isinstance(maps, Mapping) else {_title(maps): maps}
        if self._steps and list(given) != list(self._steps[0].maps):
            raise ValueError(
                f"every step must have the maps {', '.join(self._steps[0].maps)}; got "
                f"{', '.join(map(str, given))}"
            )
        values = {key: float(value) for key, value in measured.items()}
        label = name or _named(values) or f"step {self._count}"
        kept = {key: self._copied(att, label) for key, att in given.items()}
        self._steps.append(Step(self._count, label, values, kept))
        self._count += 1
        self._thin()
        for widget in self._open_widgets():
            widget.update(self.maps, step=len(self._steps) - 1)

    def widget(self, **state: Any) -> AttentionWidget:
        """A widget of the steps so far, to which those that come are added.

        It shows the newest step; its player goes through all of them.

        Args:
            **state: As for `AttentionWidget`.

        Raises:
            ValueError: If nothing was recorded yet.
        """
        if not self._steps:
            raise ValueError("nothing was recorded yet: add() the first step before the widget")
        state.setdefault("step", len(self._steps) - 1)
        made = AttentionWidget(self.maps, **state)
        self._widgets.add(made)
        return made

    def attach(
        self,
        module: Any,
        queries: object = None,
        keys: object = None,
        *,
        weights: Callable[[Any], Any] | None = None,
        batch: int = 0,
        every: int = 1,
        name: str = "",
    ) -> Any:
        """Record what a PyTorch module attends to, whenever it runs.

        Args:
            module: A ``torch.nn.Module`` whose output holds weights, such as
                ``nn.MultiheadAttention``.
            queries: What the query positions are; see `Attention`.
            keys: The same for the key side.
            weights: Picks the weights, (B, Q, K) or (B, H, Q, K), from the output. None takes what
                is a share of 1 in every row.
            batch: Which entry of the batch.
            every: Record each n-th run, the first included.
            name: What to call the map.

        Returns:
            The handle of the hook; ``remove()`` ends the recording.

        Raises:
            ValueError: If ``every`` is below 1.
            TypeError: While the module runs, if its output doesn't hold weights, or more than one.
        """
        due = _every(every)

        def record(_: Any, __: Any, output: Any) -> None:
            number = next(due)
            if number is None:
                return
            found = _weights(output) if weights is None else weights(output)
            self.add(Attention(found[batch], queries, keys, name=name), step=number)

        return module.register_forward_hook(record)

    def callback(self, probe: Callable[[Any], object], *, every: int = 1) -> Any:
        """A callback for the ``Trainer`` of transformers, or a loop like it.

        Args:
            probe: Called with the model, in evaluation mode and without gradients, before the
                first step, after each n-th and after the last; returns what `add` takes. Give it
                the same input every time.
            every: Steps from one to the next.

        Returns:
            A ``TrainerCallback``.

        Raises:
            ImportError: If transformers is not installed.
            ValueError: If ``every`` is below 1.
        """
        from .capture.trainer import trainer_callback

        _every(every)
        return trainer_callback(self, probe, every)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps kept, in order."""
        return tuple(self._steps)

    @property
    def maps(self) -> dict[str, list[Attention]]:
        """The maps of all steps kept, as `AttentionWidget` takes them."""
        names = self._steps[0].maps if self._steps else ()
        return {name: [step.maps[name] for step in self._steps] for name in names}

    @property
    def dropped(self) -> int:
        """How many steps were recorded and not kept."""
        return self._count - len(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        dropped = (
            f" of {self._count}, every {self._stride}th and the newest" if self.dropped else ""
        )
        return f"Recorder({len(self._steps)} steps{dropped}, {self._bytes / MB:.2g} MB)"

    @property
    def _bytes(self) -> int:
        return sum(_size(att) for step in self._steps for att in step.maps.values())

    def _copied(self, attention: object, name: str) -> Attention:
        if not isinstance(attention, Attention):
            raise TypeError(
                f"maps must be an Attention or {{name: Attention}}; got {type(attention).__name__} "
                "(wrap an array first: Attention(weights, queries, keys))"
            )
        size = _size(attention)
        if size * LEAST_STEPS > self._limit:
            raise ValueError(
                f"a step of {size / MB:.0f} MB is more than a quarter of limit_mb="
                f"{self._limit / MB:g}: give a part, such as att.select(layers=[0])"
            )
        dtype = np.float16 if attention.dtype == np.float16 else np.float32
        return Attention(
            attention[...].astype(dtype, copy=False),
            attention.queries,
            attention.keys,
            kind=attention.kind,
            name=name,
        )

    def _thin(self) -> None:
        """Drop steps until those kept fit; the first and the newest stay."""
        newest = self._steps[-1]
        while True:
            self._steps = [
                step for step in self._steps if step is newest or step.number % self._stride == 0
            ]
            if len(self._steps) <= self._most and self._bytes <= self._limit:
                return
            self._stride *= 2

    def _open_widgets(self) -> Iterator[AttentionWidget]:
        return (widget for widget in list(self._widgets) if widget.comm is not None)


@contextmanager
def resting(model: Any) -> Iterator[None]:
    """A PyTorch model in evaluation mode and without gradients; afterwards as it was."""
    import torch

    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def _every(every: int) -> Iterator[int | None]:
    """The number of each call that is due, None for the others."""
    if every < 1:
        raise ValueError(f"every must be at least 1; got {every}")

    def numbers() -> Iterator[int | None]:
        number = 0
        while True:
            yield number if number % every == 0 else None
            number += 1

    return numbers()


def _title(maps: object) -> str:
    return (maps.name if isinstance(maps, Attention) else "") or "attention"


def _named(measured: Mapping[str, float]) -> str:
    """What a step is called by: "step 120, loss 1.31"."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.0f}"
        if value.is_integer()
        else f"{name.replace('_', ' ')} {value:.3g}"
        for name, value in measured.items()
    )


def _size(attention: Attention) -> int:
    size = 2 if attention.dtype == np.float16 else 4
    return size * int(np.prod(attention.shape, dtype=np.int64))


def _weights(output: object) -> Any:
    """What is weights among the output of a module.

    Raises:
        TypeError: If nothing is, or more than one thing.
    """
    parts = list(output.values()) if isinstance(output, Mapping) else output
    listed = list(cast("Sequence[object]", parts)) if isinstance(parts, (list, tuple)) else [parts]
    found = [part for part in listed if _are_weights(part)]
    if len(found) != 1:
        told = ", ".join(
            str(shape_of(part)) if is_array(part) else type(part).__name__ for part in listed
        )
        raise TypeError(
            f"one part of the module's output must be weights, (B, Q, K) or (B, H, Q, K); "
            f"{len(found)} of {told} may be: say which with weights=lambda output: …"
        )
    return found[0]


def _are_weights(part: object) -> bool:
    if not is_array(part) or len(shape_of(part)) not in (3, 4):
        return False
    try:
        float_dtype(part)
    except TypeError:
        return False
    values: NDArray[np.float32] = to_float32(cast(Any, part)[0])
    return bool(values.size and values.min() >= 0 and np.all(values.sum(axis=-1) <= 1.01))
