"""Maps without some of their positions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis
from ..pooling import spread
from ..sources import Weights
from .inputs import as_attention, check_choice, derived
from .lazy import Part, PartSource, chunk_rows

Positions: TypeAlias = Iterable[int | str] | Literal["special"]
"""Positions by number or by label, or ``"special"`` for special tokens."""

SIDES = ("both", "keys", "queries")

MEASURED: Final = 1 << 24
"""Weights that removed mass is measured on: of more, of queries that are evenly spread."""


def positions_of(axis: Axis, positions: Positions, name: str = "positions") -> tuple[int, ...]:
    """Positions of an axis, ascending.

    Args:
        axis: The axis.
        positions: Numbers, counted from the end where negative; labels, each of which stands for
            all positions that bear it; or ``"special"``.
        name: What to call them in messages.

    Raises:
        TypeError: If one is neither a number nor a label.
        ValueError: If there is no such position.
    """
    if isinstance(positions, str):
        check_choice(name, positions, ("special",))
        return axis.special
    found: set[int] = set()
    for item in positions:
        if isinstance(item, str):
            named = [place for place, label in enumerate(axis.labels) if label == item]
            if not named:
                raise ValueError(f"{name}: no position is labelled {item!r}")
            found.update(named)
        elif not -len(axis) <= _number(item, name) < len(axis):
            raise ValueError(f"{name}: {item} is out of range for {len(axis)} positions")
        else:
            found.add(_number(item, name) % len(axis))
    return tuple(sorted(found))


def drop_positions(
    att: object,
    positions: Positions = "special",
    renormalise: bool = True,
    *,
    side: str = "both",
) -> Attention:
    """A map without some positions, such as special tokens or sinks.

    ``A'[i, j] = A[i, j] / Σ_k∈kept A[i, k]``: rows are divided by what is left of them, so that
    they sum to 1 again; a row of which nothing is left is zeros. What was taken away says more
    than what is left where it is large: the record of the result states it (``removed mass``),
    `removed_mass` for each head. Read when asked for.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        positions: Numbers or labels, or ``"special"`` for the special tokens of either side.
        renormalise: Whether rows are divided by what is left of them.
        side: ``"both"``; ``"keys"`` to go on asking what the dropped positions attend to ([CLS] of
            a vision transformer); or ``"queries"``.

    Returns:
        A map (L, H, Q', K') of the same kind, its other positions as they were.

    Raises:
        TypeError: If positions are neither numbers nor labels.
        ValueError: If there are none to drop, one is out of range, or the map holds scores before
            softmax that are to be renormalised.
    """
    att = as_attention(att)
    asked = _asked(positions)
    dropped = _dropped(att, asked, side)
    if renormalise and att.kind == "score":
        raise ValueError("scores before softmax do not sum to anything; use renormalise=False")
    kept = [
        [place for place in range(size) if place not in gone]
        for size, gone in zip(att.shape[2:], map(frozenset, dropped), strict=True)
    ]
    part = att.select(queries=kept[0], keys=kept[1])
    source: Any = part.source
    if renormalise and dropped[1]:
        source = PartSource(part.shape, _renormalised(part), chunk_rows(part))
    settings = {"positions": asked, "renormalise": renormalise, "side": side}

    def notes() -> list[str]:
        mass, how = _measured(att, *dropped)
        known = mass[np.isfinite(mass)]
        return [f"removed mass {known.mean():.2f}{how}"] if len(known) else []

    return derived(
        att,
        source,
        "drop_positions",
        title="part",
        settings=settings,
        notes=notes if dropped[1] else (),
        queries=part.queries,
        keys=part.keys,
    )


def removed_mass(
    att: object, positions: Positions = "special", *, side: str = "both"
) -> NDArray[np.float64]:
    """The share of the weight that `drop_positions` takes away, by layer and head.

    ``mean_i Σ_j∈dropped |A[i, j]| / Σ_j |A[i, j]|`` over the queries that are kept. Of maps of more
    than 16 million weights, over queries that are evenly spread.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        positions: As `drop_positions` takes them.
        side: Likewise.

    Returns:
        (L, H), 0 … 1; NaN where a head has no weight.

    Raises:
        ValueError: If there are no such positions.
    """
    att = as_attention(att)
    return _measured(att, *_dropped(att, _asked(positions), side))[0]


def _asked(positions: Positions) -> Any:
    """Positions as a record can hold them."""
    if isinstance(positions, str):
        return positions
    return tuple(one if isinstance(one, str) else _number(one) for one in positions)


def _number(position: object, name: str = "positions") -> int:
    if isinstance(position, (bool, np.bool_)) or not hasattr(position, "__index__"):
        raise TypeError(f"{name} must be numbers or labels; got {position!r}")
    return int(cast(Any, position).__index__())


def _dropped(
    att: Attention, asked: Positions, side: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    check_choice("side", side, SIDES)
    shared = att.queries is att.keys
    if side == "both" and not shared and not isinstance(asked, str):
        raise ValueError(
            "queries and keys of this map are different positions: say side='queries' or "
            "side='keys'"
        )
    dropped = (
        positions_of(att.queries, asked) if side != "keys" else (),
        positions_of(att.keys, asked) if side != "queries" else (),
    )
    if not any(dropped):
        what = "special tokens" if asked == "special" else "positions"
        raise ValueError(f"there are no {what} to drop; say which, positions=[...]")
    return dropped


def _renormalised(att: Attention) -> Part:
    def part(layer: int, head: slice, query: slice, key: slice) -> Weights:
        rows = att.source.read(layer, head, query, slice(0, att.shape[3]))
        left = _magnitude(rows).sum(axis=2, keepdims=True, dtype=np.float64)
        return np.divide(rows[:, :, key], np.where(left > 0, left, 1.0)).astype(np.float32)

    return part


def _measured(
    att: Attention, queries: tuple[int, ...], keys: tuple[int, ...]
) -> tuple[NDArray[np.float64], str]:
    """Removed mass by layer and head, and of how many queries where not of all."""
    layers, heads, count, width = att.shape
    kept = np.setdiff1d(np.arange(count), queries)
    few = max(1, MEASURED // max(1, layers * heads * width))
    sample = kept[spread(len(kept), min(few, len(kept)))] if len(kept) else kept
    found = np.full((layers, heads), np.nan)
    for layer in range(layers):
        for head in range(heads):
            rows = att.select(layers=layer, heads=head, queries=sample.tolist())
            magnitude = _magnitude(rows[0, 0])
            total = magnitude.sum(axis=1)
            there = total > 0
            if there.any():
                gone = magnitude[there][:, list(keys)].sum(axis=1)
                found[layer, head] = float((gone / total[there]).mean())
    how = "" if len(sample) == len(kept) else f" (of {len(sample)} of {len(kept)} queries)"
    return found, how


def _magnitude(rows: Weights) -> NDArray[np.float64]:
    return np.where(np.isfinite(rows), np.abs(rows), 0.0).astype(np.float64)
