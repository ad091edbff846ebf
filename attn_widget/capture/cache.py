"""Maps of a cache of activations, as TransformerLens and its like keep them: by hook names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from ..attention import Attention
from ..sources import LayersSource, Source, batch_index, is_array, shape_of

_NAME: Final = re.compile(
    r"(?:(?P<stack>.*?)\.)?(?P<layer>\d+)\.(?P<block>\w*attn|\w*attention)"
    r"\.(?:hook_)?(?P<what>pattern|attn_scores|rot_q|rot_k|q|k)"
)
"""``blocks.3.attn.hook_pattern``, ``decoder.0.cross_attn.hook_q`` …."""

_PLAIN: Final = frozenset({"", "blocks", "layers", "model.layers", "transformer.h"})
"""Where the layers of a model with one stack are."""

_FORMS: Final = (("pattern",), ("attn_scores",), ("rot_q", "rot_k"), ("q", "k"))
"""What attention can be made of, the best first."""

_SHOWN: Final = 8

Held = dict[str, dict[int, object]]
"""Arrays of one stack, by what they are and by layer."""


def from_cache(
    mapping: object,
    queries: object = None,
    keys: object = None,
    *,
    batch: int | None = None,
    causal: bool = True,
    scale: float | None = None,
    name: str = "",
) -> Attention | dict[str, Attention]:
    """The attention in a cache of activations, such as TransformerLens returns; nothing is copied.

    Takes the weights (``hook_pattern``) where they are there; else the scores
    (``hook_attn_scores``), a map of kind ``"score"``; else queries and keys, those after rotary
    embedding (``hook_rot_q``, ``hook_rot_k``) before those without (``hook_q``, ``hook_k``): a
    model that has rotary embedding needs the former.

    Args:
        mapping: Anything with ``keys`` and ``[]``: names such as ``"blocks.0.attn.hook_pattern"``,
            or short ones such as ``("pattern", 0)``. Weights and scores are (H, Q, K) or
            (B, H, Q, K), queries and keys (position, H, D) or (B, position, H, D).
        queries: What the query positions are; see `Attention`.
        keys: The same for the key side.
        batch: Which entry of the batch.
        causal: Whether a query attends to no later key, where weights are computed from queries
            and keys; see `Attention.from_qk`.
        scale: Factor of q·k; None is 1 / sqrt(D).
        name: A name to show.

    Returns:
        The map where there is one stack of layers, else ``{name: Attention}``, with names such
        as ``"encoder"``, ``"decoder"`` and ``"cross"``.

    Raises:
        ValueError: If no attention is there, or labels or ``batch`` do not fit.
        TypeError: If ``mapping`` is none.

    Warns:
        UserWarning: If layers are missing, so that they are counted anew.
    """
    if not (hasattr(mapping, "keys") and hasattr(mapping, "__getitem__")):
        raise TypeError(
            f"mapping must have keys and [], as an ActivationCache; got {type(mapping).__name__}"
        )
    cache = cast("Mapping[Any, object]", mapping)
    stacks = {stack: held for stack, held in _stacks(cache).items() if _form(held)}
    if not stacks:
        raise ValueError(
            "the cache holds no attention: expected hook_pattern, hook_attn_scores, or both hook_q "
            f"and hook_k of its layers; it holds {_told(cache.keys())}"
        )
    made: dict[str, Attention] = {}
    for stack, held in stacks.items():
        own, other = queries, keys
        if len(stacks) > 1 and stack != "cross":
            own, other = (keys if stack == "encoder" else queries), None
        title = " ".join(filter(None, [name, stack if len(stacks) > 1 else ""]))
        weights, kind = _source(
            held, batch, causal=causal and stack not in ("encoder", "cross"), scale=scale
        )
        made[stack or "attention"] = Attention(weights, own, other, kind=kind, name=title)
    return next(iter(made.values())) if len(made) == 1 else made


def _stacks(cache: Mapping[Any, object]) -> dict[str, Held]:
    """What a cache holds of attention, by stack of layers."""
    stacks: dict[str, Held] = {}
    for key in cache.keys():  # noqa: SIM118 - a cache need not be iterable
        place = _place(key)
        if place is not None:
            stack, what, layer = place
            held = stacks.setdefault(stack, {})
            held.setdefault(what, {})[layer] = cache[key]
    return stacks


def _place(key: object) -> tuple[str, str, int] | None:
    """The stack, what it is and the layer that a name stands for, or None for anything else."""
    if isinstance(key, tuple) and len(key) >= 2 and isinstance(key[1], int):
        what = str(key[0]).removeprefix("hook_")
        known = any(what in form for form in _FORMS)
        return ("", what, key[1]) if known and key[2:] in ((), ("attn",)) else None
    found = _NAME.fullmatch(key) if isinstance(key, str) else None
    if found is None:
        return None
    stack = found["stack"] or ""
    if "cross" in found["block"]:
        stack = "cross"
    return "" if stack in _PLAIN else stack, found["what"], int(found["layer"])


def _form(held: Held) -> tuple[str, ...] | None:
    return next((form for form in _FORMS if all(part in held for part in form)), None)


def _source(
    held: Held, batch: int | None, *, causal: bool, scale: float | None
) -> tuple[Source, str]:
    """Where the weights or scores of a stack are read from, and what they are."""
    form = cast("tuple[str, ...]", _form(held))
    numbers = sorted(set.intersection(*(set(held[part]) for part in form)))
    if numbers != list(range(len(numbers))):
        warnings.warn(
            f"the cache holds {form[0]} of layers {', '.join(map(str, numbers))} only; they are "
            f"layers 0 … {len(numbers) - 1} here",
            UserWarning,
            stacklevel=3,
        )
    arrays = [[_entry(held[part][number], batch, part) for number in numbers] for part in form]
    if len(form) == 1:
        return LayersSource(arrays[0]), "weight" if form[0] == "pattern" else "score"
    # (position, head, D), as hooks see them.
    query, key = ([array.swapaxes(0, 1) for array in part] for part in arrays)
    return Attention.from_qk(query, key, causal=causal, scale=scale).source, "weight"


def _entry(array: object, batch: int | None, what: str) -> Any:
    """One entry of the batch, (head, query, key) or (position, head, D)."""
    shape = shape_of(array) if is_array(array) else ()
    if len(shape) not in (3, 4):
        raise ValueError(f"hook_{what} must have 3 axes, or 4 with a batch; got shape {shape}")
    if len(shape) == 3:
        return array
    return cast(Any, array)[batch_index(batch, shape[0])]


def _told(keys: Iterable[object]) -> str:
    """The names that tell most: those that mention attention first."""
    names = sorted((str(key) for key in keys), key=lambda name: "attn" not in name)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
