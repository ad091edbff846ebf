"""Where weight lies: on the image, on padding, on text, on special tokens; and which are sinks.

``js/src/overlay/account.ts`` counts the same; ``tests/wire/account.json`` holds both to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .filters import apply_special, combine_heads, merge_heads
from .panels import Role, Side
from .thresholds import SINK_QUERIES, SINK_TIMES_MEDIAN, SINK_TIMES_UNIFORM

Values = NDArray[np.float32]

_ORDER: Final[tuple[Role, ...]] = ("image", "padding", "text")
_DIGITS: Final = re.compile(r"[\s_-]*\d+(?=\W*$)")


@dataclass(frozen=True)
class Share:
    """The share of a row's weight that positions of one kind take."""

    name: str
    """The role, or the label of special tokens without the digits by which they differ."""
    role: Role
    share: float
    """0..1, of the finite magnitudes of the row."""
    aside: bool
    """Whether these positions are set aside: not painted."""


@dataclass(frozen=True)
class Account:
    """What a row of weights comes to."""

    shares: tuple[Share, ...]
    """Together 1, or all 0: of weights before anything is set aside."""
    total: float
    """The sum of the row's finite weights, signs and all."""
    set_aside: float
    """The share that is not painted."""
    strongest: int
    """The position on the image with the largest finite magnitude painted; −1 for none."""
    half: int
    """The fewest positions on the image that hold half of the weight painted there."""
    of: int
    """How many positions are painted on the image."""
    sinks: tuple[int, ...] = ()
    """Positions on the image that draw far more weight than their like, whoever asks."""
    sinks_share: float = 0.0
    """The share of the weight that these take."""


def rows_of_focus(
    weights: Values,
    combine: str,
    side: Side,
    positions: Sequence[int],
    special: str,
    query_special: Sequence[int],
    key_special: Sequence[int],
) -> tuple[Values, Values]:
    """Return the weights of the other side that some positions have, as painted and as they were.

    Several queries are averaged, several keys summed up, as in merged words; missing weights (NaN)
    are left out of both, and a weight that all lack is NaN. Special queries are hidden only where
    keys are in focus: else their weights are what is asked for.

    Args:
        weights: ``(H, Q, K)``, the shown heads of a layer.
        combine: how several heads become one; see :func:`attn_widget.filters.combine_heads`.
        side: whose positions are in focus.
        positions: those in focus, at least one.
        special: see :func:`attn_widget.filters.apply_special`.
        query_special: special positions on the query side.
        key_special: those on the key side, and those set aside.

    Returns:
        Twice ``(H or 1, K)`` for queries, ``(H or 1, Q)`` for keys.
    """
    merged = combine_heads(weights, combine)
    drawn, _ = apply_special(merged, special, (), key_special)
    painted = _joined(drawn, side, positions)
    if side == "key" and special != "show":
        painted = painted.copy()
        painted[:, list(query_special)] = 0
    return painted, _joined(merged, side, positions)


def _joined(weights: Values, side: Side, positions: Sequence[int]) -> Values:
    if side == "query":
        rows = merge_heads((weights[:, position] for position in positions), "mean")
        return np.asarray(rows[0])
    chosen = weights[:, :, list(positions)]
    missing = np.isnan(chosen)
    with np.errstate(invalid="ignore"):
        sums = np.where(missing, 0, chosen).sum(axis=2, dtype=np.float64)
    sums[missing.all(axis=2)] = np.nan
    return np.asarray(sums, dtype=np.float32)


def account_of(
    row: Values,
    painted: Values,
    roles: Sequence[Role],
    labels: Sequence[str],
    apart: Sequence[int] = (),
) -> Account:
    """Return where the weight of a row lies.

    Args:
        row: ``(n,)``: the weights of the other side before anything is set aside.
        painted: ``(n,)``: what is painted of them.
        roles: what each position is; see :func:`attn_widget.panels.roles_of`.
        labels: the readable label of each.
        apart: positions that are set aside.
    """
    magnitude = _magnitude(row)
    total = float(magnitude.sum())
    kept = np.ones(len(row), dtype=bool)
    kept[list(apart)] = False
    on_image = np.array([role == "image" for role in roles], dtype=bool) & kept
    shown = np.where(on_image, _magnitude(painted), 0.0)
    strongest = int(np.argmax(shown)) if shown.any() else -1
    running = np.cumsum(np.sort(shown)[::-1])
    half = int(np.argmax(running >= running[-1] / 2)) + 1 if shown.any() else 0
    return Account(
        shares=_shares(magnitude, total, roles, labels, kept),
        total=float(row[np.isfinite(row)].sum(dtype=np.float64)),
        set_aside=float(magnitude[~kept].sum()) / total if total > 0 else 0.0,
        strongest=strongest,
        half=half,
        of=int(on_image.sum()),
    )


def _shares(
    magnitude: NDArray[np.float64],
    total: float,
    roles: Sequence[Role],
    labels: Sequence[str],
    kept: NDArray[np.bool_],
) -> tuple[Share, ...]:
    groups: dict[tuple[Role, str, bool], list[int]] = {
        (role, role, aside): [] for aside in (False, True) for role in _ORDER
    }
    for position, role in enumerate(roles):
        name = _stem(labels[position]) if role == "special" else role
        groups.setdefault((role, name, not kept[position]), []).append(position)
    return tuple(
        Share(
            name=labels[members[0]] if role == "special" and len(members) == 1 else name,
            role=role,
            share=float(magnitude[members].sum()) / total if total > 0 else 0.0,
            aside=aside,
        )
        for (role, name, aside), members in groups.items()
        if members
    )


def _stem(label: str) -> str:
    """Return a label without the number at its end: "[REG]" of "[REG 2]"."""
    return _DIGITS.sub("", label) or label


def _magnitude(values: Values) -> NDArray[np.float64]:
    return np.asarray(np.where(np.isfinite(values), np.abs(values), 0), dtype=np.float64)


def received_of(weights: Values) -> Values:
    """Return the weight each key receives: its mean over heads and queries, missing ones left out.

    Args:
        weights: ``(H, Q, K)``.

    Returns:
        ``(K,)``; NaN where no weight is finite.
    """
    finite = np.isfinite(weights)
    sums = np.where(finite, weights, 0).sum(axis=(0, 1), dtype=np.float64)
    counts = finite.sum(axis=(0, 1))
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return np.asarray(means, dtype=np.float32)


def sinks_of(received: Values, roles: Sequence[Role], queries: int) -> tuple[int, ...]:
    """Return the positions on the image that draw far more weight than their like, whoever asks.

    Those are they that receive more than ten times what the median one does, and more than three
    times what uniform attention would give (*registers* were made for such; Darcet et al. 2024).

    Args:
        received: ``(K,)``: see :func:`received_of`.
        roles: what each key is.
        queries: how many queries there are; of fewer than 16 none can tell what is a sink.
    """
    present = np.isfinite(received)
    on_image = present & np.array([role == "image" for role in roles], dtype=bool)
    if queries < SINK_QUERIES or not on_image.any():
        return ()
    values = received.astype(np.float64)
    least = max(
        SINK_TIMES_MEDIAN * float(np.median(values[on_image])), SINK_TIMES_UNIFORM / len(received)
    )
    return tuple(np.flatnonzero(on_image & (np.where(present, values, 0) > least)).tolist())


def share_of(row: Values, positions: Sequence[int]) -> float:
    """Return the share of a row's finite magnitudes that some positions take, 0..1."""
    magnitude = _magnitude(row)
    total = float(magnitude.sum())
    return float(magnitude[list(positions)].sum()) / total if total > 0 else 0.0
