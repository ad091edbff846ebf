"""A head at once and roughly: averages of queries against averages of keys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sources import Weights
from .arithmetic import FLOOR, Block
from .rules import Reach, Table, edges_of
from .sweep import Head

_OUTSIDE = 256
_SAMPLES = 8

Places = NDArray[np.intp]


def preview(
    head: Head, keys: int, query: slice, key: slice, rows: int, cols: int
) -> tuple[Weights, str]:
    """Softmax of averaged queries against averaged keys, over all keys.

    Args:
        head: The head.
        keys: Number of all keys.
        query: Queries shown.
        key: Keys shown.
        rows: Bins of the queries.
        cols: Bins of the keys shown; those before and after fall in up to 256 bins each.

    Returns:
        (rows, cols), and how it was made.
    """
    row_edges = _edges(query, rows)
    before = _edges(slice(0, key.start), min(_OUTSIDE, key.start))[:-1]
    after = _edges(slice(key.stop, keys), min(_OUTSIDE, keys - key.stop))[1:]
    key_edges = np.concatenate([before, _edges(key, cols), after])
    arithmetic, rules = head.arithmetic, head.rules
    middles = _middles(row_edges), _middles(key_edges)
    with np.errstate(all="ignore"):
        logits: Block = arithmetic.bring(_averaged(head, row_edges, key_edges))
        if rules.softcap is not None:
            arithmetic.softcap_(logits, rules.softcap)
        scores = np.asarray(arithmetic.host(logits))
        counts = np.diff(key_edges).astype(scores.dtype)
        share = _reached(rules.reach, row_edges, key_edges)
        if rules.bias is not None:
            scores = scores + _sampled(head, rules.bias, *middles)
        if rules.mask is not None:
            allowed = _sampled(head, rules.mask, *middles)
            share = allowed.astype(np.float32) if share is None else share * allowed
        if share is not None:
            scores[np.broadcast_to(share <= 0, scores.shape)] = -np.inf
        scores[scores <= FLOOR] = -np.inf
        peak = scores.max(axis=1, keepdims=True)
        if head.sink is not None:
            peak = np.maximum(peak, peak.dtype.type(head.sink))
        peak[np.isneginf(peak)] = 0
        scores -= peak
        mean = np.exp(scores, out=scores)
        # Each pair in reach has the weight of its cell's averages; the mean is over all pairs.
        if share is not None:
            mean *= share
        total = mean @ counts[:, None]
        if head.sink is not None:
            total += np.exp(head.sink - peak)
        total[total == 0] = 1
        shown = mean[:, len(before) : len(before) + cols] / total
    return shown.astype(np.float32, copy=False), _how(head, row_edges, key_edges)


def _averaged(head: Head, row_edges: Places, key_edges: Places) -> Any:
    arithmetic = head.arithmetic
    start, stop = int(row_edges[0]), int(row_edges[-1])
    queries = head.read(slice(start, stop))
    parts = []
    for block, edges in ((queries, row_edges - start), (head.keys, key_edges)):
        sums = arithmetic.sums(block, edges.tolist())
        parts.append(arithmetic.bring(sums / np.diff(edges)[:, None]))
    return arithmetic.product(parts[0], parts[1])


def _edges(span: slice, bins: int) -> Places:
    if bins < 1:
        return np.array([span.start], dtype=np.intp)
    edges = edges_of(span.stop - span.start, bins)
    return np.array([span.start + edge for edge in edges], dtype=np.intp)


def _middles(edges: Places) -> Places:
    middles: Places = (edges[:-1] + edges[1:] - 1) // 2
    return middles


def _reached(reach: Reach, row_edges: Places, key_edges: Places) -> NDArray[np.float32] | None:
    """Roughly the share of pairs in reach in each cell, from a few queries a row; None if all."""
    ends = np.array([row_edges[0], row_edges[-1] - 1], dtype=np.intp)
    first, stop = reach.bounds(ends)
    if first.max() <= key_edges[0] and stop.min() >= key_edges[-1]:
        return None
    widths = np.diff(row_edges)
    samples = min(_SAMPLES, int(widths.max()))
    found = np.zeros((len(widths), len(key_edges) - 1), dtype=np.float32)
    for number in range(samples):
        first, stop = reach.bounds(row_edges[:-1] + (2 * number + 1) * widths // (2 * samples))
        # Keys below each edge and in reach; what two edges differ by lies between them.
        below = np.clip(key_edges.astype(np.float32), first[:, None], stop[:, None])
        found += np.diff(below, axis=1)
    found /= np.diff(key_edges) * np.float32(samples)
    return found


def _sampled(head: Head, table: Table, rows: Places, keys: Places) -> NDArray[Any]:
    """What a table says at the middle of each cell, (rows or 1, keys or 1)."""
    arithmetic = head.arithmetic
    bring = arithmetic.bring if table is head.rules.bias else arithmetic.bring_mask
    shape = (1, *table.shape)[-2:]
    found = []
    for row in rows.tolist() if shape[0] > 1 else [0]:
        key = slice(0, int(keys[-1]) + 1)
        part = table.part(head.layer, head.head, slice(row, row + 1), key)
        whole = arithmetic.host(bring(part)).reshape(-1)
        found.append(whole[keys] if shape[1] > 1 else whole)
    return np.stack(found)


def _how(head: Head, row_edges: Places, key_edges: Places) -> str:
    width, height = int(np.diff(key_edges).max()), int(np.diff(row_edges).max())
    words = (
        "approximate: softmax of averaged queries against averaged keys "
        f"(up to {height} queries × {width} keys a cell); single strong weights don't show"
    )
    if head.rules.bias is not None or head.rules.mask is not None:
        words += "; bias and mask as in the middle of each cell"
    return words
