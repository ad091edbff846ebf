"""What some heads of a layer come to, from blocks of their rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..qk.rules import Reach
from ..thresholds import SINK_SCORE
from .patterns import Ids, add_slashes, duplicates, following, shares_of
from .places import Centres, Places
from .statistics import Array, Numbers, entropy_of, entropy_sums, magnitude_of, mean_of

ENOUGH: Final = 0.5
"""Keys that fewer queries may see than this share of those that see the best seen key are no sinks:
few can tell."""

_OF_ROWS: Final = ("sums", "totals", "entropies", "largest", "distances")
"""Numbers of each row read."""


class HeadSums:
    """Sums over rows that are read block by block.

    Args:
        heads: how many heads the blocks have.
        keys: how many keys.
        places: where the positions of the map stand.
        signed: whether ``-inf`` stands for a masked score, as before softmax.
    """

    def __init__(self, heads: int, keys: int, places: Places, signed: bool = False) -> None:
        self._places = places
        self._signed = signed
        self._zero = int(places.positions.max(initial=0))
        self._columns = np.zeros((heads, keys))
        self._slashes = np.zeros((heads, keys + self._zero + 1))
        self._copies = np.zeros(heads)
        self._followers = np.zeros(heads)
        self._bad = np.zeros(heads, dtype=np.int64)
        self._positions: list[Ids] = []
        self._rows: dict[str, list[Numbers]] = {name: [] for name in _OF_ROWS}

    def add(self, rows: NDArray[np.intp], block: Array) -> None:
        """Take in the weights of some queries, (heads, rows, keys)."""
        finite = np.isfinite(block)
        masked = np.isneginf(block) if self._signed else np.zeros((), dtype=bool)
        self._bad += (~finite & ~masked).sum(axis=(1, 2))
        magnitude = magnitude_of(block)
        totals, terms = entropy_sums(magnitude)
        positions = self._places.positions[rows]
        self._positions.append(positions)
        of_rows = (
            np.where(finite, block, 0).sum(axis=-1, dtype=np.float64),
            totals,
            entropy_of(totals, terms),
            magnitude.max(axis=-1, initial=0).astype(np.float64),
            self._distances(rows, positions, magnitude, totals),
        )
        for name, values in zip(_OF_ROWS, of_rows, strict=True):
            self._rows[name].append(values)
        self._columns += magnitude.sum(axis=1, dtype=np.float64)
        among = positions >= 0
        add_slashes(self._slashes, magnitude[:, among], positions[among], self._zero)
        if self._places.tokens is not None:
            asked, held = self._places.tokens
            copies = duplicates(asked[rows], positions, held)
            for sums, pattern in ((self._copies, copies), (self._followers, following(copies))):
                if pattern.any():
                    row, key = np.nonzero(pattern)
                    sums += magnitude[:, row, key].sum(axis=-1, dtype=np.float64)

    @property
    def received(self) -> Numbers:
        """(K,) the weight each key received, summed over heads and averaged over the rows."""
        read = sum(map(len, self._positions))
        return np.asarray(self._columns.sum(axis=0) / max(1, read))

    def numbers(self, causal: bool | None) -> tuple[dict[str, NDArray[Any]], list[tuple[int, ...]]]:
        """Return each statistic, (heads,), and the sinks of each head.

        Args:
            causal: whether no query may attend to a later key; None finds out.
        """
        columns, slashes = self._columns, self._slashes
        heads, keys = columns.shape
        joined = {
            name: np.concatenate([np.zeros((heads, 0)), *parts], axis=1)
            for name, parts in self._rows.items()
        }
        total = columns.sum(axis=1)
        first, stop = self._bounds(causal)
        allowed = self._allowed(first, stop)
        most = np.where(allowed > 1, np.log(np.maximum(allowed, 2)), np.nan)
        full = joined["totals"] > 0
        sums = np.where(full, joined["sums"], np.nan)
        received, sinks = self._received(first, stop)
        best = received.argmax(axis=1) if keys else np.zeros(heads, dtype=np.intp)
        steepest = slashes.argmax(axis=1)
        known = self._places.tokens is not None
        share = {
            name: shares_of(columns[:, which].sum(axis=1), total)
            for name, which in (
                ("special_share", self._places.special),
                ("image_share", self._places.image),
                ("padding_share", self._places.padding),
            )
        }
        numbers: dict[str, NDArray[Any]] = {
            "entropy": mean_of(joined["entropies"]),
            "relative_entropy": mean_of(joined["entropies"] / most),
            "confidence": mean_of(joined["largest"]),
            "sink_score": np.where(total > 0, received.max(axis=1, initial=0), np.nan),
            "sink_position": np.where(total > 0, best, -1),
            "mean_distance": mean_of(joined["distances"]),
            "previous_token": self._slash(-1, total),
            "next_token": self._slash(1, total),
            "diagonal": self._slash(0, total),
            "duplicate": shares_of(self._copies, total) if known else np.full(heads, np.nan),
            "induction": shares_of(self._followers, total) if known else np.full(heads, np.nan),
            "vertical": shares_of(columns.max(axis=1, initial=0), total),
            "slash": shares_of(slashes.max(axis=1, initial=0), total),
            "slash_offset": np.where(total > 0, steepest - self._zero, 0),
            **share,
            "row_sum": mean_of(sums),
            "row_sum_least": _edge(np.fmin, sums),
            "row_sum_most": _edge(np.fmax, sums),
            "empty_rows": (~full).mean(axis=1) if full.size else np.full(heads, np.nan),
            "not_finite": self._bad,
        }
        return numbers, sinks

    def _distances(
        self, rows: NDArray[np.intp], positions: Ids, magnitude: Array, totals: Numbers
    ) -> Numbers:
        """Return how far each row's weight lies from its query, (heads, rows)."""
        centres = self._places.centres
        if centres is None:
            away = np.abs(positions[:, None] - np.arange(magnitude.shape[-1]))
            near = np.einsum("hqk,qk->hq", magnitude, away.astype(magnitude.dtype))
            return np.where(positions >= 0, shares_of(near, totals), np.nan)
        away, together = _apart(centres, rows)
        near = np.einsum("hqk,qk->hq", magnitude, away.astype(magnitude.dtype))
        counted = np.einsum("hqk,qk->hq", magnitude, together.astype(magnitude.dtype))
        return shares_of(near, counted)

    def _bounds(self, causal: bool | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return for each row the first key it may attend to, and the one after the last."""
        keys = self._columns.shape[1]
        positions = np.concatenate([np.zeros(0, dtype=np.int64), *self._positions])
        reach = self._places.reach
        if causal is None and reach is not None:
            return reach.bounds(positions - reach.offset)
        if causal is None:
            later = self._slashes[:, self._zero + 1 :].any()
            causal = bool(len(positions) and positions.min() >= 0 and not later)
        return Reach(keys, causal).bounds(positions)

    def _allowed(self, first: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return how many keys each row may attend to; special ones without weight are masked."""
        masked = np.zeros(self._columns.shape[1] + 1, dtype=np.intp)
        special = self._places.special
        masked[special + 1] = ~self._columns[:, special].any(axis=0)
        before = np.cumsum(masked)
        return np.asarray(stop - first - (before[stop] - before[first]))

    def _received(
        self, first: NDArray[np.intp], stop: NDArray[np.intp]
    ) -> tuple[Numbers, list[tuple[int, ...]]]:
        """Return the mean weight of keys over the rows that may see them, and who are sinks."""
        keys = self._columns.shape[1]
        seeing = np.cumsum(
            np.bincount(first, minlength=keys + 1) - np.bincount(stop, minlength=keys + 1)
        )[:keys]
        enough = (seeing >= ENOUGH * seeing.max(initial=0)) & (seeing > 0)
        received = np.where(enough, self._columns / np.maximum(seeing, 1), 0)
        return received, [tuple(np.flatnonzero(head > SINK_SCORE).tolist()) for head in received]

    def _slash(self, offset: int, total: Numbers) -> Numbers:
        at = self._zero + offset
        on = self._slashes[:, at] if 0 <= at < self._slashes.shape[1] else np.zeros(len(total))
        return shares_of(on, total)


def _apart(
    centres: tuple[Centres, Centres], rows: NDArray[np.intp]
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the distances of queries and keys, and which of them lie on one picture."""
    asked, held = centres
    together = (asked.pictures[rows, None] == held.pictures) & (asked.pictures[rows, None] >= 0)
    steps = asked.points[rows, None] - held.points
    return np.where(together, np.hypot(steps[..., 0], steps[..., 1]), 0), together


def _edge(pick: np.ufunc, rows: Numbers) -> Numbers:
    """Return the least or the largest of each head's rows, NaN where none is known."""
    edge = np.full((len(rows), 1), np.nan)
    return np.asarray(pick.reduce(np.concatenate([edge, rows], axis=1), axis=1))
