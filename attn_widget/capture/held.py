"""The maps that the outputs of a model hold, before they have labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, cast

from ..sources import LayersSource, Source, batch_index, is_array, shape_of
from .generated import Generation, grows, is_nested

MAIN: Final = "attention"
"""The name of the map that outputs call just ``attentions``."""

NONE: Final = (
    "the outputs hold no attention weights: {fields}. Ask for them with output_attentions=True "
    'and a model made with attn_implementation="eager"; "sdpa", flash and flex kernels never form '
    "them. Or leave the model as it is: with aw.capture(model) as captured: model(**inputs)"
)

_TARGET: Final = frozenset({MAIN, "decoder", "text", "language", "cross", "cross_encoder"})
_SOURCE: Final = frozenset({"encoder", "vision", "image", "audio"})
_ENDINGS: Final = ("_model_outputs", "_model_output", "_outputs", "_output")
_LEVELS: Final = 2


@dataclass(frozen=True)
class Held:
    """A map before it has labels."""

    name: str
    """What it is called among the maps of these outputs."""
    kind: str
    """The name of the field it comes from; several maps may come from one."""
    source: Source
    """Its weights."""

    @property
    def crosses(self) -> bool:
        """Whether its keys are another sequence than its queries."""
        return "cross" in self.kind

    @property
    def side(self) -> str | None:
        """Which sequence its queries are: ``"target"``, ``"source"``, or neither."""
        return "target" if self.kind in _TARGET else "source" if self.kind in _SOURCE else None


@dataclass
class Contents:
    """What outputs hold."""

    maps: list[Held]
    """All that is a map."""
    generation: Generation | None
    """The sequence they belong to, where the model generated."""
    notes: list[str]
    """What is left out or counted anew, in words."""


def contents(outputs: object, batch: int | None) -> Contents:
    """All maps in outputs.

    Raises:
        ValueError: If there are none, or several entries and ``batch`` does not say which.
        TypeError: If ``outputs`` is nothing that a model returned.
    """
    notes: list[str] = []
    values = attentions(outputs, notes)
    steps = next((value for value in values.values() if _is_generated(value)), None)
    generation = None if steps is None else Generation(outputs, cast(Any, steps), batch)
    found = Contents([], generation, notes)
    for name, value in values.items():
        found.maps.extend(_maps(name, value, found, batch))
    if not found.maps:
        raise ValueError("; ".join(notes))
    return found


def attentions(outputs: object, notes: list[str]) -> dict[str, object]:
    """Everything in outputs that is called attention, by name.

    Args:
        outputs: What a model returned.
        notes: Where to say what is left out.

    Raises:
        ValueError: If there is nothing.
        TypeError: If ``outputs`` is nothing that a model returned.
    """
    if isinstance(outputs, (list, tuple)) and not hasattr(outputs, "keys"):
        if is_nested(outputs) or all(item is None or is_map(item) for item in outputs):
            return _not_empty({MAIN: outputs})
        kinds = ", ".join(sorted({type(item).__name__ for item in outputs}))
        raise TypeError(
            "outputs must be what the model returns with return_dict=True, or its attentions; got "
            f"a {type(outputs).__name__} of {kinds}"
        )
    fields = dict(_fields(outputs, _LEVELS))
    if not fields:
        raise TypeError(
            "outputs must be what a transformers model returned, with a field of attentions; got "
            f"{type(outputs).__name__}"
        )
    return _not_empty(_without_windows(fields, notes))


def is_map(value: object) -> bool:
    """Whether an array may be (batch, head, query, key), or (head, query, key)."""
    return is_array(value) and len(shape_of(value)) in (3, 4)


def _without_windows(fields: Mapping[str, object], notes: list[str]) -> dict[str, object]:
    """The fields whose keys are positions, not places in a window (Longformer, LED)."""
    globals_ = [name for name in fields if name == "global" or name.endswith("_global")]
    locals_ = [name.removesuffix("global").rstrip("_") or MAIN for name in globals_]
    kept = {name: value for name, value in fields.items() if name not in {*globals_, *locals_}}
    if locals_:
        text = (
            f"{', '.join(locals_)}: this model keeps the keys in a window around each query, which "
            "is no map of positions"
        )
        if not kept:
            raise ValueError(text)
        notes.append(text)
    return kept


def _not_empty(fields: Mapping[str, object]) -> dict[str, object]:
    full = {
        name: value
        for name, value in fields.items()
        if is_array(value) or (isinstance(value, (list, tuple)) and not _all_none(value))
    }
    if not full:
        said = ", ".join(f"{name} is {_told(value)}" for name, value in fields.items())
        raise ValueError(NONE.format(fields=said))
    return full


def _all_none(value: Sequence[object]) -> bool:
    return all(
        item is None or (isinstance(item, (list, tuple)) and _all_none(item)) for item in value
    )


def _told(value: object) -> str:
    return "None" if value is None else "empty"


def _fields(outputs: object, levels: int) -> Iterator[tuple[str, object]]:
    """Name and value of the fields of attentions, those of nested outputs included."""
    if dataclasses.is_dataclass(outputs):
        items = [
            (field.name, getattr(outputs, field.name)) for field in dataclasses.fields(outputs)
        ]
    elif isinstance(outputs, Mapping):
        items = list(outputs.items())
    else:
        return
    for field, value in items:
        if not isinstance(field, str):
            continue
        if field.endswith("attentions"):
            yield field.removesuffix("attentions").rstrip("_") or MAIN, value
        elif levels > 1:
            ending = next((ending for ending in _ENDINGS if field.endswith(ending)), "")
            prefix = field.removesuffix(ending)
            for inner, found in _fields(value, levels - 1):
                yield prefix if inner == MAIN else f"{prefix} {inner}", found


def _is_generated(value: object) -> bool:
    return is_nested(value) and grows(cast("Sequence[Sequence[object]]", value))


def _maps(name: str, value: object, found: Contents, batch: int | None) -> Iterator[Held]:
    generation = found.generation
    if generation is not None and _is_generated(value):
        steps = [_full(name, step, found)[0] for step in cast("Sequence[Sequence[object]]", value)]
        yield Held(name, name, generation.source(steps, cross="cross" in name))
        return
    layers = [value] if is_array(value) else list(cast("Sequence[object]", value))
    if is_nested(layers):
        for number, inner in enumerate(layers):
            yield from _maps(f"{name} {number}", inner, found, batch)
        return
    full, numbers = _full(name, layers, found)
    if generation is not None and is_map(full[0]):
        batch = generation.entry_of(shape_of(full[0])[0])
    groups = [list(group) for _, group in groupby(range(len(full)), lambda at: shape_of(full[at]))]
    for group in groups:
        first, last = numbers[group[0]], numbers[group[-1]]
        which = f", layer {first}" if first == last else f", layers {first}–{last}"
        if not is_map(full[group[0]]):
            found.notes.append(
                f"{name}{which}: shape {shape_of(full[group[0]])} is no map (batch, head, query, "
                "key) and is left out; for points of deformable attention see aw.layouts.deformable"
            )
            continue
        label = name if len(groups) == 1 else name + which
        yield Held(label, name, _source([full[at] for at in group], batch))


def _full(name: str, layers: Sequence[object], found: Contents) -> tuple[list[object], list[int]]:
    """The layers that hold weights, and their numbers."""
    numbers = [number for number, layer in enumerate(layers) if layer is not None]
    if len(numbers) < len(layers):
        note = (
            f"{name}: only {len(numbers)} of {len(layers)} layers hold weights; what is layer 0, "
            f"1 … here are layers {', '.join(map(str, numbers))} of the model"
        )
        # Every step of a generation says the same.
        if note not in found.notes:
            found.notes.append(note)
    return [layers[number] for number in numbers], numbers


def _source(layers: list[object], batch: int | None) -> LayersSource:
    shape = shape_of(layers[0])
    if len(shape) == 3:
        return LayersSource(layers)
    try:
        return LayersSource(layers, batch_index(batch, shape[0]))
    except ValueError as error:
        raise ValueError(
            f"{error} (models with windows count each window as an entry: see aw.layouts.swin)"
        ) from None
