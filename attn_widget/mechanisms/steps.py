"""Steps: how the weights of one query come about, number by number; and who can tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .softmax import Booleans, Floats, masked_logits, softmax

Mechanism: TypeAlias = Literal["scaled_dot_product", "dot", "general", "concat", "additive"]
"""How a score arises.

``"scaled_dot_product"`` and ``"dot"``: ``q·k``. ``"general"``: ``(q @ w)·k``. ``"concat"`` and
``"additive"``: ``v·tanh(projected query + projected key)``.
"""


@dataclass(frozen=True, eq=False)
class Steps:
    """One query of one head, step by step, in float64.

    ``logits = (softcap(scale · scores) + bias) / temperature`` where all ``masks`` allow,
    ``weights = softmax(logits, sink) · locality``; see :func:`recompute`.

    Attributes:
        mechanism: how a score arises.
        query: (Dq,): the vector of the query.
        keys: (n,): the positions whose vectors are here, in the order asked for.
        key: (n, Dk): their vectors.
        scores: (K,): the raw score of every key, before the scale.
        weights: (K,): the weight of every key.
        scale: factor of the scores.
        temperature: divisor of the logits, the sink's too.
        softcap: largest absolute logit before bias; None for no limit.
        bias: (K,): added to the logits (ALiBi, T5 …), all of it together; None for none.
        masks: named rows (K,), True where the query may attend: ``"causal"``, ``"window"``,
            ``"mask"``; only those there are.
        sink: a logit beside those of the keys, whose share leaves the row; None for none.
        locality: (K,): factor of the weights after softmax (Luong local-p); None for none.
        projected_query: (A,): ``query @ w``; None for dot products.
        projected_key: (n, A): ``key @ w_key``, for ``"general"`` the keys themselves; None for dot
            products.
        v: (A,): what ``tanh`` is multiplied with; None unless ``"additive"`` or ``"concat"``.
        value: (n, Dv): the values at the positions asked for; None where there are none.
        output: (Dv,): ``weights @ values`` over all keys; None where there are no values.
        name: what to call it beside others; possibly empty.
    """

    mechanism: Mechanism
    query: Floats
    keys: NDArray[np.intp]
    key: Floats
    scores: Floats
    weights: Floats
    scale: float = 1.0
    temperature: float = 1.0
    softcap: float | None = None
    bias: Floats | None = None
    masks: Mapping[str, Booleans] = field(default_factory=dict)
    sink: float | None = None
    locality: Floats | None = None
    projected_query: Floats | None = None
    projected_key: Floats | None = None
    v: Floats | None = None
    value: Floats | None = None
    output: Floats | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class Row:
    """From scores to weights, one number a key.

    Attributes:
        scaled: (K,): ``scale · scores``.
        masked: (K,): what softmax is taken of, −inf where some mask forbids.
        weights: (K,): the weights.
        leak: the share that the sink takes, 0 where there is none.
    """

    scaled: Floats
    masked: Floats
    weights: Floats
    leak: float


def recompute(
    steps: Steps,
    *,
    scale: float | None = None,
    temperature: float | None = None,
    masks: Collection[str] | None = None,
) -> Row:
    """Return the weights of a query with another scale or temperature, or with fewer masks.

    ``js/src/mechanism/`` holds the same arithmetic.

    Args:
        steps: the query.
        scale: factor of the scores; None keeps that of ``steps``.
        temperature: divisor of the logits, above 0; None likewise.
        masks: names of those that are on; None for all.

    Raises:
        ValueError: if the temperature is not above 0, or there is no mask of some name.
    """
    factor = steps.scale if scale is None else scale
    divisor = steps.temperature if temperature is None else temperature
    if not divisor > 0:
        raise ValueError(f"temperature must be above 0; got {divisor}")
    names = steps.masks if masks is None else masks
    for name in names:
        if name not in steps.masks:
            known = ", ".join(map(repr, steps.masks)) or "none"
            raise ValueError(f"masks must be among those of the query ({known}); got {name!r}")
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = factor * steps.scores
    masked = masked_logits(
        scaled,
        softcap=steps.softcap,
        bias=steps.bias,
        temperature=divisor,
        masks=[steps.masks[name] for name in names],
    )
    weights = softmax(masked, None if steps.sink is None else steps.sink / divisor)
    leak = 0.0 if steps.sink is None else 1.0 - float(weights.sum())
    if steps.locality is not None:
        weights = weights * steps.locality
    return Row(scaled, masked, weights, leak)


@runtime_checkable
class SupportsMechanism(Protocol):
    """A source that can tell how its weights come about."""

    def steps(self, layer: int, head: int, query: int, keys: Sequence[int]) -> Steps:
        """Return one query, step by step, in bounded memory.

        Args:
            layer: the layer, 0 … L − 1.
            head: the head, 0 … H − 1.
            query: the query, 0 … Q − 1.
            keys: the positions whose vectors are wanted, each 0 … K − 1, in any order.

        Raises:
            IndexError: if an index is out of range.
        """
        ...


@runtime_checkable
class SupportsPanels(Protocol):
    """A source that holds several mechanisms side by side, on the same queries and keys."""

    def panels(self, layer: int, head: int, query: int, keys: Sequence[int]) -> tuple[Steps, ...]:
        """Return one query in each mechanism; the arguments are those of ``steps``."""
        ...


def has_mechanism(source: object) -> bool:
    """Return whether a source of at least one weight tells how its weights come about."""
    known = isinstance(source, (SupportsMechanism, SupportsPanels))
    return known and 0 not in cast(Any, source).shape


def panels_of(
    source: object, layer: int, head: int, query: int, keys: Sequence[int]
) -> tuple[Steps, ...]:
    """Return what the mechanism view shows of a query: a panel for each mechanism of a source.

    Args:
        source: the source of a map.
        layer: the layer.
        head: the head.
        query: the query.
        keys: the positions whose vectors are wanted.

    Returns:
        One `Steps` for most sources, several for traces side by side, none where the source knows
        only weights.
    """
    if isinstance(source, SupportsPanels):
        return source.panels(layer, head, query, keys)
    if isinstance(source, SupportsMechanism):
        return (source.steps(layer, head, query, keys),)
    return ()


def strongest_keys(panels: Sequence[Steps], count: int) -> list[int]:
    """Return the keys with the most weight in any of some mechanisms, the strongest first.

    Args:
        panels: one query in each mechanism.
        count: how many keys at most.
    """
    strength = np.nan_to_num(np.max([steps.weights for steps in panels], axis=0))
    order = np.argsort(-strength, kind="stable")
    return [int(key) for key in order[:count]]


def check_place(
    shape: tuple[int, int, int, int], layer: int, head: int, query: int, keys: Sequence[int]
) -> NDArray[np.intp]:
    """Return the keys as an array, all indices checked.

    Raises:
        IndexError: if an index is out of range.
    """
    for name, index, size in zip(
        ("layer", "head", "query"), (layer, head, query), shape[:3], strict=True
    ):
        if not 0 <= index < size:
            raise IndexError(f"{name} must be in 0 … {size - 1}; got {index}")
    places = np.asarray(keys, dtype=np.intp).reshape(-1)
    beyond = places[(places < 0) | (places >= shape[3])]
    if len(beyond):
        raise IndexError(f"keys must be in 0 … {shape[3] - 1}; got {int(beyond[0])}")
    return places
