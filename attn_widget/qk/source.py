"""QKSource: a map that is computed from queries and keys where it is read."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import numpy as np

from ..mechanisms.steps import Steps, check_place
from ..overview import Overview
from ..sources import Shape, Weights, to_float32
from .arithmetic import FLOOR
from .inputs import (
    Vectors,
    arithmetic_for,
    check_fit,
    rules_for,
    sinks_for,
)
from .kept import Kept
from .overview import stream_overview
from .preview import preview
from .rules import Reach, cut
from .steps import steps_of
from .sweep import Floats, Head, stream_log_sum_exp

CACHE = 1 << 28
"""Bytes kept by default: log-sum-exps, and keys brought to the dtype that is computed in."""

_PART = 1 << 22

T = TypeVar("T")


class QKSource:
    """Softmax of q·k for the part that is read; the matrix is never held.

    Weights are ``softmax(softcap · tanh(scale · q·k / softcap) + bias)`` over the keys that
    ``causal``, ``window`` and ``mask`` leave, with zeros elsewhere; a row without keys is all
    zeros. A row with a NaN or +inf among its logits is NaN where it may attend.

    Small maps and float64 are computed in float64, everything else in float32, tensors on their
    device. What is read of a row takes the log-sum-exp of its logits over all keys, which is
    computed in blocks on first use and kept.

    Args:
        query: (L, H, Q, D), leading axes optional, or one (H, Q, D) array a layer.
        key: (L, Hkv, K, D) likewise, H % Hkv == 0; head h reads key head h // (H // Hkv).
        value: (L, Hkv, K, Dv) likewise; kept for methods that need it.
        scale: Factor of q·k; None is 1 / sqrt(D).
        causal: Whether query i attends to keys up to i + offset only. With offset 0 and Q != K
            the first query sees one key, as with ``is_causal`` of PyTorch.
        mask: Boolean, True where a query may attend; broadcasts to (L, H, Q, K).
        bias: Added to the logits after softcap; broadcasts to (L, H, Q, K). From −1e30 down it
            masks.
        window: With causal 0 <= i + offset − key < window, else abs(i + offset − key) < window.
        softcap: Largest absolute logit before bias.
        sinks: One logit a head, (H,) or (L, H); its share leaves the row.
        offset: Position of the first query among the keys: K − Q where keys are cached.
        outputs: Output matrices, one (H, Dv, D) a layer, applied from the right.
        cache_bytes: Bytes to keep.

    Attributes:
        value: The values, or None.
        head_dim: D, the size of a query.
        kv_heads: Hkv, heads with keys of their own.

    Raises:
        TypeError: If something is of a wrong type.
        ValueError: If shapes do not fit or numbers are out of range.
    """

    def __init__(
        self,
        query: object,
        key: object,
        *,
        value: object = None,
        scale: float | None = None,
        causal: bool = False,
        mask: object = None,
        bias: object = None,
        window: int | None = None,
        softcap: float | None = None,
        sinks: object = None,
        offset: int = 0,
        outputs: Sequence[Any] | None = None,
        cache_bytes: int = CACHE,
    ) -> None:
        self._query, self._key = Vectors(query, "query", "Q"), Vectors(key, "key", "K")
        self.value = None if value is None else Vectors(value, "value", "K")
        check_fit(self._query, self._key, self.value)
        layers, heads, queries, depth = self._query.shape
        self.head_dim, self.kv_heads = depth, self._key.shape[1]
        self.shape: Shape = (layers, heads, queries, self._key.shape[2])
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._rules = rules_for(
            self.shape,
            depth,
            scale=scale,
            causal=causal,
            mask=mask,
            bias=bias,
            window=window,
            softcap=softcap,
            offset=offset,
        )
        self._sinks = sinks_for(sinks, layers, heads)
        self._arithmetic = arithmetic_for(self._query, self._key)
        self._outputs = outputs
        self._kept = Kept(cache_bytes)

    @property
    def reach(self) -> Reach:
        """Which keys a query may attend to by its position alone, and where the first stands."""
        return self._rules.reach

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Compute a block of one layer; see `Source.read`."""
        heads = range(head.start, head.stop)
        size = (len(heads), query.stop - query.start, key.stop - key.start)
        weights = np.zeros(size, dtype=np.float32)
        if weights.size:
            for place, index in enumerate(heads):
                self._read(self._head(layer, index), query, key, weights[place])
        return weights

    def read_every(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Compute every n-th query of one layer; see `overview.SupportsSteps.read_every`."""
        heads = range(head.start, head.stop)
        rows = range(query.start, query.stop, query.step)
        weights = np.zeros((len(heads), len(rows), key.stop - key.start), dtype=np.float32)
        most = max(1, _PART // max(1, self.shape[3]))
        for place, index in enumerate(heads):
            one = self._head(layer, index)
            for first in range(0, len(rows), most):
                part = rows[first : first + most]
                every = slice(part.start, part[-1] + 1, part.step)
                out = weights[place, first : first + len(part)]
                _weights(one, every, key, _log_sum_exp_at_once(one, every), out)
        return weights

    def log_sum_exp(
        self, layer: int, head: int, query: slice | None = None
    ) -> Generator[float, None, Floats]:
        """The log-sum-exp of the logits of each query, sinks included.

        Args:
            layer: The layer.
            head: The head.
            query: Queries, as a slice of step 1 within bounds; None is all.

        Yields:
            The share that is done, 0 … 1, about every 20 ms.

        Returns:
            One number a query; −inf where all keys are masked.
        """
        wanted = slice(0, self.shape[2]) if query is None else query
        known = self._kept.get(("log_sum_exp", layer, head))
        if known is None:
            # Room is made for all rows, none of which is known.
            known = np.zeros(self.shape[2]), np.zeros(self.shape[2], dtype=np.bool_)
        found, there = known
        missing = np.flatnonzero(~there[wanted]) + wanted.start
        if len(missing):
            span = slice(int(missing[0]), int(missing[-1]) + 1)
            found[span] = yield from stream_log_sum_exp(self._head(layer, head), span)
            there[span] = True
            self._kept.put(("log_sum_exp", layer, head), known, found.nbytes + there.nbytes)
        part: Floats = found[wanted]
        return part

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        """One head pooled to a grid, in one pass over all weights.

        Args:
            layer: The layer.
            head: The head.
            rows: Rows of the grid, at most as many as queries.
            cols: Columns of the grid, at most as many as keys.

        Yields:
            The share that is done, 0 … 1, about every 20 ms.

        Returns:
            Max, mean, column totals and row entropy. Queries without value (NaN) count nowhere.

        Raises:
            ValueError: If the grid has no cells or is larger than the map.
        """
        self._check_bins(rows, cols, self.shape[2], self.shape[3])
        found, log_sum_exp = yield from stream_overview(
            self._head(layer, head), (self.shape[2], self.shape[3]), (rows, cols)
        )
        there = np.ones(len(log_sum_exp), dtype=np.bool_)
        size = log_sum_exp.nbytes + there.nbytes
        self._kept.put(("log_sum_exp", layer, head), (log_sum_exp, there), size)
        return found

    def preview(
        self, layer: int, head: int, query: slice, key: slice, rows: int, cols: int
    ) -> tuple[Weights, str]:
        """Roughly the mean weight of each cell of a grid, from averages of queries and keys.

        Args:
            layer: The layer.
            head: The head.
            query: Queries, as a slice of step 1 within bounds.
            key: Keys likewise.
            rows: Rows of the grid, at most as many as queries.
            cols: Columns of the grid, at most as many as keys.

        Returns:
            (rows, cols), and how it was made, in words.

        Raises:
            ValueError: If the grid has no cells or is larger than the part.
        """
        self._check_bins(rows, cols, query.stop - query.start, key.stop - key.start)
        return preview(self._head(layer, head), self.shape[3], query, key, rows, cols)

    def steps(self, layer: int, head: int, query: int, keys: Sequence[int]) -> Steps:
        """One query, step by step, in float64; see `SupportsMechanism.steps`.

        Takes a pass over the keys and one over the values, some at a time.

        Raises:
            IndexError: If an index is out of range.
        """
        places = check_place(self.shape, layer, head, query, keys)
        sink = None if self._sinks is None else float(self._sinks[layer, head])
        place = (layer, head, query)
        return steps_of(self._query, self._key, self.value, self._rules, sink, place, places)

    def values(self, layer: int, head: int, key: slice) -> Weights | None:
        """The values that a head reads, (keys, Dv); None where none were given."""
        if self.value is None:
            return None
        group = head // (self.shape[1] // self.value.shape[1])
        return to_float32(self.value.part(layer, group, key))

    def output(self, layer: int, head: int) -> object | None:
        """A head's part of the output matrix, (Dv, D); None where it was not given."""
        return None if self._outputs is None else self._outputs[layer][head]

    def _read(self, head: Head, query: slice, key: slice, out: Weights) -> None:
        norms = finish(self.log_sum_exp(head.layer, head.head, query))
        most = max(1, _PART // max(1, key.stop - key.start))
        for rows in cut(query, most):
            place = slice(rows.start - query.start, rows.stop - query.start)
            span = head.rules.reach.span(rows)
            keys = slice(max(span.start, key.start), min(span.stop, key.stop))
            if keys.start < keys.stop:
                found = out[place, keys.start - key.start : keys.stop - key.start]
                _weights(head, rows, keys, norms[place], found)

    def _head(self, layer: int, head: int) -> Head:
        """One head with its keys, all of them, in the dtype that is computed in."""
        group = head // (self.shape[1] // self._key.shape[1])
        keys = self._kept.get(("keys", layer, group))
        if keys is None:
            part = self._key.part(layer, group, slice(0, self.shape[3]))
            keys = self._arithmetic.bring(part)
            beside = self._arithmetic.size(keys, part)
            if beside:
                self._kept.put(("keys", layer, group), keys, beside)

        def read(query: slice) -> Any:
            brought = self._arithmetic.bring(self._query.part(layer, head, query))
            return brought * self._rules.scale

        sink = None if self._sinks is None else float(self._sinks[layer, head])
        return Head(self._arithmetic, self._rules, layer, head, keys, read, sink)

    @staticmethod
    def _check_bins(rows: int, cols: int, queries: int, keys: int) -> None:
        if not (1 <= rows <= queries and 1 <= cols <= keys):
            raise ValueError(
                f"a grid of {queries} queries × {keys} keys must have 1 … {queries} rows and "
                f"1 … {keys} columns; got {rows} × {cols}"
            )


def finish(steps: Generator[float, None, T]) -> T:
    """Run a generator to its end; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


def _log_sum_exp_at_once(head: Head, query: slice) -> Floats:
    """The log-sum-exp of a few queries, all keys in one block."""
    keys = slice(0, len(head.keys))
    with np.errstate(all="ignore"):
        logits = head.arithmetic.host(head.logits(query, keys)).astype(np.float64)
        peak = logits.max(axis=1, initial=FLOOR)
        masked = peak <= FLOOR
        found: Floats = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
        found[masked] = -np.inf
        return found if head.sink is None else np.logaddexp(found, head.sink)


def _weights(head: Head, query: slice, key: slice, norms: Floats, out: Weights) -> None:
    """Write exp(logit − log-sum-exp) of a block."""
    arithmetic = head.arithmetic
    with np.errstate(all="ignore"):
        block = head.logits(query, key)
        missing = np.flatnonzero(np.isnan(norms))
        masked = arithmetic.host(block)[missing] <= FLOOR if len(missing) else None
        # What a log-sum-exp loses in the dtype of the block comes back as a factor.
        near = arithmetic.bring(np.where(np.isneginf(norms), 0.0, norms))
        block -= near[:, None]
        arithmetic.exp(block, block)
        block *= arithmetic.bring(np.exp(arithmetic.host(near).astype(np.float64) - norms))[:, None]
        out[...] = arithmetic.host(block)
        if masked is not None:
            out[missing] = np.where(masked, np.float32(0), np.float32(np.nan))
    out[np.isneginf(norms)] = 0
