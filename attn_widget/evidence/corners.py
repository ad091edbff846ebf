"""All weights that leave a linear readout as it is: the corners of that set, and the farthest one.

``{b >= 0 : M b = M a}`` is a convex polytope. What is convex in ``b``, such as the Jensen-Shannon
divergence from ``a``, is largest in one of its corners, and a corner has at most ``rank M`` weights
that are not 0.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .divergence import Numbers, jsd

MOST_CORNERS: Final = 150_000
"""Up to so many candidates all are tried, and the answer is the farthest there is."""
WALKS: Final = 16
"""Beyond, how many walks from the weights to a corner are tried."""
_TOLERANCE: Final = 1e-9


def constraints(readout: Numbers) -> Numbers:
    """Return what must stay: the sum of the weights and the readout, as independent rows.

    Args:
        readout: (K,) or (K, D), what each key adds.

    Returns:
        (rank, K), orthonormal rows.
    """
    stacked = np.column_stack([np.ones(len(readout)), readout])
    scale = np.abs(stacked).max(axis=0)
    _, sizes, rows = np.linalg.svd((stacked / np.where(scale > 0, scale, 1)).T, full_matrices=False)
    rank = int((sizes > _TOLERANCE * max(float(sizes[0]), 1e-300) * len(readout)).sum())
    return np.asarray(rows[:rank])


def farthest(
    weights: Numbers,
    readout: Numbers,
    start: Numbers | None = None,
    *,
    seed: int = 0,
    walks: int = WALKS,
) -> tuple[Numbers, bool]:
    """Return the weights of the same sum and the same readout that are farthest from some weights.

    Args:
        weights: (K,), 0 or more.
        readout: (K,) or (K, D).
        start: (K,), the weights whose sum and readout are kept; ``weights`` if None.
        seed: of the walks, where there are too many corners to try all.
        walks: how many there are then.

    Returns:
        (K,), and whether no others are farther. The start itself where the readout determines it.
    """
    through = weights if start is None else start
    fixed = constraints(readout)
    rank, count = fixed.shape
    if count <= rank:
        return through.copy(), True
    if math.comb(count, rank) <= MOST_CORNERS:
        return _farthest_corner(weights, through, fixed), True
    candidates = np.concatenate(
        [through[None], _some_corners(weights, through, fixed, seed, walks)]
    )
    distances = jsd(candidates, np.broadcast_to(weights, candidates.shape))
    return candidates[int(np.argmax(np.nan_to_num(distances)))], False


def _farthest_corner(weights: Numbers, start: Numbers, fixed: Numbers) -> Numbers:
    held = fixed @ start
    supports = _supports(len(weights), len(fixed))
    squares = fixed[:, supports].transpose(1, 0, 2)
    regular = np.abs(np.linalg.det(squares)) > 1e-13
    supports, squares = supports[regular], squares[regular]
    wanted = np.broadcast_to(held[:, None], (len(squares), len(held), 1))
    solved = np.linalg.solve(squares, wanted)[..., 0]
    missed = np.abs(np.einsum("nij,nj->ni", squares, solved) - held).max(axis=1, initial=0.0)
    feasible = (solved >= -1e-12).all(axis=1) & (missed <= 1e-10 * max(1.0, np.abs(held).max()))
    supports, solved = supports[feasible], np.maximum(solved[feasible], 0.0)
    distances = _distances(weights, supports, solved)
    best = start.copy()
    if len(distances) and distances.max() > np.nan_to_num(jsd(start, weights)):
        corner = int(distances.argmax())
        best[:] = 0.0
        best[supports[corner]] = solved[corner]
    return best


def _distances(weights: Numbers, supports: NDArray[np.intp], values: Numbers) -> Numbers:
    """Return the JSD of weights from others that are 0 but on a few keys: of few numbers each."""
    total = max(float(weights.sum()), 1e-300)
    p, q = weights[supports] / total, values / total
    mean = np.where(p + q > 0, (p + q) / 2, 1.0)
    inside = (_times_log(p, p / mean) + _times_log(q, q / mean)).sum(axis=1) / 2
    return np.asarray(inside + (1 - p.sum(axis=1)) * math.log(2) / 2)


def _times_log(factor: Numbers, ratio: Numbers) -> Numbers:
    return np.asarray(factor * np.log(np.where(ratio > 0, ratio, 1.0)))


@lru_cache(maxsize=4)
def _supports(count: int, rank: int) -> NDArray[np.intp]:
    return np.array(list(combinations(range(count), rank)), dtype=np.intp)


def _some_corners(
    weights: Numbers, start: Numbers, fixed: Numbers, seed: int, walks: int
) -> Numbers:
    random = np.random.default_rng(seed)
    ways = [-weights, *random.normal(size=(walks - 1, len(weights)))]
    return np.stack([_walk(weights, start, fixed, way, random) for way in ways])


def _walk(
    weights: Numbers, start: Numbers, fixed: Numbers, way: Numbers, random: np.random.Generator
) -> Numbers:
    """Return a corner: go along the null space until a weight is 0, and on without that weight."""
    at = start.copy()
    free = np.ones(len(at), dtype=bool)
    first = True
    while True:
        direction = _projected(fixed, free, way, random)
        if direction is None:
            return at
        ends = [_end(at, sign * direction) for sign in (1.0, -1.0)]
        # The way given at first, since from the weights themselves all lead farther; then the
        # farther end.
        chosen = 0 if first else int(np.argmax([float(jsd(end[0], weights)) for end in ends]))
        at, gone = ends[chosen]
        first = first and np.array_equal(at, start)
        free[gone] = False


def _projected(
    fixed: Numbers, free: NDArray[np.bool_], way: Numbers, random: np.random.Generator
) -> Numbers | None:
    """Return a way within the null space of the free weights, None where that is empty."""
    part = fixed[:, free].T
    for wanted in (way[free], random.normal(size=len(part))):
        solution, _, rank, _ = np.linalg.lstsq(part, wanted, rcond=_TOLERANCE)
        if len(part) <= rank:
            return None
        along = wanted - part @ solution
        if np.abs(along).max() > 1e-9 * np.abs(wanted).max():
            direction = np.zeros(len(free))
            direction[free] = along / np.abs(along).max()
            return direction
    return None


def _end(at: Numbers, direction: Numbers) -> tuple[Numbers, int]:
    """Return the last weights along a direction that are 0 or more, and which became 0 there."""
    # It keeps the sum: where one weight grows another falls.
    falling = np.flatnonzero(direction < -1e-12)
    steps = at[falling] / -direction[falling]
    gone = int(falling[np.argmin(steps)])
    end = np.maximum(at + steps.min() * direction, 0.0)
    end[gone] = 0.0
    return end, gone
