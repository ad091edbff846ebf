"""What a still picture of an overlay shows, as numbers; nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..account import Account, account_of, received_of, rows_of_focus, share_of, sinks_of
from ..apart import set_aside
from ..attention import Attention
from ..axes import Axis
from ..filters import COMBINED, apply_special, combine_heads, merge_heads
from ..images import image_id
from ..outlines import Outline
from ..panels import Panel, Rects, Role, Side, panels_of, rects_of, roles_of
from ..scale import ScaleContext, strength
from ..selection import OverlayState
from .sampling import Values, query_spacing
from .shading import Shading

_BLOCK: Final = 2_000_000
"""Weights read at once."""
LEAST_STRENGTH: Final = 0.004
"""Strengths up to this one paint nothing."""


@dataclass(frozen=True)
class OverlayScene:
    """Everything a picture of an overlay depends on, read from the map."""

    state: OverlayState
    name: str
    kind: str
    heads: int
    """How many heads the map has; ``state.heads`` are those shown."""
    queries: Axis
    keys: Axis
    shared: bool
    """Whether both sides are the same positions."""
    panels: tuple[Panel, ...]
    side: Side
    """Whose positions are in focus: the weights painted are those of the other side."""
    focus: tuple[int, ...]
    """The positions in focus; empty for all queries."""
    count: int
    """How many positions are averaged, or summed up."""
    every: int
    """Every so many queries are read: 1 where all are."""
    numbers: tuple[int, ...]
    """The head of each row painted."""
    painted: Values
    """``(rows, n)``: weights of the other side."""
    fulls: tuple[float, ...]
    """The magnitude of each row at full strength: on the row scale its largest on the image."""
    full: float
    """The magnitude at full strength of all rows, on other scales than that."""
    account: Account
    """Of the mean over the rows painted."""
    apart: frozenset[int]
    """Positions of the other side that are set aside."""
    sinks: tuple[int, ...]
    sinks_share: float
    """The share of the weight that sinks take, those set aside not among them."""
    missing: int
    """Positions painted that hold no number."""
    row_sums: tuple[float, float] | None

    @property
    def other(self) -> Side:
        """The side that is painted."""
        return "key" if self.side == "query" else "query"

    def truth(self, panel: Panel) -> tuple[Outline, ...]:
        """Return the outlines of masks given as the truth on the image of a panel."""
        name = None if panel.image is None else image_id(panel.image)
        return dict(self.state.masks).get(name or "", ())

    @property
    def own_axis(self) -> Axis:
        """The axis of what is in focus."""
        return self.queries if self.side == "query" else self.keys

    @property
    def axis(self) -> Axis:
        """The axis of what is painted."""
        return self.keys if self.side == "query" else self.queries

    @cached_property
    def rects(self) -> Rects:
        """Where what is painted lies."""
        return rects_of(self.axis)

    def odd_of(self, values: Values) -> dict[str, NDArray[np.bool_]]:
        """Mark the positions that hold no number to be painted, by what they are."""
        apart = np.isin(np.arange(len(values)), sorted(self.apart))
        return {
            "missing": np.isnan(values) & ~apart,
            "masked": (values == -np.inf) & ~apart,
            "infinite": (values == np.inf) & ~apart,
            "set aside": apart,
        }

    @property
    def odd(self) -> dict[str, NDArray[np.bool_]]:
        """Mark the same in any of the rows painted."""
        found: dict[str, NDArray[np.bool_]] = {}
        for row in self.painted:
            for name, where in self.odd_of(row).items():
                found[name] = where | found.get(name, np.zeros(len(where), dtype=bool))
        return found

    @cached_property
    def strengths(self) -> Values:
        """How strong the weights are painted, ``(rows, n)``."""
        found = [self.strengths_of(row, values) for row, values in enumerate(self.painted)]
        return np.asarray(found, dtype=np.float32).reshape(self.painted.shape)

    @property
    def mean(self) -> Values:
        """The weights painted, the mean where there are several rows: ``(n,)``."""
        return _mean(self.painted)

    def strengths_of(self, row: int, values: Values) -> Values:
        """Return how strong any weights of a row are painted; on the row scale by its largest."""
        return _strengths(values, self.state.scale, self.fulls[row], len(self.keys))

    @property
    def shading(self) -> Shading:
        """How weights are coloured."""
        signed = self.kind in ("score", "difference")
        auto = self.state.colormap == "auto" and not signed
        return Shading(
            kind=self.kind,
            scale=self.state.scale,
            full=self.full,
            keys=len(self.keys),
            colormap="image" if auto else self.state.colormap,
            theme=self.state.theme,
        )


def read_overlay(attention: Attention, state: OverlayState) -> OverlayScene:
    """Read from a map what a picture of its overlay in some state shows.

    Where that takes long, every so many queries are read, beside the pinned ones: never more than
    24 million weights, and fewer where 0.3 s would not do. Sinks are told where all are.
    """
    side: Side = "key" if state.pinned_keys and not state.pinned_queries else "query"
    focus = state.pinned_queries if side == "query" else state.pinned_keys
    tally = _Tally(attention, state, side)
    tally.read()
    painted, before = tally.rows(focus)
    axis = attention.keys if side == "query" else attention.queries
    roles = roles_of(axis)
    most = _most(tally.largest)
    hidden = tally.key_special if side == "query" else attention.queries.special
    apart = frozenset(() if state.special == "show" else hidden)
    row = _mean(before)
    sinks: tuple[int, ...] = ()
    # What words or boxes look at most is what they ask for: a sink is one among patches.
    among = attention.keys is attention.queries
    if attention.kind == "weight" and among and tally.every == 1:
        sinks = sinks_of(tally.received, roles_of(attention.keys), attention.shape[2])
    left = [key for key in sinks if side == "query" and key not in apart]
    numbers = state.heads if len(painted) == len(state.heads) else (COMBINED,) * len(painted)
    return OverlayScene(
        state=state,
        name=attention.name,
        kind=attention.kind,
        heads=attention.shape[1],
        queries=attention.queries,
        keys=attention.keys,
        shared=attention.keys is attention.queries,
        panels=panels_of(attention),
        side=side,
        focus=tuple(focus),
        count=len(focus) or tally.averaged,
        every=tally.every,
        numbers=numbers,
        painted=painted,
        fulls=tuple(
            _most(_largest(row, on_image(roles))) if state.scale == "row" else most
            for row in painted
        ),
        full=most,
        account=account_of(row, _mean(painted), roles, axis.shown, sorted(apart)),
        apart=apart,
        sinks=tuple(left),
        sinks_share=share_of(row, left),
        missing=int(np.isnan(painted).any(axis=0).sum()),
        row_sums=tally.row_sums if attention.kind == "weight" else None,
    )


def _most(largest: float) -> float:
    return largest if largest > 0 else 1.0


def _mean(rows: Values) -> Values:
    if len(rows) == 1:
        return np.asarray(rows[0])
    if len(rows) == 0:
        return np.zeros(rows.shape[1], np.float32)
    return np.asarray(merge_heads(rows[:, None], "mean")[0, 0])


def _strengths(values: Values, scale: str, full: float, keys: int) -> Values:
    return strength(values, "absolute" if scale == "row" else scale, ScaleContext(full, keys))


def on_image(roles: tuple[Role, ...]) -> NDArray[np.bool_]:
    """Mark the positions that lie on an image; all where none does."""
    found = np.array([role == "image" for role in roles], dtype=bool)
    return found if found.any() else np.ones(len(roles), dtype=bool)


def _largest(values: Values, columns: NDArray[np.bool_]) -> float:
    part = values[..., columns]
    return float(np.where(np.isfinite(part), np.abs(part), 0).max(initial=0.0))


class _Tally:
    """Goes through the queries of a layer once and keeps what a picture says of them."""

    def __init__(self, attention: Attention, state: OverlayState, side: Side) -> None:
        self._attention, self._state, self._side = attention, state, side
        self.key_special = set_aside(attention, state.aside).keys.special
        queries, keys = attention.shape[2:]
        self.every = 1
        if state.heads and keys:
            weights = len(state.heads) * keys
            self.every = query_spacing(range(queries), weights, lambda rows: self._read(rows))
        self._rows = range(queries)[min(self.every // 2, max(0, queries - 1)) :: self.every]
        count = len(state.heads) if state.combine == "each" else min(1, len(state.heads))
        self.largest = 0.0
        self.averaged = 0
        self._sums = [np.zeros((count, keys)) for _ in range(2)]
        self._counts = [np.zeros((count, keys), np.int64) for _ in range(2)]
        self._columns = [np.zeros((count, queries), np.float32) for _ in range(2)]
        self._received = np.zeros(keys)
        self._present = np.zeros(keys, np.int64)
        self.row_sums: tuple[float, float] | None = None

    def _read(self, rows: range) -> Values:
        """Read some queries of the shown heads, ``(H, len(rows), K)``."""
        part = slice(rows.start, rows.stop, rows.step)
        layer, heads = self._state.layer, self._state.heads
        if not heads:
            return np.zeros((0, len(rows), self._attention.shape[3]), np.float32)
        return np.stack([self._attention[layer, head, part, :] for head in heads])

    def read(self) -> None:
        """Go through the queries."""
        state = self._state
        keys = self._attention.shape[3]
        if not (state.heads and keys):
            return
        block = max(1, _BLOCK // (len(state.heads) * keys))
        for first in range(0, len(self._rows), block):
            rows = self._rows[first : first + block]
            before = combine_heads(self._read(rows), state.combine)
            drawn, _ = apply_special(before, state.special, (), self.key_special)
            self._note(np.asarray(rows), before, drawn)

    def _note(self, rows: NDArray[np.int64], before: Values, drawn: Values) -> None:
        attention, state = self._attention, self._state
        finite = np.isfinite(before)
        self._received += np.where(finite, before, 0).sum(axis=(0, 1), dtype=np.float64)
        self._present += finite.sum(axis=(0, 1))
        sums = before.sum(axis=2, dtype=np.float64)
        sums = sums[np.isfinite(sums)]
        if sums.size:
            least, most = self.row_sums or (np.inf, -np.inf)
            self.row_sums = min(least, float(sums.min())), max(most, float(sums.max()))
        hidden = state.special != "show"
        asks = ~np.isin(rows, attention.queries.special) if hidden else np.ones(len(rows), bool)
        columns = on_image(roles_of(attention.keys))
        if self._side == "key":
            asks_there = asks & on_image(roles_of(attention.queries))[rows]
            everything = np.ones(len(columns), dtype=bool)
            self.largest = max(self.largest, _largest(drawn[:, asks_there], everything))
        else:
            self.largest = max(self.largest, _largest(drawn, columns))
        self.averaged += int(asks.sum())
        for index, part in enumerate((drawn, before)):
            known = ~np.isnan(part[:, asks])
            with np.errstate(invalid="ignore"):
                self._sums[index] += np.where(known, part[:, asks], 0).sum(axis=1, dtype=np.float64)
            self._counts[index] += known.sum(axis=1)
        pinned = list(state.pinned_keys)
        if self._side == "key":
            found = rows_of_focus(
                before, "each", "key", pinned, state.special,
                np.flatnonzero(~asks).tolist(), self.key_special,
            )  # fmt: skip
            for column, values in zip(self._columns, found, strict=True):
                column[:, rows] = values

    @property
    def received(self) -> Values:
        """What each key receives: its mean over the heads shown and the queries read."""
        if not self._present.any():
            return received_of(np.zeros((0, 0, len(self._present)), np.float32))
        with np.errstate(invalid="ignore"):
            return np.asarray(self._received / self._present, dtype=np.float32)

    def rows(self, focus: tuple[int, ...]) -> tuple[Values, Values]:
        """Return the weights of a focus, painted and as they were; see ``rows_of_focus``.

        Of keys those of the queries gone through, and 0 for the others.
        """
        state = self._state
        if self._side == "key":
            return self._columns[0], self._columns[1]
        if not focus or not state.heads:
            found = []
            for sums, counts in zip(self._sums, self._counts, strict=True):
                with np.errstate(invalid="ignore"):
                    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
                found.append(np.asarray(means, dtype=np.float32))
            return found[0], found[1]
        weights = np.concatenate([self._read(range(at, at + 1)) for at in focus], axis=1)
        everyone = range(len(focus))
        return rows_of_focus(
            weights, state.combine, "query", everyone, state.special, (), self.key_special
        )
