"""Which positions a map links, and whether those are the links that people drew.

Links are pairs ``(query, key)``: in translation a word written and a word read. The scores also
take triples ``(sentence, query, key)``, so that links of many sentences are scored as one set.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis
from ..maps import as_attention

Link: TypeAlias = tuple[int, int]
Method: TypeAlias = Literal["argmax", "threshold"]
Direction: TypeAlias = Literal["attends_to", "attended_by", "intersection", "union", "grow_diag"]
Drop: TypeAlias = Literal["special"] | Iterable[int]

METHODS: Final = ("argmax", "threshold")
DIRECTIONS: Final = ("attends_to", "attended_by", "intersection", "union", "grow_diag")

_NEIGHBOURS: Final = (
    *((-1, 0), (0, -1), (1, 0), (0, 1)),
    *((-1, -1), (-1, 1), (1, -1), (1, 1)),
)


def extract_alignment(
    att: Attention | Any,
    layer: int = 0,
    head: int | None = 0,
    method: Method = "argmax",
    *,
    threshold: float | None = None,
    direction: Direction = "attends_to",
    drop_queries: Drop = "special",
    drop_keys: Drop = "special",
    shift: int = 0,
) -> set[Link]:
    """Return the links that one head draws.

    Source: Kobayashi et al. 2020, section 5; both directions and their symmetrisation Och and Ney
    2003 and Koehn et al. 2003 (grow-diag).

    Args:
        att: a map, or an array that can become one.
        layer: whose weights.
        head: whose weights; the mean over heads if None.
        method: ``"argmax"`` links each position to the one it has most weight with, the first of
            equals; ``"threshold"`` to all that hold more than a share of its weight.
        threshold: that share, 0..1, of what is left after dropping.
        direction: ``"attends_to"`` links each query to its keys, ``"attended_by"`` each key to its
            queries. Of both, ``"intersection"`` keeps what both say, ``"union"`` what either says,
            and ``"grow_diag"`` the intersection and what neighbours it in the union where its
            query or its key has no link yet.
        drop_queries: queries that link nothing: positions, or ``"special"``, such as the end sign.
        drop_keys: keys that nothing links to, whatever their weight; likewise.
        shift: how many rows further down the weights of a query are. Queries of a decoder can be
            labelled by what is written in their row (0), or by what is read there: then the row
            in which a word is read, one after that in which it is written, may align it better (1).
            Queries whose row is missing link nothing.

    Returns:
        Pairs (query, key), as the ``links`` trait of a widget takes them.

    Raises:
        IndexError: if there is no such layer, head or position.
        ValueError: if an option is none of those, or a threshold is missing or not asked for.
    """
    _check(method, threshold, direction)
    attention = as_attention(att)
    block = attention[layer] if head is None else attention[layer, head][None]
    finite = np.isfinite(block)
    counts = np.maximum(finite.sum(axis=0), 1)
    weights = np.abs(np.where(finite, block, 0)).sum(axis=0, dtype=np.float64) / counts
    weights = _shifted(weights, shift)
    weights[_dropped(drop_queries, attention.queries, "drop_queries")] = 0
    weights[:, _dropped(drop_keys, attention.keys, "drop_keys")] = 0
    least = None if threshold is None else float(threshold)
    if direction == "attends_to":
        return _links(_linked(weights, least))
    backward = _linked(weights.T, least).T
    if direction == "attended_by":
        return _links(backward)
    forward = _linked(weights, least)
    if direction == "grow_diag":
        return _grown(forward & backward, forward | backward)
    return _links(forward & backward if direction == "intersection" else forward | backward)


def alignment_precision(
    links: Iterable[Any], sure: Iterable[Any], possible: Iterable[Any] | None = None
) -> float:
    """Return how many of the links are at least possible: ``|A and P| / |A|``.

    Source: Och and Ney 2003, equation 22.

    Args:
        links: the links found, ``A``.
        sure: those that must be found.
        possible: those that may be; ``P`` is these and the sure ones.

    Returns:
        0..1, or NaN where there are no links.

    Raises:
        ValueError: if links are not tuples of ints.
    """
    found, _, allowed = _sets(links, sure, possible)
    return len(found & allowed) / len(found) if found else float("nan")


def alignment_recall(
    links: Iterable[Any], sure: Iterable[Any], possible: Iterable[Any] | None = None
) -> float:
    """Return how many of the sure links were found: ``|A and S| / |S|``.

    Source: Och and Ney 2003, equation 22.

    Args:
        links: the links found, ``A``.
        sure: those that must be found, ``S``.
        possible: not needed; taken so that all scores are called alike.

    Returns:
        0..1, or NaN where no link is sure.

    Raises:
        ValueError: if links are not tuples of ints.
    """
    found, wanted, _ = _sets(links, sure, possible)
    return len(found & wanted) / len(wanted) if wanted else float("nan")


def alignment_f1(
    links: Iterable[Any], sure: Iterable[Any], possible: Iterable[Any] | None = None
) -> float:
    """Return the harmonic mean of precision and recall.

    Args:
        links: the links found.
        sure: those that must be found.
        possible: those that may be.

    Returns:
        0..1, or NaN where either is not known.

    Raises:
        ValueError: if links are not tuples of ints.
    """
    links, sure = list(links), list(sure)
    precision = alignment_precision(links, sure, possible)
    recall = alignment_recall(links, sure)
    total = precision + recall
    return 2 * precision * recall / total if total else total


def alignment_error_rate(
    links: Iterable[Any], sure: Iterable[Any], possible: Iterable[Any] | None = None
) -> float:
    """Return the alignment error rate: ``1 - (|A and S| + |A and P|) / (|A| + |S|)``.

    Source: Och and Ney 2003, equation 23.

    Args:
        links: the links found, ``A``.
        sure: those that must be found, ``S``.
        possible: those that may be; ``P`` is these and the sure ones.

    Returns:
        0 (all sure links and only possible ones) .. 1, or NaN where there are none on either side.

    Raises:
        ValueError: if links are not tuples of ints.
    """
    found, wanted, allowed = _sets(links, sure, possible)
    total = len(found) + len(wanted)
    if not total:
        return float("nan")
    return 1 - (len(found & wanted) + len(found & allowed)) / total


def _check(method: str, threshold: float | None, direction: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}; got {direction!r}")
    if method == "argmax" and threshold is not None:
        raise ValueError('a threshold goes with method="threshold"; got method="argmax"')
    if method == "threshold" and not (threshold is not None and 0 <= threshold <= 1):
        raise ValueError(
            f'method="threshold" needs threshold, a share of 0 to 1; got {threshold!r}'
        )


def _shifted(weights: NDArray[np.float64], shift: int) -> NDArray[np.float64]:
    rows = np.arange(len(weights)) + shift
    there = (rows >= 0) & (rows < len(weights))
    moved = np.zeros_like(weights)
    moved[there] = weights[rows[there]]
    return moved


def _dropped(drop: Drop, axis: Axis, name: str) -> list[int]:
    if isinstance(drop, str):
        if drop != "special":
            raise ValueError(f'{name} must be positions or "special"; got {drop!r}')
        return list(axis.special)
    positions = [operator.index(position) for position in drop]
    for position in positions:
        if not -len(axis) <= position < len(axis):
            raise IndexError(f"{name}: {position} is out of range for {len(axis)} positions")
    return positions


def _linked(weights: NDArray[np.float64], least: float | None) -> NDArray[np.bool_]:
    """Return which positions of a row are linked to it, for each row that has weight."""
    totals = weights.sum(axis=1, keepdims=True)
    if least is not None:
        return np.asarray((weights > least * totals) & (totals > 0))
    linked = np.zeros(weights.shape, dtype=bool)
    full = np.flatnonzero(totals[:, 0] > 0)
    if len(full):
        linked[full, weights[full].argmax(axis=1)] = True
    return linked


def _links(linked: NDArray[np.bool_]) -> set[Link]:
    return {(int(query), int(key)) for query, key in np.argwhere(linked)}


def _grown(links: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> set[Link]:
    """Return links and what can be reached from them through neighbours that are allowed."""
    found, may = _links(links), _links(allowed)
    waiting = sorted(found)
    queries, keys = {query for query, _ in found}, {key for _, key in found}
    while waiting:
        added = []
        for query, key in waiting:
            for down, right in _NEIGHBOURS:
                near = query + down, key + right
                free = near[0] not in queries or near[1] not in keys
                if near in may and near not in found and free:
                    found.add(near)
                    queries.add(near[0])
                    keys.add(near[1])
                    added.append(near)
        waiting = added
    return found


def _sets(
    links: Iterable[Any], sure: Iterable[Any], possible: Iterable[Any] | None
) -> tuple[set[tuple[int, ...]], set[tuple[int, ...]], set[tuple[int, ...]]]:
    wanted = _pairs(sure, "sure")
    allowed = wanted if possible is None else wanted | _pairs(possible, "possible")
    return _pairs(links, "links"), wanted, allowed


def _pairs(links: Iterable[Any], name: str) -> set[tuple[int, ...]]:
    pairs = set()
    for link in links:
        try:
            pair = tuple(operator.index(position) for position in link)
        except TypeError:
            pair = ()
        if len(pair) not in (2, 3):
            raise ValueError(f"{name} must be pairs (query, key) of ints; got {link!r}")
        pairs.add(pair)
    return pairs
